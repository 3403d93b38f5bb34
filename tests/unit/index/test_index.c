/* Rows, segments, walks, locks and damage of the index; the clear JSON. */
#include "store/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"

struct dir {
	char path[64];
	int fd;
	vault_id vault;
	struct index *ix;
};

static int setup(void **state)
{
	struct dir *d = calloc(1, sizeof *d);

	assert_non_null(d);
	(void)snprintf(d->path, sizeof d->path, "/tmp/vault-index-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d->vault = vault_id_new(99);
	OK(index_open(&d->ix, d->fd, &d->vault));
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct dir *d = *state;

	index_close(d->ix);
	close(d->fd);
	remove_tree(d->path);
	free(d);
	return 0;
}

static vault_id id_of(uint64_t n)
{
	vault_id id = { { 0 } };

	store_be64(id.b, n << 16);           /* 48 bits of time, then the rest */
	store_be64(id.b + 8, n);
	return id;
}

static struct index_row row_of(uint64_t n)
{
	struct index_row row = { .id = id_of(n), .media = (uint8_t)(1 + n % 2), .container = 1, .state = ROW_ENDED,
		.flags = 3, .n_tracks = 2, .track = { { 1, 5, 1, 48000 }, { 2, 11, 0, 0 } }, .lane = 1, .source = 2,
		.policy = 3, .segments = 4, .start_ms = n, .expires_s = 6, .bytes = 7, .duration_us = 8, .gap_us = 9,
		.open = { .volume = 1, .offset = 4096, .length = 128 } };

	(void)snprintf(row.tenant, sizeof row.tenant, "t%u", (unsigned)(n % 3));
	return row;
}

static void rows_round_trip(void **state)
{
	struct dir *d = *state;
	struct index_row row = row_of(5), out;
	uint64_t n;

	assert_int_equal(index_put(d->ix, &row), VAULT_E_STATE);
	OK(index_begin(d->ix));
	assert_int_equal(index_begin(d->ix), VAULT_E_STATE);
	OK(index_put(d->ix, &row));
	OK(index_get(d->ix, &row.id, &out));         /* the open transaction is seen */
	OK(index_commit(d->ix));
	OK(index_get(d->ix, &row.id, &out));
	rows_equal(&out, &row);
	OK(index_count(d->ix, &n));
	assert_int_equal(n, 1);
	OK(index_begin(d->ix));
	OK(index_delete(d->ix, &row.id));
	assert_int_equal(index_delete(d->ix, &row.id), VAULT_E_NOTFOUND);
	index_abort(d->ix);
	OK(index_get(d->ix, &row.id, &out));
}

static void segments_round_trip_and_collect(void **state)
{
	struct dir *d = *state;
	struct index_row row = row_of(1), other = row_of(2);
	struct index_segment s = { .segment = 0, .start_us = 10, .stream_offset = 20 }, out;
	struct extent *all;
	uint32_t lane;
	size_t n;

	struct extent frames[] = {
		{ 1, 4096, 128, 0, 0 }, { 1, 4224, 1024, 0, 1 },            /* joined */
		{ 1, 8192, 1024, 1, 1 }, { 3, 4096, 64, 2, 0 }, { 3, 4160, 64, 5, 1 },   /* chunks 2 to 4 are lost */
	};
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
		OK(index_segment_add(&s, &frames[i]));
	assert_int_equal(index_segment_add(&s, &frames[1]), VAULT_E_EXISTS);
	assert_int_equal(index_segment_add(&s, &frames[4]), VAULT_E_EXISTS);
	assert_int_equal(s.n_extents, 4);
	assert_int_equal(s.extents[0].length, 1152);
	OK(index_begin(d->ix));
	OK(index_put(d->ix, &row));
	OK(index_put(d->ix, &other));
	OK(index_put_segment(d->ix, &row.id, &s));
	s.segment = 300;
	OK(index_put_segment(d->ix, &row.id, &s));
	s.segment = 0;
	OK(index_put_segment(d->ix, &other.id, &s));
	OK(index_commit(d->ix));
	OK(index_get_segment(d->ix, &row.id, 300, &out));
	assert_int_equal(out.n_extents, s.n_extents);
	assert_memory_equal(out.extents, s.extents, s.n_extents * sizeof *s.extents);
	assert_int_equal(out.start_us, 10);
	assert_int_equal(out.stream_offset, 20);
	OK(index_segment_add(&out, &(struct extent){ 4, 4096, 64, 6, 1 }));      /* a read one grows as well */
	index_segment_free(&out);
	assert_int_equal(index_get_segment(d->ix, &row.id, 1, &out), VAULT_E_NOTFOUND);
	OK(index_extents(d->ix, &row.id, &lane, &all, &n));
	assert_int_equal(n, 9);
	assert_int_equal(lane, 1);
	free(all);
	OK(index_begin(d->ix));
	OK(index_delete(d->ix, &row.id));
	OK(index_commit(d->ix));
	assert_int_equal(index_get_segment(d->ix, &row.id, 0, &out), VAULT_E_NOTFOUND);
	assert_int_equal(index_get_segment(d->ix, &row.id, 300, &out), VAULT_E_NOTFOUND);
	OK(index_get_segment(d->ix, &other.id, 0, &out));
	index_segment_free(&out);
	OK(index_begin(d->ix));
	OK(index_delete(d->ix, &other.id));          /* the cursor runs off the end */
	OK(index_commit(d->ix));
	s.extents[1].offset = 0;
	OK(index_begin(d->ix));
	assert_int_equal(index_put_segment(d->ix, &row.id, &s), VAULT_E_INVAL);
	index_abort(d->ix);
	index_segment_free(&s);
}

struct walk {
	struct dir *d;
	uint64_t expect[16];
	size_t n, stop_at;
};

static vault_err on_row(void *arg, const struct index_row *row)
{
	struct walk *w = arg;
	struct index_row again;

	OK(index_get(w->d->ix, &row->id, &again));   /* reading inside a walk */
	w->expect[w->n++] = row->start_ms;
	return w->n == w->stop_at ? VAULT_E_AGAIN : VAULT_OK;
}

static void walks_filter_and_continue(void **state)
{
	struct dir *d = *state;
	struct walk w = { .d = d };

	OK(index_begin(d->ix));
	for (uint64_t n = 1; n <= 12; n++) {
		struct index_row row = row_of(n * 100000);
		OK(index_put(d->ix, &row));
	}
	OK(index_commit(d->ix));
	OK(index_walk(d->ix, &(struct index_filter){ .tenant = "t1" }, on_row, &w));
	assert_int_equal(w.n, 4);
	assert_int_equal(w.expect[0], 100000);
	assert_int_equal(w.expect[3], 1000000);
	w.n = 0;
	OK(index_walk(d->ix, &(struct index_filter){ .from_ms = 300000, .to_ms = 600000 }, on_row, &w));
	assert_int_equal(w.n, 3);
	assert_int_equal(w.expect[0], 300000);
	w.n = 0;
	OK(index_walk(d->ix, &(struct index_filter){ .media = 2 }, on_row, &w));
	assert_int_equal(w.n, 0);
	w.stop_at = 2;
	assert_int_equal(index_walk(d->ix, &(struct index_filter){ .media = 1 }, on_row, &w), VAULT_E_AGAIN);
	w.stop_at = 0;
	OK(index_walk(d->ix, &(struct index_filter){ .after = id_of(200000) }, on_row, &w));
	assert_int_equal(w.n, 12);
	assert_int_equal(w.expect[2], 300000);
}

static void two_daemons_one_directory(void **state)
{
	struct dir *d = *state;
	struct index *second;
	uint64_t rows;

	assert_int_equal(index_open(&second, d->fd, &d->vault), VAULT_E_BUSY);
	assert_int_equal(index_rebuild(d->fd, d->fd, NULL, NULL, &rows), VAULT_E_BUSY);
	index_close(d->ix);
	OK(index_open(&d->ix, d->fd, &d->vault));
}

static void foreign_or_damaged_index_is_corrupt(void **state)
{
	struct dir *d = *state;
	vault_id other = vault_id_new(1);
	struct index_row row = row_of(1);
	struct stat sb;

	OK(index_begin(d->ix));
	OK(index_put(d->ix, &row));
	OK(index_commit(d->ix));
	index_close(d->ix);
	assert_int_equal(index_open(&d->ix, d->fd, &other), VAULT_E_CORRUPT);
	OK(index_open(&d->ix, d->fd, &d->vault));
	index_close(d->ix);
	int fd = openat(d->fd, "data.mdb", O_RDWR);
	assert_int_equal(fstat(fd, &sb), 0);
	assert_int_equal(ftruncate(fd, 2 * 4096), 0);        /* shorter than its pages */
	assert_int_equal(index_open(&d->ix, d->fd, &d->vault), VAULT_E_CORRUPT);
	uint8_t junk[4096];
	memset(junk, 0x5a, sizeof junk);
	assert_int_equal(pwrite(fd, junk, sizeof junk, 0), (ssize_t)sizeof junk);
	assert_int_equal(pwrite(fd, junk, sizeof junk, 4096), (ssize_t)sizeof junk);
	assert_int_equal(index_open(&d->ix, d->fd, &d->vault), VAULT_E_CORRUPT);
	close(fd);
	d->ix = NULL;
}

/* A value that changed on the disk is found by its checksum. */
static void damaged_row_is_found_when_read(void **state)
{
	struct dir *d = *state;
	struct index_row row = row_of(1), out;
	struct stat sb;
	size_t hits = 0;

	(void)snprintf(row.tenant, sizeof row.tenant, "needle-in-a-haystack");
	OK(index_begin(d->ix));
	OK(index_put(d->ix, &row));
	OK(index_commit(d->ix));
	index_close(d->ix);
	int fd = openat(d->fd, "data.mdb", O_RDWR);
	assert_int_equal(fstat(fd, &sb), 0);
	char *p = malloc((size_t)sb.st_size);
	assert_int_equal(pread(fd, p, (size_t)sb.st_size, 0), sb.st_size);
	for (char *at = p; (at = memmem(at, (size_t)(p + sb.st_size - at), "needle", 6)) != NULL; at++) {
		assert_int_equal(pwrite(fd, "N", 1, at - p), 1);
		hits++;
	}
	assert_true(hits > 0);
	free(p);
	close(fd);
	OK(index_open(&d->ix, d->fd, &d->vault));
	assert_int_equal(index_get(d->ix, &row.id, &out), VAULT_E_CORRUPT);
}

static void low_water_marks(void **state)
{
	struct dir *d = *state;
	uint64_t volume = 1, offset = 1;

	OK(index_low_water(d->ix, 3, &volume, &offset));
	assert_int_equal(volume + offset, 0);
	OK(index_begin(d->ix));
	OK(index_set_low_water(d->ix, 3, 7, 4096));
	OK(index_commit(d->ix));
	OK(index_low_water(d->ix, 3, &volume, &offset));
	assert_int_equal(volume, 7);
	assert_int_equal(offset, 4096);
	OK(index_low_water(d->ix, 2, &volume, &offset));
	assert_int_equal(volume, 0);
}

static void many_rows_grow_the_map(void **state)
{
	struct dir *d = *state;
	struct index_segment s = { 0 };
	uint64_t n;

	for (uint32_t i = 0; i < 4000; i++)
		OK(index_segment_add(&s, &(struct extent){ 1, 4096 + i * 64000ull, 64, i, 1 }));
	for (uint64_t t = 0; t < 20; t++) {          /* about 0.6 GB: more than the first map holds */
		OK(index_begin(d->ix));
		for (uint64_t i = 0; i < 1200; i++) {
			struct index_row row = row_of(t * 1200 + i);
			OK(index_put(d->ix, &row));
			OK(index_put_segment(d->ix, &row.id, &s));
		}
		OK(index_commit(d->ix));
	}
	OK(index_count(d->ix, &n));
	assert_int_equal(n, 24000);
	index_segment_free(&s);
}

/* ---- clear JSON ---- */

static void clear_json_round_trip(void **state)
{
	struct index_row row = row_of(3), out;
	char *text;
	size_t len;

	(void)state;
	OK(index_row_to_clear(&row, &text, &len));
	static const char want[] = "{\"container\":1,\"expires_s\":6,\"media\":2,\"policy\":3,\"source\":2,\"start_ms\":3,"
	    "\"tenant\":\"t0\",\"tracks\":[{\"channels\":1,\"codec\":5,\"medium\":1,\"rate\":48000},"
	    "{\"channels\":0,\"codec\":11,\"medium\":2,\"rate\":0}],\"v\":1}";
	assert_int_equal(len, sizeof want - 1);
	assert_memory_equal(text, want, len);
	OK(index_row_from_clear(&out, text, len));
	assert_string_equal(out.tenant, "t0");
	assert_int_equal(out.media, row.media);
	assert_int_equal(out.n_tracks, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(out.track[i].codec, row.track[i].codec);
		assert_int_equal(out.track[i].rate, row.track[i].rate);
	}
	assert_int_equal(out.expires_s, row.expires_s);
	free(text);
}

static void r8_clear_json_is_closed(void **state)
{
#define REST "\"container\":1,\"expires_s\":6,\"media\":1,\"policy\":3,\"source\":2,\"start_ms\":3"
	static const char *const bad[] = {
		"", "[]", "{}", "null",
		"{" REST ",\"tenant\":\"t\",\"tracks\":[],\"v\":2}",
		"{" REST ",\"tenant\":\"t\",\"tracks\":[]}",
		"{" REST ",\"tenant\":\"T\",\"tracks\":[],\"v\":1}",
		"{" REST ",\"tenant\":\"\",\"tracks\":[],\"v\":1}",
		"{" REST ",\"tenant\":\"012345678901234567890123456789012\",\"tracks\":[],\"v\":1}",
		"{" REST ",\"tenant\":\"t\",\"tracks\":[],\"v\":1,\"caller\":\"+49\"}",
		"{" REST ",\"tenant\":\"t\",\"tracks\":{},\"v\":1}",
		"{" REST ",\"tenant\":\"t\",\"tracks\":[1],\"v\":1}",
		"{" REST ",\"tenant\":\"t\",\"tracks\":[{\"channels\":1,\"codec\":19,\"medium\":1,\"rate\":8000}],\"v\":1}",
		"{" REST ",\"tenant\":\"t\",\"tracks\":[{\"channels\":256,\"codec\":1,\"medium\":1,\"rate\":8000}],\"v\":1}",
		"{" REST ",\"tenant\":\"t\",\"tracks\":[{\"channels\":1,\"codec\":1,\"medium\":3,\"rate\":8000}],\"v\":1}",
		"{" REST ",\"tenant\":\"t\",\"tracks\":[{\"channels\":1,\"codec\":1,\"medium\":1}],\"v\":1}",
		"{" REST ",\"tenant\":\"t\",\"tracks\":[{\"channels\":1,\"codec\":1,\"medium\":1,\"rate\":1,\"x\":1}],\"v\":1}",
		"{" REST ",\"tenant\":\"t\",\"tracks\":[],\"v\":1,\"v\":1}",
		"{" REST ",\"tenant\":\"t\",\"tracks\":[],\"v\":-1}",
		"{\"container\":5,\"expires_s\":6,\"media\":1,\"policy\":3,\"source\":2,\"start_ms\":3,\"tenant\":\"t\",\"tracks\":[],\"v\":1}",
		"{\"container\":1,\"expires_s\":6,\"media\":0,\"policy\":3,\"source\":2,\"start_ms\":3,\"tenant\":\"t\",\"tracks\":[],\"v\":1}",
		"{\"container\":1,\"expires_s\":6.5,\"media\":1,\"policy\":3,\"source\":2,\"start_ms\":3,\"tenant\":\"t\",\"tracks\":[],\"v\":1}",
	};
	struct index_row row;
	static const char good[] = "{" REST ",\"tenant\":\"t\",\"tracks\":[],\"v\":1}";

	(void)state;
	OK(index_row_from_clear(&row, good, sizeof good - 1));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_not_equal(index_row_from_clear(&row, bad[i], strlen(bad[i])), VAULT_OK);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(rows_round_trip),
		WITH_DIR(segments_round_trip_and_collect),
		WITH_DIR(walks_filter_and_continue),
		WITH_DIR(two_daemons_one_directory),
		WITH_DIR(foreign_or_damaged_index_is_corrupt),
		WITH_DIR(damaged_row_is_found_when_read),
		WITH_DIR(low_water_marks),
		WITH_DIR(many_rows_grow_the_map),
		cmocka_unit_test(clear_json_round_trip),
		cmocka_unit_test(r8_clear_json_is_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
