/*
 * test_keys.c - signatures and key files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "crypto/sign.h"
#include "vectors.h"

static char dir[] = "/tmp/vault-keys-XXXXXX";
static char path[64];

static int group_open(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/key", dir);
	return vectors_open(state);
}

static int group_close(void **state)
{
	(void)unlink(path);
	(void)rmdir(dir);
	return vectors_close(state);
}

static void put_file(const char *text, size_t n, mode_t mode)
{
	int fd;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, text, n), n);
	assert_int_equal(close(fd), 0);
}

/* RFC 8032, 7.1, test 2. */
static void rfc8032_vector(void **state)
{
	static const char seed_hex[] = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
	static const char pub_hex[] = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
	static const char sig_hex[] =
	    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
	struct sign_key *key = secret_alloc(sizeof(*key));
	uint8_t *seed, *pub, *want, sig[SIGN_BYTES];
	size_t n;

	(void)state;
	assert_non_null(key);
	seed = vector_unhex(seed_hex, &n);
	pub = vector_unhex(pub_hex, &n);
	want = vector_unhex(sig_hex, &n);
	assert_int_equal(sign_key_from_seed(key, seed, seed), VAULT_OK);
	assert_memory_equal(key->pub, pub, 32);
	assert_int_equal(sign_make(sig, "\x72", 1, key), VAULT_OK);
	assert_memory_equal(sig, want, SIGN_BYTES);
	assert_int_equal(sign_check(sig, "\x72", 1, pub), VAULT_OK);
	assert_int_equal(sign_check(sig, "\x73", 1, pub), VAULT_E_AUTH);
	sig[63] |= 0x20;        /* S beyond the group order */
	assert_int_equal(sign_check(sig, "\x72", 1, pub), VAULT_E_AUTH);
	free(seed);
	free(pub);
	free(want);
	secret_free(key);
}

static void new_keys_differ(void **state)
{
	struct sign_key *a = secret_alloc(sizeof(*a)), *b = secret_alloc(sizeof(*b));
	uint8_t sig[SIGN_BYTES];

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(sign_key_new(a), VAULT_OK);
	assert_int_equal(sign_key_new(b), VAULT_OK);
	assert_memory_not_equal(a->pub, b->pub, 32);
	assert_memory_not_equal(a->age_pub, b->age_pub, 32);
	assert_int_equal(sign_make(sig, "m", 1, a), VAULT_OK);
	assert_int_equal(sign_check(sig, "m", 1, a->pub), VAULT_OK);
	assert_int_equal(sign_check(sig, "m", 1, b->pub), VAULT_E_AUTH);
	secret_free(a);
	secret_free(b);
}

static void key_file_vectors(void **state)
{
	struct sign_key *key = secret_alloc(sizeof(*key));
	size_t i;
	json_t *v;

	(void)state;
	assert_non_null(key);
	json_array_foreach(json_object_get(vectors, "key_file"), i, v) {
		const char *pass = json_string_value(json_object_get(v, "pass")), *text = vector_text(v, "file");
		uint8_t pub[32], age_pub[32], age_secret[32];

		vector_fixed(v, "pub", pub, 32);
		vector_fixed(v, "age_pub", age_pub, 32);
		vector_fixed(v, "age_secret", age_secret, 32);
		put_file(text, strlen(text), 0600);
		assert_int_equal(sign_key_load(key, path, pass, pass ? strlen(pass) : 0), VAULT_OK);
		assert_memory_equal(key->pub, pub, 32);
		assert_memory_equal(key->age_pub, age_pub, 32);
		assert_memory_equal(key->age_secret, age_secret, 32);
		if (!pass)
			continue;
		assert_int_equal(sign_key_load(key, path, NULL, 0), VAULT_E_STATE);
		assert_int_equal(sign_key_load(key, path, "wrong", 5), VAULT_E_AUTH);
		assert_int_equal(sign_key_load(key, path, "", 0), VAULT_E_AUTH);
	}
	assert_int_equal(i, 2);
	secret_free(key);
}

