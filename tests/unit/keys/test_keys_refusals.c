/*
 * test_keys_refusals.c - what a key tree refuses to start on, and that each
 * refusal says why and changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/secret.h"
#include "base/wire.h"
#include "crypto/aead.h"
#include "keeper/root_store.h"
#include "tree_dir.h"

static int setup(void **state)
{
	struct tree_dir *d = calloc(1, sizeof(*d));
	struct tree *t;

	tree_dir_make(d);
	assert_int_equal(tree_dir_open(d, &t), VAULT_OK);
	tree_close(t);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	tree_dir_remove(*state);
	free(*state);
	return 0;
}

static void assert_refused(struct tree_dir *d, vault_err want, const char *words)
{
	struct tree *t = (struct tree *)1;

	assert_int_equal(tree_dir_open(d, &t), want);
	assert_null(t);
	if (strstr(d->why, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", d->why, words);
}

static void assert_opens(struct tree_dir *d)
{
	struct tree *t;
	vault_err err = tree_dir_open(d, &t);

	if (err != VAULT_OK)
		fail_msg("%d: %s", err, d->why);
	tree_close(t);
}

static void test_R33_open_directories_are_refused_with_the_chmod(void **state)
{
	struct tree_dir *d = *state;
	char want[256];

	assert_int_equal(fchmod(d->root_fd, 0750), 0);
	(void)snprintf(want, sizeof(want), "chmod 700 %s/root", d->path);
	assert_refused(d, VAULT_E_DENIED, want);
	assert_int_equal(fchmod(d->root_fd, 0700), 0);
	assert_int_equal(fchmod(d->keys_fd, 0701), 0);
	(void)snprintf(want, sizeof(want), "chmod 700 %s/keys", d->path);
	assert_refused(d, VAULT_E_DENIED, want);
	assert_int_equal(fchmod(d->keys_fd, 0700), 0);
	assert_int_equal(fchmodat(d->root_fd, "slots", 0644, 0), 0);
	assert_refused(d, VAULT_E_DENIED, "chmod 600 slots");
	assert_int_equal(fchmodat(d->root_fd, "slots", 0600, 0), 0);
	assert_opens(d);
}

static void test_second_daemon_is_refused(void **state)
{
	struct tree_dir *d = *state;
	struct tree *first;

	assert_int_equal(tree_dir_open(d, &first), VAULT_OK);
	assert_refused(d, VAULT_E_BUSY, "Another vault");
	tree_close(first);
	assert_opens(d);
}

static void test_R6_older_key_store_is_refused_and_the_newest_still_opens(void **state)
{
	struct tree_dir *d = *state;
	size_t old_n, new_n;
	uint8_t *old = tree_dir_read(d->keys_fd, "data.mdb", &old_n);
	struct tree *t;

	assert_int_equal(tree_dir_open(d, &t), VAULT_OK);
	assert_int_equal(tree_rotate_root(t), VAULT_OK);
	tree_close(t);
	uint8_t *newest = tree_dir_read(d->keys_fd, "data.mdb", &new_n);
	tree_dir_write(d->keys_fd, "data.mdb", old, old_n);
	assert_refused(d, VAULT_E_STATE, "older than the root key");
	tree_dir_write(d->keys_fd, "data.mdb", newest, new_n);
	assert_opens(d);
	free(old);
	free(newest);
}

static void test_older_root_is_refused(void **state)
{
	struct tree_dir *d = *state;
	size_t old_n, new_n;
	uint8_t *old = tree_dir_read(d->root_fd, "slots", &old_n);
	struct tree *t;

	assert_int_equal(tree_dir_open(d, &t), VAULT_OK);
	assert_int_equal(tree_rotate_root(t), VAULT_OK);
	tree_close(t);
	uint8_t *newest = tree_dir_read(d->root_fd, "slots", &new_n);
	tree_dir_write(d->root_fd, "slots", old, old_n);
	assert_refused(d, VAULT_E_STATE, "newer than the root key");
	tree_dir_write(d->root_fd, "slots", newest, new_n);
	assert_opens(d);
	free(old);
	free(newest);
}

static void test_lost_halves_are_refused(void **state)
{
	struct tree_dir *d = *state;
	size_t n;
	uint8_t *slots = tree_dir_read(d->root_fd, "slots", &n);
	uint8_t *data = tree_dir_read(d->keys_fd, "data.mdb", &n);

	assert_int_equal(unlinkat(d->keys_fd, "data.mdb", 0), 0);
	assert_refused(d, VAULT_E_STATE, "key store is empty");
	tree_dir_write(d->keys_fd, "data.mdb", data, n);
	assert_int_equal(unlinkat(d->root_fd, "slots", 0), 0);
	assert_refused(d, VAULT_E_NOTFOUND, "no key");
	d->create = false;
	assert_int_equal(unlinkat(d->root_fd, "slots", 0), 0);
	assert_refused(d, VAULT_E_NOTFOUND, "no root key");
	d->create = true;
	tree_dir_write(d->root_fd, "slots", slots, 8192);
	assert_opens(d);
	free(slots);
	free(data);
}

static void test_damaged_slot_is_refused_and_not_erased(void **state)
{
	struct tree_dir *d = *state;
	size_t n, m;
	uint8_t *slots = tree_dir_read(d->root_fd, "slots", &n);

	for (size_t at = 4096; at < 8192; at += 97) {
		slots[at] ^= 1;
		tree_dir_write(d->root_fd, "slots", slots, n);
		assert_refused(d, VAULT_E_CORRUPT, "damaged");
		uint8_t *after = tree_dir_read(d->root_fd, "slots", &m);
		assert_memory_equal(after, slots, n);
		free(after);
		slots[at] ^= 1;
	}
	tree_dir_write(d->root_fd, "slots", slots, n);
	assert_opens(d);
	free(slots);
}

/* A step-4 write that was torn leaves the key's bytes: the next start must finish it. */
static void test_torn_erase_is_finished_at_open(void **state)
{
	struct tree_dir *d = *state;
	size_t n;
	uint8_t *slots = tree_dir_read(d->root_fd, "slots", &n);

	memset(slots, 0, 20);
	memset(slots + 20, 0xa5, 100);
	tree_dir_write(d->root_fd, "slots", slots, n);
	assert_opens(d);
	uint8_t *after = tree_dir_read(d->root_fd, "slots", &n);
	for (size_t i = 0; i < 4096; i++)
		assert_int_equal(after[i], 0);
	free(slots);
	free(after);
}

