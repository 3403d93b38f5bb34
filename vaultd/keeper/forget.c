/*
 * forget.c - one pass of forgetting.
 *
 *   plan    which buckets hold something doomed, due, or a stale sealed copy
 *   step 1  drop the entries; a new bucket key for the survivors
 *   step 2  a new tenant key; the tenant's buckets under it
 *   step 3  a new root key; every tenant under it; slot, commit, overwrite
 *   step 4  try to open what was forgotten with what is left
 *
 * Steps 1 to 3 up to the commit are one transaction (key_tree_root.c has the
 * order of the syncs). Owner: the keeper, its only thread. Must never re-use a
 * key of a bucket or tenant that it touched, and never report an item as
 * forgotten that it did not try.
 */
#include "keeper/forget_plan.h"

#include <string.h>

#include <sodium.h>

#include "base/log.h"
#include "base/secret.h"
#include "base/wire.h"

/* Step 1 for a survivor: from room->bucket to room->next_bucket. */
static vault_err reseal(void *arg, struct tree *t, MDB_cursor *items, MDB_val *key, struct item_row *row)
{
	uint8_t raw[ITEM_ROW];
	vault_err err;

	(void)arg;
	if ((err = item_unseal(t, row, &t->room->item, t->room->bucket)) != VAULT_OK)
		return err;
	if ((err = item_seal(t, row, &t->room->item, t->room->next_bucket)) != VAULT_OK ||
	    (err = item_encode(row, raw)) != VAULT_OK)
		return err;
	MDB_val v = {.mv_size = sizeof(raw), .mv_data = raw};
	return lmdb_err(mdb_cursor_put(items, key, &v, MDB_CURRENT));
}

static vault_err entries_drop(struct tree *t, const struct pass *p, const struct plan *plan)
{
	uint8_t key[BUCKET_KEY_BYTES];
	vault_err err;

	bucket_key_of(&plan->before.id, key);
	for (size_t i = 0; i < plan->n; i++) {
		struct gone *g = pass_gone_at(p, plan->first + i);
		if ((err = row_del(t, DB_ITEM, g->item.id.b, VAULT_ID_BYTES)) != VAULT_OK)
			return err;
		if ((g->item.flags & ITEM_DOOMED) != 0 &&
		    (err = work_del(t, WORK_ITEM, g->item.id.b, VAULT_ID_BYTES)) != VAULT_OK)
			return err;
		if (plan->survivors == 0)
			continue;        /* the whole list goes with the bucket */
		MDB_val k = {.mv_size = sizeof(key), .mv_data = key};
		MDB_val v = {.mv_size = VAULT_ID_BYTES, .mv_data = g->item.id.b};
		int rc = mdb_del(t->txn, t->db[DB_MEMBER], &k, &v);
		if (rc != 0)
			return lmdb_err(rc);
	}
	return VAULT_OK;
}

/* Step 1 for one bucket, its key in room->bucket. */
static vault_err bucket_renew(struct tree *t, const struct pass *p, const struct plan *plan)
{
	struct bucket b = plan->before;
	uint8_t key[BUCKET_KEY_BYTES];
	vault_err err = entries_drop(t, p, plan);

	if (err != VAULT_OK)
		return err;
	if (plan->survivors == 0) {
		p->out->buckets_dropped++;
		return bucket_drop(t, &plan->before);
	}
	p->out->buckets_rekeyed++;
	randombytes_buf(t->room->next_bucket, KEY_BYTES);
	if (KEY_MUTANT(MUTANT_NO_BUCKET_KEY))
		memcpy(t->room->next_bucket, t->room->bucket, KEY_BYTES);
	if ((err = bucket_members(t, &b.id, plan->survivors, reseal, NULL)) != VAULT_OK)
		return err;
	bucket_key_of(&b.id, key);
	if ((b.flags & BUCKET_REKEY) != 0 && (err = work_del(t, WORK_BUCKET, key, sizeof(key))) != VAULT_OK)
		return err;
	b.flags &= ~BUCKET_REKEY;
	b.count = plan->survivors;
	b.earliest = plan->earliest;
	if ((err = bucket_seal(t, &b, t->room->next_bucket, t->room->next_tenant)) != VAULT_OK)
		return err;
	return bucket_store(t, &b, &plan->before);
}

