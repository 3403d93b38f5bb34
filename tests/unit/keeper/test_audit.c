/*
 * test_audit.c - the tiled log: tiles and checkpoints as C2SP has them, torn
 * tails cut, removed or changed entries refused (R35).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/wire.h"
#include "keeper/audit_files.h"
#include "keeper/audit_log.h"

static const char origin[] = "vault.example/audit";

struct log_test {
	char dir[64];
	int fd;
	struct audit_log *log;
	struct sign_key *key;
	struct merkle tree;              /* the test's own view */
};

static int setup(void **state)
{
	struct log_test *t = calloc(1, sizeof(*t));
	const char *why;
	uint8_t none[32] = { 0 };

	assert_non_null(t);
	assert_int_equal(secret_setup(), VAULT_OK);
	memcpy(t->dir, "/tmp/vault-audit-XXXXXX", 24);
	assert_non_null(mkdtemp(t->dir));
	t->fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->key = secret_alloc(sizeof(*t->key));
	assert_int_equal(sign_key_new(t->key), VAULT_OK);
	merkle_init(&t->tree);
	assert_int_equal(audit_log_open(&t->log, t->fd, 0, none, &why), VAULT_OK);
	*state = t;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct log_test *t = *state;

	audit_log_close(t->log);
	secret_free(t->key);
	(void)close(t->fd);
	(void)nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(t);
	return 0;
}

/* count entries in one append. */
static void append(struct log_test *t, size_t count)
{
	struct buf b;

	buf_init(&b, 1u << 24);
	for (size_t i = 0; i < count; i++) {
		char text[64];
		uint8_t len[2], leaf[32];
		int n = snprintf(text, sizeof(text), "{\"n\":%llu}", (unsigned long long)t->tree.size);
		store_be16(len, (uint16_t)n);
		assert_int_equal(buf_append(&b, len, 2), VAULT_OK);
		assert_int_equal(buf_append(&b, text, (size_t)n), VAULT_OK);
		merkle_leaf(leaf, text, (size_t)n);
		merkle_add(&t->tree, leaf);
	}
	assert_int_equal(audit_log_append(t->log, b.data, b.len), VAULT_OK);
	buf_free(&b);
}

static void assert_same_root(struct log_test *t)
{
	uint8_t mine[32], its[32];

	merkle_root(&t->tree, mine);
	audit_log_root(t->log, its);
	assert_int_equal(audit_log_size(t->log), t->tree.size);
	assert_memory_equal(mine, its, 32);
}

static vault_err reopen(struct log_test *t, uint64_t size, const uint8_t root[32], const char **why)
{
	audit_log_close(t->log);
	t->log = NULL;
	return audit_log_open(&t->log, t->fd, size, root, why);
}

static bool exists(struct log_test *t, const char *path)
{
	return faccessat(t->fd, path, F_OK, 0) == 0;
}

static void test_root_is_the_rfc_one_at_every_size(void **state)
{
	struct log_test *t = *state;
	static const size_t steps[] = { 1, 1, 5, 248, 1, 1, 254, 300, 65, 1000 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		append(t, steps[i]);
		assert_same_root(t);
	}
	assert_true(exists(t, "tile/entries/000"));
	assert_true(exists(t, "tile/0/006"));
	assert_false(exists(t, "tile/1/000"));
}

static void test_reopen_at_many_sizes(void **state)
{
	struct log_test *t = *state;
	uint8_t root[32];
	const char *why;
	static const size_t steps[] = { 1, 254, 1, 1, 255, 256, 257, 3 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		append(t, steps[i]);
		merkle_root(&t->tree, root);
		assert_int_equal(reopen(t, t->tree.size, root, &why), VAULT_OK);
		assert_same_root(t);
	}
}

static void test_lost_tiles_are_made_again(void **state)
{
	struct log_test *t = *state;
	uint8_t root[32];
	const char *why;

	append(t, 600);
	merkle_root(&t->tree, root);
	assert_int_equal(unlinkat(t->fd, "tile/0/001", 0), 0);
	assert_int_equal(reopen(t, 600, root, &why), VAULT_OK);
	assert_same_root(t);
	assert_true(exists(t, "tile/0/001"));
}

