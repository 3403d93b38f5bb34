/*
 * test_ingest.c - nothing is recorded without subscription, retention and
 * consent (R1, R2, R4, R27), streams end when they must (R3), names answer once.
 */
#include "fixture.h"

#include <string.h>

#include "base/clock.h"
#include "keeper/ingest.h"

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static void admit(struct fixture *f, const char *tenant, const char *secret, uint8_t media, struct ipc_admitted *out)
{
	struct ipc_admit m = { .media = media, .cred = { .kind = CRED_SECRET, .len = (uint8_t)strlen(secret) } };
	struct ipc_packet p;

	strncpy(m.tenant, tenant, sizeof(m.tenant) - 1);
	memcpy(m.cred.data, secret, strlen(secret));
	assert_true(fixture_ask(f, ipc_admit_encode(f->packet, 0, &m), &p));
	assert_int_equal(ipc_admitted_decode(out, &p), VAULT_OK);
}

static void test_r1_default_deny(void **state)
{
	struct fixture *f = *state;
	struct ipc_admitted out;
	struct ipc_opened opened;

	admit(f, "alpha", "secret-a", MEDIUM_VOICE, &out);
	assert_int_equal(out.refusal, VAULT_REFUSAL_unauthorized);
	fixture_subscribe(f, "P90D");
	admit(f, "alpha", "secret-a", MEDIUM_VOICE, &out);
	assert_int_equal(out.refusal, VAULT_REFUSAL_none);
	assert_int_equal(out.media, MEDIUM_VOICE);
	admit(f, "alpha", "secret-a", MEDIUM_VOICE | MEDIUM_VIDEO, &out);
	assert_int_equal(out.refusal, VAULT_REFUSAL_not_subscribed);
	admit(f, "alpha", "secret-b", MEDIUM_VOICE, &out);
	assert_int_equal(out.refusal, VAULT_REFUSAL_unauthorized);
	admit(f, "beta", "secret-a", MEDIUM_VOICE, &out);
	assert_int_equal(out.refusal, VAULT_REFUSAL_forbidden);
	admit(f, "nobody", "secret-a", MEDIUM_VOICE, &out);
	assert_int_equal(out.refusal, VAULT_REFUSAL_forbidden);
	fixture_ok(f, OPERATOR, "subscribe", json_pack("{s:s, s:s}", "tenant", "alpha", "medium", "video"));
	admit(f, "alpha", "secret-a", MEDIUM_VIDEO, &out);
	assert_int_equal(out.refusal, VAULT_REFUSAL_no_retention);
	fixture_ok(f, CONTACT, "unsubscribe", json_pack("{s:s, s:s}", "tenant", "alpha", "medium", "voice"));
	fixture_open_recording(f, NULL, "+31612345678", &opened);
	assert_int_equal(opened.refusal, VAULT_REFUSAL_not_subscribed);
	assert_true(fixture_log_has(f, "\"refusal\":\"not_subscribed\""));
	assert_false(fixture_log_has(f, "612345678"));
}

static void test_revoked_source_is_unauthorized(void **state)
{
	struct fixture *f = *state;
	struct ipc_admitted out;

	fixture_subscribe(f, "P90D");
	fixture_ok(f, OPERATOR, "source.revoke", json_pack("{s:i}", "source", 1));
	admit(f, "alpha", "secret-a", 0, &out);
	assert_int_equal(out.refusal, VAULT_REFUSAL_unauthorized);
}

static void test_r27_consent(void **state)
{
	struct fixture *f = *state;
	struct ipc_opened opened;
	struct ipc_admitted out;

	fixture_subscribe(f, "P90D");
	fixture_ok(f, CONTACT, "basis.set", json_pack("{s:s, s:b}", "tenant", "alpha", "consent", 1));
	admit(f, "alpha", "secret-a", 0, &out);
	assert_int_equal(out.consent, 1);
	fixture_open_recording(f, NULL, NULL, &opened);
	assert_int_equal(opened.refusal, VAULT_REFUSAL_consent_required);
}

