/*
 * commands.h - the handlers that main.c's table names. argv holds what follows
 * the command's name; each returns an exit code (ctl.h).
 */
#ifndef VAULTCTL_COMMANDS_H
#define VAULTCTL_COMMANDS_H

#include "ctl.h"

#define CTL_COMMAND(name) int cmd_##name(struct ctl *c, int argc, char **argv)

CTL_COMMAND(approve);
CTL_COMMAND(audit_show);
CTL_COMMAND(audit_verify);
CTL_COMMAND(basis);
CTL_COMMAND(clock_confirm);
CTL_COMMAND(demo_setup);
CTL_COMMAND(fetch);
CTL_COMMAND(index_rebuild);
CTL_COMMAND(key_identity);
CTL_COMMAND(key_new);
CTL_COMMAND(key_show);
CTL_COMMAND(keys_status);
CTL_COMMAND(list);
CTL_COMMAND(pending);
CTL_COMMAND(principal_add);
CTL_COMMAND(principal_list);
CTL_COMMAND(principal_revoke);
CTL_COMMAND(profile_add);
CTL_COMMAND(profile_list);
CTL_COMMAND(profile_use);
CTL_COMMAND(purpose);
CTL_COMMAND(retention_set);
CTL_COMMAND(retention_show);
CTL_COMMAND(rotate_root);
CTL_COMMAND(rotate_tenant);
CTL_COMMAND(schema);
CTL_COMMAND(show);
CTL_COMMAND(shred);
CTL_COMMAND(source_add);
CTL_COMMAND(source_list);
CTL_COMMAND(source_revoke);
CTL_COMMAND(status);
CTL_COMMAND(subscribe);
CTL_COMMAND(tenant_add);
CTL_COMMAND(tenant_list);
CTL_COMMAND(tenant_show);
CTL_COMMAND(unsubscribe);
CTL_COMMAND(verify);

#endif
