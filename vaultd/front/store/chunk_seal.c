/*
 * chunk_seal.c - see chunk_seal.h. Writer thread.
 */
#include "front/store/chunk_seal.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>

struct chunk_sealer {
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *ctx;
};

struct chunk_sealer *chunk_sealer_new(void)
{
	struct chunk_sealer *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	s->ctx = EVP_CIPHER_CTX_new();
	if (s->cipher == NULL || s->ctx == NULL) {
		chunk_sealer_free(s);
		return NULL;
	}
	return s;
}

void chunk_sealer_free(struct chunk_sealer *s)
{
	if (s == NULL)
		return;
	EVP_CIPHER_CTX_free(s->ctx);
	EVP_CIPHER_free(s->cipher);
	free(s);
}

static bool run(struct chunk_sealer *s, uint8_t *out, const uint8_t *in, int n, const uint8_t *ad, int ad_len,
    const uint8_t *nonce, const uint8_t *key)
{
	int done = 0, last = 0;

	return EVP_EncryptInit_ex2(s->ctx, s->cipher, key, nonce, NULL) == 1 &&
	    EVP_EncryptUpdate(s->ctx, NULL, &done, ad, ad_len) == 1 &&
	    EVP_EncryptUpdate(s->ctx, out, &done, in, n) == 1 && done == n &&
	    EVP_EncryptFinal_ex(s->ctx, out + n, &last) == 1 && last == 0 &&
	    EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_GET_TAG, (int)AEAD_TAG_BYTES, out + n) == 1;
}

vault_err chunk_seal(struct chunk_sealer *s, uint8_t *out, const uint8_t *in, size_t n, const uint8_t *ad,
    size_t ad_len, uint64_t number, enum aead_flag flag, const uint8_t key[KEY_BYTES])
{
	uint8_t nonce[AEAD_NONCE_BYTES];
	vault_err err = aead_chunk_nonce(nonce, number, flag);

	if (err == VAULT_OK && (n == 0 || n > INT_MAX - AEAD_TAG_BYTES || ad_len > INT_MAX))
		err = VAULT_E_RANGE;
	if (err != VAULT_OK)
		return err;
	bool ok = run(s, out, in, (int)n, ad, (int)ad_len, nonce, key);
	(void)EVP_CIPHER_CTX_reset(s->ctx);          /* wipes the key; always succeeds */
	if (ok)
		return VAULT_OK;
	ERR_clear_error();
	return VAULT_E_NOMEM;
}
