/*
 * test_vectors.c - kdf, chunk, wrap and metadata vectors, and the published
 * ones of RFC 8439, RFC 5869 and BIP 173.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sodium.h>

#include "base/secret.h"
#include "crypto/aead.h"
#include "crypto/bech32.h"
#include "crypto/hkdf.h"
#include "vectors.h"

static void kdf_vectors(void **state)
{
	size_t i, k;
	json_t *v, *part;

	(void)state;
	json_array_foreach(json_object_get(vectors, "kdf"), i, v) {
		struct kdf_part parts[8];
		uint8_t key[KEY_BYTES], *want, out[64];
		size_t n, count = 0;

		vector_fixed(v, "key", key, sizeof(key));
		json_array_foreach(json_object_get(v, "parts"), k, part) {
			parts[count].p = vector_unhex(json_string_value(part), &parts[count].n);
			count++;
		}
		want = vector_bytes(v, "out", &n);
		assert_int_equal(kdf(out, n, key, vector_text(v, "label"), parts, count), VAULT_OK);
		assert_memory_equal(out, want, n);
		free(want);
		while (count > 0)
			free((void *)(uintptr_t)parts[--count].p);
	}
	assert_int_equal(i, 15);
}

static void kdf_limits(void **state)
{
	const uint8_t key[KEY_BYTES] = {0};
	uint8_t out[65];

	(void)state;
	assert_int_equal(kdf(out, 15, key, "x", NULL, 0), VAULT_E_INVAL);
	assert_int_equal(kdf(out, 65, key, "x", NULL, 0), VAULT_E_INVAL);
}

static void segment_vectors(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	json_array_foreach(json_object_get(vectors, "segment"), i, v) {
		uint8_t recording[KEY_BYTES], salt[SEGMENT_SALT_BYTES], key[KEY_BYTES], commit[SEGMENT_COMMIT_BYTES];
		struct segment_key got;
		vault_id id;

		vector_fixed(v, "recording_key", recording, sizeof(recording));
		vector_fixed(v, "salt", salt, sizeof(salt));
		vector_fixed(v, "id", id.b, sizeof(id.b));
		vector_fixed(v, "key", key, sizeof(key));
		vector_fixed(v, "commit", commit, sizeof(commit));
		assert_int_equal(kdf_segment(&got, recording, salt, vector_text(v, "tenant"), &id,
		    (uint32_t)json_integer_value(json_object_get(v, "segment")),
		    strtoull(vector_text(v, "start_us"), NULL, 10)), VAULT_OK);
		assert_memory_equal(got.key, key, sizeof(key));
		assert_memory_equal(got.commit, commit, sizeof(commit));
	}
	assert_int_equal(i, 3);
}

static void chunk_vectors(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	json_array_foreach(json_object_get(vectors, "chunk"), i, v) {
		uint8_t key[KEY_BYTES];
		size_t ad_n, plain_n, sealed_n;
		uint8_t *ad = vector_bytes(v, "ad", &ad_n), *plain = vector_bytes(v, "plain", &plain_n);
		uint8_t *sealed = vector_bytes(v, "sealed", &sealed_n), *out = malloc(sealed_n);
		uint64_t number = strtoull(vector_text(v, "number"), NULL, 16);
		enum aead_flag flag = (enum aead_flag)json_integer_value(json_object_get(v, "flag"));

		assert_non_null(out);
		vector_fixed(v, "key", key, sizeof(key));
		assert_int_equal(aead_seal_chunk(out, plain, plain_n, ad, ad_n, number, flag, key), VAULT_OK);
		assert_int_equal(plain_n + AEAD_TAG_BYTES, sealed_n);
		assert_memory_equal(out, sealed, sealed_n);
		assert_int_equal(aead_open_chunk(out, sealed, sealed_n, ad, ad_n, number, flag, key), VAULT_OK);
		assert_memory_equal(out, plain, plain_n);
		free(ad);
		free(plain);
		free(sealed);
		free(out);
	}
	assert_int_equal(i, 5);
}

static void wrap_vectors(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	json_array_foreach(json_object_get(vectors, "wrap"), i, v) {
		uint8_t parent[KEY_BYTES], out[512];
		size_t ad_n, secret_n, wrapped_n;
		uint8_t *ad = vector_bytes(v, "ad", &ad_n), *secret = vector_bytes(v, "secret", &secret_n);
		uint8_t *wrapped = vector_bytes(v, "wrapped", &wrapped_n);

		vector_fixed(v, "parent", parent, sizeof(parent));
		assert_int_equal(aead_unwrap(out, wrapped, wrapped_n, ad, ad_n, parent), VAULT_OK);
		assert_int_equal(wrapped_n, secret_n + WRAP_OVERHEAD);
		assert_memory_equal(out, secret, secret_n);
		free(ad);
		free(secret);
		free(wrapped);
	}
	assert_int_equal(i, 3);
}

static void metadata_vectors(void **state)
{
	static uint8_t out[METADATA_MAX];
	size_t i;
	json_t *v;

	(void)state;
	json_array_foreach(json_object_get(vectors, "metadata"), i, v) {
		uint8_t recording[KEY_BYTES], want[KEY_BYTES], key[KEY_BYTES], salt[16];
		size_t text_n, blob_n;
		uint8_t *text = vector_bytes(v, "text", &text_n), *blob = vector_bytes(v, "blob", &blob_n);
		vault_id id;

		vector_fixed(v, "recording_key", recording, sizeof(recording));
		vector_fixed(v, "key", want, sizeof(want));
		vector_fixed(v, "id", id.b, sizeof(id.b));
		assert_int_equal(metadata_salt(blob, blob_n, salt), VAULT_OK);
		assert_int_equal(kdf_metadata(key, recording, salt, vector_text(v, "tenant"), &id), VAULT_OK);
		assert_memory_equal(key, want, sizeof(want));
		assert_int_equal(metadata_open(out, blob, blob_n, key, &id), VAULT_OK);
		assert_int_equal(blob_n, text_n + METADATA_OVERHEAD);
		assert_memory_equal(out, text, text_n);
		free(text);
		free(blob);
	}
	assert_int_equal(i, 3);
}

/* RFC 8439, A.5, on the cipher that aead.c names; a nonce of that form is none of ours. */
static void rfc8439_a5(void **state)
{
	static const char key_hex[] = "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0";
	static const char nonce_hex[] = "000000000102030405060708";
	static const char ad_hex[] = "f33388860000000000004e91";
	static const char sealed_hex[] =
	    "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2"
	    "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf"
	    "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
	    "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4"
	    "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e"
	    "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
	    "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10"
	    "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29"
	    "a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38";
	size_t n, ad_n, key_n, nonce_n;
	uint8_t *key = vector_unhex(key_hex, &key_n), *ad = vector_unhex(ad_hex, &ad_n);
	uint8_t *nonce = vector_unhex(nonce_hex, &nonce_n), *sealed = vector_unhex(sealed_hex, &n), out[512];

	(void)state;
	assert_int_equal(nonce_n, AEAD_NONCE_BYTES);
	assert_int_equal(crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, n, ad, ad_n, nonce, key), 0);
	assert_int_equal(n - AEAD_TAG_BYTES, 265);
	assert_memory_equal(out, "Internet-Drafts are draft documents valid", 41);
	assert_int_equal(aead_open_chunk(out, sealed, n, ad, ad_n, 0x01020304050607, (enum aead_flag)8, key),
	    VAULT_E_INVAL);
	free(key);
	free(nonce);
	free(ad);
	free(sealed);
}

