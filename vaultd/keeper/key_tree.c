/*
 * key_tree.c - transactions, rows and the head of the key tree.
 *
 * Owner: the keeper, its only thread. Must never let a plaintext key reach
 * LMDB, and never go on after a commit whose outcome is unknown.
 */
#include "keeper/key_tree_internal.h"

#include <string.h>

#include "base/secret.h"
#include "base/wire.h"

#ifdef VAULT_TEST_HOOKS
enum key_mutant key_test_mutant;
#endif

void store_le(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

uint64_t load_le(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

struct wrap_ad ad_of(const struct tree *t, char level, const void *place, size_t n)
{
	struct wrap_ad ad = {.n = 1 + VAULT_ID_BYTES};

	ad.b[0] = (uint8_t)level;
	memcpy(ad.b + 1, t->head.vault.b, VAULT_ID_BYTES);
	assert(n <= WRAP_AD_MAX - ad.n);         /* places are made here, never from outside */
	memcpy(ad.b + ad.n, place, n);
	ad.n += n;
	return ad;
}

const vault_id *tree_vault_id(const struct tree *t)
{
	return &t->head.vault;
}

uint64_t tree_root_epoch(const struct tree *t)
{
	return t->head.epoch;
}

MDB_txn *tree_txn(struct tree *t)
{
	return t->txn;
}

vault_err tree_begin(struct tree *t)
{
	if (t->dead || t->txn != NULL)
		return VAULT_E_STATE;
	int rc = mdb_txn_begin(t->env, NULL, 0, &t->txn);
	if (rc != 0) {
		t->txn = NULL;
		return lmdb_err(rc);
	}
	t->staged = t->head;
	t->fresh_count = 0;
	return VAULT_OK;
}

vault_err tree_commit(struct tree *t)
{
	if (t->dead || t->txn == NULL)
		return VAULT_E_STATE;
	int rc = mdb_txn_commit(t->txn);
	t->txn = NULL;
	reserve_restore(t);
	if (rc == 0) {
		t->head = t->staged;
		return VAULT_OK;
	}
	if (commit_was_full(t, rc))
		return VAULT_E_FULL;
	t->dead = true;
	return lmdb_err(rc);
}

void tree_abort(struct tree *t)
{
	if (t->txn != NULL)
		mdb_txn_abort(t->txn);
	t->txn = NULL;
	reserve_restore(t);
}

vault_err view_begin(struct tree *t, struct view *v)
{
	if (t->dead)
		return VAULT_E_STATE;
	*v = (struct view){.txn = t->txn, .reader = false};
	if (t->txn != NULL)
		return VAULT_OK;
	if (t->reader_depth == 0) {
		int rc = t->reader == NULL ? mdb_txn_begin(t->env, NULL, MDB_RDONLY, &t->reader)
		                           : mdb_txn_renew(t->reader);
		if (rc != 0)
			return lmdb_err(rc);
	}
	t->reader_depth++;
	*v = (struct view){.txn = t->reader, .reader = true};
	return VAULT_OK;
}

void view_end(struct tree *t, struct view *v)
{
	if (v->reader && --t->reader_depth == 0)
		mdb_txn_reset(t->reader);
	v->txn = NULL;
}

vault_err row_get(struct tree *t, MDB_txn *txn, enum tree_db db, const void *key, size_t key_len, void *out, size_t n)
{
	MDB_val k = {.mv_size = key_len, .mv_data = (void *)(uintptr_t)key}, v;
	int rc = mdb_get(txn, t->db[db], &k, &v);

	if (rc != 0)
		return lmdb_err(rc);
	if (v.mv_size != n)
		return VAULT_E_CORRUPT;
	memcpy(out, v.mv_data, n);
	return VAULT_OK;
}

vault_err row_put(struct tree *t, enum tree_db db, const void *key, size_t key_len, const void *p, size_t n,
    unsigned flags)
{
	MDB_val k = {.mv_size = key_len, .mv_data = (void *)(uintptr_t)key};
	MDB_val v = {.mv_size = n, .mv_data = (void *)(uintptr_t)p};

	if (t->txn == NULL)
		return VAULT_E_STATE;
	return lmdb_err(mdb_put(t->txn, t->db[db], &k, &v, flags));
}

vault_err row_del(struct tree *t, enum tree_db db, const void *key, size_t key_len)
{
	MDB_val k = {.mv_size = key_len, .mv_data = (void *)(uintptr_t)key};

	if (t->txn == NULL)
		return VAULT_E_STATE;
	return lmdb_err(mdb_del(t->txn, t->db[db], &k, NULL));
}

vault_err work_put(struct tree *t, char kind, const void *what, size_t n)
{
	uint8_t key[1 + VAULT_ID_BYTES];

	assert(n <= VAULT_ID_BYTES);
	key[0] = (uint8_t)kind;
	memcpy(key + 1, what, n);
	return row_put(t, DB_WORK, key, 1 + n, "", 0, 0);
}

vault_err work_del(struct tree *t, char kind, const void *what, size_t n)
{
	uint8_t key[1 + VAULT_ID_BYTES];

	assert(n <= VAULT_ID_BYTES);
	key[0] = (uint8_t)kind;
	memcpy(key + 1, what, n);
	return row_del(t, DB_WORK, key, 1 + n);
}

#define HEAD_KEY "head"

/* u32 format, u32 next tenant, u64 epoch, u64 root created, u64 zero, vault id, canary */
vault_err head_load(struct tree *t, MDB_txn *txn, struct tree_head *h)
{
	uint8_t row[HEAD_ROW];
	struct reader r;
	vault_err err = row_get(t, txn, DB_HEAD, HEAD_KEY, 4, row, sizeof(row));

	if (err != VAULT_OK)
		return err;
	reader_init(&r, row, sizeof(row));
	uint32_t format = read_u32(&r);
	h->next_tenant = read_u32(&r);
	h->epoch = read_u64(&r);
	h->root_created_ms = read_u64(&r);
	uint64_t zero = read_u64(&r);
	read_bytes(&r, h->vault.b, VAULT_ID_BYTES);
	read_bytes(&r, h->canary, sizeof(h->canary));
	if (reader_finish(&r) != VAULT_OK || zero != 0)
		return VAULT_E_CORRUPT;
	return format == TREE_FORMAT ? VAULT_OK : VAULT_E_UNSUPPORTED;
}

vault_err head_store(struct tree *t)
{
	const struct tree_head *h = &t->staged;
	uint8_t row[HEAD_ROW];
	struct writer w;
	size_t len;

	writer_init(&w, row, sizeof(row));
	write_u32(&w, TREE_FORMAT);
	write_u32(&w, h->next_tenant);
	write_u64(&w, h->epoch);
	write_u64(&w, h->root_created_ms);
	write_u64(&w, 0);
	write_bytes(&w, h->vault.b, VAULT_ID_BYTES);
	write_bytes(&w, h->canary, sizeof(h->canary));
	vault_err err = writer_finish(&w, &len);
	return err == VAULT_OK ? row_put(t, DB_HEAD, HEAD_KEY, 4, row, len, 0) : err;
}

static vault_err entries(struct tree *t, MDB_txn *txn, enum tree_db db, uint64_t *out)
{
	MDB_stat st;
	int rc = mdb_stat(txn, t->db[db], &st);

	*out = rc == 0 ? st.ms_entries : 0;
	return lmdb_err(rc);
}

vault_err tree_count(struct tree *t, struct tree_counts *out)
{
	struct view v;
	vault_err err = view_begin(t, &v);

	if (err != VAULT_OK)
		return err;
	*out = (struct tree_counts){.epoch = t->head.epoch, .root_created_ms = t->head.root_created_ms};
	if ((err = entries(t, v.txn, DB_TENANT, &out->tenants)) == VAULT_OK &&
	    (err = entries(t, v.txn, DB_BUCKET, &out->buckets)) == VAULT_OK)
		err = entries(t, v.txn, DB_ITEM, &out->items);
	view_end(t, &v);
	return err;
}
