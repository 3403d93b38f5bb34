/*
 * attack_keeper.c - what an intruder tries at the keeper: clocks that jump
 * between two ticks, tokens that were swept, tables that run full, floods.
 */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "keeper/jti.h"
#include "keeper/pending.h"
#include "token/jws.h"

#define TEN_YEARS (10ll * 365 * 86400)

static int setup(void **state)
{
	struct fixture *f = fixture_new();

	fixture_subscribe(f, "P30D");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static json_t *id_args(const vault_id *id, const char *name, const char *value)
{
	char text[VAULT_ID_TEXT];

	vault_id_format(id, text);
	return json_pack("{s:s, s:s}", "id", text, name, value);
}

static bool known(struct fixture *f, const vault_id *id)
{
	struct tree_item item;

	return tree_item_get(f->k->tree, id, &item) == VAULT_OK;
}

/* A shred that comes between a jump and the next tick must not sweep by the jumped clock. */
static void test_r42_shred_right_after_a_jump(void **state)
{
	struct fixture *f = *state;

	if (!fixture_has_clock(f))
		skip();
	vault_id mine = fixture_recording(f, NULL), other = fixture_recording(f, NULL);
	char *token = fixture_sign(f, CONTACT, "shred", id_args(&mine, "reason", "asked"));
	f->k->clock.off = false;
	fixture_clock(f, TEN_YEARS);
	vault_id sweep;
	assert_true(f->k->clock.trusted);        /* no tick has looked yet */
	assert_int_equal(retention_forget(f->k, "request", &sweep), VAULT_E_NOTFOUND);
	assert_false(f->k->clock.trusted);
	(void)fixture_token(f, token, NULL, NULL);
	assert_true(known(f, &other));
	assert_true(known(f, &mine));
	free(token);
}

/* The mark on disk is what the next start believes: a jumped time never becomes it. */
static void test_r42_jump_is_not_put_on_record(void **state)
{
	struct fixture *f = *state;
	struct clock_guard g;

	if (!fixture_has_clock(f))
		skip();
	f->k->clock.off = false;
	fixture_clock(f, TEN_YEARS);
	/* Any packet that writes, before any tick. */
	(void)fixture_command(f, AUDITOR, "status", NULL, NULL);
	assert_false(f->k->clock.trusted);
	assert_int_equal(tree_begin(f->k->tree), VAULT_OK);
	assert_int_equal(unsetenv("VAULT_TEST_CLOCK_TRUST"), 0);
	assert_int_equal(clock_guard_start(&g, &f->k->rows, clock_wall_ms(), clock_mono_ms()), VAULT_OK);
	assert_int_equal(setenv("VAULT_TEST_CLOCK_TRUST", "1", 1), 0);
	tree_abort(f->k->tree);
	assert_false(g.trusted);
}

/* A token that was used and swept stays used when the clock is set back into its life. */
static void test_r21_no_replay_after_the_clock_was_set_back(void **state)
{
	struct fixture *f = *state;

	if (!fixture_has_clock(f))
		skip();
	char *token = fixture_sign(f, CONTACT, "tenant.show", json_pack("{s:s}", "tenant", "alpha"));
	assert_int_equal(fixture_token(f, token, NULL, NULL), 200);
	fixture_clock(f, 10 * 3600);
	size_t removed = 0;
	assert_int_equal(tree_begin(f->k->tree), VAULT_OK);
	assert_int_equal(jti_sweep(&f->k->rows, clock_wall_ms() / 1000, 10000, &removed), VAULT_OK);
	assert_int_equal(tree_commit(f->k->tree), VAULT_OK);
	assert_true(removed > 0);
	fixture_clock(f, 0);
	json_t *json = NULL;
	assert_int_not_equal(fixture_token(f, token, NULL, &json), 200);
	assert_string_equal(fixture_refusal(json), "replayed");
	json_decref(json);
	free(token);
	/* What is signed later than the swept ones works. */
	fixture_clock(f, 1);
	fixture_ok(f, CONTACT, "tenant.show", json_pack("{s:s}", "tenant", "alpha"));
}

/* A full name map costs nobody a recording. */
static void test_full_name_map_refuses_no_upload(void **state)
{
	struct fixture *f = *state;
	struct ipc_opened out;
	char name[16];

	f->k->names.map.max = 4;
	for (int i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "call-%d", i);
		fixture_open_recording(f, name, NULL, &out);
		assert_int_equal(out.refusal, VAULT_REFUSAL_none);
		assert_int_equal(out.existing, 0);
		(void)fixture_close_recording(f, &out.id, 0, 0, 0);
	}
	fixture_open_recording(f, "call-0", NULL, &out);
	assert_int_equal(out.existing, 1);
}

struct reader {
	int fd;
	size_t packets;
};

static void *read_all(void *arg)
{
	struct reader *r = arg;
	uint8_t *packet = malloc(IPC_MAX);
	size_t n;

	while (packet != NULL && ipc_recv(r->fd, packet, &n, NULL) == VAULT_OK)
		r->packets++;
	free(packet);
	return NULL;
}

