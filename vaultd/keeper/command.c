/*
 * command.c - from a token to a carried-out, logged and answered command.
 *
 * The keeper believes only the signature: kid leads to a registered key, the
 * rest of the token is looked at when that key has verified it. Every way out
 * is logged; a refusal tells no more than its name.
 */
#include "keeper/command_front.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "keeper/call.h"
#include "keeper/jti.h"
#include "keeper/keeper.h"
#include "keeper/pending.h"

static const struct command_row table[] = {
	[COMMAND_TENANT_ADD] = { cmd_tenant_add, "tenant.add", 'C', "tenant" },
	[COMMAND_TENANT_LIST] = { cmd_tenant_list, "tenant.list", 'R', "tenant" },
	[COMMAND_TENANT_SHOW] = { cmd_tenant_show, "tenant.show", 'R', "tenant" },
	[COMMAND_SUBSCRIBE] = { cmd_subscribe, "subscription.change", 'U', "tenant" },
	[COMMAND_UNSUBSCRIBE] = { cmd_unsubscribe, "subscription.change", 'U', "tenant" },
	[COMMAND_RETENTION_SET] = { cmd_retention_set, "policy.change", 'U', "tenant" },
	[COMMAND_RETENTION_SHOW] = { cmd_retention_show, "policy.read", 'R', "tenant" },
	[COMMAND_PRINCIPAL_ADD] = { cmd_principal_add, "principal.enrol", 'C', "principal" },
	[COMMAND_PRINCIPAL_LIST] = { cmd_principal_list, "principal.list", 'R', "principal" },
	[COMMAND_PRINCIPAL_REVOKE] = { cmd_principal_revoke, "principal.revoke", 'U', "principal" },
	[COMMAND_SOURCE_ADD] = { cmd_source_add, "source.enrol", 'C', "source" },
	[COMMAND_SOURCE_LIST] = { cmd_source_list, "source.list", 'R', "source" },
	[COMMAND_SOURCE_REVOKE] = { cmd_source_revoke, "source.revoke", 'U', "source" },
	[COMMAND_LIST] = { cmd_list, "search", 'R', "recordings" },
	[COMMAND_SHOW] = { cmd_show, "search", 'R', "recording" },
	[COMMAND_READ_METADATA] = { cmd_read_metadata, "read", 'R', "recordings" },
	[COMMAND_FETCH] = { cmd_fetch, "export", 'R', "recording" },
	[COMMAND_AUTHENTICATE] = { cmd_authenticate, "read", 'R', "recording" },
	[COMMAND_SHRED] = { cmd_shred, "erase.requested", 'D', "recording" },
	[COMMAND_KEY_STATUS] = { cmd_key_status, "key.status", 'R', "vault" },
	[COMMAND_ROTATE_TENANT] = { cmd_rotate_tenant, "key.rotation", 'E', "tenant" },
	[COMMAND_ROTATE_ROOT] = { cmd_rotate_root, "key.rotation", 'E', "vault" },
	[COMMAND_APPROVE] = { cmd_approve, "approval", 'E', "command" },
	[COMMAND_PENDING_LIST] = { cmd_pending_list, "pending.list", 'R', "command" },
	[COMMAND_AUDIT_READ] = { cmd_audit_read, "audit.read", 'R', "audit" },
	[COMMAND_STATUS] = { cmd_status, "status", 'R', "vault" },
	[COMMAND_PURPOSE_SET] = { cmd_purpose_set, "policy.change", 'U', "tenant" },
	[COMMAND_SCHEMA_SET] = { cmd_schema_set, "policy.change", 'U', "tenant" },
	[COMMAND_BASIS_SET] = { cmd_basis_set, "policy.change", 'U', "tenant" },
	[COMMAND_VERIFY] = { cmd_verify, "verify", 'E', "vault" },
	[COMMAND_CLOCK_CONFIRM] = { cmd_clock_confirm, "clock.confirm", 'E', "vault" },
};

const struct command_row *command_row(enum command_id id)
{
	if (id <= COMMAND_NONE || (size_t)id >= sizeof(table) / sizeof(table[0]) || table[id].run == NULL)
		return NULL;
	return &table[id];
}

