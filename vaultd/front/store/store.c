/*
 * store.c - the loop thread's side of a lane: checks and submits operations,
 * delivers what became of them. Seals nothing and touches no file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/wire.h"
#include "crypto/aead.h"
#include "front/store/lane.h"

#define COMMIT_MIN ((size_t)64 * 1024)
#define OP_COST 256u                 /* an operation without data still counts */

void stream_fail(struct store_stream *st, vault_err err)
{
	int none = VAULT_OK;

	(void)atomic_compare_exchange_strong(&st->failed, &none, (int)err);
}

/* ---- delivery ---- */

static void stream_destroy(struct store_stream *st);
static void lane_maybe_destroy(struct store_lane *s);

static void op_free(struct store_lane *s, struct op *op)
{
	key_slab_give(s->keys, op->key);
	if (op->what == STORE_CHUNK)
		buffer_pool_give(&s->buffers, op->data);
	else
		free(op->data);
	free(op);
}

static void op_deliver(struct store_lane *s, struct op *op)
{
	struct store_stream *st = op->stream;
	struct store_done done = {
		.op = op->what, .err = op->err, .segment = op->segment, .chunk = op->chunk, .media_us = op->media_us,
		.until_us = op->until_us,
	};

	s->queued -= op->cost;
	if (op->err == VAULT_OK) {
		if (op->rescue)
			op->manifest.bytes = st->durable_bytes;
		else
			st->durable_bytes = op->bytes;
		done.where = (struct extent){ .volume = op->volume, .offset = op->at, .length = op->span,
			.first_chunk = op->chunk, .chunks = op->what == STORE_CHUNK ? 1 : 0 };
		if (op->what == STORE_RECORDING_END)
			done.manifest = &op->manifest;
	} else if (op->what == STORE_RECORDING_END) {
		st->ended = false;           /* may be tried again, truncated */
	}
	done.bytes = st->durable_bytes;
	if (!st->freed && st->fn != NULL)
		st->fn(st->arg, &done);
	op_free(s, op);
	st->pending--;
	if (st->freed && st->pending == 0)
		stream_destroy(st);
}

static void deliver(struct store_lane *s)
{
	uv_mutex_lock(&s->lock);
	struct op *op = s->done.first;
	s->done = (struct op_list){ 0 };
	uv_mutex_unlock(&s->lock);
	while (op != NULL) {
		struct op *next = op->next;
		op_deliver(s, op);
		op = next;
	}
}

static void on_async(uv_async_t *async)
{
	deliver(async->data);
}

/* ---- lane ---- */

static bool batch_init(struct batch *b, size_t commit_bytes)
{
	/* A batch is closed at commit_bytes, so one largest frame may lie beyond it, and what fills its last block. */
	b->cap = commit_bytes + (size_t)frame_span((uint32_t)STORE_CHUNK_MAX + AEAD_TAG_BYTES) + STORE_BLOCK;
	b->cap = (b->cap + STORE_BLOCK - 1) / STORE_BLOCK * STORE_BLOCK;
	b->buf = aligned_alloc(STORE_BLOCK, b->cap);
	return b->buf != NULL;
}

static void lane_free_memory(struct store_lane *s)
{
	free(s->batch[0].buf);
	free(s->batch[1].buf);
	EVP_MD_free(s->sha256);
	chunk_sealer_free(s->sealer);
	key_slab_free(s->keys);
	buffer_pool_destroy(&s->buffers);
	uv_cond_destroy(&s->wake_flusher);
	uv_cond_destroy(&s->wake_writer);
	uv_mutex_destroy(&s->lock);
	free(s);
}

static void lane_maybe_destroy(struct store_lane *s)
{
	if (s->closed && s->async_closed && s->streams == 0)
		lane_free_memory(s);
}

static void on_async_closed(uv_handle_t *handle)
{
	struct store_lane *s = handle->data;

	s->async_closed = true;
	lane_maybe_destroy(s);
}

static void join_writer(struct store_lane *s)
{
	uv_mutex_lock(&s->lock);
	s->closing = true;
	uv_cond_signal(&s->wake_writer);
	uv_mutex_unlock(&s->lock);
	uv_thread_join(&s->writer);
}

static vault_err lane_start(struct store_lane *s)
{
	if (uv_async_init(s->loop, &s->async, on_async) != 0)
		return VAULT_E_NOMEM;
	s->async.data = s;
	if (uv_thread_create(&s->writer, writer_main, s) != 0)
		goto no_writer;
	if (uv_thread_create(&s->flusher, flusher_main, s) != 0)
		goto no_flusher;
	return VAULT_OK;
no_flusher:
	join_writer(s);
no_writer:
	s->closed = true;
	uv_close((uv_handle_t *)&s->async, on_async_closed);
	return VAULT_E_NOMEM;
}

