/*
 * frame.c - the 64-byte frame header.
 *
 * Plain functions on bytes: no file, no thread, no allocation. Decoding trusts
 * nothing before the header's own checksum holds.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

#include <vault/format.h>

#include "base/wire.h"

static_assert(FRAME_AD_BYTES + 8 + 8 == FRAME_HEADER_BYTES, "associated data, payload hash, header hash");

uint64_t frame_hash(const void *payload, size_t n)
{
	return XXH3_64bits(payload, n);
}

void frame_ad(const struct frame *f, uint8_t out[FRAME_AD_BYTES])
{
	store_le32(out, FRAME_MAGIC);
	out[4] = f->type;
	out[5] = f->flags;
	store_le16(out + 6, f->track);
	memcpy(out + 8, f->id.b, VAULT_ID_BYTES);
	store_le32(out + 24, f->segment);
	store_le32(out + 28, f->chunk);
	store_le32(out + 32, f->length);
	store_le32(out + 36, 0);
	store_le64(out + 40, f->media_us);
}

void frame_encode(const struct frame *f, uint8_t out[FRAME_HEADER_BYTES])
{
	frame_ad(f, out);
	store_le64(out + FRAME_AD_BYTES, f->payload_hash);
	store_le64(out + 56, frame_hash(out, 56));
}

static bool type_known(uint8_t type)
{
	return (type >= FRAME_RECORDING_OPEN && type <= FRAME_FREE) || type == FRAME_ROW;
}

static bool flags_allowed(uint8_t type, uint8_t flags)
{
	uint8_t allowed = FRAME_FLAG_BATCH;

	if (type == FRAME_RECORDING_END)
		allowed |= FRAME_FLAG_TRUNCATED;
	return (flags & ~allowed) == 0;
}

vault_err frame_decode(struct frame *f, const uint8_t in[FRAME_HEADER_BYTES])
{
	memset(f, 0, sizeof *f);
	if (load_le32(in) != FRAME_MAGIC || load_le64(in + 56) != frame_hash(in, 56))
		return VAULT_E_CORRUPT;
	f->type = in[4];
	f->flags = in[5];
	f->track = load_le16(in + 6);
	memcpy(f->id.b, in + 8, VAULT_ID_BYTES);
	f->segment = load_le32(in + 24);
	f->chunk = load_le32(in + 28);
	f->length = load_le32(in + 32);
	f->media_us = load_le64(in + 40);
	f->payload_hash = load_le64(in + FRAME_AD_BYTES);
	if (!type_known(f->type) || !flags_allowed(f->type, f->flags) || load_le32(in + 36) != 0)
		return VAULT_E_CORRUPT;
	if (f->length > (f->type == FRAME_FREE ? FRAME_FREE_MAX : FRAME_PAYLOAD_MAX))
		return VAULT_E_CORRUPT;
	return VAULT_OK;
}

bool frame_payload_intact(const struct frame *f, const uint8_t *payload)
{
	return f->type == FRAME_FREE || frame_hash(payload, f->length) == f->payload_hash;
}
