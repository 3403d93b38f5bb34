/*
 * test_keys.c - the key tree does what its header says: items, buckets,
 * rotation, one pass of forgetting. That nothing comes back is tests/oracle's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "tree_dir.h"

#define NOW_S 1700000000u
#define NOW_MS (NOW_S * 1000ull)
#define DAY 86400u
#define ROOT_SECRET_TEST 64

struct fix {
	struct tree_dir dir;
	struct tree *t;
	uint32_t a, b;
	struct tree_secret *s;
};

static uint32_t add_tenant(struct tree *t, const char *name)
{
	uint32_t n = 0;

	assert_int_equal(tree_begin(t), VAULT_OK);
	assert_int_equal(tree_tenant_add(t, name, &n), VAULT_OK);
	assert_int_equal(tree_commit(t), VAULT_OK);
	return n;
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	tree_dir_make(&f->dir);
	assert_int_equal(tree_dir_open(&f->dir, &f->t), VAULT_OK);
	f->a = add_tenant(f->t, "acme");
	f->b = add_tenant(f->t, "beta");
	f->s = secret_alloc(sizeof(*f->s));
	assert_non_null(f->s);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	tree_close(f->t);
	tree_dir_remove(&f->dir);
	secret_free(f->s);
	free(f);
	return 0;
}

static vault_id add(struct fix *f, uint32_t tenant, uint64_t expires_s, uint8_t key[KEY_BYTES])
{
	static uint64_t tick;
	vault_id id;

	assert_int_equal(tree_dir_add(f->t, tenant, expires_s, NOW_MS + tick++, &id, key), VAULT_OK);
	return id;
}

#define IN_TXN(f, call) do { \
	assert_int_equal(tree_begin((f)->t), VAULT_OK); \
	assert_int_equal(call, VAULT_OK); \
	assert_int_equal(tree_commit((f)->t), VAULT_OK); \
} while (0)

static void assert_opens(struct fix *f, const vault_id *id, const uint8_t key[KEY_BYTES])
{
	struct tree_item item;

	assert_int_equal(tree_item_open(f->t, id, &item, f->s), VAULT_OK);
	assert_memory_equal(f->s->key, key, KEY_BYTES);
}

static void assert_gone(struct fix *f, const vault_id *id)
{
	struct tree_item item;

	assert_int_equal(tree_item_open(f->t, id, &item, f->s), VAULT_E_NOTFOUND);
	assert_int_equal(tree_item_get(f->t, id, &item), VAULT_E_NOTFOUND);
}

static void forget(struct fix *f, uint64_t now_s, uint32_t items)
{
	uint64_t epoch = tree_root_epoch(f->t);
	struct forget_result r;

	assert_int_equal(tree_forget(f->t, now_s, NULL, NULL, &r), VAULT_OK);
	assert_int_equal(r.items, items);
	assert_int_equal(r.checked, items);
	assert_int_equal(r.epoch, epoch + 1);
}

static void reopen(struct fix *f)
{
	tree_close(f->t);
	assert_int_equal(tree_dir_open(&f->dir, &f->t), VAULT_OK);
}

static void test_items_come_back(void **state)
{
	struct fix *f = *state;
	uint8_t key[KEY_BYTES];
	struct tree_item in = {.id = vault_id_new(NOW_MS), .tenant = f->a, .expires_s = NOW_S + 90ull * DAY,
	    .policy = 4000000000u, .media = 3, .flags = ITEM_RESTRICTED, .segments = 123456, .bytes = 1ull << 40,
	    .source = 4000000001u}, out;

	memset(f->s->caller, 1, TOKEN_BYTES);
	memset(f->s->callee, 2, TOKEN_BYTES);
	memset(f->s->name, 3, TOKEN_BYTES);
	IN_TXN(f, tree_item_add(f->t, &in, f->s));
	memcpy(key, f->s->key, KEY_BYTES);
	assert_int_equal(tree_begin(f->t), VAULT_OK);
	assert_int_equal(tree_item_add(f->t, &in, f->s), VAULT_E_EXISTS);
	tree_abort(f->t);
	reopen(f);
	memset(f->s, 0, sizeof(*f->s));
	assert_int_equal(tree_item_open(f->t, &in.id, &out, f->s), VAULT_OK);
	assert_memory_equal(f->s->key, key, KEY_BYTES);
	assert_int_equal(f->s->caller[7], 1);
	assert_int_equal(f->s->name[0], 3);
	assert_memory_equal(&in.id, &out.id, sizeof(in.id));
	assert_int_equal(out.tenant, in.tenant);
	assert_int_equal(out.expires_s, in.expires_s);
	assert_int_equal(out.policy, in.policy);
	assert_int_equal(out.media, in.media);
	assert_int_equal(out.flags, in.flags);
	assert_int_equal(out.segments, in.segments);
	assert_true(out.bytes == in.bytes);
	assert_int_equal(out.source, in.source);
}

static void test_limits_are_refused(void **state)
{
	struct fix *f = *state;
	struct tree_item item = {.id = vault_id_new(NOW_MS), .tenant = f->a, .expires_s = 1ull << 40};

	assert_int_equal(tree_begin(f->t), VAULT_OK);
	assert_int_equal(tree_item_add(f->t, &item, f->s), VAULT_E_RANGE);
	item.expires_s = NOW_S;
	item.segments = 1u << 24;
	assert_int_equal(tree_item_add(f->t, &item, f->s), VAULT_E_RANGE);
	item.segments = 0;
	item.tenant = 99;
	assert_int_equal(tree_item_add(f->t, &item, f->s), VAULT_E_NOTFOUND);
	uint32_t n;
	assert_int_equal(tree_tenant_add(f->t, "acme", &n), VAULT_E_EXISTS);
	assert_int_equal(tree_tenant_add(f->t, "Acme", &n), VAULT_E_INVAL);
	assert_int_equal(tree_begin(f->t), VAULT_E_STATE);
	tree_abort(f->t);
	assert_int_equal(tree_item_add(f->t, &item, f->s), VAULT_E_STATE);
}

static void test_abort_undoes(void **state)
{
	struct fix *f = *state;
	struct tree_item item = {.id = vault_id_new(NOW_MS), .tenant = f->a, .expires_s = NOW_S + DAY};
	struct tree_counts before, after;
	uint32_t n;

	assert_int_equal(tree_count(f->t, &before), VAULT_OK);
	assert_int_equal(tree_begin(f->t), VAULT_OK);
	assert_int_equal(tree_item_add(f->t, &item, f->s), VAULT_OK);
	assert_int_equal(tree_tenant_add(f->t, "gone", &n), VAULT_OK);
	tree_abort(f->t);
	assert_int_equal(tree_count(f->t, &after), VAULT_OK);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_gone(f, &item.id);
	uint32_t again = add_tenant(f->t, "gamma");
	assert_int_equal(again, n);
}

static void test_R5_due_items_are_forgotten_and_others_stay(void **state)
{
	struct fix *f = *state;
	uint8_t k1[KEY_BYTES], k2[KEY_BYTES], k3[KEY_BYTES];
	uint64_t day = (NOW_S / DAY + 1) * DAY, next;
	bool due;
	vault_id gone = add(f, f->a, day + 10, k1);
	vault_id same_bucket = add(f, f->a, day + 11, k2);
	vault_id other = add(f, f->b, day + 10000, k3);
	struct forget_result r;

	assert_int_equal(tree_forget(f->t, day + 9, NULL, NULL, &r), VAULT_E_NOTFOUND);
	assert_int_equal(tree_due(f->t, day + 9, &due, &next), VAULT_OK);
	assert_false(due);
	assert_true(next == day + 10);
	assert_opens(f, &gone, k1);
	forget(f, day + 10, 1);
	assert_gone(f, &gone);
	assert_opens(f, &same_bucket, k2);
	assert_opens(f, &other, k3);
	assert_int_equal(tree_due(f->t, day + 10, &due, &next), VAULT_OK);
	assert_false(due);
	assert_true(next == day + 11);
	reopen(f);
	assert_opens(f, &same_bucket, k2);
	forget(f, day + 20000, 2);
	struct tree_counts c;
	assert_int_equal(tree_count(f->t, &c), VAULT_OK);
	assert_int_equal(c.items, 0);
	assert_int_equal(c.buckets, 0);
}

static void test_R24_doomed_item_goes_at_once_and_stays_doomed(void **state)
{
	struct fix *f = *state;
	uint8_t k1[KEY_BYTES], k2[KEY_BYTES];
	vault_id doomed = add(f, f->a, NOW_S + 50ull * DAY, k1), kept = add(f, f->a, NOW_S + 50ull * DAY, k2);
	struct tree_item item;

	IN_TXN(f, tree_doom(f->t, &doomed));
	IN_TXN(f, tree_doom(f->t, &doomed));
	reopen(f);
	assert_int_equal(tree_item_open(f->t, &doomed, &item, f->s), VAULT_E_NOTFOUND);
	assert_int_equal(tree_item_get(f->t, &doomed, &item), VAULT_OK);
	assert_int_equal(item.flags & ITEM_DOOMED, ITEM_DOOMED);
	/* Neither an update nor a move nor a hold takes the doom back. */
	item.flags = 0;
	item.bytes = 5;
	IN_TXN(f, tree_item_update(f->t, &item));
	assert_int_equal(tree_begin(f->t), VAULT_OK);
	item.flags = ITEM_HELD;
	assert_int_equal(tree_item_update(f->t, &item), VAULT_E_STATE);
	assert_int_equal(tree_item_move(f->t, &doomed, NOW_S + 90ull * DAY), VAULT_E_NOTFOUND);
	tree_abort(f->t);
	forget(f, NOW_S, 1);
	assert_gone(f, &doomed);
	assert_opens(f, &kept, k2);
}

