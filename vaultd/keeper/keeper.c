/*
 * keeper.c - putting the keeper together and taking it apart.
 */
#include "keeper/keeper.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "keeper/policy.h"
#include "keeper/principal.h"
#include "sandbox/sandbox.h"
#include "token/command.h"

void keeper_fail(struct keeper *k, const char *why)
{
	if (!k->fatal)
		log_error("event=fatal why=\"%s\"", why);
	k->fatal = true;
}

vault_err keeper_log(struct keeper *k, const struct audit_event *e)
{
	return audit_stage(&k->audit, e, k->now_ms);
}

struct beginning {
	const struct keeper_options *options;
	bool fresh;
};

/* First operator, clock mark and the start's own entry. */
static vault_err begin_fn(struct keeper *k, void *arg)
{
	const struct beginning *b = arg;
	const struct ipc_configure *c = b->options->configure;
	vault_err err = clock_guard_start(&k->clock, &k->rows, k->now_ms, clock_mono_ms());

	if (err == VAULT_OK && b->fresh) {
		struct principal p = { .role = VAULT_ROLE_OPERATOR, .active = true, .since_ms = k->now_ms };
		memcpy(p.pub, c->first_operator, sizeof(p.pub));
		memcpy(p.age, c->first_age, sizeof(p.age));
		err = principal_save(&k->rows, &p);
		json_t *detail = json_pack("{s:s, s:s}", "kid", p.kid, "role", "operator");
		const struct audit_event first = { .event = "principal.enrol", .action = 'C', .object = "principal",
			.detail = detail };
		if (detail == NULL)
			return VAULT_E_NOMEM;
		if (err == VAULT_OK)
			err = keeper_log(k, &first);
		else
			json_decref(detail);
	}
	json_t *detail = json_pack("{s:s, s:b, s:b}", "version", VAULT_VERSION, "fresh", (int)b->fresh, "clock_trusted",
	    (int)k->clock.trusted);
	const struct audit_event start = { .event = "vault.start", .action = 'E', .object = "vault", .id = &k->vault,
		.detail = detail };
	if (detail == NULL)
		return VAULT_E_NOMEM;
	if (err != VAULT_OK) {
		json_decref(detail);
		return err;
	}
	return keeper_log(k, &start);
}

static vault_err people_known(struct keeper *k, bool *none)
{
	size_t n = 0;
	vault_err err = tree_begin(k->tree);

	if (err != VAULT_OK)
		return err;
	err = principal_count(&k->rows, UINT32_MAX, &n);
	tree_abort(k->tree);
	*none = n == 0;
	return err;
}

static vault_err open_tree(struct keeper *k, const struct keeper_options *o, const char **why)
{
	const struct ipc_configure *c = o->configure;
	const struct tree_options tree = { .keys_fd = o->keys_fd, .root_fd = o->root_fd, .create = c->create != 0,
		.allow_cow = c->root_ok_cow != 0, .pass = c->pass_len > 0 ? c->pass : NULL, .pass_len = c->pass_len,
		.now_ms = clock_wall_ms() };
	vault_err err = tree_open(&k->tree, &tree, why);

	if (err != VAULT_OK)
		return err;
	k->vault = *tree_vault_id(k->tree);
	k->passphrase = c->pass_len > 0;
	*why = "The keeper's tables in keys/ cannot be opened.";
	return rows_open(&k->rows, k->tree);
}

static vault_err open_all(struct keeper *k, const struct keeper_options *o, bool *fresh, const char **why)
{
	static const uint8_t no_key[32];
	struct beginning b = { .options = o };
	vault_err err = open_tree(k, o, why);

	if (err == VAULT_OK)
		err = audit_open(&k->audit, o->audit_fd, o->configure->origin, &k->rows, why);
	if (err != VAULT_OK)
		return err;
	*why = "The keeper's tables in keys/ cannot be read.";
	err = people_known(k, &b.fresh);
	if (err == VAULT_OK && b.fresh && memcmp(o->configure->first_operator, no_key, sizeof(no_key)) == 0) {
		*why = "A new vault needs its first operator: set operator_public and operator_age to what this prints: "
		    "vaultctl key new --role operator -o operator.key";
		return VAULT_E_INVAL;
	}
	if (err == VAULT_OK) {
		*why = "The start could not be written to the audit log. Check the disk of audit/ and keys/.";
		err = batch_effect(k, begin_fn, &b);
	}
	if (err == VAULT_OK)
		err = retention_start(k);
	*fresh = b.fresh;
	return err;
}

