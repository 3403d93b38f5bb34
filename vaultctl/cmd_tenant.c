/*
 * cmd_tenant.c - tenants: add, list, show.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "session.h"
#include "text.h"

int cmd_tenant_add(struct ctl *c, int argc, char **argv)
{
	int code = options_parse(c, NULL, 0, &argc, argv, 1, 1);
	if (code != CTL_GO_ON)
		return code;
	const char *tenant = session_tenant(c, argv[0]);
	if (tenant == NULL)
		return CTL_USAGE;
	return session_print(c, "tenant.add", ARGS("{s:s}", "tenant", tenant),
	    "Tenant %s is added. Nothing of it is recorded before: vaultctl subscribe %s voice", tenant, tenant);
}

/* "voice since 2026-11-23T20:55:13Z" or "-" */
static void subscription_text(const json_t *row, char *out, size_t cap)
{
	static const char *const media[] = {"voice", "video"};
	const json_t *subscriptions = json_object_get(row, "subscriptions");
	size_t used = 0;
	out[0] = '\0';
	for (size_t i = 0; i < 2; i++) {
		const json_t *one = json_object_get(subscriptions, media[i]);
		char until[TEXT_MAX] = "";
		if (!json_is_object(one))
			continue;
		const char *end = json_str(one, "until", NULL);
		if (end != NULL)
			text_time(end, until);
		int n = snprintf(out + used, cap - used, "%s%s%s%s", used > 0 ? ", " : "", media[i], end != NULL ? " until " : "",
		    until);
		if (n < 0 || (size_t)n >= cap - used)
			return;
		used += (size_t)n;
	}
}

static void retention_text(const json_t *row, char *out, size_t cap)
{
	static const char *const media[] = {"voice", "video"};
	size_t used = 0;
	out[0] = '\0';
	for (size_t i = 0; i < 2; i++) {
		const char *keep = json_str(json_object_get(row, "retention"), media[i], NULL);
		char text[TEXT_MAX];
		if (keep == NULL)
			continue;
		text_keep(keep, text);
		int n = snprintf(out + used, cap - used, "%s%s %s", used > 0 ? ", " : "", media[i], text);
		if (n < 0 || (size_t)n >= cap - used)
			return;
		used += (size_t)n;
	}
}

static int print_tenants(const json_t *rows)
{
	static const char *const names[] = {"TENANT", "SUBSCRIBED", "KEPT"};
	struct table *t = table_new(names, 3);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		char text[256];
		table_cell(t, json_str(row, "tenant", NULL));
		subscription_text(row, text, sizeof(text));
		table_cell(t, text);
		retention_text(row, text, sizeof(text));
		table_cell(t, text);
	}
	return table_print(t, stdout);
}

int cmd_tenant_list(struct ctl *c, int argc, char **argv)
{
	int code = options_parse(c, NULL, 0, &argc, argv, 0, 0);
	if (code != CTL_GO_ON)
		return code;
	return session_print_list(c, "tenant.list", "tenants", print_tenants,
	    "No tenants yet. Add one with: vaultctl tenant add NAME");
}

int cmd_tenant_show(struct ctl *c, int argc, char **argv)
{
	const char *tenant = NULL;
	int code = session_tenant_only(c, argc, argv, &tenant);
	if (code != CTL_GO_ON)
		return code;
	return session_print(c, "tenant.show", ARGS("{s:s}", "tenant", tenant), NULL);
}
