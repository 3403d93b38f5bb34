/*
 * test_metadata.c - the closed schema (R8) and withheld numbers (R9).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "front/ingest/metadata.h"

#define OK(expression) assert_int_equal((expression), VAULT_OK)

static struct ipc_open opened;

static vault_err set(struct ingest_metadata *m, const char *name, const char *value)
{
	return metadata_set(m, name, strlen(name), value, strlen(value), "ticket,order-no");
}

static const char *finish(struct ingest_metadata *m)
{
	struct probe_result media = { .container = CONTAINER_WAV, .media = MEDIUM_VOICE, .n_tracks = 1,
		.track[0] = { .medium = MEDIUM_VOICE, .codec = CODEC_PCMU, .channels = 1, .rate = 8000 } };

	memset(&opened, 0, sizeof opened);
	OK(metadata_finish(m, &media, &opened));
	opened.meta[opened.meta_len] = '\0';
	json_t *o;
	OK(json_read((const char *)opened.meta, opened.meta_len, METADATA_MAX, &o));
	size_t n;
	char *again = json_write(o, &n);
	assert_string_equal(again, (const char *)opened.meta);       /* canonical already */
	free(again);
	json_decref(o);
	return (const char *)opened.meta;
}

#define TRACKS "\"tracks\":[{\"channels\":1,\"codec\":\"pcmu\",\"medium\":\"voice\",\"rate\":8000}]"

static vault_err one(const char *name, const char *value, const char *want)
{
	struct ingest_metadata *m;

	OK(metadata_new(&m));
	vault_err err = set(m, name, value);
	if (err == VAULT_OK && want != NULL) {
		json_t *o;
		const char *got;
		const char *text = finish(m);
		OK(json_read(text, opened.meta_len, METADATA_MAX, &o));
		got = json_str(o, name, NULL);
		assert_non_null(got);
		assert_string_equal(got, want);
		json_decref(o);
	}
	metadata_free(m);
	return err;
}

static void numbers_have_one_form(void **state)
{
	(void)state;
	OK(one("caller", "+31 (20) 123-45.67", "+31201234567"));
	OK(one("caller", "tel:+3120;ext=5", "+3120"));
	OK(one("callee", "SIP:0201234567@example.org;user=phone", "0201234567"));
	OK(one("callee", "sips:112@x", "112"));
	assert_int_equal(one("caller", "alice", NULL), VAULT_E_INVAL);
	assert_int_equal(one("caller", "1+2", NULL), VAULT_E_INVAL);
	assert_int_equal(one("caller", "+", NULL), VAULT_E_INVAL);
	assert_int_equal(one("caller", "sip:@host", NULL), VAULT_E_INVAL);
	OK(one("caller", "123456789012345678901234567890123456789", "123456789012345678901234567890123456789"));
	assert_int_equal(one("caller", "1234567890123456789012345678901234567890", NULL), VAULT_E_RANGE);
}

static void values_are_checked(void **state)
{
	char long_text[258];

	(void)state;
	memset(long_text, 'a', 257);
	long_text[257] = '\0';
	OK(one("agent", "J\xc3\xb3zef \"x\\y\"", "J\xc3\xb3zef \"x\\y\""));
	assert_int_equal(one("agent", long_text, NULL), VAULT_E_RANGE);
	assert_int_equal(one("agent", "a\nb", NULL), VAULT_E_INVAL);
	assert_int_equal(one("agent", "\xc3", NULL), VAULT_E_INVAL);
	assert_int_equal(one("agent", "\xed\xa0\x80", NULL), VAULT_E_INVAL);
	assert_int_equal(one("agent", "\xc0\x80", NULL), VAULT_E_INVAL);
	assert_int_equal(one("agent", "\xf4\x90\x80\x80", NULL), VAULT_E_INVAL);
	OK(one("direction", "inbound", "inbound"));
	assert_int_equal(one("direction", "sideways", NULL), VAULT_E_INVAL);
	OK(one("started", "2026-11-23T20:55:13+01:00", "2026-11-23T19:55:13.000Z"));
	assert_int_equal(one("started", "yesterday", NULL), VAULT_E_INVAL);
	OK(one("ring_ms", "1200", NULL));
	assert_int_equal(one("ring_ms", "-1", NULL), VAULT_E_INVAL);
	assert_int_equal(one("ring_ms", "01", NULL), VAULT_E_INVAL);
	assert_int_equal(one("ring_ms", "99999999999", NULL), VAULT_E_RANGE);
	assert_int_equal(one("caller_withheld", "maybe", NULL), VAULT_E_INVAL);
	OK(one("ticket", "T-1", "T-1"));
	OK(one("order-no", "5", "5"));
}

