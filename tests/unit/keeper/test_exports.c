/*
 * test_exports.c - a signed read makes a job; its exporter gets the keys of
 * exactly that, after the log has it (P7); nothing else is released (R38).
 */
#include "fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "keeper/audit_log_internal.h"

struct export_test {
	struct fixture *f;
	int exporter;                    /* the test's end of the key link, -1 */
};

static int setup(void **state)
{
	struct export_test *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->f = fixture_new();
	t->exporter = -1;
	fixture_subscribe(t->f, "P30D");
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct export_test *t = *state;

	if (t->exporter >= 0)
		assert_int_equal(close(t->exporter), 0);
	fixture_free(t->f);
	free(t);
	return 0;
}

/* The SPAWN that the supervisor got; 0: none. */
static uint64_t spawned_job(struct fixture *f)
{
	struct ipc_packet p;
	uint64_t job = 0;
	size_t n;

	if (ipc_recv(f->supervisor, f->packet, &n, NULL) != VAULT_OK)
		return 0;
	assert_int_equal(ipc_parse(&p, f->packet, n, LINK_SUPERVISOR, FROM_KEEPER), VAULT_OK);
	assert_int_equal(ipc_spawn_decode(&p, &job), VAULT_OK);
	return job;
}

/* Plays the supervisor: hands over a key link; JOB comes on it. */
static void give_exporter(struct export_test *t, uint64_t job, struct ipc_job *out)
{
	struct fixture *f = t->f;
	const struct ipc_exporter m = { .job = job };
	struct ipc_packet p;
	int pair[2];
	size_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	n = ipc_spawned_encode(f->packet, 0, &m);
	assert_int_equal(ipc_send(f->supervisor, f->packet, n, &pair[0]), VAULT_OK);
	assert_int_equal(close(pair[0]), 0);
	t->exporter = pair[1];
	fixture_rounds(f);
	assert_int_equal(ipc_recv(t->exporter, f->packet, &n, NULL), VAULT_OK);
	assert_int_equal(ipc_parse(&p, f->packet, n, LINK_EXPORTER, FROM_KEEPER), VAULT_OK);
	assert_int_equal(ipc_job_decode(out, &p), VAULT_OK);
}

static void ask_key(struct export_test *t, const struct ipc_want_key *want, struct ipc_key *out)
{
	struct fixture *f = t->f;
	struct ipc_packet p;
	size_t n = ipc_want_key_encode(f->packet, 7, want);

	assert_int_equal(ipc_send(t->exporter, f->packet, n, NULL), VAULT_OK);
	fixture_rounds(f);
	assert_int_equal(ipc_recv(t->exporter, f->packet, &n, NULL), VAULT_OK);
	assert_int_equal(ipc_parse(&p, f->packet, n, LINK_EXPORTER, FROM_KEEPER), VAULT_OK);
	assert_int_equal(ipc_key_decode(out, &p), VAULT_OK);
}

static uint32_t ask_meta(struct export_test *t, const vault_id *id)
{
	struct fixture *f = t->f;
	const struct ipc_want_meta want = { .id = *id };
	struct ipc_meta_key out;
	struct ipc_packet p;
	size_t n = ipc_want_meta_encode(f->packet, 7, &want);

	assert_int_equal(ipc_send(t->exporter, f->packet, n, NULL), VAULT_OK);
	fixture_rounds(f);
	assert_int_equal(ipc_recv(t->exporter, f->packet, &n, NULL), VAULT_OK);
	assert_int_equal(ipc_parse(&p, f->packet, n, LINK_EXPORTER, FROM_KEEPER), VAULT_OK);
	assert_int_equal(ipc_meta_key_decode(&out, &p), VAULT_OK);
	return out.refusal;
}

static json_t *fetch_args(const vault_id *id, const char *purpose)
{
	char text[VAULT_ID_TEXT];

	vault_id_format(id, text);
	return json_pack("{s:s, s:s}", "id", text, "purpose", purpose);
}

