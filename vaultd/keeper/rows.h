/*
 * rows.h - the keeper's own tables, beside the key tree in the same LMDB.
 *
 * Every call needs an open transaction (tree_begin): what is written here
 * becomes durable with the tree's commit, or not at all. Views that rows_get
 * gives die with the next write. Nothing in these tables is secret or personal.
 */
#ifndef VAULT_KEEPER_ROWS_H
#define VAULT_KEEPER_ROWS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "keeper/key_tree.h"

enum rows_table {
	ROWS_META,           /* "audit", "clock", "jti", "source" */
	ROWS_POLICY,         /* tenant -> JSON */
	ROWS_SOURCE,         /* u32be number -> JSON */
	ROWS_CREDENTIAL,     /* kind byte, SHA-256 -> u32be source number */
	ROWS_PRINCIPAL,      /* kid -> JSON */
	ROWS_JTI,            /* kid:jti -> u64le expiry */
	ROWS_PENDING,        /* payload SHA-256 -> JSON */
	ROWS_BATCH,          /* batch id -> struct of retention.c */
	ROWS_COUNT
};

struct rows {
	struct tree *tree;
	MDB_dbi dbi[ROWS_COUNT];
};

/* Opens or makes the tables; commits its own transaction. */
VAULT_NODISCARD vault_err rows_open(struct rows *r, struct tree *tree);
VAULT_NODISCARD vault_err rows_get(struct rows *r, enum rows_table table, const void *key, size_t key_len,
    const uint8_t **value, size_t *value_len);
VAULT_NODISCARD vault_err rows_put(struct rows *r, enum rows_table table, const void *key, size_t key_len,
    const void *value, size_t value_len);
/* VAULT_E_NOTFOUND when there was none. */
VAULT_NODISCARD vault_err rows_delete(struct rows *r, enum rows_table table, const void *key, size_t key_len);

struct row_view {
	const uint8_t *key, *value;
	size_t key_len, value_len;
};
/*
 * First row whose key is behind after (NULL: the first of all). VAULT_E_EOF at
 * the end. Rows may be written and deleted between calls.
 */
VAULT_NODISCARD vault_err rows_next(struct rows *r, enum rows_table table, const void *after, size_t after_len,
    struct row_view *row);

/* JSON rows. *out is a new reference. VAULT_E_CORRUPT when the row is not JSON. */
VAULT_NODISCARD vault_err rows_get_json(struct rows *r, enum rows_table table, const void *key, size_t key_len,
    json_t **out);
VAULT_NODISCARD vault_err rows_put_json(struct rows *r, enum rows_table table, const void *key, size_t key_len,
    const json_t *value);

#endif
