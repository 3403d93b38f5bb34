/*
 * key_tree_tenant.c - tenants, their keys, search tokens, and the small secrets
 * that hang directly under the root.
 *
 * Owner: the keeper, its only thread. Must never give a tenant key out of the
 * tree: callers get tokens and items.
 */
#include "keeper/bucket.h"

#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/wire.h"

vault_err tenant_decode(uint32_t number, const MDB_val *v, struct tenant_row *out)
{
	const uint8_t *p = v->mv_data;

	if (v->mv_size != TENANT_ROW)
		return VAULT_E_CORRUPT;
	out->number = number;
	out->generation = load_le32(p);
	out->created_ms = load_le64(p + 8);
	memcpy(out->name, p + 16, VAULT_TENANT_MAX);
	out->name[VAULT_TENANT_MAX] = '\0';
	memcpy(out->wrapped, p + 48, TENANT_WRAPPED);
	return vault_tenant_valid(out->name, strlen(out->name)) ? VAULT_OK : VAULT_E_CORRUPT;
}

void tenant_encode(const struct tenant_row *row, uint8_t out[TENANT_ROW])
{
	store_le32(out, row->generation);
	store_le32(out + 4, 0);
	store_le64(out + 8, row->created_ms);
	memcpy(out + 16, row->name, VAULT_TENANT_MAX);
	memcpy(out + 48, row->wrapped, TENANT_WRAPPED);
}

vault_err tenant_load(struct tree *t, MDB_txn *txn, uint32_t number, struct tenant_row *out)
{
	uint8_t key[4];
	MDB_val k = {.mv_size = sizeof(key), .mv_data = key}, v;

	store_be32(key, number);
	int rc = mdb_get(txn, t->db[DB_TENANT], &k, &v);
	return rc == 0 ? tenant_decode(number, &v, out) : lmdb_err(rc);
}

static struct wrap_ad tenant_ad(const struct tree *t, const struct tenant_row *row)
{
	uint8_t place[8];

	store_be32(place, row->number);
	store_be32(place + 4, row->generation);
	return ad_of(t, 'T', place, sizeof(place));
}

vault_err tenant_seal(struct tree *t, struct tenant_row *row, const uint8_t keys[TENANT_SECRET_BYTES],
    const uint8_t root[KEY_BYTES])
{
	const struct wrap_ad ad = tenant_ad(t, row);

	return aead_wrap(row->wrapped, keys, TENANT_SECRET_BYTES, ad.b, ad.n, root);
}

vault_err tenant_unseal(struct tree *t, const struct tenant_row *row, uint8_t keys[TENANT_SECRET_BYTES],
    const uint8_t root[KEY_BYTES])
{
	const struct wrap_ad ad = tenant_ad(t, row);

	return aead_unwrap(keys, row->wrapped, TENANT_WRAPPED, ad.b, ad.n, root);
}

vault_err tenant_open(struct tree *t, MDB_txn *txn, uint32_t number)
{
	struct tenant_row row;
	vault_err err = tenant_load(t, txn, number, &row);

	return err == VAULT_OK ? tenant_unseal(t, &row, t->room->tenant, t->room->root) : err;
}

vault_err tree_tenant_add(struct tree *t, const char *name, uint32_t *number)
{
	struct tenant_row row = {.generation = 1, .created_ms = clock_wall_ms()};
	uint8_t key[4], raw[TENANT_ROW];
	size_t n = strnlen(name, VAULT_TENANT_MAX + 1);
	vault_err err;

	if (t->dead || t->txn == NULL)
		return VAULT_E_STATE;
	if (!vault_tenant_valid(name, n))
		return VAULT_E_INVAL;
	row.number = t->staged.next_tenant;
	if (row.number >= TREE_TENANT_LIMIT)
		return VAULT_E_RANGE;
	memcpy(row.name, name, n);
	store_be32(key, row.number);
	if ((err = row_put(t, DB_TENANT_NAME, name, n, key, sizeof(key), MDB_NOOVERWRITE)) != VAULT_OK)
		return err;
	randombytes_buf(t->room->tenant, TENANT_SECRET_BYTES);
	err = tenant_seal(t, &row, t->room->tenant, t->room->root);
	secret_wipe(t->room->tenant, TENANT_SECRET_BYTES);
	if (err != VAULT_OK)
		return err;
	tenant_encode(&row, raw);
	if ((err = row_put(t, DB_TENANT, key, sizeof(key), raw, sizeof(raw), MDB_NOOVERWRITE)) != VAULT_OK)
		return err == VAULT_E_EXISTS ? VAULT_E_CORRUPT : err;
	t->staged.next_tenant++;
	if ((err = head_store(t)) == VAULT_OK)
		*number = row.number;
	return err;
}

vault_err tree_tenant_find(struct tree *t, const char *name, uint32_t *number)
{
	size_t n = strnlen(name, VAULT_TENANT_MAX + 1);
	uint8_t raw[4];
	struct view v;
	vault_err err;

	if (!vault_tenant_valid(name, n))
		return VAULT_E_NOTFOUND;
	if ((err = view_begin(t, &v)) != VAULT_OK)
		return err;
	if ((err = row_get(t, v.txn, DB_TENANT_NAME, name, n, raw, sizeof(raw))) == VAULT_OK)
		*number = load_be32(raw);
	view_end(t, &v);
	return err;
}

vault_err tree_tenant_name(struct tree *t, uint32_t number, char out[VAULT_TENANT_MAX + 1])
{
	struct tenant_row row;
	struct view v;
	vault_err err;

	if ((err = view_begin(t, &v)) != VAULT_OK)
		return err;
	if ((err = tenant_load(t, v.txn, number, &row)) == VAULT_OK)
		memcpy(out, row.name, sizeof(row.name));
	view_end(t, &v);
	return err;
}

