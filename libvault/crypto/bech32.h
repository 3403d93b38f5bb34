/*
 * bech32.h - Bech32 (BIP 173) of 32-byte keys, as age writes them. Internal to crypto/.
 */
#ifndef VAULT_CRYPTO_BECH32_H
#define VAULT_CRYPTO_BECH32_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

#define BECH32_MAX 90u              /* characters of any Bech32 string */

/* Lower-case text with NUL; VAULT_E_RANGE when it does not fit cap or BECH32_MAX. hrp is lower-case. */
VAULT_NODISCARD vault_err bech32_encode(const char *hrp, const uint8_t *data, size_t n, char *out, size_t cap);
/*
 * Takes text that is wholly lower- or wholly upper-case. hrp gets the lower-case
 * prefix. VAULT_E_INVAL for anything else than a valid Bech32 string of whole
 * bytes, VAULT_E_RANGE when the bytes do not fit cap.
 */
VAULT_NODISCARD vault_err bech32_decode(const char *text, size_t len, char hrp[BECH32_MAX], uint8_t *data, size_t cap,
    size_t *n);

#endif
