/*
 * key_tree.h - the keys and how they are forgotten (docs/FORMAT.md, "Keys").
 *
 *   root key R_e -> tenant key -> bucket key -> item (recording key + tokens)
 *
 * Owns keys/ (LMDB) and root/ through root_store.h. Every key is random; a key
 * at rest is always wrapped under its parent, never plain. Single-threaded.
 *
 * Changes are staged between tree_begin and tree_commit in one LMDB write
 * transaction; tree_abort undoes them. Other keeper modules (policy, principal,
 * jti, pending, audit state) put their rows into the same transaction through
 * tree_txn(), so that one commit makes an event whole.
 *
 * Forgetting: mark with tree_doom (committed: the intent survives a crash),
 * then tree_forget runs the four steps for everything doomed or due in one
 * pass. After a crash tree_open rolls forward to a clean state; doomed items
 * remain doomed and the next tree_forget finishes them. An item that left a
 * bucket, or was rewritten in it, leaves a stale sealed copy in old pages: its
 * bucket is flagged and gets a new key in the next pass, whoever asked for it.
 */
#ifndef VAULT_KEEPER_KEY_TREE_H
#define VAULT_KEEPER_KEY_TREE_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "crypto/kdf.h"
#include "lmdb_err.h"

#define BUCKET_MAX 4096u
#define TOKEN_BYTES 8u

struct tree;

struct tree_options {
	int keys_fd;                 /* directory of the LMDB */
	int root_fd;                 /* directory of the root store */
	bool create;                 /* make a new tree when both are empty */
	bool allow_cow;              /* a root on a copy-on-write file system is accepted */
	const uint8_t *pass;         /* passphrase mixed into the root, or NULL */
	size_t pass_len;
	uint64_t now_ms;
};

/* why, when not NULL, gets a sentence for the operator on failure (static storage). */
VAULT_NODISCARD vault_err tree_open(struct tree **t, const struct tree_options *o, const char **why);
void tree_close(struct tree *t);
const vault_id *tree_vault_id(const struct tree *t);
uint64_t tree_root_epoch(const struct tree *t);

VAULT_NODISCARD vault_err tree_begin(struct tree *t);
MDB_txn *tree_txn(struct tree *t);                      /* the open write transaction */
VAULT_NODISCARD vault_err tree_commit(struct tree *t);  /* durable on return */
/*
 * VAULT_E_FULL from a commit: the disk is full, nothing changed, the tree goes
 * on. Any other failure is fatal for the keeper: only a restart knows what the
 * disk holds, and until then every call answers VAULT_E_STATE.
 */
void tree_abort(struct tree *t);

/* Tenants. number is the tenant's short id inside the tree. */
VAULT_NODISCARD vault_err tree_tenant_add(struct tree *t, const char *name, uint32_t *number);
VAULT_NODISCARD vault_err tree_tenant_find(struct tree *t, const char *name, uint32_t *number);
VAULT_NODISCARD vault_err tree_tenant_name(struct tree *t, uint32_t number, char out[VAULT_TENANT_MAX + 1]);

struct tree_item {
	vault_id id;
	uint32_t tenant;
	uint32_t bucket;             /* part of the bucket (tenant, expiry day, part) */
	uint64_t expires_s;          /* Unix seconds */
	uint32_t policy;
	uint8_t media;
	uint8_t flags;               /* ITEM_* */
	uint32_t segments;
	uint64_t bytes;
	uint32_t source;
};
#define ITEM_ENDED 1u
#define ITEM_TRUNCATED 2u
#define ITEM_DOOMED 4u
#define ITEM_HELD 8u
#define ITEM_RESTRICTED 16u

struct tree_secret {             /* lives in secret_alloc memory */
	uint8_t key[KEY_BYTES];      /* recording key */
	uint8_t caller[TOKEN_BYTES]; /* zero when absent */
	uint8_t callee[TOKEN_BYTES];
	uint8_t name[TOKEN_BYTES];
};

/* Keyed token of a number or name with the tenant's search key. */
VAULT_NODISCARD vault_err tree_token(struct tree *t, uint32_t tenant, const char *label, const char *text,
    uint8_t out[TOKEN_BYTES]);
/*
 * New item: the caller sets everything in item but the bucket, and the tokens
 * in secret; draws the recording key into secret, picks or makes the bucket for
 * (tenant, expiry day). The key may seal something only after tree_commit.
 */
