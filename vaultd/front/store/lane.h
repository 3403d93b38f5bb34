/*
 * lane.h - inside of a lane; shared by store.c (loop thread), writer.c (writer
 * thread) and flusher.c (flusher thread). Nobody else includes it.
 *
 * An operation is made by the loop thread, sealed into a batch by the writer,
 * made durable by the flusher and delivered by the loop thread. It is owned by
 * whoever has it; the hand-overs are under lane.lock.
 */
#ifndef VAULT_FRONT_STORE_LANE_H
#define VAULT_FRONT_STORE_LANE_H

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "front/store/chunk_seal.h"
#include "front/store/pool.h"
#include "front/store/store.h"

#define STORE_BLOCK 4096u            /* what O_DIRECT is aligned to */

struct op {
	struct op *next;
	struct store_stream *stream;
	enum store_op what;
	vault_err err;               /* the first thing that went wrong */
	bool truncated;
	bool rescue;                 /* unsealed end of a stream that failed: the flusher may write it all the same */
	uint16_t track;
	uint32_t segment;
	uint32_t chunk;              /* of a chunk its number, else the chunks of the segment so far */
	uint64_t media_us;
	uint64_t until_us;           /* gap */
	uint8_t reason;              /* gap */
	uint64_t queued_ms;          /* monotonic */
	size_t cost;                 /* what it counts in lane.queued */
	uint8_t *data;               /* chunk: plaintext from the buffer pool; open: payload from malloc */
	size_t n;
	uint8_t *key;                /* segment open: slot of the key slab, moves to the stream */
	uint8_t salt[SEGMENT_SALT_BYTES];
	uint8_t commit[SEGMENT_COMMIT_BYTES];
	uint64_t bytes;              /* plaintext bytes of the recording up to and with this operation */
	struct manifest manifest;
	uint64_t at;                 /* offset in the batch, then in the volume */
	uint64_t span;               /* 0: no frame */
	uint64_t volume;
};

struct op_list {
	struct op *first, *last;
};

static inline void op_list_add(struct op_list *l, struct op *op)
{
	op->next = NULL;
	if (l->last != NULL)
		l->last->next = op;
	else
		l->first = op;
	l->last = op;
}

/* Owned by the writer while it fills, by the flusher while lane.flushing points at it. */
struct batch {
	uint8_t *buf;                /* page aligned */
	size_t cap, len;             /* len is a multiple of FRAME_ALIGN */
	struct op_list ops;
	uint64_t oldest_ms;          /* of the first operation */
};

struct store_stream {
	struct store_lane *lane;
	vault_id id;
	atomic_int failed;           /* vault_err; set once by writer or flusher, then every operation fails */

	/* loop thread */
	store_done_fn fn;
	void *arg;
	size_t pending;              /* operations submitted and not delivered; freed only at 0 */
	bool freed;
	bool opened, in_segment, have_segment, ended;
	uint32_t segment;            /* last submitted; valid with have_segment */
	uint64_t durable_bytes;

	/* writer thread */
	EVP_MD_CTX *sha;
	uint8_t *key;                /* of the current or last segment, NULL before the first and after the end */
	uint32_t w_segments, w_chunks;
	uint64_t w_bytes, w_segment_bytes, w_gap_us;

	/* flusher thread */
	bool d_open;
	uint32_t d_segment, d_chunks;
};

struct store_lane {
	/* loop thread */
	uv_loop_t *loop;
	uv_async_t async;
	bool async_closed;
	bool closed;
	size_t streams;
	size_t queued;

	/* constant */
	struct store_options o;
	EVP_MD *sha256;
	struct key_slab *keys;
	struct chunk_sealer *sealer; /* the writer's */
	struct buffer_pool buffers;
	struct batch batch[2];
	uv_thread_t writer, flusher;

	atomic_bool full;

	uv_mutex_t lock;             /* guards the following */
	uv_cond_t wake_writer;       /* work came, the flusher became idle, closing */
	uv_cond_t wake_flusher;
	struct op_list queue;
	struct op_list done;
	struct batch *flushing;      /* NULL: the flusher is idle */
	bool closing;                /* no more submissions */
	bool writer_gone;            /* no more batches */

	/* flusher thread */
	int fd;                      /* current volume, -1: none */
	bool direct;                 /* its writes go past the page cache */
	uint64_t volume;
	uint64_t end;                /* durable bytes of it: where the next batch goes */
	uint64_t next_volume;
};

/* Thread bodies; arg is the lane. */
void writer_main(void *arg);
void flusher_main(void *arg);
/* Marks the stream; the first error stays. */
void stream_fail(struct store_stream *st, vault_err err);

#endif