static void test_open_segment_close(void **state)
{
	struct fixture *f = *state;
	struct ipc_opened opened;
	struct ipc_grant a, b;

	fixture_subscribe(f, "PT1H");
	fixture_open_recording(f, NULL, "0201", &opened);
	assert_int_equal(opened.refusal, VAULT_REFUSAL_none);
	assert_int_equal(opened.expires_s, opened.start_ms / 1000 + 3600);
	assert_int_equal(opened.sealed_len, 13 + METADATA_OVERHEAD);
	fixture_grant(f, &opened.id, 0, &a);
	fixture_grant(f, &opened.id, 5000000, &b);
	assert_int_equal(a.segment, 0);
	assert_int_equal(b.segment, 1);
	assert_memory_not_equal(a.salt, b.salt, 32);
	assert_memory_not_equal(a.key.key, b.key.key, 32);
	assert_int_equal(fixture_close_recording(f, &opened.id, 0, 2, 10), VAULT_REFUSAL_none);
	fixture_grant(f, &opened.id, 0, &a);
	assert_int_equal(a.refusal, VAULT_REFUSAL_not_found);
	assert_int_equal(fixture_close_recording(f, &opened.id, 0, 2, 10), VAULT_REFUSAL_forbidden);
	assert_int_equal(fixture_close_recording(f, &opened.id, CLOSE_VOID, 0, 0), VAULT_REFUSAL_forbidden);
	assert_true(fixture_log_has(f, "\"event\":\"recording.end\""));
}

/* CLOSE and SEGMENT in one batch: no key for what has ended. */
static void test_no_grant_behind_a_close(void **state)
{
	struct fixture *f = *state;
	struct ipc_opened opened;
	struct ipc_packet p;
	struct ipc_grant grant;

	fixture_subscribe(f, "PT1H");
	fixture_open_recording(f, NULL, NULL, &opened);
	const struct ipc_close end = { .id = opened.id, .segments = 0, .bytes = 0 };
	const struct ipc_segment segment = { .id = opened.id };
	fixture_send(f, f->packet, ipc_close_encode(f->packet, 0, &end));
	assert_true(fixture_ask(f, ipc_segment_encode(f->packet, 0, &segment), &p));
	assert_int_equal(ipc_grant_decode(&grant, &p), VAULT_OK);
	assert_int_equal(grant.refusal, VAULT_REFUSAL_not_found);
}

static void test_void_drops_the_recording(void **state)
{
	struct fixture *f = *state;
	struct ipc_opened opened;

	fixture_subscribe(f, "PT1H");
	fixture_open_recording(f, "call.ogg", NULL, &opened);
	assert_int_equal(fixture_close_recording(f, &opened.id, CLOSE_VOID, 0, 0), VAULT_REFUSAL_none);
	assert_int_equal(fixture_close_recording(f, &opened.id, CLOSE_VOID, 0, 0), VAULT_REFUSAL_not_found);
	fixture_open_recording(f, "call.ogg", NULL, &opened);
	assert_int_equal(opened.existing, 0);
}

/* A recording that was live when the keeper died gets no key any more, but its end is taken. */
static void test_close_from_an_earlier_start(void **state)
{
	struct fixture *f = *state;
	struct ipc_opened opened;
	struct ipc_grant grant;

	fixture_subscribe(f, "PT1H");
	fixture_open_recording(f, NULL, NULL, &opened);
	fixture_kill(f);
	fixture_restart(f);
	fixture_grant(f, &opened.id, 0, &grant);
	assert_int_equal(grant.refusal, VAULT_REFUSAL_not_found);
	assert_int_equal(fixture_close_recording(f, &opened.id, CLOSE_TRUNCATED, 1, 5), VAULT_REFUSAL_none);
}

static void test_a_name_answers_once(void **state)
{
	struct fixture *f = *state;
	struct ipc_opened first, again;

	fixture_subscribe(f, "P30D");
	fixture_open_recording(f, "call-1.ogg", NULL, &first);
	assert_int_equal(first.existing, 0);
	fixture_open_recording(f, "call-1.ogg", NULL, &again);
	assert_int_equal(again.existing, 1);
	assert_int_equal(again.ended, 0);
	assert_true(vault_id_equal(&first.id, &again.id));
	fixture_close_recording(f, &first.id, 0, 0, 0);
	fixture_restart(f);
	fixture_open_recording(f, "call-1.ogg", NULL, &again);
	assert_int_equal(again.existing, 1);
	assert_int_equal(again.ended, 1);
	assert_int_equal(again.source, 1);
	fixture_open_recording(f, "call-2.ogg", NULL, &again);
	assert_int_equal(again.existing, 0);
	if (!fixture_has_clock(f))
		return;
	fixture_clock(f, 8 * 86400);
	fixture_open_recording(f, "call-1.ogg", NULL, &again);
	assert_int_equal(again.existing, 0);
}

