/*
 * test_text.c - identifiers, base64, hex and log lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include <vault/id.h>
#include "base/base64.h"
#include "base/log.h"
#include "base/secret.h"

static void id_text_and_time(void **state)
{
	vault_id id = vault_id_new(0x0123456789ab), other = vault_id_new(0x0123456789ab), back;
	char text[VAULT_ID_TEXT];

	(void)state;
	vault_id_format(&id, text);
	assert_int_equal(strlen(text), 36);
	assert_memory_equal(text, "01234567-89ab-7", 15);
	assert_non_null(strchr("89ab", text[19]));
	assert_true(vault_id_time_ms(&id) == 0x0123456789ab);
	assert_int_equal(vault_id_parse(text, 36, &back), VAULT_OK);
	assert_true(vault_id_equal(&id, &back));
	assert_false(vault_id_equal(&id, &other));
}

static void id_only_canonical(void **state)
{
	static const char *const bad[] = {
		"", "01234567-89ab-7000-8000-00000000000", "01234567-89ab-7000-8000-0000000000000",
		"01234567-89AB-7000-8000-000000000000", "0123456789ab-7000--8000-000000000000",
		"{1234567-89ab-7000-8000-00000000000}", "01234567-89ab-7000-8000-00000000000g",
		"01234567089ab-7000-8000-000000000000",
	};
	vault_id id;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vault_id_parse(bad[i], strlen(bad[i]), &id), VAULT_E_INVAL);
}

static void tenant_names(void **state)
{
	(void)state;
	assert_true(vault_tenant_valid("a", 1));
	assert_true(vault_tenant_valid("0-shop", 6));
	assert_true(vault_tenant_valid("abcdefghijklmnopqrstuvwxyz012345", 32));
	assert_false(vault_tenant_valid("abcdefghijklmnopqrstuvwxyz0123456", 33));
	assert_false(vault_tenant_valid("", 0));
	assert_false(vault_tenant_valid("-a", 2));
	assert_false(vault_tenant_valid("A", 1));
	assert_false(vault_tenant_valid("a/b", 3));
	assert_false(vault_tenant_valid("a\0b", 3));
	assert_false(vault_tenant_valid("\xc3\xa9", 2));
}

static void kid_is_a_hash(void **state)
{
	const uint8_t pub[32] = {0};
	char kid[VAULT_KID_TEXT];

	(void)state;
	/* SHA-256 of 32 zero bytes begins 66687aadf862bd77. */
	vault_kid_of(pub, kid);
	assert_string_equal(kid, "66687aadf862bd77");
}