vault_err store_lane_new(struct store_lane **out, uv_loop_t *loop, const struct store_options *o, uint64_t next_volume)
{
	*out = NULL;
	if (o->commit_bytes < COMMIT_MIN || o->commit_bytes > STORE_BATCH_MAX || o->volume_size < VOLUME_HEADER_BYTES)
		return VAULT_E_INVAL;
	struct store_lane *s = calloc(1, sizeof *s);
	if (s == NULL)
		return VAULT_E_NOMEM;
	s->loop = loop;
	s->o = *o;
	s->fd = -1;
	s->next_volume = next_volume > 0 ? next_volume : 1;
	atomic_init(&s->full, false);
	if (uv_mutex_init(&s->lock) != 0)
		goto no_lock;
	if (uv_cond_init(&s->wake_writer) != 0)
		goto no_wake_writer;
	if (uv_cond_init(&s->wake_flusher) != 0)
		goto no_wake_flusher;
	if (buffer_pool_init(&s->buffers) != VAULT_OK)
		goto no_buffers;
	s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	s->sealer = chunk_sealer_new();
	if (s->sha256 == NULL || s->sealer == NULL || key_slab_new(&s->keys) != VAULT_OK ||
	    !batch_init(&s->batch[0], o->commit_bytes) || !batch_init(&s->batch[1], o->commit_bytes)) {
		lane_free_memory(s);
		return VAULT_E_NOMEM;
	}
	vault_err err = lane_start(s);
	if (err != VAULT_OK) {
		if (!s->closed)              /* else the closing async handle frees it */
			lane_free_memory(s);
		return err;
	}
	*out = s;
	return VAULT_OK;

no_buffers:
	uv_cond_destroy(&s->wake_flusher);
no_wake_flusher:
	uv_cond_destroy(&s->wake_writer);
no_wake_writer:
	uv_mutex_destroy(&s->lock);
no_lock:
	free(s);
	return VAULT_E_NOMEM;
}

void store_lane_close(struct store_lane *s)
{
	if (s == NULL)
		return;
	join_writer(s);
	uv_thread_join(&s->flusher);
	deliver(s);
	s->closed = true;
	uv_close((uv_handle_t *)&s->async, on_async_closed);
}

bool store_full(const struct store_lane *s)
{
	return atomic_load(&s->full);
}

size_t store_queued(const struct store_lane *s)
{
	return s->queued;
}

uint8_t *store_buffer(struct store_lane *s, size_t n)
{
	return buffer_pool_take(&s->buffers, n);
}

void store_buffer_free(struct store_lane *s, uint8_t *data, size_t n)
{
	(void)n;                             /* the buffer knows its own size */
	buffer_pool_give(&s->buffers, data);
}

/* ---- streams ---- */

vault_err store_stream_new(struct store_stream **out, struct store_lane *s, const vault_id *id, store_done_fn fn,
    void *arg)
{
	*out = NULL;
	struct store_stream *st = calloc(1, sizeof *st);
	if (st == NULL)
		return VAULT_E_NOMEM;
	st->lane = s;
	st->id = *id;
	st->fn = fn;
	st->arg = arg;
	atomic_init(&st->failed, VAULT_OK);
	st->sha = EVP_MD_CTX_new();
	if (st->sha == NULL || EVP_DigestInit_ex(st->sha, s->sha256, NULL) != 1) {
		EVP_MD_CTX_free(st->sha);
		free(st);
		return VAULT_E_NOMEM;
	}
	s->streams++;
	*out = st;
	return VAULT_OK;
}

static void stream_destroy(struct store_stream *st)
{
	struct store_lane *s = st->lane;

	key_slab_give(s->keys, st->key);
	EVP_MD_CTX_free(st->sha);
	free(st);
	s->streams--;
	lane_maybe_destroy(s);
}

void store_stream_free(struct store_stream *st)
{
	if (st == NULL)
		return;
	st->freed = true;
	if (st->pending == 0)
		stream_destroy(st);
}

/* ---- submission ---- */

static struct op *op_new(struct store_stream *st, enum store_op what)
{
	struct op *op = calloc(1, sizeof *op);

	if (op != NULL) {
		op->what = what;
		op->stream = st;
	}
	return op;
}

static void submit(struct op *op)
{
	struct store_lane *s = op->stream->lane;

	op->cost = OP_COST + op->n;
	op->queued_ms = clock_mono_ms();
	op->stream->pending++;
	s->queued += op->cost;
	uv_mutex_lock(&s->lock);
	bool was_empty = s->queue.first == NULL;
	op_list_add(&s->queue, op);
	if (was_empty)
		uv_cond_signal(&s->wake_writer);
	uv_mutex_unlock(&s->lock);
}

