/*
 * recording.h - recordings as they lie in a volume, made for the tests with the
 * vault's own sealing.
 */
#ifndef VAULT_TEST_RECORDING_H
#define VAULT_TEST_RECORDING_H

#include <stdbool.h>

#include <vault/format.h>
#include "base/buf.h"
#include "ipc/message.h"

#define FRAMES_MAX 256u

struct recording {
	vault_id id;
	char tenant[VAULT_TENANT_MAX + 1];
	uint8_t key[KEY_BYTES];
	struct buf bytes;            /* the frames, padded */
	size_t n;
	size_t at[FRAMES_MAX + 1];   /* where each frame begins; at[n] is the end */
	uint32_t segments;
	uint64_t media_bytes;
	uint64_t duration_us;
	uint64_t offset[FRAMES_MAX]; /* media bytes before each segment */
	uint64_t start_us[FRAMES_MAX];
};

enum recording_end { END_SEALED, END_CRASH /* torn segment, unsealed end */, END_NONE /* live */, END_LOST /* sealed, truncated */ };

struct recording_plan {
	const uint8_t *data;
	size_t n;
	size_t chunk;                /* bytes */
	uint32_t chunks_per_segment;
	uint64_t us_per_kib;         /* media time grows evenly with the bytes */
	enum recording_end end;
	bool gap;                    /* a gap frame behind the first segment */
	bool bad_hash;               /* the manifest's SHA-256 is another one */
	bool wrong_commit;           /* of the second segment */
};

void recording_make(struct recording *r, const struct recording_plan *p);
void recording_free(struct recording *r);
/* The job that exports all of it. */
struct ipc_job recording_job(const struct recording *r, enum job_mode mode, const uint8_t recipient[32]);
/* A copy of frame i of the stream, and its header. */
struct frame recording_frame(const struct recording *r, size_t i);
/* Appends frame i, or any frame with this payload, to a stream. */
void stream_add(struct buf *out, const struct recording *r, size_t i);
void stream_add_frame(struct buf *out, struct frame *f, const void *payload);
/* Appends {"stream_offset":N}. */
void stream_add_offset(struct buf *out, const struct recording *r, uint64_t offset);
/* Writes valid checksums for the frame at this offset, as far as its length lies inside the stream. */
void frame_rehash(struct buf *stream, size_t at);
/* The keeper's answer. */
void recording_segment_key(const struct recording *r, const struct ipc_want_key *want, struct segment_key *out);

#endif