static void test_R43_held_item_outlives_its_expiry(void **state)
{
	struct fix *f = *state;
	uint8_t k1[KEY_BYTES];
	uint64_t end = NOW_S + DAY, next;
	bool due;
	vault_id held = add(f, f->a, end, k1);
	vault_id other = add(f, f->a, end, NULL);
	struct tree_item item;
	struct forget_result r;

	assert_int_equal(tree_item_get(f->t, &held, &item), VAULT_OK);
	item.flags |= ITEM_HELD;
	IN_TXN(f, tree_item_update(f->t, &item));
	assert_int_equal(tree_begin(f->t), VAULT_OK);
	assert_int_equal(tree_doom(f->t, &held), VAULT_E_DENIED);
	tree_abort(f->t);
	forget(f, end, 1);
	assert_gone(f, &other);
	assert_opens(f, &held, k1);
	assert_int_equal(tree_due(f->t, end + DAY, &due, &next), VAULT_OK);
	assert_false(due);
	assert_true(next == UINT64_MAX);
	assert_int_equal(tree_forget(f->t, end + DAY, NULL, NULL, &r), VAULT_E_NOTFOUND);
	item.flags &= (uint8_t)~ITEM_HELD;
	IN_TXN(f, tree_item_update(f->t, &item));
	forget(f, end + DAY, 1);
	assert_gone(f, &held);
}

