/*
 * aead.c - sealing and opening of chunks, wrapped keys and metadata.
 *
 * seal() and open_sealed() are the only two places that name the cipher's
 * implementation. Thread-safe; nothing is kept. Never gives out a byte that did
 * not verify.
 */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/secret.h"
#include "base/wire.h"
#include "crypto/aead.h"

static_assert(AEAD_TAG_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES, "tag of RFC 8439");
static_assert(AEAD_NONCE_BYTES == crypto_aead_chacha20poly1305_ietf_NPUBBYTES, "nonce of RFC 8439");
static_assert(KEY_BYTES == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "key of RFC 8439");

#define METADATA_VERSION 1u
#define METADATA_SALT_BYTES 16u
#define METADATA_HEAD (1u + METADATA_SALT_BYTES)

static const uint8_t zero_nonce[AEAD_NONCE_BYTES];

static vault_err seal(uint8_t *out, const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len,
    const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t key[KEY_BYTES])
{
	if (n > SIZE_MAX - AEAD_TAG_BYTES || n > crypto_aead_chacha20poly1305_ietf_MESSAGEBYTES_MAX)
		return VAULT_E_RANGE;
	if (crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, n, ad, ad_len, NULL, nonce, key) != 0)
		return VAULT_E_INVAL;
	return VAULT_OK;
}

static vault_err open_sealed(uint8_t *out, const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len,
    const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t key[KEY_BYTES])
{
	if (n < AEAD_TAG_BYTES)
		return VAULT_E_SHORT;
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in, n, ad, ad_len, nonce, key) != 0) {
		secret_wipe(out, n - AEAD_TAG_BYTES);
		return VAULT_E_AUTH;
	}
	return VAULT_OK;
}

vault_err aead_chunk_nonce(uint8_t nonce[AEAD_NONCE_BYTES], uint64_t number, enum aead_flag flag)
{
	if (flag != AEAD_CHUNK && flag != AEAD_SEGMENT_END && flag != AEAD_RECORDING_END)
		return VAULT_E_INVAL;
	memset(nonce, 0, 3);
	store_be64(nonce + 3, number);
	nonce[11] = (uint8_t)flag;
	return VAULT_OK;
}

vault_err aead_seal_chunk(uint8_t *out, const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len,
    uint64_t number, enum aead_flag flag, const uint8_t key[KEY_BYTES])
{
	uint8_t nonce[AEAD_NONCE_BYTES];
	vault_err err = aead_chunk_nonce(nonce, number, flag);

	return err ? err : seal(out, in, n, ad, ad_len, nonce, key);
}

vault_err aead_open_chunk(uint8_t *out, const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len,
    uint64_t number, enum aead_flag flag, const uint8_t key[KEY_BYTES])
{
	uint8_t nonce[AEAD_NONCE_BYTES];
	vault_err err = aead_chunk_nonce(nonce, number, flag);

	return err ? err : open_sealed(out, in, n, ad, ad_len, nonce, key);
}

static vault_err wrap_key(uint8_t out[KEY_BYTES], const uint8_t salt[WRAP_SALT_BYTES], const void *ad, size_t ad_len,
    const uint8_t parent[KEY_BYTES])
{
	const struct kdf_part parts[] = {{salt, WRAP_SALT_BYTES}, {ad, ad_len}};

	return kdf(out, KEY_BYTES, parent, "vault wrap v1", parts, 2);
}

vault_err aead_wrap(uint8_t *out, const void *secret, size_t n, const void *ad, size_t ad_len,
    const uint8_t parent[KEY_BYTES])
{
	uint8_t key[KEY_BYTES];
	vault_err err;

	randombytes_buf(out, WRAP_SALT_BYTES);
	err = wrap_key(key, out, ad, ad_len, parent);
	if (!err)
		err = seal(out + WRAP_SALT_BYTES, secret, n, ad, ad_len, zero_nonce, key);
	secret_wipe(key, sizeof(key));
	return err;
}

vault_err aead_unwrap(void *secret, const uint8_t *in, size_t n, const void *ad, size_t ad_len,
    const uint8_t parent[KEY_BYTES])
{
	uint8_t key[KEY_BYTES];
	vault_err err;

	if (n < WRAP_OVERHEAD)
		return VAULT_E_SHORT;
	err = wrap_key(key, in, ad, ad_len, parent);
	if (!err)
		err = open_sealed(secret, in + WRAP_SALT_BYTES, n - WRAP_SALT_BYTES, ad, ad_len, zero_nonce, key);
	secret_wipe(key, sizeof(key));
	return err;
}

vault_err metadata_seal(uint8_t *out, const void *text, size_t n, const uint8_t recording_key[KEY_BYTES],
    const char *tenant, const vault_id *id)
{
	uint8_t key[KEY_BYTES];
	vault_err err;

	if (n > METADATA_MAX)
		return VAULT_E_RANGE;
	out[0] = METADATA_VERSION;
	randombytes_buf(out + 1, METADATA_SALT_BYTES);
	err = kdf_metadata(key, recording_key, out + 1, tenant, id);
	if (!err)
		err = seal(out + METADATA_HEAD, text, n, id->b, sizeof(id->b), zero_nonce, key);
	secret_wipe(key, sizeof(key));
	return err;
}

static vault_err metadata_check(const uint8_t *blob, size_t n)
{
	if (n < METADATA_OVERHEAD)
		return VAULT_E_SHORT;
	if (n > METADATA_OVERHEAD + METADATA_MAX)
		return VAULT_E_RANGE;
	return blob[0] == METADATA_VERSION ? VAULT_OK : VAULT_E_UNSUPPORTED;
}

vault_err metadata_salt(const uint8_t *blob, size_t n, uint8_t salt[16])
{
	vault_err err = metadata_check(blob, n);

	if (!err)
		memcpy(salt, blob + 1, METADATA_SALT_BYTES);
	return err;
}

vault_err metadata_open(void *out, const uint8_t *blob, size_t n, const uint8_t key[KEY_BYTES], const vault_id *id)
{
	vault_err err = metadata_check(blob, n);

	if (err)
		return err;
	return open_sealed(out, blob + METADATA_HEAD, n - METADATA_HEAD, id->b, sizeof(id->b), zero_nonce, key);
}
