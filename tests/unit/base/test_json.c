/*
 * test_json.c - strict JSON, with every allocation failing once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"

static vault_err try_read(const char *text)
{
	json_t *value;
	vault_err err = json_read(text, strlen(text), 4096, &value);

	assert_true((err == VAULT_OK) == (value != NULL));
	json_decref(value);
	return err;
}

static void accepts_json(void **state)
{
	(void)state;
	assert_int_equal(try_read("{}"), VAULT_OK);
	assert_int_equal(try_read(" [1,2.5,-3,true,null,\"\\u00e9\xc3\xa9\"] \n"), VAULT_OK);
	assert_int_equal(try_read("{\"a\":{\"a\":1},\"b\":\"[[[[[[[[[[[[[[[[[[[[\\\"{{{{{{{{\"}"), VAULT_OK);
	assert_int_equal(try_read("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), VAULT_OK);
}

static void refuses_the_rest(void **state)
{
	static const char *const bad[] = {
		"", " ", "{", "}", "[", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "{} {}", "{}x", "{'a':1}", "{\"a\":01}",
		"[1,]", "[\"\\u0000\"]", "[\"\xff\"]", "[\"\xc0\x80\"]", "[\"\xed\xa0\x80\"]", "[\"\\ud800\"]", "[NaN]",
		"[\"a\nb\"]", "[99999999999999999999]", "[1e999]", "\xef\xbb\xbf{}", "1", "\"a\"", "{\"a\":1}//",
	};
	char deep[10001];
	json_t *value;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(try_read(bad[i]), VAULT_E_INVAL);
	assert_int_equal(try_read("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), VAULT_E_RANGE);
	memset(deep, '[', 10000);
	deep[10000] = '\0';
	assert_int_equal(json_read(deep, 10000, 20000, &value), VAULT_E_RANGE);
	assert_int_equal(json_read("[  ]", 4, 3, &value), VAULT_E_RANGE);
	assert_int_equal(json_read("{}\0", 3, 10, &value), VAULT_E_INVAL);
	assert_int_equal(json_read("[\"a\0b\"]", 7, 10, &value), VAULT_E_INVAL);
}

static void members(void **state)
{
	static const char *const both[] = {"n", "s", NULL}, *const one[] = {"n", NULL};
	static const char text[] = "{\"s\":\"text\",\"n\":7}";
	json_t *value;
	size_t len;
	uint64_t n = 0;
	char *written;

	(void)state;
	assert_int_equal(json_read(text, strlen(text), 100, &value), VAULT_OK);
	assert_string_equal(json_str(value, "s", &len), "text");
	assert_int_equal(len, 4);
	assert_null(json_str(value, "n", &len));
	assert_int_equal(len, 0);
	assert_null(json_str(value, "x", NULL));
	assert_null(json_str(NULL, "x", NULL));
	assert_int_equal(json_u64(value, "n", &n), VAULT_OK);
	assert_int_equal(n, 7);
	assert_int_equal(json_u64(value, "s", &n), VAULT_E_INVAL);
	assert_int_equal(json_u64(value, "x", &n), VAULT_E_NOTFOUND);
	assert_int_equal(json_only(value, both), VAULT_OK);
	assert_int_equal(json_only(value, one), VAULT_E_INVAL);
	assert_int_equal(json_only(NULL, both), VAULT_E_INVAL);
	assert_int_equal(json_object_set_new(value, "n", json_integer(-1)), 0);
	assert_int_equal(json_u64(value, "n", &n), VAULT_E_INVAL);
	written = json_write(value, &len);
	assert_string_equal(written, "{\"n\":-1,\"s\":\"text\"}");
	assert_int_equal(len, strlen(written));
	free(written);
	json_decref(value);
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
	static const char text[] = "{\"a\":[1,2.5,\"three\"],\"b\":{\"c\":null}}";
	vault_err err = VAULT_E_NOMEM;

	(void)state;
	json_set_alloc_funcs(failing_malloc, free);
	for (long fail = 0; err != VAULT_OK && fail < 1000; fail++) {
		json_t *value;

		allocations_left = fail;
		err = json_read(text, strlen(text), 100, &value);
		if (err == VAULT_OK) {
			size_t len;
			char *written;

			allocations_left = 0;
			assert_null(json_write(value, &len));
			allocations_left = -1;
			written = json_write(value, &len);
			assert_non_null(written);
			free(written);
		}
		json_decref(value);
	}
	allocations_left = -1;
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(err, VAULT_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_json),
		cmocka_unit_test(refuses_the_rest),
		cmocka_unit_test(members),
		cmocka_unit_test(survives_lack_of_memory),
	};

	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