/* Two segments: 0 at 0 s, 1 at 5 s. */
static vault_id two_segments(struct fixture *f, struct ipc_grant grant[2])
{
	struct ipc_opened opened;

	fixture_open_recording(f, NULL, "020 1234567", &opened);
	assert_int_equal(opened.refusal, 0);
	fixture_grant(f, &opened.id, 0, &grant[0]);
	fixture_grant(f, &opened.id, 5000000, &grant[1]);
	assert_int_equal(fixture_close_recording(f, &opened.id, 0, 2, 2000), 0);
	return opened.id;
}

static void test_job_gets_exactly_its_keys(void **state)
{
	struct export_test *t = *state;
	struct fixture *f = t->f;
	struct ipc_grant grant[2];
	vault_id other = fixture_recording(f, NULL), id = two_segments(f, grant);
	struct ipc_job job;
	struct ipc_key key;
	json_t *json = NULL;

	json_t *args = fetch_args(&id, "complaint");
	json_object_set_new(args, "to_ms", json_integer(4000));
	json_object_set_new(args, "format", json_string("wav"));
	assert_int_equal(fixture_command(f, CONTACT, "fetch", args, &json), 200);
	assert_string_equal(json_str(json, "cmd", NULL), "fetch");
	json_decref(json);
	uint64_t number = spawned_job(f);
	assert_true(number > 0);
	give_exporter(t, number, &job);
	assert_int_equal(job.mode, JOB_MEDIA);
	assert_int_equal(job.format, FORMAT_WAV);
	assert_int_equal(job.to_us, 4000000);
	assert_int_equal(job.bytes, 2000);
	assert_memory_equal(job.recipient[0], f->key[CONTACT]->age_pub, 32);

	struct ipc_want_key want = { .job = number, .id = id, .segment = 0, .start_us = 0 };
	memcpy(want.salt, grant[0].salt, 32);
	ask_key(t, &want, &key);
	assert_int_equal(key.refusal, VAULT_REFUSAL_none);
	assert_memory_equal(key.key.key, grant[0].key.key, 32);
	assert_memory_equal(key.key.commit, grant[0].key.commit, 32);
	/* Segment 1 begins behind the range; a lie about its start gives another key. */
	want.segment = 1;
	want.start_us = 5000000;
	memcpy(want.salt, grant[1].salt, 32);
	ask_key(t, &want, &key);
	assert_int_equal(key.refusal, VAULT_REFUSAL_forbidden);
	want.start_us = 100;
	ask_key(t, &want, &key);
	assert_memory_not_equal(key.key.key, grant[1].key.key, 32);
	want.segment = 2;
	ask_key(t, &want, &key);
	assert_int_equal(key.refusal, VAULT_REFUSAL_forbidden);
	want = (struct ipc_want_key){ .job = number, .id = other };
	ask_key(t, &want, &key);
	assert_int_equal(key.refusal, VAULT_REFUSAL_forbidden);
	want = (struct ipc_want_key){ .job = number + 1, .id = id };
	ask_key(t, &want, &key);
	assert_int_equal(key.refusal, VAULT_REFUSAL_forbidden);
	assert_int_equal(ask_meta(t, &id), VAULT_REFUSAL_forbidden);
}

static void test_job_result_is_logged_and_told(void **state)
{
	struct export_test *t = *state;
	struct fixture *f = t->f;
	vault_id id = fixture_recording(f, NULL);
	struct ipc_job_done done;
	struct ipc_packet p;
	struct ipc_job job;

	fixture_ok(f, CONTACT, "authenticate", fetch_args(&id, "complaint"));
	uint64_t number = spawned_job(f);
	give_exporter(t, number, &job);
	assert_int_equal(job.mode, JOB_AUTHENTICATE);
	const struct ipc_job_result result = { .job = number, .items = 1, .bytes = 77 };
	size_t n = ipc_job_result_encode(f->packet, 0, &result);
	assert_int_equal(ipc_send(t->exporter, f->packet, n, NULL), VAULT_OK);
	fixture_rounds(f);
	assert_true(fixture_pushed(f, IPC_JOB_DONE, &p));
	assert_int_equal(ipc_job_done_decode(&done, &p), VAULT_OK);
	assert_int_equal(done.refusal, VAULT_REFUSAL_none);
	assert_true(fixture_log_has(f, "\"event\":\"read.done\""));
	assert_int_equal(export_count(&f->k->exports), 0);
}