static void test_a_bucket_of_held_items_does_not_keep_the_sweep_busy(void **state)
{
	struct fix *f = *state;
	uint64_t next;
	bool due;
	vault_id held = add(f, f->a, NOW_S + 1, NULL);
	struct tree_item item;
	struct forget_result r;

	assert_int_equal(tree_item_get(f->t, &held, &item), VAULT_OK);
	item.flags |= ITEM_HELD;
	IN_TXN(f, tree_item_update(f->t, &item));
	uint64_t epoch = tree_root_epoch(f->t);
	assert_int_equal(tree_forget(f->t, NOW_S + 2, NULL, NULL, &r), VAULT_E_NOTFOUND);
	assert_int_equal(tree_due(f->t, NOW_S + 2, &due, &next), VAULT_OK);
	assert_false(due);
	assert_true(tree_root_epoch(f->t) == epoch);
}

static void test_R7_move_changes_the_day_and_flags_the_old_bucket(void **state)
{
	struct fix *f = *state;
	uint8_t k1[KEY_BYTES], k2[KEY_BYTES];
	vault_id moved = add(f, f->a, NOW_S + 90ull * DAY, k1), stays = add(f, f->a, NOW_S + 90ull * DAY, k2);
	uint64_t next;
	bool due;
	struct forget_result r;

	IN_TXN(f, tree_item_move(f->t, &moved, NOW_S + 30ull * DAY));
	assert_opens(f, &moved, k1);
	assert_opens(f, &stays, k2);
	assert_int_equal(tree_due(f->t, NOW_S, &due, &next), VAULT_OK);
	assert_true(due);
	reopen(f);
	assert_int_equal(tree_forget(f->t, NOW_S, NULL, NULL, &r), VAULT_OK);
	assert_int_equal(r.items, 0);
	assert_int_equal(r.buckets_rekeyed, 1);
	assert_int_equal(tree_due(f->t, NOW_S, &due, &next), VAULT_OK);
	assert_false(due);
	forget(f, NOW_S + 30ull * DAY, 1);
	assert_gone(f, &moved);
	assert_opens(f, &stays, k2);
}

