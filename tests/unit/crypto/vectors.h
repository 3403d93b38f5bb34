/*
 * vectors.h - reading tests/data/vectors-crypto.json, which make-vectors.py made
 * without any code of the vault. Include behind cmocka.h.
 */
#ifndef VAULT_TEST_VECTORS_H
#define VAULT_TEST_VECTORS_H

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <vault/id.h>
#include "base/base64.h"

#define VECTOR_FILE TEST_SOURCE_DIR "/../../data/vectors-crypto.json"

static json_t *vectors;

static inline int vectors_open(void **state)
{
	(void)state;
	vectors = json_load_file(VECTOR_FILE, JSON_REJECT_DUPLICATES, NULL);
	return vectors ? 0 : -1;
}

static inline int vectors_close(void **state)
{
	(void)state;
	json_decref(vectors);
	return 0;
}

static inline const char *vector_text(const json_t *v, const char *key)
{
	const char *text = json_string_value(json_object_get(v, key));

	assert_non_null(text);
	return text;
}

/* Bytes of a hexadecimal text; the caller frees. */
static inline uint8_t *vector_unhex(const char *text, size_t *n)
{
	uint8_t *out = malloc(strlen(text) / 2 + 1);

	assert_non_null(out);
	assert_int_equal(hex_decode(text, strlen(text), out, strlen(text) / 2, n), VAULT_OK);
	return out;
}

static inline uint8_t *vector_bytes(const json_t *v, const char *key, size_t *n)
{
	return vector_unhex(vector_text(v, key), n);
}

/* A member of exactly n bytes. */
static inline void vector_fixed(const json_t *v, const char *key, void *out, size_t n)
{
	size_t got;
	const char *text = vector_text(v, key);

	assert_int_equal(hex_decode(text, strlen(text), out, n, &got), VAULT_OK);
	assert_int_equal(got, n);
}

#endif
