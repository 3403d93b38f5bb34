/*
 * policy.c - a tenant's row: load, save and the plain questions about it.
 */
#include "keeper/policy.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "ipc/message.h"

const char *const policy_medium_name[POLICY_MEDIA] = { "voice", "video" };

static_assert(MEDIUM_VOICE == 1u << 0 && MEDIUM_VIDEO == 1u << 1, "medium i has bit i");

int policy_medium_index(const char *name)
{
	for (int i = 0; name != NULL && i < (int)POLICY_MEDIA; i++)
		if (strcmp(name, policy_medium_name[i]) == 0)
			return i;
	return -1;
}

bool policy_word_valid(const char *text, size_t n)
{
	if (n == 0 || n >= POLICY_WORD)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'))
			return false;
	}
	return true;
}

static vault_err load_words(const json_t *list, char (*words)[POLICY_WORD], size_t max, size_t *count)
{
	*count = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (i >= max || text == NULL || !policy_word_valid(text, strlen(text)))
			return VAULT_E_CORRUPT;
		memcpy(words[i], text, strlen(text) + 1);
		(*count)++;
	}
	return VAULT_OK;
}

static vault_err load_medium(const json_t *row, struct policy_medium *m)
{
	size_t n = 0;
	const char *keep = json_str(row, "keep", &n);

	*m = (struct policy_medium){ .subscribed = json_is_true(json_object_get(row, "subscribed")) };
	if (m->subscribed &&
	    (json_u64(row, "from", &m->from_ms) != VAULT_OK || json_u64(row, "until", &m->until_ms) != VAULT_OK))
		return VAULT_E_CORRUPT;
	if (keep == NULL)
		return VAULT_OK;
	if (n >= sizeof(m->keep) || duration_parse(keep, n, &m->duration) != VAULT_OK)
		return VAULT_E_CORRUPT;
	memcpy(m->keep, keep, n + 1);
	m->kept = true;
	return VAULT_OK;
}

static vault_err from_json(const json_t *row, struct policy *p)
{
	uint64_t version, number;

	if (json_u64(row, "version", &version) != VAULT_OK || json_u64(row, "number", &number) != VAULT_OK ||
	    version > UINT32_MAX || number > UINT32_MAX)
		return VAULT_E_CORRUPT;
	p->version = (uint32_t)version;
	p->number = (uint32_t)number;
	p->consent = json_is_true(json_object_get(row, "consent"));
	for (size_t i = 0; i < POLICY_MEDIA; i++) {
		vault_err err = load_medium(json_object_get(row, policy_medium_name[i]), &p->medium[i]);
		if (err != VAULT_OK)
			return err;
	}
	vault_err err = load_words(json_object_get(row, "purposes"), p->purpose, POLICY_PURPOSES, &p->n_purposes);
	return err != VAULT_OK ? err : load_words(json_object_get(row, "tags"), p->tag, POLICY_TAGS, &p->n_tags);
}

vault_err policy_load(struct rows *rows, const char *tenant, struct policy *p)
{
	json_t *row = NULL;
	size_t n = strnlen(tenant, VAULT_TENANT_MAX + 1);

	if (!vault_tenant_valid(tenant, n))
		return VAULT_E_NOTFOUND;
	vault_err err = rows_get_json(rows, ROWS_POLICY, tenant, n, &row);
	if (err != VAULT_OK)
		return err;
	memset(p, 0, sizeof(*p));
	memcpy(p->tenant, tenant, n + 1);
	err = from_json(row, p);
	json_decref(row);
	return err;
}

vault_err policy_next(struct rows *rows, const char *after, struct policy *p)
{
	char tenant[VAULT_TENANT_MAX + 1];
	struct row_view row;
	size_t n = after != NULL ? strlen(after) : 0;
	vault_err err = rows_next(rows, ROWS_POLICY, n > 0 ? after : NULL, n, &row);

	if (err != VAULT_OK)
		return err;
	if (!vault_tenant_valid((const char *)row.key, row.key_len))
		return VAULT_E_CORRUPT;
	memcpy(tenant, row.key, row.key_len);
	tenant[row.key_len] = '\0';
	return policy_load(rows, tenant, p);
}

