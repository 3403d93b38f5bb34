/*
 * chunker.c - cuts a stream's bytes into chunks and segments.
 *
 * The probe is fed at the places where the bytes are cut, so that a chunk's
 * media time is the time of its first byte. A chunk is cut when it is full or
 * old. The next segment's key is asked for before the present segment is full;
 * should it come too late, bytes are held and the sender's credit shrinks.
 * Between pause and resume a byte is shown to the probe and to nothing else.
 */
#include "front/ingest/stream.h"

#include <string.h>

#include "base/clock.h"
#include "base/secret.h"

#define PROBE_PIECE 4096u            /* so that little is fed beyond the deciding byte */
#define BULK_MS 1000u                /* a chunk that fills faster than this makes the next one a bulk chunk */
#define EARLY 8u                     /* the last 1/8 of a segment is for waiting for the next key */

uint64_t chunker_position_us(const struct ingest_stream *st)
{
	const struct probe_result *r = probe_get(st->probe);

	return st->state == STREAM_PROBING ? 0 : r->duration_us;
}

bool chunker_stalled(const struct ingest_stream *st)
{
	const struct ingest_options *o = &st->in->o;
	uint64_t at = st->fill_len > 0 ? st->fill_us : chunker_position_us(st);

	return st->state != STREAM_RUNNING || st->segment_bytes >= o->segment_bytes ||
	    at - st->segment_us >= o->segment_us;
}

/* ---- the probe ---- */

/* A medium that came up behind the decision is nobody's who was asked. */
static bool media_grew(struct ingest_stream *st)
{
	const uint8_t more = (uint8_t)(probe_get(st->probe)->media & ~st->media);

	if (more == 0)
		return false;
	unsigned refusal = (more & ~st->allowed_media) != 0 ? VAULT_REFUSAL_not_subscribed : VAULT_REFUSAL_media_mismatch;
	buf_clear(&st->hold);                /* what was not stored yet is not stored any more */
	st->hold_fed = 0;
	ingest_note(st->in, st->note != NULL ? note_row(st->note)->tenant : st->start->tenant, refusal);
	stream_end(st, END_TRUNCATED, refusal);
	return true;
}

/* Feeds until the probe has decided; returns how much it took. */
static size_t feed_undecided(struct ingest_stream *st, const uint8_t *data, size_t n)
{
	size_t at = 0;
	vault_err err = VAULT_E_SHORT;

	while (at < n && err == VAULT_E_SHORT) {
		size_t k = n - at < PROBE_PIECE ? n - at : PROBE_PIECE;
		err = probe_feed(st->probe, data + at, k);
		at += k;
	}
	if (n > 0)
		stream_decide(st, err);
	return at;
}

/* Paused: the container is followed, nothing is kept. */
static void follow(struct ingest_stream *st, const uint8_t *data, size_t n)
{
	if (st->state == STREAM_PROBING) {
		size_t fed = feed_undecided(st, data, n);
		data += fed;
		n -= fed;
	}
	if (n > 0 && st->end == END_NONE && st->state != STREAM_PROBING) {
		(void)!probe_feed(st->probe, data, n);
		(void)media_grew(st);
	}
}

/* ---- chunks ---- */

/* Begins a chunk. False: no memory, and the stream has failed. */
static bool fill_begin(struct ingest_stream *st, uint64_t media_us)
{
	st->fill = store_buffer(st->in->o.store, st->chunk);
	if (st->fill == NULL) {
		stream_store_failed(st, VAULT_E_NOMEM);
		return false;
	}
	st->fill_cap = st->chunk;
	st->fill_us = media_us;
	st->fill_ms = clock_mono_ms();
	link_append(&st->in->aging, &st->aging);
	ingest_wake(st->in);
	return true;
}

/* Stores bytes until all are taken, a key is missing or the stream ends. fed: the probe has seen them. */
static size_t take(struct ingest_stream *st, const uint8_t *data, size_t n, bool fed)
{
	size_t at = 0;

	while (at < n && st->state == STREAM_RUNNING) {
		if (st->fill_len == 0 && chunker_stalled(st)) {
			if (!st->asked)
				stream_ask_segment(st, chunker_position_us(st));
			break;
		}
		if (st->fill_len == 0 && !fill_begin(st, fed ? st->segment_us : chunker_position_us(st)))
			break;
		size_t k = st->fill_cap - st->fill_len < n - at ? st->fill_cap - st->fill_len : n - at;
		if (!fed) {
			(void)!probe_feed(st->probe, data + at, k);
			if (media_grew(st))
				break;
		}
		memcpy(st->fill + st->fill_len, data + at, k);
		st->fill_len += k;
		at += k;
		if (st->fill_len == st->fill_cap)
			chunker_cut(st);
	}
	return at;
}