static void test_move_within_a_day_seals_nothing_anew(void **state)
{
	struct fix *f = *state;
	uint8_t k1[KEY_BYTES];
	uint64_t day = (NOW_S / DAY + 5) * DAY, next;
	bool due;
	vault_id id = add(f, f->a, day + 100, k1);

	IN_TXN(f, tree_item_move(f->t, &id, day + 50));
	assert_int_equal(tree_due(f->t, day + 49, &due, &next), VAULT_OK);
	assert_false(due);
	assert_true(next == day + 50);
	assert_opens(f, &id, k1);
	IN_TXN(f, tree_item_move(f->t, &id, day + 500));
	struct forget_result r;
	assert_int_equal(tree_forget(f->t, day + 60, NULL, NULL, &r), VAULT_E_NOTFOUND);
	assert_opens(f, &id, k1);
	forget(f, day + 500, 1);
}

static void test_void_drops_the_item_and_then_its_bucket(void **state)
{
	struct fix *f = *state;
	struct tree_counts c;
	struct forget_result r;
	vault_id id = add(f, f->a, NOW_S + DAY, NULL);

	IN_TXN(f, tree_item_void(f->t, &id));
	assert_gone(f, &id);
	assert_int_equal(tree_forget(f->t, NOW_S, NULL, NULL, &r), VAULT_OK);
	assert_int_equal(r.buckets_dropped, 1);
	assert_int_equal(tree_count(f->t, &c), VAULT_OK);
	assert_int_equal(c.buckets, 0);
}

