/*
 * source_secret.h - the bearer secret of a media server: "vs_" and 32 random
 * bytes in base64url. The vault only ever stores its SHA-256.
 */
#ifndef VAULTCTL_SOURCE_SECRET_H
#define VAULTCTL_SOURCE_SECRET_H

#include <vault/error.h>

#define SOURCE_SECRET_TEXT 47u      /* with NUL */

/* text should be secret_alloc memory; sha256 is lower-case hex of SHA-256(text). */
VAULT_NODISCARD vault_err source_secret_make(char text[SOURCE_SECRET_TEXT], char sha256[65]);

#endif
