/*
 * test_audit.c - the audit log's verifier against every kind of edit (R35, P7):
 * changed, removed, added, shortened, rewritten, signed by another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_check.h"
#include "base/secret.h"
#include "base/wire.h"
#include "file.h"
#include "scratch.h"

#define ORIGIN "vault.invalid/test"

/* A log in a directory, as the keeper writes it. */
struct log {
	char dir[64];
	char vkey[256];
	struct sign_key *key;
	struct buf leaves;
};

static vault_err read_at(void *arg, const char *path, struct buf *out)
{
	const struct log *l = arg;
	char full[256];
	uint8_t *room;
	size_t n;
	(void)snprintf(full, sizeof(full), "%s/%s", l->dir, path);
	vault_err err = buf_reserve(out, 1024 * 1024, &room);
	if (err == VAULT_OK)
		err = file_read(full, room, 1024 * 1024, &n);
	if (err == VAULT_OK)
		buf_commit(out, n);
	return err;
}

static void put(const struct log *l, const char *path, const void *data, size_t n)
{
	char full[256], dir[256];
	(void)snprintf(full, sizeof(full), "%s/%s", l->dir, path);
	(void)snprintf(dir, sizeof(dir), "%s", full);
	*strrchr(dir, '/') = '\0';
	assert_int_equal(file_make_dirs(dir), VAULT_OK);
	assert_int_equal(file_replace(full, data, n, 0644), VAULT_OK);
}

static void put_tile(const struct log *l, int level, uint64_t n, unsigned width, const void *data, size_t len)
{
	char path[128];
	assert_int_equal(merkle_tile_path(level, n, width, path, sizeof(path)), VAULT_OK);
	put(l, path, data, len);
}

/* The text of entry i; salt makes another history. */
static size_t entry_text(uint64_t i, unsigned salt, char out[64])
{
	return (size_t)snprintf(out, 64, "{\"event\":\"read\",\"n\":%llu,\"v\":%u}", (unsigned long long)i, salt);
}

static void write_bundle(const struct log *l, uint64_t tile, unsigned width, unsigned salt)
{
	struct buf bundle;
	buf_init(&bundle, 1024 * 1024);
	for (unsigned i = 0; i < width; i++) {
		char text[64];
		uint8_t head[2];
		const size_t n = entry_text(tile * 256 + i, salt, text);
		store_be16(head, (uint16_t)n);
		assert_int_equal(buf_append(&bundle, head, 2), VAULT_OK);
		assert_int_equal(buf_append(&bundle, text, n), VAULT_OK);
	}
	put_tile(l, -1, tile, width, bundle.data, bundle.len);
	buf_free(&bundle);
}

static void write_log(struct log *l, uint64_t size, unsigned salt)
{
	struct merkle m;
	uint8_t root[32], tops[256 * 32];
	char text[CHECKPOINT_MAX], note[CHECKPOINT_MAX * 2];
	size_t text_len, note_len;
	merkle_init(&m);
	buf_clear(&l->leaves);
	for (uint64_t i = 0; i < size; i++) {
		char entry[64];
		uint8_t leaf[32];
		const size_t n = entry_text(i, salt, entry);
		merkle_leaf(leaf, entry, n);
		merkle_add(&m, leaf);
		assert_int_equal(buf_append(&l->leaves, leaf, 32), VAULT_OK);
	}
	for (uint64_t t = 0; t * 256 < size; t++) {
		const unsigned width = size - t * 256 < 256 ? (unsigned)(size - t * 256) : 256;
		put_tile(l, 0, t, width, l->leaves.data + t * 256 * 32, (size_t)width * 32);
		write_bundle(l, t, width, salt);
		if (width == 256)
			merkle_tile_root(l->leaves.data + t * 256 * 32, 256, tops + t * 32);
	}
	if (size >= 256)
		put_tile(l, 1, 0, (unsigned)(size / 256), tops, (size_t)(size / 256) * 32);
	merkle_root(&m, root);
	assert_int_equal(checkpoint_text(ORIGIN, size, root, text, sizeof(text), &text_len), VAULT_OK);
	assert_int_equal(checkpoint_sign(text, text_len, ORIGIN, l->key, note, sizeof(note), &note_len), VAULT_OK);
	put(l, "checkpoint", note, note_len);
}