static void test_R40_rotations_keep_everything_readable(void **state)
{
	struct fix *f = *state;
	uint8_t k1[KEY_BYTES], k2[KEY_BYTES], token1[TOKEN_BYTES], token2[TOKEN_BYTES];
	vault_id one = add(f, f->a, NOW_S + DAY, k1), two = add(f, f->b, NOW_S + 9ull * DAY, k2);
	uint32_t generation, buckets;
	uint64_t created, epoch = tree_root_epoch(f->t);

	assert_int_equal(tree_token(f->t, f->a, "number", "+31201234567", token1), VAULT_OK);
	assert_int_equal(tree_rotate_tenant(f->t, f->a), VAULT_OK);
	assert_int_equal(tree_rotate_root(f->t), VAULT_OK);
	assert_int_equal(tree_rotate_tenant(f->t, 77), VAULT_E_NOTFOUND);
	assert_true(tree_root_epoch(f->t) == epoch + 2);
	reopen(f);
	assert_opens(f, &one, k1);
	assert_opens(f, &two, k2);
	assert_int_equal(tree_tenant_key(f->t, f->a, &generation, &created, &buckets), VAULT_OK);
	assert_int_equal(generation, 2);
	assert_int_equal(buckets, 1);
	assert_int_equal(tree_tenant_key(f->t, f->b, &generation, &created, &buckets), VAULT_OK);
	assert_int_equal(generation, 1);
	assert_int_equal(tree_token(f->t, f->a, "number", "+31201234567", token2), VAULT_OK);
	assert_memory_equal(token1, token2, TOKEN_BYTES);
}

static void test_tokens_differ_by_tenant_and_label(void **state)
{
	struct fix *f = *state;
	uint8_t x[TOKEN_BYTES], y[TOKEN_BYTES];

	assert_int_equal(tree_token(f->t, f->a, "number", "+31", x), VAULT_OK);
	assert_int_equal(tree_token(f->t, f->b, "number", "+31", y), VAULT_OK);
	assert_memory_not_equal(x, y, TOKEN_BYTES);
	assert_int_equal(tree_token(f->t, f->a, "name", "+31", y), VAULT_OK);
	assert_memory_not_equal(x, y, TOKEN_BYTES);
}

static void test_root_secrets_follow_the_root(void **state)
{
	struct fix *f = *state;
	uint8_t in[ROOT_SECRET_TEST], out[ROOT_SECRET_TEST];

	memset(in, 0x5a, sizeof(in));
	IN_TXN(f, tree_root_secret_put(f->t, "audit seed", in, sizeof(in)));
	assert_int_equal(tree_rotate_root(f->t), VAULT_OK);
	reopen(f);
	assert_int_equal(tree_root_secret_get(f->t, "audit seed", out, sizeof(out)), VAULT_OK);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(tree_root_secret_get(f->t, "other", out, sizeof(out)), VAULT_E_NOTFOUND);
	assert_int_equal(tree_root_secret_get(f->t, "audit seed", out, 8), VAULT_E_CORRUPT);
	assert_int_equal(tree_root_secret_put(f->t, "x", in, 65), VAULT_E_STATE);
}

static void test_a_full_bucket_starts_the_next(void **state)
{
	struct fix *f = *state;
	struct tree_item item = {.tenant = f->a, .expires_s = NOW_S + DAY};
	struct tree_counts c;
	vault_id last = {{0}};

	assert_int_equal(tree_begin(f->t), VAULT_OK);
	for (unsigned i = 0; i < BUCKET_MAX + 1; i++) {
		item.id = last = vault_id_new(NOW_MS + i);
		assert_int_equal(tree_item_add(f->t, &item, f->s), VAULT_OK);
	}
	assert_int_equal(tree_commit(f->t), VAULT_OK);
	assert_int_equal(tree_count(f->t, &c), VAULT_OK);
	assert_int_equal(c.buckets, 2);
	/* Forgetting one leaves the rest, in both parts. */
	IN_TXN(f, tree_doom(f->t, &last));
	forget(f, NOW_S, 1);
	assert_int_equal(tree_count(f->t, &c), VAULT_OK);
	assert_int_equal(c.items, BUCKET_MAX);
	assert_int_equal(c.buckets, 1);
	forget(f, NOW_S + 2 * DAY, BUCKET_MAX);
}

struct seen {
	unsigned n;
	uint64_t last_ms;
	unsigned stop;
	struct tree *t;
};

