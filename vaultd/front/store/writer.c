/*
 * writer.c - the writer thread: turns operations into sealed frames.
 *
 * Owns the writer's fields of every stream (hash, key, counters) and the batch
 * that is being filled. A plaintext buffer is hashed, sealed straight into the
 * batch and wiped here; nothing unsealed is ever copied. Touches no file.
 */
#include <string.h>

#include "base/clock.h"
#include "base/wire.h"
#include "front/store/lane.h"

/* Closes the frame whose payload of n bytes lies behind its place in the batch. */
static void frame_close(struct batch *b, struct op *op, struct frame *f, size_t n)
{
	uint8_t *p = b->buf + b->len;
	size_t span = (size_t)frame_span((uint32_t)n);

	memset(p + FRAME_HEADER_BYTES + n, 0, span - FRAME_HEADER_BYTES - n);
	f->payload_hash = frame_hash(p + FRAME_HEADER_BYTES, n);
	frame_encode(f, p);
	op->at = b->len;
	op->span = span;
	b->len += span;
}

static struct frame frame_begin(const struct batch *b, const struct op *op, uint8_t type, size_t n)
{
	return (struct frame){ .type = type, .flags = b->len == 0 ? FRAME_FLAG_BATCH : 0, .track = op->track,
		.id = op->stream->id, .segment = op->segment, .chunk = op->chunk, .length = (uint32_t)n,
		.media_us = op->media_us };
}

static void put_clear(struct batch *b, struct op *op, uint8_t type, const void *payload, size_t n)
{
	struct frame f = frame_begin(b, op, type, n);

	if (n > 0)
		memcpy(b->buf + b->len + FRAME_HEADER_BYTES, payload, n);
	frame_close(b, op, &f, n);
}

/* Seals n bytes under the stream's key at nonce (op->chunk, flag). */
static vault_err put_sealed(struct batch *b, struct op *op, uint8_t type, uint8_t frame_flags, enum aead_flag flag,
    const uint8_t *plain, size_t n)
{
	uint8_t ad[FRAME_AD_BYTES];
	struct frame f = frame_begin(b, op, type, n + AEAD_TAG_BYTES);

	f.flags = (uint8_t)(f.flags | frame_flags);
	frame_ad(&f, ad);
	vault_err err = chunk_seal(op->stream->lane->sealer, b->buf + b->len + FRAME_HEADER_BYTES, plain, n, ad, sizeof ad,
	    op->chunk, flag, op->stream->key);
	if (err == VAULT_OK)
		frame_close(b, op, &f, n + AEAD_TAG_BYTES);
	return err;
}

static void key_drop(struct store_stream *st)
{
	key_slab_give(st->lane->keys, st->key);
	st->key = NULL;
}

static vault_err seal_segment_open(struct batch *b, struct op *op)
{
	struct store_stream *st = op->stream;
	struct segment_open open = { .cipher = CIPHER_CHACHA20_POLY1305, .start_us = op->media_us };
	uint8_t payload[SEGMENT_OPEN_BYTES];

	key_drop(st);
	st->key = op->key;
	op->key = NULL;                      /* handed to the stream */
	st->w_segments++;
	st->w_chunks = 0;
	st->w_segment_bytes = 0;
	memcpy(open.salt, op->salt, sizeof open.salt);
	memcpy(open.commit, op->commit, sizeof open.commit);
	segment_open_encode(&open, payload);
	put_clear(b, op, FRAME_SEGMENT_OPEN, payload, sizeof payload);
	return VAULT_OK;
}

static vault_err seal_chunk(struct batch *b, struct op *op)
{
	struct store_stream *st = op->stream;

	op->chunk = st->w_chunks;
	if (st->w_chunks == UINT32_MAX)
		return VAULT_E_RANGE;
	if (EVP_DigestUpdate(st->sha, op->data, op->n) != 1)
		return VAULT_E_NOMEM;
	vault_err err = put_sealed(b, op, FRAME_CHUNK, 0, AEAD_CHUNK, op->data, op->n);
	if (err != VAULT_OK)
		return err;
	st->w_chunks++;
	st->w_bytes += op->n;
	st->w_segment_bytes += op->n;
	return VAULT_OK;
}

static vault_err seal_segment_end(struct batch *b, struct op *op)
{
	struct store_stream *st = op->stream;
	struct segment_end end = { .chunks = st->w_chunks, .bytes = st->w_segment_bytes, .end_us = op->media_us };
	uint8_t payload[SEGMENT_END_BYTES];

	segment_end_encode(&end, payload);
	return put_sealed(b, op, FRAME_SEGMENT_END, 0, AEAD_SEGMENT_END, payload, sizeof payload);
}

static vault_err seal_recording_end(struct batch *b, struct op *op)
{
	struct store_stream *st = op->stream;
	uint8_t payload[MANIFEST_BYTES];

	op->manifest = (struct manifest){ .segments = st->w_segments, .flags = op->truncated ? MANIFEST_TRUNCATED : 0,
		.bytes = st->w_bytes, .duration_us = op->media_us, .gap_us = st->w_gap_us };
	if (EVP_DigestFinal_ex(st->sha, op->manifest.sha256, NULL) != 1)
		return VAULT_E_NOMEM;
	manifest_encode(&op->manifest, payload);
	vault_err err = put_sealed(b, op, FRAME_RECORDING_END, op->truncated ? FRAME_FLAG_TRUNCATED : 0,
	    AEAD_RECORDING_END, payload, sizeof payload);
	key_drop(st);
	return err;
}

