/*
 * bucket.c - bucket rows, their members and the due index.
 *
 * Owner: the keeper, its only thread. Must never store a bucket key that is not
 * wrapped, and never drop a bucket outside a pass: the pass is what kills the
 * tenant key that the dropped row still hangs under in old pages.
 */
#include "keeper/bucket.h"

#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "base/wire.h"

void bucket_key_of(const struct bucket_id *id, uint8_t out[BUCKET_KEY_BYTES])
{
	store_be32(out, id->tenant);
	store_be32(out + 4, id->day);
	store_be32(out + 8, id->part);
}

struct bucket_id bucket_id_from(const uint8_t key[BUCKET_KEY_BYTES])
{
	return (struct bucket_id){.tenant = load_be32(key), .day = load_be32(key + 4), .part = load_be32(key + 8)};
}

int bucket_id_compare(const struct bucket_id *a, const struct bucket_id *b)
{
	uint8_t ka[BUCKET_KEY_BYTES], kb[BUCKET_KEY_BYTES];

	bucket_key_of(a, ka);
	bucket_key_of(b, kb);
	return memcmp(ka, kb, sizeof(ka));
}

vault_err bucket_decode(const MDB_val *key, const MDB_val *v, struct bucket *out)
{
	const uint8_t *p = v->mv_data;

	if (key->mv_size != BUCKET_KEY_BYTES || v->mv_size != BUCKET_ROW)
		return VAULT_E_CORRUPT;
	out->id = bucket_id_from(key->mv_data);
	out->flags = load_le32(p);
	out->count = load_le32(p + 4);
	out->earliest = load_le64(p + 8);
	memcpy(out->wrapped, p + 16, BUCKET_WRAPPED);
	return out->count <= BUCKET_MAX ? VAULT_OK : VAULT_E_CORRUPT;
}

vault_err bucket_load(struct tree *t, MDB_txn *txn, const struct bucket_id *id, struct bucket *out)
{
	uint8_t key[BUCKET_KEY_BYTES];
	MDB_val k = {.mv_size = sizeof(key), .mv_data = key}, v;

	bucket_key_of(id, key);
	int rc = mdb_get(txn, t->db[DB_BUCKET], &k, &v);
	if (rc != 0)
		return lmdb_err(rc);
	return bucket_decode(&k, &v, out);
}

static void due_key_of(const struct bucket *b, uint8_t out[DUE_KEY_BYTES])
{
	store_be64(out, b->earliest);
	bucket_key_of(&b->id, out + 8);
}

static vault_err due_del(struct tree *t, const struct bucket *b)
{
	uint8_t key[DUE_KEY_BYTES];

	if (b->earliest == BUCKET_NEVER)
		return VAULT_OK;
	due_key_of(b, key);
	return row_del(t, DB_DUE, key, sizeof(key));
}

vault_err bucket_store(struct tree *t, const struct bucket *b, const struct bucket *old)
{
	uint8_t key[BUCKET_KEY_BYTES], row[BUCKET_ROW], due[DUE_KEY_BYTES];
	vault_err err;

	bucket_key_of(&b->id, key);
	store_le32(row, b->flags);
	store_le32(row + 4, b->count);
	store_le64(row + 8, b->earliest);
	memcpy(row + 16, b->wrapped, BUCKET_WRAPPED);
	if ((err = row_put(t, DB_BUCKET, key, sizeof(key), row, sizeof(row), 0)) != VAULT_OK)
		return err;
	if (old != NULL && old->earliest == b->earliest)
		return VAULT_OK;
	if (old != NULL && (err = due_del(t, old)) != VAULT_OK)
		return err;
	if (b->earliest == BUCKET_NEVER)
		return VAULT_OK;
	due_key_of(b, due);
	return row_put(t, DB_DUE, due, sizeof(due), "", 0, 0);
}

