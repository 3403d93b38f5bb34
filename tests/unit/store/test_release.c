/* Giving space back: free frames, merging, holes, dead volumes; others' bytes stay. */
#include "store/fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t extents_of(const struct rec *r, struct extent **out)
{
	size_t n = 1;

	for (size_t i = 0; i < r->n_segments; i++)
		n += r->segments[i].n_extents;
	*out = calloc(n, sizeof **out);
	assert_non_null(*out);
	(*out)[0] = r->row.open;
	n = 1;
	for (size_t i = 0; i < r->n_segments; i++) {
		for (size_t k = 0; k < r->segments[i].n_extents; k++)
			(*out)[n++] = r->segments[i].extents[k];
	}
	return n;
}

static uint64_t release(struct volume_set *v, const struct rec *r)
{
	struct extent *e;
	uint64_t freed;

	size_t n = extents_of(r, &e);
	OK(volume_set_release(v, 0, e, n, &freed));
	free(e);
	return freed;
}

static void check_whole(const struct rec *r)
{
	struct opened o;

	rec_read(r, r->f->fd, &o);
	OK(o.err);
	assert_true(o.ended);
	assert_int_equal(o.n, r->n_given);
	assert_memory_equal(o.bytes, r->given, o.n);
	free(o.bytes);
}

static void check_gone(const struct rec *r)
{
	struct opened o;

	rec_read(r, r->f->fd, &o);
	assert_false(o.has_open);
	assert_int_equal(o.n, 0);
}

static bool exists(struct fixture *f, const char *name)
{
	return faccessat(f->fd, name, F_OK, 0) == 0;
}

