/*
 * test_open.c - the opener takes one stream of frames only: the recording's own,
 * whole and in order. Every header field of every frame, every chunk position,
 * every frame left out, repeated, swapped or mixed in is refused (P5, R34).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/wire.h"
#include "exporter/frames.h"
#include "exporter/open.h"
#include "recording.h"

#define DATA_BYTES 3000u

static uint8_t data[DATA_BYTES];

struct sink {
	const struct recording *r;
	struct buf out;
	unsigned jumps;
	uint64_t jump_to;
};

static vault_err on_key(void *arg, const struct ipc_want_key *want, struct segment_key *out)
{
	const struct sink *s = arg;

	recording_segment_key(s->r, want, out);
	return VAULT_OK;
}

static vault_err on_bytes(void *arg, const uint8_t *p, size_t n)
{
	struct sink *s = arg;

	return buf_append(&s->out, p, n);
}

static vault_err on_jump(void *arg, uint64_t offset, uint64_t start_us)
{
	struct sink *s = arg;

	(void)start_us;
	s->jumps++;
	s->jump_to = offset;
	return VAULT_OK;
}

static vault_err feed_frames(struct frames *f, struct opener *o, const uint8_t *p, size_t n)
{
	struct frame_view v;
	vault_err err = VAULT_E_SHORT;

	while (n > 0 || err == VAULT_OK) {
		err = frames_next(f, &v);
		if (err == VAULT_OK)
			err = opener_frame(o, &v);
		if (err == VAULT_OK)
			continue;
		if (err != VAULT_E_SHORT)
			return err;
		if (n == 0)
			break;
		size_t room, k;
		uint8_t *to = frames_room(f, &room);
		k = room < n ? room : n;
		k = k > 700 ? 700 : k;     /* frames do not come whole */
		memcpy(to, p, k);
		frames_filled(f, k);
		p += k;
		n -= k;
		err = VAULT_OK;
	}
	return frames_finish(f);
}

/* The stream through the whole reader. */
static vault_err open_stream(struct sink *s, const struct ipc_job *job, const struct buf *stream, bool hash,
    struct opener_totals *t)
{
	const struct opener_calls calls = {.key = on_key, .bytes = on_bytes, .jump = on_jump, .arg = s, .hash = hash};
	struct frames *f;
	struct opener *o;

	buf_clear(&s->out);
	s->jumps = 0;
	assert_int_equal(frames_new(&f), VAULT_OK);
	assert_int_equal(opener_new(&o, job, &calls), VAULT_OK);
	vault_err err = feed_frames(f, o, stream->data, stream->len);
	if (err == VAULT_OK)
		err = opener_finish(o, t);
	opener_free(o);
	frames_free(f);
	return err;
}

static struct recording_plan plan(void)
{
	return (struct recording_plan){.data = data, .n = DATA_BYTES, .chunk = 400, .chunks_per_segment = 3,
		.us_per_kib = 1024000, .gap = true};
}

struct fix {
	struct recording r;
	struct sink s;
	struct buf stream;
	struct ipc_job job;
	struct opener_totals t;
	bool hash;                   /* off as in an export, so that it does not catch what order must */
};

static void fix_make(struct fix *x, const struct recording_plan *p)
{
	memset(x, 0, sizeof(*x));
	recording_make(&x->r, p);
	x->s.r = &x->r;
	buf_init(&x->s.out, 1u << 20);
	buf_init(&x->stream, 1u << 20);
	x->job = recording_job(&x->r, JOB_MEDIA, NULL);
}

static void fix_free(struct fix *x)
{
	recording_free(&x->r);
	buf_free(&x->s.out);
	buf_free(&x->stream);
}

static vault_err go(struct fix *x)
{
	return open_stream(&x->s, &x->job, &x->stream, x->hash, &x->t);
}

static void all_frames(struct fix *x)
{
	buf_clear(&x->stream);
	for (size_t i = 0; i < x->r.n; i++)
		stream_add(&x->stream, &x->r, i);
}

