/*
 * batch.c - see batch.h. The only file that commits what packets asked for.
 */
#include "keeper/batch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "keeper/dispatch.h"
#include "keeper/ingest.h"
#include "keeper/keeper.h"

vault_err batch_add(struct keeper *k, struct link *from, uint8_t *packet, size_t n, int fd)
{
	struct batch *b = &k->batch;

	if (b->n == BATCH_MAX)
		return VAULT_E_FULL;
	b->request[b->n++] = (struct batch_request){ .from = from, .packet = packet, .n = n, .fd = fd };
	return VAULT_OK;
}

void batch_dirty(struct keeper *k)
{
	k->batch.dirty = true;
}

/* Room for one more element in a doubling array. */
static vault_err grow(void **p, size_t *cap, size_t used, size_t size)
{
	size_t next = *cap == 0 ? 64 : *cap * 2;
	void *bigger;

	if (used < *cap)
		return VAULT_OK;
	bigger = reallocarray(*p, next, size);
	if (bigger == NULL)
		return VAULT_E_NOMEM;
	*p = bigger;
	*cap = next;
	return VAULT_OK;
}

vault_err batch_answer_packet(struct keeper *k, struct link *to, size_t n)
{
	struct batch *b = &k->batch;
	void *list = b->answer;
	vault_err err;

	if (n == 0 || n > IPC_MAX)
		return VAULT_E_RANGE;
	err = grow(&list, &b->answers_cap, b->answers, sizeof(*b->answer));
	b->answer = list;
	if (err != VAULT_OK)
		return err;
	uint8_t *copy = malloc(n);
	if (copy == NULL)
		return VAULT_E_NOMEM;
	memcpy(copy, k->room->packet, n);
	secret_wipe(k->room->packet, n);
	b->answer[b->answers++] = (struct batch_answer){ .to = to, .packet = copy, .n = n };
	return VAULT_OK;
}

vault_err batch_on_end(struct keeper *k, batch_end_fn fn, const vault_id *id)
{
	struct batch *b = &k->batch;
	void *list = b->ending;
	vault_err err = grow(&list, &b->endings_cap, b->endings, sizeof(*b->ending));

	b->ending = list;
	if (err == VAULT_OK)
		b->ending[b->endings++] = (struct batch_ending){ .fn = fn, .id = *id };
	return err;
}

vault_err batch_then(struct keeper *k, const struct batch_after *after)
{
	struct batch *b = &k->batch;

	if (b->afters == BATCH_MAX)
		return VAULT_E_FULL;
	b->after[b->afters++] = *after;
	return VAULT_OK;
}

static void drop_answer(struct batch_answer *a)
{
	secret_wipe(a->packet, a->n);
	free(a->packet);
}

/* Answers leave, endings run: in order when committed, backwards when not. */
static void finish(struct keeper *k, bool committed)
{
	struct batch *b = &k->batch;

	for (size_t i = 0; i < b->answers; i++) {
		struct batch_answer *a = &b->answer[i];
		if (committed && link_queue(a->to, a->packet, a->n) != VAULT_OK)
			log_warn("event=answer_dropped link=%d", (int)a->to->kind);
		drop_answer(a);
	}
	b->answers = 0;
	for (size_t i = 0; i < b->endings; i++) {
		const struct batch_ending *e = &b->ending[committed ? i : b->endings - 1 - i];
		e->fn(k, &e->id, committed);
	}
	b->endings = 0;
	if (!committed)
		b->afters = 0;
	b->dirty = false;
	b->running = false;
}

static vault_err begin(struct keeper *k)
{
	k->batch.running = true;
	k->batch.dirty = false;
	k->now_ms = clock_wall_ms();
	(void)clock_guard_check(&k->clock, k->now_ms, clock_mono_ms());
	return tree_begin(k->tree);
}

/* Steps 3 to 5. */
static vault_err commit(struct keeper *k, vault_err err)
{
	if (err == VAULT_OK && !k->batch.dirty && !audit_staged(&k->audit)) {
		tree_abort(k->tree);         /* questions only */
		finish(k, true);
		return VAULT_OK;
	}
	if (err == VAULT_OK)
		err = clock_guard_save(&k->clock, &k->rows, k->now_ms, false);
	if (err == VAULT_OK)
		err = audit_append(&k->audit);
	if (err != VAULT_OK) {
		tree_abort(k->tree);
	} else {
		err = tree_commit(k->tree);
		if (err != VAULT_OK && err != VAULT_E_FULL)
			keeper_fail(k, "The key store could not be committed.");
	}
	if (err != VAULT_OK)
		audit_discard(&k->audit);
	finish(k, err == VAULT_OK);
	return err;
}

vault_err batch_effect(struct keeper *k, batch_fn fn, void *arg)
{
	vault_err err = begin(k);

	if (err != VAULT_OK) {
		k->batch.running = false;
		return err;
	}
	err = fn(k, arg);
	return commit(k, err);
}

static vault_err attempt(struct keeper *k, struct batch_request *r, size_t n)
{
	vault_err err = begin(k);

	if (err != VAULT_OK) {
		k->batch.running = false;
		return err;
	}
	for (size_t i = 0; i < n && err == VAULT_OK; i++)
		err = dispatch_packet(k, &r[i]);
	return commit(k, err);
}

static vault_err refuse_fn(struct keeper *k, void *arg)
{
	return dispatch_refuse(k, arg);
}

/* The packet could not be carried out even alone: say so, outside any transaction. */
static void refuse(struct keeper *k, struct batch_request *r, vault_err cause)
{
	log_error("event=request_failed type=%u error=%d", r->n >= 2 ? (unsigned)(r->packet[0] | r->packet[1] << 8) : 0u,
	    (int)cause);
	if (k->fatal)
		return;
	if (batch_effect(k, refuse_fn, r) != VAULT_OK)
		log_error("event=refusal_lost");
}

static void run_afters(struct keeper *k)
{
	struct batch *b = &k->batch;

	if (b->afters > 0 && !k->fatal)
		dispatch_afters(k, b->after, b->afters);
	b->afters = 0;
}

void batch_run(struct keeper *k)
{
	struct batch *b = &k->batch;
	vault_err err = VAULT_OK;

	if (b->n == 0)
		return;
	if (!k->fatal)
		err = attempt(k, b->request, b->n);
	run_afters(k);
	for (size_t i = 0; err != VAULT_OK && !k->fatal && i < b->n; i++) {
		vault_err alone = b->n == 1 ? err : attempt(k, &b->request[i], 1);
		run_afters(k);
		if (alone != VAULT_OK)
			refuse(k, &b->request[i], alone);
	}
	if (k->reload_live && !k->fatal) {
		k->reload_live = false;
		ingest_reload(k);
	}
	for (size_t i = 0; i < b->n; i++) {
		struct batch_request *r = &b->request[i];
		secret_wipe(r->packet, r->n);
		free(r->packet);
		if (r->fd >= 0)
			(void)close(r->fd);
	}
	b->n = 0;
}

void batch_free(struct keeper *k)
{
	struct batch *b = &k->batch;

	for (size_t i = 0; i < b->n; i++) {
		secret_wipe(b->request[i].packet, b->request[i].n);
		free(b->request[i].packet);
		if (b->request[i].fd >= 0)
			(void)close(b->request[i].fd);
	}
	for (size_t i = 0; i < b->answers; i++)
		drop_answer(&b->answer[i]);
	free(b->answer);
	free(b->ending);
	memset(b, 0, sizeof(*b));
}
