/*
 * opus_file.c - see opus_file.h. Memory: libogg holds at most one page and one
 * unfinished packet of OPUS_FILE_PACKET_MAX.
 */
#include "media/opus_file.h"

#include <string.h>

enum { WANT_HEAD, WANT_TAGS, WANT_AUDIO };

#define SLICE 4096u
#define PAGE_PACKETS_MAX 255u
#define GRANULE_MAX (INT64_MAX / 4)

void opus_file_init(struct opus_file *f, const struct opus_file_events *ev)
{
	memset(f, 0, sizeof(*f));
	f->ev = *ev;
	(void)ogg_sync_init(&f->sync);     /* only clears the struct */
}

void opus_file_clear(struct opus_file *f)
{
	(void)ogg_sync_clear(&f->sync);
	if (f->stream_ready)
		(void)ogg_stream_clear(&f->stream);
}

bool opus_file_begun(const struct opus_file *f)
{
	return f->shift_known || f->state == WANT_AUDIO;
}

static vault_err begin_link(struct opus_file *f, ogg_page *page)
{
	const int serial = ogg_page_serialno(page);
	vault_err err;

	/* Side by side with another stream, or not Opus: not this reader's. */
	if (f->state == WANT_TAGS || (f->state == WANT_AUDIO && !f->placed))
		return VAULT_E_UNSUPPORTED;
	err = opus_head_parse(&f->head, page->body, (size_t)page->body_len);
	if (err != VAULT_OK)
		return err == VAULT_E_CORRUPT ? err : VAULT_E_UNSUPPORTED;
	if (f->head.family != 0)
		return VAULT_E_UNSUPPORTED;
	if (f->stream_ready)
		(void)ogg_stream_clear(&f->stream);
	f->stream_ready = ogg_stream_init(&f->stream, serial) == 0;
	if (!f->stream_ready)
		return VAULT_E_NOMEM;
	f->serial = (uint32_t)serial;
	f->state = WANT_TAGS;
	f->placed = f->shift_known = f->jumped = false;
	return VAULT_OK;
}

/* The page's packets begin here; known from the page before, or by counting back from its own position. */
static int64_t place_page(struct opus_file *f, int64_t granule, int64_t samples, bool last)
{
	int64_t begin = granule > samples ? granule - samples : 0;

	if (!f->placed) {
		/* A first page that is also the last may be cut short at its end: it begins the stream. */
		if (!f->shift_known && last)
			begin = 0;
		if (!f->shift_known)
			f->shift = f->ended - begin - f->head.pre_skip;
		f->shift_known = f->placed = true;
		return begin;
	}
	if (begin <= f->prev)
		return f->prev;
	/* A hole. Up to a day of them becomes silence; beyond that the timeline closes up. */
	if (begin - f->prev > OPUS_FILE_FILL_MAX - f->filled) {
		f->shift -= begin - f->prev;
		return begin;
	}
	f->filled += begin - f->prev;
	return begin;
}

static vault_err give_packets(struct opus_file *f, struct opus_packet *list, size_t n, int64_t begin, int64_t stop)
{
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < n && err == VAULT_OK; i++) {
		list[i].at = begin + f->shift;
		begin += list[i].samples;
		list[i].end = (begin < stop ? begin : stop) + f->shift;
		if (list[i].end > f->ended)
			f->ended = list[i].end;
		err = f->ev.packet(f->ev.arg, &list[i]);
	}
	return err;
}

static vault_err read_audio(struct opus_file *f, int64_t granule, bool last)
{
	struct opus_packet list[PAGE_PACKETS_MAX];
	ogg_packet packet;
	int64_t samples = 0, begin, stop;
	size_t n = 0;
	int rc;

	while ((rc = ogg_stream_packetout(&f->stream, &packet)) != 0) {
		if (rc < 0 || packet.bytes < 0 || n == PAGE_PACKETS_MAX)
			continue;             /* a hole; the granule position tells how long */
		list[n].data = packet.packet;
		list[n].n = (size_t)packet.bytes;
		list[n].samples = opus_packet_samples(packet.packet, list[n].n);
		samples += list[n].samples;
		n += list[n].samples > 0 ? 1 : 0;
	}
	if (granule < 0 || granule > GRANULE_MAX)
		return VAULT_OK;          /* no packet ends on this page, or no position that can be */
	if (n == 0)
		return VAULT_OK;
	begin = place_page(f, granule, samples, last);
	stop = begin + samples;
	if (last && granule < stop)
		stop = granule > begin ? granule : begin;
	f->prev = begin + samples;
	return give_packets(f, list, n, begin, stop);
}

static vault_err read_tags(struct opus_file *f)
{
	ogg_packet packet;
	int rc;

	do {
		rc = ogg_stream_packetout(&f->stream, &packet);
		/* The head is the first packet. */
		if (rc > 0 && packet.bytes >= 8 && memcmp(packet.packet, "OpusTags", 8) == 0) {
			f->state = WANT_AUDIO;
			return f->ev.link(f->ev.arg, &f->head, packet.packet, (size_t)packet.bytes, f->ended);
		}
	} while (rc != 0);
	return VAULT_OK;
}

static vault_err read_page(struct opus_file *f, ogg_page *page)
{
	vault_err err = VAULT_OK;

	if (ogg_page_version(page) != 0)
		return VAULT_OK;
	if (ogg_page_bos(page))
		err = begin_link(f, page);
	else if (f->state == WANT_HEAD)
		return VAULT_E_CORRUPT;
	if (err != VAULT_OK || (uint32_t)ogg_page_serialno(page) != f->serial)
		return err;
	if (ogg_stream_pagein(&f->stream, page) != 0)
		return VAULT_OK;
	if (f->state == WANT_TAGS)
		err = read_tags(f);
	else
		err = read_audio(f, ogg_page_granulepos(page), ogg_page_eos(page) != 0);
	if (f->stream.body_fill - f->stream.body_returned > (long)OPUS_FILE_PACKET_MAX)
		return VAULT_E_CORRUPT;
	return err;
}

vault_err opus_file_write(struct opus_file *f, const uint8_t *data, size_t n)
{
	ogg_page page;
	vault_err err = VAULT_OK;
	int rc;

	while (n > 0 && err == VAULT_OK) {
		const size_t k = n < SLICE ? n : SLICE;
		char *room = ogg_sync_buffer(&f->sync, (long)k);
		if (room == NULL)
			return VAULT_E_NOMEM;
		memcpy(room, data, k);
		if (ogg_sync_wrote(&f->sync, (long)k) != 0)
			return VAULT_E_NOMEM;
		data += k;
		n -= k;
		while (err == VAULT_OK && (rc = ogg_sync_pageout(&f->sync, &page)) != 0)
			err = rc > 0 ? read_page(f, &page) : VAULT_OK;
	}
	return err;
}

vault_err opus_file_jump(struct opus_file *f)
{
	if (f->state != WANT_AUDIO || !f->shift_known)
		return VAULT_E_STATE;
	(void)ogg_sync_reset(&f->sync);
	(void)ogg_stream_reset_serialno(&f->stream, (int)f->serial);
	f->placed = false;
	f->jumped = true;
	return VAULT_OK;
}