/* One command that changes more rows than the queue holds does not stop a vault whose front reads. */
static void test_r7_many_changed_rows_do_not_break_the_front_link(void **state)
{
	struct reader r = { .packets = 0 };
	uint8_t *packet = calloc(1, IPC_MAX);
	const size_t count = LINK_QUEUE_MAX / IPC_MAX + 200;
	pthread_t thread;
	struct link l;
	int pair[2];

	(void)state;
	assert_non_null(packet);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	r.fd = pair[1];
	link_init(&l, pair[0], LINK_FRONT);
	assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(link_queue(&l, packet, IPC_MAX), VAULT_OK);
	while (link_waiting(&l))
		link_flush(&l);
	assert_false(l.broken);
	link_close(&l);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(r.packets, count);
	assert_int_equal(close(pair[1]), 0);
	free(packet);
}

/* Who has no key writes a bounded number of entries; none is lost from the count. */
static void test_r20_strangers_do_not_fill_the_log(void **state)
{
	struct fixture *f = *state;
	const unsigned tries = STRANGERS_EACH + 500;
	char text[64];

	f->k->strangers = (struct strangers){ .each = 0 };
	uint64_t before = fixture_log_size(f);
	for (unsigned i = 0; i < tries; i++)
		assert_int_equal(fixture_command(f, STRANGER, "tenant.list", NULL, NULL), 403);
	assert_int_equal(fixture_log_size(f), before + STRANGERS_EACH);
	strangers_tick(f->k, clock_mono_ms(), true);
	assert_int_equal(fixture_log_size(f), before + STRANGERS_EACH + 1);
	(void)snprintf(text, sizeof(text), "{\"count\":%u}", tries - STRANGERS_EACH);
	assert_true(fixture_log_has(f, text));
	/* What a registered person is refused is written each time. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fixture_command(f, AUDITOR, "tenant.list", NULL, NULL), 403);
	assert_int_equal(fixture_log_size(f), before + STRANGERS_EACH + 4);
}

/* One tenant's fetches leave room for another's. */
static void test_exports_of_one_tenant_are_bounded(void **state)
{
	struct fixture *f = *state;
	vault_id id = fixture_recording(f, NULL);
	json_t *json = NULL;

	for (unsigned i = 0; i < EXPORTS_PER_TENANT; i++)
		fixture_ok(f, CONTACT, "fetch", id_args(&id, "purpose", "complaint"));
	assert_int_equal(fixture_command(f, CONTACT, "fetch", id_args(&id, "purpose", "complaint"), &json), 503);
	json_decref(json);
	assert_int_equal(export_count(&f->k->exports), EXPORTS_PER_TENANT);
	fixture_ok(f, CONTACT_B, "purpose.set", json_pack("{s:s, s:[s]}", "tenant", "beta", "purposes", "complaint"));
	fixture_ok(f, CONTACT_B, "read.metadata", json_pack("{s:s, s:s}", "tenant", "beta", "purpose", "complaint"));
}

/* The second person sees whom he would let in: a hash alone may be anybody's. */
static void test_r21_approver_sees_whom_he_approves(void **state)
{
	struct fixture *f = *state;
	json_t *json = NULL;

	assert_int_equal(fixture_command(f, OPERATOR, "principal.add", fixture_principal(f, STRANGER, "contact", "alpha"),
	    NULL), 202);
	assert_int_equal(fixture_command(f, DPO, "pending.list", NULL, &json), 200);
	const json_t *row = json_array_get(json_object_get(json, "pending"), 0);
	assert_string_equal(json_str(row, "role", NULL), "contact");
	assert_string_equal(json_str(row, "tenant", NULL), "alpha");
	assert_string_equal(json_str(row, "kid", NULL), f->kid[STRANGER]);
	json_decref(json);
}

/* As many as can wait are listed in one answer. */
static void test_full_pending_list_is_answered(void **state)
{
	struct fixture *f = *state;
	json_t *json = NULL;
	unsigned status = 202;

	for (unsigned i = 0; i <= PENDING_MAX && status == 202; i++)
		status = fixture_command(f, OPERATOR, "principal.revoke", json_pack("{s:s}", "kid", f->kid[CONTACT]), NULL);
	assert_int_equal(status, 503);
	assert_int_equal(fixture_command(f, DPO, "pending.list", NULL, &json), 200);
	assert_int_equal(json_array_size(json_object_get(json, "pending")), PENDING_MAX);
	json_decref(json);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_r42_shred_right_after_a_jump), CASE(test_r42_jump_is_not_put_on_record),
		CASE(test_r21_no_replay_after_the_clock_was_set_back), CASE(test_full_name_map_refuses_no_upload),
		CASE(test_r7_many_changed_rows_do_not_break_the_front_link), CASE(test_r20_strangers_do_not_fill_the_log),
		CASE(test_exports_of_one_tenant_are_bounded), CASE(test_r21_approver_sees_whom_he_approves),
		CASE(test_full_pending_list_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
