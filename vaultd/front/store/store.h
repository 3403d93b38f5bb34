/*
 * store.h - the lane's writer: chunks in, durable positions out.
 *
 * One lane = one loop thread, one writer thread and one flusher thread. The
 * loop thread submits operations in order; the writer seals them (AEAD, running
 * SHA-256 of each recording) into a batch; the flusher appends the batch to the
 * current volume with one pwrite and makes it durable with one fdatasync
 * whatever the number of streams, while the writer gathers the next one.
 * Completions come back through uv_async, in order.
 *
 * A failed write or sync poisons the volume: every operation in the batch fails,
 * the file is closed, never synced again; the lane starts a new volume. A stream
 * of which one operation failed fails every later one with the same error, so
 * that what is durable of it is always a prefix; only
 * store_recording_end(truncated) is still taken and writes an unsealed end
 * behind that prefix. ENOSPC gives VAULT_E_FULL and the lane recovers by itself
 * when there is room (64 MiB free), store_full() says so.
 *
 * No call of this header may be made by another thread than the loop's. Inside a
 * store_done_fn everything but store_lane_close is allowed.
 */
#ifndef VAULT_FRONT_STORE_H
#define VAULT_FRONT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <vault/error.h>
#include <vault/format.h>
#include <vault/id.h>
#include "crypto/kdf.h"

struct store_lane;
struct store_stream;             /* the writer's side of one recording; made by store_stream_new */

#define STORE_BATCH_MAX ((size_t)16 * 1024 * 1024)
#define STORE_CHUNK_MAX ((size_t)1024 * 1024)
#define STORE_OPEN_MAX ((size_t)64 * 1024)      /* clear JSON and sealed blob together */

struct store_options {
	int media_fd;                /* directory; volumes are lane<k>-<number>.vol */
	uint32_t lane;
	vault_id vault;
	uint64_t volume_size;        /* a new volume is begun beyond this */
	uint32_t commit_ms;          /* most a byte waits for its batch, 50 */
	size_t commit_bytes;         /* a batch is written at this size, 4 MiB; 64 KiB to STORE_BATCH_MAX */
};

/* Where bytes of a recording lie: frames back to back in one volume. */
struct extent {
	uint64_t volume;             /* number within the lane */
	uint64_t offset;             /* of the first frame */
	uint64_t length;             /* bytes of whole frames */
	uint32_t first_chunk;        /* number of the first chunk frame inside, or of the next one when there is none */
	uint32_t chunks;
};

enum store_op { STORE_OPEN, STORE_SEGMENT_OPEN, STORE_CHUNK, STORE_SEGMENT_END, STORE_RECORDING_END, STORE_GAP };

/* What became durable, told on the loop thread, in order per stream. */
struct store_done {
	enum store_op op;
	vault_err err;
	uint32_t segment;
	uint32_t chunk;
	uint64_t bytes;              /* plaintext bytes of the recording durable so far */
	uint64_t media_us;
	uint64_t until_us;           /* STORE_GAP: its end */
	struct extent where;         /* the single frame */
	/* STORE_RECORDING_END that succeeded only. Of an unsealed end the hash is zero and flags say truncated. */
	const struct manifest *manifest;
};
typedef void (*store_done_fn)(void *arg, const struct store_done *done);

/* Creates the writer thread. loop's thread is the only caller of the rest. */
VAULT_NODISCARD vault_err store_lane_new(struct store_lane **s, uv_loop_t *loop, const struct store_options *o,
    uint64_t next_volume);
/*
 * Finishes what is queued, syncs, joins the threads, makes the callbacks that are
 * due. The memory goes when the loop has run once more and every stream is freed.
 */
void store_lane_close(struct store_lane *s);
bool store_full(const struct store_lane *s);
size_t store_queued(const struct store_lane *s);     /* bytes waiting; the credit is taken from this */

VAULT_NODISCARD vault_err store_stream_new(struct store_stream **out, struct store_lane *s, const vault_id *id,
    store_done_fn fn, void *arg);
/* Frees the writer's state; callbacks that are still due are dropped. Keys are wiped. */
void store_stream_free(struct store_stream *st);

/* The clear JSON and the sealed blob are copied. */
VAULT_NODISCARD vault_err store_open(struct store_stream *st, const char *clear, size_t clear_len,
    const uint8_t *sealed, size_t sealed_len);
/* The key is copied into guarded memory and wiped with the segment. */
VAULT_NODISCARD vault_err store_segment_open(struct store_stream *st, uint32_t segment, uint64_t start_us,
    const uint8_t salt[SEGMENT_SALT_BYTES], const struct segment_key *key);
/* data comes from store_buffer, is owned by the store from here on, and is wiped and recycled after sealing. */
VAULT_NODISCARD vault_err store_chunk(struct store_stream *st, uint16_t track, uint64_t media_us, uint8_t *data,
    size_t n);
VAULT_NODISCARD vault_err store_segment_end(struct store_stream *st, uint64_t end_us);
/*
 * In order: totals and hash are made by the writer. A segment that is still open
 * is ended first (its completion comes too). The manifest is sealed under the last
 * segment's key, truncated or not; only when there is no key (no segment yet, or
 * the stream failed) a truncated end is written unsealed. Not truncated and no
 * segment: VAULT_E_STATE.
 */
VAULT_NODISCARD vault_err store_recording_end(struct store_stream *st, bool truncated, uint64_t duration_us);
VAULT_NODISCARD vault_err store_gap(struct store_stream *st, uint64_t from_us, uint64_t to_us, uint8_t reason);

/* A plaintext buffer of one chunk (n <= STORE_CHUNK_MAX); NULL when memory is short. Recycled, wiped. */
uint8_t *store_buffer(struct store_lane *s, size_t n);
void store_buffer_free(struct store_lane *s, uint8_t *data, size_t n);

#endif
