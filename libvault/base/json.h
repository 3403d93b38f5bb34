/*
 * json.h - strict JSON on jansson.
 *
 * Refuses: duplicate members, nesting deeper than 16, text longer than max,
 * invalid UTF-8, anything behind the value, NUL in strings. The depth and the
 * length are checked before jansson sees the text.
 */
#ifndef VAULT_BASE_JSON_H
#define VAULT_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

/* New reference in *out; the caller json_decref()s. */
VAULT_NODISCARD vault_err json_read(const char *text, size_t len, size_t max, json_t **out);
/* Sorted keys, no white space. Caller frees with free(). NULL when memory is short. */
char *json_write(const json_t *value, size_t *len);
/* String member of an object, or NULL; len may be NULL. Borrowed. */
const char *json_str(const json_t *object, const char *key, size_t *len);
/* VAULT_E_NOTFOUND when missing, VAULT_E_INVAL when not an integer >= 0. */
VAULT_NODISCARD vault_err json_u64(const json_t *object, const char *key, uint64_t *out);
/* VAULT_OK when every member name of object is in the NULL-ended list. */
VAULT_NODISCARD vault_err json_only(const json_t *object, const char *const *names);

#endif
