/*
 * test_words.c - how vaultctl reads arguments, times and profiles, and how it
 * writes values for people.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "file.h"
#include "options.h"
#include "profile.h"
#include "public_line.h"
#include "scratch.h"
#include "text.h"

static void media_times(void **state)
{
	static const struct { const char *text; uint64_t ms;
	} good[] = {{"0", 0}, {"90", 90000}, {"90.5", 90500}, {"1:30", 90000}, {"01:01:30.250", 3690250}, {"0.0009", 0},
	    {"120:00", 7200000}};
	static const char *const bad[] = {"", "-1", "1:", ":1", "1:60", "1:5", "1:2:3:4", "1.", ".5", "1 ", "0x10",
	    "9999999999", "1:00:60", "1e3", "999999999"};
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t ms = 1;
		assert_int_equal(text_media_ms(good[i].text, &ms), VAULT_OK);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t ms;
		assert_int_not_equal(text_media_ms(bad[i], &ms), VAULT_OK);
	}
}

static void values_for_people(void **state)
{
	char t[TEXT_MAX];
	(void)state;
	text_size(0, t);
	assert_string_equal(t, "0 B");
	text_size(1023, t);
	assert_string_equal(t, "1023 B");
	text_size(1536, t);
	assert_string_equal(t, "1.5 KiB");
	text_size(1024ull * 1024 - 1, t);
	assert_string_equal(t, "1.0 MiB");
	text_size(UINT64_MAX, t);
	assert_string_equal(t, "16.0 EiB");
	text_length(4400, t);
	assert_string_equal(t, "0:04");
	text_length(3723000, t);
	assert_string_equal(t, "1:02:03");
	text_keep("P90D", t);
	assert_string_equal(t, "90 days");
	text_keep("P1Y1DT1M", t);
	assert_string_equal(t, "1 year 1 day 1 minute");
	text_time("2026-11-23T20:55:13.123Z", t);
	assert_string_equal(t, "2026-11-23T20:55:13Z");
	text_time("not a time", t);
	assert_string_equal(t, "not a time");
}

static void time_arguments(void **state)
{
	char t[TEXT_MAX];
	(void)state;
	assert_int_equal(text_time_argument("2026-11-23", t), VAULT_OK);
	assert_string_equal(t, "2026-11-23T00:00:00Z");
	assert_int_equal(text_time_argument("2026-11-23 20:55", t), VAULT_OK);
	assert_string_equal(t, "2026-11-23T20:55:00Z");
	assert_int_equal(text_time_argument("2026-11-23T20:55:01+01:00", t), VAULT_OK);
	assert_string_equal(t, "2026-11-23T19:55:01Z");
	assert_int_not_equal(text_time_argument("yesterday", t), VAULT_OK);
	assert_int_not_equal(text_time_argument("2026-13-01", t), VAULT_OK);
}

static void a_terminal_sees_only_letters(void **state)
{
	char t[32];
	(void)state;
	text_clean("a\033[31mb\n\tc\x7f", t, sizeof(t));
	assert_string_equal(t, "a?[31mb??c?");
	text_clean("\xc3\xa9\xc2\x9b\xff\xe2\x80\xae!", t, sizeof(t));   /* é, C1 control, broken, right-to-left override */
	assert_null(strstr(t, "\xc2\x9b"));
	assert_null(strstr(t, "\xe2\x80\xae"));
	assert_memory_equal(t, "\xc3\xa9", 2);
	text_clean("0123456789012345678901234567890\xc3\xa9", t, sizeof(t));
	assert_int_equal(strlen(t), 31);                                 /* no half character at the cut */
	assert_int_equal(text_columns("\xc3\xa9t\xc3\xa9"), 3);
}

static int unused_run(struct ctl *c, int argc, char **argv)
{
	(void)c, (void)argc, (void)argv;
	return 0;
}

static const struct command_entry entry = {"try", "A B", "help", NULL, unused_run};

struct parsed {
	const char *text;
	bool flag;
	uint32_t number;
	struct text_list list;
};

