/* Recovery: every truncation, torn last batches, damage in the middle, headless files. */
#include "store/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	uint8_t *p;
	size_t n;
};

static struct file slurp(int dir, const char *name)
{
	struct stat sb;
	struct file file;

	int fd = openat(dir, name, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &sb), 0);
	file.n = (size_t)sb.st_size;
	file.p = malloc(file.n);
	assert_non_null(file.p);
	assert_int_equal(read(fd, file.p, file.n), (ssize_t)file.n);
	close(fd);
	return file;
}

static void spill(int dir, const char *name, const uint8_t *p, size_t n)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), (ssize_t)n);
	close(fd);
}

struct seen {
	struct fixture *f;
	size_t frames;
	uint64_t end;
	uint64_t bytes[RECS_MAX];    /* of chunks, per recording */
};

static vault_err see(void *arg, uint32_t lane, uint64_t volume, const struct frame *f, uint64_t offset,
    const uint8_t *payload)
{
	struct seen *s = arg;

	assert_int_equal(lane, 0);
	(void)volume;
	assert_int_equal(payload != NULL, f->type == FRAME_RECORDING_OPEN || f->type == FRAME_SEGMENT_OPEN ||
	    f->type == FRAME_GAP);
	s->frames++;
	s->end = offset + frame_span(f->length);
	for (size_t i = 0; i < s->f->n_rec; i++) {
		if (f->type == FRAME_CHUNK && vault_id_equal(&f->id, &s->f->rec[i]->id))
			s->bytes[i] += f->length - AEAD_TAG_BYTES;
	}
	return VAULT_OK;
}

static uint64_t recover(struct fixture *f, struct seen *s, uint64_t *damaged)
{
	struct volume_set *v;
	uint64_t next;

	*s = (struct seen){ .f = f };
	OK(volume_set_open(&v, f->fd, &f->vault));
	OK(volume_set_recover(v, 0, 0, 0, see, s, &next));
	*damaged = volume_set_damaged(v);
	volume_set_close(v);
	return next;
}

static size_t size_of(struct fixture *f, const char *name)
{
	struct stat sb;

	return fstatat(f->fd, name, &sb, 0) == 0 ? (size_t)sb.st_size : 0;
}

/* Every acknowledged frame whose end lies before limit must be among what recovery saw. */
static void check_acked(struct fixture *f, const struct seen *s, size_t limit)
{
	for (size_t i = 0; i < f->n_rec; i++) {
		uint64_t want = 0;
		for (size_t k = 0; k < f->n_log; k++) {
			if (f->log[k].rec == f->rec[i] && f->log[k].end <= limit)
				want = f->log[k].bytes;
		}
		assert_true(s->bytes[i] >= want);
	}
}

static void p1_every_truncation(void **state)
{
	struct fixture *f = *state;
	struct seen s;
	uint64_t damaged;

	fixture_mix(f, 4, 60, true);
	fixture_close_lane(f);
	struct file file = slurp(f->fd, "lane0-1.vol");
	for (size_t n = 0; n <= file.n; n += n % FRAME_ALIGN == 1 ? FRAME_ALIGN - 2 : 1) {
		if (n > VOLUME_HEADER_BYTES + 20000 && n % 1024 > 128 && n + 2000 < file.n)
			continue;                    /* in large chunks every byte is like the next */
		spill(f->fd, "lane0-1.vol", file.p, n);
		assert_int_equal(recover(f, &s, &damaged), 2);
		assert_int_equal(damaged, 0);
		check_acked(f, &s, n);
		size_t now = size_of(f, "lane0-1.vol");
		assert_int_equal(now, n < VOLUME_HEADER_BYTES ? 0 : s.frames > 0 ? s.end : VOLUME_HEADER_BYTES);
	}
	spill(f->fd, "lane0-1.vol", file.p, file.n);
	for (size_t i = 0; i < f->n_rec; i++) {
		struct opened o;
		rec_read(f->rec[i], f->fd, &o);
		OK(o.err);
		assert_int_equal(o.n, f->rec[i]->n_given);
		free(o.bytes);
	}
	free(file.p);
}

static size_t last_batch(const struct file *file)
{
	size_t at = VOLUME_HEADER_BYTES, batch = 0;

	while (at < file->n) {
		struct frame f;
		OK(frame_decode(&f, file->p + at));
		if ((f.flags & FRAME_FLAG_BATCH) != 0)
			batch = at;
		at += (size_t)frame_span(f.length);
	}
	return batch;
}

