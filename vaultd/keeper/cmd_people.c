/*
 * cmd_people.c - principals, sources and the approvals of a second person.
 */
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "crypto/age.h"
#include "keeper/call.h"
#include "keeper/command_front.h"
#include "keeper/keeper.h"
#include "keeper/pending.h"
#include "keeper/source.h"

#define PRINCIPAL_PAGE 200u
#define SOURCE_PAGE 20u

/* The person a principal.add names, or false. */
static bool read_principal(const json_t *args, struct principal *p)
{
	static const char *const names[] = { "role", "tenant", "public", "age", NULL };
	const char *role, *pub, *age, *tenant;
	size_t pub_len, age_len, tenant_len, got = 0;
	bool has_tenant = json_object_get(args, "tenant") != NULL;

	memset(p, 0, sizeof(*p));
	if (!args_only(args, names) || !args_word(args, "role", 16, &role, NULL) ||
	    !args_word(args, "public", 64, &pub, &pub_len) || !args_word(args, "age", 80, &age, &age_len))
		return false;
	p->role = role_by_name(role);
	if (p->role == 0 || has_tenant != (p->role == VAULT_ROLE_CONTACT))
		return false;
	if (has_tenant) {
		if (!args_word(args, "tenant", VAULT_TENANT_MAX, &tenant, &tenant_len))
			return false;
		memcpy(p->tenant, tenant, tenant_len + 1);
	}
	return b64_decode(pub, pub_len, B64_URL_NOPAD, p->pub, sizeof(p->pub), &got) == VAULT_OK && got == sizeof(p->pub) &&
	    age_recipient_parse(age, age_len, p->age) == VAULT_OK;
}

vault_err cmd_principal_add(struct keeper *k, struct call *c)
{
	struct principal p, old;
	struct policy policy;
	char kid[VAULT_KID_TEXT];

	if (!read_principal(c->args, &p))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	vault_kid_of(p.pub, kid);
	vault_err err = principal_load(&k->rows, kid, &old);
	if (err == VAULT_OK)
		return call_refuse(c, VAULT_REFUSAL_exists);      /* a revoked key does not come back */
	if (err != VAULT_E_NOTFOUND)
		return err;
	if (p.tenant[0] != '\0') {
		err = policy_load(&k->rows, p.tenant, &policy);
		if (err == VAULT_E_NOTFOUND)
			return call_refuse(c, VAULT_REFUSAL_not_found);
		if (err != VAULT_OK)
			return err;
	}
	if (c->check)
		return VAULT_OK;
	p.active = true;
	p.since_ms = k->now_ms;
	err = principal_save(&k->rows, &p);
	if (err != VAULT_OK)
		return err;
	batch_dirty(k);
	c->detail = json_pack("{s:s, s:s}", "kid", p.kid, "role", role_name(p.role));
	json_t *answer = json_pack("{s:s, s:s}", "kid", p.kid, "role", role_name(p.role));
	if (c->detail == NULL || (answer != NULL && p.tenant[0] != '\0' &&
	    (json_object_set_new(answer, "tenant", json_string(p.tenant)) != 0 ||
	     json_object_set_new(c->detail, "tenant", json_string(p.tenant)) != 0))) {
		json_decref(answer);
		return VAULT_E_NOMEM;
	}
	return call_answer(c, answer);
}

vault_err cmd_principal_list(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "after", NULL };
	struct principal p = { .kid = "" };
	const char *after;
	size_t n = 0, count = 0;
	bool more = false, has = json_object_get(c->args, "after") != NULL;

	if (!args_only(c->args, names) || (has && (!args_word(c->args, "after", VAULT_KID_TEXT - 1, &after, &n))))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	if (has)
		memcpy(p.kid, after, n + 1);
	json_t *list = json_array();
	vault_err err = list != NULL ? VAULT_OK : VAULT_E_NOMEM;
	while (err == VAULT_OK && (err = principal_next(&k->rows, p.kid, &p)) == VAULT_OK) {
		if (count++ == PRINCIPAL_PAGE) {
			more = true;
			break;
		}
		if (json_array_append_new(list, principal_json(&p)) != 0)
			err = VAULT_E_NOMEM;
	}
	json_t *answer = json_pack("{s:o}", "principals", list);
	if (answer != NULL && more &&
	    json_object_set(answer, "next", json_object_get(json_array_get(list, PRINCIPAL_PAGE - 1), "kid")) != 0)
		err = VAULT_E_NOMEM;
	vault_err kept = call_answer(c, answer);
	return err == VAULT_OK || err == VAULT_E_EOF ? kept : err;
}

