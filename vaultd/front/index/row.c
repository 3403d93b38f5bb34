/*
 * row.c - rows and segments as LMDB values.
 *
 * Extents are delta-coded: a segment of 5 minutes of voice is about 1 KiB.
 * Plain functions on bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/wire.h"
#include "front/index/db.h"

#define ROW_VERSION 1u
#define CHECK_BYTES 4u
#define EXTENT_BYTES_MAX ((size_t)5 * 10)   /* five varints */
#define EXTENTS_MAX (1u << 20)

void index_segment_free(struct index_segment *s)
{
	free(s->extents);
	s->extents = NULL;
	s->n_extents = 0;
}

/* Grows by doubling: the capacity is the next power of two. */
static vault_err extents_push(struct index_segment *s, const struct extent *e)
{
	if (s->extents == NULL || (s->n_extents & (s->n_extents - 1)) == 0) {
		size_t cap = s->n_extents == 0 ? 1 : s->n_extents * 2;
		struct extent *more = realloc(s->extents, cap * sizeof *more);
		if (more == NULL)
			return VAULT_E_NOMEM;
		s->extents = more;
	}
	s->extents[s->n_extents++] = *e;
	return VAULT_OK;
}

vault_err index_segment_add(struct index_segment *s, const struct extent *where)
{
	struct extent *last = s->n_extents > 0 ? &s->extents[s->n_extents - 1] : NULL;

	if (last != NULL && (where->volume < last->volume ||
	    (where->volume == last->volume && where->offset < last->offset + last->length)))
		return VAULT_E_EXISTS;
	if (last != NULL && where->volume == last->volume && where->offset == last->offset + last->length &&
	    where->first_chunk == last->first_chunk + last->chunks) {
		last->length += where->length;
		last->chunks += where->chunks;
		return VAULT_OK;
	}
	if (s->n_extents == EXTENTS_MAX)
		return VAULT_E_RANGE;
	return extents_push(s, where);
}

/* ---- rows ---- */

static vault_err check_close(struct writer *w, size_t *n)
{
	if (w->err == VAULT_OK)
		write_u32(w, (uint32_t)frame_hash(w->p, w->len));
	return writer_finish(w, n);
}

static vault_err check_open(struct reader *r, const uint8_t *in, size_t n)
{
	if (n < CHECK_BYTES || load_le32(in + n - CHECK_BYTES) != (uint32_t)frame_hash(in, n - CHECK_BYTES))
		return VAULT_E_CORRUPT;
	reader_init(r, in, n - CHECK_BYTES);
	return VAULT_OK;
}

vault_err row_encode(const struct index_row *row, uint8_t out[ROW_BYTES_MAX], size_t *n)
{
	struct writer w;
	size_t tenant = strnlen(row->tenant, sizeof row->tenant);

	if (tenant > VAULT_TENANT_MAX || row->n_tracks > ROW_TRACKS || row->state > ROW_TRUNCATED)
		return VAULT_E_INVAL;
	writer_init(&w, out, ROW_BYTES_MAX);
	write_u8(&w, ROW_VERSION);
	write_blob16(&w, row->tenant, tenant);
	write_u8(&w, row->media);
	write_u8(&w, row->container);
	write_u8(&w, row->state);
	write_u8(&w, row->flags);
	write_u8(&w, row->n_tracks);
	for (size_t i = 0; i < row->n_tracks; i++) {
		write_u8(&w, row->track[i].medium);
		write_u8(&w, row->track[i].codec);
		write_u8(&w, row->track[i].channels);
		write_u32(&w, row->track[i].rate);
	}
	write_u32(&w, row->lane);
	write_u32(&w, row->source);
	write_u32(&w, row->policy);
	write_u32(&w, row->segments);
	write_u64(&w, row->start_ms);
	write_u64(&w, row->expires_s);
	write_u64(&w, row->bytes);
	write_u64(&w, row->duration_us);
	write_u64(&w, row->gap_us);
	write_u64(&w, row->open.volume);
	write_u64(&w, row->open.offset);
	write_u64(&w, row->open.length);
	return check_close(&w, n);
}

vault_err row_decode(struct index_row *row, const vault_id *id, const uint8_t *in, size_t n)
{
	struct reader r;
	size_t tenant = 0;

	memset(row, 0, sizeof *row);
	vault_err err = check_open(&r, in, n);
	if (err != VAULT_OK)
		return err;
	row->id = *id;
	uint8_t version = read_u8(&r);
	const uint8_t *name = read_blob16(&r, VAULT_TENANT_MAX, &tenant);
	if (name == NULL || version != ROW_VERSION)
		return VAULT_E_CORRUPT;
	memcpy(row->tenant, name, tenant);
	row->media = read_u8(&r);
	row->container = read_u8(&r);
	row->state = read_u8(&r);
	row->flags = read_u8(&r);
	row->n_tracks = read_u8(&r);
	if (row->n_tracks > ROW_TRACKS || row->state > ROW_TRUNCATED)
		return VAULT_E_CORRUPT;
	for (size_t i = 0; i < row->n_tracks; i++) {
		row->track[i].medium = read_u8(&r);
		row->track[i].codec = read_u8(&r);
		row->track[i].channels = read_u8(&r);
		row->track[i].rate = read_u32(&r);
	}
	row->lane = read_u32(&r);
	row->source = read_u32(&r);
	row->policy = read_u32(&r);
	row->segments = read_u32(&r);
	row->start_ms = read_u64(&r);
	row->expires_s = read_u64(&r);
	row->bytes = read_u64(&r);
	row->duration_us = read_u64(&r);
	row->gap_us = read_u64(&r);
	row->open.volume = read_u64(&r);
	row->open.offset = read_u64(&r);
	row->open.length = read_u64(&r);
	return reader_finish(&r) == VAULT_OK ? VAULT_OK : VAULT_E_CORRUPT;
}

