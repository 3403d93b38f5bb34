/*
 * test_jws.c - signed commands: only the exact form, only the pinned key (R21).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/secret.h"
#include "token/jws.h"

#define NOW 1795467313u

static struct sign_key *key;
static char kid[VAULT_KID_TEXT];
static const vault_id vault = {{0x01, 0x9a}};
static char aud[VAULT_ID_TEXT];

static size_t encode(const void *in, size_t n, char *out, size_t cap)
{
	size_t len = b64_encode(in, n, B64_URL_NOPAD, out, cap);

	assert_true(n == 0 || len > 0);
	return len;
}

/* A token of any header and payload text, signed by key. */
static size_t forge(const char *header, const char *payload, char *out, size_t cap)
{
	uint8_t sig[SIGN_BYTES];
	size_t n = encode(header, strlen(header), out, cap);

	out[n++] = '.';
	n += encode(payload, strlen(payload), out + n, cap - n);
	assert_int_equal(sign_make(sig, out, n, key), VAULT_OK);
	out[n++] = '.';
	return n + encode(sig, sizeof(sig), out + n, cap - n);
}

static vault_err check(const char *token, size_t n)
{
	struct jws j;
	struct command c;
	vault_err err = jws_parse(&j, token, n);

	if (err)
		return err;
	err = jws_verify(&j, token, n, key->pub, &c);
	command_free(&c);
	return err;
}

static void R21_signed_command_round_trip(void **state)
{
	json_t *args = json_pack("{s:s, s:i}", "tenant", "acme", "limit", 5);
	struct command c;
	struct jws j;
	char *token, *again;
	size_t n;

	(void)state;
	assert_int_equal(jws_sign(key, &vault, "list", args, NOW, 300, &token), VAULT_OK);
	assert_int_equal(jws_sign(key, &vault, "list", args, NOW, 300, &again), VAULT_OK);
	assert_string_not_equal(token, again);
	n = strlen(token);
	assert_int_equal(jws_parse(&j, token, n), VAULT_OK);
	assert_string_equal(j.kid, kid);
	assert_int_equal(jws_verify(&j, token, n, key->pub, &c), VAULT_OK);
	assert_string_equal(c.iss, kid);
	assert_string_equal(c.aud, aud);
	assert_string_equal(c.cmd, "list");
	assert_int_equal(c.iat, NOW);
	assert_int_equal(c.nbf, NOW);
	assert_int_equal(c.exp, NOW + 300);
	assert_true(strlen(c.jti) >= 16);
	assert_true(json_equal(c.args, args));
	assert_int_equal(command_check_time(&c, &vault, NOW), VAULT_OK);
	command_free(&c);
	assert_null(c.args);
	json_decref(args);
	free(token);
	free(again);
}

static void R21_any_changed_bit_is_refused(void **state)
{
	char *token;
	size_t n;

	(void)state;
	assert_int_equal(jws_sign(key, &vault, "status", NULL, NOW, 60, &token), VAULT_OK);
	n = strlen(token);
	assert_int_equal(check(token, n), VAULT_OK);
	for (size_t bit = 0; bit < n * 8; bit++) {
		token[bit / 8] = (char)(token[bit / 8] ^ 1 << bit % 8);
		assert_int_not_equal(check(token, n), VAULT_OK);
		token[bit / 8] = (char)(token[bit / 8] ^ 1 << bit % 8);
	}
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(check(token, i), VAULT_OK);
	assert_int_not_equal(check(token, n + 1), VAULT_OK);
	free(token);
}

static void R21_another_key_does_not_verify(void **state)
{
	struct sign_key *other = secret_alloc(sizeof(*other));
	struct command c;
	struct jws j;
	char *token;

	(void)state;
	assert_non_null(other);
	assert_int_equal(sign_key_new(other), VAULT_OK);
	assert_int_equal(jws_sign(other, &vault, "status", NULL, NOW, 60, &token), VAULT_OK);
	assert_int_equal(jws_parse(&j, token, strlen(token)), VAULT_OK);
	assert_int_equal(jws_verify(&j, token, strlen(token), key->pub, &c), VAULT_E_AUTH);
	assert_null(c.args);
	free(token);
	secret_free(other);
}