/* Sectors of an unsynced batch reach the disk in any order: lose some, at random. */
static void p1_torn_last_batch(void **state)
{
	struct fixture *f = *state;
	struct seen s;
	uint64_t damaged;

	f->o.commit_ms = 30;
	fixture_mix(f, 4, 40, false);
	for (int i = 0; i < 30; i++)
		rec_chunk(f->rec[0], 700);
	fixture_close_lane(f);
	struct file file = slurp(f->fd, "lane0-1.vol");
	uint8_t *torn = malloc(file.n);
	assert_non_null(torn);
	size_t batch = last_batch(&file);
	assert_true(file.n - batch > 4096);
	for (int round = 0; round < 300; round++) {
		memcpy(torn, file.p, file.n);
		size_t first_lost = file.n;
		for (size_t at = batch; at < file.n; at = at / 512 * 512 + 512) {
			if (fixture_random(f, 6) != 0)
				continue;
			size_t end = at / 512 * 512 + 512 < file.n ? at / 512 * 512 + 512 : file.n;
			memset(torn + at, 0, end - at);
			if (first_lost == file.n)
				first_lost = at;
		}
		spill(f->fd, "lane0-1.vol", torn, file.n);
		(void)recover(f, &s, &damaged);
		assert_int_equal(damaged, 0);
		check_acked(f, &s, first_lost);
		/* Whatever is left verifies. */
		for (size_t i = 0; i < f->n_rec; i++) {
			struct opened o;
			rec_read(f->rec[i], f->fd, &o);
			OK(o.err);
			assert_int_equal(o.n, s.bytes[i]);
			assert_true(o.n == 0 || memcmp(o.bytes, f->rec[i]->given, o.n) == 0);
			free(o.bytes);
		}
		/* It has no hole: a second recovery changes nothing. */
		struct seen again;
		size_t now = size_of(f, "lane0-1.vol");
		(void)recover(f, &again, &damaged);
		assert_int_equal(again.frames, s.frames);
		assert_int_equal(size_of(f, "lane0-1.vol"), now);
		assert_true(now >= batch);
	}
	free(torn);
	free(file.p);
}

static void damage_in_the_middle_is_kept_and_reported(void **state)
{
	struct fixture *f = *state;
	struct seen whole, s;
	uint64_t damaged;

	fixture_mix(f, 4, 100, true);
	fixture_close_lane(f);
	(void)recover(f, &whole, &damaged);
	assert_int_equal(damaged, 0);
	struct file file = slurp(f->fd, "lane0-1.vol");
	file.p[VOLUME_HEADER_BYTES + 8] ^= 1;        /* the very first frame's header */
	spill(f->fd, "lane0-1.vol", file.p, file.n);
	(void)recover(f, &s, &damaged);
	assert_int_equal(damaged, 1);
	assert_int_equal(s.frames, whole.frames - 1);
	assert_int_equal(size_of(f, "lane0-1.vol"), file.n);
	free(file.p);
}

static void torn_tail_of_an_older_volume_is_ignored_not_cut(void **state)
{
	struct fixture *f = *state;
	struct seen s;
	uint64_t damaged;

	fixture_mix(f, 2, 20, true);
	fixture_close_lane(f);
	struct file file = slurp(f->fd, "lane0-1.vol");
	uint8_t *torn = calloc(1, file.n + 640);
	assert_non_null(torn);
	memcpy(torn, file.p, file.n);
	memset(torn + file.n, 0x5a, 600);
	spill(f->fd, "lane0-1.vol", torn, file.n + 640);
	fixture_open_lane(f, 2);
	fixture_mix(f, 1, 5, true);
	fixture_close_lane(f);
	assert_int_equal(recover(f, &s, &damaged), 3);
	assert_int_equal(damaged, 0);
	assert_int_equal(size_of(f, "lane0-1.vol"), file.n + 640);
	free(torn);
	free(file.p);
}

static void headless_newest_file_is_removed_foreign_one_refused(void **state)
{
	struct fixture *f = *state;
	struct volume_set *v;
	struct seen s = { .f = f };
	uint64_t damaged, next;
	vault_id other = vault_id_new(1);

	fixture_mix(f, 1, 5, true);
	fixture_close_lane(f);
	spill(f->fd, "lane0-2.vol", (const uint8_t *)"", 0);
	assert_int_equal(recover(f, &s, &damaged), 3);
	assert_int_equal(faccessat(f->fd, "lane0-2.vol", F_OK, 0), -1);
	OK(volume_set_open(&v, f->fd, &other));
	assert_int_equal(volume_set_recover(v, 0, 0, 0, see, &s, &next), VAULT_E_CORRUPT);
	volume_set_close(v);
}

static void recovery_from_a_mark_tells_only_what_is_behind(void **state)
{
	struct fixture *f = *state;
	struct volume_set *v;
	struct seen s = { .f = f }, whole;
	uint64_t next, damaged;

	fixture_mix(f, 3, 40, true);
	fixture_close_lane(f);
	(void)recover(f, &whole, &damaged);
	OK(volume_set_open(&v, f->fd, &f->vault));
	OK(volume_set_recover(v, 0, 1, f->log[f->n_log - 2].end, see, &s, &next));
	assert_int_equal(s.frames, 1);
	s.frames = 0;
	OK(volume_set_recover(v, 0, 5, 4096, see, &s, &next));
	assert_int_equal(s.frames, 0);
	assert_int_equal(next, 6);
	volume_set_close(v);
}

#define WITH_LANE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LANE(p1_every_truncation),
		WITH_LANE(p1_torn_last_batch),
		WITH_LANE(damage_in_the_middle_is_kept_and_reported),
		WITH_LANE(torn_tail_of_an_older_volume_is_ignored_not_cut),
		WITH_LANE(headless_newest_file_is_removed_foreign_one_refused),
		WITH_LANE(recovery_from_a_mark_tells_only_what_is_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