/* ---- segments ---- */

static void write_varint(struct writer *w, uint64_t v)
{
	while (v >= 0x80) {
		write_u8(w, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	write_u8(w, (uint8_t)v);
}

static uint64_t read_varint(struct reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = read_u8(r);
		v |= (uint64_t)(b & 0x7f) << shift;
		if ((b & 0x80) == 0)
			return v;
	}
	r->err = VAULT_E_CORRUPT;
	return 0;
}

vault_err segment_encode(const struct index_segment *s, uint8_t **out, size_t *n)
{
	struct writer w;
	struct extent before = { 0 };
	size_t cap = 8 + 8 + 10 + s->n_extents * EXTENT_BYTES_MAX + CHECK_BYTES;

	*out = NULL;
	if (s->n_extents > EXTENTS_MAX)
		return VAULT_E_RANGE;
	uint8_t *p = malloc(cap);
	if (p == NULL)
		return VAULT_E_NOMEM;
	writer_init(&w, p, cap);
	write_u64(&w, s->start_us);
	write_u64(&w, s->stream_offset);
	write_varint(&w, s->n_extents);
	for (size_t i = 0; i < s->n_extents && w.err == VAULT_OK; i++) {
		const struct extent *e = &s->extents[i];
		uint64_t base = e->volume == before.volume ? before.offset + before.length : 0;
		uint32_t chunk = before.first_chunk + before.chunks;
		if (e->volume < before.volume || e->offset < base || e->first_chunk < chunk ||
		    e->offset % FRAME_ALIGN != 0 || e->length % FRAME_ALIGN != 0)
			w.err = VAULT_E_INVAL;
		write_varint(&w, e->volume - before.volume);
		write_varint(&w, (e->offset - base) / FRAME_ALIGN);
		write_varint(&w, e->length / FRAME_ALIGN);
		write_varint(&w, e->first_chunk - chunk);
		write_varint(&w, e->chunks);
		before = *e;
	}
	vault_err err = check_close(&w, n);
	if (err != VAULT_OK) {
		free(p);
		return err;
	}
	*out = p;
	return VAULT_OK;
}

/* One extent behind before; the sums must not overflow. */
static vault_err extent_decode(struct reader *r, const struct extent *before, struct extent *e)
{
	uint64_t volume = read_varint(r);
	uint64_t offset = read_varint(r);
	uint64_t length = read_varint(r);
	uint64_t chunk = read_varint(r);
	uint64_t chunks = read_varint(r);
	uint64_t base = volume == 0 ? before->offset + before->length : 0;

	if (r->err != VAULT_OK || volume > UINT64_MAX - before->volume || offset > INT64_MAX / FRAME_ALIGN / 4 ||
	    length > INT64_MAX / FRAME_ALIGN / 4 || base > INT64_MAX / 4 || chunk > UINT32_MAX || chunks > UINT32_MAX)
		return VAULT_E_CORRUPT;
	chunk += (uint64_t)before->first_chunk + before->chunks;
	if (chunk + chunks > UINT32_MAX)
		return VAULT_E_CORRUPT;
	*e = (struct extent){ .volume = before->volume + volume, .offset = base + offset * FRAME_ALIGN,
		.length = length * FRAME_ALIGN, .first_chunk = (uint32_t)chunk, .chunks = (uint32_t)chunks };
	return VAULT_OK;
}

vault_err segment_decode(struct index_segment *s, uint32_t segment, const uint8_t *in, size_t n)
{
	struct reader r;
	struct extent before = { 0 };

	memset(s, 0, sizeof *s);
	vault_err err = check_open(&r, in, n);
	if (err != VAULT_OK)
		return err;
	s->segment = segment;
	s->start_us = read_u64(&r);
	s->stream_offset = read_u64(&r);
	uint64_t count = read_varint(&r);
	if (r.err != VAULT_OK || count > r.left)
		return VAULT_E_CORRUPT;
	for (uint64_t i = 0; i < count && err == VAULT_OK; i++) {
		struct extent e = { 0 };
		err = extent_decode(&r, &before, &e);
		if (err == VAULT_OK)
			err = extents_push(s, &e);
		before = e;
	}
	if (err == VAULT_OK && reader_finish(&r) != VAULT_OK)
		err = VAULT_E_CORRUPT;
	if (err != VAULT_OK)
		index_segment_free(s);
	return err;
}
