/*
 * bucket.h - sealed items that expire together: at most BUCKET_MAX of one
 * tenant and one day of expiry under one key.
 *
 * All changes go into the tree's open transaction.
 */
#ifndef VAULT_KEEPER_BUCKET_H
#define VAULT_KEEPER_BUCKET_H

#include "keeper/key_tree_internal.h"

#define BUCKET_REKEY 1u              /* a stale sealed copy may lie under this key: new key in the next pass */
#define BUCKET_NEVER UINT64_MAX

struct bucket {
	struct bucket_id id;
	uint32_t flags;
	uint32_t count;              /* members */
	uint64_t earliest;           /* no member that is not held expires before; BUCKET_NEVER when all are held */
	uint8_t wrapped[BUCKET_WRAPPED];
};

void bucket_key_of(const struct bucket_id *id, uint8_t out[BUCKET_KEY_BYTES]);
struct bucket_id bucket_id_from(const uint8_t key[BUCKET_KEY_BYTES]);
int bucket_id_compare(const struct bucket_id *a, const struct bucket_id *b);

VAULT_NODISCARD vault_err bucket_decode(const MDB_val *key, const MDB_val *v, struct bucket *out);
VAULT_NODISCARD vault_err bucket_load(struct tree *t, MDB_txn *txn, const struct bucket_id *id, struct bucket *out);
/* Writes the row and keeps the due index in step with it; old is the row as it was loaded, NULL for a new bucket. */
VAULT_NODISCARD vault_err bucket_store(struct tree *t, const struct bucket *b, const struct bucket *old);
/* Removes the row, its due entry, its work entry and all its members. */
VAULT_NODISCARD vault_err bucket_drop(struct tree *t, const struct bucket *b);

/* Wrap and unwrap its key under tenant_key. */
VAULT_NODISCARD vault_err bucket_seal(struct tree *t, struct bucket *b, const uint8_t key[KEY_BYTES],
    const uint8_t tenant_key[KEY_BYTES]);
VAULT_NODISCARD vault_err bucket_unseal(struct tree *t, const struct bucket *b, uint8_t key[KEY_BYTES],
    const uint8_t tenant_key[KEY_BYTES]);

/*
 * A bucket with room for one more, its key in room->bucket; room->tenant holds
 * the tenant's keys. fresh: only one that this transaction made.
 */
VAULT_NODISCARD vault_err bucket_pick(struct tree *t, uint32_t tenant, uint32_t day, bool fresh, struct bucket *out);
/* Adds a member that expires at expires_s (BUCKET_NEVER: held). */
VAULT_NODISCARD vault_err bucket_join(struct tree *t, struct bucket *b, const vault_id *id, uint64_t expires_s);
/* Takes a member out and flags the bucket, whose old pages still hold its sealed copy. */
VAULT_NODISCARD vault_err bucket_leave(struct tree *t, const struct bucket_id *bid, const vault_id *id);
/*
 * key_tree_root.c: moves every bucket of a tenant from room->tenant to
 * room->next_tenant. fn sees each with its key in room->bucket; when it sets
 * *done it has stored or dropped the bucket itself.
 */
typedef vault_err (*turn_bucket_fn)(void *arg, struct tree *t, const struct bucket *b, bool *done);
VAULT_NODISCARD vault_err tenant_buckets_turn(struct tree *t, uint32_t tenant, turn_bucket_fn fn, void *arg);
/* Lowers the earliest expiry to expires_s. */
VAULT_NODISCARD vault_err bucket_due_by(struct tree *t, const struct bucket_id *bid, uint64_t expires_s);

#endif
