/*
 * gone.c - see gone.h. Batches are worked off one after the other, in steps.
 *
 * A recording is hidden when the keeper says so (its row expires in 1970); then
 * its space is given back by a worker, and only then the row goes: after a crash
 * in between the keeper repeats the batch, and the row still tells where the
 * space is.
 */
#include "front/serve/gone_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define BATCHES_MAX 4096u
#define EXTENTS_MAX (256u * 1024)    /* in one step, as far as one recording allows */
#define TIMER_MS 100u

static void work_next(struct gone *g);
static void on_timer(uv_timer_t *timer);

vault_err gone_new(struct gone **out, const struct gone_options *o)
{
	*out = NULL;
	struct gone *g = calloc(1, sizeof *g);
	if (g == NULL)
		return VAULT_E_NOMEM;
	g->change = calloc(CHANGES_MAX, sizeof *g->change);
	if (g->change == NULL || uv_timer_init(o->loop, &g->timer) < 0) {
		free(g->change);
		free(g);
		return VAULT_E_NOMEM;
	}
	g->timer.data = g;
	g->o = *o;
	g->last = &g->first;
	*out = g;
	return VAULT_OK;
}

static void free_places(struct gone *g)
{
	for (size_t i = 0; i < g->n_places; i++)
		free(g->places[i].extents);
	free(g->places);
	g->places = NULL;
	g->n_places = 0;
}

static void maybe_free(struct gone *g)
{
	if (!g->closing || g->working || !g->timer_closed)
		return;
	while (g->first != NULL) {
		struct batch *b = g->first;
		g->first = b->next;
		free(b);
	}
	free_places(g);
	free(g->asked);
	free(g->change);
	free(g);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct gone *g = handle->data;

	g->timer_closed = true;
	maybe_free(g);
}

static void commit_changes(struct gone *g);

void gone_close(struct gone *g)
{
	if (g == NULL || g->closing)
		return;
	commit_changes(g);
	g->closing = true;
	if (g->asking)
		keeper_link_cancel(g->o.keeper, g->ticket);
	uv_close((uv_handle_t *)&g->timer, on_timer_closed);
}

static void wake(struct gone *g)
{
	if (!uv_is_active((uv_handle_t *)&g->timer))
		(void)uv_timer_start(&g->timer, on_timer, TIMER_MS, 0);
}

bool gone_is_arriving(const struct gone *g, const vault_id *id, bool *live)
{
	struct index_row row;
	bool found = g->o.ingest != NULL && ingest_live(g->o.ingest, id, &row) == VAULT_OK;

	if (live != NULL)
		*live = found && row.state == ROW_LIVE;
	return found;
}

/* ---- changes of rows ---- */

/* Inside a transaction. */
static vault_err put_change(struct gone *g, const struct ipc_row_changed *m)
{
	struct index_row row;
	vault_err err = index_get(g->o.index, &m->id, &row);

	if (err == VAULT_E_NOTFOUND)
		return VAULT_OK;
	if (err != VAULT_OK)
		return err;
	row.expires_s = m->expires_s;
	row.policy = m->policy;
	row.flags = m->flags;
	return index_put(g->o.index, &row);
}

static void commit_changes(struct gone *g)
{
	if (g->n_changes == 0)
		return;
	vault_err err = index_begin(g->o.index);
	for (size_t i = 0; err == VAULT_OK && i < g->n_changes; i++)
		err = put_change(g, &g->change[i]);
	if (err == VAULT_OK)
		err = index_commit(g->o.index);
	if (err != VAULT_OK) {
		index_abort(g->o.index);
		log_error("event=rows_not_changed count=%zu error=%d hint=reconciled_at_the_next_start", g->n_changes, (int)err);
	}
	g->n_changes = 0;
}

void gone_row_changed(struct gone *g, const struct ipc_packet *packet)
{
	struct ipc_row_changed m;

	if (ipc_row_changed_decode(&m, packet) != VAULT_OK) {
		log_error("event=bad_packet from=keeper type=row_changed");
		return;
	}
	/* A recording that is still on its way into the index takes the change along. */
	if (g->o.ingest != NULL && ingest_row_changed(g->o.ingest, &m))
		return;
	if (g->n_changes == CHANGES_MAX)
		commit_changes(g);
	g->change[g->n_changes++] = m;
	wake(g);
}

