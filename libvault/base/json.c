/*
 * json.c - strict JSON on jansson.
 *
 * jansson parses recursively and keeps the last of two equal members unless
 * told otherwise; so depth is counted first and duplicates are refused.
 */
#include <stdbool.h>
#include <string.h>

#include "base/json.h"

#define JSON_DEPTH 16u

/* Nesting by brackets outside strings; whether they match is jansson's to say. */
static bool depth_ok(const char *text, size_t len)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH)
				return false;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

vault_err json_read(const char *text, size_t len, size_t max, json_t **out)
{
	json_error_t error;

	*out = NULL;
	if (len > max)
		return VAULT_E_RANGE;
	if (len == 0 || memchr(text, '\0', len))
		return VAULT_E_INVAL;
	if (!depth_ok(text, len))
		return VAULT_E_RANGE;
	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (*out)
		return VAULT_OK;
	return json_error_code(&error) == json_error_out_of_memory ? VAULT_E_NOMEM : VAULT_E_INVAL;
}

char *json_write(const json_t *value, size_t *len)
{
	char *text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);

	if (len)
		*len = text ? strlen(text) : 0;
	return text;
}

const char *json_str(const json_t *object, const char *key, size_t *len)
{
	const json_t *value = json_object_get(object, key);

	if (len)
		*len = json_string_length(value);
	return json_string_value(value);
}

vault_err json_u64(const json_t *object, const char *key, uint64_t *out)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return VAULT_E_NOTFOUND;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return VAULT_E_INVAL;
	*out = (uint64_t)json_integer_value(value);
	return VAULT_OK;
}

static bool listed(const char *key, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(key, *names) == 0)
			return true;
	return false;
}

vault_err json_only(const json_t *object, const char *const *names)
{
	/* The iterator interface of jansson is not const; nothing is changed. */
	json_t *walk = (json_t *)(uintptr_t)object;

	if (!json_is_object(object))
		return VAULT_E_INVAL;
	for (void *at = json_object_iter(walk); at; at = json_object_iter_next(walk, at))
		if (!listed(json_object_iter_key(at), names))
			return VAULT_E_INVAL;
	return VAULT_OK;
}
