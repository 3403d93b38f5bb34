/*
 * recording.c - see recording.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/wire.h"
#include "crypto/aead.h"
#include "recording.h"

#define STREAM_MAX (32u * 1024 * 1024)

void stream_add_frame(struct buf *out, struct frame *f, const void *payload)
{
	uint8_t header[FRAME_HEADER_BYTES];
	static const uint8_t zeros[FRAME_ALIGN];

	f->payload_hash = frame_hash(payload, f->length);
	frame_encode(f, header);
	assert_int_equal(buf_append(out, header, sizeof(header)), VAULT_OK);
	assert_int_equal(buf_append(out, payload, f->length), VAULT_OK);
	assert_int_equal(buf_append(out, zeros, (size_t)(frame_span(f->length) - FRAME_HEADER_BYTES - f->length)), VAULT_OK);
}

static void put(struct recording *r, struct frame *f, const void *payload, size_t n)
{
	assert_true(r->n < FRAMES_MAX);
	f->id = r->id;
	f->length = (uint32_t)n;
	stream_add_frame(&r->bytes, f, payload);
	r->at[++r->n] = r->bytes.len;
}

static void put_sealed(struct recording *r, struct frame *f, const void *plain, size_t n, enum aead_flag flag,
    const struct segment_key *key)
{
	static uint8_t sealed[FRAME_PAYLOAD_MAX];
	uint8_t ad[FRAME_AD_BYTES];

	f->id = r->id;
	f->length = (uint32_t)(n + AEAD_TAG_BYTES);
	frame_ad(f, ad);
	assert_int_equal(aead_seal_chunk(sealed, plain, n, ad, sizeof(ad), f->chunk, flag, key->key), VAULT_OK);
	put(r, f, sealed, f->length);
}

static void put_open(struct recording *r)
{
	static const char clear[] = "{\"tenant\":\"acme\",\"v\":1}", personal[] = "{\"caller\":\"+31201234567\"}";
	uint8_t payload[512], blob[sizeof(personal) - 1 + METADATA_OVERHEAD];
	struct frame f = {.type = FRAME_RECORDING_OPEN, .flags = FRAME_FLAG_BATCH};
	struct writer w;
	size_t n;

	assert_int_equal(metadata_seal(blob, personal, sizeof(personal) - 1, r->key, r->tenant, &r->id), VAULT_OK);
	writer_init(&w, payload, sizeof(payload));
	write_blob32(&w, clear, sizeof(clear) - 1);
	write_blob32(&w, blob, sizeof(blob));
	assert_int_equal(writer_finish(&w, &n), VAULT_OK);
	put(r, &f, payload, n);
}

void recording_segment_key(const struct recording *r, const struct ipc_want_key *want, struct segment_key *out)
{
	assert_int_equal(kdf_segment(out, r->key, want->salt, r->tenant, &want->id, want->segment, want->start_us), VAULT_OK);
}

static void put_segment_open(struct recording *r, uint64_t start_us, bool wrong_commit, struct segment_key *key)
{
	struct segment_open open = {.cipher = CIPHER_CHACHA20_POLY1305, .start_us = start_us};
	struct ipc_want_key want = {.id = r->id, .segment = r->segments, .start_us = start_us};
	struct frame f = {.type = FRAME_SEGMENT_OPEN, .segment = r->segments, .media_us = start_us};
	uint8_t payload[SEGMENT_OPEN_BYTES];

	randombytes_buf(open.salt, sizeof(open.salt));
	memcpy(want.salt, open.salt, sizeof(want.salt));
	recording_segment_key(r, &want, key);
	memcpy(open.commit, key->commit, sizeof(open.commit));
	open.commit[0] ^= wrong_commit ? 1 : 0;
	segment_open_encode(&open, payload);
	put(r, &f, payload, sizeof(payload));
	r->offset[r->segments] = r->media_bytes;
	r->start_us[r->segments++] = start_us;
}

static void put_end(struct recording *r, const struct recording_plan *p, uint32_t chunks, uint64_t us,
    const struct segment_key *key)
{
	struct frame f = {.type = FRAME_RECORDING_END, .segment = r->segments - 1, .chunk = chunks, .media_us = us};
	struct manifest m = {.segments = r->segments, .bytes = r->media_bytes, .duration_us = us,
		.gap_us = p->gap ? 500 : 0};
	uint8_t payload[MANIFEST_BYTES];

	if (p->end == END_NONE)
		return;
	if (p->end != END_SEALED) {
		f.flags = FRAME_FLAG_TRUNCATED;
		m.flags = MANIFEST_TRUNCATED;
	}
	if (p->end == END_CRASH) {
		put(r, &f, "", 0);
		return;
	}
	(void)crypto_hash_sha256(m.sha256, p->data, p->n);
	m.sha256[0] ^= p->bad_hash ? 1 : 0;
	manifest_encode(&m, payload);
	put_sealed(r, &f, payload, sizeof(payload), AEAD_RECORDING_END, key);
}

static uint64_t time_of(const struct recording_plan *p, uint64_t bytes)
{
	return bytes * p->us_per_kib / 1024;
}

void recording_make(struct recording *r, const struct recording_plan *p)
{
	struct segment_key key = {{0}, {0}};
	uint8_t payload[GAP_BYTES], end_payload[SEGMENT_END_BYTES];
	uint32_t chunk = 0;
	uint64_t begin = 0;

	memset(r, 0, sizeof(*r));
	(void)snprintf(r->tenant, sizeof(r->tenant), "acme");
	r->id = vault_id_new(1700000000000);
	randombytes_buf(r->key, sizeof(r->key));
	buf_init(&r->bytes, STREAM_MAX);
	put_open(r);
	while (r->media_bytes < p->n) {
		const size_t n = p->n - r->media_bytes < p->chunk ? (size_t)(p->n - r->media_bytes) : p->chunk;
		if (chunk == 0) {
			begin = r->media_bytes;
			put_segment_open(r, time_of(p, begin), p->wrong_commit && r->segments == 1, &key);
		}
		struct frame f = {.type = FRAME_CHUNK, .segment = r->segments - 1, .chunk = chunk,
			.media_us = time_of(p, r->media_bytes)};
		put_sealed(r, &f, p->data + r->media_bytes, n, AEAD_CHUNK, &key);
		r->media_bytes += n;
		chunk++;
		const bool last = r->media_bytes == p->n;
		if (chunk < p->chunks_per_segment && !last)
			continue;
		if (!(last && (p->end == END_CRASH || p->end == END_NONE))) {
			struct segment_end end = {.chunks = chunk, .bytes = r->media_bytes - begin,
				.end_us = time_of(p, r->media_bytes)};
			struct frame e = {.type = FRAME_SEGMENT_END, .segment = r->segments - 1, .chunk = chunk,
				.media_us = end.end_us};
			segment_end_encode(&end, end_payload);
			put_sealed(r, &e, end_payload, sizeof(end_payload), AEAD_SEGMENT_END, &key);
		}
		if (p->gap && r->segments == 1) {
			const struct gap gap = {.from_us = 1000, .to_us = 1500, .reason = 1};
			struct frame g = {.type = FRAME_GAP, .segment = 0, .chunk = chunk, .media_us = 1000};
			gap_encode(&gap, payload);
			put(r, &g, payload, sizeof(payload));
		}
		if (!last)
			chunk = 0;
	}
	r->duration_us = time_of(p, p->n);
	put_end(r, p, chunk, r->duration_us, &key);
	sodium_memzero(&key, sizeof(key));
}

void recording_free(struct recording *r)
{
	buf_free(&r->bytes);
}

struct ipc_job recording_job(const struct recording *r, enum job_mode mode, const uint8_t recipient[32])
{
	struct ipc_job job = {.job = 77, .mode = (uint8_t)mode, .ended = 1, .id = r->id, .segments = r->segments,
		.bytes = r->media_bytes, .to_us = UINT64_MAX, .recipients = 1};

	(void)snprintf(job.tenant, sizeof(job.tenant), "%s", r->tenant);
	if (recipient != NULL)
		memcpy(job.recipient[0], recipient, 32);
	return job;
}

struct frame recording_frame(const struct recording *r, size_t i)
{
	struct frame f;

	assert_int_equal(frame_decode(&f, r->bytes.data + r->at[i]), VAULT_OK);
	return f;
}

void stream_add(struct buf *out, const struct recording *r, size_t i)
{
	assert_int_equal(buf_append(out, r->bytes.data + r->at[i], r->at[i + 1] - r->at[i]), VAULT_OK);
}

void stream_add_offset(struct buf *out, const struct recording *r, uint64_t offset)
{
	char text[64];
	const int n = snprintf(text, sizeof(text), "{\"stream_offset\":%llu}", (unsigned long long)offset);
	struct frame f = {.type = FRAME_ROW, .id = r->id, .length = (uint32_t)n};

	stream_add_frame(out, &f, text);
}

void frame_rehash(struct buf *stream, size_t at)
{
	uint8_t *p = stream->data + at;
	const uint32_t n = load_le32(p + 32);

	if (n <= stream->len - at - FRAME_HEADER_BYTES)
		store_le64(p + 48, frame_hash(p + FRAME_HEADER_BYTES, n));
	store_le64(p + 56, frame_hash(p, 56));
}