/* RFC 4648, section 10. */
static void base64_vectors(void **state)
{
	static const struct {
		const char *plain, *pad, *nopad;
	} v[] = {
		{"", "", ""}, {"f", "Zg==", "Zg"}, {"fo", "Zm8=", "Zm8"}, {"foo", "Zm9v", "Zm9v"},
		{"foob", "Zm9vYg==", "Zm9vYg"}, {"fooba", "Zm9vYmE=", "Zm9vYmE"}, {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
	};
	char text[16];
	uint8_t back[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		size_t len = strlen(v[i].plain);

		assert_int_equal(b64_encode(v[i].plain, len, B64_STD_PAD, text, sizeof(text)), strlen(v[i].pad));
		assert_string_equal(text, v[i].pad);
		assert_int_equal(b64_encode(v[i].plain, len, B64_URL_NOPAD, text, sizeof(text)), strlen(v[i].nopad));
		assert_string_equal(text, v[i].nopad);
		assert_int_equal(b64_decode(v[i].pad, strlen(v[i].pad), B64_STD_PAD, back, len, &n), VAULT_OK);
		assert_int_equal(n, len);
		assert_memory_equal(back, v[i].plain, len);
		assert_int_equal(b64_decode(v[i].nopad, strlen(v[i].nopad), B64_STD_NOPAD, back, len, &n), VAULT_OK);
		assert_int_equal(n, len);
	}
	assert_int_equal(b64_encode("\xfb\xff", 2, B64_URL_NOPAD, text, sizeof(text)), 3);
	assert_string_equal(text, "-_8");
	assert_int_equal(b64_encode("foo", 3, B64_STD_PAD, text, 4), 0);
}

static void base64_only_canonical(void **state)
{
	static const struct {
		const char *text;
		enum b64_kind kind;
	} bad[] = {
		{"Zh", B64_URL_NOPAD}, {"Zm9", B64_URL_NOPAD}, {"Zg==", B64_URL_NOPAD}, {"Z", B64_URL_NOPAD},
		{"Zm9vY", B64_STD_NOPAD}, {"Zg", B64_STD_PAD}, {"Zg=", B64_STD_PAD}, {"Zg===", B64_STD_PAD},
		{"Zm8==", B64_STD_PAD}, {"Z===", B64_STD_PAD}, {"====", B64_STD_PAD}, {"Zm 9v", B64_STD_NOPAD},
		{"Zm9v\n", B64_STD_NOPAD}, {"-_8", B64_STD_NOPAD}, {"+/8", B64_URL_NOPAD}, {"Zm9=", B64_STD_PAD},
		{"Zg==Zg==", B64_STD_PAD},
	};
	uint8_t out[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(b64_decode(bad[i].text, strlen(bad[i].text), bad[i].kind, out, sizeof(out), &n),
		    VAULT_E_INVAL);
		assert_int_equal(n, 0);
	}
	/* Every byte outside the alphabet, in every kind. */
	for (int c = 0; c < 256; c++) {
		char text[4] = {'A', 'A', (char)c, 'A'};
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		assert_int_equal(b64_decode(text, 4, B64_URL_NOPAD, out, sizeof(out), &n) == VAULT_OK,
		    word || c == '-' || c == '_');
		assert_int_equal(b64_decode(text, 4, B64_STD_NOPAD, out, sizeof(out), &n) == VAULT_OK,
		    word || c == '+' || c == '/');
		assert_int_equal(b64_decode(text, 4, B64_STD_PAD, out, sizeof(out), &n) == VAULT_OK,
		    word || c == '+' || c == '/');
	}
	assert_int_equal(b64_decode("Zm9v", 4, B64_STD_PAD, out, 2, &n), VAULT_E_RANGE);
	assert_int_equal(b64_decode("Zm9v\0", 5, B64_STD_NOPAD, out, sizeof(out), &n), VAULT_E_INVAL);
}

static void hex_is_lower_case(void **state)
{
	char text[9];
	uint8_t out[4];
	size_t n;

	(void)state;
	hex_encode("\x00\x7f\xab\xff", 4, text);
	assert_string_equal(text, "007fabff");
	assert_int_equal(hex_decode(text, 8, out, 4, &n), VAULT_OK);
	assert_memory_equal(out, "\x00\x7f\xab\xff", 4);
	assert_int_equal(hex_decode("AB", 2, out, 4, &n), VAULT_E_INVAL);
	assert_int_equal(hex_decode("abc", 3, out, 4, &n), VAULT_E_INVAL);
	assert_int_equal(hex_decode("0g", 2, out, 4, &n), VAULT_E_INVAL);
	assert_int_equal(hex_decode(text, 8, out, 3, &n), VAULT_E_RANGE);
}

/* What one log call writes to standard error. */
static void log_is_one_line(void **state)
{
	char long_value[5000], line[8192];
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	(void)state;
	memset(long_value, 'v', sizeof(long_value) - 1);
	long_value[sizeof(long_value) - 1] = '\0';
	assert_int_equal(pipe(fds), 0);
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	log_init("test", LOG_INFO_);
	log_debug("event=hidden");
	log_info("event=a text=%s", "x\ny\x1b[31m\x7f");
	log_warn("event=b text=%s", long_value);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(fds[1]);
	n = read(fds[0], line, sizeof(line) - 1);
	close(fds[0]);
	assert_true(n > 0);
	line[n] = '\0';
	assert_non_null(strstr(line, "Z info test event=a text=x?y?[31m?\n"));
	assert_non_null(strstr(line, "Z warn test event=b text=vvvv"));
	assert_null(strstr(line, "hidden"));
	assert_int_equal(line[n - 1], '\n');
	assert_true(strchr(strchr(line, '\n') + 1, '\n') == &line[n - 1]);
	assert_true(n < 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(id_text_and_time),
		cmocka_unit_test(id_only_canonical),
		cmocka_unit_test(tenant_names),
		cmocka_unit_test(kid_is_a_hash),
		cmocka_unit_test(base64_vectors),
		cmocka_unit_test(base64_only_canonical),
		cmocka_unit_test(hex_is_lower_case),
		cmocka_unit_test(log_is_one_line),
	};

	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