static void test_whole(void **state)
{
	const struct recording_plan p = plan();
	struct fix x;

	(void)state;
	fix_make(&x, &p);
	all_frames(&x);
	assert_int_equal(go(&x), VAULT_OK);
	assert_int_equal(x.s.out.len, DATA_BYTES);
	assert_memory_equal(x.s.out.data, data, DATA_BYTES);
	assert_int_equal(x.t.segments, 3);
	assert_int_equal(x.t.chunks, 8);
	assert_true(x.t.complete);
	x.hash = true;
	assert_int_equal(go(&x), VAULT_OK);
	fix_free(&x);
}

/* Fields that no tag covers and that say nothing: then the output must be the same. */
static bool harmless(const struct frame *f, size_t byte)
{
	const bool clear = f->type == FRAME_RECORDING_OPEN || f->type == FRAME_SEGMENT_OPEN || f->type == FRAME_GAP;

	if (clear && byte == 5)
		return true;              /* batch flag */
	return f->type == FRAME_GAP && (byte == 6 || byte == 7 || (byte >= 24 && byte < 32) || (byte >= 40 && byte < 48));
}

static void test_every_header_bit_P5_R34(void **state)
{
	const struct recording_plan p = plan();
	struct fix x;

	(void)state;
	fix_make(&x, &p);
	for (size_t i = 0; i < x.r.n; i++) {
		const struct frame f = recording_frame(&x.r, i);
		for (size_t bit = 0; bit < 48 * 8; bit++) {
			all_frames(&x);
			uint8_t *h = x.stream.data + x.r.at[i];
			h[bit / 8] ^= (uint8_t)(1u << bit % 8);
			frame_rehash(&x.stream, x.r.at[i]);
			vault_err err = go(&x);
			if (err == VAULT_OK && harmless(&f, bit / 8))
				assert_memory_equal(x.s.out.data, data, DATA_BYTES);
			else if (err == VAULT_OK)
				fail_msg("frame %zu type %u: bit %zu of the header was not missed", i, f.type, bit);
			/* What came out before is the recording's own beginning. */
			assert_true(x.s.out.len <= DATA_BYTES);
			assert_memory_equal(x.s.out.data == NULL ? data : x.s.out.data, data, x.s.out.len);
		}
		/* The checksums themselves. */
		for (size_t byte = 48; byte < 64; byte++) {
			all_frames(&x);
			x.stream.data[x.r.at[i] + byte] ^= 1;
			assert_int_not_equal(go(&x), VAULT_OK);
		}
	}
	fix_free(&x);
}

static void test_every_payload_byte_P5_R34(void **state)
{
	const struct recording_plan p = plan();
	struct fix x;

	(void)state;
	fix_make(&x, &p);
	for (size_t i = 1; i < x.r.n; i++) {
		const struct frame f = recording_frame(&x.r, i);
		const size_t step = f.length > 100 ? 37 : 1;
		for (size_t at = 0; at < f.length; at += step) {
			all_frames(&x);
			uint8_t *h = x.stream.data + x.r.at[i];
			h[FRAME_HEADER_BYTES + at] ^= 0x10;
			frame_rehash(&x.stream, x.r.at[i]);
			vault_err err = go(&x);
			if (err == VAULT_OK && !(f.type == FRAME_GAP && at == 16))
				fail_msg("frame %zu type %u: byte %zu of the payload was not missed", i, f.type, at);
		}
		/* Padding is zero, or it is something hidden. */
		if (f.length % FRAME_ALIGN != 0) {
			all_frames(&x);
			x.stream.data[x.r.at[i + 1] - 1] = 1;
			assert_int_equal(go(&x), VAULT_E_CORRUPT);
		}
	}
	fix_free(&x);
}