static void test_r3_unsubscribe_stops_the_stream(void **state)
{
	struct fixture *f = *state;
	struct ipc_opened opened;
	struct ipc_packet p;
	struct ipc_stop stop;
	struct ipc_grant grant;

	fixture_subscribe(f, "P30D");
	fixture_open_recording(f, NULL, NULL, &opened);
	fixture_ok(f, CONTACT, "unsubscribe", json_pack("{s:s, s:s}", "tenant", "alpha", "medium", "voice"));
	fixture_grant(f, &opened.id, 0, &grant);
	assert_int_equal(grant.refusal, VAULT_REFUSAL_subscription_ended);
	(void)ingest_stop_ended(f->k, clock_wall_ms());
	fixture_rounds(f);
	assert_true(fixture_pushed(f, IPC_STOP, &p));
	assert_int_equal(ipc_stop_decode(&stop, &p), VAULT_OK);
	assert_true(vault_id_equal(&stop.id, &opened.id));
	assert_int_equal(stop.refusal, VAULT_REFUSAL_subscription_ended);
	/* What came before is kept. */
	assert_int_equal(fixture_close_recording(f, &opened.id, 0, 1, 100), VAULT_REFUSAL_none);
}

static void test_r3_until_is_told_and_held(void **state)
{
	struct fixture *f = *state;
	struct ipc_opened opened;
	struct ipc_grant grant;
	char until[CLOCK_TEXT];

	fixture_subscribe(f, "P30D");
	clock_format(clock_wall_ms() + 60000, until);
	fixture_ok(f, OPERATOR, "subscribe", json_pack("{s:s, s:s, s:s}", "tenant", "alpha", "medium", "voice", "until", until));
	fixture_open_recording(f, NULL, NULL, &opened);
	assert_int_equal(opened.refusal, 0);
	assert_true(opened.until_ms > opened.start_ms && opened.until_ms <= opened.start_ms + 60001);
	if (!fixture_has_clock(f))
		return;
	fixture_clock(f, 61);
	fixture_grant(f, &opened.id, 0, &grant);
	assert_int_equal(grant.refusal, VAULT_REFUSAL_subscription_ended);
	fixture_open_recording(f, NULL, NULL, &opened);
	assert_int_equal(opened.refusal, VAULT_REFUSAL_not_subscribed);
}

static void test_reconcile_and_source_and_note(void **state)
{
	struct fixture *f = *state;
	struct ipc_packet p;
	struct ipc_reconciled_row row;
	struct ipc_cred cred = { .kind = CRED_SECRET, .len = 8 };
	struct ipc_source_is source;
	const struct ipc_note note = { .refusal = VAULT_REFUSAL_bad_request, .count = 3, .tenant = "not-a-tenant" };
	vault_id ids[2];

	fixture_subscribe(f, "P30D");
	ids[0] = fixture_recording(f, NULL);
	ids[1] = vault_id_new(clock_wall_ms());
	assert_true(fixture_ask(f, ipc_reconcile_encode(f->packet, 0, ids, 2), &p));
	assert_int_equal(ipc_reconciled_row(&p, 0, &row), VAULT_OK);
	assert_true(row.known == 1 && row.ended == 1);
	assert_int_equal(ipc_reconciled_row(&p, 1, &row), VAULT_OK);
	assert_int_equal(row.known, 0);
	assert_int_equal(ipc_reconciled_row(&p, 2, &row), VAULT_E_RANGE);
	memcpy(cred.data, "secret-a", 8);
	assert_true(fixture_ask(f, ipc_source_encode(f->packet, 0, &cred), &p));
	assert_int_equal(ipc_source_is_decode(&source, &p), VAULT_OK);
	assert_int_equal(source.source, 1);
	assert_false(fixture_ask(f, ipc_note_encode(f->packet, 0, &note), &p));
	assert_true(fixture_log_has(f, "\"event\":\"front.refused\""));
	assert_false(fixture_log_has(f, "not-a-tenant"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_r1_default_deny), T(test_revoked_source_is_unauthorized), T(test_r27_consent), T(test_open_segment_close),
		T(test_no_grant_behind_a_close), T(test_void_drops_the_recording), T(test_close_from_an_earlier_start), T(test_a_name_answers_once),
		T(test_r3_unsubscribe_stops_the_stream), T(test_r3_until_is_told_and_held), T(test_reconcile_and_source_and_note),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
