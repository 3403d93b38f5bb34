/*
 * gone_reconcile.c - after a start: what the keeper does not know is forgotten
 * here too, what it knows otherwise is brought up to date.
 */
#include "front/serve/gone_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Ended here, not there: the crash came between. */
static void close_there(struct gone *g, const struct index_row *row)
{
	uint8_t packet[128];
	const struct ipc_close m = { .id = row->id, .segments = row->segments, .bytes = row->bytes,
		.duration_us = row->duration_us, .flags = row->state == ROW_TRUNCATED ? CLOSE_TRUNCATED : 0 };
	size_t n = ipc_close_encode(packet, 0, &m);

	if (keeper_link_ask(g->o.keeper, packet, n, NULL, NULL, NULL) != VAULT_OK)
		log_error("event=keeper_not_told what=close");
}

static vault_err apply_row(struct gone *g, struct index_row *row, const struct ipc_reconciled_row *r)
{
	if (!r->ended && row->state != ROW_LIVE)
		close_there(g, row);
	if (r->expires_s == row->expires_s && r->flags == row->flags)
		return VAULT_OK;
	row->expires_s = r->expires_s;
	row->flags = r->flags;
	return index_put(g->o.index, row);
}

/* What the keeper does not know goes to lost. */
static vault_err apply(struct gone *g, const struct ipc_packet *p, struct batch *lost)
{
	vault_err err = index_begin(g->o.index);

	for (size_t i = 0; err == VAULT_OK && i < g->n_asked; i++) {
		struct index_row now;
		struct ipc_reconciled_row r;
		const vault_id *id = &g->asked[i].id;
		err = ipc_reconciled_row(p, (uint32_t)i, &r);
		if (err != VAULT_OK)
			break;
		/* What is arriving has its own answers from the keeper; what went meanwhile stays gone. */
		if (gone_is_arriving(g, id, NULL) || index_get(g->o.index, id, &now) != VAULT_OK)
			continue;
		if (r.known)
			err = apply_row(g, &now, &r);
		else
			lost->ids[lost->n++] = *id;
	}
	if (err == VAULT_OK)
		err = index_commit(g->o.index);
	if (err != VAULT_OK)
		index_abort(g->o.index);
	return err;
}

static vault_err ask_more(struct gone *g);

static void on_reconciled(void *arg, const struct ipc_packet *packet)
{
	struct gone *g = arg;

	g->asking = false;
	if (packet == NULL)
		return;
	struct batch *lost = gone_batch_new((uint32_t)g->n_asked);
	vault_err err = lost == NULL ? VAULT_E_NOMEM : apply(g, packet, lost);
	if (err == VAULT_OK && lost->n > 0) {
		lost->reconciled = true;
		log_info("event=reconciled unknown=%u", lost->n);
		gone_enqueue(g, lost);
	} else {
		free(lost);
	}
	if (err == VAULT_OK)
		err = ask_more(g);
	if (err != VAULT_OK && err != VAULT_E_EOF)
		log_error("event=reconcile_failed error=%d", (int)err);
}

static vault_err collect(void *arg, const struct index_row *row)
{
	struct gone *g = arg;

	g->asked[g->n_asked++] = *row;
	return g->n_asked == RECONCILE_MAX ? VAULT_E_EOF : VAULT_OK;
}

/* VAULT_E_EOF: every row was asked about. */
static vault_err ask_more(struct gone *g)
{
	const struct index_filter filter = { .after = g->cursor };

	g->n_asked = 0;
	vault_err err = index_walk(g->o.index, &filter, collect, g);
	if (err != VAULT_OK && err != VAULT_E_EOF)
		return err;
	if (g->n_asked == 0)
		return VAULT_E_EOF;
	g->cursor = g->asked[g->n_asked - 1].id;
	uint8_t *packet = malloc(IPC_MAX);
	vault_id *ids = calloc(g->n_asked, sizeof *ids);
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
		g->asked = calloc(RECONCILE_MAX, sizeof *g->asked);
	if (g->asked == NULL)
		return VAULT_E_NOMEM;
	memset(&g->cursor, 0, sizeof g->cursor);
	vault_err err = ask_more(g);
	return err == VAULT_E_EOF ? VAULT_OK : err;
}
