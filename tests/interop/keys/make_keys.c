/*
 * make_keys.c - a key tree with some life behind it, and what must be in it.
 *
 *   make_keys [PASSPHRASE]
 *
 * Prints the directory that it made, then one line an item: id, tenant name,
 * expiry, recording key, tokens. The reader removes the directory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/secret.h"
#include "keeper/root_store.h"
#include "tree_dir.h"

#define ITEMS 60u
#define NOW_S 1700000000u

static void must(vault_err err, const char *what)
{
	if (err == VAULT_OK)
		return;
	(void)fprintf(stderr, "make_keys: %s: %s\n", what, vault_strerror(err));
	exit(1);
}

static void print_item(struct tree *t, const vault_id *id, struct tree_secret *s)
{
	char id_text[VAULT_ID_TEXT], name[VAULT_TENANT_MAX + 1], hex[2 * sizeof(*s) + 1];
	struct tree_item item;
	vault_err err = tree_item_open(t, id, &item, s);

	if (err == VAULT_E_NOTFOUND)
		return;
	must(err, "open");
	must(tree_tenant_name(t, item.tenant, name), "name");
	vault_id_format(id, id_text);
	hex_encode(s, sizeof(*s), hex);
	(void)printf("item %s %s %llu %s\n", id_text, name, (unsigned long long)item.expires_s, hex);
}

int main(int argc, char **argv)
{
	struct tree_dir d;
	struct tree *t;
	uint32_t tenants[2];
	vault_id ids[ITEMS];
	struct tree_secret *s;
	struct forget_result r;
	uint8_t small[32];

	must(secret_setup(), "setup");
	root_store_test_small = true;
	tree_dir_make(&d);
	d.pass = argc > 1 ? argv[1] : NULL;
	must(tree_dir_open(&d, &t), "open");
	(void)printf("dir %s\n", d.path);
	if ((s = secret_alloc(sizeof(*s))) == NULL)
		return 1;
	must(tree_begin(t), "begin");
	must(tree_tenant_add(t, "acme", &tenants[0]), "tenant");
	must(tree_tenant_add(t, "beta", &tenants[1]), "tenant");
	memset(small, 0x77, sizeof(small));
	must(tree_root_secret_put(t, "example", small, sizeof(small)), "secret");
	for (unsigned i = 0; i < ITEMS; i++) {
		struct tree_item item = {.id = vault_id_new(NOW_S * 1000ull + i), .tenant = tenants[i % 2],
		    .expires_s = NOW_S + i * 10000u, .policy = i, .media = 1, .bytes = i * 1000ull, .segments = i, .source = 9};
		must(tree_token(t, item.tenant, "number", "+31201234567", s->caller), "token");
		memset(s->callee, (int)i, TOKEN_BYTES);
		must(tree_item_add(t, &item, s), "add");
		ids[i] = item.id;
	}
	must(tree_commit(t), "commit");
	must(tree_begin(t), "begin");
	for (unsigned i = 0; i < ITEMS; i += 7)
		must(tree_item_move(t, &ids[i], NOW_S + 50000u + i), "move");
	must(tree_doom(t, &ids[59]), "doom");
	must(tree_commit(t), "commit");
	must(tree_forget(t, NOW_S + 45000u, NULL, NULL, &r), "forget");
	must(tree_rotate_tenant(t, tenants[1]), "rotate");
	for (unsigned i = 0; i < ITEMS; i++)
		print_item(t, &ids[i], s);
	secret_free(s);
	tree_close(t);
	return 0;
}