static void test_corrupt_key_store_is_refused_and_left_alone(void **state)
{
	struct tree_dir *d = *state;
	size_t n, m;
	uint8_t *data = tree_dir_read(d->keys_fd, "data.mdb", &n), *copy = malloc(n);

	assert_non_null(copy);
	/* Cut at every page but where only a free page is lost, and each page overwritten. */
	tree_dir_write(d->keys_fd, "data.mdb", data, 5000);
	assert_refused(d, VAULT_E_CORRUPT, "damaged");
	tree_dir_write(d->keys_fd, "data.mdb", data, 8192);
	assert_refused(d, VAULT_E_CORRUPT, "damaged");
	tree_dir_write(d->keys_fd, "data.mdb", "not a database, but long enough to be looked at as one", 54);
	assert_refused(d, VAULT_E_CORRUPT, "damaged");
	unsigned refused = 0;
	for (size_t page = 0; page < n / 4096; page++) {
		struct tree *t;
		memcpy(copy, data, n);
		memset(copy + page * 4096, 0xff, 4096);
		tree_dir_write(d->keys_fd, "data.mdb", copy, n);
		vault_err err = tree_dir_open(d, &t);
		if (err == VAULT_OK) {           /* a free page: nothing was lost */
			tree_close(t);
			continue;
		}
		refused++;
		uint8_t *after = tree_dir_read(d->keys_fd, "data.mdb", &m);
		assert_int_equal(m, n);
		assert_memory_equal(after, copy, n);
		free(after);
	}
	assert_true(refused >= 4);
	tree_dir_write(d->keys_fd, "data.mdb", data, n);
	assert_opens(d);
	free(data);
	free(copy);
}

