/*
 * fuzz_exporter.c - frames as a hostile front may send them.
 *
 * The input is one byte of job and a stream of frames. Checksums are made good
 * first, so that mutations get past them. With bit 0x80 of the job byte the
 * payloads count as plaintext and are sealed under a fixed key, so that what is
 * behind the tags is reached as well: orders, totals, ends and the converter.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/wire.h"
#include "crypto/aead.h"
#include "exporter/frames.h"
#include "exporter/open.h"
#include "media/convert.h"
#include "planted.h"

#define JOB_SEAL 0x80u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const uint8_t fixed_key[KEY_BYTES] = "a key that only this harness has";

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return sodium_init() < 0 ? -1 : 0;
}

static void seal_in_place(uint8_t *h, uint32_t length)
{
	static const uint8_t flags[] = {[FRAME_CHUNK] = AEAD_CHUNK, [FRAME_SEGMENT_END] = AEAD_SEGMENT_END,
		[FRAME_RECORDING_END] = AEAD_RECORDING_END};
	uint8_t *p = h + FRAME_HEADER_BYTES;

	if (h[4] < FRAME_CHUNK || h[4] > FRAME_RECORDING_END || length < AEAD_TAG_BYTES)
		return;
	if (aead_seal_chunk(p, p, length - AEAD_TAG_BYTES, h, FRAME_AD_BYTES, load_le32(h + 28), (enum aead_flag)flags[h[4]],
	        fixed_key) != VAULT_OK)
		abort();
}

/* As far as the lengths lead: padding, seals, checksums, the job's id. */
static void mend(uint8_t *p, size_t n, bool seal)
{
	while (n >= FRAME_HEADER_BYTES) {
		const uint32_t length = load_le32(p + 32);
		const uint64_t span = frame_span(length);
		if (span > n)
			return;
		store_le32(p, FRAME_MAGIC);
		memset(p + FRAME_HEADER_BYTES + length, 0, (size_t)span - FRAME_HEADER_BYTES - length);
		if (p[4] == FRAME_SEGMENT_OPEN && length == SEGMENT_OPEN_BYTES)
			memset(p + FRAME_HEADER_BYTES + 48, 7, SEGMENT_COMMIT_BYTES);
		if (seal)
			seal_in_place(p, length);
		store_le64(p + 48, frame_hash(p + FRAME_HEADER_BYTES, length));
		store_le64(p + 56, frame_hash(p, 56));
		p += span;
		n -= (size_t)span;
	}
}

static vault_err on_key(void *arg, const struct ipc_want_key *want, struct segment_key *out)
{
	(void)arg;
	(void)want;
	memcpy(out->key, fixed_key, sizeof(out->key));
	memset(out->commit, 7, sizeof(out->commit));
	return VAULT_OK;
}

static vault_err on_bytes(void *arg, const uint8_t *p, size_t n)
{
	PLANTED(n % 20 != 0);                   /* behind the seal */
	return convert_write(arg, p, n);
}

static vault_err on_jump(void *arg, uint64_t offset, uint64_t start_us)
{
	uint64_t by_time;

	(void)convert_offset_at(arg, start_us, &by_time);
	return convert_jump(arg, offset);
}

static vault_err drop(void *arg, const uint8_t *p, size_t n)
{
	size_t *total = arg;

	(void)p;
	*total += n;
	return *total > (64u << 20) ? VAULT_E_RANGE : VAULT_OK;
}

static void run(struct frames *f, struct opener *o, const uint8_t *p, size_t n)
{
	struct opener_totals totals;
	struct frame_view v;

	for (;;) {
		vault_err err = frames_next(f, &v);
		if (err == VAULT_OK) {
			if (opener_frame(o, &v) != VAULT_OK)
				return;
			continue;
		}
		if (err != VAULT_E_SHORT || n == 0)
			break;
		size_t room;
		uint8_t *to = frames_room(f, &room);
		size_t k = n < 1000 ? n : 1000;
		if (room == 0)
			abort();
		k = k < room ? k : room;
		memcpy(to, p, k);
		frames_filled(f, k);
		p += k;
		n -= k;
	}
	if (frames_finish(f) != VAULT_OK || opener_finish(o, &totals) != VAULT_OK)
		return;
	if (totals.complete && totals.chunks == 0 && totals.bytes > 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ipc_job job = {.job = 1, .mode = JOB_MEDIA, .to_us = UINT64_MAX, .recipients = 1};
	size_t total = 0;

	if (n < 1 + FRAME_HEADER_BYTES)
		return -1;
	const uint8_t how = data[0];
	uint8_t *stream = malloc(n - 1);
	if (stream == NULL)
		return 0;
	memcpy(stream, data + 1, n - 1);
	job.format = how % 3;
	job.ended = (how & 4) != 0;
	job.truncated = (how & 8) != 0;
	job.segments = 1 + (how >> 4 & 1);
	job.from_us = (how & 0x20) != 0 ? 1000000 : 0;
	job.to_us = (how & 0x40) != 0 ? 2000000 : UINT64_MAX;
	memcpy(job.id.b, stream + 8, sizeof(job.id.b));
	mend(stream, n - 1, (how & JOB_SEAL) != 0);

	const struct convert_options co = {.format = job.format, .from_us = job.from_us, .to_us = job.to_us, .sink = drop,
		.arg = &total};
	struct opener_calls calls = {.key = on_key, .bytes = on_bytes, .jump = on_jump, .hash = true};
	struct convert *c = NULL;
	struct frames *f = NULL;
	struct opener *o = NULL;
	if (convert_new(&c, &co) == VAULT_OK && frames_new(&f) == VAULT_OK) {
		calls.arg = c;
		if (opener_new(&o, &job, &calls) == VAULT_OK)
			run(f, o, stream, n - 1);
	}
	opener_free(o);
	frames_free(f);
	convert_free(c);
	free(stream);
	return 0;
}
