/*
 * cmd_tenant.c - tenants and what they decided: subscriptions, retention,
 * purposes, extra fields, consent.
 */
#include <string.h>

#include "base/json.h"
#include "keeper/call.h"
#include "keeper/keeper.h"

#define TENANT_PAGE 100u

vault_err cmd_tenant_add(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", NULL };
	const char *tenant;
	size_t n;

	if (!args_only(c->args, names) || !args_word(c->args, "tenant", VAULT_TENANT_MAX, &tenant, &n) ||
	    !vault_tenant_valid(tenant, n))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	vault_err err = policy_load(&k->rows, tenant, &c->policy);
	if (err == VAULT_OK)
		return call_refuse(c, VAULT_REFUSAL_exists);
	if (err != VAULT_E_NOTFOUND)
		return err;
	memset(&c->policy, 0, sizeof(c->policy));
	memcpy(c->policy.tenant, tenant, n + 1);
	err = tree_tenant_add(k->tree, tenant, &c->policy.number);
	if (err == VAULT_OK)
		err = policy_save(&k->rows, &c->policy);
	if (err != VAULT_OK)
		return err;
	c->has_tenant = true;
	batch_dirty(k);
	return call_answer(c, json_pack("{s:s}", "tenant", tenant));
}

vault_err cmd_tenant_list(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "after", NULL };
	struct policy p = { .tenant = "" };
	json_t *list = json_array();
	const char *after;
	size_t n = 0, count = 0;
	vault_err err = list != NULL ? VAULT_OK : VAULT_E_NOMEM;
	bool more = false;

	bool has = json_object_get(c->args, "after") != NULL;
	if (!args_only(c->args, names) || (has && !args_word(c->args, "after", VAULT_TENANT_MAX, &after, &n))) {
		json_decref(list);
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	}
	if (has)
		memcpy(p.tenant, after, n + 1);
	while (err == VAULT_OK && (err = policy_next(&k->rows, p.tenant, &p)) == VAULT_OK) {
		if (count++ == TENANT_PAGE) {
			more = true;
			break;
		}
		json_t *row = json_pack("{s:s, s:o, s:o}", "tenant", p.tenant, "subscriptions", policy_subscriptions_json(&p),
		    "retention", policy_retention_json(&p));
		if (json_array_append_new(list, row) != 0)
			err = VAULT_E_NOMEM;
	}
	json_t *answer = json_pack("{s:o}", "tenants", list);
	if (answer != NULL && more) {
		const json_t *last = json_array_get(list, TENANT_PAGE - 1);
		if (json_object_set(answer, "next", json_object_get(last, "tenant")) != 0)
			err = VAULT_E_NOMEM;
	}
	vault_err kept = call_answer(c, answer);
	return err == VAULT_OK || err == VAULT_E_EOF ? kept : err;
}

static vault_err count_item(void *arg, const struct tree_item *item)
{
	uint64_t *n = arg;

	if ((item->flags & ITEM_DOOMED) == 0)
		(*n)++;
	return VAULT_OK;
}

vault_err cmd_tenant_show(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", NULL };
	const struct policy *p = &c->policy;
	uint32_t generation = 0, buckets = 0;
	uint64_t created_ms = 0, recordings = 0;

	if (!args_only(c->args, names))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	vault_err err = tree_tenant_key(k->tree, p->number, &generation, &created_ms, &buckets);
	if (err == VAULT_OK)
		err = tree_items(k->tree, p->number, 0, UINT64_MAX >> 16, count_item, &recordings);
	if (err != VAULT_OK)
		return err;
	json_t *key = json_pack("{s:I, s:o, s:I}", "generation", (json_int_t)generation, "created", time_json(created_ms),
	    "buckets", (json_int_t)buckets);
	return call_answer(c, json_pack("{s:s, s:o, s:o, s:I, s:o, s:o, s:b, s:I, s:o}", "tenant", p->tenant, "subscriptions",
	    policy_subscriptions_json(p), "retention", policy_retention_json(p), "policy", (json_int_t)p->version, "purposes",
	    policy_words_json((const char (*)[POLICY_WORD])p->purpose, p->n_purposes), "tags",
	    policy_words_json((const char (*)[POLICY_WORD])p->tag, p->n_tags), "consent", (int)p->consent, "recordings",
	    (json_int_t)recordings, "key", key));
}

/* Writes the changed policy; the audit entry gets detail (taken). */
static vault_err save(struct keeper *k, struct call *c, json_t *detail)
{
	c->detail = detail;
	if (detail == NULL)
		return VAULT_E_NOMEM;
	batch_dirty(k);
	k->reload_live = true;
	return policy_save(&k->rows, &c->policy);
}

vault_err cmd_subscribe(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", "medium", "from", "until", NULL };
	int i = args_medium(c->args);
	bool has_from, has_until;
	uint64_t from, until;

	if (!args_only(c->args, names) || i < 0 || !args_time(c->args, "from", &has_from, &from) ||
	    !args_time(c->args, "until", &has_until, &until))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	if (!has_from)
		from = k->now_ms;
	if (has_until && until <= from)
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	struct policy_medium *m = &c->policy.medium[i];
	m->subscribed = true;
	m->from_ms = from;
	m->until_ms = until;
	vault_err err = save(k, c, json_pack("{s:s, s:s, s:o, s:o}", "change", "subscribe", "medium", policy_medium_name[i],
	    "from", time_json(from), "until", time_json(until)));
	if (err != VAULT_OK)
		return err;
	return call_answer(c, json_pack("{s:s, s:s, s:o, s:o}", "tenant", c->policy.tenant, "medium", policy_medium_name[i],
	    "from", time_json(from), "until", time_json(until)));
}

