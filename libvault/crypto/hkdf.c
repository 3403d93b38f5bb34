/*
 * hkdf.c - HKDF-SHA256 from libsodium's HMAC (1.0.18 has no HKDF of its own).
 *
 * Pure, any thread. Every intermediate value is wiped.
 */
#include <sodium.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/hkdf.h"

#define HASH crypto_auth_hmacsha256_BYTES

vault_err hkdf_sha256(uint8_t *out, size_t out_len, const void *ikm, size_t ikm_len, const void *salt,
    size_t salt_len, const void *info, size_t info_len)
{
	crypto_auth_hmacsha256_state state;
	uint8_t prk[HASH], block[HASH];
	uint8_t counter = 0;

	if (out_len < 1 || out_len > 255 * HASH)
		return VAULT_E_RANGE;
	/* Extract. An absent salt is a key of zeros, which HMAC pads to by itself. */
	crypto_auth_hmacsha256_init(&state, salt ? salt : (const uint8_t *)"", salt ? salt_len : 0);
	crypto_auth_hmacsha256_update(&state, ikm, ikm_len);
	crypto_auth_hmacsha256_final(&state, prk);
	/* Expand: T(i) = HMAC(prk, T(i-1) || info || i). */
	for (size_t done = 0; done < out_len;) {
		size_t take = out_len - done < HASH ? out_len - done : HASH;

		crypto_auth_hmacsha256_init(&state, prk, sizeof(prk));
		if (counter > 0)
			crypto_auth_hmacsha256_update(&state, block, sizeof(block));
		counter++;
		crypto_auth_hmacsha256_update(&state, info, info_len);
		crypto_auth_hmacsha256_update(&state, &counter, 1);
		crypto_auth_hmacsha256_final(&state, block);
		memcpy(out + done, block, take);
		done += take;
	}
	secret_wipe(&state, sizeof(state));
	secret_wipe(prk, sizeof(prk));
	secret_wipe(block, sizeof(block));
	return VAULT_OK;
}
