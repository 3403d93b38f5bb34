/*
 * gone_internal.h - inside of gone; shared by gone.c (batches, changes) and
 * gone_reconcile.c. Nobody else includes it. Loop thread, but for what a worker
 * is said to have.
 */
#ifndef VAULT_FRONT_SERVE_GONE_INTERNAL_H
#define VAULT_FRONT_SERVE_GONE_INTERNAL_H

#include <stdbool.h>

#include "front/serve/gone.h"

#define STEP_MAX 512u                /* recordings that are released in one go */
#define CHANGES_MAX 4096u            /* changes that are committed in one go */

struct batch {
	struct batch *next;
	bool reconciled;             /* made here: the keeper waits for no RELEASED */
	bool failed;                 /* some space could not be freed: said again at the next start */
	vault_id batch;
	uint32_t n, done;            /* ids before done are worked off */
	vault_id ids[];
};

/* Everything that recordings of one step occupy in one lane. */
struct places {
	uint32_t lane;
	struct extent *extents;
	size_t n, cap;
};

struct gone {
	struct gone_options o;
	struct batch *first, **last;
	size_t n_batches;
	/* the step: ids of the first batch from done to step_end; a worker has the places while working */
	uint32_t step_end;
	struct places *places;
	size_t n_places;
	uv_work_t work;
	vault_err released;
	uint64_t freed_now;
	bool working, closing;
	uint64_t freed, dropped;
	uv_timer_t timer;            /* changes to commit, a live recording to wait for */
	bool timer_closed;
	struct ipc_row_changed *change;
	size_t n_changes;
	/* reconcile: the cursor, and what was asked about */
	vault_id cursor;
	bool asking;
	struct index_row *asked;
	size_t n_asked;
	uint64_t ticket;
};

/* Takes b, whose recordings disappear from every list at once. */
void gone_enqueue(struct gone *g, struct batch *b);
/* NULL when memory is short. */
struct batch *gone_batch_new(uint32_t n);
/* Is it known to ingest (live, or on its way into the index)? live may be NULL. */
bool gone_is_arriving(const struct gone *g, const vault_id *id, bool *live);

#endif