static int parse(struct ctl *c, struct parsed *p, int *argc, char **argv)
{
	const struct option_spec specs[] = {{"text", 'x', OPTION_TEXT, &p->text, "T", ""},
	    {"flag", 0, OPTION_FLAG, &p->flag, NULL, ""},
	    {"number", 'n', OPTION_NUMBER, &p->number, "N", ""}, {"list", 0, OPTION_LIST, &p->list, "L", ""}};
	*c = (struct ctl){.entry = &entry, .pass_fd = PASS_FD_NONE};
	memset(p, 0, sizeof(*p));
	return options_parse(c, specs, 4, argc, argv, 1, 2);
}

static void options_anywhere(void **state)
{
	struct ctl c;
	struct parsed p;
	char a[][16] = {"one", "--text=t", "--json", "-n", "7", "--list", "a,b", "--list=c", "--", "--two"};
	char *argv[] = {a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]};
	int argc = 10;
	(void)state;
	assert_int_equal(parse(&c, &p, &argc, argv), CTL_GO_ON);
	assert_int_equal(argc, 2);
	assert_string_equal(argv[0], "one");
	assert_string_equal(argv[1], "--two");
	assert_string_equal(p.text, "t");
	assert_int_equal(p.number, 7);
	assert_true(c.json);
	assert_int_equal(p.list.n, 3);
	assert_string_equal(p.list.item[2], "c");
}

static void wrong_options(void **state)
{
	static const char *const lines[][3] = {{"a", "--unknown", NULL}, {"a", "--text", NULL}, {"a", "--flag=1", NULL},
	    {"a", "-n", "x"}, {"a", "-n", "-1"}, {"a", "-n", "4294967295"}, {"a", "-n", "99999999999"}, {"a", "--text", ""},
	    {"--flag", NULL, NULL}};
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct ctl c;
		struct parsed p;
		char a[3][16], *argv[3];
		int argc = 0;
		for (; argc < 3 && lines[i][argc] != NULL; argc++) {
			(void)snprintf(a[argc], sizeof(a[argc]), "%s", lines[i][argc]);
			argv[argc] = a[argc];
		}
		assert_int_equal(parse(&c, &p, &argc, argv), CTL_USAGE);
	}
}

static void too_many_in_a_list(void **state)
{
	struct ctl c;
	struct parsed p;
	char a[] = "x", l[] = "--list", many[256] = "", *argv[] = {a, l, many};
	int argc = 3;
	(void)state;
	for (int i = 0; i < CTL_LIST_MAX + 1; i++) {
		many[2 * i] = 'a';
		many[2 * i + 1] = ',';
	}
	assert_int_equal(parse(&c, &p, &argc, argv), CTL_USAGE);
	assert_int_equal(p.list.n, CTL_LIST_MAX);
}

