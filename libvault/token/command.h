/*
 * command.h - the signed commands: one list, from which the keeper's dispatch,
 * the role matrix, its generated test and vaultctl's table are made.
 *
 * X(id, "name", number, roles, scope, people)
 *   roles   who may sign it (VAULT_ROLE_* mask)
 *   scope   VAULT: the whole vault. TENANT: args.tenant names one; a contact may
 *           only name his own. RECORDING: args.id names one; a contact only
 *           reaches his own tenant's, anything else is not_found.
 *   people  how many different persons must sign
 * Arguments of each command: docs/HTTP.md.
 */
#ifndef VAULT_TOKEN_COMMAND_H
#define VAULT_TOKEN_COMMAND_H

#include <stddef.h>

enum vault_role {
	VAULT_ROLE_OPERATOR = 1,
	VAULT_ROLE_CONTACT = 2,
	VAULT_ROLE_DPO = 4,
	VAULT_ROLE_AUDITOR = 8
};

enum command_scope { SCOPE_VAULT, SCOPE_TENANT, SCOPE_RECORDING };

#define ROLE_O VAULT_ROLE_OPERATOR
#define ROLE_C VAULT_ROLE_CONTACT
#define ROLE_D VAULT_ROLE_DPO
#define ROLE_A VAULT_ROLE_AUDITOR

#define VAULT_COMMANDS(X) \
	X(TENANT_ADD, "tenant.add", 1, ROLE_O, SCOPE_VAULT, 1) \
	X(TENANT_LIST, "tenant.list", 2, ROLE_O | ROLE_D, SCOPE_VAULT, 1) \
	X(TENANT_SHOW, "tenant.show", 3, ROLE_O | ROLE_C | ROLE_D, SCOPE_TENANT, 1) \
	X(SUBSCRIBE, "subscribe", 4, ROLE_O, SCOPE_TENANT, 1) \
	X(UNSUBSCRIBE, "unsubscribe", 5, ROLE_O | ROLE_C, SCOPE_TENANT, 1) \
	X(RETENTION_SET, "retention.set", 6, ROLE_C, SCOPE_TENANT, 1) \
	X(RETENTION_SHOW, "retention.show", 7, ROLE_O | ROLE_C | ROLE_D, SCOPE_TENANT, 1) \
	X(PRINCIPAL_ADD, "principal.add", 8, ROLE_O | ROLE_D, SCOPE_VAULT, 2) \
	X(PRINCIPAL_LIST, "principal.list", 9, ROLE_O | ROLE_D | ROLE_A, SCOPE_VAULT, 1) \
	X(PRINCIPAL_REVOKE, "principal.revoke", 10, ROLE_O | ROLE_D, SCOPE_VAULT, 2) \
	X(SOURCE_ADD, "source.add", 11, ROLE_O, SCOPE_VAULT, 1) \
	X(SOURCE_LIST, "source.list", 12, ROLE_O | ROLE_D, SCOPE_VAULT, 1) \
	X(SOURCE_REVOKE, "source.revoke", 13, ROLE_O, SCOPE_VAULT, 1) \
	X(LIST, "list", 14, ROLE_O | ROLE_C | ROLE_D, SCOPE_TENANT, 1) \
	X(SHOW, "show", 15, ROLE_O | ROLE_C | ROLE_D, SCOPE_RECORDING, 1) \
	X(READ_METADATA, "read.metadata", 16, ROLE_C, SCOPE_TENANT, 1) \
	X(FETCH, "fetch", 17, ROLE_C, SCOPE_RECORDING, 1) \
	X(AUTHENTICATE, "authenticate", 18, ROLE_C, SCOPE_RECORDING, 1) \
	X(SHRED, "shred", 19, ROLE_C, SCOPE_RECORDING, 1) \
	X(KEY_STATUS, "key.status", 20, ROLE_O | ROLE_D | ROLE_A, SCOPE_VAULT, 1) \
	X(ROTATE_TENANT, "rotate.tenant", 21, ROLE_O, SCOPE_TENANT, 1) \
	X(ROTATE_ROOT, "rotate.root", 22, ROLE_O, SCOPE_VAULT, 1) \
	X(APPROVE, "approve", 23, ROLE_O | ROLE_D, SCOPE_VAULT, 1) \
	X(PENDING_LIST, "pending.list", 24, ROLE_O | ROLE_D, SCOPE_VAULT, 1) \
	X(AUDIT_READ, "audit.read", 25, ROLE_A | ROLE_D, SCOPE_VAULT, 1) \
	X(STATUS, "status", 26, ROLE_O | ROLE_C | ROLE_D | ROLE_A, SCOPE_VAULT, 1) \
	X(PURPOSE_SET, "purpose.set", 27, ROLE_C, SCOPE_TENANT, 1) \
	X(SCHEMA_SET, "schema.set", 28, ROLE_C, SCOPE_TENANT, 1) \
	X(BASIS_SET, "basis.set", 29, ROLE_C, SCOPE_TENANT, 1) \
	X(VERIFY, "verify", 30, ROLE_O | ROLE_D, SCOPE_VAULT, 1) \
	X(CLOCK_CONFIRM, "clock.confirm", 31, ROLE_O | ROLE_D, SCOPE_VAULT, 2)

enum command_id {
	COMMAND_NONE = 0,
#define X(id, name, number, roles, scope, people) COMMAND_##id = (number),
	VAULT_COMMANDS(X)
#undef X
};

struct command_info {
	enum command_id id;
	const char *name;
	unsigned roles;
	enum command_scope scope;
	unsigned people;
};

/* NULL for an unknown name or id. Static storage. */
const struct command_info *command_by_name(const char *name);
const struct command_info *command_by_id(enum command_id id);
/* All of them, in number order. */
const struct command_info *command_list(size_t *n);

const char *role_name(unsigned role);        /* "operator", ... */
unsigned role_by_name(const char *name);     /* 0 when unknown */

#endif
