/*
 * flusher.c - the flusher thread: one write and one sync per batch.
 *
 * Owns the volume file and the flusher's fields of every stream. Knows no key
 * and no plaintext. What it reports as done is on the disk; what failed is cut
 * away or left as a torn tail that recovery ignores.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "front/store/lane.h"
#include "front/store/volume_file.h"

#define ROOM_BYTES (64ull * 1024 * 1024)
#define FULL_POLL_NS 1000000000ull
#define LARGE_BATCH ((size_t)512 * 1024)     /* from here on a batch goes past the page cache */

static bool has_room(const struct store_lane *s)
{
	struct statvfs v;

	return fstatvfs(s->o.media_fd, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize >= ROOM_BYTES;
}

static void set_full(struct store_lane *s, bool full)
{
	if (atomic_exchange(&s->full, full) == full)
		return;
	if (full)
		log_warn("event=disk_full lane=%u", s->o.lane);
	else
		log_info("event=disk_has_room lane=%u", s->o.lane);
}

/* ---- the volume ---- */

static void volume_drop(struct store_lane *s)
{
	if (s->fd >= 0 && close(s->fd) != 0)
		log_warn("event=volume_close_failed lane=%u volume=%llu", s->o.lane, (unsigned long long)s->volume);
	s->fd = -1;
	s->direct = false;
}

/*
 * After a failed write or sync nobody knows which pages reached the disk and a
 * second sync may lie: the file is left. Cutting what failed is a courtesy to
 * the next scan, which ignores a torn tail anyway.
 */
static void volume_poison(struct store_lane *s, vault_err err)
{
	log_error("event=volume_poisoned lane=%u volume=%llu error=%d", s->o.lane, (unsigned long long)s->volume, (int)err);
	(void)!ftruncate(s->fd, (off_t)s->end);
	volume_drop(s);
}

static vault_err volume_ready(struct store_lane *s, size_t n)
{
	if (s->fd >= 0 && s->end > VOLUME_HEADER_BYTES && s->end + n > s->o.volume_size)
		volume_drop(s);
	if (s->fd >= 0)
		return VAULT_OK;
	s->volume = s->next_volume;
	vault_err err = volume_create(s->o.media_fd, s->o.lane, &s->volume, &s->o.vault, &s->fd);
	s->next_volume = s->volume + 1;
	s->end = VOLUME_HEADER_BYTES;
	if (err != VAULT_OK)
		log_error("event=volume_create_failed lane=%u volume=%llu error=%d", s->o.lane,
		    (unsigned long long)s->volume, (int)err);
	return err;
}

static void put_free(uint8_t *p, size_t span, bool first)
{
	struct frame f = { .type = FRAME_FREE, .flags = first ? FRAME_FLAG_BATCH : 0,
		.length = (uint32_t)(span - FRAME_HEADER_BYTES) };

	memset(p, 0, span);
	frame_encode(&f, p);
}

/* Fills a large batch up to a block's end, so that the next one can begin at a block's start. */
static void batch_align(const struct store_lane *s, struct batch *b)
{
	size_t beyond = (size_t)((s->end + b->len) % STORE_BLOCK);

	if (b->len < LARGE_BATCH || beyond == 0)
		return;
	put_free(b->buf + b->len, STORE_BLOCK - beyond, false);
	b->len += STORE_BLOCK - beyond;
}

/* Past the page cache or through it. False: this file system cannot. */
static bool set_direct(struct store_lane *s, bool direct)
{
	if (s->direct != direct && fcntl(s->fd, F_SETFL, direct ? O_DIRECT : 0) != 0)
		return false;
	s->direct = direct;
	return true;
}

/*
 * Ciphertext is not read again soon: a large batch that begins and ends with a
 * block is written without a copy in the page cache, at a fraction of its cost.
 */
static vault_err batch_put(struct store_lane *s, const struct batch *b)
{
	const bool large = b->len >= LARGE_BATCH && (s->end | b->len) % STORE_BLOCK == 0;

	if (large && set_direct(s, true)) {
		vault_err err = write_all_at(s->fd, b->buf, b->len, s->end);
		/* INVAL: the file system wants it otherwise, or what was left of a short write is no block. */
		if (err != VAULT_E_INVAL)
			return err;
	}
	if (!set_direct(s, false))
		return VAULT_E_IO;
	return write_all_at(s->fd, b->buf, b->len, s->end);
}

static vault_err batch_write(struct store_lane *s, struct batch *b)
{
	vault_err err = volume_ready(s, b->len + STORE_BLOCK);
	if (err != VAULT_OK)
		return err;
	batch_align(s, b);
	err = batch_put(s, b);
	if (err == VAULT_E_FULL) {
		/* Nothing was synced: when the partial tail can be cut the volume is as it was. */
		if (ftruncate(s->fd, (off_t)s->end) != 0)
			volume_poison(s, err);
		return err;
	}
	if (err == VAULT_OK && fdatasync(s->fd) != 0)
		err = vault_err_from_errno(errno);
	if (err != VAULT_OK)
		volume_poison(s, err);
	return err;
}

/* ---- the batch ---- */

/* A frame that must not count any more becomes free space; a batch's first frame stays marked as such. */
static void frame_blank(struct batch *b, struct op *op)
{
	put_free(b->buf + op->at, (size_t)op->span, op->at == 0);
	op->span = 0;
}

/* The unsealed end of a failed stream names the last segment that is durable. */
static void rescue_patch(struct batch *b, struct op *op)
{
	const struct store_stream *st = op->stream;
	struct frame f = { .type = FRAME_RECORDING_END,
		.flags = op->at == 0 ? FRAME_FLAG_TRUNCATED | FRAME_FLAG_BATCH : FRAME_FLAG_TRUNCATED, .id = st->id,
		.segment = st->d_segment, .chunk = st->d_chunks, .media_us = op->media_us,
		.payload_hash = frame_hash("", 0) };

	frame_encode(&f, b->buf + op->at);
	op->segment = f.segment;
	op->chunk = f.chunk;
}

/* Drops the frames of streams that failed after their sealing. Returns how many frames are left. */
static size_t batch_filter(struct batch *b)
{
	size_t live = 0;

	for (struct op *op = b->ops.first; op != NULL; op = op->next) {
		vault_err failed = (vault_err)atomic_load(&op->stream->failed);
		if (op->err == VAULT_OK && failed != VAULT_OK) {
			if (op->rescue && op->stream->d_open) {
				rescue_patch(b, op);
			} else {
				op->err = failed;
				frame_blank(b, op);
			}
		}
		if (op->err == VAULT_OK)
			live++;
	}
	return live;
}

static void op_durable(struct store_lane *s, struct op *op)
{
	struct store_stream *st = op->stream;

	op->volume = s->volume;
	op->at += s->end;
	if (op->what == STORE_OPEN)
		st->d_open = true;
	st->d_segment = op->segment;
	st->d_chunks = op->what == STORE_CHUNK ? op->chunk + 1 : op->chunk;
}

static void batch_settle(struct store_lane *s, struct batch *b, vault_err err)
{
	for (struct op *op = b->ops.first; op != NULL; op = op->next) {
		if (op->err != VAULT_OK)
			continue;
		if (err == VAULT_OK) {
			op_durable(s, op);
		} else {
			op->err = err;
			op->span = 0;
			stream_fail(op->stream, err);
		}
	}
	if (err == VAULT_OK)
		s->end += b->len;
}

static void batch_flush(struct store_lane *s, struct batch *b)
{
	vault_err err = VAULT_OK;

	if (atomic_load(&s->full)) {
		if (has_room(s))
			set_full(s, false);
		else
			err = VAULT_E_FULL;
	}
	if (batch_filter(b) == 0)
		return;
	if (err == VAULT_OK)
		err = batch_write(s, b);
	if (err == VAULT_E_FULL)
		set_full(s, true);
	batch_settle(s, b, err);
}

/* Waits for a batch; NULL: there will be none. While the disk is full it looks for room once a second. */
static struct batch *next_batch(struct store_lane *s)
{
	uv_mutex_lock(&s->lock);
	while (s->flushing == NULL && !s->writer_gone) {
		if (!atomic_load(&s->full)) {
			uv_cond_wait(&s->wake_flusher, &s->lock);
			continue;
		}
		(void)uv_cond_timedwait(&s->wake_flusher, &s->lock, FULL_POLL_NS);
		uv_mutex_unlock(&s->lock);
		if (has_room(s))
			set_full(s, false);
		uv_mutex_lock(&s->lock);
	}
	struct batch *b = s->flushing;
	uv_mutex_unlock(&s->lock);
	return b;
}

static void batch_done(struct store_lane *s, struct batch *b)
{
	uv_mutex_lock(&s->lock);
	if (s->done.last != NULL)
		s->done.last->next = b->ops.first;
	else
		s->done.first = b->ops.first;
	s->done.last = b->ops.last;
	b->ops = (struct op_list){ 0 };
	s->flushing = NULL;
	uv_cond_signal(&s->wake_writer);
	uv_mutex_unlock(&s->lock);
	(void)uv_async_send(&s->async);
}

void flusher_main(void *arg)
{
	struct store_lane *s = arg;
	struct batch *b;

	while ((b = next_batch(s)) != NULL) {
		batch_flush(s, b);
		batch_done(s, b);
	}
	volume_drop(s);
}