static int setup(void **state)
{
	struct log *l = calloc(1, sizeof(*l));
	l->key = secret_alloc(sizeof(*l->key));
	buf_init(&l->leaves, 1024 * 1024);
	if (scratch_make(l->dir) != 0 || sign_key_new(l->key) != VAULT_OK ||
	    checkpoint_vkey(ORIGIN, l->key->pub, l->vkey, sizeof(l->vkey)) != VAULT_OK)
		return -1;
	write_log(l, 600, 0);
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct log *l = *state;
	scratch_remove(l->dir);
	secret_free(l->key);
	buf_free(&l->leaves);
	free(l);
	return 0;
}

static vault_err check(struct log *l, const struct audit_seen *seen, struct audit_result *r)
{
	const struct audit_source s = {.arg = l, .read = read_at};
	return audit_check(&s, l->vkey, seen, true, r);
}

static vault_err check_one(struct log *l, const char *path)
{
	const struct audit_source s = {.arg = l, .read = read_at};
	char why[256] = "";
	return audit_check_file(&s, path, 600, why, sizeof(why));
}

/* Changes one bit of the file's byte at. */
static void flip(const struct log *l, const char *path, size_t at)
{
	static uint8_t data[1024 * 1024];
	char full[256];
	size_t n;
	(void)snprintf(full, sizeof(full), "%s/%s", l->dir, path);
	assert_int_equal(file_read(full, data, sizeof(data), &n), VAULT_OK);
	assert_true(at < n);
	data[at] ^= 1;
	assert_int_equal(file_replace(full, data, n, 0644), VAULT_OK);
}

static void a_good_log_verifies(void **state)
{
	struct log *l = *state;
	struct audit_result r;
	static const uint64_t sizes[] = {0, 1, 2, 255, 256, 257, 511, 512, 600};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		write_log(l, sizes[i], 0);
		assert_int_equal(check(l, NULL, &r), VAULT_OK);
		assert_int_equal(r.size, sizes[i]);
		assert_int_equal(r.entries, sizes[i]);
	}
}

static void R35_a_changed_entry_is_found(void **state)
{
	struct log *l = *state;
	struct audit_result r;
	flip(l, "tile/entries/001", 500);
	assert_int_equal(check(l, NULL, &r), VAULT_E_AUTH);
	assert_non_null(strstr(r.why, "entry"));
}

static void R35_a_changed_tile_is_found(void **state)
{
	struct log *l = *state;
	struct audit_result r;
	flip(l, "tile/0/001", 33);
	assert_int_equal(check(l, NULL, &r), VAULT_E_AUTH);
}

/* The editor changes an entry and its hash as well: then the root does not fit. */
static void R35_a_changed_entry_with_its_hash_is_found(void **state)
{
	struct log *l = *state;
	struct audit_result r;
	write_bundle(l, 1, 256, 1);
	uint8_t hashes[256 * 32];
	for (unsigned i = 0; i < 256; i++) {
		char text[64];
		merkle_leaf(hashes + i * 32, text, entry_text(256 + i, 1, text));
	}
	put_tile(l, 0, 1, 256, hashes, sizeof(hashes));
	assert_int_equal(check(l, NULL, &r), VAULT_E_AUTH);
}

static void R35_a_cut_tail_is_found(void **state)
{
	struct log *l = *state;
	struct audit_result r;
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/tile/0/002.p/88", l->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(check(l, NULL, &r), VAULT_E_AUTH);
}

static void R35_another_signer_is_found(void **state)
{
	struct log *l = *state;
	struct audit_result r;
	char vkey[256];
	(void)snprintf(vkey, sizeof(vkey), "%s", l->vkey);
	assert_int_equal(sign_key_new(l->key), VAULT_OK);
	write_log(l, 600, 0);
	assert_int_equal(check(l, NULL, &r), VAULT_E_AUTH);
	flip(l, "checkpoint", strlen(ORIGIN) + 1);
	assert_int_equal(check(l, NULL, &r), VAULT_E_AUTH);
}