VAULT_NODISCARD vault_err tree_item_add(struct tree *t, struct tree_item *item, struct tree_secret *secret);
VAULT_NODISCARD vault_err tree_item_get(struct tree *t, const vault_id *id, struct tree_item *item);
/* VAULT_E_NOTFOUND for doomed items too. Unwraps the whole path. */
VAULT_NODISCARD vault_err tree_item_open(struct tree *t, const vault_id *id, struct tree_item *item,
    struct tree_secret *secret);
/*
 * Clear fields only (media, flags, segments, bytes, policy, source); tenant,
 * bucket, expiry and ITEM_DOOMED stay as they are. A doomed item cannot be held any
 * more (VAULT_E_STATE).
 */
VAULT_NODISCARD vault_err tree_item_update(struct tree *t, const struct tree_item *item);
/*
 * Moves the item to the bucket of a new expiry; the old bucket is flagged for a
 * new key. Within one day nothing is sealed anew and only the time changes.
 */
VAULT_NODISCARD vault_err tree_item_move(struct tree *t, const vault_id *id, uint64_t expires_s);
/* Drop an item whose key never sealed anything (a voided open). Flags its bucket all the same. */
VAULT_NODISCARD vault_err tree_item_void(struct tree *t, const vault_id *id);
/* VAULT_E_DENIED for a held item; a second doom is fine. */
VAULT_NODISCARD vault_err tree_doom(struct tree *t, const vault_id *id);

/*
 * Calls fn for every item of a tenant (0 = all) with id time in [from_ms, to_ms),
 * in time order; stops when fn is not OK. fn may stage changes to the item.
 */
typedef vault_err (*tree_item_fn)(void *arg, const struct tree_item *item);
VAULT_NODISCARD vault_err tree_items(struct tree *t, uint32_t tenant, uint64_t from_ms, uint64_t to_ms,
    tree_item_fn fn, void *arg);

/*
 * One pass of forgetting at time now_s: everything doomed and everything whose
 * expires_s <= now_s and that is not held. on_gone is called for each item, in
 * the pass, before the keys die (stage audit rows and the batch record there).
 * Returns VAULT_E_NOTFOUND when there was nothing to do. Must be called with no
 * transaction open; commits itself. *checked counts the items that were tried
 * with the final keys and refused to open; it equals the items forgotten, else
 * the return is VAULT_E_AUTH and nothing may be certified.
 *
 * A pass takes everything doomed, and of what is due as much as the free disk
 * space and TREE_PASS_ITEMS allow: call again while tree_due says so. on_gone
 * may stage rows and call tree_tenant_name, tree_token and tree_root_secret_*,
 * nothing else of the tree. VAULT_E_FULL: nothing was forgotten, the tree goes
 * on. After a crash in a pass that had committed, its items are gone and the
 * rows that on_gone staged are there; checking them anew is not possible.
 */
#define TREE_PASS_ITEMS 131072u
struct forget_result {
	uint64_t epoch;              /* the new root epoch */
	uint32_t items, buckets_dropped, buckets_rekeyed, tenants;
	uint32_t checked;
};
VAULT_NODISCARD vault_err tree_forget(struct tree *t, uint64_t now_s, tree_item_fn on_gone, void *arg,
    struct forget_result *out);
/* Anything due at now_s, doomed or flagged? Cheap. *next_s: the next expiry, UINT64_MAX when none. */
VAULT_NODISCARD vault_err tree_due(struct tree *t, uint64_t now_s, bool *due, uint64_t *next_s);

/* New tenant key, buckets re-wrapped, then a new root (old tenant key opens nothing). Commits itself. */
VAULT_NODISCARD vault_err tree_rotate_tenant(struct tree *t, uint32_t tenant);
VAULT_NODISCARD vault_err tree_rotate_root(struct tree *t);

/* Small secrets wrapped under the root and re-wrapped with it (the audit signing seed). n <= 64. */
VAULT_NODISCARD vault_err tree_root_secret_put(struct tree *t, const char *name, const void *p, size_t n);
VAULT_NODISCARD vault_err tree_root_secret_get(struct tree *t, const char *name, void *p, size_t n);

struct tree_counts {
	uint64_t tenants, buckets, items, epoch;
	uint64_t root_created_ms;
};
VAULT_NODISCARD vault_err tree_count(struct tree *t, struct tree_counts *out);
/* Per tenant: buckets, generation (times its key was drawn) and when. */
VAULT_NODISCARD vault_err tree_tenant_key(struct tree *t, uint32_t tenant, uint32_t *generation, uint64_t *created_ms,
    uint32_t *buckets);

#endif