vault_err bucket_drop(struct tree *t, const struct bucket *b)
{
	uint8_t key[BUCKET_KEY_BYTES];
	vault_err err;

	bucket_key_of(&b->id, key);
	if ((err = due_del(t, b)) != VAULT_OK)
		return err;
	if ((b->flags & BUCKET_REKEY) != 0 && (err = work_del(t, WORK_BUCKET, key, sizeof(key))) != VAULT_OK)
		return err;
	err = row_del(t, DB_MEMBER, key, sizeof(key));
	if (err != VAULT_OK && err != VAULT_E_NOTFOUND)
		return err;
	return row_del(t, DB_BUCKET, key, sizeof(key));
}

vault_err bucket_seal(struct tree *t, struct bucket *b, const uint8_t key[KEY_BYTES],
    const uint8_t tenant_key[KEY_BYTES])
{
	uint8_t place[BUCKET_KEY_BYTES];

	bucket_key_of(&b->id, place);
	const struct wrap_ad ad = ad_of(t, 'B', place, sizeof(place));
	return aead_wrap(b->wrapped, key, KEY_BYTES, ad.b, ad.n, tenant_key);
}

vault_err bucket_unseal(struct tree *t, const struct bucket *b, uint8_t key[KEY_BYTES],
    const uint8_t tenant_key[KEY_BYTES])
{
	uint8_t place[BUCKET_KEY_BYTES];

	bucket_key_of(&b->id, place);
	const struct wrap_ad ad = ad_of(t, 'B', place, sizeof(place));
	return aead_unwrap(key, b->wrapped, BUCKET_WRAPPED, ad.b, ad.n, tenant_key);
}