static vault_err buckets_of(struct tree *t, MDB_txn *txn, uint32_t tenant, uint32_t *out)
{
	const struct bucket_id first = {.tenant = tenant};
	uint8_t key[BUCKET_KEY_BYTES];
	MDB_val k = {.mv_size = sizeof(key), .mv_data = key}, v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(txn, t->db[DB_BUCKET], &c);

	if (rc != 0)
		return lmdb_err(rc);
	bucket_key_of(&first, key);
	*out = 0;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && k.mv_size == BUCKET_KEY_BYTES && load_be32(k.mv_data) == tenant) {
		++*out;
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? VAULT_OK : lmdb_err(rc);
}

vault_err tree_tenant_key(struct tree *t, uint32_t tenant, uint32_t *generation, uint64_t *created_ms,
    uint32_t *buckets)
{
	struct tenant_row row;
	struct view v;
	vault_err err;

	if ((err = view_begin(t, &v)) != VAULT_OK)
		return err;
	if ((err = tenant_load(t, v.txn, tenant, &row)) == VAULT_OK &&
	    (err = buckets_of(t, v.txn, tenant, buckets)) == VAULT_OK) {
		*generation = row.generation;
		*created_ms = row.created_ms;
	}
	view_end(t, &v);
	return err;
}

vault_err tree_token(struct tree *t, uint32_t tenant, const char *label, const char *text, uint8_t out[TOKEN_BYTES])
{
	const struct kdf_part parts[] = {{label, strlen(label)}, {text, strlen(text)}};
	uint8_t full[16];
	struct view v;
	vault_err err;

	if ((err = view_begin(t, &v)) != VAULT_OK)
		return err;
	err = tenant_open(t, v.txn, tenant);
	view_end(t, &v);
	if (err == VAULT_OK)
		err = kdf(full, sizeof(full), t->room->tenant + KEY_BYTES, "vault token v1", parts, 2);
	if (err == VAULT_OK)
		memcpy(out, full, TOKEN_BYTES);
	secret_wipe(full, sizeof(full));
	secret_wipe(t->room->tenant, TENANT_SECRET_BYTES);
	return err;
}

#define SECRET_NAME_MAX 32u

static bool secret_name_valid(const char *name)
{
	size_t n = strnlen(name, SECRET_NAME_MAX + 1);

	return n > 0 && n <= SECRET_NAME_MAX;
}

vault_err tree_root_secret_put(struct tree *t, const char *name, const void *p, size_t n)
{
	uint8_t raw[ROOT_SECRET_MAX + WRAP_OVERHEAD];
	vault_err err;

	if (t->dead || t->txn == NULL)
		return VAULT_E_STATE;
	if (n == 0 || n > ROOT_SECRET_MAX || !secret_name_valid(name))
		return VAULT_E_INVAL;
	const struct wrap_ad ad = ad_of(t, 'S', name, strlen(name));
	if ((err = aead_wrap(raw, p, n, ad.b, ad.n, t->room->root)) != VAULT_OK)
		return err;
	return row_put(t, DB_SECRET, name, strlen(name), raw, n + WRAP_OVERHEAD, 0);
}

vault_err tree_root_secret_get(struct tree *t, const char *name, void *p, size_t n)
{
	uint8_t raw[ROOT_SECRET_MAX + WRAP_OVERHEAD];
	struct view v;
	vault_err err;

	if (n == 0 || n > ROOT_SECRET_MAX || !secret_name_valid(name))
		return VAULT_E_INVAL;
	if ((err = view_begin(t, &v)) != VAULT_OK)
		return err;
	err = row_get(t, v.txn, DB_SECRET, name, strlen(name), raw, n + WRAP_OVERHEAD);
	view_end(t, &v);
	if (err != VAULT_OK)
		return err;
	const struct wrap_ad ad = ad_of(t, 'S', name, strlen(name));
	return aead_unwrap(p, raw, n + WRAP_OVERHEAD, ad.b, ad.n, t->room->root);
}

vault_err root_secrets_rewrap(struct tree *t)
{
	uint8_t raw[ROOT_SECRET_MAX + WRAP_OVERHEAD];
	MDB_val k, v;
	MDB_cursor *c;
	vault_err err = VAULT_OK;
	int rc = mdb_cursor_open(t->txn, t->db[DB_SECRET], &c);

	if (rc != 0)
		return lmdb_err(rc);
	while (err == VAULT_OK && (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		if (v.mv_size <= WRAP_OVERHEAD || v.mv_size > sizeof(raw) || k.mv_size > SECRET_NAME_MAX) {
			err = VAULT_E_CORRUPT;
			break;
		}
		const struct wrap_ad ad = ad_of(t, 'S', k.mv_data, k.mv_size);
		size_t n = v.mv_size - WRAP_OVERHEAD;
		if ((err = aead_unwrap(t->room->small, v.mv_data, v.mv_size, ad.b, ad.n, t->room->root)) != VAULT_OK)
			break;
		if ((err = aead_wrap(raw, t->room->small, n, ad.b, ad.n, t->room->next_root)) != VAULT_OK)
			break;
		v.mv_data = raw;
		err = lmdb_err(mdb_cursor_put(c, &k, &v, MDB_CURRENT));
	}
	secret_wipe(t->room->small, ROOT_SECRET_MAX);
	mdb_cursor_close(c);
	return err != VAULT_OK ? err : rc == MDB_NOTFOUND ? VAULT_OK : lmdb_err(rc);
}
