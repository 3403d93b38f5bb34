/*
 * ingest.c - the lane: admission, timers, credit, callbacks, drain.
 *
 * Callbacks are collected and made at the loop's next turn, never inside a call
 * of an adapter. What a stream does is in stream.c, its bytes in chunker.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "front/ingest/stream.h"

/* ---- credit ---- */

static size_t lane_room(const struct ingest *in)
{
	size_t queued = store_queued(in->o.store);

	return queued < in->o.lane_window ? in->o.lane_window - queued : 0;
}

static size_t room(const struct ingest_stream *st)
{
	const struct ingest_options *o = &st->in->o;
	size_t cap = HOLD_DECIDED;

	if (st->end != END_NONE || st->state >= STREAM_ENDING)
		return 0;
	if (st->paused)
		return o->stream_window;
	if (st->state == STREAM_PROBING)
		cap = PROBE_DECIDE_MAX + 1;
	else if (st->state == STREAM_RUNNING && st->hold.len == 0 && (st->fill_len > 0 || !chunker_stalled(st))) {
		size_t used = st->queued + st->fill_len, lane = lane_room(st->in);
		size_t own = used < o->stream_window ? o->stream_window - used : 0;
		return own < lane ? own : lane;
	}
	return st->hold.len < cap ? cap - st->hold.len : 0;
}

size_t ingest_credit(struct ingest_stream *st)
{
	size_t n = room(st);

	if (n == 0 && !st->blocked) {
		st->blocked = true;
		ingest_due(st);
	}
	return n;
}

/* Enough to begin reading again? Not for a byte at a time. */
static bool may_go_on(struct ingest_stream *st)
{
	const struct ingest_options *o = &st->in->o;
	size_t enough = o->stream_window / 4 < HOLD_DECIDED / 2 ? o->stream_window / 4 : HOLD_DECIDED / 2;

	if (room(st) >= enough)
		return true;
	if (lane_room(st->in) < enough)
		link_append(&st->in->starved, &st->starved);
	return false;
}

void ingest_queue_shrank(struct ingest *in)
{
	if (link_alone(&in->starved) || store_queued(in->o.store) > in->o.lane_window / 2)
		return;
	while (!link_alone(&in->starved)) {
		struct ingest_stream *st = LINK_OF(in->starved.next, struct ingest_stream, starved);
		link_remove(&st->starved);
		ingest_due(st);
	}
}

/* ---- callbacks ---- */

static void on_soon(uv_timer_t *timer);

void ingest_due(struct ingest_stream *st)
{
	struct ingest *in = st->in;

	if (link_alone(&st->due))
		link_append(&in->due, &st->due);
	if (!uv_is_active((uv_handle_t *)&in->soon))
		(void)uv_timer_start(&in->soon, on_soon, 0, 0);
}

static void finish_stream(struct ingest_stream *st)
{
	const struct ingest_callbacks cb = st->cb;
	const struct ingest_result r = st->result;
	unsigned refusal = st->refusal;
	void *arg = st->arg;

	stream_free(st);
	if (refusal == VAULT_REFUSAL_none && cb.on_ended != NULL)
		cb.on_ended(arg, &r);
	if (refusal != VAULT_REFUSAL_none && cb.on_failed != NULL)
		cb.on_failed(arg, refusal, &r.id, r.bytes);
}

static void call_back(struct ingest_stream *st)
{
	if (st->open_due) {
		st->open_due = false;
		if (st->cb.on_open != NULL)
			st->cb.on_open(st->arg, &st->id);
	}
	if (st->state == STREAM_DONE) {
		finish_stream(st);
		return;
	}
	if (st->note != NULL && note_row(st->note)->bytes > st->told) {
		st->told = note_row(st->note)->bytes;
		if (st->cb.on_durable != NULL)
			st->cb.on_durable(st->arg, st->told, note_row(st->note)->duration_us);
	}
	if (st->blocked && may_go_on(st)) {
		st->blocked = false;
		if (st->cb.on_credit != NULL)
			st->cb.on_credit(st->arg);
	}
}

static void on_soon(uv_timer_t *timer)
{
	struct ingest *in = timer->data;
	struct link now;

	link_move(&now, &in->due);
	while (!link_alone(&now)) {
		struct ingest_stream *st = LINK_OF(now.next, struct ingest_stream, due);
		link_remove(&st->due);
		call_back(st);
	}
	ingest_wake(in);
	if (!in->draining || in->n_streams > 0 || in->drained == NULL)
		return;
	void (*drained)(void *arg) = in->drained;
	in->drained = NULL;
	(void)uv_timer_stop(&in->grace);
	(void)!index_writer_finish(in->index);
	drained(in->drained_arg);
}

/* ---- time ---- */

static void stop_stream(struct ingest_stream *st, unsigned refusal)
{
	if (st->end != END_NONE || st->state >= STREAM_ENDING)
		return;
	st->stopped = true;
	stream_end(st, END_TRUNCATED, refusal);
}