static vault_err see(void *arg, const struct tree_item *item)
{
	struct seen *s = arg;

	assert_true(vault_id_time_ms(&item->id) >= s->last_ms);
	s->last_ms = vault_id_time_ms(&item->id);
	return ++s->n == s->stop ? VAULT_E_RANGE : VAULT_OK;
}

static void test_R22_items_of_a_tenant_in_a_period_in_time_order(void **state)
{
	struct fix *f = *state;
	struct seen s = {0};
	vault_id id;

	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(tree_dir_add(f->t, i % 2 != 0 ? f->a : f->b, NOW_S + DAY,
		    NOW_MS + 1000 * (uint64_t)((i * 37) % 100), &id, NULL), VAULT_OK);
	assert_int_equal(tree_items(f->t, 0, 0, UINT64_MAX, see, &s), VAULT_OK);
	assert_int_equal(s.n, 100);
	s = (struct seen){0};
	assert_int_equal(tree_items(f->t, 0, NOW_MS + 10000, NOW_MS + 19000, see, &s), VAULT_OK);
	assert_int_equal(s.n, 9);        /* the end is not in the period */
	s = (struct seen){0};
	assert_int_equal(tree_items(f->t, f->a, 0, UINT64_MAX, see, &s), VAULT_OK);
	assert_int_equal(s.n, 50);
	s = (struct seen){.stop = 3};
	assert_int_equal(tree_items(f->t, 0, 0, UINT64_MAX, see, &s), VAULT_E_RANGE);
	assert_int_equal(s.n, 3);
}

static vault_err doom_it(void *arg, const struct tree_item *item)
{
	return tree_doom(arg, &item->id);
}

static vault_err note_gone(void *arg, const struct tree_item *item)
{
	struct seen *s = arg;
	char name[VAULT_TENANT_MAX + 1];

	assert_non_null(tree_txn(s->t));
	assert_int_equal(tree_tenant_name(s->t, item->tenant, name), VAULT_OK);
	return ++s->n == s->stop ? VAULT_E_INVAL : VAULT_OK;
}

static void test_on_gone_sees_every_item_and_can_refuse_the_pass(void **state)
{
	struct fix *f = *state;
	struct seen s = {.t = f->t, .stop = 10};
	struct forget_result r;
	uint64_t epoch;

	for (unsigned i = 0; i < 20; i++)
		(void)add(f, i % 2 != 0 ? f->a : f->b, NOW_S + i * DAY, NULL);
	IN_TXN(f, tree_items(f->t, 0, 0, UINT64_MAX, doom_it, f->t));
	epoch = tree_root_epoch(f->t);
	assert_int_equal(tree_forget(f->t, NOW_S, note_gone, &s, &r), VAULT_E_INVAL);
	assert_true(tree_root_epoch(f->t) == epoch);
	s = (struct seen){.t = f->t};
	assert_int_equal(tree_forget(f->t, NOW_S, note_gone, &s, &r), VAULT_OK);
	assert_int_equal(s.n, 20);
	assert_int_equal(r.items, 20);
	assert_int_equal(r.tenants, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_items_come_back), T(test_limits_are_refused), T(test_abort_undoes),
		T(test_R5_due_items_are_forgotten_and_others_stay),
		T(test_R24_doomed_item_goes_at_once_and_stays_doomed), T(test_R43_held_item_outlives_its_expiry),
		T(test_a_bucket_of_held_items_does_not_keep_the_sweep_busy),
		T(test_R7_move_changes_the_day_and_flags_the_old_bucket), T(test_move_within_a_day_seals_nothing_anew),
		T(test_void_drops_the_item_and_then_its_bucket), T(test_R40_rotations_keep_everything_readable),
		T(test_tokens_differ_by_tenant_and_label), T(test_root_secrets_follow_the_root),
		T(test_a_full_bucket_starts_the_next), T(test_R22_items_of_a_tenant_in_a_period_in_time_order),
		T(test_on_gone_sees_every_item_and_can_refuse_the_pass),
	};

	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
