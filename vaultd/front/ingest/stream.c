/*
 * stream.c - the life of a recording: segments, end, CLOSE; see stream_open.c for
 * its beginning.
 *
 * Every wait ends by an answer of the keeper or a completion of the store, so an
 * end that is wanted is only written down (st->end) and carried out when the state
 * allows it.
 */
#include "front/ingest/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

void stream_enter(struct ingest_stream *st, enum stream_state next)
{
	assert(next > st->state);
	st->state = next;
}

void stream_forget_start(struct ingest_stream *st)
{
	if (st->start != NULL)
		secret_wipe(st->start, sizeof *st->start);
	free(st->start);
	st->start = NULL;
	metadata_free(st->meta);
	st->meta = NULL;
}

static void forget_sealed(struct ingest_stream *st)
{
	free(st->sealed);                    /* ciphertext */
	st->sealed = NULL;
	st->sealed_len = 0;
}

void stream_done(struct ingest_stream *st)
{
	struct ingest_counts *c = &st->in->counts;

	stream_enter(st, STREAM_DONE);
	chunker_discard(st);
	stream_forget_start(st);
	forget_sealed(st);
	link_remove(&st->limited);
	if (st->refusal != VAULT_REFUSAL_none)
		c->refused++;
	ingest_due(st);
}

/* ---- the end ---- */

static void on_closed(void *arg, const struct ipc_packet *packet)
{
	struct ingest_stream *st = arg;
	struct ipc_closed closed = { .refusal = VAULT_REFUSAL_unavailable };

	st->asked = false;
	if (packet != NULL && ipc_closed_decode(&closed, packet) != VAULT_OK)
		closed.refusal = VAULT_REFUSAL_internal;
	if (closed.refusal != VAULT_REFUSAL_none && st->refusal == VAULT_REFUSAL_none)
		st->refusal = closed.refusal;
	if (st->note != NULL) {
		const struct index_row *row = note_row(st->note);
		if (closed.refusal == VAULT_REFUSAL_none && closed.expires_s != row->expires_s && note_stored(st->note))
			note_change(st->note, closed.expires_s, row->policy, row->flags);
		st->result.bytes = row->bytes;
		st->result.duration_us = row->duration_us;
		st->result.expires_s = row->expires_s;
		st->result.truncated = row->state != ROW_ENDED;
		if (note_stored(st->note))
			st->result.id = st->id;
		if (row->state == ROW_ENDED)
			st->in->counts.ended++;
		else if (note_stored(st->note))
			st->in->counts.truncated++;
		note_release(st->note);
		st->note = NULL;
	}
	stream_done(st);
}

/* Everything that is going to be durable is. */
static void close_at_keeper(struct ingest_stream *st)
{
	note_cut_off(st->note);
	const struct index_row *row = note_row(st->note);
	struct ipc_close m = { .id = st->id, .segments = row->segments, .bytes = row->bytes,
		.duration_us = row->duration_us };
	if (!note_stored(st->note))
		m.flags = CLOSE_VOID;
	else if (row->state != ROW_ENDED)
		m.flags = CLOSE_TRUNCATED;
	store_stream_free(st->store);
	st->store = NULL;
	stream_enter(st, STREAM_CLOSING);
	size_t n = ipc_close_encode(st->in->packet, 0, &m);
	st->asked = true;
	if (keeper_link_ask(st->in->o.keeper, st->in->packet, n, on_closed, st, &st->ticket) != VAULT_OK)
		on_closed(st, NULL);
}

/* Ends the recording in the store. An end that is not truncated vouches for everything before it. */
static void write_end(struct ingest_stream *st)
{
	bool truncated = st->end != END_ORDERLY || st->store_failed;
	uint64_t at = st->store_failed ? note_row(st->note)->duration_us : chunker_position_us(st);

	chunker_discard(st);
	if (st->asked)
		keeper_link_cancel(st->in->o.keeper, st->ticket);
	st->asked = false;
	if (st->state < STREAM_ENDING)
		stream_enter(st, STREAM_ENDING);
	if (store_recording_end(st->store, truncated, at) != VAULT_OK)
		close_at_keeper(st);
}

/* Running and an end is wanted: stores what is left; when a key is still missing, it is tried again with the grant. */
static void finish(struct ingest_stream *st)
{
	chunker_drain(st);
	if (st->state != STREAM_RUNNING || st->hold.len > 0)
		return;
	if (!st->finished_probe && st->end == END_ORDERLY) {
		(void)!probe_finish(st->probe);
		st->finished_probe = true;
	}
	chunker_cut(st);
	if (st->state != STREAM_RUNNING)
		return;
	chunker_resume(st);
	chunker_gap(st);
	if (st->state != STREAM_RUNNING)
		return;
	uint64_t at = chunker_position_us(st);
	if (st->stopped)
		(void)!store_gap(st->store, at, at, GAP_REFUSED);
	write_end(st);
}

/* Nothing was stored and nothing is going to be. */
static void give_up(struct ingest_stream *st)
{
	if (st->note == NULL) {
		stream_done(st);
		return;
	}
	close_at_keeper(st);
}

void stream_end(struct ingest_stream *st, enum stream_end end, unsigned refusal)
{
	if (st->end != END_NONE || st->state >= STREAM_ENDING)
		return;
	st->end = end;
	st->refusal = refusal;
	if (st->state == STREAM_PROBING)
		stream_done(st);
	else if (st->state == STREAM_RUNNING)
		finish(st);
}

