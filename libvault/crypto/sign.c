/*
 * sign.c - Ed25519 signatures of principals and the audit log.
 *
 * Pure, any thread. A struct sign_key lives in secret_alloc memory of the caller.
 */
#include <assert.h>
#include <sodium.h>

#include "base/secret.h"
#include "crypto/sign.h"

static_assert(sizeof(((struct sign_key *)0)->secret) == crypto_sign_SECRETKEYBYTES, "libsodium's secret key");
static_assert(SIGN_BYTES == crypto_sign_BYTES && SIGN_PUB_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");

vault_err sign_key_from_seed(struct sign_key *out, const uint8_t seed[32], const uint8_t age_secret[32])
{
	if (crypto_sign_seed_keypair(out->pub, out->secret, seed) != 0 ||
	    crypto_scalarmult_base(out->age_pub, age_secret) != 0) {
		secret_wipe(out, sizeof(*out));
		return VAULT_E_INVAL;
	}
	for (size_t i = 0; i < sizeof(out->age_secret); i++)
		out->age_secret[i] = age_secret[i];
	return VAULT_OK;
}

vault_err sign_key_new(struct sign_key *out)
{
	uint8_t seed[32], age_secret[32];
	vault_err err;

	randombytes_buf(seed, sizeof(seed));
	randombytes_buf(age_secret, sizeof(age_secret));
	err = sign_key_from_seed(out, seed, age_secret);
	secret_wipe(seed, sizeof(seed));
	secret_wipe(age_secret, sizeof(age_secret));
	return err;
}

vault_err sign_make(uint8_t sig[SIGN_BYTES], const void *msg, size_t n, const struct sign_key *key)
{
	return crypto_sign_detached(sig, NULL, msg, n, key->secret) == 0 ? VAULT_OK : VAULT_E_INVAL;
}

vault_err sign_check(const uint8_t sig[SIGN_BYTES], const void *msg, size_t n, const uint8_t pub[SIGN_PUB_BYTES])
{
	return crypto_sign_verify_detached(sig, msg, n, pub) == 0 ? VAULT_OK : VAULT_E_AUTH;
}
