/*
 * test_log.c - Merkle tree, tiles and signed checkpoints of the audit log (R35).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/secret.h"
#include "crypto/merkle.h"
#include "vectors.h"

static void merkle_vectors(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	json_array_foreach(json_object_get(vectors, "merkle"), i, v) {
		uint64_t size = (uint64_t)json_integer_value(json_object_get(v, "size"));
		uint8_t want[MERKLE_HASH], root[MERKLE_HASH], leaf[MERKLE_HASH];
		static uint8_t hashes[MERKLE_TILE * MERKLE_HASH];
		struct merkle m;

		vector_fixed(v, "root", want, sizeof(want));
		merkle_init(&m);
		for (uint64_t k = 0; k < size; k++) {
			char text[32];
			int n = snprintf(text, sizeof(text), "leaf %llu", (unsigned long long)k);

			merkle_leaf(leaf, text, (size_t)n);
			merkle_add(&m, leaf);
			if (k < MERKLE_TILE)
				memcpy(hashes + k * MERKLE_HASH, leaf, MERKLE_HASH);
		}
		merkle_root(&m, root);
		assert_true(m.size == size);
		assert_memory_equal(root, want, sizeof(want));
		if (size == 0 || size > MERKLE_TILE)
			continue;
		merkle_tile_root(hashes, size, root);
		assert_memory_equal(root, want, sizeof(want));
	}
	assert_int_equal(i, 24);
}

/* The test data of Certificate Transparency's reference implementation for RFC 6962. */
static void rfc6962_reference_tree(void **state)
{
	static const char *const leaves[] = {
		"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
	};
	static const char *const roots[] = {
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	};
	struct merkle m;

	(void)state;
	merkle_init(&m);
	for (size_t i = 0; i < 8; i++) {
		size_t n;
		uint8_t *data = vector_unhex(leaves[i], &n), *want = vector_unhex(roots[i], &(size_t){0});
		uint8_t hash[MERKLE_HASH];

		merkle_leaf(hash, data, n);
		merkle_add(&m, hash);
		merkle_root(&m, hash);
		assert_memory_equal(hash, want, MERKLE_HASH);
		free(data);
		free(want);
	}
}

static void tile_paths(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(merkle_tile_path(0, 1234067, 256, out, sizeof(out)), VAULT_OK);
	assert_string_equal(out, "tile/0/x001/x234/067");
	assert_int_equal(merkle_tile_path(1, 0, 1, out, sizeof(out)), VAULT_OK);
	assert_string_equal(out, "tile/1/000.p/1");
	assert_int_equal(merkle_tile_path(-1, 1000, 255, out, sizeof(out)), VAULT_OK);
	assert_string_equal(out, "tile/entries/x001/000.p/255");
	assert_int_equal(merkle_tile_path(63, UINT64_MAX, 256, out, sizeof(out)), VAULT_OK);
	assert_string_equal(out, "tile/63/x018/x446/x744/x073/x709/x551/615");
	assert_int_equal(merkle_tile_path(0, 1234067, 256, out, 20), VAULT_E_RANGE);
	assert_int_equal(merkle_tile_path(0, 1234067, 256, out, 21), VAULT_OK);
	assert_int_equal(merkle_tile_path(0, 0, 0, out, sizeof(out)), VAULT_E_INVAL);
	assert_int_equal(merkle_tile_path(0, 0, 257, out, sizeof(out)), VAULT_E_INVAL);
	assert_int_equal(merkle_tile_path(64, 0, 1, out, sizeof(out)), VAULT_E_INVAL);
}

static void checkpoint_vectors(void **state)
{
	struct sign_key *key = secret_alloc(sizeof(*key));
	size_t i;
	json_t *v;

	(void)state;
	assert_non_null(key);
	json_array_foreach(json_object_get(vectors, "checkpoint"), i, v) {
		const char *name = vector_text(v, "name"), *note = vector_text(v, "note"), *vkey = vector_text(v, "vkey");
		uint64_t size = strtoull(vector_text(v, "size"), NULL, 10), got_size;
		uint8_t seed[32], root[MERKLE_HASH], got_root[MERKLE_HASH], pub[SIGN_PUB_BYTES];
		char text[CHECKPOINT_MAX], signed_note[2 * CHECKPOINT_MAX], got_name[64], got_vkey[256];
		size_t len, note_len;

		vector_fixed(v, "seed", seed, sizeof(seed));
		vector_fixed(v, "root", root, sizeof(root));
		assert_int_equal(sign_key_from_seed(key, seed, seed), VAULT_OK);
		assert_int_equal(checkpoint_text(vector_text(v, "origin"), size, root, text, sizeof(text), &len), VAULT_OK);
		assert_string_equal(text, vector_text(v, "text"));
		assert_int_equal(checkpoint_sign(text, len, name, key, signed_note, sizeof(signed_note), &note_len),
		    VAULT_OK);
		assert_int_equal(note_len, strlen(note));
		assert_string_equal(signed_note, note);
		assert_int_equal(checkpoint_verify(note, note_len, name, key->pub, &got_size, got_root), VAULT_OK);
		assert_true(got_size == size);
		assert_memory_equal(got_root, root, sizeof(root));
		assert_int_equal(checkpoint_vkey(name, key->pub, got_vkey, sizeof(got_vkey)), VAULT_OK);
		assert_string_equal(got_vkey, vkey);
		assert_int_equal(checkpoint_vkey_parse(vkey, strlen(vkey), got_name, sizeof(got_name), pub), VAULT_OK);
		assert_string_equal(got_name, name);
		assert_memory_equal(pub, key->pub, sizeof(pub));
	}
	assert_int_equal(i, 2);
	secret_free(key);
}