static vault_err renew_if_planned(void *arg, struct tree *t, const struct bucket *b, bool *done)
{
	struct pass *p = arg;

	if (p->next_plan == p->plans.n || bucket_id_compare(&pass_plan_at(p, p->next_plan)->before.id, &b->id) != 0)
		return VAULT_OK;
	*done = true;
	return bucket_renew(t, p, pass_plan_at(p, p->next_plan++));
}

/* Step 2: tenants and plans both come in rising order. */
static vault_err forget_tenant(void *arg, struct tree *t, const struct tenant_row *row, bool *taken)
{
	struct pass *p = arg;
	void *slot;
	vault_err err;

	if (p->next_plan == p->plans.n || pass_plan_at(p, p->next_plan)->before.id.tenant != row->number)
		return VAULT_OK;
	if ((err = pass_list_add(&p->tenants, sizeof(*row), &slot)) != VAULT_OK)
		return err;
	memcpy(slot, row, sizeof(*row));
	*taken = true;
	tenant_redraw(t);
	return tenant_buckets_turn(t, row->number, renew_if_planned, p);
}

/* Step 4 for one bucket: room->tenant holds the tenant's final keys. VAULT_E_AUTH: nothing opened. */
static vault_err try_bucket(struct tree *t, MDB_txn *txn, const struct pass *p, const struct plan *plan)
{
	struct item_row row;
	struct bucket b;
	vault_err err = bucket_unseal(t, &plan->before, t->room->bucket, t->room->tenant);

	if (err != VAULT_E_AUTH || plan->survivors == 0)
		return err;
	if ((err = bucket_load(t, txn, &plan->before.id, &b)) != VAULT_OK)
		return err;
	if ((err = bucket_unseal(t, &b, t->room->bucket, t->room->tenant)) != VAULT_OK)
		return err == VAULT_E_AUTH ? VAULT_E_CORRUPT : err;
	for (size_t i = 0; i < plan->n; i++) {
		const struct gone *g = pass_gone_at(p, plan->first + i);
		row.item = g->item;
		memcpy(row.wrapped, g->wrapped, ITEM_WRAPPED);
		if ((err = item_unseal(t, &row, &t->room->item, t->room->bucket)) != VAULT_E_AUTH)
			return err;
	}
	return VAULT_E_AUTH;
}

/* Only the living slot is left in the root store. */
static bool root_alone(struct tree *t)
{
	struct root_slot *slot = t->room->slot;
	unsigned living = (unsigned)(t->head.epoch % 2);
	bool alone = t->root->backend->read(t->root, slot) == VAULT_OK && slot[living].present &&
	    slot[living].epoch == t->head.epoch && !slot[1 - living].present && !slot[1 - living].dirty;

	secret_wipe(slot, sizeof(t->room->slot));
	return alone;
}

/* Step 4. VAULT_E_AUTH when anything of the pass still opens. */
static vault_err pass_check(struct tree *t, struct pass *p)
{
	struct view v;
	size_t at = 0;
	vault_err err;

	if (!root_alone(t))
		return VAULT_E_AUTH;
	if ((err = view_begin(t, &v)) != VAULT_OK)
		return err;
	for (size_t i = 0; i < p->tenants.n && err == VAULT_OK; i++) {
		const struct tenant_row *old = (struct tenant_row *)p->tenants.p + i;
		bool dead = tenant_unseal(t, old, t->room->tenant, t->room->root) == VAULT_E_AUTH;
		err = tenant_open(t, v.txn, old->number);
		for (; at < p->plans.n && pass_plan_at(p, at)->before.id.tenant == old->number && err == VAULT_OK; at++) {
			err = try_bucket(t, v.txn, p, pass_plan_at(p, at));
			if (dead && err == VAULT_E_AUTH)
				p->out->checked += (uint32_t)pass_plan_at(p, at)->n;
			if (err == VAULT_E_AUTH)
				err = VAULT_OK;
		}
	}
	view_end(t, &v);
	secret_wipe(t->room->tenant, sizeof(t->room->tenant));
	secret_wipe(t->room->bucket, sizeof(t->room->bucket));
	secret_wipe(&t->room->item, sizeof(t->room->item));
	if (err != VAULT_OK)
		return err;
	return p->out->checked == p->out->items ? VAULT_OK : VAULT_E_AUTH;
}

