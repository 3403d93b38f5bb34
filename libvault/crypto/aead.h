/*
 * aead.h - sealing chunks, metadata and keys.
 *
 * Chunks: ChaCha20-Poly1305-IETF (RFC 8439). Nonce = 11-byte big-endian chunk
 * number || one flag byte (STREAM construction): 0 chunk, 1 segment end,
 * 2 recording end. A segment key seals each nonce once.
 * seal and open are the only two places that name the cipher's implementation;
 * the front's writer has a faster one for chunks (front/store/chunk_seal.h).
 */
#ifndef VAULT_CRYPTO_AEAD_H
#define VAULT_CRYPTO_AEAD_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "crypto/kdf.h"

#define AEAD_TAG_BYTES 16u
#define AEAD_NONCE_BYTES 12u

enum aead_flag { AEAD_CHUNK = 0, AEAD_SEGMENT_END = 1, AEAD_RECORDING_END = 2 };

/* VAULT_E_INVAL: no such flag. For another implementation of the same seal. */
VAULT_NODISCARD vault_err aead_chunk_nonce(uint8_t nonce[AEAD_NONCE_BYTES], uint64_t number, enum aead_flag flag);

/* out has n + AEAD_TAG_BYTES; in and out may be the same buffer, else must not overlap. Thread-safe. */
VAULT_NODISCARD vault_err aead_seal_chunk(uint8_t *out, const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len,
    uint64_t number, enum aead_flag flag, const uint8_t key[KEY_BYTES]);
/* n counts ciphertext with tag; out has n - AEAD_TAG_BYTES. VAULT_E_AUTH leaves out wiped. In place allowed. */
VAULT_NODISCARD vault_err aead_open_chunk(uint8_t *out, const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len,
    uint64_t number, enum aead_flag flag, const uint8_t key[KEY_BYTES]);

/*
 * Wrap: seal a small secret under a parent key.
 *   salt(8 random) || ChaCha20-Poly1305(k, nonce 0, ad, secret)
 *   k = kdf(parent, "vault wrap v1", salt, ad)
 * A fresh subkey for every wrap: no nonce to repeat, even after an old key
 * store is restored. ad binds the secret's place in the tree.
 */
#define WRAP_SALT_BYTES 8u
#define WRAP_OVERHEAD (WRAP_SALT_BYTES + AEAD_TAG_BYTES)
VAULT_NODISCARD vault_err aead_wrap(uint8_t *out /* n + WRAP_OVERHEAD */, const void *secret, size_t n, const void *ad,
    size_t ad_len, const uint8_t parent[KEY_BYTES]);
VAULT_NODISCARD vault_err aead_unwrap(void *secret /* n - WRAP_OVERHEAD */, const uint8_t *in, size_t n, const void *ad,
    size_t ad_len, const uint8_t parent[KEY_BYTES]);

/*
 * Metadata blob: u8 version 1 || salt(16) || ChaCha20-Poly1305(kdf_metadata, nonce 0,
 * ad = recording id, text). At most METADATA_MAX bytes of text.
 */
#define METADATA_MAX 8192u
#define METADATA_OVERHEAD (1u + 16u + AEAD_TAG_BYTES)
VAULT_NODISCARD vault_err metadata_seal(uint8_t *out /* n + METADATA_OVERHEAD */, const void *text, size_t n,
    const uint8_t recording_key[KEY_BYTES], const char *tenant, const vault_id *id);
/* key is the metadata key for the blob's salt (see kdf_metadata). out has n - METADATA_OVERHEAD. */
VAULT_NODISCARD vault_err metadata_salt(const uint8_t *blob, size_t n, uint8_t salt[16]);
VAULT_NODISCARD vault_err metadata_open(void *out, const uint8_t *blob, size_t n, const uint8_t key[KEY_BYTES],
    const vault_id *id);

#endif