static void R35_growth_shrinking_and_rewriting(void **state)
{
	struct log *l = *state;
	struct audit_result r;
	struct audit_seen seen = {0};
	assert_int_equal(check(l, NULL, &r), VAULT_OK);
	seen.size = r.size;
	memcpy(seen.root, r.root, 32);
	assert_int_equal(check(l, &seen, &r), VAULT_OK);
	write_log(l, 700, 0);
	assert_int_equal(check(l, &seen, &r), VAULT_OK);         /* it only grew */
	write_log(l, 700, 1);
	assert_int_equal(check(l, NULL, &r), VAULT_OK);          /* well signed, by the same key... */
	assert_int_equal(check(l, &seen, &r), VAULT_E_AUTH);     /* ...but another history */
	assert_non_null(strstr(r.why, "rewritten"));
	write_log(l, 599, 0);
	assert_int_equal(check(l, &seen, &r), VAULT_E_AUTH);
	assert_non_null(strstr(r.why, "shrank"));
}

static void R35_files_that_no_checkpoint_needs_are_checked_too(void **state)
{
	struct log *l = *state;
	put_tile(l, 0, 2, 3, l->leaves.data + 512 * 32, 3 * 32);     /* of an older checkpoint */
	write_bundle(l, 2, 3, 0);
	assert_int_equal(check_one(l, "tile/0/002.p/3"), VAULT_OK);
	assert_int_equal(check_one(l, "tile/entries/002.p/3"), VAULT_OK);
	assert_int_equal(check_one(l, "tile/1/000.p/2"), VAULT_OK);
	assert_int_equal(check_one(l, "tile/0/000"), VAULT_OK);
	flip(l, "tile/0/002.p/3", 5);
	assert_int_equal(check_one(l, "tile/0/002.p/3"), VAULT_E_AUTH);
	flip(l, "tile/entries/002.p/3", 5);
	assert_int_equal(check_one(l, "tile/entries/002.p/3"), VAULT_E_AUTH);
	flip(l, "tile/1/000.p/2", 40);
	assert_int_equal(check_one(l, "tile/1/000.p/2"), VAULT_E_AUTH);
	assert_int_equal(check_one(l, "tile/0/../checkpoint"), VAULT_E_AUTH);
	assert_int_equal(check_one(l, "tile/0/0"), VAULT_E_AUTH);
}

static void the_journal_stands_in_for_the_open_bundle(void **state)
{
	struct log *l = *state;
	struct audit_result r;
	char from[128], to[128];
	(void)snprintf(from, sizeof(from), "%s/tile/entries/002.p/88", l->dir);
	(void)snprintf(to, sizeof(to), "%s/journal", l->dir);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(check(l, NULL, &r), VAULT_OK);
	flip(l, "journal", 9);
	assert_int_equal(check(l, NULL, &r), VAULT_E_AUTH);
}

static void what_was_seen_is_remembered(void **state)
{
	struct log *l = *state;
	struct audit_seen a = {.size = 600}, b;
	char path[128];
	(void)snprintf(a.vkey, sizeof(a.vkey), "%s", l->vkey);
	memset(a.root, 0xa5, sizeof(a.root));
	(void)snprintf(path, sizeof(path), "%s/state/new/office.audit", l->dir);
	assert_int_equal(audit_seen_load(path, &b), VAULT_E_NOTFOUND);
	assert_int_equal(audit_seen_save(path, &a), VAULT_OK);
	assert_int_equal(audit_seen_load(path, &b), VAULT_OK);
	assert_string_equal(a.vkey, b.vkey);
	assert_int_equal(b.size, 600);
	assert_memory_equal(a.root, b.root, 32);
	assert_int_equal(file_replace(path, "x\n", 2, 0644), VAULT_OK);
	assert_int_equal(audit_seen_load(path, &b), VAULT_E_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(a_good_log_verifies), TEST(R35_a_changed_entry_is_found),
	    TEST(R35_a_changed_tile_is_found), TEST(R35_a_changed_entry_with_its_hash_is_found),
	    TEST(R35_a_cut_tail_is_found), TEST(R35_another_signer_is_found), TEST(R35_growth_shrinking_and_rewriting),
	    TEST(R35_files_that_no_checkpoint_needs_are_checked_too), TEST(the_journal_stands_in_for_the_open_bundle),
	    TEST(what_was_seen_is_remembered)};
	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