static void ask_early(struct ingest_stream *st)
{
	const struct ingest_options *o = &st->in->o;
	uint64_t at = chunker_position_us(st);

	if (st->asked || (st->end != END_NONE && st->hold.len == 0))
		return;
	if (st->segment_bytes >= o->segment_bytes - o->segment_bytes / EARLY ||
	    at - st->segment_us >= o->segment_us - o->segment_us / EARLY)
		stream_ask_segment(st, at);
}

void chunker_cut(struct ingest_stream *st)
{
	const struct ingest_options *o = &st->in->o;
	size_t n = st->fill_len;

	if (n == 0)
		return;
	uint8_t *data = st->fill;
	bool quick = n == st->fill_cap && clock_mono_ms() - st->fill_ms < BULK_MS;
	st->chunk = quick ? o->chunk_bulk : o->chunk_voice;
	st->fill = NULL;
	st->fill_len = st->fill_cap = 0;
	link_remove(&st->aging);
	vault_err err = store_chunk(st->store, 0, st->fill_us, data, n);
	if (err != VAULT_OK) {
		stream_store_failed(st, err);
		return;
	}
	st->queued += n;
	st->segment_bytes += n;
	ask_early(st);
}

void chunker_discard(struct ingest_stream *st)
{
	if (st->fill != NULL) {
		secret_wipe(st->fill, st->fill_len);
		store_buffer_free(st->in->o.store, st->fill, st->fill_cap);
	}
	st->fill = NULL;
	st->fill_len = st->fill_cap = 0;
	link_remove(&st->aging);
	buf_free(&st->hold);
	st->hold_fed = 0;
}

/* ---- held bytes ---- */

void chunker_drain(struct ingest_stream *st)
{
	while (st->hold.len > 0 && st->state == STREAM_RUNNING) {
		bool fed = st->hold_fed > 0;
		size_t n = fed && st->hold_fed < st->hold.len ? st->hold_fed : st->hold.len;
		size_t took = take(st, st->hold.data, n, fed);
		/* Taking may have ended the stream, which forgets what is held. */
		if (took > st->hold.len)
			return;
		buf_consume(&st->hold, took);
		if (fed)
			st->hold_fed -= took;
		if (took < n)
			return;
	}
	if (st->hold.len == 0) {
		size_t max = st->hold.max;
		buf_free(&st->hold);
		buf_init_secret(&st->hold, max);
	}
}

/* False: no memory, and the stream has failed. */
static bool hold(struct ingest_stream *st, const uint8_t *data, size_t n)
{
	vault_err err = n > 0 ? buf_append(&st->hold, data, n) : VAULT_OK;

	if (err != VAULT_OK)
		stream_end(st, END_TRUNCATED, VAULT_REFUSAL_internal);
	return err == VAULT_OK;
}

void chunker_write(struct ingest_stream *st, const uint8_t *data, size_t n)
{
	if (st->paused) {
		follow(st, data, n);
		return;
	}
	if (st->state == STREAM_PROBING) {
		if (!hold(st, data, n))
			return;
		st->hold_fed += feed_undecided(st, data, n);
		if (st->hold_fed > st->hold.len)     /* refused: nothing is held any more */
			st->hold_fed = 0;
		return;
	}
	size_t took = st->state == STREAM_RUNNING && st->hold.len == 0 ? take(st, data, n, false) : 0;
	if (took < n && st->end == END_NONE)
		(void)hold(st, data + took, n - took);
}

void chunker_pause(struct ingest_stream *st)
{
	if (st->paused || st->state >= STREAM_ENDING)
		return;
	chunker_cut(st);                     /* came before the pause */
	st->paused = true;
	/* So did what is held: the probe goes on behind it. */
	if (st->state > STREAM_PROBING && st->hold_fed < st->hold.len) {
		(void)!probe_feed(st->probe, st->hold.data + st->hold_fed, st->hold.len - st->hold_fed);
		st->hold_fed = st->hold.len;
		if (media_grew(st))
			return;
	}
	/* Two pauses before the first key are one gap. */
	if (!st->gap_pending)
		st->gap_from_us = chunker_position_us(st);
	st->gap_pending = true;
}

void chunker_resume(struct ingest_stream *st)
{
	if (!st->paused)
		return;
	st->paused = false;
	st->gap_to_us = chunker_position_us(st);
	chunker_gap(st);
}

void chunker_gap(struct ingest_stream *st)
{
	if (!st->gap_pending || st->paused || st->state != STREAM_RUNNING || st->store_failed)
		return;
	st->gap_pending = false;
	vault_err err = store_gap(st->store, st->gap_from_us, st->gap_to_us, GAP_PAUSED);
	if (err != VAULT_OK)
		stream_store_failed(st, err);
}
