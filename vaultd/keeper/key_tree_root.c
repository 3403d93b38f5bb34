/*
 * key_tree_root.c - turning the root: the step that makes everything older
 * hang under a dead key. Rotations are turns without anything forgotten.
 *
 * Owner: the keeper, its only thread. The order is the promise: next root key
 * durable in its slot, then the database durable under it, then the old slot
 * overwritten. Must never erase a slot whose epoch the database may still need.
 */
#include "keeper/bucket.h"

#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/wire.h"

void tenant_redraw(struct tree *t)
{
	memcpy(t->room->next_tenant, t->room->tenant, TENANT_SECRET_BYTES);
	if (!KEY_MUTANT(MUTANT_NO_TENANT_KEY))
		randombytes_buf(t->room->next_tenant, KEY_BYTES);
}

/* Re-wraps one tenant under next_root, with new keys where fn takes it. */
static vault_err turn_tenant(struct tree *t, MDB_cursor *c, MDB_val *k, const MDB_val *v, uint64_t now_ms,
    turn_tenant_fn fn, void *arg)
{
	uint8_t raw[TENANT_ROW];
	struct tenant_row row;
	bool taken = false;
	vault_err err;

	if (k->mv_size != 4)
		return VAULT_E_CORRUPT;
	if ((err = tenant_decode(load_be32(k->mv_data), v, &row)) != VAULT_OK)
		return err;
	if ((err = tenant_unseal(t, &row, t->room->tenant, t->room->root)) != VAULT_OK)
		return err;
	if (fn != NULL && (err = fn(arg, t, &row, &taken)) != VAULT_OK)
		return err;
	if (taken) {
		row.generation++;
		row.created_ms = now_ms;
	}
	if ((err = tenant_seal(t, &row, taken ? t->room->next_tenant : t->room->tenant, t->room->next_root)) != VAULT_OK)
		return err;
	tenant_encode(&row, raw);
	MDB_val put = {.mv_size = sizeof(raw), .mv_data = raw};
	return lmdb_err(mdb_cursor_put(c, k, &put, MDB_CURRENT));
}