vault_err keeper_open(struct keeper **out, const struct keeper_options *o, bool *fresh, const char **why)
{
	struct keeper *k = calloc(1, sizeof(*k));
	vault_err err = VAULT_OK;

	*out = NULL;
	*fresh = false;
	*why = "There is not enough lockable memory. Raise the limit of locked memory (LimitMEMLOCK).";
	if (k == NULL)
		return VAULT_E_NOMEM;
	link_init(&k->front, -1, LINK_FRONT);
	link_init(&k->supervisor, -1, LINK_SUPERVISOR);
	k->sweep_s = o->configure->sweep_s;
	live_init(&k->live);
	for (size_t i = 0; i < EXPORTS_MAX; i++)
		k->exports.job[i].link.fd = -1;
	k->room = secret_alloc(sizeof(*k->room));
	if (k->room == NULL || names_init(&k->names) != VAULT_OK)
		err = VAULT_E_NOMEM;
	if (err == VAULT_OK)
		err = open_all(k, o, fresh, why);
	if (err != VAULT_OK) {
		k->fatal = true;                 /* nothing of a half-open vault is written back */
		keeper_close(k);
		return err;
	}
	if (!k->clock.trusted)
		log_warn("event=clock_uncertain when=start");
	*out = k;
	return VAULT_OK;
}

static vault_err end_fn(struct keeper *k, void *arg)
{
	const struct audit_event stop = { .event = "vault.stop", .action = 'E', .object = "vault", .id = &k->vault };
	vault_err err = clock_guard_save(&k->clock, &k->rows, k->now_ms, true);

	(void)arg;
	return err != VAULT_OK ? err : keeper_log(k, &stop);
}

void keeper_close(struct keeper *k)
{
	if (k == NULL)
		return;
	if (!k->fatal)
		strangers_tick(k, clock_mono_ms(), true);
	if (!k->fatal && batch_effect(k, end_fn, NULL) == VAULT_OK)
		audit_publish(&k->audit, clock_mono_ms(), true);
	batch_free(k);
	export_free_all(&k->exports);
	link_close(&k->front);
	link_close(&k->supervisor);
	audit_close(&k->audit);
	names_free(&k->names);
	live_free(&k->live);
	tree_close(k->tree);
	secret_free(k->room);
	free(k);
}

static json_t *words_json(const char *text)
{
	json_t *list = json_array();

	while (list != NULL && *text != '\0') {
		size_t n = strcspn(text, " ");
		if (json_array_append_new(list, json_stringn(text, n)) != 0) {
			json_decref(list);
			return NULL;
		}
		text += n + (text[n] == ' ');
	}
	return list;
}

json_t *keeper_status(struct keeper *k)
{
	char vault[VAULT_ID_TEXT], protections[128];

	vault_id_format(&k->vault, vault);
	sandbox_describe(k->protections, protections, sizeof(protections));
	json_t *keeper = json_pack("{s:o, s:I, s:I, s:I, s:I}", "protections", words_json(protections), "live",
	    (json_int_t)live_count(&k->live), "exports", (json_int_t)export_count(&k->exports), "malformed",
	    (json_int_t)k->malformed, "last_sweep_items", (json_int_t)k->retention.last_items);
	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:{s:I}}", "version", VAULT_VERSION, "vault", vault, "time",
	    time_json(k->now_ms), "clock", k->clock.trusted ? "trusted" : "uncertain", "keeper", keeper, "audit", "size",
	    (json_int_t)audit_log_size(k->audit.log));
}