/* The end of a recording that has no key, or that failed: no payload, not sealed. */
static void put_unsealed_end(struct batch *b, struct op *op)
{
	struct store_stream *st = op->stream;
	struct frame f = frame_begin(b, op, FRAME_RECORDING_END, 0);

	f.flags = (uint8_t)(f.flags | FRAME_FLAG_TRUNCATED);
	frame_close(b, op, &f, 0);
	op->manifest = (struct manifest){ .segments = st->w_segments, .flags = MANIFEST_TRUNCATED, .bytes = st->w_bytes,
		.duration_us = op->media_us, .gap_us = st->w_gap_us };
	key_drop(st);
}

static vault_err seal_live(struct batch *b, struct op *op)
{
	struct store_stream *st = op->stream;
	struct gap gap = { .from_us = op->media_us, .to_us = op->until_us, .reason = op->reason };
	uint8_t payload[GAP_BYTES];

	op->chunk = st->w_chunks;
	switch (op->what) {
	case STORE_OPEN:
		put_clear(b, op, FRAME_RECORDING_OPEN, op->data, op->n);
		return VAULT_OK;
	case STORE_SEGMENT_OPEN:
		op->chunk = 0;
		return seal_segment_open(b, op);
	case STORE_CHUNK:
		return seal_chunk(b, op);
	case STORE_SEGMENT_END:
		return seal_segment_end(b, op);
	case STORE_GAP:
		gap_encode(&gap, payload);
		st->w_gap_us += op->until_us - op->media_us;
		put_clear(b, op, FRAME_GAP, payload, sizeof payload);
		return VAULT_OK;
	case STORE_RECORDING_END:
		if (st->key != NULL)
			return seal_recording_end(b, op);
		put_unsealed_end(b, op);
		return VAULT_OK;
	}
	return VAULT_E_INVAL;
}

/* Appends the operation and its frame to the batch, which has room. */
static void seal(struct store_lane *s, struct batch *b, struct op *op)
{
	struct store_stream *st = op->stream;
	vault_err failed = (vault_err)atomic_load(&st->failed);

	if (b->ops.first == NULL)
		b->oldest_ms = op->queued_ms;
	if (failed == VAULT_OK) {
		op->err = seal_live(b, op);
		if (op->err != VAULT_OK)
			stream_fail(st, op->err);
	} else if (op->what == STORE_RECORDING_END && op->truncated) {
		op->rescue = true;
		put_unsealed_end(b, op);
	} else {
		op->err = failed;
	}
	op->bytes = st->w_bytes;
	if (op->what == STORE_CHUNK) {
		buffer_pool_give(&s->buffers, op->data);     /* wipes */
		op->data = NULL;
	}
	op_list_add(&b->ops, op);
}

/* Waits for the flusher to be idle, then gives it the batch. Returns the other one, empty. */
static struct batch *hand_over(struct store_lane *s, struct batch *b)
{
	uv_mutex_lock(&s->lock);
	while (s->flushing != NULL)
		uv_cond_wait(&s->wake_writer, &s->lock);
	s->flushing = b;
	uv_cond_signal(&s->wake_flusher);
	uv_mutex_unlock(&s->lock);
	b = b == &s->batch[0] ? &s->batch[1] : &s->batch[0];
	b->len = 0;
	b->ops = (struct op_list){ 0 };
	return b;
}

/*
 * Waits (lock held) until there is something to do with the batch at hand.
 * True: it is due. False with an empty queue: the lane closes and all is done.
 * While the flusher is busy a small batch goes on gathering.
 */
static bool wait_for_work(struct store_lane *s, const struct batch *b)
{
	for (;;) {
		uint64_t wait_ms = UINT64_MAX;
		if (b->ops.first != NULL && s->flushing == NULL) {
			uint64_t now = clock_mono_ms();
			uint64_t due = b->oldest_ms + s->o.commit_ms;
			if (now >= due || (s->closing && s->queue.first == NULL))
				return true;
			wait_ms = due - now;
		}
		if (s->queue.first != NULL || (s->closing && b->ops.first == NULL))
			return false;
		if (wait_ms == UINT64_MAX)
			uv_cond_wait(&s->wake_writer, &s->lock);
		else
			(void)uv_cond_timedwait(&s->wake_writer, &s->lock, wait_ms * 1000000u);
	}
}

void writer_main(void *arg)
{
	struct store_lane *s = arg;
	struct batch *b = &s->batch[0];

	for (;;) {
		uv_mutex_lock(&s->lock);
		bool due = wait_for_work(s, b);
		struct op *op = s->queue.first;
		if (!due)
			s->queue = (struct op_list){ 0 };
		uv_mutex_unlock(&s->lock);
		if (due) {
			b = hand_over(s, b);
			continue;
		}
		if (op == NULL)
			break;
		while (op != NULL) {
			struct op *next = op->next;
			seal(s, b, op);
			if (b->len >= s->o.commit_bytes)
				b = hand_over(s, b);
			op = next;
		}
	}
	uv_mutex_lock(&s->lock);
	s->writer_gone = true;
	uv_cond_signal(&s->wake_flusher);
	uv_mutex_unlock(&s->lock);
}
