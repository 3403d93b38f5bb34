/*
 * cmd_principal.c - the registered people: add, list, revoke; and the second
 * signature: pending, approve.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "commands.h"
#include "file.h"
#include "options.h"
#include "output.h"
#include "public_line.h"
#include "session.h"
#include "text.h"

/* The arguments are a file that holds the public line, or the line itself (quoted or as words). */
static int read_line_argument(int argc, char **argv, struct public_line *line)
{
	char text[4096];
	size_t n = 0;
	vault_err err;
	if (argc == 1 && strchr(argv[0], ' ') == NULL) {
		err = file_read(argv[0], text, sizeof(text), &n);
		if (err != VAULT_OK)
			return ctl_fail(CTL_LOCAL, "cannot read %s: %s", argv[0], vault_strerror(err));
	} else {
		for (int i = 0; i < argc; i++) {
			int k = snprintf(text + n, sizeof(text) - n, "%s%s", i > 0 ? " " : "", argv[i]);
			if (k < 0 || (size_t)k >= sizeof(text) - n)
				return ctl_fail(CTL_USAGE, "that is too long for a public line");
			n += (size_t)k;
		}
	}
	err = public_line_parse(text, n, line);
	if (err != VAULT_OK)
		return ctl_fail(CTL_USAGE, "there is no public line (VAULT-PUBLIC-1 ROLE PUBLIC AGE); vaultctl key show prints it");
	return CTL_OK;
}

int cmd_principal_add(struct ctl *c, int argc, char **argv)
{
	const char *role = NULL, *tenant = NULL;
	struct public_line line;
	const struct option_spec specs[] = {
	    {"tenant", 't', OPTION_TEXT, &tenant, "TENANT", "whose contact this is"},
	    {"role", 0, OPTION_TEXT, &role, "ROLE", "refuse a line with another role than this"},
	};
	int code = options_parse(c, specs, 2, &argc, argv, 1, 4);
	if (code == CTL_GO_ON)
		code = read_line_argument(argc, argv, &line);
	else
		return code;
	if (code != CTL_OK)
		return code;
	if (role != NULL && strcmp(role, line.role) != 0)
		return ctl_fail(CTL_USAGE, "the line is of role %s, not %s; its owner makes one with: vaultctl key new --role %s",
		    line.role, role, role);
	const bool contact = strcmp(line.role, "contact") == 0;
	if (contact) {
		tenant = session_tenant(c, tenant);
		if (tenant == NULL)
			return CTL_USAGE;
	} else if (tenant != NULL) {
		return ctl_fail(CTL_USAGE, "only a contact belongs to a tenant; this line is of role %s", line.role);
	}
	json_t *args = ARGS("{s:s, s:s, s:s}", "role", line.role, "public", line.public, "age", line.age);
	args_set(args, "tenant", tenant);
	return session_print(c, "principal.add", args, "%s %s is enrolled%s%s.", line.role, line.kid,
	    contact ? " for tenant " : "", contact ? tenant : "");
}

static int print_principals(const json_t *rows)
{
	static const char *const names[] = {"KID", "ROLE", "TENANT", "STATE", "SINCE"};
	struct table *t = table_new(names, 5);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		table_cell(t, json_str(row, "kid", NULL));
		table_cell(t, json_str(row, "role", NULL));
		table_cell(t, json_str(row, "tenant", NULL));
		table_cell(t, json_str(row, "state", NULL));
		table_cell_time(t, row, "since");
	}
	return table_print(t, stdout);
}

int cmd_principal_list(struct ctl *c, int argc, char **argv)
{
	int code = options_parse(c, NULL, 0, &argc, argv, 0, 0);
	if (code != CTL_GO_ON)
		return code;
	return session_print_list(c, "principal.list", "principals", print_principals, "Nobody is enrolled.");
}

int cmd_principal_revoke(struct ctl *c, int argc, char **argv)
{
	int code = options_parse(c, NULL, 0, &argc, argv, 1, 1);
	if (code != CTL_GO_ON)
		return code;
	if (strlen(argv[0]) != VAULT_KID_TEXT - 1 || strspn(argv[0], "0123456789abcdef") != VAULT_KID_TEXT - 1)
		return ctl_fail(CTL_USAGE, "a kid is 16 hex digits; vaultctl principal list shows them");
	return session_print(c, "principal.revoke", ARGS("{s:s}", "kid", argv[0]), "%s is revoked.", argv[0]);
}

static int print_pending(const json_t *rows)
{
	static const char *const names[] = {"SHA256", "COMMAND", "KID", "ROLE", "TENANT", "SIGNED BY", "SINCE"};
	struct table *t = table_new(names, 7);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		table_cell(t, json_str(row, "sha256", NULL));
		table_cell(t, json_str(row, "cmd", NULL));
		table_cell(t, json_str(row, "kid", NULL));
		table_cell(t, json_str(row, "role", NULL));
		table_cell(t, json_str(row, "tenant", NULL));
		table_cell(t, json_str(row, "by", NULL));
		table_cell_time(t, row, "since");
	}
	return table_print(t, stdout);
}

int cmd_pending(struct ctl *c, int argc, char **argv)
{
	int code = options_parse(c, NULL, 0, &argc, argv, 0, 0);
	if (code != CTL_GO_ON)
		return code;
	return session_print_list(c, "pending.list", "pending", print_pending, "Nothing waits for a second person.");
}

/* The whole hash of the one pending command that begins with prefix. */
static int complete_hash(struct ctl *c, const char *prefix, char out[65])
{
	json_t *answer = NULL;
	size_t found = 0, i;
	json_t *row;
	int code = session_command(c, "pending.list", json_object(), &answer);
	json_array_foreach(json_object_get(answer, "pending"), i, row) {
		const char *sha = json_str(row, "sha256", NULL);
		if (sha == NULL || strlen(sha) != 64 || strncmp(sha, prefix, strlen(prefix)) != 0)
			continue;
		found++;
		(void)snprintf(out, 65, "%s", sha);
	}
	json_decref(answer);
	if (code == CTL_OK && found != 1)
		code = ctl_fail(CTL_USAGE, found == 0 ? "no waiting command begins with that; see: vaultctl pending"
		                                      : "several waiting commands begin with that; give more digits");
	return code;
}

int cmd_approve(struct ctl *c, int argc, char **argv)
{
	char sha[65];
	json_t *answer = NULL;
	int code = options_parse(c, NULL, 0, &argc, argv, 1, 1);
	if (code != CTL_GO_ON)
		return code;
	const size_t n = strlen(argv[0]);
	if (n < 8 || n > 64 || strspn(argv[0], "0123456789abcdef") != n)
		return ctl_fail(CTL_USAGE, "what is approved is named by at least 8 hex digits; vaultctl pending shows them");
	(void)snprintf(sha, sizeof(sha), "%s", argv[0]);
	code = n == 64 ? CTL_OK : complete_hash(c, argv[0], sha);
	if (code == CTL_OK)
		code = session_slow_command(c, "approve", ARGS("{s:s}", "sha256", sha), &answer);
	if (code == CTL_OK && !c->json)
		ctl_say(c, "Approved and carried out.\n");
	if (code == CTL_OK)
		code = output_answer(c, answer);
	json_decref(answer);
	return code;
}

int cmd_clock_confirm(struct ctl *c, int argc, char **argv)
{
	int code = options_parse(c, NULL, 0, &argc, argv, 0, 0);
	if (code != CTL_GO_ON)
		return code;
	return session_print(c, "clock.confirm", json_object(), "The vault's clock is confirmed; expiry goes on.");
}