static void freed_frames_are_gone_others_stay(void **state)
{
	struct fixture *f = *state;
	struct volume_set *v;
	struct stat before, after;

	fixture_mix(f, 6, 100, false);
	for (size_t i = 0; i < f->n_rec; i++) {
		for (int k = 0; k < 20; k++) {
			if (!f->rec[i]->in_segment)
				rec_segment(f->rec[i]);
			rec_chunk(f->rec[i], 20000);
		}
		rec_end(f->rec[i], false);
	}
	fixture_settle(f);
	assert_int_equal(fstatat(f->fd, "lane0-1.vol", &before, 0), 0);
	OK(volume_set_open(&v, f->fd, &f->vault));
	for (size_t i = 0; i < 6; i += 2) {
		uint64_t freed = release(v, f->rec[i]);
		assert_true(freed > 20 * 20000);
		assert_int_equal(release(v, f->rec[i]), 0);      /* a repeat changes nothing */
		check_gone(f->rec[i]);
		check_whole(f->rec[i + 1]);
	}
	assert_int_equal(fstatat(f->fd, "lane0-1.vol", &after, 0), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_true(after.st_blocks < before.st_blocks * 6 / 10);
	volume_set_close(v);

	/* A new set reads the free frames from the file. */
	OK(volume_set_open(&v, f->fd, &f->vault));
	assert_int_equal(release(v, f->rec[0]), 0);
	for (size_t i = 1; i < 6; i += 2)
		assert_true(release(v, f->rec[i]) > 0);
	/* Dead, but the newest of its lane: it stays. */
	assert_true(exists(f, "lane0-1.vol"));
	volume_set_close(v);
}

static void dead_volumes_are_unlinked(void **state)
{
	struct fixture *f = *state;
	struct volume_set *v;
	int fd;

	fixture_mix(f, 3, 30, true);
	fixture_close_lane(f);
	fixture_open_lane(f, 2);
	struct rec *keep = rec_open(f);
	rec_segment(keep);
	rec_chunk(keep, 100);
	rec_end(keep, false);
	fixture_settle(f);
	OK(volume_set_open(&v, f->fd, &f->vault));
	OK(volume_set_fd(v, 0, 1, &fd));
	(void)release(v, f->rec[0]);
	(void)release(v, f->rec[1]);
	assert_true(exists(f, "lane0-1.vol"));
	(void)release(v, f->rec[2]);
	assert_false(exists(f, "lane0-1.vol"));
	assert_true(exists(f, "lane0-2.vol"));
	check_whole(keep);
	assert_int_equal(volume_set_fd(v, 0, 1, &fd), VAULT_E_NOTFOUND);
	assert_int_equal(release(v, f->rec[2]), 0);
	volume_set_close(v);
}

struct count {
	size_t free_frames, others;
};

static vault_err count_frame(void *arg, uint32_t lane, uint64_t volume, const struct frame *f, uint64_t offset,
    const uint8_t *payload)
{
	struct count *c = arg;

	(void)lane;
	(void)volume;
	(void)offset;
	(void)payload;
	if (f->type == FRAME_FREE)
		c->free_frames++;
	else
		c->others++;
	return VAULT_OK;
}

static void neighbours_merge_and_recovery_unlinks_the_dead(void **state)
{
	struct fixture *f = *state;
	struct volume_set *v;
	struct count c = { 0 };
	uint64_t next;

	fixture_mix(f, 3, 60, true);
	OK(volume_set_open(&v, f->fd, &f->vault));
	for (size_t i = 0; i < 3; i++)
		(void)release(v, f->rec[i]);
	/* In the newest volume one free frame for each batch, at most. */
	OK(volume_set_recover(v, 0, 0, 0, count_frame, &c, &next));
	assert_int_equal(c.others, 0);
	assert_true(c.free_frames < f->n_log);
	fixture_close_lane(f);
	fixture_open_lane(f, 2);
	fixture_mix(f, 1, 3, true);
	fixture_close_lane(f);
	OK(volume_set_recover(v, 0, 2, 0, count_frame, &c, &next));
	assert_false(exists(f, "lane0-1.vol"));
	assert_true(exists(f, "lane0-2.vol"));
	volume_set_close(v);
}

static void wrong_extents_are_refused(void **state)
{
	struct fixture *f = *state;
	struct volume_set *v;
	uint64_t freed;

	fixture_mix(f, 2, 40, true);
	OK(volume_set_open(&v, f->fd, &f->vault));
	struct extent open = f->rec[0]->row.open;
	struct extent bad[] = {
		{ .volume = 1, .offset = 0, .length = 4096 },
		{ .volume = 1, .offset = open.offset + 64, .length = 64 },
		{ .volume = 1, .offset = open.offset, .length = open.length + 64 },
		{ .volume = 1, .offset = 4096, .length = 1u << 30 },
		{ .volume = 1, .offset = 4096, .length = 0 },
		{ .volume = 1, .offset = 4096, .length = UINT64_MAX - 63 },
		{ .volume = 1, .offset = 4097, .length = 64 },
		/* Whole frames, but of more than one recording. */
		{ .volume = 1, .offset = 4096, .length = f->log[f->n_log - 1].end - 4096 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(volume_set_release(v, 0, &bad[i], 1, &freed), VAULT_E_CORRUPT);
		assert_int_equal(freed, 0);
	}
	check_whole(f->rec[0]);
	check_whole(f->rec[1]);
	volume_set_close(v);
}

static void release_while_the_lane_writes(void **state)
{
	struct fixture *f = *state;
	struct volume_set *v;

	OK(volume_set_open(&v, f->fd, &f->vault));
	for (size_t round = 0; round < 8; round++) {
		size_t first = f->n_rec;
		fixture_mix(f, 3, 30, true);
		for (size_t i = 0; i < 10; i++) {            /* in flight during the release */
			if (i == 0)
				rec_segment(rec_open(f));
			rec_chunk(f->rec[f->n_rec - 1], 3000);
		}
		(void)release(v, f->rec[first]);
		fixture_settle(f);
		rec_end(f->rec[f->n_rec - 1], false);
		fixture_settle(f);
		check_gone(f->rec[first]);
		for (size_t i = first + 1; i < f->n_rec; i++)
			check_whole(f->rec[i]);
	}
	volume_set_close(v);
}

#define WITH_LANE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LANE(freed_frames_are_gone_others_stay),
		WITH_LANE(dead_volumes_are_unlinked),
		WITH_LANE(neighbours_merge_and_recovery_unlinks_the_dead),
		WITH_LANE(wrong_extents_are_refused),
		WITH_LANE(release_while_the_lane_writes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
