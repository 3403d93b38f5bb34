/*
 * forget_plan.c - which buckets a pass touches, who leaves them and who stays.
 *
 * Owner: the keeper, its only thread. Must never leave out a bucket that is
 * flagged or holds something doomed: an item forgotten today may have a stale
 * copy under the key of any flagged bucket.
 */
#include "keeper/forget_plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/wire.h"

vault_err pass_list_add(struct list *l, size_t size, void **slot)
{
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 64 : 2 * l->cap;
		void *p = reallocarray(l->p, cap, size);
		if (p == NULL)
			return VAULT_E_NOMEM;
		l->p = p;
		l->cap = cap;
		l->size = size;
	}
	*slot = (uint8_t *)l->p + size * l->n++;
	return VAULT_OK;
}

struct plan *pass_plan_at(const struct pass *p, size_t i)
{
	return (struct plan *)p->plans.p + i;
}

struct gone *pass_gone_at(const struct pass *p, size_t i)
{
	return (struct gone *)p->gone.p + i;
}

void pass_free(struct pass *p)
{
	free(p->buckets.p);
	free(p->plans.p);
	free(p->gone.p);
	free(p->tenants.p);
}

static vault_err candidate(struct pass *p, const struct bucket_id *id)
{
	void *slot;
	vault_err err = pass_list_add(&p->buckets, sizeof(*id), &slot);

	if (err == VAULT_OK)
		memcpy(slot, id, sizeof(*id));
	return err;
}

static int candidate_compare(const void *a, const void *b)
{
	return bucket_id_compare(a, b);
}