json_t *policy_words_json(const char (*words)[POLICY_WORD], size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < n; i++)
		if (json_array_append_new(list, json_string(words[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *medium_json(const struct policy_medium *m)
{
	json_t *row = json_pack("{s:b, s:I, s:I}", "subscribed", (int)m->subscribed, "from", (json_int_t)m->from_ms, "until",
	    (json_int_t)m->until_ms);

	if (row != NULL && m->kept && json_object_set_new(row, "keep", json_string(m->keep)) != 0) {
		json_decref(row);
		return NULL;
	}
	return row;
}

vault_err policy_save(struct rows *rows, struct policy *p)
{
	p->version++;
	json_t *row = json_pack("{s:I, s:I, s:b, s:o, s:o, s:o, s:o}", "version", (json_int_t)p->version, "number",
	    (json_int_t)p->number, "consent", (int)p->consent, "voice", medium_json(&p->medium[0]), "video",
	    medium_json(&p->medium[1]), "purposes", policy_words_json((const char (*)[POLICY_WORD])p->purpose, p->n_purposes),
	    "tags", policy_words_json((const char (*)[POLICY_WORD])p->tag, p->n_tags));

	if (row == NULL)
		return VAULT_E_NOMEM;
	vault_err err = rows_put_json(rows, ROWS_POLICY, p->tenant, strlen(p->tenant), row);
	json_decref(row);
	return err;
}

bool policy_purpose_listed(const struct policy *p, const char *purpose)
{
	for (size_t i = 0; purpose != NULL && i < p->n_purposes; i++)
		if (strcmp(purpose, p->purpose[i]) == 0)
			return true;
	return false;
}

bool policy_open_at(const struct policy_medium *m, uint64_t now_ms)
{
	return m->subscribed && now_ms >= m->from_ms && (m->until_ms == 0 || now_ms < m->until_ms);
}

unsigned policy_judge(const struct policy *p, uint8_t media, uint8_t allowed, uint64_t now_ms, uint8_t *usable)
{
	uint8_t open = 0, kept = 0;

	for (size_t i = 0; i < POLICY_MEDIA; i++) {
		uint8_t bit = (uint8_t)(1u << i);
		if (policy_open_at(&p->medium[i], now_ms))
			open |= bit;
		if (p->medium[i].kept)
			kept |= bit;
	}
	open &= allowed;
	*usable = open & kept;
	if (media == 0)
		return open == 0 ? VAULT_REFUSAL_not_subscribed : *usable == 0 ? VAULT_REFUSAL_no_retention : 0;
	if ((media & ~open) != 0)
		return VAULT_REFUSAL_not_subscribed;
	return (media & ~kept) != 0 ? VAULT_REFUSAL_no_retention : VAULT_REFUSAL_none;
}

uint64_t policy_until(const struct policy *p, uint8_t media)
{
	uint64_t until = 0;

	for (size_t i = 0; i < POLICY_MEDIA; i++) {
		const struct policy_medium *m = &p->medium[i];
		if ((media & (1u << i)) == 0)
			continue;
		if (!m->subscribed)
			return 1;                 /* ended long ago */
		if (m->until_ms != 0 && (until == 0 || m->until_ms < until))
			until = m->until_ms;
	}
	return until;
}

vault_err policy_expiry(const struct policy *p, uint8_t media, uint64_t start_ms, uint64_t *expires_s)
{
	uint64_t nearest = UINT64_MAX;

	for (size_t i = 0; i < POLICY_MEDIA; i++) {
		uint64_t end;
		if ((media & (1u << i)) == 0)
			continue;
		if (!p->medium[i].kept)
			return VAULT_E_NOTFOUND;
		vault_err err = duration_add(start_ms / 1000, &p->medium[i].duration, &end);
		if (err != VAULT_OK)
			return err;
		if (end < nearest)
			nearest = end;
	}
	*expires_s = nearest;
	return nearest == UINT64_MAX ? VAULT_E_NOTFOUND : VAULT_OK;
}

size_t policy_tags_text(const struct policy *p, char out[POLICY_TAGS_TEXT])
{
	size_t used = 0;

	for (size_t i = 0; i < p->n_tags; i++) {
		size_t n = strlen(p->tag[i]);
		if (used + n + 2 > POLICY_TAGS_TEXT)
			break;                    /* schema.set keeps this from happening */
		if (used > 0)
			out[used++] = ',';
		memcpy(out + used, p->tag[i], n);
		used += n;
	}
	out[used] = '\0';
	return used;
}

json_t *policy_subscriptions_json(const struct policy *p)
{
	json_t *all = json_object();

	for (size_t i = 0; all != NULL && i < POLICY_MEDIA; i++) {
		const struct policy_medium *m = &p->medium[i];
		if (!m->subscribed)
			continue;
		json_t *one = json_pack("{s:o, s:o}", "from", time_json(m->from_ms), "until", time_json(m->until_ms));
		if (json_object_set_new(all, policy_medium_name[i], one) != 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

json_t *policy_retention_json(const struct policy *p)
{
	json_t *all = json_object();

	for (size_t i = 0; all != NULL && i < POLICY_MEDIA; i++)
		if (p->medium[i].kept && json_object_set_new(all, policy_medium_name[i], json_string(p->medium[i].keep)) != 0) {
			json_decref(all);
			return NULL;
		}
	return all;
}