static bool past_until(const struct ingest_stream *st)
{
	return st->until_ms != 0 && clock_wall_ms() >= st->until_ms;
}

static void on_tick(uv_timer_t *timer)
{
	struct ingest *in = timer->data;
	uint64_t now = clock_mono_ms();

	while (!link_alone(&in->aging)) {
		struct ingest_stream *st = LINK_OF(in->aging.next, struct ingest_stream, aging);
		if (now - st->fill_ms < in->o.chunk_age_ms)
			break;
		chunker_cut(st);
	}
	for (struct link *l = in->limited.next, *next; l != &in->limited; l = next) {
		struct ingest_stream *st = LINK_OF(l, struct ingest_stream, limited);
		next = l->next;
		if (!past_until(st))
			continue;
		link_remove(&st->limited);
		stop_stream(st, st->until_refusal);
	}
	ingest_wake(in);
}

void ingest_wake(struct ingest *in)
{
	bool work = !link_alone(&in->aging) || !link_alone(&in->limited);

	if (work && !uv_is_active((uv_handle_t *)&in->tick))
		(void)uv_timer_start(&in->tick, on_tick, TICK_MS, TICK_MS);
	else if (!work)
		(void)uv_timer_stop(&in->tick);
}

static void on_index(uv_timer_t *timer)
{
	struct ingest *in = timer->data;

	(void)!index_writer_commit(in->index);       /* says itself what went wrong, and tries again */
}

/* ---- the lane ---- */

static bool options_ok(const struct ingest_options *o)
{
	return o->chunk_voice > 0 && o->chunk_voice <= STORE_CHUNK_MAX && o->chunk_bulk > 0 &&
	    o->chunk_bulk <= STORE_CHUNK_MAX && o->segment_bytes > 0 && o->segment_us > 0 && o->stream_window > 0 &&
	    o->lane_window > 0 && o->max_streams > 0 && o->chunk_age_ms > 0;
}

vault_err ingest_new(struct ingest **out, const struct ingest_options *o)
{
	*out = NULL;
	if (!options_ok(o))
		return VAULT_E_INVAL;
	struct ingest *in = calloc(1, sizeof *in);
	if (in == NULL)
		return VAULT_E_NOMEM;
	in->o = *o;
	vault_err err = index_writer_new(&in->index, o->index, o->lane);
	if (err != VAULT_OK) {
		free(in);
		return err;
	}
	struct link *lists[] = { &in->streams, &in->aging, &in->limited, &in->starved, &in->due, &in->admits };
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		link_init(lists[i]);
	uv_timer_t *timers[] = { &in->tick, &in->index_timer, &in->soon, &in->grace };
	for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
		(void)uv_timer_init(o->loop, timers[i]);     /* cannot fail */
		timers[i]->data = in;
		in->handles++;
	}
	(void)uv_timer_start(&in->index_timer, on_index, INDEX_MS, INDEX_MS);
	*out = in;
	return VAULT_OK;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct ingest *in = handle->data;

	if (--in->handles == 0)
		free(in);
}

void ingest_free(struct ingest *in)
{
	if (in == NULL || in->freed)
		return;
	in->freed = true;
	while (!link_alone(&in->streams))
		stream_free(LINK_OF(in->streams.next, struct ingest_stream, all));
	ingest_forget_admits(in);
	index_writer_free(in->index);
	uv_close((uv_handle_t *)&in->tick, on_handle_closed);
	uv_close((uv_handle_t *)&in->index_timer, on_handle_closed);
	uv_close((uv_handle_t *)&in->soon, on_handle_closed);
	uv_close((uv_handle_t *)&in->grace, on_handle_closed);
}

static void on_grace(uv_timer_t *timer)
{
	struct ingest *in = timer->data;

	for (struct link *l = in->streams.next, *next; l != &in->streams; l = next) {
		next = l->next;
		ingest_abort(LINK_OF(l, struct ingest_stream, all), VAULT_REFUSAL_unavailable);
	}
	if (in->n_streams == 0)
		on_soon(&in->soon);
}

void ingest_drain(struct ingest *in, uint32_t grace_ms, void (*drained)(void *arg), void *arg)
{
	in->draining = true;
	in->drained = drained;
	in->drained_arg = arg;
	(void)uv_timer_start(&in->grace, on_grace, in->n_streams > 0 ? grace_ms : 0, 0);
}

size_t ingest_streams(const struct ingest *in)
{
	return in->n_streams;
}

void ingest_count(const struct ingest *in, struct ingest_counts *c)
{
	*c = in->counts;
}

void ingest_note(struct ingest *in, const char *tenant, unsigned refusal)
{
	struct ipc_note m = { .refusal = refusal, .count = 1 };

	memcpy(m.tenant, tenant, sizeof m.tenant);
	size_t n = ipc_note_encode(in->packet, 0, &m);
	if (keeper_link_ask(in->o.keeper, in->packet, n, NULL, NULL, NULL) != VAULT_OK)
		log_error("event=refusal_not_noted refusal=%s", vault_refusal_name(refusal));
}

