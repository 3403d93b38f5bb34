/*
 * key_tree_internal.h - what the files of the key tree share.
 *
 * Layouts of every row are in docs/FORMAT.md, "Keys"; the numbers here are
 * asserted against each other at compile time. Integers in values are
 * little-endian, integers in keys big-endian so that they sort.
 */
#ifndef VAULT_KEEPER_KEY_TREE_INTERNAL_H
#define VAULT_KEEPER_KEY_TREE_INTERNAL_H

#include <assert.h>

#include "crypto/aead.h"
#include "keeper/key_hooks.h"
#include "keeper/key_tree.h"
#include "keeper/root_store.h"

/* X(id, name, LMDB flags) */
#define TREE_DBS(X) \
	X(HEAD, "head", 0) \
	X(TENANT, "tenant", 0) \
	X(TENANT_NAME, "tenant_name", 0) \
	X(BUCKET, "bucket", 0) \
	X(MEMBER, "member", MDB_DUPSORT | MDB_DUPFIXED) \
	X(ITEM, "item", 0) \
	X(DUE, "due", 0) \
	X(WORK, "work", 0) \
	X(SECRET, "secret", 0)
enum tree_db {
#define X(id, name, flags) DB_##id,
	TREE_DBS(X)
#undef X
	DB_COUNT
};

#define TREE_FORMAT 1u
#define TREE_DBS_MAX 64u                     /* ours and those of the keeper's other modules */
#define TREE_MAP_BYTES (64ull << 30)         /* address space, not memory or disk */
#define TREE_RESERVE_BYTES (16ll << 20)      /* disk space kept for a shred on a full disk */

#define TREE_RESERVE_STEP (1ll << 20)

#define TENANT_SECRET_BYTES (2u * KEY_BYTES) /* tenant key, search key */
#define TENANT_WRAPPED (TENANT_SECRET_BYTES + WRAP_OVERHEAD)
#define BUCKET_WRAPPED (KEY_BYTES + WRAP_OVERHEAD)
#define ITEM_SECRET_BYTES (KEY_BYTES + 3u * TOKEN_BYTES)
#define ITEM_WRAPPED (ITEM_SECRET_BYTES + WRAP_OVERHEAD)
#define CANARY_BYTES 16u
#define ROOT_SECRET_MAX 64u

#define BUCKET_KEY_BYTES 12u                 /* be32 tenant, be32 day, be32 part */
#define DUE_KEY_BYTES (8u + BUCKET_KEY_BYTES)
#define BUCKET_ROW (16u + BUCKET_WRAPPED)    /* u32 flags, u32 count, u64 earliest, wrapped */
#define ITEM_CLEAR 30u                       /* see item_encode */
#define ITEM_ROW (ITEM_CLEAR + ITEM_WRAPPED)
#define TENANT_ROW (48u + TENANT_WRAPPED)    /* u32 generation, u32 zero, u64 created, name[32], wrapped */
#define HEAD_ROW (48u + CANARY_BYTES + WRAP_OVERHEAD)

static_assert(sizeof(struct tree_secret) == ITEM_SECRET_BYTES, "a secret is sealed as it lies in memory");
static_assert(BUCKET_ROW == 72 && ITEM_ROW == 110 && TENANT_ROW == 136 && HEAD_ROW == 88, "docs/FORMAT.md");

#define SECONDS_PER_DAY 86400u
#define TREE_TENANT_LIMIT (1u << 24)         /* numbers are stored in 3 bytes */
#define TREE_PART_LIMIT (1u << 24)
#define TREE_EXPIRY_LIMIT (1ull << 40)
#define TREE_BYTES_LIMIT (1ull << 48)
#define TREE_SEGMENT_LIMIT (1u << 24)

struct bucket_id {
	uint32_t tenant;
	uint32_t day;                        /* of expiry: Unix seconds / 86400 */
	uint32_t part;
};

/* One row of "head": the whole tree's state. Its epoch decides which root slot is the living one. */
struct tree_head {
	uint32_t next_tenant;
	uint64_t epoch;
	uint64_t root_created_ms;
	vault_id vault;
	uint8_t canary[CANARY_BYTES + WRAP_OVERHEAD];
};

/* Every plaintext key of the tree lives here, in secret_alloc memory, only as long as a call needs it. */
struct key_room {
	uint8_t root[KEY_BYTES];             /* the living root key: held while the tree is open */
	struct root_slot slot[2];
	uint8_t next_root[KEY_BYTES];
	uint8_t tenant[TENANT_SECRET_BYTES];
	uint8_t next_tenant[TENANT_SECRET_BYTES];
	uint8_t bucket[KEY_BYTES];
	uint8_t next_bucket[KEY_BYTES];
	struct tree_secret item;
	uint8_t small[ROOT_SECRET_MAX];
};

#define TREE_FRESH 256u

struct tree {
	MDB_env *env;
	MDB_dbi db[DB_COUNT];
	MDB_txn *txn;                        /* the open write transaction, or NULL */
	MDB_txn *reader;                     /* reset between uses; renewed when reader_depth leaves 0 */
	unsigned reader_depth;
	struct root_store *root;
	struct key_room *room;
	struct tree_head head;               /* as committed */
	struct tree_head staged;             /* as the open transaction will leave it */
	int keys_fd;                         /* own descriptors, locked with flock while the tree is open */
	int root_fd;
	int reserve_fd;
	bool reserve_out;                    /* its space is given back until the transaction ends */
	bool reserve_short;                  /* said so in the log */
	bool dead;                           /* a commit or an erase failed half-way: only a restart knows the truth */
	/*
	 * Buckets made by the open transaction. A moved item goes into one of these
	 * only: if the transaction is lost, its pages may still lie in the file, and
	 * a copy under an older bucket's key would outlive the item.
	 */
	struct bucket_id fresh[TREE_FRESH];
	unsigned fresh_count;                /* total made; the last TREE_FRESH are remembered */
};