vault_err cmd_unsubscribe(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", "medium", "at", NULL };
	int i = args_medium(c->args);
	uint64_t at;
	bool has;

	if (!args_only(c->args, names) || i < 0 || !args_time(c->args, "at", &has, &at))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	struct policy_medium *m = &c->policy.medium[i];
	if (!m->subscribed)
		return call_refuse(c, VAULT_REFUSAL_not_subscribed);
	/* An end in the past would reach back over what was taken in lawfully. */
	if (!has || at < k->now_ms)
		at = k->now_ms;
	if (m->until_ms == 0 || at < m->until_ms)
		m->until_ms = at;
	vault_err err = save(k, c, json_pack("{s:s, s:s, s:o}", "change", "unsubscribe", "medium", policy_medium_name[i],
	    "until", time_json(m->until_ms)));
	if (err != VAULT_OK)
		return err;
	return call_answer(c, json_pack("{s:s, s:s, s:o}", "tenant", c->policy.tenant, "medium", policy_medium_name[i],
	    "until", time_json(m->until_ms)));
}

vault_err cmd_retention_set(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", "medium", "keep", NULL };
	int i = args_medium(c->args);
	struct duration duration;
	const char *keep;
	uint64_t end, shortened = 0;
	size_t n;

	if (!args_only(c->args, names) || i < 0 || !args_word(c->args, "keep", POLICY_KEEP - 1, &keep, &n) ||
	    duration_parse(keep, n, &duration) != VAULT_OK || duration_add(k->now_ms / 1000, &duration, &end) != VAULT_OK)
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	struct policy_medium *m = &c->policy.medium[i];
	m->kept = true;
	m->duration = duration;
	memcpy(m->keep, keep, n + 1);
	/* Nearer expiries reach recordings that exist; a longer retention never does (R7). */
	vault_err err = retention_shorten(k, &c->policy, (uint8_t)(1u << i), &shortened);
	if (err == VAULT_OK)
		err = save(k, c, json_pack("{s:s, s:s, s:s, s:I}", "change", "retention", "medium", policy_medium_name[i],
		    "keep", keep, "shortened", (json_int_t)shortened));
	if (err != VAULT_OK)
		return err;
	return call_answer(c, json_pack("{s:s, s:s, s:s, s:I, s:I}", "tenant", c->policy.tenant, "medium",
	    policy_medium_name[i], "keep", keep, "policy", (json_int_t)c->policy.version, "shortened",
	    (json_int_t)shortened));
}

vault_err cmd_retention_show(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", NULL };

	(void)k;
	if (!args_only(c->args, names))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	return call_answer(c, json_pack("{s:s, s:I, s:o}", "tenant", c->policy.tenant, "policy",
	    (json_int_t)c->policy.version, "retention", policy_retention_json(&c->policy)));
}

/* A list of words without repetition. */
static bool read_words(const json_t *list, size_t max, char (*out)[POLICY_WORD], size_t *count)
{
	if (!json_is_array(list) || json_array_size(list) > max)
		return false;
	*count = json_array_size(list);
	for (size_t i = 0; i < *count; i++) {
		const json_t *item = json_array_get(list, i);
		size_t n = json_string_length(item);
		if (!json_is_string(item) || !policy_word_valid(json_string_value(item), n))
			return false;
		memcpy(out[i], json_string_value(item), n + 1);
		for (size_t j = 0; j < i; j++)
			if (strcmp(out[i], out[j]) == 0)
				return false;
	}
	return true;
}

vault_err cmd_purpose_set(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", "purposes", NULL };
	struct policy *p = &c->policy;

	if (!args_only(c->args, names) ||
	    !read_words(json_object_get(c->args, "purposes"), POLICY_PURPOSES, p->purpose, &p->n_purposes) ||
	    p->n_purposes == 0)
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	vault_err err = save(k, c, json_pack("{s:s, s:I}", "change", "purposes", "count", (json_int_t)p->n_purposes));
	if (err != VAULT_OK)
		return err;
	return call_answer(c, json_pack("{s:s, s:o}", "tenant", p->tenant, "purposes",
	    policy_words_json((const char (*)[POLICY_WORD])p->purpose, p->n_purposes)));
}

vault_err cmd_schema_set(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", "tags", NULL };
	struct policy *p = &c->policy;
	size_t together = 0;

	if (!args_only(c->args, names) || !read_words(json_object_get(c->args, "tags"), POLICY_TAGS, p->tag, &p->n_tags))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	for (size_t i = 0; i < p->n_tags; i++)
		together += strlen(p->tag[i]) + (i > 0);
	if (together >= POLICY_TAGS_TEXT)
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	vault_err err = save(k, c, json_pack("{s:s, s:I}", "change", "schema", "count", (json_int_t)p->n_tags));
	if (err != VAULT_OK)
		return err;
	return call_answer(c, json_pack("{s:s, s:o}", "tenant", p->tenant, "tags",
	    policy_words_json((const char (*)[POLICY_WORD])p->tag, p->n_tags)));
}

vault_err cmd_basis_set(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", "consent", NULL };
	const json_t *consent = json_object_get(c->args, "consent");

	if (!args_only(c->args, names) || !json_is_boolean(consent))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	c->policy.consent = json_is_true(consent);
	vault_err err = save(k, c, json_pack("{s:s, s:b}", "change", "basis", "consent", (int)c->policy.consent));
	if (err != VAULT_OK)
		return err;
	return call_answer(c, json_pack("{s:s, s:b}", "tenant", c->policy.tenant, "consent", (int)c->policy.consent));
}
