/*
 * names.c - see names.h.
 */
#include "keeper/names.h"

#include <sodium.h>
#include <string.h>

#include "base/secret.h"
#include "base/wire.h"

static const uint8_t no_token[TOKEN_BYTES];

vault_err names_init(struct names *n)
{
	idmap_init(&n->map, sizeof(vault_id), NAMES_MAX);
	idmap_init(&n->tenants, 1, NAMES_MAX);
	n->key = secret_alloc(KEY_BYTES);
	if (n->key == NULL)
		return VAULT_E_NOMEM;
	randombytes_buf(n->key, KEY_BYTES);
	return VAULT_OK;
}

void names_free(struct names *n)
{
	idmap_free(&n->map);
	idmap_free(&n->tenants);
	secret_free(n->key);
	n->key = NULL;
}

static vault_err hash_of(const struct names *n, uint32_t tenant, const uint8_t token[TOKEN_BYTES],
    uint8_t out[IDMAP_KEY])
{
	uint8_t number[4];
	const struct kdf_part parts[] = { { number, sizeof(number) }, { token, TOKEN_BYTES } };

	store_le32(number, tenant);
	return kdf(out, IDMAP_KEY, n->key, "vault names v1", parts, 2);
}

vault_err names_add(struct names *n, uint32_t tenant, const uint8_t token[TOKEN_BYTES], const vault_id *id)
{
	uint8_t hash[IDMAP_KEY];
	void *value = NULL;
	vault_err err = hash_of(n, tenant, token, hash);

	if (err == VAULT_OK)
		err = idmap_put(&n->map, hash, &value);
	if (err == VAULT_OK)
		memcpy(value, id, sizeof(*id));
	/* A full map forgets the newest names; it never costs a recording, nor another tenant's. */
	return err == VAULT_E_FULL ? VAULT_OK : err;
}

struct read_in {
	struct names *names;
	struct tree *tree;
	struct tree_secret *room;
	uint32_t tenant;
};

static vault_err read_item(void *arg, const struct tree_item *item)
{
	struct read_in *r = arg;
	struct tree_item opened;
	vault_err err;

	if ((item->flags & ITEM_DOOMED) != 0)
		return VAULT_OK;
	err = tree_item_open(r->tree, &item->id, &opened, r->room);
	if (err == VAULT_OK && memcmp(r->room->name, no_token, TOKEN_BYTES) != 0)
		err = names_add(r->names, r->tenant, r->room->name, &item->id);
	secret_wipe(r->room, sizeof(*r->room));
	return err;
}

static vault_err read_tenant(struct names *n, struct tree *tree, struct tree_secret *room, uint32_t tenant,
    uint64_t now_ms)
{
	struct read_in r = { .names = n, .tree = tree, .room = room, .tenant = tenant };
	uint8_t key[IDMAP_KEY];
	void *value = NULL;
	vault_err err = hash_of(n, tenant, no_token, key);

	if (err != VAULT_OK || idmap_get(&n->tenants, key) != NULL)
		return err;
	uint64_t from = now_ms > NAMES_LIFE_MS ? now_ms - NAMES_LIFE_MS : 0;
	err = tree_items(tree, tenant, from, UINT64_MAX >> 16, read_item, &r);
	return err != VAULT_OK ? err : idmap_put(&n->tenants, key, &value);
}

vault_err names_find(struct names *n, struct tree *tree, struct tree_secret *room, uint32_t tenant,
    const uint8_t token[TOKEN_BYTES], uint64_t now_ms, struct tree_item *item)
{
	uint8_t hash[IDMAP_KEY];
	vault_err err = read_tenant(n, tree, room, tenant, now_ms);

	if (err == VAULT_OK)
		err = hash_of(n, tenant, token, hash);
	if (err != VAULT_OK)
		return err;
	const vault_id *id = idmap_get(&n->map, hash);
	if (id == NULL)
		return VAULT_E_NOTFOUND;
	err = tree_item_get(tree, id, item);
	if (err != VAULT_OK)
		return err;
	if ((item->flags & ITEM_DOOMED) != 0 || item->expires_s <= now_ms / 1000 ||
	    vault_id_time_ms(&item->id) + NAMES_LIFE_MS < now_ms)
		return VAULT_E_NOTFOUND;
	return VAULT_OK;
}

void names_sweep(struct names *n, uint64_t now_ms)
{
	const uint8_t *key;
	size_t at = 0;
	vault_id *id;

	while ((id = idmap_next(&n->map, &at, &key)) != NULL)
		if (vault_id_time_ms(id) + NAMES_LIFE_MS < now_ms)
			idmap_remove(&n->map, key);
}