static void unknown_fields_are_refused_R8(void **state)
{
	struct ingest_metadata *m;

	(void)state;
	OK(metadata_new(&m));
	assert_int_equal(set(m, "birth_date", "1970-01-01"), VAULT_E_NOTFOUND);
	assert_int_equal(set(m, "order", "1"), VAULT_E_NOTFOUND);
	assert_int_equal(set(m, "ticket,order-no", "1"), VAULT_E_NOTFOUND);
	assert_int_equal(set(m, "tracks", "1"), VAULT_E_NOTFOUND);
	assert_int_equal(set(m, "", "1"), VAULT_E_NOTFOUND);
	assert_int_equal(metadata_set(m, "ticket", 6, "1", 1, ""), VAULT_E_NOTFOUND);
	assert_int_equal(metadata_set(m, "ticket", 6, "1", 1, NULL), VAULT_E_NOTFOUND);
	assert_int_equal(metadata_json(m, "{\"iban\":[1]}", 12, ""), VAULT_E_NOTFOUND);
	OK(set(m, "agent", "a"));
	assert_int_equal(set(m, "agent", "b"), VAULT_E_EXISTS);
	assert_string_equal(finish(m), "{\"agent\":\"a\"," TRACKS "}");
	metadata_free(m);
}

/* R9: by flag, before or behind the number, and by the words that networks use. */
static void withheld_numbers_end_here_R9(void **state)
{
	static const char *const words[] = { "anonymous", "Restricted", "sip:anonymous@anonymous.invalid", "tel:unavailable",
		"withheld", "PRIVATE" };
	struct ingest_metadata *m, *copy;

	(void)state;
	OK(metadata_new(&m));
	OK(set(m, "caller", "+31611111111"));
	OK(set(m, "caller_withheld", "true"));
	OK(set(m, "callee_withheld", "true"));
	OK(set(m, "callee", "+31622222222"));
	OK(metadata_copy(&copy, m));
	for (int i = 0; i < 2; i++) {
		assert_string_equal(finish(i == 0 ? m : copy), "{\"callee_withheld\":true,\"caller_withheld\":true," TRACKS "}");
		assert_string_equal(opened.caller, "");
		assert_string_equal(opened.callee, "");
		assert_null(memmem(&opened, sizeof opened, "6111", 4));
	}
	metadata_free(m);
	metadata_free(copy);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		OK(metadata_new(&m));
		OK(set(m, "caller", words[i]));
		OK(set(m, "caller_withheld", "false"));
		assert_string_equal(finish(m), "{\"caller_withheld\":true," TRACKS "}");
		metadata_free(m);
	}
}

static void json_sets_the_same_fields(void **state)
{
	static const char json[] = "{\"caller\":\"+3120\",\"ring_ms\":700,\"caller_withheld\":false,"
	    "\"channels\":{\"left\":\"caller\",\"right\":\"agent-2\"},\"consent\":\"C1\"}";
	struct ingest_metadata *m;

	(void)state;
	OK(metadata_new(&m));
	OK(metadata_json(m, json, sizeof json - 1, ""));
	assert_string_equal(finish(m), "{\"caller\":\"+3120\",\"caller_withheld\":false,"
	    "\"channels\":{\"left\":\"caller\",\"right\":\"agent-2\"},\"consent\":\"C1\",\"ring_ms\":700," TRACKS "}");
	assert_string_equal(opened.caller, "+3120");
	assert_int_equal(opened.consent_given, 1);
	assert_int_equal(metadata_json(m, "{\"agent\":null}", 14, ""), VAULT_E_INVAL);
	assert_int_equal(metadata_json(m, "{\"caller\":\"1\"}", 14, ""), VAULT_E_EXISTS);
	metadata_free(m);
	OK(metadata_new(&m));
	assert_int_equal(metadata_json(m, "[]", 2, ""), VAULT_E_INVAL);
	assert_int_equal(metadata_json(m, "{\"a\":1,\"a\":1}", 13, ""), VAULT_E_INVAL);
	/* A telephone number is no party. */
	assert_int_equal(set(m, "channels", "{\"0\":\"31612345678\"}"), VAULT_E_INVAL);
	assert_int_equal(set(m, "channels", "{\"0\":{\"a\":1}}"), VAULT_E_INVAL);
	assert_int_equal(set(m, "channels", "[1]"), VAULT_E_INVAL);
	metadata_free(m);
}

static void the_whole_is_bounded_P10(void **state)
{
	struct ingest_metadata *m;
	char text[257], name[16], tags[400] = "";
	size_t n = 0, at = 0;
	vault_err err = VAULT_OK;

	(void)state;
	OK(metadata_new(&m));
	memset(text, 'x', 256);
	text[256] = '\0';
	for (char c = 'a'; c <= 'z'; c++)
		at += (size_t)snprintf(tags + at, sizeof tags - at, "%c%c,", c, c);
	for (char c = 'a'; c <= 'z' && err == VAULT_OK; c++) {
		(void)snprintf(name, sizeof name, "%c%c", c, c);
		err = metadata_set(m, name, 2, text, 256, tags);
		n++;
	}
	for (int i = 0; i < 10 && err == VAULT_OK; i++) {
		static const char *const more[] = { "agent", "queue", "device", "call_id", "transfer", "hold", "basis" };
		if (i < 7)
			err = set(m, more[i], text);
	}
	assert_int_equal(err, VAULT_E_RANGE);
	assert_true(n >= 20);
	(void)finish(m);
	metadata_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_one_form),
		cmocka_unit_test(values_are_checked),
		cmocka_unit_test(unknown_fields_are_refused_R8),
		cmocka_unit_test(withheld_numbers_end_here_R9),
		cmocka_unit_test(json_sets_the_same_fields),
		cmocka_unit_test(the_whole_is_bounded_P10),
	};

	OK(secret_setup());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
