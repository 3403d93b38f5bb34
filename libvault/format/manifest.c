/*
 * manifest.c - the small fixed payloads: segment open, segment end, gap,
 * manifest. Exact length, zero padding and ranges are checked on reading.
 *
 * Plain functions on bytes: no file, no thread, no allocation.
 */
#include <string.h>

#include <vault/format.h>

#include "base/wire.h"

static_assert(2 + 2 + 4 + 8 + 32 + 32 == SEGMENT_OPEN_BYTES, "segment open");
static_assert(4 + 4 + 8 + 8 == SEGMENT_END_BYTES, "segment end");
static_assert(8 + 8 + 1 + 7 == GAP_BYTES, "gap");
static_assert(4 + 4 + 8 + 8 + 8 + 32 == MANIFEST_BYTES, "manifest");

void segment_open_encode(const struct segment_open *s, uint8_t out[SEGMENT_OPEN_BYTES])
{
	memset(out, 0, SEGMENT_OPEN_BYTES);
	store_le16(out, s->cipher);
	store_le64(out + 8, s->start_us);
	memcpy(out + 16, s->salt, sizeof s->salt);
	memcpy(out + 48, s->commit, sizeof s->commit);
}

vault_err segment_open_decode(struct segment_open *s, const uint8_t *in, size_t n)
{
	memset(s, 0, sizeof *s);
	if (n != SEGMENT_OPEN_BYTES || load_le16(in + 2) != 0 || load_le32(in + 4) != 0)
		return VAULT_E_CORRUPT;
	s->cipher = load_le16(in);
	s->start_us = load_le64(in + 8);
	memcpy(s->salt, in + 16, sizeof s->salt);
	memcpy(s->commit, in + 48, sizeof s->commit);
	return s->cipher == CIPHER_CHACHA20_POLY1305 ? VAULT_OK : VAULT_E_UNSUPPORTED;
}

void segment_end_encode(const struct segment_end *s, uint8_t out[SEGMENT_END_BYTES])
{
	store_le32(out, s->chunks);
	store_le32(out + 4, 0);
	store_le64(out + 8, s->bytes);
	store_le64(out + 16, s->end_us);
}

vault_err segment_end_decode(struct segment_end *s, const uint8_t *in, size_t n)
{
	memset(s, 0, sizeof *s);
	if (n != SEGMENT_END_BYTES || load_le32(in + 4) != 0)
		return VAULT_E_CORRUPT;
	s->chunks = load_le32(in);
	s->bytes = load_le64(in + 8);
	s->end_us = load_le64(in + 16);
	return VAULT_OK;
}

void gap_encode(const struct gap *g, uint8_t out[GAP_BYTES])
{
	memset(out, 0, GAP_BYTES);
	store_le64(out, g->from_us);
	store_le64(out + 8, g->to_us);
	out[16] = g->reason;
}

vault_err gap_decode(struct gap *g, const uint8_t *in, size_t n)
{
	static const uint8_t zero[7];

	memset(g, 0, sizeof *g);
	if (n != GAP_BYTES || memcmp(in + 17, zero, sizeof zero) != 0)
		return VAULT_E_CORRUPT;
	g->from_us = load_le64(in);
	g->to_us = load_le64(in + 8);
	g->reason = in[16];
	return g->to_us >= g->from_us ? VAULT_OK : VAULT_E_CORRUPT;
}

void manifest_encode(const struct manifest *m, uint8_t out[MANIFEST_BYTES])
{
	store_le32(out, m->segments);
	store_le32(out + 4, m->flags);
	store_le64(out + 8, m->bytes);
	store_le64(out + 16, m->duration_us);
	store_le64(out + 24, m->gap_us);
	memcpy(out + 32, m->sha256, sizeof m->sha256);
}

vault_err manifest_decode(struct manifest *m, const uint8_t *in, size_t n)
{
	memset(m, 0, sizeof *m);
	if (n != MANIFEST_BYTES)
		return VAULT_E_CORRUPT;
	m->segments = load_le32(in);
	m->flags = load_le32(in + 4);
	m->bytes = load_le64(in + 8);
	m->duration_us = load_le64(in + 16);
	m->gap_us = load_le64(in + 24);
	memcpy(m->sha256, in + 32, sizeof m->sha256);
	return (m->flags & ~MANIFEST_TRUNCATED) == 0 ? VAULT_OK : VAULT_E_CORRUPT;
}