static void saved_file_is_private_and_never_replaced(void **state)
{
	struct sign_key *key = secret_alloc(sizeof(*key)), *back = secret_alloc(sizeof(*back));
	struct stat st;

	(void)state;
	assert_non_null(key);
	assert_non_null(back);
	(void)unlink(path);
	assert_int_equal(sign_key_new(key), VAULT_OK);
	assert_int_equal(sign_key_save(key, path, "role a\nb", NULL, 0), VAULT_E_INVAL);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(sign_key_save(key, path, "role contact demo", NULL, 0), VAULT_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(sign_key_load(back, path, NULL, 0), VAULT_OK);
	assert_memory_equal(key, back, sizeof(*key));
	assert_int_equal(sign_key_save(back, path, "x", NULL, 0), VAULT_E_EXISTS);
	assert_int_equal(sign_key_load(back, path, NULL, 0), VAULT_OK);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(sign_key_load(back, path, NULL, 0), VAULT_E_DENIED);
	assert_int_equal(chmod(path, 0604), 0);
	assert_int_equal(sign_key_load(back, path, NULL, 0), VAULT_E_DENIED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sign_key_load(back, path, NULL, 0), VAULT_E_NOTFOUND);
	assert_int_equal(sign_key_load(back, dir, NULL, 0), VAULT_E_INVAL);
	secret_free(key);
	secret_free(back);
}

static void passphrase_file_round_trip(void **state)
{
	struct sign_key *key = secret_alloc(sizeof(*key)), *back = secret_alloc(sizeof(*back));

	(void)state;
	assert_non_null(key);
	assert_non_null(back);
	(void)unlink(path);
	assert_int_equal(sign_key_new(key), VAULT_OK);
	assert_int_equal(sign_key_save(key, path, "role operator", "pass phrase", 11), VAULT_OK);
	assert_int_equal(sign_key_load(back, path, NULL, 0), VAULT_E_STATE);
	assert_int_equal(sign_key_load(back, path, "pass phrase", 11), VAULT_OK);
	assert_memory_equal(key, back, sizeof(*key));
	secret_free(key);
	secret_free(back);
}

static void damaged_files_are_refused(void **state)
{
	static const char good[] =
	    "VAULT-KEY-1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n";
	static const char *const bad[] = {
		"", "\n", "# only a comment\n", "# no newline", "VAULT-KEY-1 AAAA\n", "VAULT-KEY-1\n", "VAULT-KEY-2 AAAA\n",
		"VAULT-KEY-1-ARGON2ID 1 8192 AAAA\n",
	};
	static char big[5000];
	struct sign_key *key = secret_alloc(sizeof(*key));
	char text[512];

	(void)state;
	assert_non_null(key);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_file(bad[i], strlen(bad[i]), 0600);
		assert_int_equal(sign_key_load(key, path, "p", 1), VAULT_E_CORRUPT);
	}
	put_file(good, strlen(good) - 1, 0600);
	assert_int_equal(sign_key_load(key, path, NULL, 0), VAULT_E_CORRUPT);
	(void)snprintf(text, sizeof(text), "%s%s", good, good);
	put_file(text, strlen(text), 0600);
	assert_int_equal(sign_key_load(key, path, NULL, 0), VAULT_E_CORRUPT);
	(void)snprintf(text, sizeof(text), "%.*s x\n", (int)strlen(good) - 1, good);
	put_file(text, strlen(text), 0600);
	assert_int_equal(sign_key_load(key, path, NULL, 0), VAULT_E_CORRUPT);
	memset(big, '#', sizeof(big));
	put_file(big, sizeof(big), 0600);
	assert_int_equal(sign_key_load(key, path, NULL, 0), VAULT_E_CORRUPT);
	/* Work factors from the file are bounded before any work. */
	put_file("VAULT-KEY-1-ARGON2ID 1 99999999999 AAAA AAAA\n", 45, 0600);
	assert_int_equal(sign_key_load(key, path, "p", 1), VAULT_E_RANGE);
	put_file("VAULT-KEY-1-ARGON2ID 4000000000 8192 AAAA AAAA\n", 47, 0600);
	assert_int_equal(sign_key_load(key, path, "p", 1), VAULT_E_RANGE);
	secret_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc8032_vector),
		cmocka_unit_test(new_keys_differ),
		cmocka_unit_test(key_file_vectors),
		cmocka_unit_test(saved_file_is_private_and_never_replaced),
		cmocka_unit_test(passphrase_file_round_trip),
		cmocka_unit_test(damaged_files_are_refused),
	};

	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, group_open, group_close);
}