/* ---- batches ---- */

struct batch *gone_batch_new(uint32_t n)
{
	return calloc(1, sizeof(struct batch) + (size_t)n * sizeof(vault_id));
}

/* Nobody is shown these any more; those that are live end now. */
static void hide(struct gone *g, const struct batch *b)
{
	commit_changes(g);                   /* in the order in which the keeper told them */
	vault_err err = index_begin(g->o.index);
	for (uint32_t i = 0; i < b->n; i++) {
		const struct ipc_row_changed never = { .id = b->ids[i] };
		const struct ipc_stop stop = { .id = b->ids[i], .refusal = VAULT_REFUSAL_retention_ended };
		if (g->o.ingest != NULL) {
			ingest_stop(g->o.ingest, &stop);
			(void)ingest_row_changed(g->o.ingest, &never);
		}
		if (err == VAULT_OK)
			err = put_change(g, &never);
	}
	if (err == VAULT_OK)
		err = index_commit(g->o.index);
	if (err != VAULT_OK) {
		index_abort(g->o.index);
		log_error("event=rows_not_hidden error=%d", (int)err);
	}
}

void gone_enqueue(struct gone *g, struct batch *b)
{
	b->next = NULL;
	*g->last = b;
	g->last = &b->next;
	g->n_batches++;
	hide(g, b);
	if (!g->working)
		work_next(g);
}

void gone_shredded(struct gone *g, const struct ipc_packet *packet)
{
	struct ipc_shredded m;

	if (ipc_shredded_decode(&m, packet) != VAULT_OK) {
		log_error("event=bad_packet from=keeper type=shredded");
		return;
	}
	struct batch *b = g->n_batches >= BATCHES_MAX ? NULL : gone_batch_new(m.n);
	if (b == NULL) {                     /* the keeper repeats it at the next start */
		log_error("event=shredded_dropped count=%u", m.n);
		return;
	}
	b->batch = m.batch;
	b->n = m.n;
	memcpy(b->ids, m.ids, (size_t)m.n * sizeof(vault_id));
	gone_enqueue(g, b);
}

static void tell_released(struct gone *g, const struct batch *b)
{
	uint8_t packet[64];
	const struct ipc_released m = { .batch = b->batch, .n = b->n };
	size_t n = ipc_released_encode(packet, 0, &m);

	if (keeper_link_ask(g->o.keeper, packet, n, NULL, NULL, NULL) != VAULT_OK)
		log_error("event=keeper_not_told what=released");
}

/* ---- a step ---- */

static struct places *places_of(struct gone *g, uint32_t lane)
{
	for (size_t i = 0; i < g->n_places; i++) {
		if (g->places[i].lane == lane)
			return &g->places[i];
	}
	struct places *more = realloc(g->places, (g->n_places + 1) * sizeof *more);
	if (more == NULL)
		return NULL;
	g->places = more;
	more[g->n_places] = (struct places){ .lane = lane };
	return &more[g->n_places++];
}

static vault_err add_places(struct gone *g, uint32_t lane, const struct extent *extents, size_t n)
{
	struct places *p = places_of(g, lane);

	if (p == NULL)
		return VAULT_E_NOMEM;
	if (p->n + n > p->cap) {
		size_t cap = p->cap * 2 > p->n + n ? p->cap * 2 : p->n + n;
		struct extent *more = realloc(p->extents, cap * sizeof *more);
		if (more == NULL)
			return VAULT_E_NOMEM;
		p->extents = more;
		p->cap = cap;
	}
	if (n > 0)
		memcpy(p->extents + p->n, extents, n * sizeof *extents);
	p->n += n;
	return VAULT_OK;
}

