/* Writing through a lane: what is reported done reads back; one sync per batch; keys and buffers. */
#include "store/fixture.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "front/store/pool.h"

static unsigned syncs, writes;
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at);

int __wrap_fdatasync(int fd)
{
	__atomic_add_fetch(&syncs, 1, __ATOMIC_SEQ_CST);
	return __real_fdatasync(fd);
}

ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
	__atomic_add_fetch(&writes, 1, __ATOMIC_SEQ_CST);
	return __real_pwrite(fd, p, n, at);
}

static void check_whole(struct rec *r, bool truncated)
{
	struct opened o;
	uint8_t sha[32];

	rec_read(r, r->f->fd, &o);
	OK(o.err);
	assert_true(o.has_open && o.ended && o.sealed_end);
	assert_int_equal(o.truncated, truncated);
	assert_int_equal(o.n, r->n_given);
	assert_memory_equal(o.bytes, r->given, o.n);
	crypto_hash_sha256(sha, r->given, r->n_given);
	assert_memory_equal(sha, o.manifest.sha256, 32);
	assert_memory_equal(sha, r->manifest.sha256, 32);
	assert_int_equal(o.manifest.bytes, o.n);
	assert_int_equal(o.manifest.segments, o.segments);
	assert_int_equal(o.manifest.flags, truncated ? MANIFEST_TRUNCATED : 0);
	free(o.bytes);
}

static void p1_random_mix_reads_back(void **state)
{
	struct fixture *f = *state;

	fixture_mix(f, 12, 600, true);
	for (size_t i = 0; i < f->n_rec; i++) {
		assert_int_equal(f->rec[i]->errors, 0);
		assert_int_equal(f->rec[i]->acked, f->rec[i]->n_given);
		check_whole(f->rec[i], false);
	}
}

static void volumes_roll_over_between_batches(void **state)
{
	struct fixture *f = *state;
	uint64_t last = 0;

	fixture_close_lane(f);
	f->o.volume_size = 100 * 1024;
	fixture_open_lane(f, 1);
	fixture_mix(f, 5, 800, true);
	for (size_t i = 0; i < f->n_rec; i++)
		check_whole(f->rec[i], false);
	for (size_t i = 0; i < f->n_log; i++) {
		assert_true(f->log[i].volume == last || f->log[i].volume == last + 1);
		last = f->log[i].volume;
	}
	assert_true(last > 3);
}

static void truncated_end_is_sealed_while_the_process_lives(void **state)
{
	struct fixture *f = *state;
	struct rec *r = rec_open(f);

	rec_segment(r);
	rec_chunk(r, 1000);
	f->pending++;                        /* the segment end that store_recording_end submits by itself */
	OK(store_recording_end(r->st, true, 5));
	f->pending++;
	fixture_settle(f);
	check_whole(r, true);
}

static void end_without_a_segment(void **state)
{
	struct fixture *f = *state;
	struct rec *r = rec_open(f);
	struct opened o;

	assert_int_equal(store_recording_end(r->st, false, 0), VAULT_E_STATE);
	rec_end(r, true);
	fixture_settle(f);
	rec_read(r, f->fd, &o);
	OK(o.err);
	assert_true(o.ended && o.truncated && !o.sealed_end);
	assert_true(r->end_done);
	assert_int_equal(r->manifest.flags, MANIFEST_TRUNCATED);
}

static void order_of_calls_is_checked(void **state)
{
	struct fixture *f = *state;
	struct rec *r = rec_open(f);
	uint8_t salt[SEGMENT_SALT_BYTES] = { 0 };
	struct segment_key key = { { 0 }, { 0 } };

	assert_int_equal(store_open(r->st, "{}", 2, salt, 1), VAULT_E_STATE);
	assert_int_equal(store_segment_end(r->st, 0), VAULT_E_STATE);
	assert_int_equal(store_chunk(r->st, 0, 0, store_buffer(f->lane, 10), 10), VAULT_E_STATE);
	rec_segment(r);
	assert_int_equal(store_segment_open(r->st, 1, 0, salt, &key), VAULT_E_STATE);
	assert_int_equal(store_chunk(r->st, 0, 0, store_buffer(f->lane, 10), 0), VAULT_E_RANGE);
	assert_int_equal(store_gap(r->st, 2, 1, 0), VAULT_E_RANGE);
	rec_segment_end(r);
	assert_int_equal(store_segment_open(r->st, 0, 0, salt, &key), VAULT_E_STATE);
	rec_end(r, false);
	assert_int_equal(store_gap(r->st, 1, 2, 0), VAULT_E_STATE);
	assert_int_equal(store_recording_end(r->st, false, 0), VAULT_E_STATE);
	fixture_settle(f);
	assert_null(store_buffer(f->lane, 0));
	assert_null(store_buffer(f->lane, STORE_CHUNK_MAX + 1));
}