static void test_left_out_repeated_swapped_P5_R34(void **state)
{
	const struct recording_plan p = plan();
	struct fix x;

	(void)state;
	fix_make(&x, &p);
	for (size_t i = 0; i < x.r.n; i++) {
		for (size_t k = 0; k < x.r.n; k++) {
			/* Frame i stands at place k as well; or, for k == i, is missing. */
			buf_clear(&x.stream);
			for (size_t j = 0; j < x.r.n; j++) {
				if (j == k && i != k)
					stream_add(&x.stream, &x.r, i);
				if (j != i || i != k)
					stream_add(&x.stream, &x.r, j);
			}
			if (go(&x) == VAULT_OK)
				fail_msg("frame %zu at place %zu was not missed", i, k);
			/* i and k change places. */
			buf_clear(&x.stream);
			for (size_t j = 0; j < x.r.n; j++)
				stream_add(&x.stream, &x.r, j == i ? k : j == k ? i : j);
			vault_err err = go(&x);
			const bool gap = recording_frame(&x.r, i).type == FRAME_GAP || recording_frame(&x.r, k).type == FRAME_GAP;
			if (err == VAULT_OK && i != k && !gap)
				fail_msg("frames %zu and %zu changed places unseen", i, k);
		}
		/* The tail is missing. */
		buf_clear(&x.stream);
		for (size_t j = 0; j < i; j++)
			stream_add(&x.stream, &x.r, j);
		assert_int_not_equal(go(&x), VAULT_OK);
		/* Cut inside the frame. */
		all_frames(&x);
		x.stream.len = x.r.at[i] + 70;
		assert_int_not_equal(go(&x), VAULT_OK);
	}
	/* Something behind the end. */
	all_frames(&x);
	stream_add(&x.stream, &x.r, 1);
	assert_int_equal(go(&x), VAULT_E_PROTO);
	fix_free(&x);
}

/* Chunks of another recording, of the same tenant and even under the same key. */
static void test_mixed_P5_R34(void **state)
{
	const struct recording_plan p = plan();
	struct fix x, y;

	(void)state;
	fix_make(&x, &p);
	fix_make(&y, &p);
	for (size_t i = 0; i < x.r.n; i++) {
		for (int relabel = 0; relabel < 2; relabel++) {
			buf_clear(&x.stream);
			for (size_t j = 0; j < x.r.n; j++)
				stream_add(&x.stream, j == i ? &y.r : &x.r, j);
			if (relabel) {
				memcpy(x.stream.data + x.r.at[i] + 8, x.r.id.b, VAULT_ID_BYTES);
				frame_rehash(&x.stream, x.r.at[i]);
			}
			const uint8_t type = recording_frame(&x.r, i).type;
			if (relabel && (type == FRAME_GAP || type == FRAME_RECORDING_OPEN))
				continue;             /* equal, or not looked at in this mode */
			assert_int_not_equal(go(&x), VAULT_OK);
		}
	}
	fix_free(&x);
	fix_free(&y);
}

static void test_totals(void **state)
{
	struct recording_plan p = plan();
	struct fix x;

	(void)state;
	fix_make(&x, &p);
	all_frames(&x);
	x.job.bytes++;
	assert_int_equal(go(&x), VAULT_E_SHORT);
	x.job.bytes--;
	x.job.segments++;
	assert_int_equal(go(&x), VAULT_E_SHORT);
	x.job.segments--;
	/* The keeper knows of no truncation, or of one. */
	x.job.truncated = 1;
	assert_int_equal(go(&x), VAULT_E_PROTO);
	fix_free(&x);

	p.bad_hash = true;
	fix_make(&x, &p);
	all_frames(&x);
	x.hash = true;
	assert_int_equal(go(&x), VAULT_E_AUTH);
	fix_free(&x);
	p.bad_hash = false;
	p.wrong_commit = true;
	fix_make(&x, &p);
	all_frames(&x);
	assert_int_equal(go(&x), VAULT_E_AUTH);
	fix_free(&x);
}

