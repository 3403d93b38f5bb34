/*
 * id.h - identifiers.
 *
 * A recording id is an UUIDv7 (RFC 9562): 48-bit Unix time in milliseconds,
 * then 74 random bits. Ids sort by time, so keys that start with one append.
 * Text form: the canonical 36 lower-case characters.
 */
#ifndef VAULT_ID_H
#define VAULT_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

#define VAULT_ID_BYTES 16u
#define VAULT_ID_TEXT 37u          /* with the final NUL */
#define VAULT_TENANT_MAX 32u       /* characters of a tenant name, without NUL */
#define VAULT_KID_TEXT 17u         /* 16 lower-case hex digits and NUL */

typedef struct vault_id {
	uint8_t b[VAULT_ID_BYTES];
} vault_id;

/* A new id for the Unix time now_ms (milliseconds). */
vault_id vault_id_new(uint64_t now_ms);
uint64_t vault_id_time_ms(const vault_id *id);
void vault_id_format(const vault_id *id, char out[VAULT_ID_TEXT]);
/* text need not be NUL-terminated; accepts only the canonical form. */
VAULT_NODISCARD vault_err vault_id_parse(const char *text, size_t len, vault_id *out);
bool vault_id_equal(const vault_id *a, const vault_id *b);

/* A tenant name is 1 to 32 of [a-z0-9-], starting with a letter or digit. */
bool vault_tenant_valid(const char *name, size_t len);

/* Key id of a public key: first 8 bytes of SHA-256(pub32), lower-case hex. */
void vault_kid_of(const uint8_t pub[32], char out[VAULT_KID_TEXT]);

#endif
