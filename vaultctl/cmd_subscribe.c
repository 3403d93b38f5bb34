/*
 * cmd_subscribe.c - which media of a tenant are recorded: subscribe and
 * unsubscribe. Without a subscription the vault stores nothing.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "session.h"
#include "text.h"

static int check_medium(const char *medium)
{
	if (strcmp(medium, "voice") == 0 || strcmp(medium, "video") == 0)
		return CTL_OK;
	return ctl_fail(CTL_USAGE, "a medium is voice or video");
}

/* Sets args[name] to the time a person wrote; CTL_OK when none was given. */
static int set_time(json_t *args, const char *name, const char *given)
{
	char text[TEXT_MAX];
	if (given == NULL)
		return CTL_OK;
	if (text_time_argument(given, text) != VAULT_OK)
		return ctl_fail(CTL_USAGE, "--%s is a UTC time such as 2026-11-23 or 2026-11-23T20:55:00Z", name);
	args_set(args, name, text);
	return CTL_OK;
}

/* TENANT MEDIUM..., or MEDIUM... with the profile's tenant. */
static int each_medium(struct ctl *c, int argc, char **argv, const char *cmd, const char *const names[2],
    const char *const times[2], const char *sentence)
{
	const bool has_tenant = strcmp(argv[0], "voice") != 0 && strcmp(argv[0], "video") != 0;
	const char *tenant = session_tenant(c, has_tenant ? argv[0] : NULL);
	int code = tenant == NULL ? CTL_USAGE : CTL_OK;
	if (code == CTL_OK && has_tenant && argc == 1)
		code = ctl_fail(CTL_USAGE, "which medium? voice, video or both");
	for (int i = has_tenant ? 1 : 0; i < argc && code == CTL_OK; i++)
		code = check_medium(argv[i]);
	for (int i = has_tenant ? 1 : 0; i < argc && code == CTL_OK; i++) {
		json_t *answer = NULL;
		json_t *args = ARGS("{s:s, s:s}", "tenant", tenant, "medium", argv[i]);
		for (int k = 0; k < 2 && code == CTL_OK; k++)
			code = names[k] == NULL ? CTL_OK : set_time(args, names[k], times[k]);
		if (code != CTL_OK) {
			json_decref(args);
			break;
		}
		code = session_command(c, cmd, args, &answer);
		if (code == CTL_OK && c->json)
			code = output_json(answer);
		else if (code == CTL_OK)
			ctl_say(c, "%s %s: %s\n", tenant, argv[i], sentence);
		json_decref(answer);
	}
	return code;
}

int cmd_subscribe(struct ctl *c, int argc, char **argv)
{
	const char *from = NULL, *until = NULL;
	const struct option_spec specs[] = {
	    {"from", 0, OPTION_TEXT, &from, "TIME", "begins then (now)"},
	    {"until", 0, OPTION_TEXT, &until, "TIME", "ends then (open)"},
	};
	int code = options_parse(c, specs, 2, &argc, argv, 1, 3);
	if (code != CTL_GO_ON)
		return code;
	const char *const names[2] = {"from", "until"}, *const times[2] = {from, until};
	return each_medium(c, argc, argv, "subscribe", names, times,
	    "subscribed. A contact sets how long it is kept: vaultctl retention set");
}

int cmd_unsubscribe(struct ctl *c, int argc, char **argv)
{
	const char *at = NULL;
	const struct option_spec specs[] = {
	    {"at", 0, OPTION_TEXT, &at, "TIME", "ends then (now)"},
	};
	int code = options_parse(c, specs, 1, &argc, argv, 1, 3);
	if (code != CTL_GO_ON)
		return code;
	const char *const names[2] = {"at", NULL}, *const times[2] = {at, NULL};
	return each_medium(
	    c, argc, argv, "unsubscribe", names, times, "the subscription ends; what was recorded before is kept");
}