/* Buckets of everything doomed, and those with stale copies. Always all of them. */
static vault_err collect_work(struct tree *t, struct pass *p)
{
	MDB_val k, v;
	MDB_cursor *c;
	struct item_row row;
	struct bucket_id bid;
	vault_id id;
	vault_err err = VAULT_OK;
	int rc = mdb_cursor_open(t->txn, t->db[DB_WORK], &c);

	if (rc != 0)
		return lmdb_err(rc);
	while (err == VAULT_OK && (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		const uint8_t *key = k.mv_data;
		if (k.mv_size == 1 + BUCKET_KEY_BYTES && key[0] == WORK_BUCKET) {
			bid = bucket_id_from(key + 1);
		} else if (k.mv_size == 1 + VAULT_ID_BYTES && key[0] == WORK_ITEM) {
			memcpy(id.b, key + 1, VAULT_ID_BYTES);
			MDB_val ik = {.mv_size = VAULT_ID_BYTES, .mv_data = id.b}, iv;
			rc = mdb_get(t->txn, t->db[DB_ITEM], &ik, &iv);
			if (rc != 0 || item_decode(&id, &iv, &row) != VAULT_OK) {
				err = VAULT_E_CORRUPT;
				break;
			}
			bid = item_bucket(&row.item);
		} else {
			err = VAULT_E_CORRUPT;
			break;
		}
		err = candidate(p, &bid);
	}
	mdb_cursor_close(c);
	return err != VAULT_OK ? err : rc == MDB_NOTFOUND ? VAULT_OK : lmdb_err(rc);
}

/* How many items a pass may touch: each may cost a page of its own, and the disk may be full. */
static uint64_t due_budget(struct tree *t)
{
	struct statvfs fs;

	if (fstatvfs(t->keys_fd, &fs) != 0)
		return TREE_PASS_ITEMS;
	uint64_t pages = (uint64_t)fs.f_bavail * fs.f_frsize / 4096 / 2;
	return pages < TREE_PASS_ITEMS ? pages : TREE_PASS_ITEMS;
}

static vault_err collect_due(struct tree *t, struct pass *p)
{
	uint64_t budget = due_budget(t), items = 0;
	struct bucket b;
	MDB_val k, v;
	MDB_cursor *c;
	vault_err err = VAULT_OK;
	int rc = mdb_cursor_open(t->txn, t->db[DB_DUE], &c);

	if (rc != 0)
		return lmdb_err(rc);
	while (err == VAULT_OK && (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		const uint8_t *key = k.mv_data;
		if (k.mv_size != DUE_KEY_BYTES) {
			err = VAULT_E_CORRUPT;
			break;
		}
		if (load_be64(key) > p->now_s)
			break;
		const struct bucket_id bid = bucket_id_from(key + 8);
		if ((err = bucket_load(t, t->txn, &bid, &b)) != VAULT_OK)
			break;
		if (items != 0 && items + b.count > budget)
			break;
		items += b.count;
		err = candidate(p, &bid);
	}
	mdb_cursor_close(c);
	return err != VAULT_OK ? err : rc == 0 || rc == MDB_NOTFOUND ? VAULT_OK : lmdb_err(rc);
}

vault_err bucket_members(struct tree *t, const struct bucket_id *bid, uint32_t count, member_fn fn, void *arg)
{
	uint8_t key[BUCKET_KEY_BYTES];
	MDB_val k = {.mv_size = sizeof(key), .mv_data = key}, m, v;
	MDB_cursor *c = NULL, *items = NULL;
	struct item_row row;
	vault_id id;
	vault_err err = VAULT_OK;
	uint32_t seen = 0;

	bucket_key_of(bid, key);
	int rc = mdb_cursor_open(t->txn, t->db[DB_MEMBER], &c);
	if (rc == 0)
		rc = mdb_cursor_open(t->txn, t->db[DB_ITEM], &items);
	if (rc == 0)
		rc = mdb_cursor_get(c, &k, &m, MDB_SET_KEY);
	while (rc == 0 && err == VAULT_OK) {
		if (m.mv_size != VAULT_ID_BYTES) {
			err = VAULT_E_CORRUPT;
			break;
		}
		memcpy(id.b, m.mv_data, VAULT_ID_BYTES);
		MDB_val ik = {.mv_size = VAULT_ID_BYTES, .mv_data = id.b};
		if (mdb_cursor_get(items, &ik, &v, MDB_SET_KEY) != 0 || item_decode(&id, &v, &row) != VAULT_OK) {
			err = VAULT_E_CORRUPT;
			break;
		}
		const struct bucket_id place = item_bucket(&row.item);
		if (bucket_id_compare(&place, bid) != 0 || ++seen > count) {
			err = VAULT_E_CORRUPT;
			break;
		}
		if ((err = fn(arg, t, items, &ik, &row)) == VAULT_OK)
			rc = mdb_cursor_get(c, &k, &m, MDB_NEXT_DUP);
	}
	mdb_cursor_close(items);
	mdb_cursor_close(c);
	if (err == VAULT_OK && rc != MDB_NOTFOUND)
		err = lmdb_err(rc);
	return err == VAULT_OK && seen != count ? VAULT_E_CORRUPT : err;
}

struct sorting {
	struct pass *pass;
	struct plan *plan;
};

static vault_err sort_member(void *arg, struct tree *t, MDB_cursor *items, MDB_val *key, struct item_row *row)
{
	struct sorting *s = arg;
	bool held = (row->item.flags & ITEM_HELD) != 0;
	bool doomed = (row->item.flags & ITEM_DOOMED) != 0;
	void *slot;
	vault_err err;

	(void)t;
	(void)items;
	(void)key;
	if (!doomed && (held || row->item.expires_s > s->pass->now_s)) {
		if (!held && row->item.expires_s < s->plan->earliest)
			s->plan->earliest = row->item.expires_s;
		s->plan->survivors++;
		return VAULT_OK;
	}
	if ((err = pass_list_add(&s->pass->gone, sizeof(struct gone), &slot)) != VAULT_OK)
		return err;
	struct gone *g = slot;
	g->item = row->item;
	memcpy(g->wrapped, row->wrapped, ITEM_WRAPPED);
	s->plan->n++;
	return VAULT_OK;
}

/* Sorts a candidate's members; a bucket with nothing to do only gets its earliest expiry put right. */
static vault_err plan_bucket(struct tree *t, struct pass *p, const struct bucket_id *bid)
{
	struct plan plan = {.earliest = BUCKET_NEVER, .first = p->gone.n};
	struct sorting s = {.pass = p, .plan = &plan};
	void *slot;
	vault_err err = bucket_load(t, t->txn, bid, &plan.before);

	if (err != VAULT_OK)
		return err == VAULT_E_NOTFOUND ? VAULT_E_CORRUPT : err;
	if ((err = bucket_members(t, bid, plan.before.count, sort_member, &s)) != VAULT_OK)
		return err;
	if (plan.n == 0 && (plan.before.flags & BUCKET_REKEY) == 0) {
		struct bucket b = plan.before;
		b.earliest = plan.earliest;
		return b.earliest == plan.before.earliest ? VAULT_OK : bucket_store(t, &b, &plan.before);
	}
	if ((err = pass_list_add(&p->plans, sizeof(plan), &slot)) == VAULT_OK)
		memcpy(slot, &plan, sizeof(plan));
	return err;
}

vault_err pass_plan(struct tree *t, struct pass *p)
{
	const struct bucket_id *last = NULL;
	vault_err err;

	if ((err = collect_work(t, p)) != VAULT_OK || (err = collect_due(t, p)) != VAULT_OK)
		return err;
	if (p->buckets.n != 0)
		qsort(p->buckets.p, p->buckets.n, sizeof(struct bucket_id), candidate_compare);
	for (size_t i = 0; i < p->buckets.n; i++) {
		const struct bucket_id *bid = (struct bucket_id *)p->buckets.p + i;
		if (last != NULL && bucket_id_compare(last, bid) == 0)
			continue;
		if ((err = plan_bucket(t, p, bid)) != VAULT_OK)
			return err;
		last = bid;
	}
	return VAULT_OK;
}