static void profiles(void **state)
{
	static struct profile p, q;
	char dir[64], path[128], why[512], name[PROFILE_NAME_MAX], **names;
	size_t n;
	(void)state;
	assert_int_equal(scratch_make(dir), 0);
	(void)snprintf(p.name, sizeof(p.name), "office");
	(void)snprintf(p.url, sizeof(p.url), "https://vault:8443");
	(void)snprintf(p.key, sizeof(p.key), "../me.key");
	(void)snprintf(p.audit_key, sizeof(p.audit_key), "vault.invalid/dev+5c0a+AZ/1+=");
	assert_int_equal(profile_save(dir, &p), VAULT_OK);
	assert_int_equal(profile_load(dir, "office", &q, why, sizeof(why)), VAULT_OK);
	assert_string_equal(q.url, p.url);
	assert_string_equal(q.audit_key, p.audit_key);
	(void)snprintf(path, sizeof(path), "%s/../me.key", dir);
	assert_string_equal(q.key, path);        /* relative to the profile */
	assert_int_equal(profile_default(dir, name), VAULT_OK);
	assert_string_equal(name, "office");     /* the only one */
	(void)snprintf(p.name, sizeof(p.name), "home");
	assert_int_equal(profile_save(dir, &p), VAULT_OK);
	assert_int_equal(profile_default(dir, name), VAULT_OK);
	assert_string_equal(name, "");           /* one of two */
	assert_int_equal(profile_set_default(dir, "home"), VAULT_OK);
	assert_int_equal(profile_default(dir, name), VAULT_OK);
	assert_string_equal(name, "home");
	assert_int_equal(profile_names(dir, &names, &n), VAULT_OK);
	assert_int_equal(n, 2);
	assert_string_equal(names[0], "home");
	profile_names_free(names, n);
	assert_int_equal(profile_load(dir, "nobody", &q, why, sizeof(why)), VAULT_E_NOTFOUND);
	assert_int_equal(profile_load(dir, "../office", &q, why, sizeof(why)), VAULT_E_INVAL);
	(void)snprintf(path, sizeof(path), "%s/bad.ini", dir);
	assert_int_equal(file_replace(path, "[vault]\nurl = https://a\nsecret = x\n", 34, 0644), VAULT_OK);
	assert_int_equal(profile_load(dir, "bad", &q, why, sizeof(why)), VAULT_E_INVAL);
	assert_non_null(strstr(why, "bad.ini:3"));
	scratch_remove(dir);
}

static void local_files(void **state)
{
	char dir[64], path[128], data[16];
	struct stat st;
	size_t n;
	(void)state;
	assert_int_equal(scratch_make(dir), 0);
	(void)snprintf(path, sizeof(path), "%s/secret", dir);
	assert_int_equal(file_create(path, "hello", 5, 0600), VAULT_OK);
	assert_int_equal(file_create(path, "other", 5, 0600), VAULT_E_EXISTS);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_read(path, data, 5, &n), VAULT_OK);
	assert_memory_equal(data, "hello", 5);
	assert_int_equal(file_read(path, data, 4, &n), VAULT_E_RANGE);
	(void)snprintf(path, sizeof(path), "%s/a/b/c", dir);
	assert_int_equal(file_make_dirs(path), VAULT_OK);
	assert_int_equal(file_make_dirs(path), VAULT_OK);
	scratch_remove(dir);
}

static void public_lines(void **state)
{
	struct sign_key *key = secret_alloc(sizeof(*key));
	struct public_line a, b;
	char line[PUBLIC_LINE_MAX], file[512];
	(void)state;
	assert_int_equal(sign_key_new(key), VAULT_OK);
	assert_int_equal(public_line_of(key, "contact", &a), VAULT_OK);
	secret_free(key);
	public_line_format(&a, line);
	(void)snprintf(file, sizeof(file), "# a comment\n%s\r\n", line);
	assert_int_equal(public_line_parse(file, strlen(file), &b), VAULT_OK);
	assert_string_equal(a.public, b.public);
	assert_string_equal(a.age, b.age);
	assert_string_equal(a.kid, b.kid);
	assert_int_equal(public_line_parse("nothing", 7, &b), VAULT_E_NOTFOUND);
	(void)snprintf(file, sizeof(file), "VAULT-PUBLIC-1 king %s %s", a.public, a.age);
	assert_int_not_equal(public_line_parse(file, strlen(file), &b), VAULT_OK);
	(void)snprintf(file, sizeof(file), "%s more", line);
	assert_int_not_equal(public_line_parse(file, strlen(file), &b), VAULT_OK);
	line[strlen(line) - 1] ^= 1;             /* the recipient's checksum */
	assert_int_not_equal(public_line_parse(line, strlen(line), &b), VAULT_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(media_times), cmocka_unit_test(values_for_people),
	    cmocka_unit_test(time_arguments), cmocka_unit_test(a_terminal_sees_only_letters),
	    cmocka_unit_test(options_anywhere), cmocka_unit_test(wrong_options), cmocka_unit_test(too_many_in_a_list),
	    cmocka_unit_test(profiles), cmocka_unit_test(local_files), cmocka_unit_test(public_lines)};
	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
