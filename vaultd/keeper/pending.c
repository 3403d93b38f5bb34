/*
 * pending.c - see pending.h. All calls need an open transaction.
 */
#include "keeper/pending.h"

#include <stdbool.h>
#include <string.h>

#include "base/json.h"

void pending_free(struct pending *p)
{
	json_decref(p->args);
	p->args = NULL;
}

static vault_err count(struct rows *rows, size_t *n)
{
	uint8_t after[32] = { 0 };
	struct row_view row;
	vault_err err;

	*n = 0;
	while ((err = rows_next(rows, ROWS_PENDING, *n > 0 ? after : NULL, 32, &row)) == VAULT_OK) {
		if (row.key_len != 32)
			return VAULT_E_CORRUPT;
		memcpy(after, row.key, 32);
		(*n)++;
	}
	return err == VAULT_E_EOF ? VAULT_OK : err;
}

vault_err pending_save(struct rows *rows, const struct pending *p)
{
	size_t n = 0;
	vault_err err = count(rows, &n);

	if (err != VAULT_OK)
		return err;
	if (n >= PENDING_MAX)
		return VAULT_E_FULL;
	json_t *row = json_pack("{s:s, s:O, s:s, s:I}", "cmd", command_by_id(p->cmd)->name, "args", p->args, "by", p->by,
	    "since", (json_int_t)p->since_ms);
	if (row == NULL)
		return VAULT_E_NOMEM;
	err = rows_put_json(rows, ROWS_PENDING, p->sha256, 32, row);
	json_decref(row);
	return err;
}

vault_err pending_load(struct rows *rows, const uint8_t sha256[32], struct pending *p)
{
	json_t *row = NULL;
	size_t n = 0;
	vault_err err = rows_get_json(rows, ROWS_PENDING, sha256, 32, &row);

	if (err != VAULT_OK)
		return err;
	memset(p, 0, sizeof(*p));
	memcpy(p->sha256, sha256, 32);
	const char *cmd = json_str(row, "cmd", NULL);
	const char *by = json_str(row, "by", &n);
	const struct command_info *info = cmd != NULL ? command_by_name(cmd) : NULL;
	json_t *args = json_object_get(row, "args");
	if (info == NULL || by == NULL || n != VAULT_KID_TEXT - 1 || !json_is_object(args) ||
	    json_u64(row, "since", &p->since_ms) != VAULT_OK) {
		json_decref(row);
		return VAULT_E_CORRUPT;
	}
	p->cmd = info->id;
	memcpy(p->by, by, n + 1);
	p->args = json_incref(args);
	json_decref(row);
	return VAULT_OK;
}

vault_err pending_delete(struct rows *rows, const uint8_t sha256[32])
{
	return rows_delete(rows, ROWS_PENDING, sha256, 32);
}

vault_err pending_next(struct rows *rows, const uint8_t *after, struct pending *p)
{
	uint8_t key[32];
	struct row_view row;
	vault_err err = rows_next(rows, ROWS_PENDING, after, 32, &row);

	if (err != VAULT_OK)
		return err;
	if (row.key_len != sizeof(key))
		return VAULT_E_CORRUPT;
	memcpy(key, row.key, sizeof(key));
	return pending_load(rows, key, p);
}

vault_err pending_sweep(struct rows *rows, uint64_t now_ms, size_t *removed)
{
	struct pending p;
	uint8_t after[32] = { 0 };
	bool first = true;
	vault_err err;

	*removed = 0;
	while ((err = pending_next(rows, first ? NULL : after, &p)) == VAULT_OK) {
		bool old = now_ms > p.since_ms + PENDING_LIFE_MS;
		first = false;
		memcpy(after, p.sha256, 32);
		pending_free(&p);
		if (!old)
			continue;
		err = pending_delete(rows, after);
		if (err != VAULT_OK)
			return err;
		(*removed)++;
	}
	return err == VAULT_E_EOF ? VAULT_OK : err;
}