static vault_err turn_tenants(struct tree *t, uint64_t now_ms, turn_tenant_fn fn, void *arg)
{
	MDB_val k, v;
	MDB_cursor *c;
	vault_err err = VAULT_OK;
	int rc = mdb_cursor_open(t->txn, t->db[DB_TENANT], &c);

	if (rc != 0)
		return lmdb_err(rc);
	while (err == VAULT_OK && (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0)
		err = turn_tenant(t, c, &k, &v, now_ms, fn, arg);
	mdb_cursor_close(c);
	return err != VAULT_OK ? err : rc == MDB_NOTFOUND ? VAULT_OK : lmdb_err(rc);
}

static struct root_slot *next_slot(struct tree *t)
{
	return &t->room->slot[(t->head.epoch + 1) % 2];
}

vault_err turn_stage(struct tree *t, turn_tenant_fn fn, void *arg)
{
	static const uint8_t canary[CANARY_BYTES] = "vault canary v1";
	struct root_slot *slot = next_slot(t);
	uint64_t now_ms = clock_wall_ms();
	uint8_t place[8];
	vault_err err;

	*slot = (struct root_slot){.present = true, .epoch = t->head.epoch + 1, .created_ms = now_ms};
	randombytes_buf(slot->key, KEY_BYTES);
	if ((err = root_store_key(t->root, slot, t->room->next_root)) != VAULT_OK)
		return err;
	t->staged.epoch = slot->epoch;
	t->staged.root_created_ms = now_ms;
	if (KEY_MUTANT(MUTANT_NO_ROOT_KEY)) {
		memcpy(t->room->next_root, t->room->root, KEY_BYTES);
		t->staged.epoch = t->head.epoch;
	}
	if ((err = turn_tenants(t, now_ms, fn, arg)) != VAULT_OK || (err = root_secrets_rewrap(t)) != VAULT_OK)
		return err;
	store_be64(place, t->staged.epoch);
	const struct wrap_ad ad = ad_of(t, 'C', place, sizeof(place));
	if ((err = aead_wrap(t->staged.canary, canary, CANARY_BYTES, ad.b, ad.n, t->room->next_root)) != VAULT_OK)
		return err;
	return head_store(t);
}

/* The next slot was written, the database did not follow: back to one living slot. */
static void turn_back(struct tree *t)
{
	if (t->root->backend->erase(t->root, t->head.epoch + 1) != VAULT_OK) {
		log_error("event=root_slot_not_erased epoch=%llu", (unsigned long long)t->head.epoch + 1);
		t->dead = true;
	}
}

void turn_wipe(struct tree *t)
{
	secret_wipe(t->room->slot, sizeof(t->room->slot));
	secret_wipe(t->room->next_root, KEY_BYTES);
	secret_wipe(t->room->tenant, TENANT_SECRET_BYTES);
	secret_wipe(t->room->next_tenant, TENANT_SECRET_BYTES);
	secret_wipe(t->room->bucket, KEY_BYTES);
	secret_wipe(t->room->next_bucket, KEY_BYTES);
	secret_wipe(&t->room->item, sizeof(t->room->item));
}

vault_err turn_commit(struct tree *t)
{
	uint64_t old = t->head.epoch;
	vault_err err;

	if (KEY_MUTANT(MUTANT_NO_ROOT_KEY)) {
		turn_wipe(t);
		return tree_commit(t);
	}
	if ((err = t->root->backend->write(t->root, next_slot(t))) != VAULT_OK) {
		tree_abort(t);
		turn_back(t);
		goto out;
	}
	if ((err = tree_commit(t)) != VAULT_OK) {
		/* Dead: both slots stay, and the next start decides by the database's epoch. */
		if (!t->dead)
			turn_back(t);
		goto out;
	}
	memcpy(t->room->root, t->room->next_root, KEY_BYTES);
	if ((err = t->root->backend->erase(t->root, old)) != VAULT_OK)
		t->dead = true;
out:
	turn_wipe(t);
	return err;
}

vault_err tenant_buckets_turn(struct tree *t, uint32_t tenant, turn_bucket_fn fn, void *arg)
{
	struct bucket_id at = {.tenant = tenant};
	uint8_t key[BUCKET_KEY_BYTES];
	struct bucket b;
	MDB_cursor *c;
	vault_err err = VAULT_OK;
	int rc = mdb_cursor_open(t->txn, t->db[DB_BUCKET], &c);

	if (rc != 0)
		return lmdb_err(rc);
	bucket_key_of(&at, key);
	MDB_val k = {.mv_size = sizeof(key), .mv_data = key}, v;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && k.mv_size == BUCKET_KEY_BYTES && load_be32(k.mv_data) == tenant) {
		bool done = false;
		if ((err = bucket_decode(&k, &v, &b)) != VAULT_OK)
			break;
		if ((err = bucket_unseal(t, &b, t->room->bucket, t->room->tenant)) != VAULT_OK)
			break;
		if (fn != NULL && (err = fn(arg, t, &b, &done)) != VAULT_OK)
			break;
		if (!done) {
			uint8_t row[BUCKET_ROW];
			memcpy(row, v.mv_data, sizeof(row));
			if ((err = bucket_seal(t, &b, t->room->bucket, t->room->next_tenant)) != VAULT_OK)
				break;
			memcpy(row + 16, b.wrapped, BUCKET_WRAPPED);
			MDB_val put = {.mv_size = sizeof(row), .mv_data = row};
			if ((err = lmdb_err(mdb_cursor_put(c, &k, &put, MDB_CURRENT))) != VAULT_OK)
				break;
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
			continue;
		}
		/* fn may have removed the row: seek the one behind it. */
		at = (struct bucket_id){.tenant = tenant, .day = b.id.day, .part = b.id.part + 1};
		bucket_key_of(&at, key);
		k = (MDB_val){.mv_size = sizeof(key), .mv_data = key};
		rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	}
	mdb_cursor_close(c);
	return err != VAULT_OK ? err : rc == 0 || rc == MDB_NOTFOUND ? VAULT_OK : lmdb_err(rc);
}

static vault_err take_one(void *arg, struct tree *t, const struct tenant_row *row, bool *taken)
{
	const uint32_t *wanted = arg;

	if (row->number != *wanted)
		return VAULT_OK;
	*taken = true;
	tenant_redraw(t);
	return tenant_buckets_turn(t, row->number, NULL, NULL);
}

/* A turn of its own. wanted: the tenant whose key is drawn anew, 0 for none. */
static vault_err turn(struct tree *t, uint32_t wanted)
{
	struct tenant_row row;
	vault_err err;

	if ((err = tree_begin(t)) != VAULT_OK)
		return err;
	reserve_release(t);
	if (wanted != 0)
		err = tenant_load(t, t->txn, wanted, &row);
	if (err == VAULT_OK)
		err = turn_stage(t, take_one, &wanted);
	if (err == VAULT_OK)
		return turn_commit(t);
	tree_abort(t);
	turn_wipe(t);
	return err;
}

vault_err tree_rotate_tenant(struct tree *t, uint32_t tenant)
{
	return tenant == 0 ? VAULT_E_NOTFOUND : turn(t, tenant);
}

vault_err tree_rotate_root(struct tree *t)
{
	return turn(t, 0);
}
