/*
 * test_life.c - recordings that come in whole: bytes, times, segments, credit,
 * names, the index.
 */
#include "ingest/fixture.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void check_whole(struct lane *l, const struct upload *u)
{
	struct opened o;
	uint8_t sha[32];

	assert_true(u->over && !u->failed);
	assert_int_equal(u->result.bytes, u->len);
	assert_false(u->result.truncated);
	(void)SHA256(u->data, u->len, sha);
	assert_memory_equal(u->result.sha256, sha, 32);
	recording_read(l, &u->result.id, &o);
	assert_int_equal(o.n, u->len);
	assert_memory_equal(o.bytes, u->data, u->len);
	assert_true(o.ended && !o.truncated && o.sealed_end);
	assert_memory_equal(o.manifest.sha256, sha, 32);
	assert_true(o.manifest.duration_us == u->result.duration_us);
	const struct known *k = keeper_known(&l->keeper, &u->result.id);
	assert_true(k->closed && k->close.flags == 0);
	assert_int_equal(k->close.bytes, u->len);
	assert_int_equal(k->close.segments, o.segments);
	assert_true(k->close.duration_us == u->result.duration_us);
	opened_free(&o);
}

static void one(struct lane *l, const char *file, uint8_t media, uint64_t least_us, size_t slice)
{
	struct upload u = { 0 };
	uint8_t *data = sample(file, &u.len);
	struct index_row row;

	u.data = data;
	upload_open(&u, l, NULL, CONTAINER_NONE, 0);
	upload_all(&u, slice);
	check_whole(l, &u);
	assert_true(u.opened && vault_id_equal(&u.id, &u.result.id));
	assert_true(u.result.duration_us >= least_us);
	OK(ingest_index_flush(l->ingest, NULL));
	assert_int_equal(ingest_live(l->ingest, &u.id, &row), VAULT_E_NOTFOUND);
	OK(index_get(l->index, &u.id, &row));
	assert_int_equal(row.state, ROW_ENDED);
	assert_int_equal(row.media, media);
	assert_int_equal(row.bytes, u.len);
	assert_true(row.duration_us == u.result.duration_us);
	assert_true(row.expires_s == u.result.expires_s);
	free(data);
}

static void containers_come_in_whole(void **state)
{
	struct lane *l = *state;

	one(l, "speech.ogg", MEDIUM_VOICE, 1000000, 4000);
	one(l, "speech.wav", MEDIUM_VOICE, 1000000, 4000);
	one(l, "speech-ulaw.wav", MEDIUM_VOICE, 1000000, 1u << 20);
	one(l, "voice.webm", MEDIUM_VOICE, 1000000, 1000);
	one(l, "talk.webm", MEDIUM_VOICE | MEDIUM_VIDEO, 500000, 1u << 20);
	one(l, "fragmented.mp4", MEDIUM_VOICE | MEDIUM_VIDEO, 500000, 777);
	one(l, "faststart.mp4", MEDIUM_VOICE | MEDIUM_VIDEO, 500000, 4096);
	assert_int_equal(l->keeper.notes, 0);
}

static void tiny_slices(void **state)
{
	struct lane *l = *state;

	one(l, "speech.ogg", MEDIUM_VOICE, 1000000, 1);
	one(l, "speech.wav", MEDIUM_VOICE, 1000000, 3);
}

static void many_streams_share_one_lane(void **state)
{
	enum { N = 150 };
	struct lane *l = *state;
	static struct upload u[N];
	size_t len, left = N;
	uint64_t seed = 7;
	uint8_t *data = make_wav(20000, &len);

	memset(u, 0, sizeof u);
	for (size_t i = 0; i < N; i++) {
		u[i].data = data;
		u[i].len = len - i * 100;
		upload_open(&u[i], l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
	}
	assert_int_equal(ingest_streams(l->ingest), N);
	while (left > 0) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		struct upload *x = &u[(seed >> 33) % N];
		if (x->at == x->len)
			continue;
		assert_true(upload_send(x, 1 + (size_t)(seed >> 40) % 5000, 1000));
		if (x->at == x->len) {
			ingest_end(x->st);
			left--;
		}
		if ((seed >> 50) % 16 == 0)
			(void)uv_run(&l->loop, UV_RUN_NOWAIT);
	}
	for (size_t i = 0; i < N; i++)
		lane_run_until(l, &u[i].over);
	for (size_t i = 0; i < N; i++)
		check_whole(l, &u[i]);
	assert_int_equal(ingest_streams(l->ingest), 0);
	free(data);
}