/* ---- streams ---- */

vault_err ingest_open(struct ingest *in, const struct ingest_start *start, const struct ingest_callbacks *cb, void *arg,
    struct ingest_stream **out)
{
	*out = NULL;
	if (in->draining || in->freed)
		return VAULT_E_STATE;
	if (in->n_streams >= in->o.max_streams)
		return VAULT_E_BUSY;
	if (store_full(in->o.store))
		return VAULT_E_FULL;
	struct ingest_stream *st = calloc(1, sizeof *st);
	if (st == NULL)
		return VAULT_E_NOMEM;
	struct link *links[] = { &st->all, &st->aging, &st->limited, &st->starved, &st->due };
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
		link_init(links[i]);
	st->in = in;
	st->allowed_media = start->allowed_media;
	st->chunk = in->o.chunk_voice;
	/* A write that a late key stops midway is held whole. */
	buf_init_secret(&st->hold, PROBE_DECIDE_MAX + HOLD_DECIDED + in->o.stream_window);
	in->n_streams++;
	link_append(&in->streams, &st->all);
	st->start = malloc(sizeof *st->start);
	vault_err err = st->start != NULL ? VAULT_OK : VAULT_E_NOMEM;
	if (err == VAULT_OK) {
		*st->start = *start;
		st->start->meta = NULL;
		err = metadata_copy(&st->meta, start->meta);
	}
	if (err == VAULT_OK)
		err = probe_new(&st->probe);
	if (err != VAULT_OK) {
		stream_free(st);
		return err;
	}
	ingest_attach(st, cb, arg);
	*out = st;
	return VAULT_OK;
}

void ingest_attach(struct ingest_stream *st, const struct ingest_callbacks *cb, void *arg)
{
	st->cb = cb != NULL ? *cb : (struct ingest_callbacks){ 0 };
	st->arg = arg;
	if (st->blocked || st->state == STREAM_DONE)
		ingest_due(st);
}

vault_err ingest_write(struct ingest_stream *st, uint16_t track, uint64_t media_us, const uint8_t *data, size_t n)
{
	(void)media_us;                      /* the probe knows the times of a container */
	if (st->end != END_NONE || st->state >= STREAM_ENDING)
		return VAULT_E_STATE;
	if (track != 0)
		return VAULT_E_INVAL;
	if (past_until(st)) {
		stop_stream(st, st->until_refusal);
		return VAULT_E_STATE;
	}
	if (n > room(st))
		return VAULT_E_RANGE;
	chunker_write(st, data, n);
	return VAULT_OK;
}

vault_err ingest_pause(struct ingest_stream *st)
{
	if (st->end != END_NONE || st->paused)
		return VAULT_E_STATE;
	chunker_pause(st);
	return VAULT_OK;
}

vault_err ingest_resume(struct ingest_stream *st)
{
	if (st->end != END_NONE || !st->paused)
		return VAULT_E_STATE;
	chunker_resume(st);
	if (st->blocked)
		ingest_due(st);
	return VAULT_OK;
}

const vault_id *ingest_id(const struct ingest_stream *st)
{
	return &st->id;
}

void ingest_durable(const struct ingest_stream *st, uint64_t *bytes, uint64_t *media_us)
{
	*bytes = st->note != NULL ? note_row(st->note)->bytes : 0;
	*media_us = st->note != NULL ? note_row(st->note)->duration_us : 0;
}

/* ---- by id ---- */

vault_err ingest_live(struct ingest *in, const vault_id *id, struct index_row *row)
{
	const struct note *n = index_writer_find(in->index, id);

	if (n == NULL)
		return VAULT_E_NOTFOUND;
	*row = *note_row(n);
	return VAULT_OK;
}

vault_err ingest_index_flush(struct ingest *in, const vault_id *id)
{
	return index_writer_flush(in->index, id);
}

void ingest_stop(struct ingest *in, const struct ipc_stop *stop)
{
	const struct note *n = index_writer_find(in->index, &stop->id);
	struct ingest_stream *st = n != NULL ? note_owner(n) : NULL;

	if (st == NULL)
		return;
	if (stop->at_ms <= clock_wall_ms()) {
		stop_stream(st, stop->refusal);
		return;
	}
	if (st->until_ms == 0 || stop->at_ms < st->until_ms) {
		st->until_ms = stop->at_ms;
		st->until_refusal = stop->refusal;
		link_append(&in->limited, &st->limited);
		ingest_wake(in);
	}
}

bool ingest_row_changed(struct ingest *in, const struct ipc_row_changed *change)
{
	struct note *n = index_writer_find(in->index, &change->id);

	if (n == NULL)
		return false;
	note_change(n, change->expires_s, change->policy, change->flags);
	return true;
}