/* The last part of (tenant, day); VAULT_E_NOTFOUND when there is none. */
static vault_err bucket_last(struct tree *t, uint32_t tenant, uint32_t day, struct bucket *out)
{
	const struct bucket_id next = {.tenant = tenant, .day = day + 1, .part = 0};
	uint8_t key[BUCKET_KEY_BYTES];
	MDB_val k = {.mv_size = sizeof(key), .mv_data = key}, v;
	MDB_cursor *c;
	vault_err err;

	bucket_key_of(&next, key);
	int rc = mdb_cursor_open(t->txn, t->db[DB_BUCKET], &c);
	if (rc != 0)
		return lmdb_err(rc);
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	if (rc == 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_PREV);
	else if (rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(c, &k, &v, MDB_LAST);
	err = lmdb_err(rc);
	if (rc == 0 && (err = bucket_decode(&k, &v, out)) == VAULT_OK && (out->id.tenant != tenant || out->id.day != day))
		err = VAULT_E_NOTFOUND;
	mdb_cursor_close(c);
	return err;
}

static vault_err bucket_new(struct tree *t, uint32_t tenant, uint32_t day, uint32_t part, struct bucket *out)
{
	vault_err err;

	if (part >= TREE_PART_LIMIT)
		return VAULT_E_RANGE;
	memset(out, 0, sizeof(*out));
	out->id = (struct bucket_id){.tenant = tenant, .day = day, .part = part};
	out->earliest = BUCKET_NEVER;
	randombytes_buf(t->room->bucket, KEY_BYTES);
	if ((err = bucket_seal(t, out, t->room->bucket, t->room->tenant)) != VAULT_OK)
		return err;
	if ((err = bucket_store(t, out, NULL)) != VAULT_OK)
		return err;
	t->fresh[t->fresh_count++ % TREE_FRESH] = out->id;
	return VAULT_OK;
}

/* A bucket of this transaction with room, or VAULT_E_NOTFOUND. */
static vault_err bucket_fresh(struct tree *t, uint32_t tenant, uint32_t day, struct bucket *out)
{
	unsigned n = t->fresh_count < TREE_FRESH ? t->fresh_count : TREE_FRESH;
	vault_err err;

	for (unsigned i = 0; i < n; i++) {
		if (t->fresh[i].tenant != tenant || t->fresh[i].day != day)
			continue;
		if ((err = bucket_load(t, t->txn, &t->fresh[i], out)) != VAULT_OK)
			return err;
		if (out->count < BUCKET_MAX)
			return VAULT_OK;
	}
	return VAULT_E_NOTFOUND;
}

vault_err bucket_pick(struct tree *t, uint32_t tenant, uint32_t day, bool fresh, struct bucket *out)
{
	struct bucket last = {0};
	vault_err err;

	if (KEY_MUTANT(MUTANT_MOVE_INTO_OLD))
		fresh = false;
	if (fresh && (err = bucket_fresh(t, tenant, day, out)) != VAULT_E_NOTFOUND)
		return err == VAULT_OK ? bucket_unseal(t, out, t->room->bucket, t->room->tenant) : err;
	err = bucket_last(t, tenant, day, &last);
	if (err == VAULT_E_NOTFOUND)
		return bucket_new(t, tenant, day, 0, out);
	if (err != VAULT_OK)
		return err;
	if (fresh || last.count >= BUCKET_MAX)
		return bucket_new(t, tenant, day, last.id.part + 1, out);
	*out = last;
	return bucket_unseal(t, out, t->room->bucket, t->room->tenant);
}

vault_err bucket_join(struct tree *t, struct bucket *b, const vault_id *id, uint64_t expires_s)
{
	const struct bucket old = *b;
	uint8_t key[BUCKET_KEY_BYTES];
	vault_err err;

	bucket_key_of(&b->id, key);
	/* Ids come in time order: appending keeps the pages full. */
	err = row_put(t, DB_MEMBER, key, sizeof(key), id->b, VAULT_ID_BYTES, MDB_APPENDDUP);
	if (err == VAULT_E_EXISTS)
		err = row_put(t, DB_MEMBER, key, sizeof(key), id->b, VAULT_ID_BYTES, MDB_NODUPDATA);
	if (err != VAULT_OK)
		return err;
	b->count++;
	if (expires_s < b->earliest)
		b->earliest = expires_s;
	return bucket_store(t, b, &old);
}

vault_err bucket_leave(struct tree *t, const struct bucket_id *bid, const vault_id *id)
{
	uint8_t key[BUCKET_KEY_BYTES];
	struct bucket b, old;
	vault_err err;

	if ((err = bucket_load(t, t->txn, bid, &b)) != VAULT_OK)
		return err == VAULT_E_NOTFOUND ? VAULT_E_CORRUPT : err;
	old = b;
	bucket_key_of(bid, key);
	MDB_val k = {.mv_size = sizeof(key), .mv_data = key};
	MDB_val v = {.mv_size = VAULT_ID_BYTES, .mv_data = (void *)(uintptr_t)id->b};
	int rc = mdb_del(t->txn, t->db[DB_MEMBER], &k, &v);
	if (rc != 0 || b.count == 0)
		return rc == MDB_NOTFOUND || rc == 0 ? VAULT_E_CORRUPT : lmdb_err(rc);
	b.count--;
	if (!KEY_MUTANT(MUTANT_NO_REKEY_FLAG)) {
		b.flags |= BUCKET_REKEY;
		if ((err = work_put(t, WORK_BUCKET, key, sizeof(key))) != VAULT_OK)
			return err;
	}
	return bucket_store(t, &b, &old);
}

vault_err bucket_due_by(struct tree *t, const struct bucket_id *bid, uint64_t expires_s)
{
	struct bucket b, old;
	vault_err err = bucket_load(t, t->txn, bid, &b);

	if (err != VAULT_OK)
		return err == VAULT_E_NOTFOUND ? VAULT_E_CORRUPT : err;
	if (b.earliest <= expires_s)
		return VAULT_OK;
	old = b;
	b.earliest = expires_s;
	return bucket_store(t, &b, &old);
}
