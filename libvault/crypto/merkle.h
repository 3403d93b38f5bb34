/*
 * merkle.h - RFC 6962 / RFC 9162 Merkle tree hashing, C2SP tiles and checkpoints.
 *
 * A tree of n leaves is kept as its right edge: one hash per set bit of n.
 */
#ifndef VAULT_CRYPTO_MERKLE_H
#define VAULT_CRYPTO_MERKLE_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "crypto/sign.h"

#define MERKLE_HASH 32u
#define MERKLE_TILE 256u           /* hashes per full tile */

struct merkle {
	uint64_t size;
	uint8_t edge[64][MERKLE_HASH];     /* edge[i] is valid when bit i of size is set */
};

void merkle_init(struct merkle *m);
void merkle_leaf(uint8_t out[MERKLE_HASH], const void *data, size_t n);     /* SHA-256(0x00 || data) */
void merkle_node(uint8_t out[MERKLE_HASH], const uint8_t l[MERKLE_HASH], const uint8_t r[MERKLE_HASH]);
void merkle_add(struct merkle *m, const uint8_t leaf[MERKLE_HASH]);
void merkle_root(const struct merkle *m, uint8_t out[MERKLE_HASH]);          /* empty: SHA-256("") */

/* Root of n (1..256) consecutive hashes as a tile's subtree: what the next level stores for a full tile. */
void merkle_tile_root(const uint8_t *hashes, size_t n, uint8_t out[MERKLE_HASH]);
/* "tile/0/x001/x234/067", ".p/W" when width < 256; level < 0 means "tile/entries/...". */
VAULT_NODISCARD vault_err merkle_tile_path(int level, uint64_t n, unsigned width, char *out, size_t cap);

/* Checkpoint text (C2SP tlog-checkpoint): origin, size, base64 root, each with its newline. */
#define CHECKPOINT_MAX 1024u
VAULT_NODISCARD vault_err checkpoint_text(const char *origin, uint64_t size, const uint8_t root[MERKLE_HASH],
    char *out, size_t cap, size_t *len);
/* Signed note (C2SP signed-note): text, blank line, one Ed25519 signature line for name. */
VAULT_NODISCARD vault_err checkpoint_sign(const char *text, size_t text_len, const char *name,
    const struct sign_key *key, char *out, size_t cap, size_t *len);
/* Checks one signature by pub under name and gives size and root. */
VAULT_NODISCARD vault_err checkpoint_verify(const char *note, size_t n, const char *name,
    const uint8_t pub[SIGN_PUB_BYTES], uint64_t *size, uint8_t root[MERKLE_HASH]);
/* Verifier key text: name+hex(keyid)+base64(0x01||pub). */
VAULT_NODISCARD vault_err checkpoint_vkey(const char *name, const uint8_t pub[SIGN_PUB_BYTES], char *out, size_t cap);
VAULT_NODISCARD vault_err checkpoint_vkey_parse(const char *vkey, size_t n, char *name, size_t name_cap,
    uint8_t pub[SIGN_PUB_BYTES]);

#endif
