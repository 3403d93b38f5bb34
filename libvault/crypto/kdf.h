/*
 * kdf.h - key derivation, commitment and keyed tokens, all BLAKE2b (RFC 7693).
 *
 * kdf(key, label, parts...) = BLAKE2b(out_len, key, le16(len label) label
 *                             le32(len part) part ...)
 * Every part is length-prefixed, so no two lists of parts give the same input.
 * Labels in use are listed in docs/FORMAT.md.
 */
#ifndef VAULT_CRYPTO_KDF_H
#define VAULT_CRYPTO_KDF_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>

#define KEY_BYTES 32u

struct kdf_part {
	const void *p;
	size_t n;
};

/* out_len 16..64. key is KEY_BYTES. */
VAULT_NODISCARD vault_err kdf(uint8_t *out, size_t out_len, const uint8_t key[KEY_BYTES], const char *label,
    const struct kdf_part *parts, size_t n_parts);

#define SEGMENT_SALT_BYTES 32u
#define SEGMENT_COMMIT_BYTES 32u

/*
 * Segment key and its commitment: the two halves of a 64-byte
 * kdf(recording key, "vault segment v1", salt, tenant, recording id,
 *     le32(segment), le64(start_us)).
 * start_us is the media time of the segment's first chunk.
 */
struct segment_key {
	uint8_t key[KEY_BYTES];
	uint8_t commit[SEGMENT_COMMIT_BYTES];
};
VAULT_NODISCARD vault_err kdf_segment(struct segment_key *out, const uint8_t recording_key[KEY_BYTES],
    const uint8_t salt[SEGMENT_SALT_BYTES], const char *tenant, const vault_id *id, uint32_t segment,
    uint64_t start_us);

/* Metadata key: kdf(recording key, "vault metadata v1", salt16, tenant, recording id). */
VAULT_NODISCARD vault_err kdf_metadata(uint8_t out[KEY_BYTES], const uint8_t recording_key[KEY_BYTES],
    const uint8_t salt[16], const char *tenant, const vault_id *id);

#endif
