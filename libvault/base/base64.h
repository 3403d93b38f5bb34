/*
 * base64.h - RFC 4648 base64url without padding (JWS) and standard base64
 * with or without padding (HTTP Basic, checkpoints, age), and lower-case hex.
 * Decoding is strict: canonical only, no white space, no trailing bits.
 */
#ifndef VAULT_BASE_BASE64_H
#define VAULT_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

enum b64_kind { B64_URL_NOPAD, B64_STD_PAD, B64_STD_NOPAD };

/* Bytes needed for n input bytes, with the final NUL. */
size_t b64_encoded_size(size_t n, enum b64_kind kind);
/* out gets a NUL; out_cap >= b64_encoded_size. Returns characters without NUL. */
size_t b64_encode(const void *in, size_t n, enum b64_kind kind, char *out, size_t out_cap);
VAULT_NODISCARD vault_err b64_decode(const char *in, size_t n, enum b64_kind kind, void *out, size_t out_cap,
    size_t *out_len);

void hex_encode(const void *in, size_t n, char *out /* 2n+1 */);
VAULT_NODISCARD vault_err hex_decode(const char *in, size_t n, void *out, size_t out_cap, size_t *out_len);

#endif