void stream_store_failed(struct ingest_stream *st, vault_err err)
{
	if (st->store_failed)
		return;
	st->store_failed = true;
	if (st->end == END_NONE)
		st->end = END_TRUNCATED;
	if (st->refusal == VAULT_REFUSAL_none)
		st->refusal = err == VAULT_E_FULL ? VAULT_REFUSAL_disk_full : VAULT_REFUSAL_internal;
	if (st->state == STREAM_RUNNING)
		write_end(st);
}

/* ---- completions of the store ---- */

void stream_on_store(void *arg, const struct store_done *d)
{
	struct ingest_stream *st = arg;
	struct ingest *in = st->in;

	if (d->err == VAULT_OK) {
		uint64_t more = d->bytes - note_row(st->note)->bytes;
		note_done(st->note, d);
		st->queued -= (size_t)more < st->queued ? (size_t)more : st->queued;
		in->counts.bytes += more;
		if (more > 0)
			ingest_due(st);
	} else {
		stream_store_failed(st, d->err);
	}
	ingest_queue_shrank(in);
	if (d->op != STORE_RECORDING_END || st->state != STREAM_ENDING)
		return;
	if (d->err == VAULT_OK) {
		memcpy(st->result.sha256, d->manifest->sha256, sizeof st->result.sha256);
		close_at_keeper(st);
	} else if (!st->end_retried) {
		st->end_retried = true;
		write_end(st);
	} else {
		close_at_keeper(st);
	}
}

/* ---- segments ---- */

/* The first grant: the recording begins on disk. */
static vault_err open_in_store(struct ingest_stream *st)
{
	char *clear;
	size_t len;
	vault_err err = index_row_to_clear(note_row(st->note), &clear, &len);

	if (err != VAULT_OK)
		return err;
	err = store_open(st->store, clear, len, st->sealed, st->sealed_len);
	free(clear);
	forget_sealed(st);
	return err;
}

static void use_grant(struct ingest_stream *st, const struct ipc_grant *g)
{
	bool first = st->state == STREAM_GRANTING;
	vault_err err = VAULT_OK;

	if (first) {
		stream_enter(st, STREAM_RUNNING);
		err = open_in_store(st);
	} else {
		err = store_segment_end(st->store, st->fill_len > 0 ? st->fill_us : chunker_position_us(st));
	}
	if (err == VAULT_OK)
		err = store_segment_open(st->store, g->segment, g->start_us, g->salt, &g->key);
	if (err != VAULT_OK) {
		stream_store_failed(st, err);
		return;
	}
	st->segment_us = g->start_us;
	st->segment_bytes = 0;
	chunker_gap(st);
	chunker_drain(st);
	if (st->state != STREAM_RUNNING)
		return;
	if (st->end != END_NONE)
		finish(st);
	else
		ingest_due(st);
}

static void on_grant(void *arg, const struct ipc_packet *packet)
{
	struct ingest_stream *st = arg;
	struct ipc_grant g = { .refusal = VAULT_REFUSAL_unavailable };

	st->asked = false;
	if (packet != NULL && ipc_grant_decode(&g, packet) != VAULT_OK)
		g.refusal = VAULT_REFUSAL_internal;
	if (g.refusal == VAULT_REFUSAL_none && !vault_id_equal(&g.id, &st->id))
		g.refusal = VAULT_REFUSAL_internal;
	if (g.refusal == VAULT_REFUSAL_none) {
		use_grant(st, &g);
	} else if (st->state == STREAM_GRANTING) {
		if (st->end == END_NONE || st->refusal == VAULT_REFUSAL_none)
			st->refusal = g.refusal;
		st->end = END_TRUNCATED;
		give_up(st);
	} else {
		/* No key for more: what is not in the segment yet is not stored. */
		buf_clear(&st->hold);
		st->hold_fed = 0;
		if (st->end == END_NONE) {
			stream_end(st, END_TRUNCATED, g.refusal);
		} else {
			st->end = END_TRUNCATED;
			if (st->refusal == VAULT_REFUSAL_none)
				st->refusal = g.refusal;
			finish(st);
		}
	}
	secret_wipe(&g, sizeof g);
}

void stream_ask_segment(struct ingest_stream *st, uint64_t start_us)
{
	struct ipc_segment m = { .id = st->id, .start_us = start_us };
	size_t n = ipc_segment_encode(st->in->packet, 0, &m);

	st->asked = true;
	if (keeper_link_ask(st->in->o.keeper, st->in->packet, n, on_grant, st, &st->ticket) != VAULT_OK)
		on_grant(st, NULL);
}

/* ---- calls of the adapters that end a stream ---- */

void ingest_end(struct ingest_stream *st)
{
	if (st->end != END_NONE)
		return;
	if (st->state == STREAM_PROBING && probe_finish(st->probe) != VAULT_OK) {
		stream_refuse(st, VAULT_REFUSAL_truncated_media);
		return;
	}
	if (st->state == STREAM_PROBING) {
		st->finished_probe = true;
		stream_decide(st, VAULT_OK);
		if (st->state == STREAM_DONE)
			return;
	}
	stream_end(st, END_ORDERLY, VAULT_REFUSAL_none);
}

void ingest_abort(struct ingest_stream *st, unsigned refusal)
{
	stream_end(st, END_TRUNCATED, refusal != VAULT_REFUSAL_none ? refusal : VAULT_REFUSAL_internal);
}

void stream_free(struct ingest_stream *st)
{
	struct ingest *in = st->in;

	if (st->asked)
		keeper_link_cancel(in->o.keeper, st->ticket);
	chunker_discard(st);
	stream_forget_start(st);
	forget_sealed(st);
	if (st->note != NULL)
		note_release(st->note);
	store_stream_free(st->store);
	probe_free(st->probe);
	link_remove(&st->limited);
	link_remove(&st->starved);
	link_remove(&st->due);
	link_remove(&st->all);
	in->n_streams--;
	free(st);
}
