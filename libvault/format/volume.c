/*
 * volume.c - the volume header: the first 4 KiB of a volume file.
 *
 * Plain functions on bytes: no file, no thread, no allocation.
 */
#include <string.h>

#include <vault/format.h>

#include "base/wire.h"

#define HASH_AT (VOLUME_HEADER_BYTES - 8)

vault_err volume_header_encode(const struct volume_header *h, uint8_t out[VOLUME_HEADER_BYTES])
{
	struct writer w;
	size_t len;

	memset(out, 0, VOLUME_HEADER_BYTES);
	writer_init(&w, out, HASH_AT);
	write_bytes(&w, VOLUME_MAGIC, 8);
	write_u32(&w, h->version);
	write_u32(&w, h->lane);
	write_u64(&w, h->number);
	write_bytes(&w, h->vault.b, VAULT_ID_BYTES);
	write_u64(&w, h->created_ms);
	vault_err err = writer_finish(&w, &len);
	if (err != VAULT_OK)
		return err;
	store_le64(out + HASH_AT, frame_hash(out, HASH_AT));
	return VAULT_OK;
}

vault_err volume_header_decode(struct volume_header *h, const uint8_t in[VOLUME_HEADER_BYTES])
{
	struct reader r;
	uint8_t magic[8];

	memset(h, 0, sizeof *h);
	reader_init(&r, in, HASH_AT);
	read_bytes(&r, magic, sizeof magic);
	if (memcmp(magic, VOLUME_MAGIC, sizeof magic) != 0 || load_le64(in + HASH_AT) != frame_hash(in, HASH_AT))
		return VAULT_E_CORRUPT;
	h->version = read_u32(&r);
	h->lane = read_u32(&r);
	h->number = read_u64(&r);
	read_bytes(&r, h->vault.b, VAULT_ID_BYTES);
	h->created_ms = read_u64(&r);
	if (r.err != VAULT_OK)
		return r.err;
	return h->version == VOLUME_VERSION ? VAULT_OK : VAULT_E_UNSUPPORTED;
}