vault_err cmd_principal_revoke(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "kid", NULL };
	struct principal p;
	const char *kid;
	size_t approvers = 0;

	if (!args_only(c->args, names) || !args_word(c->args, "kid", VAULT_KID_TEXT - 1, &kid, NULL))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	vault_err err = principal_load(&k->rows, kid, &p);
	if (err == VAULT_E_NOTFOUND || (err == VAULT_OK && !p.active))
		return call_refuse(c, VAULT_REFUSAL_not_found);
	if (err == VAULT_OK)
		err = principal_count(&k->rows, VAULT_ROLE_OPERATOR | VAULT_ROLE_DPO, &approvers);
	if (err != VAULT_OK)
		return err;
	/* Two who can approve must be left, or nobody could ever be enrolled again. */
	if ((p.role & (VAULT_ROLE_OPERATOR | VAULT_ROLE_DPO)) != 0 && approvers <= 2)
		return call_refuse(c, VAULT_REFUSAL_forbidden);
	if (c->check)
		return VAULT_OK;
	p.active = false;
	err = principal_save(&k->rows, &p);
	if (err != VAULT_OK)
		return err;
	batch_dirty(k);
	c->detail = json_pack("{s:s}", "kid", p.kid);
	return c->detail == NULL ? VAULT_E_NOMEM : call_answer(c, json_pack("{s:s, s:s}", "kid", p.kid, "state", "revoked"));
}

static bool read_source(const json_t *args, struct source *s)
{
	static const char *const names[] = { "tenants", "media", "secret_sha256", "certificate_sha256", NULL };
	const json_t *tenants = json_object_get(args, "tenants"), *media = json_object_get(args, "media");

	memset(s, 0, sizeof(*s));
	if (!args_only(args, names) || !json_is_array(tenants) || !json_is_array(media) || json_array_size(tenants) == 0 ||
	    json_array_size(tenants) > SOURCE_TENANTS || json_array_size(media) == 0 ||
	    !args_hash(args, "secret_sha256", &s->has_secret, s->secret_sha256) ||
	    !args_hash(args, "certificate_sha256", &s->has_cert, s->cert_sha256) || (!s->has_secret && !s->has_cert))
		return false;
	for (size_t i = 0; i < json_array_size(media); i++) {
		int m = policy_medium_index(json_string_value(json_array_get(media, i)));
		if (m < 0 || (s->media & (1u << m)) != 0)
			return false;
		s->media |= (uint8_t)(1u << m);
	}
	for (size_t i = 0; i < json_array_size(tenants); i++) {
		const json_t *item = json_array_get(tenants, i);
		size_t n = json_string_length(item);
		if (!json_is_string(item) || !vault_tenant_valid(json_string_value(item), n) ||
		    source_serves(s, json_string_value(item)))
			return false;
		memcpy(s->tenant[s->n_tenants++], json_string_value(item), n + 1);
	}
	return true;
}

vault_err cmd_source_add(struct keeper *k, struct call *c)
{
	struct policy policy;
	struct source s;
	vault_err err;

	if (!read_source(c->args, &s))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	for (size_t i = 0; i < s.n_tenants; i++) {
		err = policy_load(&k->rows, s.tenant[i], &policy);
		if (err == VAULT_E_NOTFOUND)
			return call_refuse(c, VAULT_REFUSAL_not_found);
		if (err != VAULT_OK)
			return err;
	}
	err = source_add(&k->rows, &s);
	if (err == VAULT_E_EXISTS)
		return call_refuse(c, VAULT_REFUSAL_exists);
	if (err != VAULT_OK)
		return err;
	batch_dirty(k);
	c->detail = json_pack("{s:I, s:I}", "source", (json_int_t)s.number, "tenants", (json_int_t)s.n_tenants);
	return c->detail == NULL ? VAULT_E_NOMEM : call_answer(c, json_pack("{s:I}", "source", (json_int_t)s.number));
}

vault_err cmd_source_list(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "after", NULL };
	struct source s = { .number = 0 };
	uint64_t after = 0, last = 0;
	size_t count = 0;
	bool more = false, has;

	if (!args_only(c->args, names) || !args_number(c->args, "after", &has, &after, UINT32_MAX))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	json_t *list = json_array();
	vault_err err = list != NULL ? VAULT_OK : VAULT_E_NOMEM;
	s.number = (uint32_t)after;
	while (err == VAULT_OK && (err = source_next(&k->rows, s.number, &s)) == VAULT_OK) {
		if (count++ == SOURCE_PAGE) {
			more = true;
			break;
		}
		last = s.number;
		if (json_array_append_new(list, source_json(&s)) != 0)
			err = VAULT_E_NOMEM;
	}
	json_t *answer = json_pack("{s:o}", "sources", list);
	if (answer != NULL && more && json_object_set_new(answer, "next", json_integer((json_int_t)last)) != 0)
		err = VAULT_E_NOMEM;
	vault_err kept = call_answer(c, answer);
	return err == VAULT_OK || err == VAULT_E_EOF ? kept : err;
}

vault_err cmd_source_revoke(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "source", NULL };
	struct source s;
	uint64_t number;
	bool has;

	if (!args_only(c->args, names) || !args_number(c->args, "source", &has, &number, UINT32_MAX) || !has)
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	vault_err err = source_load(&k->rows, (uint32_t)number, &s);
	if (err == VAULT_E_NOTFOUND || (err == VAULT_OK && !s.active))
		return call_refuse(c, VAULT_REFUSAL_not_found);
	if (err == VAULT_OK)
		err = source_revoke(&k->rows, &s);
	if (err != VAULT_OK)
		return err;
	batch_dirty(k);
	c->detail = json_pack("{s:I}", "source", (json_int_t)number);
	return c->detail == NULL ? VAULT_E_NOMEM
	    : call_answer(c, json_pack("{s:I, s:s}", "source", (json_int_t)number, "state", "revoked"));
}

