/*
 * stream_open.c - the beginning of a recording: what the probe found, what the
 * sender claimed, OPEN. Nothing is stored before the keeper accepted.
 */
#include "front/ingest/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

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
	stream_done(st);
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
	return store_stream_new(&st->store, st->in->o.store, &st->id, stream_on_store, st);
}

/* The keeper has a recording that cannot begin here. */
static void void_at_keeper(struct ingest_stream *st)
{
	struct ipc_close m = { .id = st->id, .flags = CLOSE_VOID };
	size_t n = ipc_close_encode(st->in->packet, 0, &m);

	(void)!keeper_link_ask(st->in->o.keeper, st->in->packet, n, NULL, NULL, NULL);
	stream_done(st);
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
		stream_done(st);
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
			stream_forget_start(st);
			st->in->counts.opened++;
			if (st->until_ms != 0)
				link_append(&st->in->limited, &st->limited);
			ingest_wake(st->in);
			stream_enter(st, STREAM_GRANTING);
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
		stream_enter(st, STREAM_OPENING);
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

void stream_refuse(struct ingest_stream *st, unsigned refusal)
{
	ingest_note(st->in, st->start->tenant, refusal);
	st->end = END_TRUNCATED;
	st->refusal = refusal;
	stream_done(st);
}

void stream_decide(struct ingest_stream *st, vault_err probed)
{
	if (probed == VAULT_E_SHORT || st->state != STREAM_PROBING)
		return;
	if (probed != VAULT_OK) {
		stream_refuse(st, probed == VAULT_E_NOMEM ? VAULT_REFUSAL_internal : VAULT_REFUSAL_unsupported_media);
	} else if (lies(st)) {
		stream_refuse(st, VAULT_REFUSAL_media_mismatch);
	} else {
		vault_err err = ask_open(st);
		if (err == VAULT_OK)
			return;
		st->end = END_TRUNCATED;
		st->refusal = err == VAULT_E_RANGE || err == VAULT_E_INVAL ? VAULT_REFUSAL_bad_metadata : VAULT_REFUSAL_unavailable;
		stream_done(st);
	}
}
