/*
 * args.c - reading the arguments of a command; nothing is trusted, nothing is kept.
 */
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "keeper/call.h"

vault_err call_refuse(struct call *c, unsigned refusal)
{
	c->refusal = refusal;
	return VAULT_OK;
}

vault_err call_answer(struct call *c, json_t *answer)
{
	c->answer = answer;
	return answer != NULL ? VAULT_OK : VAULT_E_NOMEM;
}

bool args_only(const json_t *args, const char *const *names)
{
	return json_is_object(args) && json_only(args, names) == VAULT_OK;
}

bool args_word(const json_t *args, const char *name, size_t max, const char **out, size_t *len)
{
	const json_t *value = json_object_get(args, name);
	size_t n = json_string_length(value);

	*out = NULL;
	if (!json_is_string(value) || n == 0 || n > max || strlen(json_string_value(value)) != n)
		return false;
	*out = json_string_value(value);
	if (len != NULL)
		*len = n;
	return true;
}

bool args_time(const json_t *args, const char *name, bool *has, uint64_t *ms)
{
	const char *text;
	size_t n;

	*has = json_object_get(args, name) != NULL;
	*ms = 0;
	if (!*has)
		return true;
	return args_word(args, name, 40, &text, &n) && clock_parse(text, n, ms) == VAULT_OK && *ms > 0;
}

bool args_id(const json_t *args, const char *name, bool *has, vault_id *id)
{
	const char *text;
	size_t n;

	*has = json_object_get(args, name) != NULL;
	if (!*has)
		return true;
	return args_word(args, name, VAULT_ID_TEXT, &text, &n) && vault_id_parse(text, n, id) == VAULT_OK;
}

bool args_number(const json_t *args, const char *name, bool *has, uint64_t *n, uint64_t max)
{
	*has = json_object_get(args, name) != NULL;
	if (!*has)
		return true;
	return json_u64(args, name, n) == VAULT_OK && *n <= max;
}

int args_medium(const json_t *args)
{
	return policy_medium_index(json_str(args, "medium", NULL));
}

bool args_hash(const json_t *args, const char *name, bool *has, uint8_t out[32])
{
	const char *text;
	size_t n, got = 0;

	*has = json_object_get(args, name) != NULL;
	if (!*has)
		return true;
	return args_word(args, name, 64, &text, &n) && hex_decode(text, n, out, 32, &got) == VAULT_OK && got == 32;
}

json_t *time_json(uint64_t ms)
{
	char text[CLOCK_TEXT];

	if (ms == 0)
		return json_null();
	clock_format(ms, text);
	return json_string(text);
}
