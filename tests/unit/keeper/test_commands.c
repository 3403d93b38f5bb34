/*
 * test_commands.c - what a signature must be before the keeper believes it
 * (P4, R21), and what the commands do.
 */
#include "fixture.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "token/jws.h"

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int setup_bare(void **state)
{
	*state = fixture_bare();
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static void assert_refused(struct fixture *f, const char *token, unsigned status, const char *name)
{
	json_t *json = NULL;

	assert_int_equal(fixture_token(f, token, NULL, &json), status);
	assert_string_equal(fixture_refusal(json), name);
	json_decref(json);
}

static void test_r21_replay_is_refused(void **state)
{
	struct fixture *f = *state;
	char *token = fixture_sign(f, OPERATOR, "tenant.list", NULL);

	assert_int_equal(fixture_token(f, token, NULL, NULL), 200);
	assert_refused(f, token, 409, "replayed");
	fixture_restart(f);
	assert_refused(f, token, 409, "replayed");
	free(token);
}

static void test_r21_refused_command_is_used_up_too(void **state)
{
	struct fixture *f = *state;
	char *token = fixture_sign(f, AUDITOR, "tenant.list", NULL);

	assert_refused(f, token, 403, "forbidden");
	assert_refused(f, token, 409, "replayed");
	free(token);
}

static void test_r21_expired_and_early_are_refused(void **state)
{
	struct fixture *f = *state;
	json_t *args = json_object();
	uint64_t now = clock_wall_ms() / 1000;
	const uint64_t times[] = { now - 1000, now + 1000 };

	for (size_t i = 0; i < 2; i++) {
		char *token;
		assert_int_equal(jws_sign(f->key[OPERATOR], &f->k->vault, "tenant.list", args, times[i], 300, &token), VAULT_OK);
		assert_refused(f, token, 401, "bad_token");
		free(token);
	}
	json_decref(args);
}

static void test_r21_foreign_audience_is_refused(void **state)
{
	struct fixture *f = *state;
	vault_id other = vault_id_new(clock_wall_ms());
	json_t *args = json_object();
	char *token;

	assert_int_equal(jws_sign(f->key[OPERATOR], &other, "tenant.list", args, clock_wall_ms() / 1000, 300, &token), VAULT_OK);
	assert_refused(f, token, 401, "bad_token");
	free(token);
	json_decref(args);
}

/* A stranger's payload and signature under the operator's key id. */
static void test_r21_forged_signature_is_refused(void **state)
{
	struct fixture *f = *state;
	char *real = fixture_sign(f, OPERATOR, "tenant.list", NULL), *own = fixture_sign(f, STRANGER, "tenant.list", NULL);
	char forged[JWS_MAX];

	snprintf(forged, sizeof(forged), "%.*s%s", (int)(strchr(real, '.') - real), real, strchr(own, '.'));
	assert_refused(f, forged, 401, "bad_token");
	/* One bit of a real signature. */
	size_t n = strlen(real);
	real[n - 10] = real[n - 10] == 'A' ? 'B' : 'A';
	assert_refused(f, real, 401, "bad_token");
	free(real);
	free(own);
}

/* "none", and HMAC keyed with the public key. */
static void test_r21_algorithm_confusion_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const algs[] = { "none", "HS256", "ES256", "eddsa" };
	char *real = fixture_sign(f, OPERATOR, "tenant.list", NULL);
	char *payload = strchr(real, '.') + 1, *end = strrchr(real, '.');

	for (size_t i = 0; i < 4; i++) {
		char header[256], header64[512], signed_part[JWS_MAX], token[JWS_MAX], mac64[64];
		uint8_t mac[32];
		snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"vault-command+jwt\"}", algs[i],
		    f->kid[OPERATOR]);
		b64_encode(header, strlen(header), B64_URL_NOPAD, header64, sizeof(header64));
		snprintf(signed_part, sizeof(signed_part), "%s.%.*s", header64, (int)(end - payload), payload);
		crypto_auth_hmacsha256(mac, (const uint8_t *)signed_part, strlen(signed_part), f->key[OPERATOR]->pub);
		b64_encode(mac, sizeof(mac), B64_URL_NOPAD, mac64, sizeof(mac64));
		assert_true(snprintf(token, sizeof(token), "%s.%s", signed_part, i == 0 ? "" : mac64) < (int)sizeof(token));
		assert_refused(f, token, 401, "bad_token");
	}
	free(real);
}