static void test_r35_checkpoint_and_partial_tiles(void **state)
{
	struct log_test *t = *state;
	uint8_t root[32], mine[32];
	uint64_t size;
	struct buf note;

	append(t, 300);
	assert_int_equal(audit_log_publish(t->log, origin, t->key), VAULT_OK);
	buf_init(&note, 1u << 20);
	assert_int_equal(audit_read_file(t->fd, "checkpoint", &note), VAULT_OK);
	assert_int_equal(checkpoint_verify((const char *)note.data, note.len, origin, t->key->pub, &size, root), VAULT_OK);
	merkle_root(&t->tree, mine);
	assert_int_equal(size, 300);
	assert_memory_equal(root, mine, 32);
	assert_true(exists(t, "tile/0/001.p/44"));
	assert_true(exists(t, "tile/entries/001.p/44"));
	assert_true(exists(t, "tile/1/000.p/1"));
	/* Old partial tiles go, one round later. */
	append(t, 1);
	assert_int_equal(audit_log_publish(t->log, origin, t->key), VAULT_OK);
	assert_true(exists(t, "tile/0/001.p/44"));
	append(t, 1);
	assert_int_equal(audit_log_publish(t->log, origin, t->key), VAULT_OK);
	assert_false(exists(t, "tile/0/001.p/44"));
	assert_true(exists(t, "tile/0/001.p/45"));
	assert_true(exists(t, "tile/0/001.p/46"));
	assert_true(exists(t, "tile/1/000.p/1"));
	buf_free(&note);
}

static void test_r35_entries_read_back(void **state)
{
	struct log_test *t = *state;
	struct buf out;

	append(t, 300);
	buf_init(&out, 1000);
	assert_int_equal(audit_log_read(t->log, 7, &out), VAULT_OK);
	assert_int_equal(audit_log_read(t->log, 299, &out), VAULT_OK);
	assert_int_equal(out.len, strlen("{\"n\":7}{\"n\":299}"));
	assert_memory_equal(out.data, "{\"n\":7}{\"n\":299}", out.len);
	assert_int_equal(audit_log_read(t->log, 300, &out), VAULT_E_NOTFOUND);
	buf_free(&out);
}

/* What was written behind the recorded size is kept where whole, cut where torn. */
static void test_r35_torn_tail_is_cut(void **state)
{
	struct log_test *t = *state;
	uint8_t root[32];
	const char *why;

	append(t, 10);
	merkle_root(&t->tree, root);
	append(t, 2);
	int fd = openat(t->fd, "journal", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "\x00\x30{\"torn", 8), 8);
	assert_int_equal(close(fd), 0);
	assert_int_equal(reopen(t, 10, root, &why), VAULT_OK);
	assert_same_root(t);
	append(t, 400);
	assert_same_root(t);
	/* A torn write may also leave zeros. */
	merkle_root(&t->tree, root);
	fd = openat(t->fd, "journal", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "\x00\x04\x00\x00\x00\x00", 6), 6);
	assert_int_equal(close(fd), 0);
	assert_int_equal(reopen(t, t->tree.size, root, &why), VAULT_OK);
	assert_same_root(t);
}

static void test_r35_removed_tail_is_refused(void **state)
{
	struct log_test *t = *state;
	uint8_t root[32];
	const char *why = "";

	append(t, 10);
	merkle_root(&t->tree, root);
	int fd = openat(t->fd, "journal", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 20), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(reopen(t, 10, root, &why), VAULT_E_SHORT);
	assert_non_null(strstr(why, "shorter"));
	/* The whole journal gone. */
	assert_int_equal(unlinkat(t->fd, "journal", 0), 0);
	assert_int_equal(reopen(t, 10, root, &why), VAULT_E_SHORT);
}

static void test_r35_changed_entry_is_refused(void **state)
{
	struct log_test *t = *state;
	uint8_t root[32];
	const char *why = "";

	append(t, 10);
	merkle_root(&t->tree, root);
	int fd = openat(t->fd, "journal", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "7", 1, 7), 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(reopen(t, 10, root, &why), VAULT_E_CORRUPT);
	assert_non_null(strstr(why, "root"));
}

/* A checkpoint was given out; the log may not be behind it, nor belong to another vault. */
static void test_r35_log_behind_its_checkpoint_is_refused(void **state)
{
	struct log_test *t = *state;
	uint8_t root[32], early[32];
	const char *why = "";

	append(t, 5);
	merkle_root(&t->tree, early);
	append(t, 5);
	assert_int_equal(audit_log_publish(t->log, origin, t->key), VAULT_OK);
	merkle_root(&t->tree, root);
	int fd = openat(t->fd, "journal", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 5 * 9), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(reopen(t, 5, early, &why), VAULT_E_CORRUPT);
	assert_int_equal(reopen(t, 0, early, &why), VAULT_E_CORRUPT);
	assert_non_null(strstr(why, "another vault"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_root_is_the_rfc_one_at_every_size), T(test_reopen_at_many_sizes), T(test_lost_tiles_are_made_again),
		T(test_r35_checkpoint_and_partial_tiles), T(test_r35_entries_read_back), T(test_r35_torn_tail_is_cut),
		T(test_r35_removed_tail_is_refused), T(test_r35_changed_entry_is_refused),
		T(test_r35_log_behind_its_checkpoint_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
