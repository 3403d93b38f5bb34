/* P8: the index is disposable. Catching up, orphans, replays, rebuilds. */
#include "store/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dirs {
	struct fixture *f;
	char path[64];
	int fd;
	struct index *ix;
	size_t told, told_truncated;
};

static int setup(void **state)
{
	struct dirs *d = calloc(1, sizeof *d);
	void *inner;

	assert_non_null(d);
	fixture_setup(&inner);
	d->f = inner;
	(void)snprintf(d->path, sizeof d->path, "/tmp/vault-index-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	OK(index_open(&d->ix, d->fd, &d->f->vault));
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct dirs *d = *state;
	void *inner = d->f;

	index_close(d->ix);
	close(d->fd);
	remove_tree(d->path);
	fixture_teardown(&inner);
	free(d);
	return 0;
}

static void on_orphan(void *arg, const struct index_row *row)
{
	struct dirs *d = arg;

	d->told++;
	assert_int_not_equal(row->state, ROW_LIVE);
	d->told_truncated += row->state == ROW_TRUNCATED;
}

static void recover(struct dirs *d)
{
	struct volume_set *v;

	d->told = d->told_truncated = 0;
	OK(volume_set_open(&v, d->f->fd, &d->f->vault));
	OK(index_recover(d->ix, v, on_orphan, d));
	volume_set_close(v);
}

static void put_rec(struct dirs *d, const struct rec *r)
{
	OK(index_put(d->ix, &r->row));
	for (size_t i = 0; i < r->n_segments; i++)
		OK(index_put_segment(d->ix, &r->id, &r->segments[i]));
}

/* As the index writer would: everything that was reported done. */
static void put_all(struct dirs *d)
{
	OK(index_begin(d->ix));
	for (size_t i = 0; i < d->f->n_rec; i++)
		put_rec(d, d->f->rec[i]);
	OK(index_set_low_water(d->ix, 0, d->f->log[d->f->n_log - 1].volume, d->f->log[d->f->n_log - 1].end));
	OK(index_commit(d->ix));
}

static void check_equal(struct dirs *d, const struct rec *r)
{
	struct index_row row;
	struct index_segment s;

	OK(index_get(d->ix, &r->id, &row));
	rows_equal(&row, &r->row);
	for (size_t i = 0; i < r->n_segments; i++) {
		OK(index_get_segment(d->ix, &r->id, r->segments[i].segment, &s));
		assert_int_equal(s.start_us, r->segments[i].start_us);
		assert_int_equal(s.stream_offset, r->segments[i].stream_offset);
		assert_int_equal(s.n_extents, r->segments[i].n_extents);
		assert_memory_equal(s.extents, r->segments[i].extents, s.n_extents * sizeof *s.extents);
		index_segment_free(&s);
	}
	assert_int_equal(index_get_segment(d->ix, &r->id, row.segments, &s), VAULT_E_NOTFOUND);
}

static void on_progress(void *arg, uint64_t done, uint64_t all)
{
	uint64_t *last = arg;

	assert_true(done >= *last && done <= all);
	*last = done;
}

static void rebuild(struct dirs *d, uint64_t want)
{
	uint64_t rows, last = 0;

	index_close(d->ix);
	OK(index_rebuild(d->fd, d->f->fd, on_progress, &last, &rows));
	assert_int_equal(rows, want);
	assert_true(last > 0);
	OK(index_open(&d->ix, d->fd, &d->f->vault));
}

static void p8_rebuilt_index_equals_the_written_one(void **state)
{
	struct dirs *d = *state;

	fixture_close_lane(d->f);
	d->f->o.volume_size = 200 * 1024;
	fixture_open_lane(d->f, 1);
	fixture_mix(d->f, 20, 900, true);
	fixture_close_lane(d->f);
	put_all(d);
	for (size_t i = 0; i < d->f->n_rec; i++)
		check_equal(d, d->f->rec[i]);
	rebuild(d, d->f->n_rec);
	for (size_t i = 0; i < d->f->n_rec; i++)
		check_equal(d, d->f->rec[i]);
	recover(d);
	assert_int_equal(d->told, 0);
	for (size_t i = 0; i < d->f->n_rec; i++)
		check_equal(d, d->f->rec[i]);
}

/* The index stands at any earlier point, with rows ahead of its mark: catching up gives the same. */
static void p8_replay_from_any_mark(void **state)
{
	struct dirs *d = *state;

	fixture_mix(d->f, 6, 150, true);
	fixture_close_lane(d->f);
	for (size_t mark = 0; mark < d->f->n_log; mark += 7) {
		index_close(d->ix);
		(void)unlinkat(d->fd, "data.mdb", 0);
		(void)unlinkat(d->fd, "lock.mdb", 0);
		OK(index_open(&d->ix, d->fd, &d->f->vault));
		OK(index_begin(d->ix));
		for (size_t i = 0; i < d->f->n_rec; i++) {
			if (i % 2 == 0)
				put_rec(d, d->f->rec[i]);
		}
		if (mark % 2 == 0)           /* rows that are not there yet need the volumes from the start */
			OK(index_set_low_water(d->ix, 0, 1, VOLUME_HEADER_BYTES));
		OK(index_commit(d->ix));
		recover(d);
		assert_int_equal(d->told, d->f->n_rec / 2);
		for (size_t i = 0; i < d->f->n_rec; i++)
			check_equal(d, d->f->rec[i]);
	}
}

/* An index writer that stopped in mid-stream: the rest comes from the volumes. */
static void catch_up_from_a_live_row(struct dirs *d, bool mark_behind)
{
	struct rec *r = rec_open(d->f);

	rec_segment(r);
	rec_chunk(r, 1000);
	fixture_settle(d->f);
	put_all(d);
	if (mark_behind) {                   /* the row is ahead of the mark: its frames come by again */
		OK(index_begin(d->ix));
		OK(index_set_low_water(d->ix, 0, 1, VOLUME_HEADER_BYTES));
		OK(index_commit(d->ix));
	}
	rec_chunk(r, 1000);
	rec_segment_end(r);
	rec_segment(r);
	rec_chunk(r, 500);
	rec_end(r, false);
	fixture_settle(d->f);
	fixture_close_lane(d->f);
	recover(d);
	assert_int_equal(d->told, 1);
	assert_int_equal(d->told_truncated, 0);
	check_equal(d, r);
}

static void catches_up_from_a_live_row(void **state)
{
	catch_up_from_a_live_row(*state, false);
}

static void catches_up_from_a_mark_behind_the_row(void **state)
{
	catch_up_from_a_live_row(*state, true);
}

static void orphans_are_closed_told_and_stay_closed(void **state)
{
	struct dirs *d = *state;
	struct opened o;

	fixture_mix(d->f, 5, 80, false);
	struct rec *bare = rec_open(d->f);           /* not even a segment */
	fixture_settle(d->f);
	put_all(d);
	struct rec *late = rec_open(d->f);           /* not in the index */
	rec_segment(late);
	rec_chunk(late, 300);
	fixture_settle(d->f);
	fixture_close_lane(d->f);
	recover(d);
	assert_int_equal(d->told, 7);
	assert_int_equal(d->told_truncated, 7);
	for (size_t i = 0; i < d->f->n_rec; i++) {
		struct rec *r = d->f->rec[i];
		struct index_row row;
		OK(index_get(d->ix, &r->id, &row));
		assert_int_equal(row.state, ROW_TRUNCATED);
		assert_int_equal(row.bytes, r->n_given);
		assert_int_equal(row.segments, r->row.segments);
		rec_read(r, d->f->fd, &o);
		OK(o.err);
		assert_true(o.ended && o.truncated && !o.sealed_end);
		assert_int_equal(o.n, r->n_given);
		free(o.bytes);
		/* What the rebuild must find again. */
		uint32_t lane;
		struct extent *e;
		size_t n;
		OK(index_extents(d->ix, &r->id, &lane, &e, &n));
		assert_true(n >= 2);
		free(e);
		r->row = row;
	}
	(void)bare;
	recover(d);
	assert_int_equal(d->told, 0);
	rebuild(d, d->f->n_rec);
	for (size_t i = 0; i < d->f->n_rec; i++) {
		struct index_row row;
		OK(index_get(d->ix, &d->f->rec[i]->id, &row));
		rows_equal(&row, &d->f->rec[i]->row);
	}
}

static void rebuild_leaves_live_ones_to_the_next_recovery(void **state)
{
	struct dirs *d = *state;
	struct rec *r = rec_open(d->f);
	struct index_row row;

	rec_segment(r);
	rec_chunk(r, 300);
	fixture_settle(d->f);
	fixture_close_lane(d->f);
	rebuild(d, 1);
	OK(index_get(d->ix, &r->id, &row));
	assert_int_equal(row.state, ROW_LIVE);
	assert_int_equal(row.bytes, 300);
	recover(d);
	assert_int_equal(d->told_truncated, 1);
	OK(index_get(d->ix, &r->id, &row));
	assert_int_equal(row.state, ROW_TRUNCATED);
}

static void released_recordings_do_not_come_back(void **state)
{
	struct dirs *d = *state;
	struct volume_set *v;
	struct index_row row;
	struct extent *e;
	uint64_t freed;
	uint32_t lane;
	size_t n;

	fixture_mix(d->f, 4, 80, true);
	fixture_close_lane(d->f);
	put_all(d);
	OK(volume_set_open(&v, d->f->fd, &d->f->vault));
	OK(index_extents(d->ix, &d->f->rec[1]->id, &lane, &e, &n));
	OK(volume_set_release(v, lane, e, n, &freed));
	assert_true(freed > 0);
	free(e);
	volume_set_close(v);
	rebuild(d, 3);
	assert_int_equal(index_get(d->ix, &d->f->rec[1]->id, &row), VAULT_E_NOTFOUND);
	check_equal(d, d->f->rec[0]);
	check_equal(d, d->f->rec[2]);
	check_equal(d, d->f->rec[3]);
}

static void rebuild_of_nothing(void **state)
{
	struct dirs *d = *state;
	uint64_t rows = 1;

	index_close(d->ix);
	OK(index_rebuild(d->fd, d->f->fd, NULL, NULL, &rows));
	assert_int_equal(rows, 0);
	OK(index_open(&d->ix, d->fd, &d->f->vault));
	recover(d);
	assert_int_equal(d->told, 0);
}

#define WITH_DIRS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIRS(p8_rebuilt_index_equals_the_written_one),
		WITH_DIRS(p8_replay_from_any_mark),
		WITH_DIRS(catches_up_from_a_live_row),
		WITH_DIRS(catches_up_from_a_mark_behind_the_row),
		WITH_DIRS(orphans_are_closed_told_and_stay_closed),
		WITH_DIRS(rebuild_leaves_live_ones_to_the_next_recovery),
		WITH_DIRS(released_recordings_do_not_come_back),
		WITH_DIRS(rebuild_of_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
