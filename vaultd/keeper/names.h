/*
 * names.h - which recording a sender's upload name belongs to (seven days).
 *
 * In memory only: keyed hashes under a key of this process, made from the name
 * tokens inside the sealed items when a tenant is first asked about. Nothing on
 * disk tells names apart.
 */
#ifndef VAULT_KEEPER_NAMES_H
#define VAULT_KEEPER_NAMES_H

#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "keeper/idmap.h"
#include "keeper/key_tree.h"

#define NAMES_MAX 4000000u
#define NAMES_LIFE_MS (7ull * 86400 * 1000)

struct names {
	uint8_t *key;                /* secret_alloc, KEY_BYTES */
	struct idmap map;            /* keyed hash of (tenant, token) -> id */
	struct idmap tenants;        /* tenants that were read in */
};

VAULT_NODISCARD vault_err names_init(struct names *n);
void names_free(struct names *n);
/*
 * The recording of this token, if it is still there: VAULT_E_NOTFOUND else.
 * room: secret memory for opening items. Reads the tenant in when needed.
 */
VAULT_NODISCARD vault_err names_find(struct names *n, struct tree *tree, struct tree_secret *room, uint32_t tenant,
    const uint8_t token[TOKEN_BYTES], uint64_t now_ms, struct tree_item *item);
VAULT_NODISCARD vault_err names_add(struct names *n, uint32_t tenant, const uint8_t token[TOKEN_BYTES],
    const vault_id *id);
/* Drops names of recordings older than seven days. */
void names_sweep(struct names *n, uint64_t now_ms);

#endif
