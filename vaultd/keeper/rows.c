/*
 * rows.c - the keeper's own tables in the key tree's LMDB. See rows.h.
 */
#include "keeper/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define ROW_KEY_MAX 128u
#define ROW_JSON_MAX (64u * 1024)

static const char *const table_names[ROWS_COUNT] = {
	[ROWS_META] = "meta.keeper", [ROWS_POLICY] = "policy", [ROWS_SOURCE] = "source",
	[ROWS_CREDENTIAL] = "credential", [ROWS_PRINCIPAL] = "principal", [ROWS_JTI] = "jti",
	[ROWS_PENDING] = "pending", [ROWS_BATCH] = "batch",
};

vault_err rows_open(struct rows *r, struct tree *tree)
{
	vault_err err = tree_begin(tree);

	if (err != VAULT_OK)
		return err;
	r->tree = tree;
	for (size_t i = 0; i < ROWS_COUNT && err == VAULT_OK; i++)
		err = lmdb_err(mdb_dbi_open(tree_txn(tree), table_names[i], MDB_CREATE, &r->dbi[i]));
	if (err != VAULT_OK) {
		tree_abort(tree);
		return err;
	}
	return tree_commit(tree);
}

static vault_err key_of(MDB_val *k, const void *key, size_t key_len)
{
	if (key_len == 0 || key_len > ROW_KEY_MAX)
		return VAULT_E_INVAL;
	k->mv_data = (void *)(uintptr_t)key;
	k->mv_size = key_len;
	return VAULT_OK;
}

vault_err rows_get(struct rows *r, enum rows_table table, const void *key, size_t key_len, const uint8_t **value,
    size_t *value_len)
{
	MDB_val k, v;
	vault_err err = key_of(&k, key, key_len);

	if (err == VAULT_OK)
		err = lmdb_err(mdb_get(tree_txn(r->tree), r->dbi[table], &k, &v));
	if (err != VAULT_OK)
		return err;
	*value = v.mv_data;
	*value_len = v.mv_size;
	return VAULT_OK;
}

vault_err rows_put(struct rows *r, enum rows_table table, const void *key, size_t key_len, const void *value,
    size_t value_len)
{
	MDB_val k, v = { .mv_size = value_len, .mv_data = (void *)(uintptr_t)value };
	vault_err err = key_of(&k, key, key_len);

	return err != VAULT_OK ? err : lmdb_err(mdb_put(tree_txn(r->tree), r->dbi[table], &k, &v, 0));
}

vault_err rows_delete(struct rows *r, enum rows_table table, const void *key, size_t key_len)
{
	MDB_val k;
	vault_err err = key_of(&k, key, key_len);

	return err != VAULT_OK ? err : lmdb_err(mdb_del(tree_txn(r->tree), r->dbi[table], &k, NULL));
}

vault_err rows_next(struct rows *r, enum rows_table table, const void *after, size_t after_len, struct row_view *row)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc = mdb_cursor_open(tree_txn(r->tree), r->dbi[table], &cursor);

	if (rc != MDB_SUCCESS)
		return lmdb_err(rc);
	if (after == NULL) {
		rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	} else {
		k.mv_data = (void *)(uintptr_t)after;
		k.mv_size = after_len;
		rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
		if (rc == MDB_SUCCESS && k.mv_size == after_len && memcmp(k.mv_data, after, after_len) == 0)
			rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	if (rc == MDB_NOTFOUND)
		return VAULT_E_EOF;
	if (rc != MDB_SUCCESS)
		return lmdb_err(rc);
	*row = (struct row_view){ .key = k.mv_data, .key_len = k.mv_size, .value = v.mv_data, .value_len = v.mv_size };
	return VAULT_OK;
}

vault_err rows_get_json(struct rows *r, enum rows_table table, const void *key, size_t key_len, json_t **out)
{
	const uint8_t *value;
	size_t n;
	vault_err err = rows_get(r, table, key, key_len, &value, &n);

	if (err != VAULT_OK)
		return err;
	err = json_read((const char *)value, n, ROW_JSON_MAX, out);
	return err == VAULT_OK || err == VAULT_E_NOMEM ? err : VAULT_E_CORRUPT;
}

vault_err rows_put_json(struct rows *r, enum rows_table table, const void *key, size_t key_len, const json_t *value)
{
	size_t n;
	char *text = json_write(value, &n);
	vault_err err;

	if (text == NULL)
		return VAULT_E_NOMEM;
	err = n > ROW_JSON_MAX ? VAULT_E_RANGE : rows_put(r, table, key, key_len, text, n);
	free(text);
	return err;
}
