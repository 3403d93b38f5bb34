/*
 * principal.c - see principal.h.
 */
#include "keeper/principal.h"

#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "token/command.h"

static vault_err get_key(const json_t *row, const char *name, uint8_t out[32])
{
	size_t n = 0, got = 0;
	const char *text = json_str(row, name, &n);

	if (text == NULL || hex_decode(text, n, out, 32, &got) != VAULT_OK || got != 32)
		return VAULT_E_CORRUPT;
	return VAULT_OK;
}

static vault_err from_json(const json_t *row, struct principal *p)
{
	size_t n = 0;
	const char *role = json_str(row, "role", NULL);
	const char *tenant = json_str(row, "tenant", &n);
	vault_err err = get_key(row, "pub", p->pub);

	if (err == VAULT_OK)
		err = get_key(row, "age", p->age);
	p->role = role != NULL ? role_by_name(role) : 0;
	p->active = json_is_true(json_object_get(row, "active"));
	if (err != VAULT_OK || p->role == 0 || n >= sizeof(p->tenant) || json_u64(row, "since", &p->since_ms) != VAULT_OK)
		return VAULT_E_CORRUPT;
	if (tenant != NULL)
		memcpy(p->tenant, tenant, n + 1);
	return VAULT_OK;
}

vault_err principal_load(struct rows *rows, const char *kid, struct principal *p)
{
	char own[VAULT_KID_TEXT];
	json_t *row = NULL;
	size_t n = strnlen(kid, VAULT_KID_TEXT);

	if (n != VAULT_KID_TEXT - 1)
		return VAULT_E_NOTFOUND;
	vault_err err = rows_get_json(rows, ROWS_PRINCIPAL, kid, n, &row);
	if (err != VAULT_OK)
		return err;
	memset(p, 0, sizeof(*p));
	err = from_json(row, p);
	json_decref(row);
	if (err != VAULT_OK)
		return err;
	vault_kid_of(p->pub, own);
	if (strcmp(own, kid) != 0)
		return VAULT_E_CORRUPT;
	memcpy(p->kid, own, sizeof(own));
	return VAULT_OK;
}

vault_err principal_save(struct rows *rows, struct principal *p)
{
	char pub[65], age[65];

	vault_kid_of(p->pub, p->kid);
	hex_encode(p->pub, 32, pub);
	hex_encode(p->age, 32, age);
	json_t *row = json_pack("{s:s, s:s, s:s, s:b, s:I}", "role", role_name(p->role), "pub", pub, "age", age, "active",
	    (int)p->active, "since", (json_int_t)p->since_ms);
	if (row == NULL)
		return VAULT_E_NOMEM;
	vault_err err = VAULT_OK;
	if (p->tenant[0] != '\0' && json_object_set_new(row, "tenant", json_string(p->tenant)) != 0)
		err = VAULT_E_NOMEM;
	if (err == VAULT_OK)
		err = rows_put_json(rows, ROWS_PRINCIPAL, p->kid, strlen(p->kid), row);
	json_decref(row);
	return err;
}

vault_err principal_next(struct rows *rows, const char *after, struct principal *p)
{
	char kid[VAULT_KID_TEXT];
	struct row_view row;
	size_t n = after != NULL ? strlen(after) : 0;
	vault_err err = rows_next(rows, ROWS_PRINCIPAL, n > 0 ? after : NULL, n, &row);

	if (err != VAULT_OK)
		return err;
	if (row.key_len != sizeof(kid) - 1)
		return VAULT_E_CORRUPT;
	memcpy(kid, row.key, row.key_len);
	kid[row.key_len] = '\0';
	return principal_load(rows, kid, p);
}

vault_err principal_count(struct rows *rows, unsigned roles, size_t *n)
{
	struct principal p = { .kid = "" };
	vault_err err;

	*n = 0;
	while ((err = principal_next(rows, p.kid, &p)) == VAULT_OK)
		*n += p.active && (p.role & roles) != 0;
	return err == VAULT_E_EOF ? VAULT_OK : err;
}

json_t *principal_json(const struct principal *p)
{
	char since[CLOCK_TEXT];

	clock_format(p->since_ms, since);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "kid", p->kid, "role", role_name(p->role), "state",
	    p->active ? "active" : "revoked", "since", since);
	if (row != NULL && p->tenant[0] != '\0' && json_object_set_new(row, "tenant", json_string(p->tenant)) != 0) {
		json_decref(row);
		return NULL;
	}
	return row;
}