static bool may_submit(const struct store_stream *st)
{
	return !st->lane->closed && !st->freed && !st->ended;
}

vault_err store_open(struct store_stream *st, const char *clear, size_t clear_len, const uint8_t *sealed,
    size_t sealed_len)
{
	if (!may_submit(st) || st->opened)
		return VAULT_E_STATE;
	if (clear_len > STORE_OPEN_MAX || sealed_len > STORE_OPEN_MAX - clear_len)
		return VAULT_E_RANGE;
	struct op *op = op_new(st, STORE_OPEN);
	if (op == NULL)
		return VAULT_E_NOMEM;
	struct writer w;
	size_t cap = 8 + clear_len + sealed_len;
	op->data = malloc(cap);
	if (op->data == NULL) {
		free(op);
		return VAULT_E_NOMEM;
	}
	writer_init(&w, op->data, cap);
	write_blob32(&w, clear, clear_len);
	write_blob32(&w, sealed, sealed_len);
	vault_err err = writer_finish(&w, &op->n);
	if (err != VAULT_OK) {
		op_free(st->lane, op);
		return err;
	}
	st->opened = true;
	submit(op);
	return VAULT_OK;
}

vault_err store_segment_open(struct store_stream *st, uint32_t segment, uint64_t start_us,
    const uint8_t salt[SEGMENT_SALT_BYTES], const struct segment_key *key)
{
	if (!may_submit(st) || !st->opened || st->in_segment || (st->have_segment && segment <= st->segment))
		return VAULT_E_STATE;
	struct op *op = op_new(st, STORE_SEGMENT_OPEN);
	if (op == NULL)
		return VAULT_E_NOMEM;
	op->key = key_slab_take(st->lane->keys);
	if (op->key == NULL) {
		free(op);
		return VAULT_E_NOMEM;
	}
	memcpy(op->key, key->key, KEY_BYTES);
	memcpy(op->commit, key->commit, sizeof op->commit);
	memcpy(op->salt, salt, sizeof op->salt);
	op->segment = segment;
	op->media_us = start_us;
	st->segment = segment;
	st->have_segment = true;
	st->in_segment = true;
	submit(op);
	return VAULT_OK;
}

vault_err store_chunk(struct store_stream *st, uint16_t track, uint64_t media_us, uint8_t *data, size_t n)
{
	vault_err err = VAULT_OK;
	struct op *op = NULL;

	if (!may_submit(st) || !st->in_segment)
		err = VAULT_E_STATE;
	else if (n == 0 || n > STORE_CHUNK_MAX)
		err = VAULT_E_RANGE;
	else if ((op = op_new(st, STORE_CHUNK)) == NULL)
		err = VAULT_E_NOMEM;
	if (err != VAULT_OK) {
		buffer_pool_give(&st->lane->buffers, data);
		return err;
	}
	op->track = track;
	op->media_us = media_us;
	op->data = data;
	op->n = n;
	op->segment = st->segment;
	submit(op);
	return VAULT_OK;
}

vault_err store_segment_end(struct store_stream *st, uint64_t end_us)
{
	if (!may_submit(st) || !st->in_segment)
		return VAULT_E_STATE;
	struct op *op = op_new(st, STORE_SEGMENT_END);
	if (op == NULL)
		return VAULT_E_NOMEM;
	op->media_us = end_us;
	op->segment = st->segment;
	st->in_segment = false;
	submit(op);
	return VAULT_OK;
}

vault_err store_recording_end(struct store_stream *st, bool truncated, uint64_t duration_us)
{
	if (!may_submit(st) || !st->opened || (!st->have_segment && !truncated))
		return VAULT_E_STATE;
	struct op *op = op_new(st, STORE_RECORDING_END);
	if (op == NULL)
		return VAULT_E_NOMEM;
	if (st->in_segment) {
		vault_err err = store_segment_end(st, duration_us);
		if (err != VAULT_OK) {
			free(op);
			return err;
		}
	}
	op->truncated = truncated;
	op->media_us = duration_us;
	op->segment = st->have_segment ? st->segment : 0;
	st->ended = true;
	submit(op);
	return VAULT_OK;
}

vault_err store_gap(struct store_stream *st, uint64_t from_us, uint64_t to_us, uint8_t reason)
{
	if (!may_submit(st) || !st->opened)
		return VAULT_E_STATE;
	if (to_us < from_us)
		return VAULT_E_RANGE;
	struct op *op = op_new(st, STORE_GAP);
	if (op == NULL)
		return VAULT_E_NOMEM;
	op->media_us = from_us;
	op->until_us = to_us;
	op->reason = reason;
	op->segment = st->have_segment ? st->segment : 0;
	submit(op);
	return VAULT_OK;
}
