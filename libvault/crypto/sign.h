/*
 * sign.h - Ed25519 principals and their key files.
 *
 * A key file is UTF-8 text, mode 0600:
 *   # vault key <kid> role <role> (free words)
 *   VAULT-KEY-1 <base64 of 64 bytes: Ed25519 seed(32) || X25519 secret(32)>
 * or, with a passphrase,
 *   VAULT-KEY-1-ARGON2ID <opslimit> <memlimit> <base64 salt(16)> <base64 wrap of the 64 bytes>
 * where the wrapping key is Argon2id(passphrase, salt) and the associated data
 * is "VAULT-KEY-1". The X25519 secret is the age identity of the same person.
 */
#ifndef VAULT_CRYPTO_SIGN_H
#define VAULT_CRYPTO_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>

#define SIGN_PUB_BYTES 32u
#define SIGN_BYTES 64u

/* Allocate with secret_alloc; never on the stack. */
struct sign_key {
	uint8_t secret[64];              /* libsodium form: seed || public */
	uint8_t pub[SIGN_PUB_BYTES];
	uint8_t age_secret[32];          /* X25519 */
	uint8_t age_pub[32];
};

VAULT_NODISCARD vault_err sign_key_new(struct sign_key *out);
VAULT_NODISCARD vault_err sign_key_from_seed(struct sign_key *out, const uint8_t seed[32],
    const uint8_t age_secret[32]);
/* pass may be NULL. Creates with O_EXCL, 0600, syncs file and directory. comment is printed after the kid. */
VAULT_NODISCARD vault_err sign_key_save(const struct sign_key *key, const char *path, const char *comment,
    const char *pass, size_t pass_len);
/*
 * Refuses a file that others can read (VAULT_E_DENIED). An encrypted file
 * without pass gives VAULT_E_STATE, a wrong pass VAULT_E_AUTH.
 */
VAULT_NODISCARD vault_err sign_key_load(struct sign_key *out, const char *path, const char *pass, size_t pass_len);
VAULT_NODISCARD vault_err sign_make(uint8_t sig[SIGN_BYTES], const void *msg, size_t n, const struct sign_key *key);
VAULT_NODISCARD vault_err sign_check(const uint8_t sig[SIGN_BYTES], const void *msg, size_t n,
    const uint8_t pub[SIGN_PUB_BYTES]);

#endif