static void header_is_exact(void **state)
{
	/* %s is the key id. */
	static const char *const good[] = {
		"{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"vault-command+jwt\"}",
		"{\"typ\":\"vault-command+jwt\", \"kid\":\"%s\", \"alg\":\"Ed25519\"}",
	};
	static const char *const bad[] = {
		"{\"alg\":\"none\",\"kid\":\"%s\",\"typ\":\"vault-command+jwt\"}",
		"{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"vault-command+jwt\"}",
		"{\"alg\":\"eddsa\",\"kid\":\"%s\",\"typ\":\"vault-command+jwt\"}",
		"{\"alg\":[\"EdDSA\"],\"kid\":\"%s\",\"typ\":\"vault-command+jwt\"}",
		"{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
		"{\"alg\":\"EdDSA\",\"kid\":\"%s\"}",
		"{\"alg\":\"EdDSA\",\"typ\":\"vault-command+jwt\",\"x\":\"%s\"}",
		"{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"vault-command+jwt\",\"crit\":[]}",
		"{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"vault-command+jwt\",\"jwk\":{}}",
		"{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"vault-command+jwt\",\"jku\":\"https://a\"}",
		"{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"vault-command+jwt\",\"x5u\":\"https://a\"}",
		"{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"kid\":\"0000000000000000\",\"typ\":\"vault-command+jwt\"}",
		"{\"alg\":\"EdDSA\",\"kid\":\"%s0\",\"typ\":\"vault-command+jwt\"}",
		"{\"alg\":\"EdDSA\",\"kid\":\"X%.15s\",\"typ\":\"vault-command+jwt\"}",
		"{\"alg\":\"EdDSA\",\"kid\":\"%.15s\",\"typ\":\"vault-command+jwt\"}",
		"[\"%s\"]", "%s", "",
	};
	char payload[512], header[512], token[2048];

	(void)state;
	(void)snprintf(payload, sizeof(payload), "{\"iss\":\"%s\",\"aud\":\"%s\",\"iat\":1,\"nbf\":1,\"exp\":2,"
	    "\"jti\":\"0123456789abcdef\",\"cmd\":\"status\",\"args\":{}}", kid, aud);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(header, sizeof(header), good[i], kid);
		assert_int_equal(check(token, forge(header, payload, token, sizeof(token))), VAULT_OK);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(header, sizeof(header), bad[i], kid);
		assert_int_equal(check(token, forge(header, payload, token, sizeof(token))), VAULT_E_INVAL);
	}
#pragma GCC diagnostic pop
}

/* A payload with one member replaced, left out (NULL) or added. */
static vault_err check_payload(const char *member, const char *json_value)
{
	json_t *payload = json_pack("{s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:{}}", "iss", kid, "aud", aud, "iat", 1, "nbf", 1,
	    "exp", 2, "jti", "0123456789abcdef", "cmd", "status", "args");
	char header[256], token[JWS_MAX];
	char *text;
	vault_err err;

	assert_non_null(payload);
	if (json_value)
		assert_int_equal(json_object_set_new(payload, member, json_loads(json_value, JSON_DECODE_ANY, NULL)), 0);
	else
		assert_int_equal(json_object_del(payload, member), 0);
	text = json_write(payload, NULL);
	(void)snprintf(header, sizeof(header), "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"vault-command+jwt\"}", kid);
	err = check(token, forge(header, text, token, sizeof(token)));
	free(text);
	json_decref(payload);
	return err;
}