vault_err command_answer(struct keeper *k, uint64_t tag, uint16_t status, uint16_t kind, const json_t *json)
{
	size_t n = 0;
	char *text = json_write(json, &n);

	if (text == NULL)
		return VAULT_E_NOMEM;
	if (n > IPC_BODY_MAX - 8) {
		free(text);
		return VAULT_E_RANGE;
	}
	const struct ipc_answer m = { .status = status, .kind = kind, .json = text, .json_len = (uint32_t)n };
	vault_err err = batch_answer_packet(k, &k->front, ipc_answer_encode(k->room->packet, tag, &m));
	free(text);
	return err;
}

vault_err command_refuse(struct keeper *k, uint64_t tag, unsigned refusal)
{
	json_t *json = json_pack("{s:s}", "refusal", vault_refusal_name(refusal));

	if (json == NULL)
		return VAULT_E_NOMEM;
	vault_err err = command_answer(k, tag, (uint16_t)vault_refusal_status(refusal), ANSWER_FINAL, json);
	json_decref(json);
	return err;
}

/* A refused command: who (when he is known), which command (when it is one), why. */
static vault_err log_refused(struct keeper *k, const struct audit_actor *actor, const struct command_info *info,
    const char *tenant, unsigned refusal)
{
	json_t *detail = info != NULL ? json_pack("{s:s}", "command", info->name) : json_object();
	const struct audit_event e = { .event = "command.refused", .action = 'E', .refusal = refusal, .actor = actor,
		.tenant = tenant, .detail = detail };

	return detail == NULL ? VAULT_E_NOMEM : keeper_log(k, &e);
}

/*
 * An unknown or revoked key gets what a foreign contact would get for the same
 * command, so that an answer does not tell the three apart.
 */
static unsigned stranger_refusal(const struct jws *j)
{
	char payload[JWS_MAX];
	json_t *json = NULL;
	size_t n = 0;
	unsigned refusal = VAULT_REFUSAL_forbidden;

	if (b64_decode(j->payload64, j->payload64_len, B64_URL_NOPAD, payload, sizeof(payload), &n) != VAULT_OK ||
	    json_read(payload, n, sizeof(payload), &json) != VAULT_OK)
		return VAULT_REFUSAL_bad_token;
	const char *cmd = json_str(json, "cmd", NULL);
	const struct command_info *info = cmd != NULL ? command_by_name(cmd) : NULL;
	if (info != NULL && info->scope == SCOPE_RECORDING)
		refusal = VAULT_REFUSAL_not_found;
	json_decref(json);
	return refusal;
}

/* Tenant scope: args.tenant names one, a contact only his own. */
static vault_err resolve_tenant(struct keeper *k, struct call *c)
{
	const char *tenant;
	bool contact = c->signer.role == VAULT_ROLE_CONTACT;

	if (!args_word(c->args, "tenant", VAULT_TENANT_MAX, &tenant, NULL))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	if (contact && strcmp(tenant, c->signer.tenant) != 0)
		return call_refuse(c, VAULT_REFUSAL_forbidden);
	vault_err err = policy_load(&k->rows, tenant, &c->policy);
	if (err == VAULT_E_NOTFOUND)
		return call_refuse(c, VAULT_REFUSAL_not_found);
	c->has_tenant = err == VAULT_OK;
	return err;
}

/* Recording scope: what is unknown, expired, doomed or another tenant's does not exist. */
static vault_err resolve_recording(struct keeper *k, struct call *c)
{
	char tenant[VAULT_TENANT_MAX + 1];
	bool has;
	vault_id id;

	if (!args_id(c->args, "id", &has, &id) || !has)
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	vault_err err = tree_item_get(k->tree, &id, &c->item);
	if (err == VAULT_E_NOTFOUND)
		return call_refuse(c, VAULT_REFUSAL_not_found);
	if (err == VAULT_OK)
		err = tree_tenant_name(k->tree, c->item.tenant, tenant);
	if (err == VAULT_OK)
		err = policy_load(&k->rows, tenant, &c->policy);
	if (err != VAULT_OK)
		return err == VAULT_E_NOTFOUND ? VAULT_E_CORRUPT : err;
	if ((c->item.flags & ITEM_DOOMED) != 0 || c->item.expires_s <= k->now_ms / 1000 ||
	    (c->signer.role == VAULT_ROLE_CONTACT && strcmp(tenant, c->signer.tenant) != 0))
		return call_refuse(c, VAULT_REFUSAL_not_found);
	c->has_item = true;
	c->has_tenant = true;
	return VAULT_OK;
}

