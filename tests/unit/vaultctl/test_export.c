/*
 * test_export.c - an export is kept whole and verified, or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "crypto/age.h"
#include "export.h"
#include "file.h"
#include "scratch.h"

#define PLAIN 200000u

struct world {
	struct sign_key *key, *other;
	struct buf stream;
	uint8_t *plain;
	char dir[64], path[96];
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct age_writer *writer;
	uint8_t recipient[1][32];
	w->key = secret_alloc(sizeof(*w->key));
	w->other = secret_alloc(sizeof(*w->other));
	w->plain = malloc(PLAIN);
	for (size_t i = 0; i < PLAIN; i++)
		w->plain[i] = (uint8_t)(i * 7 + i / 251);
	buf_init(&w->stream, 1024 * 1024);
	if (sign_key_new(w->key) != VAULT_OK || sign_key_new(w->other) != VAULT_OK)
		return -1;
	memcpy(recipient[0], w->key->age_pub, 32);
	if (age_writer_new(&writer, (const uint8_t(*)[32])recipient, 1, &w->stream) != VAULT_OK ||
	    age_writer_write(writer, w->plain, PLAIN, &w->stream) != VAULT_OK ||
	    age_writer_finish(writer, &w->stream) != VAULT_OK)
		return -1;
	age_writer_free(writer);
	if (scratch_make(w->dir) != 0)
		return -1;
	(void)snprintf(w->path, sizeof(w->path), "%s/call.wav", w->dir);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	scratch_remove(w->dir);
	secret_free(w->key);
	secret_free(w->other);
	buf_free(&w->stream);
	free(w->plain);
	free(w);
	return 0;
}

static size_t files_in(const char *dir)
{
	size_t n = 0;
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
		n += e->d_type == DT_REG;
	(void)closedir(d);
	return n;
}

/* Feeds n bytes of data in odd pieces; the result of the whole. */
static int run(
    const struct world *w, const struct sign_key *key, const uint8_t *data, size_t n, bool sealed, int transfer)
{
	struct export *e;
	const struct export_target target = {.path = w->path};
	assert_int_equal(export_new(&e, key, &target, sealed, false), CTL_OK);
	int code = transfer;
	for (size_t at = 0; at < n && code == transfer;) {
		const size_t piece = n - at < 70001 ? n - at : 70001;
		int put = export_write(e, data + at, piece);
		code = put != CTL_OK ? put : transfer;
		at += piece;
		assert_int_not_equal(access(w->path, F_OK), 0);   /* never under its name before the end */
	}
	return export_finish(e, code, NULL);
}

static void whole(void **state)
{
	struct world *w = *state;
	struct stat st;
	size_t n;
	uint8_t *back = malloc(PLAIN);
	assert_int_equal(run(w, w->key, w->stream.data, w->stream.len, false, CTL_OK), CTL_OK);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_read(w->path, back, PLAIN, &n), VAULT_OK);
	assert_int_equal(n, PLAIN);
	assert_memory_equal(back, w->plain, PLAIN);
	assert_int_equal(files_in(w->dir), 1);
	free(back);
}

static void sealed_is_kept_as_it_came(void **state)
{
	struct world *w = *state;
	size_t n;
	uint8_t *back = malloc(w->stream.len);
	assert_int_equal(run(w, w->key, w->stream.data, w->stream.len, true, CTL_OK), CTL_OK);
	assert_int_equal(file_read(w->path, back, w->stream.len, &n), VAULT_OK);
	assert_int_equal(n, w->stream.len);
	assert_memory_equal(back, w->stream.data, n);
	free(back);
}

/* Cut at every kind of place: in the header, in a chunk, between chunks, before the last byte. */
static void cut_leaves_nothing(void **state)
{
	struct world *w = *state;
	const size_t body = w->stream.len - (PLAIN + 4 * 16);
	const size_t cuts[] = {0, 10, body, body + 1, body + 65552, body + 2 * 65552, w->stream.len - 1};
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		for (int sealed = 0; sealed < 2; sealed++)
			assert_int_equal(run(w, w->key, w->stream.data, cuts[i], sealed != 0, CTL_OK), CTL_UNVERIFIED);
		assert_int_equal(files_in(w->dir), 0);
	}
}

static void changed_leaves_nothing(void **state)
{
	struct world *w = *state;
	const size_t places[] = {30, w->stream.len - PLAIN, w->stream.len - 70000, w->stream.len - 1};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		w->stream.data[places[i]] ^= 1;
		assert_int_equal(run(w, w->key, w->stream.data, w->stream.len, false, CTL_OK), CTL_UNVERIFIED);
		assert_int_equal(run(w, w->key, w->stream.data, w->stream.len, true, CTL_OK), CTL_UNVERIFIED);
		w->stream.data[places[i]] ^= 1;
		assert_int_equal(files_in(w->dir), 0);
	}
}

static void another_key_leaves_nothing(void **state)
{
	struct world *w = *state;
	assert_int_equal(run(w, w->other, w->stream.data, w->stream.len, false, CTL_OK), CTL_UNVERIFIED);
	assert_int_equal(files_in(w->dir), 0);
}

static void a_failed_transfer_leaves_nothing(void **state)
{
	struct world *w = *state;
	/* Even when every byte came: the transfer says it was not all. */
	assert_int_equal(run(w, w->key, w->stream.data, w->stream.len, false, CTL_REFUSED), CTL_REFUSED);
	assert_int_equal(files_in(w->dir), 0);
}

static void an_older_file_stays_until_the_end(void **state)
{
	struct world *w = *state;
	char older[8] = "";
	size_t n;
	struct export *e;
	const struct export_target target = {.path = w->path};
	assert_int_equal(file_create(w->path, "older", 5, 0600), VAULT_OK);
	assert_int_equal(export_new(&e, w->key, &target, false, false), CTL_OK);
	assert_int_equal(export_write(e, w->stream.data, w->stream.len - 1), CTL_OK);
	assert_int_equal(export_finish(e, CTL_OK, NULL), CTL_UNVERIFIED);
	assert_int_equal(file_read(w->path, older, sizeof(older), &n), VAULT_OK);
	assert_memory_equal(older, "older", 5);
	assert_int_equal(files_in(w->dir), 1);
}

static void into_memory(void **state)
{
	struct world *w = *state;
	struct export *e;
	struct buf small, large;
	buf_init_secret(&large, PLAIN);
	buf_init_secret(&small, PLAIN - 1);
	const struct export_target to_large = {.memory = &large}, to_small = {.memory = &small};
	assert_int_equal(export_new(&e, w->key, &to_large, false, false), CTL_OK);
	assert_int_equal(export_write(e, w->stream.data, w->stream.len), CTL_OK);
	assert_int_equal(export_finish(e, CTL_OK, NULL), CTL_OK);
	assert_memory_equal(large.data, w->plain, PLAIN);
	assert_int_equal(export_new(&e, w->key, &to_small, false, false), CTL_OK);
	int code = export_write(e, w->stream.data, w->stream.len);
	assert_int_equal(export_finish(e, code, NULL), CTL_LOCAL);
	buf_free(&small);
	buf_free(&large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(whole, setup, teardown),
	    cmocka_unit_test_setup_teardown(sealed_is_kept_as_it_came, setup, teardown),
	    cmocka_unit_test_setup_teardown(cut_leaves_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(changed_leaves_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(another_key_leaves_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_failed_transfer_leaves_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_older_file_stays_until_the_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(into_memory, setup, teardown)};
	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