static void test_garbage_tokens_are_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const tokens[] = { "", ".", "..", "a.b.c", "{}", "....." };

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		assert_refused(f, tokens[i], 401, "bad_token");
	assert_true(fixture_log_has(f, "\"event\":\"command.refused\""));
}

static void test_r21_nobody_approves_his_own(void **state)
{
	struct fixture *f = *state;
	json_t *json = NULL;

	assert_int_equal(fixture_pair(f, OPERATOR, OPERATOR, "principal.add", fixture_principal(f, STRANGER, "auditor", NULL),
	    &json), 403);
	json_decref(json);
	assert_int_equal(fixture_pair(f, OPERATOR, CONTACT, "principal.add", fixture_principal(f, STRANGER, "auditor", NULL),
	    NULL), 403);
	assert_int_equal(fixture_command(f, STRANGER, "status", NULL, NULL), 403);
	assert_int_equal(fixture_pair(f, OPERATOR, OPERATOR_2, "principal.add",
	    fixture_principal(f, STRANGER, "auditor", NULL), NULL), 200);
	assert_int_equal(fixture_command(f, STRANGER, "status", NULL, NULL), 200);
}

/* R21: one person alone makes the second operator, nothing else. */
static void test_r21_first_person_alone(void **state)
{
	struct fixture *f = *state;
	json_t *json = NULL;

	fixture_ok(f, OPERATOR, "tenant.add", json_pack("{s:s}", "tenant", "alpha"));
	assert_int_equal(fixture_command(f, OPERATOR, "principal.add", fixture_principal(f, CONTACT, "contact", "alpha"), NULL), 202);
	assert_int_equal(fixture_command(f, OPERATOR, "principal.add", fixture_principal(f, AUDITOR, "auditor", NULL), NULL), 202);
	fixture_ok(f, OPERATOR, "principal.add", fixture_principal(f, DPO, "dpo", NULL));
	assert_int_equal(fixture_command(f, OPERATOR, "principal.add", fixture_principal(f, OPERATOR_2, "operator", NULL), NULL), 202);
	assert_int_equal(fixture_command(f, DPO, "pending.list", NULL, &json), 200);
	assert_int_equal(json_array_size(json_object_get(json, "pending")), 3);
	json_decref(json);
	/* Revoking one of two who can approve would lock everyone out. */
	assert_int_equal(fixture_command(f, OPERATOR, "principal.revoke", json_pack("{s:s}", "kid", f->kid[DPO]), NULL), 403);
}

static void test_pending_survives_restart_and_ends(void **state)
{
	struct fixture *f = *state;
	json_t *json = NULL;

	assert_int_equal(fixture_command(f, OPERATOR, "principal.add", fixture_principal(f, STRANGER, "auditor", NULL), &json), 202);
	char sha[65];
	snprintf(sha, sizeof(sha), "%s", json_str(json, "pending", NULL));
	json_decref(json);
	fixture_restart(f);
	if (fixture_has_clock(f)) {
		fixture_clock(f, 24 * 3600 + 5);
		assert_int_equal(fixture_command(f, DPO, "approve", json_pack("{s:s}", "sha256", sha), NULL), 404);
		fixture_clock(f, 0);
	}
	fixture_ok(f, DPO, "approve", json_pack("{s:s}", "sha256", sha));
	assert_int_equal(fixture_command(f, OPERATOR_2, "approve", json_pack("{s:s}", "sha256", sha), NULL), 404);
}

