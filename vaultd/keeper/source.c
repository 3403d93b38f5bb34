/*
 * source.c - see source.h. A credential row leads from a hash to the number.
 */
#include "keeper/source.h"

#include <sodium.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/wire.h"
#include "keeper/policy.h"

static const char next_key[] = "source";

static void number_key(uint32_t number, uint8_t key[4])
{
	store_be32(key, number);
}

static void credential_key(uint8_t kind, const uint8_t hash[32], uint8_t key[33])
{
	key[0] = kind;
	memcpy(key + 1, hash, 32);
}

static vault_err get_hash(const json_t *row, const char *name, uint8_t out[32], bool *has)
{
	size_t n = 0, got = 0;
	const char *text = json_str(row, name, &n);

	*has = text != NULL;
	if (text == NULL)
		return VAULT_OK;
	return hex_decode(text, n, out, 32, &got) == VAULT_OK && got == 32 ? VAULT_OK : VAULT_E_CORRUPT;
}

static vault_err from_json(const json_t *row, struct source *s)
{
	const json_t *tenants = json_object_get(row, "tenants");
	uint64_t media;
	vault_err err = get_hash(row, "secret", s->secret_sha256, &s->has_secret);

	if (err == VAULT_OK)
		err = get_hash(row, "cert", s->cert_sha256, &s->has_cert);
	if (err != VAULT_OK || json_u64(row, "media", &media) != VAULT_OK || media > 3 ||
	    json_array_size(tenants) > SOURCE_TENANTS)
		return VAULT_E_CORRUPT;
	s->media = (uint8_t)media;
	s->active = json_is_true(json_object_get(row, "active"));
	for (size_t i = 0; i < json_array_size(tenants); i++) {
		const char *name = json_string_value(json_array_get(tenants, i));
		if (name == NULL || !vault_tenant_valid(name, strlen(name)))
			return VAULT_E_CORRUPT;
		memcpy(s->tenant[i], name, strlen(name) + 1);
		s->n_tenants++;
	}
	return VAULT_OK;
}

vault_err source_load(struct rows *rows, uint32_t number, struct source *s)
{
	uint8_t key[4];
	json_t *row = NULL;

	number_key(number, key);
	vault_err err = rows_get_json(rows, ROWS_SOURCE, key, sizeof(key), &row);
	if (err != VAULT_OK)
		return err;
	memset(s, 0, sizeof(*s));
	s->number = number;
	err = from_json(row, s);
	json_decref(row);
	return err;
}

vault_err source_next(struct rows *rows, uint32_t after, struct source *s)
{
	struct row_view row;
	uint8_t key[4];

	number_key(after, key);
	vault_err err = rows_next(rows, ROWS_SOURCE, key, sizeof(key), &row);
	if (err != VAULT_OK)
		return err;
	return row.key_len == 4 ? source_load(rows, load_be32(row.key), s) : VAULT_E_CORRUPT;
}

