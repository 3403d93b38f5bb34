/*
 * cmd_list.c - recordings: list, show. Personal fields only with --personal,
 * sealed by an exporter to the contact's own key and opened here.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "recording.h"
#include "session.h"
#include "text.h"

#define TABLE_ROWS 500u             /* rows a person gets without asking for more; JSON gets all */

struct list_options {
	const char *tenant, *from, *to, *medium, *state, *after, *purpose, *number;
	uint32_t limit;
	bool personal;
};

static int set_times(json_t *args, const struct list_options *o)
{
	char text[TEXT_MAX];
	const char *const names[] = {"from", "to"}, *const given[] = {o->from, o->to};
	for (int i = 0; i < 2; i++) {
		if (given[i] == NULL)
			continue;
		if (text_time_argument(given[i], text) != VAULT_OK)
			return ctl_fail(CTL_USAGE, "--%s is a UTC time such as 2026-11-23 or 2026-11-23T20:55:00Z", names[i]);
		args_set(args, names[i], text);
	}
	return CTL_OK;
}

static int print_rows(const struct ctl *c, json_t *rows, json_t *next, bool personal)
{
	if (c->json) {
		json_t *all = json_pack("{s:O}", "recordings", rows);
		if (next != NULL)
			(void)json_object_set(all, "next", next);
		int code = all == NULL ? ctl_fail_local("memory", VAULT_E_NOMEM) : output_json(all);
		json_decref(all);
		return code;
	}
	if (json_array_size(rows) == 0) {
		ctl_say(c, "No recordings.\n");
		return CTL_OK;
	}
	int code = recording_table(rows, personal);
	if (next != NULL && !c->quiet)
		(void)fprintf(stderr, "More recordings follow: --after %s, or a larger --limit\n",
		    json_is_string(next) ? json_string_value(next) : "ID of the last row");
	return code;
}

static int list_personal(struct ctl *c, const struct list_options *o, json_t *args, json_t *rows)
{
	if (o->purpose == NULL)
		return ctl_fail(CTL_USAGE, "personal fields need a purpose: --purpose with one of the tenant's purposes");
	if (o->medium != NULL || o->state != NULL || o->after != NULL)
		return ctl_fail(CTL_USAGE, "with --personal use --from, --to, --number and --limit");
	args_set(args, "purpose", o->purpose);
	args_set(args, "number", o->number);
	if (o->limit > 0)
		(void)json_object_set_new(args, "limit", json_integer(o->limit));
	return recording_read_personal(c, json_incref(args), rows);
}

static int list_clear(struct ctl *c, const struct list_options *o, json_t *args, json_t *rows, json_t **next)
{
	if (o->number != NULL)
		return ctl_fail(CTL_USAGE, "a number is personal: add --personal and --purpose");
	args_set(args, "medium", o->medium);
	args_set(args, "state", o->state);
	args_set(args, "after", o->after);
	const size_t most = o->limit > 0 ? o->limit : c->json ? 0 : TABLE_ROWS;
	return session_pages(c, "list", args, "recordings", most, rows, next);
}

int cmd_list(struct ctl *c, int argc, char **argv)
{
	struct list_options o = {0};
	json_t *next = NULL;
	const struct option_spec specs[] = {
	    {"tenant", 't', OPTION_TEXT, &o.tenant, "TENANT", "whose recordings (the profile's tenant)"},
	    {"from", 0, OPTION_TEXT, &o.from, "TIME", "started at or after this UTC time"},
	    {"to", 0, OPTION_TEXT, &o.to, "TIME", "started before this UTC time"},
	    {"medium", 0, OPTION_TEXT, &o.medium, "M", "only voice, or only video"},
	    {"state", 0, OPTION_TEXT, &o.state, "S", "only live, ended or truncated"},
	    {"after", 0, OPTION_TEXT, &o.after, "ID", "continue behind this recording"},
	    {"limit", 0, OPTION_NUMBER, &o.limit, "N", "at most so many rows (500; with --json all)"},
	    {"personal", 0, OPTION_FLAG, &o.personal, NULL, "with numbers and names, opened with your key"},
	    {"purpose", 0, OPTION_TEXT, &o.purpose, "P", "why the personal fields are read; it is logged"},
	    {"number", 0, OPTION_TEXT, &o.number, "N", "only calls from or to this number (with --personal)"},
	};
	int code = options_parse(c, specs, 10, &argc, argv, 0, 1);
	if (code != CTL_GO_ON)
		return code;
	const char *tenant = session_tenant(c, argc > 0 ? argv[0] : o.tenant);
	if (tenant == NULL)
		return CTL_USAGE;
	json_t *rows = json_array(), *args = ARGS("{s:s}", "tenant", tenant);
	code = rows == NULL || args == NULL ? ctl_fail_local("memory", VAULT_E_NOMEM) : set_times(args, &o);
	if (code == CTL_OK)
		code = o.personal ? list_personal(c, &o, args, rows) : list_clear(c, &o, args, rows, &next);
	if (code == CTL_OK)
		code = print_rows(c, rows, next, o.personal);
	json_decref(next);
	json_decref(args);
	json_decref(rows);
	return code;
}

/* The clear row first: it names the tenant that read.metadata asks for. */
static int personal_row(struct ctl *c, const char *id, const char *purpose, json_t **row)
{
	json_t *rows = json_array();
	const char *tenant = json_str(*row, "tenant", NULL);
	int code = rows == NULL ? ctl_fail_local("memory", VAULT_E_NOMEM) : CTL_OK;
	if (code == CTL_OK && tenant == NULL)
		code = ctl_fail(CTL_REFUSED, "the vault's answer has no tenant");
	if (code == CTL_OK)
		code = recording_read_personal(c, ARGS("{s:s, s:s, s:s}", "tenant", tenant, "purpose", purpose, "id", id), rows);
	if (code == CTL_OK && json_array_size(rows) != 1)
		code = ctl_fail(CTL_REFUSED, "not_found: its personal fields are not readable any more");
	if (code == CTL_OK) {
		(void)json_object_update(*row, json_array_get(rows, 0));
		/* They are clear, and stand in the row already. */
		(void)json_object_del(json_object_get(*row, "personal"), "tracks");
	}
	json_decref(rows);
	return code;
}

int cmd_show(struct ctl *c, int argc, char **argv)
{
	bool personal = false;
	const char *purpose = NULL;
	json_t *row = NULL;
	const struct option_spec specs[] = {
	    {"personal", 0, OPTION_FLAG, &personal, NULL, "with numbers and names, opened with your key"},
	    {"purpose", 0, OPTION_TEXT, &purpose, "P", "why the personal fields are read; it is logged"},
	};
	int code = options_parse(c, specs, 2, &argc, argv, 1, 1);
	if (code != CTL_GO_ON)
		return code;
	if (personal && purpose == NULL)
		return ctl_fail(CTL_USAGE, "personal fields need a purpose: --purpose with one of the tenant's purposes");
	code = recording_id_check(argv[0]);
	if (code == CTL_OK)
		code = session_command(c, "show", ARGS("{s:s}", "id", argv[0]), &row);
	if (code == CTL_OK && personal)
		code = personal_row(c, argv[0], purpose, &row);
	if (code == CTL_OK)
		code = output_answer(c, row);
	json_decref(row);
	return code;
}