/* RFC 5869, A.1 to A.3. */
static void rfc5869_vectors(void **state)
{
	static const char *const v[3][4] = {
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
		    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
		    "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
		    "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
		    "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		    "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
		    "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
		    "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
		    "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint8_t out[128], *in[4];
		size_t n[4];

		for (size_t k = 0; k < 4; k++)
			in[k] = vector_unhex(v[i][k], &n[k]);
		assert_int_equal(hkdf_sha256(out, n[3], in[0], n[0], in[1], n[1], in[2], n[2]), VAULT_OK);
		assert_memory_equal(out, in[3], n[3]);
		if (n[1] == 0) {
			assert_int_equal(hkdf_sha256(out, n[3], in[0], n[0], NULL, 0, NULL, 0), VAULT_OK);
			assert_memory_equal(out, in[3], n[3]);
		}
		assert_int_equal(hkdf_sha256(out, 0, in[0], n[0], NULL, 0, NULL, 0), VAULT_E_RANGE);
		assert_int_equal(hkdf_sha256(out, 255 * 32 + 1, in[0], n[0], NULL, 0, NULL, 0), VAULT_E_RANGE);
		for (size_t k = 0; k < 4; k++)
			free(in[k]);
	}
}

/* BIP 173 test vectors. The valid ones that are whole bytes decode; all invalid ones do not. */
static void bip173_vectors(void **state)
{
	static const char *const valid[] = {
		"A12UEL5L", "a12uel5l",
		"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
		"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "?1ezyfcl",
		"split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
	};
	static const char *const invalid[] = {
		"\x20" "1nwldj5", "\x7f" "1axkwrx", "\x80" "1eym55h",
		"an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pvx",
		"pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "de1lg7wt\xff", "A1G7SGD8", "10a06t8", "1qzzfhee",
		"a12UEL5L", "", "1", "a12uel5m",
		/* Padding that is not zero, and padding of a whole group. */
		"a1qpamnt9j", "a1q3g6mn3", "a1qqqd87cpp",
	};
	char hrp[BECH32_MAX], text[BECH32_MAX + 1];
	uint8_t data[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
		assert_int_equal(bech32_decode(valid[i], strlen(valid[i]), hrp, data, sizeof(data), &n), VAULT_OK);
	assert_string_equal(hrp, "split");
	assert_memory_equal(data, "\xc5\xf3\x8b\x70\x30\x5f\x51\x9b\xf6\x6d\x85\xfb\x6c\xf0\x30\x58\xf3\xdd\xe4\x63\xec\xd7"
	    "\x91\x8f\x2d\xc7\x43\x91\x8f\x2d", n);
	assert_int_equal(bech32_encode("split", data, n, text, sizeof(text)), VAULT_OK);
	assert_string_equal(text, valid[5]);
	assert_int_equal(bech32_decode(valid[5], strlen(valid[5]), hrp, data, 29, &n), VAULT_E_RANGE);
	assert_int_equal(bech32_encode("split", data, 30, text, 60), VAULT_E_RANGE);
	assert_int_equal(bech32_encode("split", data, 60, text, sizeof(text)), VAULT_E_RANGE);
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		assert_int_equal(bech32_decode(invalid[i], strlen(invalid[i]), hrp, data, sizeof(data), &n), VAULT_E_INVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kdf_vectors),
		cmocka_unit_test(kdf_limits),
		cmocka_unit_test(segment_vectors),
		cmocka_unit_test(chunk_vectors),
		cmocka_unit_test(wrap_vectors),
		cmocka_unit_test(metadata_vectors),
		cmocka_unit_test(rfc8439_a5),
		cmocka_unit_test(rfc5869_vectors),
		cmocka_unit_test(bip173_vectors),
	};

	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
