/*
 * age_header.h - the header of an age v1 file. Internal to crypto/.
 */
#ifndef VAULT_CRYPTO_AGE_HEADER_H
#define VAULT_CRYPTO_AGE_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "base/buf.h"

#define AGE_FILE_KEY 16u
#define AGE_PAYLOAD_NONCE 16u
#define AGE_KEY 32u
#define AGE_RECIPIENTS_MAX 20u
#define AGE_HEADER_MAX 65536u           /* of a header that is read */

/* Appends the whole header, through the newline of the MAC line. */
VAULT_NODISCARD vault_err age_header_write(struct buf *out, const uint8_t file_key[AGE_FILE_KEY],
    const uint8_t (*recipients)[32], size_t n);

/*
 * Opens a complete header (ends with the newline of the MAC line): strict
 * syntax, file key by identity, MAC. VAULT_E_CORRUPT, VAULT_E_UNSUPPORTED (no
 * X25519 stanza) or VAULT_E_AUTH (not for this identity, or changed).
 */
VAULT_NODISCARD vault_err age_header_open(const uint8_t *header, size_t n, const uint8_t identity[32],
    uint8_t file_key[AGE_FILE_KEY]);

/* Key of the payload's chunks. */
VAULT_NODISCARD vault_err age_payload_key(uint8_t out[AGE_KEY], const uint8_t file_key[AGE_FILE_KEY],
    const uint8_t nonce[AGE_PAYLOAD_NONCE]);

#endif