/* The waiting command as the first person's call, with the second as approver. */
static vault_err run_pending(struct keeper *k, struct call *c, const struct pending *p)
{
	struct call first = { .info = command_by_id(p->cmd), .args = p->args, .status = 200 };
	vault_err err = principal_load(&k->rows, p->by, &first.signer);

	if (err != VAULT_OK && err != VAULT_E_NOTFOUND)
		return err;
	/* Who asked must still be someone who may ask. */
	if (err == VAULT_E_NOTFOUND || !first.signer.active || (first.info->roles & first.signer.role) == 0)
		return call_refuse(c, VAULT_REFUSAL_forbidden);
	first.actor = c->actor;
	first.actor.role = first.signer.role;
	memcpy(first.actor.kid, p->by, sizeof(first.actor.kid));
	memcpy(first.actor.approver, c->signer.kid, sizeof(first.actor.approver));
	err = command_run(k, &first);
	if (err == VAULT_OK && first.refusal == VAULT_REFUSAL_none) {
		c->answer = first.answer;
		first.answer = NULL;             /* handed to the approver's answer */
	}
	c->refusal = first.refusal;
	json_decref(first.answer);
	json_decref(first.detail);
	return err;
}

vault_err cmd_approve(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "sha256", NULL };
	struct pending p;
	uint8_t sha256[32];
	char hex[65];
	bool has;

	if (!args_only(c->args, names) || !args_hash(c->args, "sha256", &has, sha256) || !has)
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	vault_err err = pending_load(&k->rows, sha256, &p);
	if (err == VAULT_E_NOTFOUND)
		return call_refuse(c, VAULT_REFUSAL_not_found);
	if (err != VAULT_OK)
		return err;
	const struct command_info *info = command_by_id(p.cmd);
	if (k->now_ms > p.since_ms + PENDING_LIFE_MS)
		err = call_refuse(c, VAULT_REFUSAL_not_found);
	else if (strcmp(p.by, c->signer.kid) == 0 || (info->roles & c->signer.role) == 0)
		err = call_refuse(c, VAULT_REFUSAL_forbidden);      /* nobody approves his own */
	else
		err = run_pending(k, c, &p);
	if (err == VAULT_OK && c->refusal == VAULT_REFUSAL_none) {
		hex_encode(sha256, sizeof(sha256), hex);
		c->detail = json_pack("{s:s, s:s, s:s}", "command", info->name, "pending", hex, "by", p.by);
		err = c->detail == NULL ? VAULT_E_NOMEM : pending_delete(&k->rows, sha256);
		batch_dirty(k);
	}
	pending_free(&p);
	return err;
}

/* What an approval would do, so that nobody approves a hash unseen: for a new person the kid that his key gives. */
static json_t *pending_json(const struct pending *p)
{
	static const char *const shown[] = { "role", "tenant", "kid" };
	char hex[65];
	struct principal person;

	hex_encode(p->sha256, sizeof(p->sha256), hex);
	json_t *row = json_pack("{s:s, s:s, s:s, s:o}", "sha256", hex, "cmd", command_by_id(p->cmd)->name, "by", p->by,
	    "since", time_json(p->since_ms));
	bool failed = row == NULL;
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]) && !failed; i++) {
		json_t *value = json_object_get(p->args, shown[i]);
		failed = value != NULL && json_object_set(row, shown[i], value) != 0;
	}
	if (!failed && p->cmd == COMMAND_PRINCIPAL_ADD && read_principal(p->args, &person)) {
		vault_kid_of(person.pub, person.kid);
		failed = json_object_set_new(row, "kid", json_string(person.kid)) != 0;
	}
	if (!failed)
		return row;
	json_decref(row);
	return NULL;
}

vault_err cmd_pending_list(struct keeper *k, struct call *c)
{
	static const char *const names[] = { NULL };
	struct pending p;
	uint8_t after[32];
	bool first = true;

	if (!args_only(c->args, names))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	json_t *list = json_array();
	vault_err err = list != NULL ? VAULT_OK : VAULT_E_NOMEM;
	while (err == VAULT_OK && (err = pending_next(&k->rows, first ? NULL : after, &p)) == VAULT_OK) {
		first = false;
		memcpy(after, p.sha256, sizeof(after));
		json_t *row = pending_json(&p);
		bool old = k->now_ms > p.since_ms + PENDING_LIFE_MS;
		pending_free(&p);
		if (old)
			json_decref(row);
		else if (json_array_append_new(list, row) != 0)
			err = VAULT_E_NOMEM;
	}
	vault_err kept = call_answer(c, json_pack("{s:o}", "pending", list));
	return err == VAULT_E_EOF ? kept : err;
}