static void payload_is_exact(void **state)
{
	static const char *const members[] = {"iss", "aud", "iat", "nbf", "exp", "jti", "cmd", "args"};
	static const struct {
		const char *member, *value;
	} bad[] = {
		{"extra", "1"}, {"iss", "\"0000000000000000\""}, {"iss", "1"}, {"aud", "\"vault\""}, {"aud", "[\"a\"]"},
		{"iat", "\"1\""}, {"iat", "1.5"}, {"iat", "-1"}, {"nbf", "null"}, {"exp", "253402300800"},
		{"jti", "\"short\""}, {"jti", "\"0123456789abcde=\""}, {"jti", "1"},
		{"jti", "\"01234567890123456789012345678901234567890123456789012345678901234\""},
		{"cmd", "\"\""}, {"cmd", "\"a command name that is far too long\""}, {"cmd", "{}"}, {"args", "[]"},
		{"args", "null"}, {"args", "\"{}\""},
	};

	(void)state;
	assert_int_equal(check_payload("cmd", "\"list\""), VAULT_OK);
	assert_int_equal(check_payload("jti", "\"_-AZaz0123456789\""), VAULT_OK);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		assert_int_equal(check_payload(members[i], NULL), VAULT_E_INVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(check_payload(bad[i].member, bad[i].value), VAULT_E_INVAL);
}

static void shapes_are_refused(void **state)
{
	static const char *const bad[] = {"", ".", "..", "...", "a.b.c", "a.b", "....", "=.=.="};
	static char huge[JWS_MAX + 1];
	struct jws j;
	char *token, *padded;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(jws_parse(&j, bad[i], strlen(bad[i])), VAULT_E_INVAL);
	memset(huge, 'A', sizeof(huge));
	assert_int_equal(jws_parse(&j, huge, sizeof(huge)), VAULT_E_RANGE);
	assert_int_equal(jws_parse(&j, huge, JWS_MAX), VAULT_E_INVAL);
	assert_int_equal(jws_sign(key, &vault, "status", NULL, NOW, 60, &token), VAULT_OK);
	n = strlen(token);
	padded = malloc(n + 3);
	assert_non_null(padded);
	(void)snprintf(padded, n + 3, "%s==", token);
	assert_int_equal(check(padded, n + 2), VAULT_E_INVAL);
	(void)snprintf(padded, n + 3, "%s.", token);
	assert_int_equal(check(padded, n + 1), VAULT_E_INVAL);
	(void)snprintf(padded, n + 3, " %s", token);
	assert_int_equal(check(padded, n + 1), VAULT_E_INVAL);
	(void)snprintf(padded, n + 3, "%s\n", token);
	assert_int_equal(check(padded, n + 1), VAULT_E_INVAL);
	free(padded);
	free(token);
}

static void R21_times_and_audience(void **state)
{
	const vault_id other = {{0x02}};
	struct command c = {.iat = NOW, .nbf = NOW, .exp = NOW + JWS_LIFE_MAX};

	(void)state;
	(void)snprintf(c.aud, sizeof(c.aud), "%s", aud);
	assert_int_equal(command_check_time(&c, &vault, NOW), VAULT_OK);
	assert_int_equal(command_check_time(&c, &other, NOW), VAULT_E_DENIED);
	assert_int_equal(command_check_time(&c, &vault, NOW - JWS_SKEW), VAULT_OK);
	assert_int_equal(command_check_time(&c, &vault, NOW - JWS_SKEW - 1), VAULT_E_EXPIRED);
	assert_int_equal(command_check_time(&c, &vault, c.exp - 1), VAULT_OK);
	assert_int_equal(command_check_time(&c, &vault, c.exp), VAULT_E_EXPIRED);
	c.exp++;
	assert_int_equal(command_check_time(&c, &vault, NOW), VAULT_E_EXPIRED);
	c.exp = c.iat;
	assert_int_equal(command_check_time(&c, &vault, NOW), VAULT_E_EXPIRED);
	c.exp = c.iat - 1;
	assert_int_equal(command_check_time(&c, &vault, NOW - 100), VAULT_E_EXPIRED);
	c.exp = NOW + 100;
	c.nbf = NOW + 50;
	assert_int_equal(command_check_time(&c, &vault, NOW - 11), VAULT_E_EXPIRED);
	assert_int_equal(command_check_time(&c, &vault, NOW), VAULT_OK);
}

static void sign_checks_its_arguments(void **state)
{
	json_t *list = json_array(), *big = json_object();
	char *text = malloc(JWS_MAX + 1), *token;

	(void)state;
	assert_non_null(text);
	memset(text, 'a', JWS_MAX);
	text[JWS_MAX] = '\0';
	assert_int_equal(json_object_set_new(big, "a", json_string(text)), 0);
	assert_int_equal(jws_sign(key, &vault, "status", list, NOW, 60, &token), VAULT_E_INVAL);
	assert_int_equal(jws_sign(key, &vault, "status", NULL, NOW, 0, &token), VAULT_E_INVAL);
	assert_int_equal(jws_sign(key, &vault, "status", NULL, NOW, JWS_LIFE_MAX + 1, &token), VAULT_E_INVAL);
	assert_int_equal(jws_sign(key, &vault, "status", big, NOW, 60, &token), VAULT_E_RANGE);
	assert_int_equal(jws_sign(key, &vault, text, NULL, NOW, 60, &token), VAULT_E_INVAL);
	assert_null(token);
	free(text);
	json_decref(list);
	json_decref(big);
}

/* RFC 8037, appendix A.4: the same signature; and a token without kid and typ is no command. */
static void rfc8037_vector(void **state)
{
	static const char d[] = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
	static const char x[] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
	static const char input[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
	static const char want[] =
	    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
	struct sign_key *rfc = secret_alloc(sizeof(*rfc));
	uint8_t seed[32], pub[32], sig[SIGN_BYTES];
	char text[256];
	struct jws j;
	size_t n;

	(void)state;
	assert_non_null(rfc);
	assert_int_equal(b64_decode(d, strlen(d), B64_URL_NOPAD, seed, sizeof(seed), &n), VAULT_OK);
	assert_int_equal(b64_decode(x, strlen(x), B64_URL_NOPAD, pub, sizeof(pub), &n), VAULT_OK);
	assert_int_equal(sign_key_from_seed(rfc, seed, seed), VAULT_OK);
	assert_memory_equal(rfc->pub, pub, sizeof(pub));
	assert_int_equal(sign_make(sig, input, strlen(input), rfc), VAULT_OK);
	(void)encode(sig, sizeof(sig), text, sizeof(text));
	assert_string_equal(text, want);
	n = (size_t)snprintf(text, sizeof(text), "%s.%s", input, want);
	assert_int_equal(jws_parse(&j, text, n), VAULT_E_INVAL);
	secret_free(rfc);
}

static long allocations_left = -1;

static void *failing_malloc(size_t n)
{
	if (allocations_left == 0)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	return malloc(n);
}

static void survives_lack_of_memory(void **state)
{
	json_t *args = json_pack("{s:[i,s]}", "list", 1, "two");
	vault_err err = VAULT_E_NOMEM;
	char *token = NULL;
	struct command c;
	struct jws j;

	(void)state;
	json_set_alloc_funcs(failing_malloc, free);
	for (allocations_left = 0; err; ) {
		long fail = allocations_left;

		err = jws_sign(key, &vault, "status", args, NOW, 60, &token);
		assert_true(err == VAULT_OK || err == VAULT_E_NOMEM);
		assert_true((err == VAULT_OK) == (token != NULL));
		allocations_left = fail + 1;
		assert_true(fail < 1000);
	}
	err = VAULT_E_NOMEM;
	for (long fail = 0; err && fail < 1000; fail++) {
		allocations_left = fail;
		err = jws_parse(&j, token, strlen(token));
		if (err)
			continue;
		err = jws_verify(&j, token, strlen(token), key->pub, &c);
		command_free(&c);
	}
	assert_int_equal(err, VAULT_OK);
	allocations_left = -1;
	json_set_alloc_funcs(malloc, free);
	free(token);
	json_decref(args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(R21_signed_command_round_trip),
		cmocka_unit_test(R21_any_changed_bit_is_refused),
		cmocka_unit_test(R21_another_key_does_not_verify),
		cmocka_unit_test(header_is_exact),
		cmocka_unit_test(payload_is_exact),
		cmocka_unit_test(shapes_are_refused),
		cmocka_unit_test(R21_times_and_audience),
		cmocka_unit_test(sign_checks_its_arguments),
		cmocka_unit_test(rfc8037_vector),
		cmocka_unit_test(survives_lack_of_memory),
	};
	int failed;

	if (secret_setup() != VAULT_OK)
		return 1;
	key = secret_alloc(sizeof(*key));
	if (!key || sign_key_new(key) != VAULT_OK)
		return 1;
	vault_kid_of(key->pub, kid);
	vault_id_format(&vault, aud);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	secret_free(key);
	return failed;
}
