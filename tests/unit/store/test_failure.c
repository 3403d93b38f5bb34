/* Disks that fail: poisoned volumes, full disks, short writes. The store's pwrite and fdatasync are wrapped. */
#include "store/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_sync_at = -1, fail_write_at = -1, fail_errno, short_writes;
static int syncs_on_bad_fd, bad_fd = -1;
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at);

static bool due(int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST) >= 0 && __atomic_sub_fetch(counter, 1, __ATOMIC_SEQ_CST) == -1;
}

int __wrap_fdatasync(int fd)
{
	struct stat sb;

	if (fstat(fd, &sb) == 0 && (int)sb.st_ino == __atomic_load_n(&bad_fd, __ATOMIC_SEQ_CST))
		__atomic_add_fetch(&syncs_on_bad_fd, 1, __ATOMIC_SEQ_CST);
	if (due(&fail_sync_at)) {
		if (fstat(fd, &sb) == 0)
			__atomic_store_n(&bad_fd, (int)sb.st_ino, __ATOMIC_SEQ_CST);
		errno = fail_errno;
		return -1;
	}
	return __real_fdatasync(fd);
}

ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (due(&fail_write_at)) {
		/* Half of it reaches the file first, as a real failure may leave it. */
		ssize_t half = __real_pwrite(fd, p, n / 2, at);
		(void)half;
		errno = fail_errno;
		return -1;
	}
	if (__atomic_load_n(&short_writes, __ATOMIC_SEQ_CST) && n > 100)
		n = 100;
	return __real_pwrite(fd, p, n, at);
}

static int setup(void **state)
{
	fail_sync_at = fail_write_at = -1;
	short_writes = 0;
	syncs_on_bad_fd = 0;
	bad_fd = -1;
	return fixture_setup(state);
}

static void check_prefix(struct rec *r)
{
	struct opened o;

	rec_read(r, r->f->fd, &o);
	OK(o.err);
	assert_true(o.n >= r->acked);
	assert_true(o.n <= r->n_given);
	if (o.n > 0)
		assert_memory_equal(o.bytes, r->given, o.n);
	free(o.bytes);
}

/* A stream that was hit fails for good with the error, keeps its prefix and takes an unsealed end. */
static void check_rescue(struct rec *r, vault_err err)
{
	struct opened o;
	uint64_t acked = r->acked;

	rec_chunk(r, 100);
	fixture_settle(r->f);
	assert_int_equal(r->last_err, err);
	assert_int_equal(r->acked, acked);
	rec_end(r, true);
	fixture_settle(r->f);
	assert_true(r->end_done);
	assert_int_equal(r->manifest.bytes, acked);
	rec_read(r, r->f->fd, &o);
	OK(o.err);
	assert_true(o.ended && o.truncated && !o.sealed_end);
	assert_int_equal(o.n, acked);
	assert_memory_equal(o.bytes, r->given, o.n);
	free(o.bytes);
}

static void failing_disk(struct fixture *f, int *what, int errnum)
{
	struct rec *hit = rec_open(f), *idle = rec_open(f);

	rec_segment(hit);
	rec_segment(idle);
	rec_chunk(hit, 700);
	rec_chunk(idle, 700);
	fixture_settle(f);
	uint64_t volume = f->log[f->n_log - 1].volume;
	fail_errno = errnum;
	__atomic_store_n(what, 0, __ATOMIC_SEQ_CST);
	rec_chunk(hit, 900);
	fixture_settle(f);
	assert_int_equal(hit->errors, 1);
	assert_int_equal(hit->acked, 700);
	/* What failed is not left behind the durable frames. */
	struct stat sb;
	assert_int_equal(fstatat(f->fd, "lane0-1.vol", &sb, 0), 0);
	assert_int_equal(sb.st_size, f->log[f->n_log - 1].end);
	check_rescue(hit, vault_err_from_errno(errnum));
	/* The other stream had nothing in flight and goes on. */
	rec_chunk(idle, 800);
	rec_end(idle, false);
	fixture_settle(f);
	assert_int_equal(idle->errors, 0);
	assert_int_equal(idle->acked, 1500);
	check_prefix(idle);
	if (errnum == EIO)
		assert_int_equal(f->log[f->n_log - 1].volume, volume + 1);
	else
		assert_int_equal(f->log[f->n_log - 1].volume, volume);
	assert_int_equal(syncs_on_bad_fd, 0);
}

static void failed_write_poisons_the_volume(void **state)
{
	failing_disk(*state, &fail_write_at, EIO);
}

static void failed_sync_is_never_repeated(void **state)
{
	failing_disk(*state, &fail_sync_at, EIO);
}

static void full_disk_cuts_the_partial_tail_and_recovers(void **state)
{
	struct fixture *f = *state;

	failing_disk(f, &fail_write_at, ENOSPC);
	assert_false(store_full(f->lane));   /* there is room in truth: seen before the next batch */
}

static void full_disk_while_a_volume_is_created(void **state)
{
	struct fixture *f = *state;

	fail_errno = ENOSPC;
	__atomic_store_n(&fail_write_at, 0, __ATOMIC_SEQ_CST);
	struct rec *r = rec_open(f);
	fixture_settle(f);
	assert_int_equal(r->last_err, VAULT_E_FULL);
	assert_false(r->open_done);
	/* Its open frame is not durable: there is nothing to end. */
	OK(store_recording_end(r->st, true, 0));
	f->pending++;
	fixture_settle(f);
	assert_int_equal(r->errors, 2);
	struct rec *next = rec_open(f);
	rec_segment(next);
	rec_chunk(next, 10);
	rec_end(next, false);
	fixture_settle(f);
	assert_int_equal(next->errors, 0);
	check_prefix(next);
}

static void short_writes_are_continued(void **state)
{
	struct fixture *f = *state;

	__atomic_store_n(&short_writes, 1, __ATOMIC_SEQ_CST);
	fixture_mix(f, 3, 60, true);
	for (size_t i = 0; i < f->n_rec; i++) {
		assert_int_equal(f->rec[i]->errors, 0);
		check_prefix(f->rec[i]);
	}
}

/* P1: at every write and every sync in turn, what was acknowledged reads back. */
static void p1_fail_at_every_write_and_sync(void **state)
{
	for (int i = 0; i < 40; i++) {
		void *inner = NULL;
		setup(&inner);
		struct fixture *f = inner;
		fail_errno = i % 3 == 0 ? ENOSPC : EIO;
		__atomic_store_n(i % 2 == 0 ? &fail_write_at : &fail_sync_at, i / 2, __ATOMIC_SEQ_CST);
		for (int k = 0; k < 4; k++)
			rec_segment(rec_open(f));
		for (int k = 0; k < 60; k++) {
			rec_chunk(f->rec[k % 4], 1 + (size_t)fixture_random(f, 3000));
			if (k % 3 == 0)
				fixture_settle(f);
		}
		fixture_settle(f);
		for (size_t k = 0; k < f->n_rec; k++)
			check_prefix(f->rec[k]);
		fixture_teardown(&inner);
	}
	(void)state;
}

#define WITH_LANE(test) cmocka_unit_test_setup_teardown(test, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LANE(failed_write_poisons_the_volume),
		WITH_LANE(failed_sync_is_never_repeated),
		WITH_LANE(full_disk_cuts_the_partial_tail_and_recovers),
		WITH_LANE(full_disk_while_a_volume_is_created),
		WITH_LANE(short_writes_are_continued),
		cmocka_unit_test(p1_fail_at_every_write_and_sync),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
