/*
 * test_clock.c - an implausible jump never shreds; two people confirm (R42).
 */
#include "fixture.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define HOUR_MS 3600000ull

static void test_r42_jumps_in_flight(void **state)
{
	struct clock_guard g = { .trusted = true, .base_wall = 1000 * HOUR_MS, .base_mono = 5 };

	(void)state;
	assert_false(clock_guard_check(&g, 1000 * HOUR_MS + 60000, 60005));
	assert_false(clock_guard_check(&g, 1000 * HOUR_MS + HOUR_MS - 1, 5));
	assert_true(clock_guard_check(&g, 1001 * HOUR_MS + 10, 5));
	assert_false(g.trusted);
	assert_false(clock_guard_check(&g, 1001 * HOUR_MS + 10, 5));        /* told once */
	clock_guard_confirm(&g, 2000 * HOUR_MS, 100);
	assert_true(g.trusted);
	assert_true(clock_guard_check(&g, 1998 * HOUR_MS, 100));
}

static void test_r42_untrusted_clock_shreds_nothing(void **state)
{
	struct fixture *f = fixture_new();
	vault_id id, sweep;
	struct tree_item item;
	json_t *json = NULL;

	(void)state;
	if (!fixture_has_clock(f)) {
		fixture_free(f);
		skip();
	}
	fixture_subscribe(f, "P30D");
	id = fixture_recording(f, NULL);
	f->k->clock.off = false;
	fixture_clock(f, 10ll * 365 * 86400);
	assert_true(clock_guard_check(&f->k->clock, clock_wall_ms(), clock_mono_ms()));
	assert_int_equal(retention_forget(f->k, "retention", &sweep), VAULT_E_NOTFOUND);
	assert_int_equal(tree_item_get(f->k->tree, &id, &item), VAULT_OK);
	assert_int_equal(fixture_command(f, AUDITOR, "status", NULL, &json), 200);
	assert_string_equal(json_str(json_object_get(json, "status"), "clock", NULL), "uncertain");
	json_decref(json);
	/* One person is not enough, and not the same one twice. */
	assert_int_equal(fixture_pair(f, OPERATOR, OPERATOR, "clock.confirm", NULL, NULL), 403);
	assert_false(f->k->clock.trusted);
	assert_int_equal(fixture_pair(f, OPERATOR, DPO, "clock.confirm", NULL, NULL), 200);
	assert_true(f->k->clock.trusted);
	assert_int_equal(retention_forget(f->k, "retention", &sweep), VAULT_OK);
	assert_int_equal(tree_item_get(f->k->tree, &id, &item), VAULT_E_NOTFOUND);
	fixture_free(f);
}

static void check_start(struct fixture *f, uint64_t wall_ms, bool trusted)
{
	struct clock_guard g;

	assert_int_equal(tree_begin(f->k->tree), VAULT_OK);
	assert_int_equal(unsetenv("VAULT_TEST_CLOCK_TRUST"), 0);
	assert_int_equal(clock_guard_start(&g, &f->k->rows, wall_ms, 0), VAULT_OK);
	assert_int_equal(setenv("VAULT_TEST_CLOCK_TRUST", "1", 1), 0);
	assert_int_equal(g.trusted, trusted);
	tree_abort(f->k->tree);
}

static void test_r42_jumps_at_start(void **state)
{
	struct fixture *f = fixture_bare();
	uint64_t mark = 1700000000000ull;
	struct clock_guard g = { .trusted = true };

	(void)state;
	assert_int_equal(tree_begin(f->k->tree), VAULT_OK);
	assert_int_equal(clock_guard_save(&g, &f->k->rows, mark, true), VAULT_OK);
	assert_int_equal(tree_commit(f->k->tree), VAULT_OK);
	check_start(f, mark, true);
	check_start(f, mark - HOUR_MS + 1000, true);
	check_start(f, mark + 399 * 24 * HOUR_MS, true);
	check_start(f, mark - HOUR_MS - 1000, false);
	check_start(f, mark + 401 * 24 * HOUR_MS, false);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r42_jumps_in_flight),
		cmocka_unit_test(test_r42_untrusted_clock_shreds_nothing),
		cmocka_unit_test(test_r42_jumps_at_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
