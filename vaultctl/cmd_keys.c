/*
 * cmd_keys.c - the vault's key hierarchy: state and rotation.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "session.h"

int cmd_keys_status(struct ctl *c, int argc, char **argv)
{
	int code = options_parse(c, NULL, 0, &argc, argv, 0, 1);
	if (code != CTL_GO_ON)
		return code;
	if (argc == 1 && strcmp(argv[0], "status") != 0)
		return ctl_fail(CTL_USAGE, "keys shows the status; vaultctl rotate changes keys");
	return session_print(c, "key.status", json_object(), NULL);
}

int cmd_rotate_tenant(struct ctl *c, int argc, char **argv)
{
	const char *tenant = NULL;
	int code = session_tenant_only(c, argc, argv, &tenant);
	if (code != CTL_GO_ON)
		return code;
	return session_print(c, "rotate.tenant", ARGS("{s:s}", "tenant", tenant),
	    "%s has a new tenant key; its buckets hang under it, no media was rewritten.", tenant);
}

int cmd_rotate_root(struct ctl *c, int argc, char **argv)
{
	int code = options_parse(c, NULL, 0, &argc, argv, 0, 0);
	if (code != CTL_GO_ON)
		return code;
	return session_print(c, "rotate.root", json_object(), "The root key is a new one; the old one is overwritten.");
}