static void test_passphrase(void **state)
{
	struct tree_dir *d = *state, p;
	struct tree *t;
	uint32_t n;
	size_t len, slots_len;

	d->pass = "unwanted";
	assert_refused(d, VAULT_E_AUTH, "without a passphrase");

	tree_dir_make(&p);
	root_store_test_small = true;
	p.pass = "correct horse";
	assert_int_equal(tree_dir_open(&p, &t), VAULT_OK);
	assert_int_equal(tree_begin(t), VAULT_OK);
	assert_int_equal(tree_tenant_add(t, "acme", &n), VAULT_OK);
	assert_int_equal(tree_commit(t), VAULT_OK);
	assert_int_equal(tree_rotate_root(t), VAULT_OK);
	tree_close(t);
	uint8_t *slots = tree_dir_read(p.root_fd, "slots", &slots_len);
	p.pass = "correct hors";
	assert_refused(&p, VAULT_E_AUTH, "passphrase is wrong");
	p.pass = NULL;
	assert_refused(&p, VAULT_E_AUTH, "needs its passphrase");
	uint8_t *after = tree_dir_read(p.root_fd, "slots", &slots_len);
	assert_memory_equal(slots, after, slots_len);
	p.pass = "correct horse";
	assert_opens(&p);
	uint8_t *file = tree_dir_read(p.root_fd, "passphrase", &len);
	assert_int_equal(len, 48);
	store_le64(file + 24, 1ull << 62);
	tree_dir_write(p.root_fd, "passphrase", file, len);
	assert_refused(&p, VAULT_E_CORRUPT, "damaged");
	tree_dir_write(p.root_fd, "passphrase", file, 20);
	assert_refused(&p, VAULT_E_CORRUPT, "damaged");
	free(file);
	free(slots);
	free(after);
	tree_dir_remove(&p);
}

static void test_root_directory_is_marked(void **state)
{
	struct tree_dir *d = *state;
	static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55";
	struct stat st;
	size_t n;
	uint8_t *text = tree_dir_read(d->root_fd, "CACHEDIR.TAG", &n);

	assert_true(n > sizeof(tag));
	assert_memory_equal(text, tag, sizeof(tag) - 1);
	assert_int_equal(fstatat(d->root_fd, "README", &st, 0), 0);
	assert_int_equal(fstatat(d->keys_fd, "reserve", &st, 0), 0);
	assert_true(st.st_size == 0 || st.st_size >= 4 << 20);
	free(text);
}

static void test_nothing_there_is_not_made_unasked(void **state)
{
	struct tree_dir d;

	(void)state;
	tree_dir_make(&d);
	d.create = false;
	assert_refused(&d, VAULT_E_NOTFOUND, "no root key");
	tree_dir_remove(&d);
}

/* The test vector of docs/FORMAT.md, "Keys". */
static void test_vector(void **state)
{
	static const char wrapped_hex[] = "000102030405060734959139dd3cf7e28263c173c7237caa913a1cf62ece1aa347f793392160fbbc"
	    "bb285e2dcefcf94071777273fb1880eaead5767f82ad0a27b5886e880327d7c56a4e4a46e175e9a00c67ef614706c3d2";
	struct root_store store = {.fd = -1};
	struct root_slot slot = {.present = true, .epoch = 7};
	uint8_t root[KEY_BYTES], ad[25] = "T", wrapped[88], plain[64];
	char hex[2 * KEY_BYTES + 1];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < KEY_BYTES; i++)
		slot.key[i] = (uint8_t)i;
	assert_int_equal(root_store_key(&store, &slot, root), VAULT_OK);
	hex_encode(root, sizeof(root), hex);
	assert_string_equal(hex, "8191ed47875f562d5abb7c2a324028f9f129d257bdd62b07a12ffacfa8c80509");
	for (unsigned i = 0; i < 16; i++)
		ad[1 + i] = (uint8_t)(0xa0 + i);
	store_be32(ad + 17, 5);
	store_be32(ad + 21, 2);
	assert_int_equal(hex_decode(wrapped_hex, strlen(wrapped_hex), wrapped, sizeof(wrapped), &n), VAULT_OK);
	assert_int_equal(aead_unwrap(plain, wrapped, n, ad, sizeof(ad), root), VAULT_OK);
	for (unsigned i = 0; i < sizeof(plain); i++)
		assert_int_equal(plain[i], i);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_R33_open_directories_are_refused_with_the_chmod), T(test_second_daemon_is_refused),
		T(test_R6_older_key_store_is_refused_and_the_newest_still_opens), T(test_older_root_is_refused),
		T(test_lost_halves_are_refused), T(test_damaged_slot_is_refused_and_not_erased),
		T(test_torn_erase_is_finished_at_open), T(test_corrupt_key_store_is_refused_and_left_alone),
		T(test_passphrase), T(test_root_directory_is_marked), T(test_nothing_there_is_not_made_unasked), T(test_vector),
	};

	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests_name("keys_refusals", tests, NULL, NULL);
}
