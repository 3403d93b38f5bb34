/*
 * frames.c - see frames.h. The stream is laid out as in a volume: header,
 * payload, zeros up to the next multiple of FRAME_ALIGN.
 */
#include "exporter/frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define READ_BLOCK (1024ul * 1024)
#define CAPACITY (FRAME_HEADER_BYTES + FRAME_PAYLOAD_MAX + FRAME_ALIGN + READ_BLOCK)

struct frames {
	size_t start, end;           /* unread bytes of data */
	size_t high;                 /* nothing was ever written behind this */
	uint8_t data[CAPACITY];
};

vault_err frames_new(struct frames **r)
{
	*r = malloc(sizeof(**r));
	if (*r == NULL)
		return VAULT_E_NOMEM;
	(*r)->start = (*r)->end = (*r)->high = 0;
	return VAULT_OK;
}

void frames_free(struct frames *r)
{
	if (r != NULL)
		secret_wipe(r->data, r->high);
	free(r);
}

uint8_t *frames_room(struct frames *r, size_t *n)
{
	if (r->start == r->end) {
		r->start = r->end = 0;
	} else if (CAPACITY - r->end < READ_BLOCK) {
		memmove(r->data, r->data + r->start, r->end - r->start);
		r->end -= r->start;
		r->start = 0;
	}
	*n = CAPACITY - r->end < READ_BLOCK ? CAPACITY - r->end : READ_BLOCK;
	return r->data + r->end;
}

void frames_filled(struct frames *r, size_t n)
{
	r->end += n <= CAPACITY - r->end ? n : 0;
	if (r->end > r->high)
		r->high = r->end;
}

static bool is_zero(const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p == 0)
		p++;
	return p == end;
}

vault_err frames_next(struct frames *r, struct frame_view *v)
{
	size_t have = r->end - r->start;
	if (have < FRAME_HEADER_BYTES)
		return VAULT_E_SHORT;
	uint8_t *header = r->data + r->start;
	vault_err err = frame_decode(&v->f, header);
	if (err != VAULT_OK)
		return err;
	if (v->f.type == FRAME_FREE || v->f.length > FRAME_PAYLOAD_MAX)
		return VAULT_E_PROTO;     /* forgotten space belongs to no export */
	uint64_t span = frame_span(v->f.length);
	if (have < span)
		return VAULT_E_SHORT;
	v->ad = header;
	v->payload = header + FRAME_HEADER_BYTES;
	if (!frame_payload_intact(&v->f, v->payload) || !is_zero(v->payload + v->f.length, header + span))
		return VAULT_E_CORRUPT;
	r->start += (size_t)span;
	return VAULT_OK;
}

vault_err frames_finish(const struct frames *r)
{
	return r->start == r->end ? VAULT_OK : VAULT_E_SHORT;
}
