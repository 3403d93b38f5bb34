/*
 * jti.c - see jti.h. Key: kid ':' jti; value: u64 expiry in Unix seconds.
 */
#include "keeper/jti.h"

#include <string.h>

#include "base/wire.h"

#define JTI_KEY (VAULT_KID_TEXT + 65u)
#define JTI_KEEP_S 7200u

vault_err jti_take(struct rows *rows, const struct command *c)
{
	uint8_t key[JTI_KEY], value[8];
	const uint8_t *old;
	size_t kid = strlen(c->iss), jti = strlen(c->jti), n;

	if (kid + 1 + jti > sizeof(key))
		return VAULT_E_RANGE;
	memcpy(key, c->iss, kid);
	key[kid] = ':';
	memcpy(key + kid + 1, c->jti, jti);
	vault_err err = rows_get(rows, ROWS_JTI, key, kid + 1 + jti, &old, &n);
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
	vault_err err;

	*removed = 0;
	while (*removed < max && (err = rows_next(rows, ROWS_JTI, key_len > 0 ? key : NULL, key_len, &row)) == VAULT_OK) {
		if (row.key_len > sizeof(key) || row.value_len != 8)
			return VAULT_E_CORRUPT;
		memcpy(key, row.key, row.key_len);
		key_len = row.key_len;
		/* Longer than any jump that the clock guard tolerates: no token becomes fresh again. */
		if (load_le64(row.value) + JTI_KEEP_S >= now_s)
			continue;
		vault_err gone = rows_delete(rows, ROWS_JTI, key, key_len);
		if (gone != VAULT_OK)
			return gone;
		(*removed)++;
	}
	return VAULT_OK;
}