static void test_ends(void **state)
{
	struct recording_plan p = plan();
	struct fix x;

	(void)state;
	/* After a crash: the last segment is torn, the end has no seal. */
	p.end = END_CRASH;
	fix_make(&x, &p);
	all_frames(&x);
	x.job.truncated = 1;
	assert_int_equal(go(&x), VAULT_OK);
	assert_false(x.t.complete);
	/* The keeper says that it ended in order: then an end without a seal is a forgery. */
	x.job.truncated = 0;
	assert_int_equal(go(&x), VAULT_E_PROTO);
	/* The torn segment's last chunk is gone, too. */
	x.job.truncated = 1;
	buf_clear(&x.stream);
	for (size_t i = 0; i < x.r.n; i++)
		if (i != x.r.n - 2)
			stream_add(&x.stream, &x.r, i);
	assert_int_equal(go(&x), VAULT_E_SHORT);
	fix_free(&x);

	p.end = END_LOST;
	fix_make(&x, &p);
	all_frames(&x);
	x.job.truncated = 1;
	assert_int_equal(go(&x), VAULT_OK);
	assert_false(x.t.complete);
	fix_free(&x);

	/* Still being recorded. */
	p.end = END_NONE;
	fix_make(&x, &p);
	all_frames(&x);
	x.job.ended = 0;
	assert_int_equal(go(&x), VAULT_OK);
	assert_false(x.t.complete);
	x.job.ended = 1;
	assert_int_equal(go(&x), VAULT_E_SHORT);
	fix_free(&x);
}

/* Index of the segment's open frame. */
static size_t segment_frame(const struct recording *r, uint32_t segment)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct frame f = recording_frame(r, i);
		if (f.type == FRAME_SEGMENT_OPEN && f.segment == segment)
			return i;
	}
	fail();
	return 0;
}

static void test_range(void **state)
{
	struct recording_plan p = plan();
	struct fix x;

	(void)state;
	p.gap = false;
	p.chunks_per_segment = 1;
	fix_make(&x, &p);             /* eight segments of 400 bytes, 400 ms each */
	x.job.from_us = 1700000;
	x.job.to_us = 2300000;
	/* Segment 0's first chunk, then segments 4 and 5: 1.6 s to 2.4 s. */
	const size_t four = segment_frame(&x.r, 4), six = segment_frame(&x.r, 6);
	for (int cut = 0; cut < 6; cut++) {
		buf_clear(&x.stream);
		for (size_t i = 0; i < 3u + (cut == 1); i++)
			stream_add(&x.stream, &x.r, i);
		if (cut != 2)
			stream_add_offset(&x.stream, &x.r, x.r.offset[4]);
		for (size_t i = cut == 3 ? four + 3 : four; i < (cut == 4 ? six - 3 : six); i++)
			stream_add(&x.stream, &x.r, i);
		if (cut == 5)
			stream_add(&x.stream, &x.r, x.r.n - 1);
		vault_err err = go(&x);
		if (cut == 0 || cut == 1 || cut == 5) {
			assert_int_equal(err, VAULT_OK);
			assert_int_equal(x.s.jumps, 1);
			assert_int_equal(x.s.jump_to, 1600);
			assert_int_equal(x.s.out.len, 1200);
			assert_memory_equal(x.s.out.data + 400, data + 1600, 800);
		} else {
			/* No offset; a segment that begins inside the range; the range's end is missing. */
			assert_int_not_equal(err, VAULT_OK);
		}
	}
	/* A second jump, inside the range. */
	buf_clear(&x.stream);
	for (size_t i = 0; i < 3; i++)
		stream_add(&x.stream, &x.r, i);
	stream_add_offset(&x.stream, &x.r, x.r.offset[3]);
	for (size_t i = segment_frame(&x.r, 3); i < four; i++)
		stream_add(&x.stream, &x.r, i);
	stream_add_offset(&x.stream, &x.r, x.r.offset[5]);
	for (size_t i = segment_frame(&x.r, 5); i < six; i++)
		stream_add(&x.stream, &x.r, i);
	assert_int_equal(go(&x), VAULT_E_PROTO);
	/* Jumps belong to ranges only. */
	x.job.from_us = 0;
	x.job.to_us = UINT64_MAX;
	assert_int_equal(go(&x), VAULT_E_PROTO);
	fix_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_every_header_bit_P5_R34),
		cmocka_unit_test(test_every_payload_byte_P5_R34),
		cmocka_unit_test(test_left_out_repeated_swapped_P5_R34),
		cmocka_unit_test(test_mixed_P5_R34),
		cmocka_unit_test(test_totals),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_range),
	};
	if (secret_setup() != VAULT_OK)
		return 1;
	randombytes_buf(data, sizeof(data));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
