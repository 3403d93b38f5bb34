/*
 * test_aead.c - what seals opens only as itself (R34): every header bit, every
 * position, every flag, every parent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/aead.h"

static const uint8_t key[KEY_BYTES] = {1, 2, 3}, other_key[KEY_BYTES] = {1, 2, 4};
static const uint8_t ad[48] = {9, 8, 7};

static void R34_chunk_opens_only_as_itself(void **state)
{
	static const uint8_t zeros[100];
	uint8_t plain[100], sealed[116], out[100], changed[116], changed_ad[48];

	(void)state;
	memset(plain, 'p', sizeof(plain));
	assert_int_equal(aead_seal_chunk(sealed, plain, 100, ad, 48, 5, AEAD_CHUNK, key), VAULT_OK);
	assert_int_equal(aead_open_chunk(out, sealed, 116, ad, 48, 5, AEAD_CHUNK, key), VAULT_OK);
	assert_memory_equal(out, plain, 100);
	for (size_t bit = 0; bit < 116 * 8; bit++) {
		memcpy(changed, sealed, sizeof(changed));
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memset(out, 'x', sizeof(out));
		assert_int_equal(aead_open_chunk(out, changed, 116, ad, 48, 5, AEAD_CHUNK, key), VAULT_E_AUTH);
		assert_memory_equal(out, zeros, 100);
	}
	for (size_t bit = 0; bit < 48 * 8; bit++) {
		memcpy(changed_ad, ad, sizeof(changed_ad));
		changed_ad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(aead_open_chunk(out, sealed, 116, changed_ad, 48, 5, AEAD_CHUNK, key), VAULT_E_AUTH);
	}
	for (unsigned bit = 0; bit < 64; bit++)
		assert_int_equal(aead_open_chunk(out, sealed, 116, ad, 48, 5 ^ 1ull << bit, AEAD_CHUNK, key),
		    VAULT_E_AUTH);
	assert_int_equal(aead_open_chunk(out, sealed, 116, ad, 48, 5, AEAD_SEGMENT_END, key), VAULT_E_AUTH);
	assert_int_equal(aead_open_chunk(out, sealed, 116, ad, 48, 5, AEAD_RECORDING_END, key), VAULT_E_AUTH);
	assert_int_equal(aead_open_chunk(out, sealed, 115, ad, 48, 5, AEAD_CHUNK, key), VAULT_E_AUTH);
	assert_int_equal(aead_open_chunk(out, sealed, 15, ad, 48, 5, AEAD_CHUNK, key), VAULT_E_SHORT);
	assert_int_equal(aead_open_chunk(out, sealed, 116, ad, 47, 5, AEAD_CHUNK, key), VAULT_E_AUTH);
	assert_int_equal(aead_open_chunk(out, sealed, 116, ad, 48, 5, AEAD_CHUNK, other_key), VAULT_E_AUTH);
	assert_int_equal(aead_seal_chunk(out, plain, 8, ad, 48, 5, (enum aead_flag)3, key), VAULT_E_INVAL);
}

static void chunk_in_place(void **state)
{
	uint8_t buffer[66], plain[50];

	(void)state;
	memset(plain, 'q', sizeof(plain));
	memcpy(buffer, plain, sizeof(plain));
	assert_int_equal(aead_seal_chunk(buffer, buffer, 50, ad, 48, 1, AEAD_CHUNK, key), VAULT_OK);
	assert_memory_not_equal(buffer, plain, 50);
	assert_int_equal(aead_open_chunk(buffer, buffer, 66, ad, 48, 1, AEAD_CHUNK, key), VAULT_OK);
	assert_memory_equal(buffer, plain, 50);
}

static void R34_wrap_opens_only_in_its_place(void **state)
{
	uint8_t secret[32], wrapped[32 + WRAP_OVERHEAD], again[32 + WRAP_OVERHEAD], out[32];

	(void)state;
	memset(secret, 's', sizeof(secret));
	assert_int_equal(aead_wrap(wrapped, secret, 32, "place", 5, key), VAULT_OK);
	assert_int_equal(aead_wrap(again, secret, 32, "place", 5, key), VAULT_OK);
	assert_memory_not_equal(wrapped, again, sizeof(wrapped));
	assert_int_equal(aead_unwrap(out, wrapped, sizeof(wrapped), "place", 5, key), VAULT_OK);
	assert_memory_equal(out, secret, 32);
	assert_int_equal(aead_unwrap(out, wrapped, sizeof(wrapped), "plact", 5, key), VAULT_E_AUTH);
	assert_int_equal(aead_unwrap(out, wrapped, sizeof(wrapped), "place", 4, key), VAULT_E_AUTH);
	assert_int_equal(aead_unwrap(out, wrapped, sizeof(wrapped), "place", 5, other_key), VAULT_E_AUTH);
	assert_int_equal(aead_unwrap(out, wrapped, WRAP_OVERHEAD - 1, "place", 5, key), VAULT_E_SHORT);
	for (size_t i = 0; i < sizeof(wrapped); i++) {
		wrapped[i] ^= 1;
		assert_int_equal(aead_unwrap(out, wrapped, sizeof(wrapped), "place", 5, key), VAULT_E_AUTH);
		wrapped[i] ^= 1;
	}
}

static void R34_metadata_belongs_to_its_recording(void **state)
{
	static uint8_t big[METADATA_MAX + 1], sealed_big[METADATA_MAX + METADATA_OVERHEAD + 1];
	const vault_id id = {{1}}, other = {{2}};
	uint8_t blob[5 + METADATA_OVERHEAD], out[5], salt[16], meta_key[KEY_BYTES];

	(void)state;
	assert_int_equal(metadata_seal(blob, "hello", 5, key, "tenant", &id), VAULT_OK);
	assert_int_equal(metadata_salt(blob, sizeof(blob), salt), VAULT_OK);
	assert_int_equal(kdf_metadata(meta_key, key, salt, "tenant", &id), VAULT_OK);
	assert_int_equal(metadata_open(out, blob, sizeof(blob), meta_key, &id), VAULT_OK);
	assert_memory_equal(out, "hello", 5);
	assert_int_equal(metadata_open(out, blob, sizeof(blob), meta_key, &other), VAULT_E_AUTH);
	assert_int_equal(kdf_metadata(meta_key, key, salt, "tenanu", &id), VAULT_OK);
	assert_int_equal(metadata_open(out, blob, sizeof(blob), meta_key, &id), VAULT_E_AUTH);
	assert_int_equal(metadata_salt(blob, METADATA_OVERHEAD - 1, salt), VAULT_E_SHORT);
	blob[0] = 2;
	assert_int_equal(metadata_salt(blob, sizeof(blob), salt), VAULT_E_UNSUPPORTED);
	assert_int_equal(metadata_open(out, blob, sizeof(blob), meta_key, &id), VAULT_E_UNSUPPORTED);
	assert_int_equal(metadata_seal(sealed_big, big, METADATA_MAX + 1, key, "t", &id), VAULT_E_RANGE);
	assert_int_equal(metadata_seal(sealed_big, big, METADATA_MAX, key, "t", &id), VAULT_OK);
	assert_int_equal(metadata_salt(sealed_big, sizeof(sealed_big), salt), VAULT_E_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(R34_chunk_opens_only_as_itself),
		cmocka_unit_test(chunk_in_place),
		cmocka_unit_test(R34_wrap_opens_only_in_its_place),
		cmocka_unit_test(R34_metadata_belongs_to_its_recording),
	};

	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