static json_t *tenants_json(const struct source *s)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < s->n_tenants; i++)
		if (json_array_append_new(list, json_string(s->tenant[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static vault_err save(struct rows *rows, const struct source *s)
{
	json_t *row = json_pack("{s:b, s:i, s:o}", "active", (int)s->active, "media", (int)s->media, "tenants",
	    tenants_json(s));
	char hex[65];
	uint8_t key[4];
	int bad = 0;

	if (row == NULL)
		return VAULT_E_NOMEM;
	if (s->has_secret) {
		hex_encode(s->secret_sha256, 32, hex);
		bad |= json_object_set_new(row, "secret", json_string(hex));
	}
	if (s->has_cert) {
		hex_encode(s->cert_sha256, 32, hex);
		bad |= json_object_set_new(row, "cert", json_string(hex));
	}
	number_key(s->number, key);
	vault_err err = bad != 0 ? VAULT_E_NOMEM : rows_put_json(rows, ROWS_SOURCE, key, sizeof(key), row);
	json_decref(row);
	return err;
}

static vault_err add_credential(struct rows *rows, uint8_t kind, const uint8_t hash[32], uint32_t number)
{
	uint8_t key[33], value[4];
	const uint8_t *old;
	size_t n;

	credential_key(kind, hash, key);
	vault_err err = rows_get(rows, ROWS_CREDENTIAL, key, sizeof(key), &old, &n);
	if (err == VAULT_OK)
		return VAULT_E_EXISTS;
	number_key(number, value);
	return err != VAULT_E_NOTFOUND ? err : rows_put(rows, ROWS_CREDENTIAL, key, sizeof(key), value, sizeof(value));
}

static bool credential_used(struct rows *rows, uint8_t kind, const uint8_t hash[32])
{
	uint8_t key[33];
	const uint8_t *old;
	size_t n;

	credential_key(kind, hash, key);
	return rows_get(rows, ROWS_CREDENTIAL, key, sizeof(key), &old, &n) == VAULT_OK;
}

vault_err source_add(struct rows *rows, struct source *s)
{
	const uint8_t *value;
	uint8_t next[4];
	size_t n;

	/* Nothing is staged before both credentials are known to be new. */
	if ((s->has_secret && credential_used(rows, CRED_SECRET, s->secret_sha256)) ||
	    (s->has_cert && credential_used(rows, CRED_CERT, s->cert_sha256)))
		return VAULT_E_EXISTS;
	vault_err err = rows_get(rows, ROWS_META, next_key, sizeof(next_key) - 1, &value, &n);
	if (err == VAULT_OK && n != 4)
		return VAULT_E_CORRUPT;
	if (err != VAULT_OK && err != VAULT_E_NOTFOUND)
		return err;
	s->number = err == VAULT_OK ? load_be32(value) : 1;
	s->active = true;
	if (s->number == UINT32_MAX)
		return VAULT_E_RANGE;
	store_be32(next, s->number + 1);
	err = rows_put(rows, ROWS_META, next_key, sizeof(next_key) - 1, next, sizeof(next));
	if (err == VAULT_OK && s->has_secret)
		err = add_credential(rows, CRED_SECRET, s->secret_sha256, s->number);
	if (err == VAULT_OK && s->has_cert)
		err = add_credential(rows, CRED_CERT, s->cert_sha256, s->number);
	if (err == VAULT_E_EXISTS)
		err = VAULT_E_CORRUPT;
	return err != VAULT_OK ? err : save(rows, s);
}

vault_err source_revoke(struct rows *rows, struct source *s)
{
	s->active = false;              /* the credential rows stay: it cannot be enrolled again */
	return save(rows, s);
}

vault_err source_find(struct rows *rows, const struct ipc_cred *cred, struct source *s)
{
	uint8_t hash[32], key[33];
	const uint8_t *value;
	size_t n;

	if (cred->kind == CRED_SECRET)
		crypto_hash_sha256(hash, cred->data, cred->len);
	else if (cred->kind == CRED_CERT && cred->len == 32)
		memcpy(hash, cred->data, 32);
	else
		return VAULT_E_NOTFOUND;
	credential_key(cred->kind, hash, key);
	vault_err err = rows_get(rows, ROWS_CREDENTIAL, key, sizeof(key), &value, &n);
	if (err == VAULT_OK && n != 4)
		err = VAULT_E_CORRUPT;
	if (err == VAULT_OK)
		err = source_load(rows, load_be32(value), s);
	if (err != VAULT_OK)
		return err;
	const uint8_t *own = cred->kind == CRED_SECRET ? s->secret_sha256 : s->cert_sha256;
	if (!s->active || sodium_memcmp(own, hash, 32) != 0)
		return VAULT_E_NOTFOUND;
	return VAULT_OK;
}

bool source_serves(const struct source *s, const char *tenant)
{
	for (size_t i = 0; i < s->n_tenants; i++)
		if (strcmp(s->tenant[i], tenant) == 0)
			return true;
	return false;
}

json_t *source_media_json(uint8_t media)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < POLICY_MEDIA; i++)
		if ((media & (1u << i)) != 0 && json_array_append_new(list, json_string(policy_medium_name[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *source_json(const struct source *s)
{
	return json_pack("{s:I, s:o, s:o, s:s}", "source", (json_int_t)s->number, "tenants", tenants_json(s), "media",
	    source_media_json(s->media), "state", s->active ? "active" : "revoked");
}
