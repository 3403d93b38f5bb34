/*
 * forget_plan.h - what one pass of forgetting will do, worked out before it
 * does anything.
 */
#ifndef VAULT_KEEPER_FORGET_PLAN_H
#define VAULT_KEEPER_FORGET_PLAN_H

#include "keeper/bucket.h"

/* An item of the pass with its sealed part as it was. */
struct gone {
	struct tree_item item;
	uint8_t wrapped[ITEM_WRAPPED];
};

struct plan {
	struct bucket before;            /* as it was, under the old tenant key */
	uint64_t earliest;               /* of the survivors */
	uint32_t survivors;
	size_t first, n;                 /* its items in pass.gone */
};

/* A growing array; its elements are moved with realloc and hold no plaintext secret. */
struct list {
	void *p;
	size_t n, cap, size;
};

struct pass {
	uint64_t now_s;
	struct list buckets;             /* struct bucket_id: candidates */
	struct list plans;               /* struct plan, sorted by bucket */
	struct list gone;                /* struct gone, grouped by plan */
	struct list tenants;             /* struct tenant_row as they were */
	size_t next_plan;
	struct forget_result *out;
};

/* A new element of a list, not initialised. */
VAULT_NODISCARD vault_err pass_list_add(struct list *l, size_t size, void **slot);
struct plan *pass_plan_at(const struct pass *p, size_t i);
struct gone *pass_gone_at(const struct pass *p, size_t i);
void pass_free(struct pass *p);

/* Calls fn for each member of a bucket with its row. fn may change the row, not the membership. */
typedef vault_err (*member_fn)(void *arg, struct tree *t, MDB_cursor *items, MDB_val *key, struct item_row *row);
VAULT_NODISCARD vault_err bucket_members(struct tree *t, const struct bucket_id *bid, uint32_t count, member_fn fn,
    void *arg);

/*
 * Fills plans and gone, in the open transaction: the buckets of everything
 * doomed, every bucket with a stale sealed copy, and what is due at now_s.
 */
VAULT_NODISCARD vault_err pass_plan(struct tree *t, struct pass *p);

#endif