static void one_write_and_one_sync_for_many_streams(void **state)
{
	struct fixture *f = *state;

	fixture_close_lane(f);
	f->o.commit_ms = 200;                /* all of it fits in one batch */
	f->o.commit_bytes = 4 * 1024 * 1024;
	fixture_open_lane(f, 1);
	for (int i = 0; i < 50; i++) {
		struct rec *r = rec_open(f);
		rec_segment(r);
		rec_chunk(r, 200);
	}
	unsigned syncs_before = __atomic_load_n(&syncs, __ATOMIC_SEQ_CST);
	unsigned writes_before = __atomic_load_n(&writes, __ATOMIC_SEQ_CST);
	fixture_settle(f);
	/* Header and batch: the volume is new. */
	assert_int_equal(__atomic_load_n(&syncs, __ATOMIC_SEQ_CST) - syncs_before, 2);
	assert_int_equal(__atomic_load_n(&writes, __ATOMIC_SEQ_CST) - writes_before, 2);
}

static void close_finishes_what_is_queued(void **state)
{
	struct fixture *f = *state;
	struct rec *r = rec_open(f);

	rec_segment(r);
	for (int i = 0; i < 100; i++)
		rec_chunk(r, 3000);
	rec_end(r, false);
	fixture_close_lane(f);
	assert_int_equal(f->pending, 0);
	assert_true(r->end_done);
	check_whole(r, false);
}

static void never_called(void *arg, const struct store_done *d)
{
	(void)arg;
	(void)d;
	fail();
}

static void freed_stream_gets_no_callback(void **state)
{
	struct fixture *f = *state;
	struct store_stream *st;
	vault_id id = vault_id_new(1);

	for (int i = 0; i < 100; i++) {
		OK(store_stream_new(&st, f->lane, &id, never_called, NULL));
		OK(store_open(st, "{}", 2, id.b, 1));
		store_stream_free(st);
	}
	OK(store_stream_new(&st, f->lane, &id, never_called, NULL));
	store_stream_free(st);
	struct rec *r = rec_open(f);
	fixture_settle(f);
	assert_true(r->open_done);
	assert_int_equal(store_queued(f->lane), 0);
}

static void queued_bytes_are_counted(void **state)
{
	struct fixture *f = *state;
	struct rec *r = rec_open(f);

	rec_segment(r);
	rec_chunk(r, 5000);
	assert_true(store_queued(f->lane) >= 5000);
	fixture_settle(f);
	assert_int_equal(store_queued(f->lane), 0);
}

static void p10_ten_thousand_keys_need_few_guarded_mappings(void **state)
{
	struct key_slab *k;
	uint8_t *slot[10000];

	(void)state;
	OK(secret_setup());
	OK(key_slab_new(&k));
	for (size_t i = 0; i < 10000; i++) {
		slot[i] = key_slab_take(k);
		assert_non_null(slot[i]);
		memset(slot[i], (int)(i & 0xff), KEY_BYTES);
	}
	assert_true(key_slab_mappings(k) <= 10);
	for (size_t i = 0; i < 10000; i++) {
		assert_int_equal(slot[i][KEY_BYTES - 1], i & 0xff);
		key_slab_give(k, slot[i]);
		assert_true(sodium_is_zero(slot[i], KEY_BYTES));
	}
	key_slab_free(k);
}

static void plaintext_buffers_are_wiped_whole(void **state)
{
	struct buffer_pool p;

	(void)state;
	OK(buffer_pool_init(&p));
	uint8_t *a = buffer_pool_take(&p, 5000);
	memset(a, 0xaa, 8192);
	buffer_pool_give(&p, a);
	uint8_t *b = buffer_pool_take(&p, 8000);
	assert_ptr_equal(a, b);
	assert_true(sodium_is_zero(b, 8192));
	buffer_pool_give(&p, b);
	buffer_pool_destroy(&p);
}

#define WITH_LANE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LANE(p1_random_mix_reads_back),
		WITH_LANE(volumes_roll_over_between_batches),
		WITH_LANE(truncated_end_is_sealed_while_the_process_lives),
		WITH_LANE(end_without_a_segment),
		WITH_LANE(order_of_calls_is_checked),
		WITH_LANE(one_write_and_one_sync_for_many_streams),
		WITH_LANE(close_finishes_what_is_queued),
		WITH_LANE(freed_stream_gets_no_callback),
		WITH_LANE(queued_bytes_are_counted),
		cmocka_unit_test(p10_ten_thousand_keys_need_few_guarded_mappings),
		cmocka_unit_test(plaintext_buffers_are_wiped_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