/* A chunk's media time is the time of its first byte, and segments begin where they say. */
static void segments_roll_over(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	struct opened o;

	l->o.segment_bytes = 64 * 1024;
	lane_restart(l);
	uint8_t *data = make_wav(500000, &u.len);
	u.data = data;
	upload_open(&u, l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
	upload_all(&u, 1u << 16);
	check_whole(l, &u);
	recording_read(l, &u.id, &o);
	assert_in_range(o.segments, 14, 40);
	for (uint32_t i = 1; i < o.segments; i++)
		assert_true(o.segment_start[i] > o.segment_start[i - 1]);
	assert_true(u.result.duration_us == 62500000);
	/* 16,000 bytes a second: a segment of at most 64 KiB and a chunk lasts at most so long. */
	assert_true(o.segment_start[1] <= (64 * 1024 + 16384) * 1000000ull / 16000);
	opened_free(&o);
	free(data);
}

static void segments_end_by_time(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	struct opened o;

	l->o.segment_us = 2000000;
	lane_restart(l);
	uint8_t *data = make_wav(160000, &u.len);
	u.data = data;
	upload_open(&u, l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
	upload_all(&u, 1000);
	check_whole(l, &u);
	recording_read(l, &u.id, &o);
	assert_in_range(o.segments, 9, 20);
	opened_free(&o);
	free(data);
}

static void late_key_stalls_and_loses_nothing(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };

	l->o.segment_bytes = 32 * 1024;
	lane_restart(l);
	uint8_t *data = make_wav(400000, &u.len);
	u.data = data;
	upload_open(&u, l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
	assert_true(upload_send(&u, 8192, 4096));
	while (u.durable == 0 && !u.over)
		lane_turn(l);
	l->keeper.hold_grants = true;
	size_t given = 0;
	while (given < u.len) {
		size_t k = ingest_credit(u.st);
		if (k == 0)
			break;
		k = k < 4096 ? k : 4096;
		OK(ingest_write(u.st, 0, 0, u.data + u.at, k));
		u.at += k;
		given += k;
		(void)uv_run(&l->loop, UV_RUN_NOWAIT);
	}
	/* Without a key the sender is held up: the window and what one segment takes, not more. */
	assert_true(u.at < u.len);
	assert_true(u.at <= l->o.stream_window + 256 * 1024 + l->o.segment_bytes + 65536);
	keeper_release(l);
	upload_all(&u, 4096);
	check_whole(l, &u);
	assert_true(u.credits > 0);
	free(data);
}

static void end_while_a_key_is_awaited(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	uint8_t *data = make_wav(30000, &u.len);

	u.data = data;
	l->keeper.hold_grants = true;
	upload_open(&u, l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
	assert_true(upload_send(&u, u.len, 5000));
	ingest_end(u.st);
	while (l->keeper.held_len == 0)
		lane_turn(l);
	assert_false(u.over);
	keeper_release(l);
	lane_run_until(l, &u.over);
	check_whole(l, &u);
	free(data);
}

static void old_chunks_are_cut_by_the_lane(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };

	l->o.chunk_age_ms = 1;
	lane_restart(l);
	uint8_t *data = make_wav(1000, &u.len);
	u.data = data;
	upload_open(&u, l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
	assert_true(upload_send(&u, 500, 500));
	while (u.durable < 500)
		lane_turn(l);
	upload_all(&u, 500);
	check_whole(l, &u);
	free(data);
}

static void the_same_name_is_answered_from_the_first(void **state)
{
	struct lane *l = *state;
	struct upload a = { 0 }, b = { 0 }, c = { 0 };
	uint8_t *data = make_wav(5000, &a.len);

	a.data = b.data = c.data = data;
	b.len = c.len = a.len;
	upload_open(&a, l, "call-1", CONTAINER_WAV, 0);
	assert_true(upload_send(&a, 5000, 5000));
	while (!a.opened)
		lane_turn(l);
	upload_open(&b, l, "call-1", CONTAINER_WAV, 0);
	(void)upload_send(&b, b.len, b.len);
	lane_run_until(l, &b.over);
	assert_true(b.failed && b.refusal == VAULT_REFUSAL_in_use);
	upload_all(&a, 5000);
	check_whole(l, &a);
	upload_open(&c, l, "call-1", CONTAINER_WAV, 0);
	(void)upload_send(&c, c.len, c.len);
	lane_run_until(l, &c.over);
	assert_true(!c.failed && c.result.existing);
	assert_true(vault_id_equal(&c.result.id, &a.result.id));
	assert_int_equal(c.result.bytes, a.len);
	assert_int_equal(l->keeper.closes, 1);
	free(data);
}

static struct index_segment segment_of(struct lane *l, const vault_id *id, uint32_t i)
{
	struct index_segment s = { 0 };

	OK(index_get_segment(l->index, id, i, &s));
	return s;
}

/* P8: what the index was told equals what the volumes say. */
static void the_index_equals_a_rebuilt_one(void **state)
{
	struct lane *l = *state;
	struct upload u[3] = { 0 };
	struct index_row row[3], again;
	struct index_segment seg[3];
	uint64_t rows;

	l->o.segment_bytes = 64 * 1024;
	lane_restart(l);
	uint8_t *data = make_wav(90000, &u[0].len);
	for (size_t i = 0; i < 3; i++) {
		u[i].data = data;
		u[i].len = u[0].len;
		upload_open(&u[i], l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
	}
	for (size_t at = 0; at < u[0].len; at += 7000) {
		for (size_t i = 0; i < 3; i++)
			assert_true(upload_send(&u[i], 7000, 7000));
		(void)uv_run(&l->loop, UV_RUN_NOWAIT);
		if (at == 70000) {
			OK(ingest_pause(u[1].st));
			OK(ingest_resume(u[1].st));
			OK(ingest_index_flush(l->ingest, &u[2].id));
		}
	}
	ingest_end(u[0].st);
	ingest_end(u[1].st);
	ingest_abort(u[2].st, VAULT_REFUSAL_body_timeout);
	for (size_t i = 0; i < 3; i++)
		lane_run_until(l, &u[i].over);
	OK(ingest_index_flush(l->ingest, NULL));
	for (size_t i = 0; i < 3; i++) {
		OK(index_get(l->index, &u[i].result.id, &row[i]));
		assert_true(row[i].segments >= 2);
		seg[i] = segment_of(l, &u[i].result.id, row[i].segments - 1);
	}
	ingest_free(l->ingest);
	l->ingest = NULL;
	store_lane_close(l->store);
	l->store = NULL;
	index_close(l->index);
	OK(index_rebuild(l->index_fd, l->media_fd, NULL, NULL, &rows));
	assert_int_equal(rows, 3);
	OK(index_open(&l->index, l->index_fd, &l->vault));
	for (size_t i = 0; i < 3; i++) {
		OK(index_get(l->index, &u[i].result.id, &again));
		assert_int_equal(again.state, row[i].state);
		assert_int_equal(again.segments, row[i].segments);
		assert_true(again.bytes == row[i].bytes && again.duration_us == row[i].duration_us &&
		    again.gap_us == row[i].gap_us && again.open.offset == row[i].open.offset);
		struct index_segment s = segment_of(l, &u[i].result.id, row[i].segments - 1);
		assert_int_equal(s.n_extents, seg[i].n_extents);
		assert_true(s.start_us == seg[i].start_us && s.stream_offset == seg[i].stream_offset);
		assert_memory_equal(s.extents, seg[i].extents, s.n_extents * sizeof *s.extents);
		index_segment_free(&s);
		index_segment_free(&seg[i]);
	}
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(containers_come_in_whole, lane_setup, lane_teardown),
		cmocka_unit_test_setup_teardown(tiny_slices, lane_setup, lane_teardown),
		cmocka_unit_test_setup_teardown(many_streams_share_one_lane, lane_setup, lane_teardown),
		cmocka_unit_test_setup_teardown(segments_roll_over, lane_setup, lane_teardown),
		cmocka_unit_test_setup_teardown(segments_end_by_time, lane_setup, lane_teardown),
		cmocka_unit_test_setup_teardown(late_key_stalls_and_loses_nothing, lane_setup, lane_teardown),
		cmocka_unit_test_setup_teardown(end_while_a_key_is_awaited, lane_setup, lane_teardown),
		cmocka_unit_test_setup_teardown(old_chunks_are_cut_by_the_lane, lane_setup, lane_teardown),
		cmocka_unit_test_setup_teardown(the_same_name_is_answered_from_the_first, lane_setup, lane_teardown),
		cmocka_unit_test_setup_teardown(the_index_equals_a_rebuilt_one, lane_setup, lane_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