static vault_err resolve(struct keeper *k, struct call *c)
{
	if ((c->info->roles & c->signer.role) == 0)
		return call_refuse(c, c->info->scope == SCOPE_RECORDING && c->signer.role == VAULT_ROLE_CONTACT
		    ? VAULT_REFUSAL_not_found : VAULT_REFUSAL_forbidden);
	if (c->info->scope == SCOPE_TENANT)
		return resolve_tenant(k, c);
	return c->info->scope == SCOPE_RECORDING ? resolve_recording(k, c) : VAULT_OK;
}

/* While the vault knows one person only, he enrols the second one alone, who must be able to approve. */
vault_err command_alone(struct keeper *k, const struct call *c, bool *alone)
{
	const char *role = json_str(c->args, "role", NULL);
	size_t people = 0;

	*alone = c->info->people < 2;
	if (*alone || c->info->id != COMMAND_PRINCIPAL_ADD || role == NULL)
		return VAULT_OK;
	vault_err err = principal_count(&k->rows, UINT32_MAX, &people);
	*alone = err == VAULT_OK && people == 1 && (role_by_name(role) & (VAULT_ROLE_OPERATOR | VAULT_ROLE_DPO)) != 0;
	return err;
}

/* First of two: the arguments are judged, then the command waits. */
static vault_err wait_for_second(struct keeper *k, struct call *c)
{
	struct pending p = { .cmd = c->info->id, .args = (json_t *)(uintptr_t)c->args, .since_ms = k->now_ms };
	char hex[65];

	memcpy(p.sha256, c->payload_sha256, sizeof(p.sha256));
	memcpy(p.by, c->actor.kid, sizeof(p.by));
	vault_err err = pending_save(&k->rows, &p);
	if (err == VAULT_E_FULL)
		return call_refuse(c, VAULT_REFUSAL_unavailable);
	if (err != VAULT_OK)
		return err;
	batch_dirty(k);
	hex_encode(p.sha256, sizeof(p.sha256), hex);
	c->status = (uint16_t)vault_refusal_status(VAULT_REFUSAL_pending_approval);
	json_decref(c->answer);
	json_t *detail = json_pack("{s:s, s:s}", "command", c->info->name, "pending", hex);
	const struct audit_event e = { .event = "approval.requested", .action = 'E', .actor = &c->actor, .object = "command",
		.detail = detail };
	err = detail == NULL ? VAULT_E_NOMEM : keeper_log(k, &e);
	return err != VAULT_OK ? err : call_answer(c, json_pack("{s:s}", "pending", hex));
}

vault_err command_run(struct keeper *k, struct call *c)
{
	const struct command_row *row = command_row(c->info->id);
	vault_err err = row != NULL ? row->run(k, c) : VAULT_E_UNSUPPORTED;

	if (err != VAULT_OK || c->check || c->refusal != VAULT_REFUSAL_none)
		return err;
	const struct audit_event e = { .event = row->event, .action = row->action, .actor = &c->actor,
		.tenant = c->has_tenant ? c->policy.tenant : NULL, .object = row->object,
		.id = c->has_item ? &c->item.id : NULL, .purpose = c->purpose,
		.policy = c->has_item ? c->item.policy : c->has_tenant ? c->policy.version : 0, .detail = c->detail };
	c->detail = NULL;                        /* handed to the event */
	return keeper_log(k, &e);
}

