/*
 * cmd_vault.c - commands about the vault itself: keys, log, clock, state.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "keeper/call.h"
#include "keeper/keeper.h"

#define AUDIT_COUNT_MAX 256u
#define AUDIT_ANSWER_MAX 60000u

static const char *const no_args[] = { NULL };

vault_err cmd_key_status(struct keeper *k, struct call *c)
{
	struct tree_counts n;
	char vault[VAULT_ID_TEXT];

	if (!args_only(c->args, no_args))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	vault_err err = tree_count(k->tree, &n);
	if (err != VAULT_OK)
		return err;
	vault_id_format(&k->vault, vault);
	return call_answer(c, json_pack("{s:s, s:I, s:o, s:I, s:I, s:I, s:s, s:b}", "vault", vault, "epoch",
	    (json_int_t)n.epoch, "root_created", time_json(n.root_created_ms), "tenants", (json_int_t)n.tenants, "buckets",
	    (json_int_t)n.buckets, "recordings", (json_int_t)n.items, "backend", "file", "passphrase", (int)k->passphrase));
}

vault_err cmd_rotate_tenant(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", NULL };
	struct batch_after after = { .kind = AFTER_ROTATE_TENANT, .tag = c->tag, .tenant = c->policy.number };

	if (!args_only(c->args, names))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	memcpy(after.name, c->policy.tenant, sizeof(after.name));
	c->deferred = true;
	return batch_then(k, &after);
}

vault_err cmd_rotate_root(struct keeper *k, struct call *c)
{
	const struct batch_after after = { .kind = AFTER_ROTATE_ROOT, .tag = c->tag };

	if (!args_only(c->args, no_args))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	c->deferred = true;
	return batch_then(k, &after);
}

/* Entries from first on, as many as fit; stops at what is not committed. */
static vault_err read_entries(struct keeper *k, uint64_t first, uint64_t count, json_t *list)
{
	uint64_t size = audit_log_size(k->audit.log);
	vault_err err = VAULT_OK;
	struct buf entry;
	size_t total = 0;

	buf_init(&entry, AUDIT_ENTRY_MAX);
	for (uint64_t i = first; i < size && i - first < count && err == VAULT_OK; i++) {
		json_t *json = NULL;
		buf_clear(&entry);
		err = audit_log_read(k->audit.log, i, &entry);
		if (err != VAULT_OK || total + entry.len + 1 > AUDIT_ANSWER_MAX)
			break;
		total += entry.len + 1;
		err = json_read((const char *)entry.data, entry.len, AUDIT_ENTRY_MAX, &json);
		if (err == VAULT_OK && json_array_append_new(list, json) != 0)
			err = VAULT_E_NOMEM;
	}
	buf_free(&entry);
	return err;
}

vault_err cmd_audit_read(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "first", "count", NULL };
	uint64_t first = 0, count = 0;
	bool has_first, has_count;

	if (!args_only(c->args, names) || !args_number(c->args, "first", &has_first, &first, INT64_MAX) || !has_first ||
	    !args_number(c->args, "count", &has_count, &count, AUDIT_COUNT_MAX) || !has_count || count == 0)
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	json_t *list = json_array();
	vault_err err = list != NULL ? read_entries(k, first, count, list) : VAULT_E_NOMEM;
	if (err != VAULT_OK) {
		json_decref(list);
		return err;
	}
	c->detail = json_pack("{s:I, s:I}", "first", (json_int_t)first, "count", (json_int_t)json_array_size(list));
	vault_err kept = call_answer(c, json_pack("{s:I, s:o}", "size", (json_int_t)audit_log_size(k->audit.log), "entries",
	    list));
	return c->detail == NULL ? VAULT_E_NOMEM : kept;
}

vault_err cmd_status(struct keeper *k, struct call *c)
{
	if (!args_only(c->args, no_args))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	c->kind = ANSWER_SERVE;
	return call_answer(c, json_pack("{s:s, s:o}", "cmd", "status", "status", keeper_status(k)));
}

vault_err cmd_verify(struct keeper *k, struct call *c)
{
	(void)k;
	if (!args_only(c->args, no_args))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	c->kind = ANSWER_SERVE;
	return call_answer(c, json_pack("{s:s}", "cmd", "verify"));
}

static void confirm_ended(struct keeper *k, const vault_id *id, bool committed)
{
	(void)id;
	if (committed)
		clock_guard_confirm(&k->clock, clock_wall_ms(), clock_mono_ms());
}

vault_err cmd_clock_confirm(struct keeper *k, struct call *c)
{
	static const vault_id none;

	if (!args_only(c->args, no_args))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	if (c->check)
		return VAULT_OK;
	vault_err err = batch_on_end(k, confirm_ended, &none);
	if (err != VAULT_OK)
		return err;
	c->detail = json_pack("{s:b}", "was_trusted", (int)k->clock.trusted);
	return c->detail == NULL ? VAULT_E_NOMEM : call_answer(c, json_pack("{s:o}", "time", time_json(k->now_ms)));
}