/* A note with a second signature line of another key still verifies under both. */
static void other_signatures_are_ignored(void **state)
{
	struct sign_key *a = secret_alloc(sizeof(*a)), *b = secret_alloc(sizeof(*b));
	const uint8_t root[MERKLE_HASH] = {7};
	char text[CHECKPOINT_MAX], one[1024], two[1024], both[2048];
	uint64_t size;
	uint8_t got[MERKLE_HASH];
	size_t len, one_len, two_len;
	int n;

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(sign_key_new(a), VAULT_OK);
	assert_int_equal(sign_key_new(b), VAULT_OK);
	assert_int_equal(checkpoint_text("o", 3, root, text, sizeof(text), &len), VAULT_OK);
	assert_int_equal(checkpoint_sign(text, len, "log", a, one, sizeof(one), &one_len), VAULT_OK);
	assert_int_equal(checkpoint_sign(text, len, "log", b, two, sizeof(two), &two_len), VAULT_OK);
	n = snprintf(both, sizeof(both), "%s%s", one, two + len + 1);
	assert_int_equal(checkpoint_verify(both, (size_t)n, "log", a->pub, &size, got), VAULT_OK);
	assert_int_equal(checkpoint_verify(both, (size_t)n, "log", b->pub, &size, got), VAULT_OK);
	assert_int_equal(checkpoint_verify(both, (size_t)n, "lag", b->pub, &size, got), VAULT_E_AUTH);
	assert_int_equal(checkpoint_verify(one, one_len, "log", b->pub, &size, got), VAULT_E_AUTH);
	secret_free(a);
	secret_free(b);
}

static void R35_changed_checkpoints_are_refused(void **state)
{
	const json_t *v = json_array_get(json_object_get(vectors, "checkpoint"), 1);
	const char *note = vector_text(v, "note"), *vkey = vector_text(v, "vkey");
	size_t n = strlen(note);
	char *changed = malloc(n + 1), name[64];
	uint8_t pub[SIGN_PUB_BYTES], root[MERKLE_HASH];
	uint64_t size;

	(void)state;
	assert_non_null(changed);
	assert_int_equal(checkpoint_vkey_parse(vkey, strlen(vkey), name, sizeof(name), pub), VAULT_OK);
	for (size_t i = 0; i < n; i++) {
		memcpy(changed, note, n + 1);
		changed[i] ^= 1;
		assert_int_not_equal(checkpoint_verify(changed, n, name, pub, &size, root), VAULT_OK);
		assert_int_not_equal(checkpoint_verify(note, i, name, pub, &size, root), VAULT_OK);
	}
	memcpy(changed, note, n);
	changed[n] = '\n';
	assert_int_not_equal(checkpoint_verify(changed, n + 1, name, pub, &size, root), VAULT_OK);
	free(changed);
}

static void bad_names_and_keys(void **state)
{
	static const char *const bad[] = {
		"", "a", "a+b", "a+00000000+", "+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"a+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "a+0000000g+AQAA", "a b+00000000+AQAA",
	};
	const uint8_t pub[SIGN_PUB_BYTES] = {1};
	char out[256], name[64];
	uint8_t got[SIGN_PUB_BYTES];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(checkpoint_vkey_parse(bad[i], strlen(bad[i]), name, sizeof(name), got), VAULT_OK);
	assert_int_equal(checkpoint_vkey("a b", pub, out, sizeof(out)), VAULT_E_INVAL);
	assert_int_equal(checkpoint_vkey("a+b", pub, out, sizeof(out)), VAULT_E_INVAL);
	assert_int_equal(checkpoint_vkey("", pub, out, sizeof(out)), VAULT_E_INVAL);
	assert_int_equal(checkpoint_vkey("ok", pub, out, 10), VAULT_E_RANGE);
	assert_int_equal(checkpoint_vkey("ok", pub, out, sizeof(out)), VAULT_OK);
	assert_int_equal(checkpoint_vkey_parse(out, strlen(out), name, 2, got), VAULT_E_RANGE);
	assert_int_equal(checkpoint_text("a\nb", 1, pub, out, sizeof(out), &len), VAULT_E_INVAL);
	assert_int_equal(checkpoint_text("", 1, pub, out, sizeof(out), &len), VAULT_E_INVAL);
	assert_int_equal(checkpoint_text("a", 1, pub, out, 40, &len), VAULT_E_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merkle_vectors),
		cmocka_unit_test(rfc6962_reference_tree),
		cmocka_unit_test(tile_paths),
		cmocka_unit_test(checkpoint_vectors),
		cmocka_unit_test(other_signatures_are_ignored),
		cmocka_unit_test(R35_changed_checkpoints_are_refused),
		cmocka_unit_test(bad_names_and_keys),
	};

	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
