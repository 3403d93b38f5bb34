/*
 * cmd_status.c - how the vault is: version, streams, and which protections each
 * of its processes runs under.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "session.h"

/* In the order of the bits that the processes report (vaultd/sandbox/sandbox.h). */
static const struct { const char *word, *meaning; } protections[] = {
    {"no-new-privs", "gains no privilege by executing"},
    {"undumpable", "no debugger, no /proc/PID/mem"},
    {"no-core", "leaves no core file"},
    {"own-user", "a system account of its own"},
    {"landlock", "sees only its own directories"},
    {"seccomp", "only listed system calls; any other kills it"},
};

#define PROTECTIONS (sizeof(protections) / sizeof(protections[0]))

/* The vault may say them as bits, as words, or as a list of words. */
static bool is_on(const json_t *value, size_t i)
{
	const char *word = protections[i].word;
	if (json_is_integer(value))
		return ((json_integer_value(value) >> i) & 1) != 0;
	if (json_is_object(value))
		return json_is_true(json_object_get(value, word));
	for (size_t k = 0; k < json_array_size(value); k++) {
		const char *one = json_string_value(json_array_get(value, k));
		if (one != NULL && strcmp(one, word) == 0)
			return true;
	}
	const char *text = json_string_value(value);
	const size_t n = strlen(word);
	for (const char *at = text; at != NULL && (at = strstr(at, word)) != NULL; at += n) {
		if ((at == text || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
			return true;
	}
	return false;
}

static size_t parts_of(const json_t *answer, const char *names[], size_t most)
{
	size_t n = 0;
	json_t *a = (json_t *)(uintptr_t)answer;
	for (void *it = json_object_iter(a); it != NULL && n < most; it = json_object_iter_next(a, it)) {
		if (json_object_get(json_object_iter_value(it), "protections") != NULL)
			names[n++] = json_object_iter_key(it);
	}
	return n;
}

static int print_protections(const json_t *answer)
{
	const char *parts[6], *columns[8] = {"PROTECTION"};
	const size_t n = parts_of(answer, parts, 6);
	if (n == 0)
		return CTL_OK;
	for (size_t i = 0; i < n; i++)
		columns[i + 1] = parts[i];
	columns[n + 1] = "MEANING";
	struct table *t = table_new(columns, n + 2);
	size_t missing = 0;
	for (size_t i = 0; i < PROTECTIONS; i++) {
		table_cell(t, protections[i].word);
		for (size_t k = 0; k < n; k++) {
			const bool on = is_on(json_object_get(json_object_get(answer, parts[k]), "protections"), i);
			missing += !on;
			table_cell(t, on ? "on" : "OFF");
		}
		table_cell(t, protections[i].meaning);
	}
	(void)putchar('\n');
	int code = table_print(t, stdout);
	if (missing > 0)
		(void)printf("%sNot every protection is on.%s own-user needs a start as root and [users] in vaultd.ini; "
		             "the others need the kernel.\n",
		    output_red(stdout), output_plain(stdout));
	return code;
}

static void print_facts(const json_t *answer)
{
	json_t *rest = json_deep_copy(answer);
	json_t *copy = rest;
	const char *parts[6];
	const size_t n = parts_of(answer, parts, 6);
	for (size_t i = 0; i < n; i++) {
		json_t *part = json_object_get(copy, parts[i]);
		(void)json_object_del(part, "protections");
		if (json_object_size(part) == 0)
			(void)json_object_del(copy, parts[i]);
	}
	output_sheet(rest, stdout);
	json_decref(rest);
}

int cmd_status(struct ctl *c, int argc, char **argv)
{
	json_t *answer = NULL;
	int code = options_parse(c, NULL, 0, &argc, argv, 0, 0);
	if (code != CTL_GO_ON)
		return code;
	code = session_command(c, "status", json_object(), &answer);
	if (code == CTL_OK && c->json) {
		code = output_json(answer);
	} else if (code == CTL_OK) {
		print_facts(answer);
		code = print_protections(answer);
	}
	json_decref(answer);
	return code;
}
