/*
 * jti.c - see jti.h. Key: kid ':' jti; value: u64 expiry in Unix seconds.
 */
#include "keeper/jti.h"

#include <string.h>

#include "base/wire.h"

#define JTI_KEY (VAULT_KID_TEXT + 65u)
#define JTI_KEEP_S 7200u

static const char floor_key[] = "jti";      /* in ROWS_META: u64 latest expiry of a removed row */

static vault_err read_floor(struct rows *rows, uint64_t *floor_s)
{
	const uint8_t *value;
	size_t n;
	vault_err err = rows_get(rows, ROWS_META, floor_key, sizeof(floor_key) - 1, &value, &n);

	*floor_s = 0;
	if (err == VAULT_E_NOTFOUND)
		return VAULT_OK;
	if (err == VAULT_OK && n != 8)
		return VAULT_E_CORRUPT;
	if (err == VAULT_OK)
		*floor_s = load_le64(value);
	return err;
}

static vault_err write_floor(struct rows *rows, uint64_t floor_s)
{
	uint8_t value[8];

	store_le64(value, floor_s);
	return rows_put(rows, ROWS_META, floor_key, sizeof(floor_key) - 1, value, sizeof(value));
}

vault_err jti_take(struct rows *rows, const struct command *c)
{
	uint8_t key[JTI_KEY], value[8];
	const uint8_t *old;
	size_t kid = strlen(c->iss), jti = strlen(c->jti), n;

	if (kid + 1 + jti > sizeof(key))
		return VAULT_E_RANGE;
	uint64_t floor_s;
	vault_err err = read_floor(rows, &floor_s);
	if (err != VAULT_OK)
		return err;
	if (c->exp <= floor_s)
		return VAULT_E_EXISTS;
	memcpy(key, c->iss, kid);
	key[kid] = ':';
	memcpy(key + kid + 1, c->jti, jti);
	err = rows_get(rows, ROWS_JTI, key, kid + 1 + jti, &old, &n);
	if (err == VAULT_OK)
		return VAULT_E_EXISTS;
	if (err != VAULT_E_NOTFOUND)
		return err;
	store_le64(value, c->exp);
	return rows_put(rows, ROWS_JTI, key, kid + 1 + jti, value, sizeof(value));
}

vault_err jti_sweep(struct rows *rows, uint64_t now_s, size_t max, size_t *removed)
{
	uint8_t key[JTI_KEY];
	size_t key_len = 0;
	struct row_view row;
	uint64_t floor_s;
	vault_err err = read_floor(rows, &floor_s);

	*removed = 0;
	if (err != VAULT_OK)
		return err;
	while (*removed < max && (err = rows_next(rows, ROWS_JTI, key_len > 0 ? key : NULL, key_len, &row)) == VAULT_OK) {
		if (row.key_len > sizeof(key) || row.value_len != 8)
			return VAULT_E_CORRUPT;
		uint64_t exp = load_le64(row.value);
		memcpy(key, row.key, row.key_len);
		key_len = row.key_len;
		/* Longer than any jump that the clock guard tolerates. */
		if (exp + JTI_KEEP_S >= now_s)
			continue;
		err = rows_delete(rows, ROWS_JTI, key, key_len);
		if (err != VAULT_OK)
			return err;
		floor_s = exp > floor_s ? exp : floor_s;
		(*removed)++;
	}
	if (err != VAULT_OK && err != VAULT_E_EOF)
		return err;
	return *removed > 0 ? write_floor(rows, floor_s) : VAULT_OK;
}
