/*
 * stream.c - the life of a recording: probe, OPEN, SEGMENT, end, CLOSE.
 *
 * The one place where a stream changes its state. Every wait ends by an answer
 * of the keeper or a completion of the store, so an end that is wanted is only
 * written down (st->end) and carried out when the state allows it.
 */
#include "front/ingest/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"

static void enter(struct ingest_stream *st, enum stream_state next)
{
	assert(next > st->state);
	st->state = next;
}

static void forget_start(struct ingest_stream *st)
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

/* The last callback becomes due; nothing else happens to this stream any more. */
static void done(struct ingest_stream *st)
{
	struct ingest_counts *c = &st->in->counts;

	enter(st, STREAM_DONE);
	chunker_discard(st);
	forget_start(st);
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
	done(st);
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
	enter(st, STREAM_CLOSING);
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
		enter(st, STREAM_ENDING);
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
		done(st);
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
		done(st);
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

static void on_store(void *arg, const struct store_done *d)
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
		enter(st, STREAM_RUNNING);
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

/* ---- opening ---- */

static struct index_row row_of(const struct ingest_stream *st, const struct ipc_opened *o)
{
	const struct probe_result *p = probe_get(st->probe);
	struct index_row row = { .id = o->id, .media = st->media, .container = (uint8_t)p->container, .state = ROW_LIVE,
		.lane = st->in->o.lane, .source = o->source, .policy = o->policy, .start_ms = o->start_ms,
		.expires_s = o->expires_s };

	memcpy(row.tenant, st->start->tenant, sizeof row.tenant);
	for (size_t i = 0; i < p->n_tracks && i < ROW_TRACKS; i++) {
		row.track[i] = (struct index_track){ .medium = p->track[i].medium, .codec = p->track[i].codec,
			.channels = p->track[i].channels, .rate = p->track[i].rate };
		row.n_tracks++;
	}
	return row;
}

/* The name was used before: answered from the first recording. */
static void answer_existing(struct ingest_stream *st, const struct ipc_opened *o)
{
	struct index_row row;

	if (st->refusal == VAULT_REFUSAL_none && !o->ended)
		st->refusal = VAULT_REFUSAL_in_use;
	st->result.id = o->id;
	st->result.existing = true;
	if (ingest_live(st->in, &o->id, &row) == VAULT_OK || index_get(st->in->o.index, &o->id, &row) == VAULT_OK) {
		st->result.bytes = row.bytes;
		st->result.duration_us = row.duration_us;
		st->result.expires_s = row.expires_s;
		st->result.truncated = row.state == ROW_TRUNCATED;
	}
	done(st);
}

static vault_err begin(struct ingest_stream *st, const struct ipc_opened *o)
{
	struct index_row row = row_of(st, o);
	vault_err err = note_new(&st->note, st->in->index, &row, st);

	if (err != VAULT_OK)
		return err;
	st->sealed = malloc(o->sealed_len > 0 ? o->sealed_len : 1);
	if (st->sealed == NULL)
		return VAULT_E_NOMEM;
	memcpy(st->sealed, o->sealed, o->sealed_len);
	st->sealed_len = o->sealed_len;
	return store_stream_new(&st->store, st->in->o.store, &st->id, on_store, st);
}

/* The keeper has a recording that cannot begin here. */
static void void_at_keeper(struct ingest_stream *st)
{
	struct ipc_close m = { .id = st->id, .flags = CLOSE_VOID };
	size_t n = ipc_close_encode(st->in->packet, 0, &m);

	(void)!keeper_link_ask(st->in->o.keeper, st->in->packet, n, NULL, NULL, NULL);
	done(st);
}

static void on_opened(void *arg, const struct ipc_packet *packet)
{
	struct ingest_stream *st = arg;
	struct ipc_opened *o = calloc(1, sizeof *o);
	unsigned refusal = VAULT_REFUSAL_unavailable;

	st->asked = false;
	if (o == NULL || (packet != NULL && ipc_opened_decode(o, packet) != VAULT_OK))
		refusal = VAULT_REFUSAL_internal;
	else if (packet != NULL)
		refusal = o->refusal;
	if (refusal != VAULT_REFUSAL_none) {
		if (st->refusal == VAULT_REFUSAL_none)
			st->refusal = refusal;
		st->end = END_TRUNCATED;
		done(st);
	} else if (o->existing) {
		answer_existing(st, o);
	} else {
		st->id = o->id;
		st->until_ms = o->until_ms;
		st->until_refusal = VAULT_REFUSAL_subscription_ended;
		if (begin(st, o) != VAULT_OK) {
			st->end = END_TRUNCATED;
			st->refusal = VAULT_REFUSAL_internal;
			if (st->note != NULL)
				note_release(st->note);
			st->note = NULL;
			void_at_keeper(st);
		} else {
			forget_start(st);
			st->in->counts.opened++;
			if (st->until_ms != 0)
				link_append(&st->in->limited, &st->limited);
			ingest_wake(st->in);
			enter(st, STREAM_GRANTING);
			st->open_due = true;
			ingest_due(st);
			stream_ask_segment(st, 0);
		}
	}
	free(o);
}

static vault_err ask_open(struct ingest_stream *st)
{
	struct ingest *in = st->in;
	struct ipc_open *m = &in->open;
	const struct probe_result *p = probe_get(st->probe);
	size_t n = 0;

	memset(m, 0, sizeof *m);
	st->media = p->media;
	m->media = p->media;
	m->cred = st->start->cred;
	memcpy(m->tenant, st->start->tenant, sizeof m->tenant);
	memcpy(m->name, st->start->name, sizeof m->name);
	vault_err err = metadata_finish(st->meta, p, m);
	if (err == VAULT_OK)
		n = ipc_open_encode(in->packet, 0, m);
	if (err == VAULT_OK && n == 0)
		err = VAULT_E_INVAL;
	if (err == VAULT_OK) {
		enter(st, STREAM_OPENING);
		st->asked = true;
		err = keeper_link_ask(in->o.keeper, in->packet, n, on_opened, st, &st->ticket);
		st->asked = err == VAULT_OK;
	}
	secret_wipe(m, sizeof *m);
	secret_wipe(in->packet, n);
	return err;
}

/* What the sender claims against what the bytes say. */
static bool lies(const struct ingest_stream *st)
{
	const struct probe_result *p = probe_get(st->probe);
	const uint8_t claim = st->start->declared_media;

	if (st->start->declared_container != CONTAINER_NONE && st->start->declared_container != p->container)
		return true;
	if (claim == 0)
		return false;
	return ((claim ^ p->media) & MEDIUM_VIDEO) != 0;
}

static void refuse(struct ingest_stream *st, unsigned refusal)
{
	ingest_note(st->in, st->start->tenant, refusal);
	st->end = END_TRUNCATED;
	st->refusal = refusal;
	done(st);
}

void stream_decide(struct ingest_stream *st, vault_err probed)
{
	if (probed == VAULT_E_SHORT || st->state != STREAM_PROBING)
		return;
	if (probed != VAULT_OK) {
		refuse(st, probed == VAULT_E_NOMEM ? VAULT_REFUSAL_internal : VAULT_REFUSAL_unsupported_media);
	} else if (lies(st)) {
		refuse(st, VAULT_REFUSAL_media_mismatch);
	} else {
		vault_err err = ask_open(st);
		if (err == VAULT_OK)
			return;
		st->end = END_TRUNCATED;
		st->refusal = err == VAULT_E_RANGE || err == VAULT_E_INVAL ? VAULT_REFUSAL_bad_metadata : VAULT_REFUSAL_unavailable;
		done(st);
	}
}

/* ---- calls of the adapters that end a stream ---- */

void ingest_end(struct ingest_stream *st)
{
	if (st->end != END_NONE)
		return;
	if (st->state == STREAM_PROBING && probe_finish(st->probe) != VAULT_OK) {
		refuse(st, VAULT_REFUSAL_truncated_media);
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
	forget_start(st);
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
