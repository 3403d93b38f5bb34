/*
 * call.h - one signed command on its way through the keeper.
 *
 * command.c verifies (key, audience, times, jti, role, scope, people), then
 * runs the handler that command_rows names. A handler checks its arguments,
 * stages effects and fills answer or refusal. Its return value is VAULT_OK
 * unless the vault itself failed.
 */
#ifndef VAULT_KEEPER_CALL_H
#define VAULT_KEEPER_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include "keeper/audit.h"
#include "keeper/key_tree.h"
#include "keeper/policy.h"
#include "keeper/principal.h"
#include "token/command.h"

struct keeper;

struct call {
	const struct command_info *info;
	struct principal signer;
	struct audit_actor actor;
	const json_t *args;
	uint8_t payload_sha256[32];
	uint64_t tag;
	bool check;                      /* only judge the arguments: the second person is still missing */

	struct policy policy;            /* tenant scope and recording scope: the tenant's */
	struct tree_item item;           /* recording scope */
	bool has_tenant, has_item;

	unsigned refusal;
	uint16_t status;                 /* HTTP, 200 unless set */
	uint16_t kind;                   /* ANSWER_* */
	json_t *answer;                  /* owned */
	json_t *detail;                  /* owned: into the audit entry; ids and fixed words only */
	const char *purpose;             /* a listed one */
	bool deferred;                   /* answered after the commit (batch_then) */
};

typedef vault_err (*call_fn)(struct keeper *k, struct call *c);

/* What a handler returns when it refuses. */
vault_err call_refuse(struct call *c, unsigned refusal);
/* Takes answer; NULL: memory is short. */
vault_err call_answer(struct call *c, json_t *answer);

/* Arguments. All give false when the argument is there but wrong; *has says if it is there. */
bool args_only(const json_t *args, const char *const *names);
bool args_word(const json_t *args, const char *name, size_t max, const char **out, size_t *len);
bool args_time(const json_t *args, const char *name, bool *has, uint64_t *ms);
bool args_id(const json_t *args, const char *name, bool *has, vault_id *id);
bool args_number(const json_t *args, const char *name, bool *has, uint64_t *n, uint64_t max);
/* Index of the medium in policy; -1 when missing or wrong. */
int args_medium(const json_t *args);
bool args_hash(const json_t *args, const char *name, bool *has, uint8_t out[32]);

/* The handlers, one family per file. */
#define CALL_HANDLERS(X) \
	X(tenant_add) X(tenant_list) X(tenant_show) X(subscribe) X(unsubscribe) X(retention_set) X(retention_show) \
	X(principal_add) X(principal_list) X(principal_revoke) X(source_add) X(source_list) X(source_revoke) \
	X(list) X(show) X(read_metadata) X(fetch) X(authenticate) X(shred) X(key_status) X(rotate_tenant) \
	X(rotate_root) X(approve) X(pending_list) X(audit_read) X(status) X(purpose_set) X(schema_set) X(basis_set) \
	X(verify) X(clock_confirm)
#define X(name) VAULT_NODISCARD vault_err cmd_##name(struct keeper *k, struct call *c);
CALL_HANDLERS(X)
#undef X

struct command_row {
	call_fn run;
	const char *event;               /* audit event when it is carried out */
	char action;
	const char *object;
};
/* NULL for an id that is not in the list. */
const struct command_row *command_row(enum command_id id);

#endif