static void test_unknown_arguments_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_command(f, OPERATOR, "tenant.add", json_pack("{s:s, s:i}", "tenant", "x", "more", 1), NULL), 400);
	assert_int_equal(fixture_command(f, OPERATOR, "tenant.add", json_pack("{s:s}", "tenant", "../x"), NULL), 400);
	assert_int_equal(fixture_command(f, OPERATOR, "no.such", NULL, NULL), 400);
	assert_int_equal(fixture_command(f, CONTACT, "retention.set",
	    json_pack("{s:s, s:s, s:s}", "tenant", "alpha", "medium", "voice", "keep", "P0D"), NULL), 400);
	assert_int_equal(fixture_command(f, CONTACT, "schema.set", json_pack("{s:s, s:[s, s]}", "tenant", "alpha", "tags",
	    "twenty-characters-xx", "twenty-characters-yy"), NULL), 400);
	assert_int_equal(fixture_command(f, CONTACT, "purpose.set", json_pack("{s:s, s:[]}", "tenant", "alpha", "purposes"),
	    NULL), 400);
}

static void test_policy_and_key_answers(void **state)
{
	struct fixture *f = *state;
	json_t *json = NULL;

	fixture_subscribe(f, "P90D");
	fixture_ok(f, CONTACT, "schema.set", json_pack("{s:s, s:[s, s]}", "tenant", "alpha", "tags", "desk", "shift"));
	fixture_ok(f, CONTACT, "basis.set", json_pack("{s:s, s:b}", "tenant", "alpha", "consent", 1));
	assert_int_equal(fixture_command(f, CONTACT, "tenant.show", json_pack("{s:s}", "tenant", "alpha"), &json), 200);
	assert_string_equal(json_str(json_object_get(json, "retention"), "voice", NULL), "P90D");
	assert_true(json_is_true(json_object_get(json, "consent")));
	assert_int_equal(json_array_size(json_object_get(json, "tags")), 2);
	json_decref(json);
	assert_int_equal(fixture_command(f, OPERATOR, "rotate.tenant", json_pack("{s:s}", "tenant", "alpha"), &json), 200);
	assert_int_equal(json_integer_value(json_object_get(json, "epoch")), 2);
	json_decref(json);
	assert_int_equal(fixture_command(f, OPERATOR, "rotate.root", NULL, &json), 200);
	assert_int_equal(json_integer_value(json_object_get(json, "epoch")), 3);
	json_decref(json);
	assert_int_equal(fixture_command(f, DPO, "key.status", NULL, &json), 200);
	assert_int_equal(json_integer_value(json_object_get(json, "tenants")), 2);
	json_decref(json);
	assert_int_equal(fixture_command(f, AUDITOR, "status", NULL, &json), 200);
	assert_string_equal(json_str(json, "cmd", NULL), "status");
	json_decref(json);
	fixture_restart(f);
	assert_int_equal(fixture_command(f, AUDITOR, "audit.read", json_pack("{s:i, s:i}", "first", 0, "count", 256), &json), 200);
	assert_true(json_array_size(json_object_get(json, "entries")) > 10);
	json_decref(json);
}

/* R4: an operator cannot set retention by any path. */
static void test_r4_operator_cannot_set_retention(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_command(f, OPERATOR, "retention.set",
	    json_pack("{s:s, s:s, s:s}", "tenant", "alpha", "medium", "voice", "keep", "P1D"), NULL), 403);
	assert_int_equal(fixture_command(f, CONTACT_B, "retention.set",
	    json_pack("{s:s, s:s, s:s}", "tenant", "alpha", "medium", "voice", "keep", "P1D"), NULL), 403);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_r21_replay_is_refused), T(test_r21_refused_command_is_used_up_too),
		T(test_r21_expired_and_early_are_refused), T(test_r21_foreign_audience_is_refused),
		T(test_r21_forged_signature_is_refused), T(test_r21_algorithm_confusion_is_refused),
		T(test_garbage_tokens_are_refused), T(test_r21_nobody_approves_his_own),
		cmocka_unit_test_setup_teardown(test_r21_first_person_alone, setup_bare, teardown),
		T(test_pending_survives_restart_and_ends), T(test_unknown_arguments_are_refused),
		T(test_policy_and_key_answers), T(test_r4_operator_cannot_set_retention),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
