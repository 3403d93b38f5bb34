/*
 * public_line.h - the one line that a person gives to whoever enrols him:
 *   VAULT-PUBLIC-1 ROLE PUBLIC AGE
 * PUBLIC is base64url of the 32 bytes, AGE an age recipient. Nothing in it is secret.
 */
#ifndef VAULTCTL_PUBLIC_LINE_H
#define VAULTCTL_PUBLIC_LINE_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "crypto/age.h"
#include "crypto/sign.h"

#define PUBLIC_LINE_MAX 256u
#define PUBLIC_TEXT 44u             /* base64url of 32 bytes and NUL */

struct public_line {
	char role[16];
	char public[PUBLIC_TEXT];
	char age[AGE_RECIPIENT_TEXT];
	char kid[VAULT_KID_TEXT];
};

VAULT_NODISCARD vault_err public_line_of(const struct sign_key *key, const char *role, struct public_line *out);
void public_line_format(const struct public_line *p, char out[PUBLIC_LINE_MAX]);
/* Finds the line in text (a file, or the line alone); checks role, key and recipient. */
VAULT_NODISCARD vault_err public_line_parse(const char *text, size_t n, struct public_line *out);

#endif
