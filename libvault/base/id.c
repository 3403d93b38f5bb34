/*
 * id.c - UUIDv7 ids, tenant names and key ids.
 *
 * Pure functions but for the random bits of a new id. secret_setup() ran first.
 */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include <vault/id.h>
#include "base/base64.h"

#define KID_BYTES 8u

static_assert(VAULT_KID_TEXT == 2 * KID_BYTES + 1, "a key id is written in hex");

/* Bytes before each of the four dashes of the text form. */
static bool dash_before(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

vault_id vault_id_new(uint64_t now_ms)
{
	vault_id id;

	randombytes_buf(id.b, sizeof(id.b));
	for (size_t i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(now_ms >> (8 * (5 - i)));
	id.b[6] = (uint8_t)(0x70 | (id.b[6] & 0x0f));     /* version 7 */
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));     /* RFC 9562 variant */
	return id;
}

uint64_t vault_id_time_ms(const vault_id *id)
{
	uint64_t ms = 0;

	for (size_t i = 0; i < 6; i++)
		ms = ms << 8 | id->b[i];
	return ms;
}

void vault_id_format(const vault_id *id, char out[VAULT_ID_TEXT])
{
	char hex[2 * VAULT_ID_BYTES + 1];
	size_t at = 0;

	hex_encode(id->b, sizeof(id->b), hex);
	for (size_t i = 0; i < VAULT_ID_BYTES; i++) {
		if (dash_before(i))
			out[at++] = '-';
		out[at++] = hex[2 * i];
		out[at++] = hex[2 * i + 1];
	}
	out[at] = '\0';
}

vault_err vault_id_parse(const char *text, size_t len, vault_id *out)
{
	vault_id id;
	size_t at = 0;

	if (len != VAULT_ID_TEXT - 1)
		return VAULT_E_INVAL;
	for (size_t i = 0; i < VAULT_ID_BYTES; i++) {
		size_t got;

		if (dash_before(i) && text[at++] != '-')
			return VAULT_E_INVAL;
		if (hex_decode(text + at, 2, &id.b[i], 1, &got) != VAULT_OK)
			return VAULT_E_INVAL;
		at += 2;
	}
	*out = id;
	return VAULT_OK;
}

bool vault_id_equal(const vault_id *a, const vault_id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool vault_tenant_valid(const char *name, size_t len)
{
	if (len < 1 || len > VAULT_TENANT_MAX || name[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return true;
}

void vault_kid_of(const uint8_t pub[32], char out[VAULT_KID_TEXT])
{
	uint8_t hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, pub, 32);
	hex_encode(hash, KID_BYTES, out);
}