/* Where the next recordings of the batch lie. VAULT_E_AGAIN: one of them is still arriving. */
static vault_err plan_step(struct gone *g, const struct batch *b)
{
	size_t total = 0;
	uint32_t at = b->done;

	for (; at < b->n && at - b->done < STEP_MAX && total < EXTENTS_MAX; at++) {
		const vault_id *id = &b->ids[at];
		struct extent *extents;
		uint32_t lane;
		size_t n;
		bool live;
		vault_err err = VAULT_OK;
		if (gone_is_arriving(g, id, &live))
			err = live ? VAULT_E_AGAIN : ingest_index_flush(g->o.ingest, id);
		if (err == VAULT_E_AGAIN && at > b->done)
			break;                   /* these first */
		if (err != VAULT_OK)
			return err;
		err = index_extents(g->o.index, id, &lane, &extents, &n);
		if (err == VAULT_E_NOTFOUND)
			continue;
		if (err != VAULT_OK)
			return err;
		err = add_places(g, lane, extents, n);
		free(extents);
		if (err != VAULT_OK)
			return err;
		total += n;
	}
	g->step_end = at;
	return VAULT_OK;
}

static void do_release(uv_work_t *work)
{
	struct gone *g = work->data;

	g->freed_now = 0;
	g->released = VAULT_OK;
	for (size_t i = 0; i < g->n_places; i++) {
		const struct places *p = &g->places[i];
		uint64_t freed = 0;
		vault_err err = volume_set_release(g->o.volumes, p->lane, p->extents, p->n, &freed);
		g->freed_now += freed;
		/* CORRUPT: an extent that is not what it should be stays as it is; no repetition helps. */
		if (err != VAULT_OK)
			log_warn("event=space_not_freed lane=%u error=%d", p->lane, (int)err);
		if (err != VAULT_OK && err != VAULT_E_CORRUPT)
			g->released = err;
	}
}

static vault_err drop_rows(struct gone *g, const struct batch *b)
{
	vault_err err = index_begin(g->o.index);

	for (uint32_t i = b->done; err == VAULT_OK && i < g->step_end; i++) {
		err = index_delete(g->o.index, &b->ids[i]);
		if (err == VAULT_OK)
			g->dropped++;
		else if (err == VAULT_E_NOTFOUND)
			err = VAULT_OK;
	}
	if (err == VAULT_OK)
		err = index_commit(g->o.index);
	if (err != VAULT_OK) {
		index_abort(g->o.index);
		log_error("event=rows_not_dropped error=%d", (int)err);
	}
	return err;
}

static void end_step(struct gone *g)
{
	struct batch *b = g->first;

	free_places(g);
	g->freed += g->freed_now;
	g->freed_now = 0;
	/* Rows stay where space could not be freed: they are needed to try again. */
	if (g->released != VAULT_OK || drop_rows(g, b) != VAULT_OK)
		b->failed = true;
	b->done = g->step_end;
}

static void after_release(uv_work_t *work, int status)
{
	struct gone *g = work->data;

	g->working = false;
	if (g->closing) {
		maybe_free(g);
		return;
	}
	if (status < 0)
		g->released = VAULT_E_STATE;
	end_step(g);
	work_next(g);
}

static void end_batch(struct gone *g)
{
	struct batch *b = g->first;

	if (!b->reconciled && !b->failed)
		tell_released(g, b);
	log_info("event=forgotten count=%u failed=%d freed=%llu", b->n, b->failed ? 1 : 0, (unsigned long long)g->freed);
	g->first = b->next;
	if (g->first == NULL)
		g->last = &g->first;
	g->n_batches--;
	free(b);
}

static void work_next(struct gone *g)
{
	while (g->first != NULL && !g->closing) {
		struct batch *b = g->first;
		if (b->done == b->n) {
			end_batch(g);
			continue;
		}
		vault_err err = plan_step(g, b);
		if (err == VAULT_E_AGAIN) {
			free_places(g);
			wake(g);
			return;
		}
		g->released = err;
		if (err == VAULT_OK && g->n_places > 0) {
			g->work.data = g;
			if (uv_queue_work(g->o.loop, &g->work, do_release, after_release) == 0) {
				g->working = true;
				return;
			}
			g->released = VAULT_E_NOMEM;
		}
		if (err != VAULT_OK) {
			log_error("event=space_not_freed error=%d", (int)err);
			g->step_end = b->n;
		}
		end_step(g);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct gone *g = timer->data;

	commit_changes(g);
	if (!g->working)
		work_next(g);
}

uint64_t gone_freed_bytes(const struct gone *g)
{
	return g->freed;
}

uint64_t gone_dropped(const struct gone *g)
{
	return g->dropped;
}