/* A consistent look at the database: the write transaction when one is open, else the reader. */
struct view {
	MDB_txn *txn;
	bool reader;
};
VAULT_NODISCARD vault_err view_begin(struct tree *t, struct view *v);
void view_end(struct tree *t, struct view *v);

/* key_tree.c: rows. get: VAULT_E_CORRUPT when the row is not exactly n bytes. */
VAULT_NODISCARD vault_err row_get(struct tree *t, MDB_txn *txn, enum tree_db db, const void *key, size_t key_len,
    void *out, size_t n);
VAULT_NODISCARD vault_err row_put(struct tree *t, enum tree_db db, const void *key, size_t key_len, const void *p,
    size_t n, unsigned flags);
VAULT_NODISCARD vault_err row_del(struct tree *t, enum tree_db db, const void *key, size_t key_len);
VAULT_NODISCARD vault_err head_load(struct tree *t, MDB_txn *txn, struct tree_head *h);
VAULT_NODISCARD vault_err head_store(struct tree *t);        /* stages t->staged */
void store_le(uint8_t *p, uint64_t v, unsigned bytes);
uint64_t load_le(const uint8_t *p, unsigned bytes);

/* Associated data of the wraps: the level's letter, the vault id, then the place. */
#define WRAP_AD_MAX 96u
struct wrap_ad {
	uint8_t b[WRAP_AD_MAX];
	size_t n;
};
struct wrap_ad ad_of(const struct tree *t, char level, const void *place, size_t n);

/* key_tree_tenant.c */
struct tenant_row {
	uint32_t number;
	uint32_t generation;                 /* times its key was drawn */
	uint64_t created_ms;
	char name[VAULT_TENANT_MAX + 1];
	uint8_t wrapped[TENANT_WRAPPED];
};
VAULT_NODISCARD vault_err tenant_decode(uint32_t number, const MDB_val *v, struct tenant_row *out);
void tenant_encode(const struct tenant_row *row, uint8_t out[TENANT_ROW]);
VAULT_NODISCARD vault_err tenant_load(struct tree *t, MDB_txn *txn, uint32_t number, struct tenant_row *out);
VAULT_NODISCARD vault_err tenant_seal(struct tree *t, struct tenant_row *row, const uint8_t keys[TENANT_SECRET_BYTES],
    const uint8_t root[KEY_BYTES]);
VAULT_NODISCARD vault_err tenant_unseal(struct tree *t, const struct tenant_row *row, uint8_t keys[TENANT_SECRET_BYTES],
    const uint8_t root[KEY_BYTES]);
/* Loads and unwraps into t->room->tenant. */
VAULT_NODISCARD vault_err tenant_open(struct tree *t, MDB_txn *txn, uint32_t number);
VAULT_NODISCARD vault_err root_secrets_rewrap(struct tree *t);     /* from room->root to room->next_root */

/* key_tree_item.c */
struct item_row {
	struct tree_item item;
	uint8_t wrapped[ITEM_WRAPPED];
};
VAULT_NODISCARD vault_err item_decode(const vault_id *id, const MDB_val *v, struct item_row *out);
VAULT_NODISCARD vault_err item_encode(const struct item_row *row, uint8_t out[ITEM_ROW]);
struct bucket_id item_bucket(const struct tree_item *item);
VAULT_NODISCARD vault_err item_seal(struct tree *t, struct item_row *row, const struct tree_secret *s,
    const uint8_t bucket_key[KEY_BYTES]);
VAULT_NODISCARD vault_err item_unseal(struct tree *t, const struct item_row *row, struct tree_secret *s,
    const uint8_t bucket_key[KEY_BYTES]);

/* "work": what the next pass has to do. key = kind, then a bucket key or an item id. */
#define WORK_BUCKET 'B'
#define WORK_ITEM 'I'
VAULT_NODISCARD vault_err work_put(struct tree *t, char kind, const void *what, size_t n);
VAULT_NODISCARD vault_err work_del(struct tree *t, char kind, const void *what, size_t n);

/*
 * key_tree_open.c: the space kept for forgetting. Whoever dooms or turns
 * releases it first; the end of the transaction takes it back.
 */
void reserve_release(struct tree *t);
void reserve_restore(struct tree *t);
/* Whether a failed commit certainly left the database as it was, because the disk is full. */
bool commit_was_full(struct tree *t, int rc);

/*
 * key_tree_root.c: step 3. turn_stage draws the next root key and re-wraps
 * every tenant and root secret under it in the open transaction. For a tenant
 * that fn takes (*taken), fn has put the tenant's new keys into
 * room->next_tenant and moved its buckets under them (old ones in room->tenant).
 */
typedef vault_err (*turn_tenant_fn)(void *arg, struct tree *t, const struct tenant_row *row, bool *taken);
VAULT_NODISCARD vault_err turn_stage(struct tree *t, turn_tenant_fn fn, void *arg);
/* Writes the slot, commits, erases the old slot: in this order. Ends the transaction in any case. */
VAULT_NODISCARD vault_err turn_commit(struct tree *t);
/* Wipes every key of the room but the root's. */
void turn_wipe(struct tree *t);
/* Draws new tenant keys into room->next_tenant; the search key stays. */
void tenant_redraw(struct tree *t);

/* key_tree_check.c: is the database file whole? Looks at pages without LMDB, reads no row. */
VAULT_NODISCARD vault_err tree_check_file(int keys_fd, const char **why);

#endif