static void test_exporter_death_is_a_failed_job(void **state)
{
	struct export_test *t = *state;
	struct fixture *f = t->f;
	vault_id id = fixture_recording(f, NULL);
	struct ipc_job_done done;
	struct ipc_packet p;
	struct ipc_job job;

	fixture_ok(f, CONTACT, "fetch", fetch_args(&id, "complaint"));
	give_exporter(t, spawned_job(f), &job);
	assert_int_equal(close(t->exporter), 0);
	t->exporter = -1;
	fixture_rounds(f);
	assert_true(fixture_pushed(f, IPC_JOB_DONE, &p));
	assert_int_equal(ipc_job_done_decode(&done, &p), VAULT_OK);
	assert_int_equal(done.refusal, VAULT_REFUSAL_internal);
	assert_true(fixture_log_has(f, "\"outcome\":\"failed\""));
}

static void test_r38_purpose_must_be_listed(void **state)
{
	struct export_test *t = *state;
	struct fixture *f = t->f;
	vault_id id = fixture_recording(f, NULL);
	json_t *json = NULL;

	assert_int_equal(fixture_command(f, CONTACT, "fetch", fetch_args(&id, "curiosity"), &json), 403);
	assert_string_equal(fixture_refusal(json), "bad_purpose");
	json_decref(json);
	assert_int_equal(spawned_job(f), 0);
	assert_false(fixture_log_has(f, "curiosity"));
}

static void test_live_recording_is_in_use(void **state)
{
	struct export_test *t = *state;
	struct ipc_opened opened;

	fixture_open_recording(t->f, NULL, NULL, &opened);
	assert_int_equal(fixture_command(t->f, CONTACT, "fetch", fetch_args(&opened.id, "complaint"), NULL), 409);
	assert_int_equal(spawned_job(t->f), 0);
}

/* P7: when the log cannot be written, no job comes into being. */
static void test_p7_no_log_no_key(void **state)
{
	struct export_test *t = *state;
	struct fixture *f = t->f;
	vault_id id = fixture_recording(f, NULL);
	json_t *json = NULL;

	f->k->audit.log->poisoned = true;
	assert_int_equal(fixture_command(f, CONTACT, "fetch", fetch_args(&id, "complaint"), &json), 500);
	assert_string_equal(fixture_refusal(json), "internal");
	json_decref(json);
	assert_int_equal(spawned_job(f), 0);
	assert_int_equal(export_count(&f->k->exports), 0);
}

static void test_r22_search_by_number(void **state)
{
	struct export_test *t = *state;
	struct fixture *f = t->f;
	vault_id a = fixture_recording(f, "+31201234567"), b = fixture_recording(f, "+31209999999");
	vault_id c = fixture_recording(f, "+31201234567");
	struct ipc_job job;
	json_t *json = NULL;

	assert_int_equal(fixture_command(f, CONTACT, "read.metadata", json_pack("{s:s, s:s, s:s}", "tenant", "alpha", "purpose",
	    "complaint", "number", "tel:+31 (20) 123-4567"), &json), 200);
	assert_int_equal(json_array_size(json_object_get(json, "ids")), 2);
	json_decref(json);
	give_exporter(t, spawned_job(f), &job);
	assert_int_equal(job.mode, JOB_METADATA);
	assert_int_equal(ask_meta(t, &a), VAULT_REFUSAL_none);
	assert_int_equal(ask_meta(t, &c), VAULT_REFUSAL_none);
	assert_int_equal(ask_meta(t, &b), VAULT_REFUSAL_forbidden);
	assert_false(fixture_log_has(f, "1234567"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_job_gets_exactly_its_keys), T(test_job_result_is_logged_and_told),
		T(test_exporter_death_is_a_failed_job), T(test_r38_purpose_must_be_listed), T(test_live_recording_is_in_use),
		T(test_p7_no_log_no_key), T(test_r22_search_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
