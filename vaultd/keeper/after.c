/*
 * after.c - what commits by itself and so follows a batch: one pass of
 * forgetting for all its shreds, rotations, and the answers to them.
 */
#include <string.h>

#include "base/log.h"
#include "keeper/command_front.h"
#include "keeper/dispatch.h"
#include "keeper/keeper.h"
#include "keeper/policy.h"

struct outcome {
	const struct batch_after *after;
	vault_err err;
	vault_id sweep;
};

static json_t *shred_answer(const struct outcome *o)
{
	char id[VAULT_ID_TEXT], batch[VAULT_ID_TEXT];

	vault_id_format(&o->after->id, id);
	vault_id_format(&o->sweep, batch);
	return json_pack("{s:s, s:s, s:s}", "id", id, "batch", batch, "state", "shredded");
}

static json_t *tenant_answer(struct keeper *k, const struct outcome *o)
{
	uint32_t generation = 0, buckets = 0;
	uint64_t created_ms = 0;

	if (tree_tenant_key(k->tree, o->after->tenant, &generation, &created_ms, &buckets) != VAULT_OK)
		return NULL;
	return json_pack("{s:s, s:I, s:I}", "tenant", o->after->name, "generation", (json_int_t)generation, "epoch",
	    (json_int_t)tree_root_epoch(k->tree));
}

static vault_err log_rotation(struct keeper *k, const struct outcome *o)
{
	json_t *detail = json_pack("{s:I}", "epoch", (json_int_t)tree_root_epoch(k->tree));
	const struct audit_event e = { .event = "key.rotated", .action = 'E', .failed = o->err != VAULT_OK,
		.tenant = o->after->name, .object = "key", .detail = detail };

	return detail == NULL ? VAULT_E_NOMEM : keeper_log(k, &e);
}

static vault_err answer_fn(struct keeper *k, void *arg)
{
	const struct outcome *o = arg;
	json_t *json;
	vault_err err = VAULT_OK;

	if (o->after->kind != AFTER_SHRED)
		err = log_rotation(k, o);
	if (err != VAULT_OK)
		return err;
	if (o->err != VAULT_OK)
		return command_refuse(k, o->after->tag,
		    o->err == VAULT_E_FULL ? VAULT_REFUSAL_disk_full : VAULT_REFUSAL_internal);
	if (o->after->kind == AFTER_SHRED)
		json = shred_answer(o);
	else if (o->after->kind == AFTER_ROTATE_TENANT)
		json = tenant_answer(k, o);
	else
		json = json_pack("{s:I}", "epoch", (json_int_t)tree_root_epoch(k->tree));
	if (json == NULL)
		return VAULT_E_NOMEM;
	err = command_answer(k, o->after->tag, 200, ANSWER_FINAL, json);
	json_decref(json);
	return err;
}

/* The recording's key must be gone before anyone is told so. */
static vault_err check_gone(struct keeper *k, const vault_id *id)
{
	struct tree_item item;
	vault_err err = tree_item_get(k->tree, id, &item);

	if (err == VAULT_E_NOTFOUND)
		return VAULT_OK;
	return err == VAULT_OK ? VAULT_E_STATE : err;
}

static vault_err rotate(struct keeper *k, const struct batch_after *a)
{
	vault_err err = a->kind == AFTER_ROTATE_TENANT ? tree_rotate_tenant(k->tree, a->tenant) : tree_rotate_root(k->tree);

	if (err != VAULT_OK && err != VAULT_E_FULL && err != VAULT_E_NOTFOUND)
		keeper_fail(k, "A key rotation failed; the next start finishes it.");
	return err;
}

void dispatch_afters(struct keeper *k, const struct batch_after *list, size_t n)
{
	struct batch_after after[BATCH_MAX];
	struct outcome o = { .err = VAULT_OK };
	vault_err forgot = VAULT_E_NOTFOUND;
	bool tried = false;

	memcpy(after, list, n * sizeof(*list));      /* the effects below are batches of their own */
	k->batch.afters = 0;
	for (size_t i = 0; i < n && !k->fatal; i++) {
		o.after = &after[i];
		if (after[i].kind == AFTER_SHRED) {
			if (!tried)
				forgot = retention_forget(k, "request", &o.sweep);
			tried = true;
			o.err = forgot == VAULT_OK || forgot == VAULT_E_NOTFOUND ? check_gone(k, &after[i].id) : forgot;
		} else {
			o.err = rotate(k, &after[i]);
		}
		if (!k->fatal && batch_effect(k, answer_fn, &o) != VAULT_OK)
			log_error("event=answer_lost");
	}
}
