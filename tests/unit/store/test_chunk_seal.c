/*
 * test_chunk_seal.c - the writer's seal gives the very bytes of aead_seal_chunk.
 */
#include "store/fixture.h"

#include <sodium.h>
#include <string.h>

#include "front/store/chunk_seal.h"

#define MOST 70000u

static void test_same_bytes_as_the_reference(void **state)
{
	static const size_t sizes[] = { 1, 15, 16, 17, 63, 64, 65, 160, 4096, 65536, MOST };
	static const enum aead_flag flags[] = { AEAD_CHUNK, AEAD_SEGMENT_END, AEAD_RECORDING_END };
	static uint8_t in[MOST], want[MOST + AEAD_TAG_BYTES], got[MOST + AEAD_TAG_BYTES];
	struct chunk_sealer *s = chunk_sealer_new();
	uint8_t key[KEY_BYTES], ad[48];

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (size_t k = 0; k < 3; k++) {
			uint64_t number = i == 0 ? 0 : UINT32_MAX - i;
			randombytes_buf(in, sizes[i]);
			randombytes_buf(key, sizeof key);
			randombytes_buf(ad, sizeof ad);
			assert_int_equal(aead_seal_chunk(want, in, sizes[i], ad, sizeof ad, number, flags[k], key), VAULT_OK);
			assert_int_equal(chunk_seal(s, got, in, sizes[i], ad, sizeof ad, number, flags[k], key), VAULT_OK);
			assert_memory_equal(got, want, sizes[i] + AEAD_TAG_BYTES);
		}
	}
	chunk_sealer_free(s);
}

static void test_unknown_flag_and_nothing_are_refused(void **state)
{
	struct chunk_sealer *s = chunk_sealer_new();
	uint8_t key[KEY_BYTES] = { 0 }, in[16] = { 0 }, out[16 + AEAD_TAG_BYTES];

	(void)state;
	assert_non_null(s);
	assert_int_equal(chunk_seal(s, out, in, sizeof in, in, 1, 0, (enum aead_flag)3, key), VAULT_E_INVAL);
	assert_int_equal(chunk_seal(s, out, in, 0, in, 1, 0, AEAD_CHUNK, key), VAULT_E_RANGE);
	chunk_sealer_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_bytes_as_the_reference),
		cmocka_unit_test(test_unknown_flag_and_nothing_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
