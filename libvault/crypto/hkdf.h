/*
 * hkdf.h - HKDF-SHA256 (RFC 5869), as age needs it. Internal to crypto/.
 */
#ifndef VAULT_CRYPTO_HKDF_H
#define VAULT_CRYPTO_HKDF_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

/* out_len 1..255*32. salt may be NULL with salt_len 0. VAULT_E_RANGE for another length. */
VAULT_NODISCARD vault_err hkdf_sha256(uint8_t *out, size_t out_len, const void *ikm, size_t ikm_len, const void *salt,
    size_t salt_len, const void *info, size_t info_len);

#endif
