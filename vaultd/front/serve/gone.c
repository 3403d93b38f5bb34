/*
 * gone.c - see gone.h. Batches are worked off one after the other: rows out of
 * the index, space given back by a worker, the keeper told.
 */
#include "front/serve/gone.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define BATCHES_MAX 4096u
#define PER_RELEASE 256u             /* recordings whose extents one worker turn frees */

struct batch {
	struct batch *next;
	bool reconciled;                 /* made here: the keeper waits for no RELEASED */
	vault_id batch;
	uint32_t n, done;
	vault_id ids[];
};

struct place {
	uint32_t lane;
	struct extent *extents;
	size_t n;
};

struct gone {
	struct gone_options o;
	struct batch *first, **last;
	size_t n_batches;
	/* the release that a worker is at */
	uv_work_t work;
	bool working, closing;
	struct place place[PER_RELEASE];
	size_t n_places;
	uint64_t freed_now;
	uint64_t freed, dropped;
	/* reconcile: the cursor, and what was asked about */
	vault_id cursor;
	bool asking;
	struct index_row *asked;
	size_t n_asked;
	uint64_t ticket;
};

static void work_next(struct gone *g);
static vault_err ask_more(struct gone *g);

vault_err gone_new(struct gone **out, const struct gone_options *o)
{
	struct gone *g = calloc(1, sizeof(*g));
	if (g == NULL)
		return VAULT_E_NOMEM;
	g->o = *o;
	g->last = &g->first;
	*out = g;
	return VAULT_OK;
}

static void free_all(struct gone *g)
{
	while (g->first != NULL) {
		struct batch *b = g->first;
		g->first = b->next;
		free(b);
	}
	free(g->asked);
	free(g);
}

void gone_close(struct gone *g)
{
	if (g == NULL)
		return;
	g->closing = true;
	if (g->asking)
		keeper_link_cancel(g->o.keeper, g->ticket);
	if (!g->working)
		free_all(g);
}

static void enqueue(struct gone *g, struct batch *b)
{
	b->next = NULL;
	*g->last = b;
	g->last = &b->next;
	g->n_batches++;
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
	struct batch *b = g->n_batches >= BATCHES_MAX ? NULL : calloc(1, sizeof(*b) + (size_t)m.n * sizeof(vault_id));
	if (b == NULL) {                 /* the keeper repeats it at the next start */
		log_error("event=shredded_dropped count=%u", m.n);
		return;
	}
	b->batch = m.batch;
	b->n = m.n;
	memcpy(b->ids, m.ids, (size_t)m.n * sizeof(vault_id));
	enqueue(g, b);
}

void gone_row_changed(struct gone *g, const struct ipc_packet *packet)
{
	struct ipc_row_changed m;
	struct index_row row;
	if (ipc_row_changed_decode(&m, packet) != VAULT_OK) {
		log_error("event=bad_packet from=keeper type=row_changed");
		return;
	}
	/* A recording that is still on its way into the index takes the change along. */
	if (g->o.ingest != NULL && ingest_row_changed(g->o.ingest, &m))
		return;
	if (index_get(g->o.index, &m.id, &row) != VAULT_OK)
		return;
	row.expires_s = m.expires_s;
	row.policy = m.policy;
	row.flags = m.flags;
	vault_err err = index_begin(g->o.index);
	if (err == VAULT_OK)
		err = index_put(g->o.index, &row);
	if (err == VAULT_OK)
		err = index_commit(g->o.index);
	if (err != VAULT_OK)
		log_error("event=row_not_changed error=%d", (int)err);
}

static void tell_released(struct gone *g, const struct batch *b)
{
	uint8_t packet[64];
	const struct ipc_released m = {.batch = b->batch, .n = b->n};
	size_t n = ipc_released_encode(packet, 0, &m);
	if (!b->reconciled && keeper_link_ask(g->o.keeper, packet, n, NULL, NULL, NULL) != VAULT_OK)
		log_error("event=keeper_not_told what=released");
}

/* The places of the next recordings of this batch; their rows go. */
static void take_places(struct gone *g, struct batch *b)
{
	g->n_places = 0;
	/* A row that comes later would have nobody to drop it. */
	vault_err err = g->o.ingest == NULL ? VAULT_OK : ingest_index_flush(g->o.ingest, NULL);
	if (err == VAULT_OK)
		err = index_begin(g->o.index);
	while (err == VAULT_OK && b->done < b->n && g->n_places < PER_RELEASE) {
		struct place *p = &g->place[g->n_places];
		const vault_id *id = &b->ids[b->done++];
		vault_err found = index_extents(g->o.index, id, &p->lane, &p->extents, &p->n);
		if (found == VAULT_E_NOTFOUND)
			continue;
		err = found == VAULT_OK ? index_delete(g->o.index, id) : found;
		if (found == VAULT_OK)
			g->n_places++;
		g->dropped++;
	}
	if (err == VAULT_OK)
		err = index_commit(g->o.index);
	else
		index_abort(g->o.index);
	if (err != VAULT_OK)
		log_error("event=rows_not_dropped error=%d", (int)err);
}

static void do_release(uv_work_t *work)
{
	struct gone *g = work->data;
	g->freed_now = 0;
	for (size_t i = 0; i < g->n_places; i++) {
		uint64_t freed = 0;
		const struct place *p = &g->place[i];
		vault_err err = volume_set_release(g->o.volumes, p->lane, p->extents, p->n, &freed);
		if (err != VAULT_OK)
			log_warn("event=space_not_freed error=%d", (int)err);
		g->freed_now += freed;
	}
}

