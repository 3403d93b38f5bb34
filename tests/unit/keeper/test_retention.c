/*
 * test_retention.c - expiry to the second, sweeps, shreds, shortened retention
 * (R5, R6, R7, R24).
 */
#include "fixture.h"

#include <string.h>

#include "base/clock.h"

static int setup(void **state)
{
	struct fixture *f = fixture_new();

	fixture_subscribe(f, "PT100S");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static json_t *fetch_args(const vault_id *id)
{
	char text[VAULT_ID_TEXT];

	vault_id_format(id, text);
	return json_pack("{s:s, s:s}", "id", text, "purpose", "complaint");
}

static void sweep(struct fixture *f)
{
	f->k->retention.next_sweep_ms = 0;
	retention_tick(f->k, clock_mono_ms());
	fixture_rounds(f);
}

static bool known(struct fixture *f, const vault_id *id)
{
	struct tree_item item;

	return tree_item_get(f->k->tree, id, &item) == VAULT_OK;
}

static void test_r5_expiry_to_the_second(void **state)
{
	struct fixture *f = *state;
	struct ipc_shredded m;
	struct ipc_packet p;

	if (!fixture_has_clock(f))
		skip();
	vault_id id = fixture_recording(f, "0201234567");
	fixture_clock(f, 98);
	sweep(f);
	assert_int_equal(fixture_command(f, CONTACT, "fetch", fetch_args(&id), NULL), 200);
	fixture_clock(f, 101);
	assert_int_equal(fixture_command(f, CONTACT, "fetch", fetch_args(&id), NULL), 404);
	char text[VAULT_ID_TEXT];
	vault_id_format(&id, text);
	assert_int_equal(fixture_command(f, OPERATOR, "show", json_pack("{s:s}", "id", text), NULL), 404);
	assert_true(known(f, &id));
	sweep(f);
	assert_false(known(f, &id));
	assert_true(fixture_pushed(f, IPC_SHREDDED, &p));
	assert_int_equal(ipc_shredded_decode(&m, &p), VAULT_OK);
	assert_int_equal(m.n, 1);
	assert_memory_equal(m.ids, id.b, 16);
	assert_true(fixture_log_has(f, "\"event\":\"erase.opened\""));
	assert_true(fixture_log_has(f, "\"event\":\"erase.verified\""));
}

static void test_r6_batch_is_repeated_until_released(void **state)
{
	struct fixture *f = *state;
	struct ipc_shredded m;
	struct ipc_released released;
	struct ipc_packet p;

	if (!fixture_has_clock(f))
		skip();
	(void)fixture_recording(f, NULL);
	fixture_clock(f, 200);
	sweep(f);
	assert_true(fixture_pushed(f, IPC_SHREDDED, &p));
	fixture_kill(f);
	fixture_restart(f);
	assert_false(fixture_pushed(f, IPC_SHREDDED, &p));
	sweep(f);
	assert_true(fixture_pushed(f, IPC_SHREDDED, &p));
	assert_int_equal(ipc_shredded_decode(&m, &p), VAULT_OK);
	released = (struct ipc_released){ .batch = m.batch, .n = m.n };
	assert_false(fixture_ask(f, ipc_released_encode(f->packet, 0, &released), &p));
	assert_true(fixture_log_has(f, "\"event\":\"erase.released\""));
	fixture_restart(f);
	sweep(f);
	assert_false(fixture_pushed(f, IPC_SHREDDED, &p));
}

/* Ended recordings without a life: one commit makes them all. */
static vault_err add_many(struct keeper *k, void *arg)
{
	const size_t *count = arg;
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < *count && err == VAULT_OK; i++) {
		struct tree_item item = { .id = vault_id_new(k->now_ms), .tenant = 1, .expires_s = k->now_ms / 1000 + 100,
			.policy = 1, .media = MEDIUM_VOICE, .flags = ITEM_ENDED, .segments = 1, .bytes = 10, .source = 1 };
		err = tree_item_add(k->tree, &item, &k->room->item);
	}
	batch_dirty(k);
	return err;
}

/* Two batches, 2000 and 100, each released by itself. */
static void test_r6_many_in_one_sweep(void **state)
{
	struct fixture *f = *state;
	struct ipc_packet p;
	size_t n, total = 0, batches = 0;

	if (!fixture_has_clock(f))
		skip();
	size_t count = 2100;
	assert_int_equal(batch_effect(f->k, add_many, &count), VAULT_OK);
	fixture_clock(f, 200);
	f->k->retention.next_sweep_ms = 0;
	retention_tick(f->k, clock_mono_ms());
	assert_true(loop_round(f->k, 0));
	while (ipc_recv(f->front, f->packet, &n, NULL) == VAULT_OK) {
		struct ipc_shredded m;
		assert_int_equal(ipc_parse(&p, f->packet, n, LINK_FRONT, FROM_KEEPER), VAULT_OK);
		assert_int_equal(ipc_shredded_decode(&m, &p), VAULT_OK);
		const struct ipc_released released = { .batch = m.batch, .n = m.n };
		total += m.n;
		batches++;
		fixture_send(f, f->packet, ipc_released_encode(f->packet, 0, &released));
	}
	assert_int_equal(total, 2100);
	assert_int_equal(batches, 2);
	assert_int_equal(f->k->retention.last_items, 2100);
	fixture_rounds(f);
	fixture_restart(f);
	sweep(f);
	assert_false(fixture_pushed(f, IPC_SHREDDED, &p));
}