static vault_err pass_tell(const struct pass *p, tree_item_fn on_gone, void *arg)
{
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < p->gone.n && err == VAULT_OK && on_gone != NULL; i++)
		err = on_gone(arg, &pass_gone_at(p, i)->item);
	return err;
}

static vault_err pass_run(struct tree *t, struct pass *p, tree_item_fn on_gone, void *arg)
{
	vault_err err;

	if ((err = tree_begin(t)) != VAULT_OK)
		return err;
	reserve_release(t);
	if ((err = pass_plan(t, p)) != VAULT_OK)
		goto abort;
	if (p->plans.n == 0) {
		/* Earliest times may have been put right, so that they do not look due again. */
		err = tree_commit(t);
		return err == VAULT_OK ? VAULT_E_NOTFOUND : err;
	}
	p->out->items = (uint32_t)p->gone.n;
	if ((err = pass_tell(p, on_gone, arg)) != VAULT_OK || (err = turn_stage(t, forget_tenant, p)) != VAULT_OK)
		goto abort;
	if (p->next_plan != p->plans.n) {
		err = VAULT_E_CORRUPT;
		goto abort;
	}
	p->out->tenants = (uint32_t)p->tenants.n;
	if ((err = turn_commit(t)) != VAULT_OK)
		return err;
	p->out->epoch = t->head.epoch;
	if ((err = pass_check(t, p)) != VAULT_OK)
		log_error("event=forget_check_failed items=%u checked=%u", p->out->items, p->out->checked);
	return err;
abort:
	tree_abort(t);
	turn_wipe(t);
	return err;
}

vault_err tree_forget(struct tree *t, uint64_t now_s, tree_item_fn on_gone, void *arg, struct forget_result *out)
{
	struct pass p = {.now_s = now_s, .out = out};
	uint64_t next_s;
	bool due;
	vault_err err;

	memset(out, 0, sizeof(*out));
	if (t->dead || t->txn != NULL)
		return VAULT_E_STATE;
	if ((err = tree_due(t, now_s, &due, &next_s)) != VAULT_OK)
		return err;
	if (!due)
		return VAULT_E_NOTFOUND;
	err = pass_run(t, &p, on_gone, arg);
	pass_free(&p);
	return err;
}

vault_err tree_due(struct tree *t, uint64_t now_s, bool *due, uint64_t *next_s)
{
	struct view view;
	MDB_stat st;
	MDB_val k, v;
	MDB_cursor *c;
	vault_err err;

	*due = false;
	*next_s = UINT64_MAX;
	if ((err = view_begin(t, &view)) != VAULT_OK)
		return err;
	int rc = mdb_stat(view.txn, t->db[DB_WORK], &st);
	if (rc == 0)
		rc = mdb_cursor_open(view.txn, t->db[DB_DUE], &c);
	if (rc == 0) {
		rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
		if (rc == 0 && k.mv_size != DUE_KEY_BYTES)
			rc = MDB_CORRUPTED;
		if (rc == 0)
			*next_s = load_be64(k.mv_data);
		mdb_cursor_close(c);
		*due = (rc == 0 && *next_s <= now_s) || st.ms_entries != 0;
	}
	view_end(t, &view);
	return rc == MDB_NOTFOUND ? VAULT_OK : lmdb_err(rc);
}