/* Everything after the signature. Leaves refusal or answer in c. */
static vault_err authorised(struct keeper *k, struct call *c, const struct command *cmd)
{
	bool alone = false;
	vault_err err;

	if (command_check_time(cmd, &k->vault, k->now_ms / 1000) != VAULT_OK)
		return call_refuse(c, VAULT_REFUSAL_bad_token);
	err = jti_take(&k->rows, cmd);
	if (err == VAULT_E_EXISTS)
		return call_refuse(c, VAULT_REFUSAL_replayed);
	if (err != VAULT_OK)
		return err;
	batch_dirty(k);
	c->info = command_by_name(cmd->cmd);
	if (c->info == NULL)
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	err = resolve(k, c);
	if (err == VAULT_OK && c->refusal == VAULT_REFUSAL_none)
		err = command_alone(k, c, &alone);
	if (err != VAULT_OK || c->refusal != VAULT_REFUSAL_none)
		return err;
	c->check = !alone;
	err = command_run(k, c);
	if (err == VAULT_OK && c->check && c->refusal == VAULT_REFUSAL_none)
		err = wait_for_second(k, c);
	return err;
}

static vault_err stage_outcome(struct keeper *k, struct call *c)
{
	vault_err err;

	if (c->refusal != VAULT_REFUSAL_none) {
		err = log_refused(k, &c->actor, c->info, c->has_tenant ? c->policy.tenant : NULL, c->refusal);
		return err != VAULT_OK ? err : command_refuse(k, c->tag, c->refusal);
	}
	if (c->deferred)
		return VAULT_OK;
	return c->answer != NULL ? command_answer(k, c->tag, c->status, c->kind, c->answer) : VAULT_E_STATE;
}

/* A token whose signer is not known: logged by its hash, or counted when there are too many. */
static vault_err turn_away(struct keeper *k, const struct ipc_command *in, uint64_t tag, unsigned refusal)
{
	char hex[65];
	uint8_t hash[32];

	if (!strangers_each(k, 1))
		return command_refuse(k, tag, refusal);
	crypto_hash_sha256(hash, (const uint8_t *)in->token, in->token_len);
	hex_encode(hash, sizeof(hash), hex);
	json_t *detail = json_pack("{s:s, s:s}", "token", hex, "network", in->listener == 0 ? "unix" : "https");
	const struct audit_event e = { .event = "command.refused", .action = 'E', .refusal = refusal, .detail = detail };
	vault_err err = detail == NULL ? VAULT_E_NOMEM : keeper_log(k, &e);
	return err != VAULT_OK ? err : command_refuse(k, tag, refusal);
}

static vault_err verified(struct keeper *k, const struct ipc_command *in, const struct command *cmd,
    const struct principal *signer, uint64_t tag)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return VAULT_E_NOMEM;
	c->signer = *signer;
	c->args = cmd->args;
	c->tag = tag;
	c->status = 200;
	c->actor.role = signer->role;
	c->actor.listener = in->listener;
	memcpy(c->actor.kid, signer->kid, sizeof(c->actor.kid));
	memcpy(c->actor.token, cmd->token_sha256, sizeof(c->actor.token));
	memcpy(c->payload_sha256, cmd->payload_sha256, sizeof(c->payload_sha256));
	vault_err err = authorised(k, c, cmd);
	if (err == VAULT_OK)
		err = stage_outcome(k, c);
	json_decref(c->answer);
	json_decref(c->detail);
	free(c);
	return err;
}

vault_err command_handle(struct keeper *k, const struct ipc_packet *p)
{
	struct command cmd = { .args = NULL };
	struct principal signer;
	struct ipc_command in;
	struct jws j;

	if (ipc_command_decode(&in, p) != VAULT_OK)
		return VAULT_E_PROTO;
	vault_err err = jws_parse(&j, in.token, in.token_len);
	if (err == VAULT_E_NOMEM)
		return err;
	if (err != VAULT_OK)
		return turn_away(k, &in, p->tag, VAULT_REFUSAL_bad_token);
	err = principal_load(&k->rows, j.kid, &signer);
	if (err == VAULT_E_NOTFOUND || (err == VAULT_OK && !signer.active))
		return turn_away(k, &in, p->tag, stranger_refusal(&j));
	if (err != VAULT_OK)
		return err;
	err = jws_verify(&j, in.token, in.token_len, signer.pub, &cmd);
	if (err == VAULT_E_NOMEM)
		return err;
	if (err != VAULT_OK)
		return turn_away(k, &in, p->tag, VAULT_REFUSAL_bad_token);
	err = verified(k, &in, &cmd, &signer, p->tag);
	command_free(&cmd);
	return err;
}
