/*
 * opus_out.c - see opus_out.h. Holds one packet and one page.
 */
#include "media/opus_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define PAGE_PACKETS 50u
#define FIRST_SERIAL 0x7661756c

void opus_out_init(struct opus_out *o, convert_sink sink, void *arg)
{
	memset(o, 0, sizeof(*o));
	o->sink = sink;
	o->arg = arg;
	o->serial = FIRST_SERIAL;
}

static void close_link(struct opus_out *o)
{
	if (o->open)
		(void)ogg_stream_clear(&o->stream);
	o->open = false;
	if (o->tags != NULL)
		secret_wipe(o->tags, o->n_tags);
	free(o->tags);
	o->tags = NULL;
}

void opus_out_clear(struct opus_out *o)
{
	close_link(o);
	if (o->held != NULL)
		secret_wipe(o->held, o->cap_held);
	free(o->held);
	memset(o, 0, sizeof(*o));
}

static vault_err put_pages(struct opus_out *o, bool flush)
{
	ogg_page page;

	while ((flush ? ogg_stream_flush(&o->stream, &page) : ogg_stream_pageout(&o->stream, &page)) != 0) {
		vault_err err = o->sink(o->arg, page.header, (size_t)page.header_len);
		if (err == VAULT_OK)
			err = o->sink(o->arg, page.body, (size_t)page.body_len);
		if (err != VAULT_OK)
			return err;
		o->page_packets = 0;
	}
	return VAULT_OK;
}

static vault_err put(struct opus_out *o, uint8_t *data, size_t n, int64_t granule, bool last, bool flush)
{
	ogg_packet op = {.packet = data, .bytes = (long)n, .b_o_s = o->packets == 0, .e_o_s = last,
		.granulepos = granule, .packetno = o->packets};

	if (ogg_stream_packetin(&o->stream, &op) != 0)
		return VAULT_E_NOMEM;
	o->packets++;
	o->page_packets++;
	return put_pages(o, flush || last || o->page_packets >= PAGE_PACKETS);
}

static vault_err put_held(struct opus_out *o, bool last, bool flush)
{
	if (!o->holding)
		return VAULT_OK;
	o->holding = false;
	return put(o, o->held, o->n_held, o->held_end > o->origin ? o->held_end - o->origin : 0, last, flush);
}

static vault_err put_head(struct opus_out *o, int64_t pre_skip)
{
	uint8_t head[OPUS_HEAD_BYTES];
	vault_err err;

	o->head_due = false;
	o->head.pre_skip = (uint16_t)(pre_skip < 0 ? 0 : pre_skip > UINT16_MAX ? UINT16_MAX : pre_skip);
	opus_head_write(&o->head, head);
	err = put(o, head, sizeof(head), 0, false, true);
	return err != VAULT_OK ? err : put(o, o->tags, o->n_tags, 0, false, true);
}

/* A link without a packet still gets its head, so that the file is a whole one. */
static vault_err end_link(struct opus_out *o)
{
	vault_err err = VAULT_OK;

	if (o->open && o->head_due)
		err = put_head(o, o->head.pre_skip);
	if (err == VAULT_OK && o->open)
		err = put_held(o, true, true);
	close_link(o);
	return err;
}

vault_err opus_out_link(struct opus_out *o, const struct opus_head *head, const uint8_t *tags, size_t n_tags)
{
	/* A link that gave nothing, before the range, is not worth a link of the output. */
	vault_err err = o->open && o->head_due ? VAULT_OK : end_link(o);

	if (err != VAULT_OK)
		return err;
	close_link(o);
	o->tags = malloc(n_tags);
	if (o->tags == NULL)
		return VAULT_E_NOMEM;
	memcpy(o->tags, tags, n_tags);
	o->n_tags = n_tags;
	o->head = *head;
	if (ogg_stream_init(&o->stream, o->serial++) != 0)
		return VAULT_E_NOMEM;
	o->open = o->head_due = true;
	o->packets = 0;
	o->page_packets = 0;
	return VAULT_OK;
}

static vault_err hold(struct opus_out *o, const uint8_t *data, size_t n)
{
	if (n > o->cap_held) {
		/* The old bytes are not needed: they are wiped, not copied. */
		if (o->held != NULL)
			secret_wipe(o->held, o->cap_held);
		free(o->held);
		o->cap_held = 0;
		o->held = malloc(n);
		if (o->held == NULL)
			return VAULT_E_NOMEM;
		o->cap_held = n;
	}
	memcpy(o->held, data, n);
	o->n_held = n;
	o->holding = true;
	return VAULT_OK;
}

vault_err opus_out_packet(struct opus_out *o, const struct opus_packet *p, int64_t sound_from, int64_t sound_to)
{
	vault_err err = VAULT_OK;

	if (!o->open)
		return VAULT_E_STATE;
	if (o->head_due) {
		o->origin = p->at;
		err = put_head(o, sound_from - p->at);
	} else {
		/* A page ends at a hole, so that the position of what follows is told anew. */
		err = put_held(o, false, p->at > o->last_end);
	}
	if (err == VAULT_OK)
		err = hold(o, p->data, p->n);
	o->last_end = p->at + p->samples;
	o->held_end = p->end < sound_to ? p->end : sound_to;
	return err;
}

vault_err opus_out_finish(struct opus_out *o)
{
	return o->open ? end_link(o) : VAULT_OK;
}