static void test_r24_shred_answers_after_the_check(void **state)
{
	struct fixture *f = *state;
	vault_id id = fixture_recording(f, "0201234567");
	char text[VAULT_ID_TEXT];
	json_t *json = NULL;

	vault_id_format(&id, text);
	uint64_t epoch = tree_root_epoch(f->k->tree);
	assert_int_equal(fixture_command(f, CONTACT_B, "shred", json_pack("{s:s, s:s}", "id", text, "reason", "x"), NULL), 404);
	assert_int_equal(fixture_command(f, OPERATOR, "shred", json_pack("{s:s, s:s}", "id", text, "reason", "x"), NULL), 403);
	assert_int_equal(fixture_command(f, CONTACT, "shred", json_pack("{s:s, s:s}", "id", text, "reason",
	    "asked by Marker Person"), &json), 200);
	assert_string_equal(json_string_value(json_object_get(json, "state")), "shredded");
	json_decref(json);
	assert_false(known(f, &id));
	assert_true(tree_root_epoch(f->k->tree) > epoch);
	assert_int_equal(fixture_command(f, CONTACT, "fetch", fetch_args(&id), NULL), 404);
	assert_false(fixture_log_has(f, "Marker"));
	assert_true(fixture_log_has(f, text));
}

static void test_r7_r39_shorter_reaches_existing_longer_does_not(void **state)
{
	struct fixture *f = *state;
	vault_id id;
	struct tree_item before, after;
	struct ipc_packet p;
	struct ipc_row_changed row;
	json_t *json = NULL;

	fixture_ok(f, CONTACT, "retention.set", json_pack("{s:s, s:s, s:s}", "tenant", "alpha", "medium", "voice", "keep", "P90D"));
	id = fixture_recording(f, NULL);
	assert_int_equal(tree_item_get(f->k->tree, &id, &before), VAULT_OK);
	fixture_ok(f, CONTACT, "retention.set", json_pack("{s:s, s:s, s:s}", "tenant", "alpha", "medium", "voice", "keep", "P120D"));
	assert_int_equal(tree_item_get(f->k->tree, &id, &after), VAULT_OK);
	assert_int_equal(before.expires_s, after.expires_s);
	assert_int_equal(fixture_command(f, CONTACT, "retention.set", json_pack("{s:s, s:s, s:s}", "tenant", "alpha", "medium",
	    "voice", "keep", "P30D"), &json), 200);
	assert_int_equal(json_integer_value(json_object_get(json, "shortened")), 1);
	json_decref(json);
	fixture_rounds(f);
	assert_int_equal(tree_item_get(f->k->tree, &id, &after), VAULT_OK);
	assert_int_equal(after.expires_s, vault_id_time_ms(&id) / 1000 + 30 * 86400);
	/* R39: it keeps the policy it was made under; what comes now carries the new one. */
	assert_int_equal(after.policy, before.policy);
	vault_id newer = fixture_recording(f, NULL);
	assert_int_equal(tree_item_get(f->k->tree, &newer, &after), VAULT_OK);
	assert_true(after.policy > before.policy);
	assert_int_equal(tree_item_get(f->k->tree, &id, &after), VAULT_OK);
	assert_true(fixture_pushed(f, IPC_ROW_CHANGED, &p));
	assert_int_equal(ipc_row_changed_decode(&row, &p), VAULT_OK);
	assert_int_equal(row.expires_s, after.expires_s);
	assert_int_equal(row.policy, before.policy);
	if (!fixture_has_clock(f))
		return;
	fixture_clock(f, 40 * 86400);
	sweep(f);
	assert_false(known(f, &id));
}

/* A crash between the death of the keys and the log's last word. */
static void test_r6_crash_before_verified_is_logged(void **state)
{
	struct fixture *f = *state;
	vault_id id, batch = vault_id_new(clock_wall_ms());
	uint8_t key[32], head[24] = { 0 };

	id = fixture_recording(f, NULL);
	/* What a pass had committed when it was cut. */
	head[4] = 1;
	memcpy(key, batch.b, 16);
	memcpy(key + 16, id.b, 16);
	assert_int_equal(tree_begin(f->k->tree), VAULT_OK);
	assert_int_equal(rows_put(&f->k->rows, ROWS_BATCH, batch.b, 16, head, sizeof(head)), VAULT_OK);
	assert_int_equal(rows_put(&f->k->rows, ROWS_BATCH, key, sizeof(key), "", 0), VAULT_OK);
	assert_int_equal(tree_commit(f->k->tree), VAULT_OK);
	assert_false(fixture_log_has(f, "erase.recovered"));
	fixture_kill(f);
	fixture_restart(f);
	assert_true(fixture_log_has(f, "\"event\":\"erase.recovered\""));
	uint64_t size = fixture_log_size(f);
	fixture_restart(f);
	assert_int_equal(fixture_log_size(f), size + 2);        /* stop and start, not the batch again */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_r5_expiry_to_the_second), T(test_r6_batch_is_repeated_until_released), T(test_r6_many_in_one_sweep),
		T(test_r24_shred_answers_after_the_check), T(test_r7_r39_shorter_reaches_existing_longer_does_not),
		T(test_r6_crash_before_verified_is_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
