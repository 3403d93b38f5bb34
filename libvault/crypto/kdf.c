/*
 * kdf.c - key derivation with keyed BLAKE2b; formats in kdf.h and docs/FORMAT.md.
 *
 * Pure functions, any thread. Intermediate state is wiped.
 */
#include <sodium.h>
#include <string.h>

#include "base/secret.h"
#include "base/wire.h"
#include "crypto/kdf.h"

#define KDF_OUT_MIN 16u
#define KDF_OUT_MAX 64u

static int hash_part(crypto_generichash_state *state, const void *p, size_t n)
{
	uint8_t length[4];

	store_le32(length, (uint32_t)n);
	return crypto_generichash_update(state, length, sizeof(length)) | crypto_generichash_update(state, p, n);
}

vault_err kdf(uint8_t *out, size_t out_len, const uint8_t key[KEY_BYTES], const char *label,
    const struct kdf_part *parts, size_t n_parts)
{
	crypto_generichash_state state;
	size_t label_len = strlen(label);
	uint8_t length[2];
	int bad;

	if (out_len < KDF_OUT_MIN || out_len > KDF_OUT_MAX || label_len > UINT16_MAX)
		return VAULT_E_INVAL;
	for (size_t i = 0; i < n_parts; i++)
		if (parts[i].n > UINT32_MAX)
			return VAULT_E_RANGE;
	store_le16(length, (uint16_t)label_len);
	bad = crypto_generichash_init(&state, key, KEY_BYTES, out_len);
	bad |= crypto_generichash_update(&state, length, sizeof(length));
	bad |= crypto_generichash_update(&state, (const uint8_t *)label, label_len);
	for (size_t i = 0; i < n_parts; i++)
		bad |= hash_part(&state, parts[i].p, parts[i].n);
	bad |= crypto_generichash_final(&state, out, out_len);
	secret_wipe(&state, sizeof(state));
	return bad ? VAULT_E_INVAL : VAULT_OK;
}

vault_err kdf_segment(struct segment_key *out, const uint8_t recording_key[KEY_BYTES],
    const uint8_t salt[SEGMENT_SALT_BYTES], const char *tenant, const vault_id *id, uint32_t segment,
    uint64_t start_us)
{
	uint8_t both[KEY_BYTES + SEGMENT_COMMIT_BYTES];
	uint8_t segment_le[4], start_le[8];
	const struct kdf_part parts[] = {
		{salt, SEGMENT_SALT_BYTES},
		{tenant, strlen(tenant)},
		{id->b, sizeof(id->b)},
		{segment_le, sizeof(segment_le)},
		{start_le, sizeof(start_le)},
	};
	vault_err err;

	store_le32(segment_le, segment);
	store_le64(start_le, start_us);
	err = kdf(both, sizeof(both), recording_key, "vault segment v1", parts, sizeof(parts) / sizeof(parts[0]));
	if (!err) {
		memcpy(out->key, both, KEY_BYTES);
		memcpy(out->commit, both + KEY_BYTES, SEGMENT_COMMIT_BYTES);
	}
	secret_wipe(both, sizeof(both));
	return err;
}

vault_err kdf_metadata(uint8_t out[KEY_BYTES], const uint8_t recording_key[KEY_BYTES], const uint8_t salt[16],
    const char *tenant, const vault_id *id)
{
	const struct kdf_part parts[] = {
		{salt, 16},
		{tenant, strlen(tenant)},
		{id->b, sizeof(id->b)},
	};

	return kdf(out, KEY_BYTES, recording_key, "vault metadata v1", parts, sizeof(parts) / sizeof(parts[0]));
}