static void after_release(uv_work_t *work, int status)
{
	struct gone *g = work->data;
	(void)status;
	for (size_t i = 0; i < g->n_places; i++)
		free(g->place[i].extents);
	g->n_places = 0;
	g->working = false;
	g->freed += g->freed_now;
	if (g->closing)
		free_all(g);
	else
		work_next(g);
}

static void work_next(struct gone *g)
{
	while (g->first != NULL) {
		struct batch *b = g->first;
		if (b->done < b->n)
			take_places(g, b);
		if (g->n_places > 0) {
			g->work.data = g;
			if (uv_queue_work(g->o.loop, &g->work, do_release, after_release) == 0) {
				g->working = true;
				return;
			}
			log_error("event=space_not_freed error=%d", (int)VAULT_E_NOMEM);
			g->n_places = 0;
		}
		if (b->done < b->n)
			continue;
		tell_released(g, b);
		log_info("event=forgotten count=%u freed=%llu", b->n, (unsigned long long)g->freed);
		g->first = b->next;
		if (g->first == NULL)
			g->last = &g->first;
		g->n_batches--;
		free(b);
	}
}

/* Ended here, not there: the crash came between. */
static void close_there(struct gone *g, const struct index_row *row)
{
	uint8_t packet[128];
	struct ipc_close m = {.id = row->id, .segments = row->segments, .bytes = row->bytes, .duration_us = row->duration_us};
	m.flags = row->state == ROW_TRUNCATED ? CLOSE_TRUNCATED : 0;
	size_t n = ipc_close_encode(packet, 0, &m);
	if (n == 0 || keeper_link_ask(g->o.keeper, packet, n, NULL, NULL, NULL) != VAULT_OK)
		log_error("event=keeper_not_told what=close");
}

static bool is_live(const struct gone *g, const vault_id *id)
{
	struct index_row row;
	return g->o.ingest != NULL && ingest_live(g->o.ingest, id, &row) == VAULT_OK;
}

/* One answer: forget what the keeper does not know, follow what changed. */
static vault_err apply(struct gone *g, const struct ipc_packet *p, struct batch *lost)
{
	vault_err err = index_begin(g->o.index);
	for (size_t i = 0; err == VAULT_OK && i < g->n_asked; i++) {
		struct index_row *row = &g->asked[i];
		struct ipc_reconciled_row r;
		err = ipc_reconciled_row(p, (uint32_t)i, &r);
		if (err != VAULT_OK || is_live(g, &row->id))
			continue;
		if (!r.known) {
			lost->ids[lost->n++] = row->id;
			continue;
		}
		if (!r.ended && row->state != ROW_LIVE)
			close_there(g, row);
		if (r.expires_s != row->expires_s || r.flags != row->flags) {
			row->expires_s = r.expires_s;
			row->flags = r.flags;
			err = index_put(g->o.index, row);
		}
	}
	if (err == VAULT_OK)
		return index_commit(g->o.index);
	index_abort(g->o.index);
	return err;
}

static void on_reconciled(void *arg, const struct ipc_packet *packet)
{
	struct gone *g = arg;
	g->asking = false;
	if (packet == NULL || packet->type != IPC_RECONCILED)
		return;
	struct batch *lost = calloc(1, sizeof(*lost) + g->n_asked * sizeof(vault_id));
	vault_err err = lost == NULL ? VAULT_E_NOMEM : apply(g, packet, lost);
	if (err == VAULT_OK && lost->n > 0) {
		lost->reconciled = true;
		log_info("event=reconciled unknown=%u", lost->n);
		enqueue(g, lost);
	} else {
		free(lost);
	}
	if (err == VAULT_OK)
		err = ask_more(g);
	if (err != VAULT_OK && err != VAULT_E_NOTFOUND)
		log_error("event=reconcile_failed error=%d", (int)err);
}

static vault_err collect(void *arg, const struct index_row *row)
{
	struct gone *g = arg;
	g->asked[g->n_asked++] = *row;
	return g->n_asked == RECONCILE_MAX ? VAULT_E_EOF : VAULT_OK;
}

/* VAULT_E_NOTFOUND: every row was asked about. */
static vault_err ask_more(struct gone *g)
{
	const struct index_filter filter = {.after = g->cursor};
	g->n_asked = 0;
	vault_err err = index_walk(g->o.index, &filter, collect, g);
	if (err != VAULT_OK && err != VAULT_E_EOF)
		return err;
	if (g->n_asked == 0)
		return VAULT_E_NOTFOUND;
	g->cursor = g->asked[g->n_asked - 1].id;
	uint8_t *packet = malloc(IPC_MAX);
	vault_id *ids = calloc(g->n_asked, sizeof(*ids));
	err = packet == NULL || ids == NULL ? VAULT_E_NOMEM : VAULT_OK;
	if (err == VAULT_OK) {
		for (size_t i = 0; i < g->n_asked; i++)
			ids[i] = g->asked[i].id;
		size_t n = ipc_reconcile_encode(packet, 0, ids, (uint32_t)g->n_asked);
		err = keeper_link_ask(g->o.keeper, packet, n, on_reconciled, g, &g->ticket);
		g->asking = err == VAULT_OK;
	}
	free(ids);
	free(packet);
	return err;
}

vault_err gone_reconcile(struct gone *g)
{
	if (g->asking)
		return VAULT_OK;
	if (g->asked == NULL)
		g->asked = calloc(RECONCILE_MAX, sizeof(*g->asked));
	if (g->asked == NULL)
		return VAULT_E_NOMEM;
	memset(&g->cursor, 0, sizeof(g->cursor));
	vault_err err = ask_more(g);
	return err == VAULT_E_NOTFOUND ? VAULT_OK : err;
}

uint64_t gone_freed_bytes(const struct gone *g)
{
	return g->freed;
}

uint64_t gone_dropped(const struct gone *g)
{
	return g->dropped;
}
