/*
 * cmd_policy.c - what only a tenant's contact decides: retention, purposes,
 * declared fields, consent.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "session.h"
#include "text.h"

int cmd_retention_set(struct ctl *c, int argc, char **argv)
{
	struct duration d;
	char text[TEXT_MAX];
	uint64_t shortened = 0;
	json_t *answer = NULL;
	int code = options_parse(c, NULL, 0, &argc, argv, 2, 3);
	if (code != CTL_GO_ON)
		return code;
	const char *tenant = session_tenant(c, argc == 3 ? argv[0] : NULL);
	const char *medium = argv[argc - 2], *keep = argv[argc - 1];
	if (tenant == NULL)
		return CTL_USAGE;
	if (strcmp(medium, "voice") != 0 && strcmp(medium, "video") != 0)
		return ctl_fail(CTL_USAGE, "a medium is voice or video");
	if (duration_parse(keep, strlen(keep), &d) != VAULT_OK)
		return ctl_fail(CTL_USAGE, "how long is an ISO 8601 duration: P90D (days), P6M (months), PT20S (seconds)");
	text_keep(keep, text);
	code = session_slow_command(
	    c, "retention.set", ARGS("{s:s, s:s, s:s}", "tenant", tenant, "medium", medium, "keep", keep), &answer);
	if (code == CTL_OK && c->json) {
		code = output_json(answer);
	} else if (code == CTL_OK) {
		if (json_u64(answer, "shortened", &shortened) != VAULT_OK)
			shortened = 0;
		ctl_say(c, "%s of %s is kept for %s. Recordings whose end came nearer: %llu\n", medium, tenant, text,
		    (unsigned long long)shortened);
	}
	json_decref(answer);
	return code;
}

int cmd_retention_show(struct ctl *c, int argc, char **argv)
{
	const char *tenant = NULL;
	int code = session_tenant_only(c, argc, argv, &tenant);
	if (code != CTL_GO_ON)
		return code;
	return session_print(c, "retention.show", ARGS("{s:s}", "tenant", tenant), NULL);
}

static json_t *words(int argc, char **argv)
{
	json_t *list = json_array();
	for (int i = 0; i < argc; i++) {
		if (json_array_append_new(list, json_string(argv[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

int cmd_purpose(struct ctl *c, int argc, char **argv)
{
	const char *given = NULL;
	const struct option_spec specs[] = {{"tenant", 't', OPTION_TEXT, &given, "TENANT", "whose list (the profile's)"}};
	int code = options_parse(c, specs, 1, &argc, argv, 1, 32);
	if (code != CTL_GO_ON)
		return code;
	const char *tenant = session_tenant(c, given);
	if (tenant == NULL)
		return CTL_USAGE;
	return session_print(c, "purpose.set", ARGS("{s:s, s:o}", "tenant", tenant, "purposes", words(argc, argv)),
	    "Recordings of %s may be read for these %d purposes and no other.", tenant, argc);
}

int cmd_schema(struct ctl *c, int argc, char **argv)
{
	const char *given = NULL;
	const struct option_spec specs[] = {{"tenant", 't', OPTION_TEXT, &given, "TENANT", "whose fields (the profile's)"}};
	int code = options_parse(c, specs, 1, &argc, argv, 0, 4);
	if (code != CTL_GO_ON)
		return code;
	const char *tenant = session_tenant(c, given);
	if (tenant == NULL)
		return CTL_USAGE;
	return session_print(c, "schema.set", ARGS("{s:s, s:o}", "tenant", tenant, "tags", words(argc, argv)),
	    "%s takes %d field%s of its own beside the standard ones.", tenant, argc, argc == 1 ? "" : "s");
}

int cmd_basis(struct ctl *c, int argc, char **argv)
{
	const char *given = NULL;
	const struct option_spec specs[] = {{"tenant", 't', OPTION_TEXT, &given, "TENANT", "whose basis (the profile's)"}};
	int code = options_parse(c, specs, 1, &argc, argv, 1, 1);
	if (code != CTL_GO_ON)
		return code;
	const bool consent = strcmp(argv[0], "consent") == 0;
	if (!consent && strcmp(argv[0], "other") != 0)
		return ctl_fail(CTL_USAGE, "the basis is consent (every stream must carry a consent reference) or other");
	const char *tenant = session_tenant(c, given);
	if (tenant == NULL)
		return CTL_USAGE;
	return session_print(c, "basis.set", ARGS("{s:s, s:b}", "tenant", tenant, "consent", consent),
	    consent ? "%s: a stream without a consent reference is refused."
		    : "%s: a stream needs no consent reference.",
	    tenant);
}
