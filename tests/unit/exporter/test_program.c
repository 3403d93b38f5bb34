/*
 * test_program.c - the real vault-exporter, sandbox and all: real recordings go
 * in as frames and come out sealed to a recipient; whatever is wrong, the sealed
 * stream has no end and the keeper is told (P5, P7, R34, R41).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../media/samples.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/wire.h"
#include "run.h"

struct fix {
	struct sample s;
	struct recording r;
	struct buf stream;
	struct ipc_job job;
	uint8_t identity[32], recipient[32];
};

static void fix_make(struct fix *x, const char *sample, size_t chunk, uint32_t per_segment, uint64_t us)
{
	memset(x, 0, sizeof(*x));
	x->s = sample_read(sample);
	const struct recording_plan p = {.data = x->s.data, .n = x->s.n, .chunk = chunk, .chunks_per_segment = per_segment,
		.us_per_kib = us * 1024 / x->s.n};
	recording_make(&x->r, &p);
	buf_init(&x->stream, 1u << 25);
	randombytes_buf(x->identity, sizeof(x->identity));
	assert_int_equal(crypto_scalarmult_base(x->recipient, x->identity), 0);
	x->job = recording_job(&x->r, JOB_MEDIA, x->recipient);
	for (size_t i = 0; i < x->r.n; i++)
		stream_add(&x->stream, &x->r, i);
}

static void fix_free(struct fix *x)
{
	sample_free(&x->s);
	recording_free(&x->r);
	buf_free(&x->stream);
}

static struct run go(const struct fix *x)
{
	struct run run = {.job = &x->job, .keys = {&x->r}, .n_keys = 1, .refuse_after = 1000, .stream = &x->stream,
		.identity = x->identity};

	run_exporter(&run);
	return run;
}

static void check_good(const struct run *run)
{
	assert_int_equal(run->exit_code, 0);
	assert_true(run->complete);
	assert_true(run->told);
	assert_int_equal(run->result.job, 77);
	assert_int_equal(run->result.refusal, VAULT_REFUSAL_none);
	assert_int_equal(run->result.bytes, run->plain.len);
}

static void check_bad(const struct run *run, unsigned refusal)
{
	assert_int_equal(run->exit_code, 1);
	assert_false(run->complete);
	assert_true(run->told);
	assert_int_equal(run->result.refusal, refusal);
}

static void test_as_stored(void **state)
{
	static const char *const names[] = {"kept/speech.wav", "kept/speech.ogg", "kept/talk.webm", "kept/fragmented.mp4",
		"stereo44.wav"};
	struct fix x;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		fix_make(&x, names[i], 16384, 3, 3000000);
		struct run run = go(&x);
		check_good(&run);
		assert_int_equal(run.plain.len, x.s.n);
		assert_memory_equal(run.plain.data, x.s.data, x.s.n);
		assert_int_equal(run.result.items, 1);
		run_free(&run);
		fix_free(&x);
	}
}

static void test_large_chunks(void **state)
{
	struct fix x;

	(void)state;
	fix_make(&x, "pipe-float.wav", 1000000, 1, 5000000);
	struct run run = go(&x);
	check_good(&run);
	assert_int_equal(run.plain.len, x.s.n);
	assert_memory_equal(run.plain.data, x.s.data, x.s.n);
	run_free(&run);
	fix_free(&x);
}

static void test_formats(void **state)
{
	struct fix x;

	(void)state;
	fix_make(&x, "pipe.ogg", 2048, 4, 5000000);
	x.job.format = FORMAT_WAV;
	struct run run = go(&x);
	check_good(&run);
	assert_memory_equal(run.plain.data, "RIFF", 4);
	assert_int_equal(run.plain.len, 44 + 80000);
	run_free(&run);
	fix_free(&x);
	fix_make(&x, "kept/speech-ulaw.wav", 2048, 4, 3000000);
	x.job.format = FORMAT_OGG;
	run = go(&x);
	check_good(&run);
	assert_memory_equal(run.plain.data, "OggS", 4);
	run_free(&run);
	fix_free(&x);
	/* What cannot be converted is said before anything is given out. */
	fix_make(&x, "kept/talk.webm", 2048, 4, 3000000);
	x.job.format = FORMAT_WAV;
	run = go(&x);
	check_bad(&run, VAULT_REFUSAL_format_unsupported);
	assert_int_equal(run.plain.len, 0);
	run_free(&run);
	fix_free(&x);
}

/* Only the segments of the range are fed: the same as from the whole. */
static void test_range_of_segments(void **state)
{
	static const char *const names[] = {"pipe.wav", "pipe-stereo.ogg"};
	struct fix x;

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		fix_make(&x, names[k], k == 0 ? 5000 : 1000, k == 0 ? 1 : 5, 5000000);
		x.job.format = FORMAT_WAV;
		x.job.from_us = 4700000;
		x.job.to_us = 4900000;
		struct run whole = go(&x);
		check_good(&whole);
		assert_int_equal(whole.plain.len, 44 + (k == 0 ? 3200 : 38400));
		uint32_t first = 1;
		while (first + 1 < x.r.segments && x.r.start_us[first + 1] + 2000000 <= x.job.from_us)
			first++;
		assert_true(first > 1);
		buf_clear(&x.stream);
		for (size_t i = 0; i < x.r.n; i++) {
			const struct frame f = recording_frame(&x.r, i);
			if (f.type == FRAME_SEGMENT_OPEN && f.segment == first)
				stream_add_offset(&x.stream, &x.r, x.r.offset[first]);
			if (f.segment == 0 || (f.segment >= first && x.r.start_us[f.segment] < x.job.to_us))
				stream_add(&x.stream, &x.r, i);
		}
		struct run part = go(&x);
		check_good(&part);
		assert_int_equal(part.plain.len, whole.plain.len);
		assert_memory_equal(part.plain.data, whole.plain.data, whole.plain.len);
		run_free(&part);
		run_free(&whole);
		fix_free(&x);
	}
}

static void test_tampered_P5_R34(void **state)
{
	struct fix x;

	(void)state;
	fix_make(&x, "kept/speech.wav", 16384, 2, 3000000);
	for (size_t i = 1; i < x.r.n; i++) {
		uint8_t *h = x.stream.data + x.r.at[i];
		const size_t at = FRAME_HEADER_BYTES + (recording_frame(&x.r, i).length - 1);
		h[at] ^= 1;
		frame_rehash(&x.stream, x.r.at[i]);
		struct run run = go(&x);
		check_bad(&run, VAULT_REFUSAL_internal);
		/* Nothing that did not verify came out. */
		assert_true(run.plain.len <= x.s.n);
		assert_memory_equal(run.plain.data == NULL ? x.s.data : run.plain.data, x.s.data, run.plain.len);
		run_free(&run);
		h[at] ^= 1;
		frame_rehash(&x.stream, x.r.at[i]);
		/* The tail from here on is missing. */
		const size_t len = x.stream.len;
		x.stream.len = x.r.at[i];
		run = go(&x);
		check_bad(&run, VAULT_REFUSAL_internal);
		run_free(&run);
		x.stream.len = len;
	}
	fix_free(&x);
}

static void test_keeper_refuses_P7(void **state)
{
	struct fix x;

	(void)state;
	fix_make(&x, "kept/speech.wav", 8192, 2, 3000000);
	struct run run = {.job = &x.job, .keys = {&x.r}, .n_keys = 1, .refuse_after = 1, .refusal = VAULT_REFUSAL_restricted,
		.stream = &x.stream, .identity = x.identity};
	run_exporter(&run);
	check_bad(&run, VAULT_REFUSAL_restricted);
	run_free(&run);
	run.hang_up = true;
	run.told = false;
	run_exporter(&run);
	assert_int_equal(run.exit_code, 1);
	assert_false(run.complete);
	run_free(&run);
	/* No job: a spare that was never needed ends quietly. */
	struct run spare = {.identity = x.identity};
	run_exporter(&spare);
	assert_int_equal(spare.exit_code, 0);
	assert_int_equal(spare.plain.len, 0);
	run_free(&spare);
	fix_free(&x);
}

static void add_row(struct fix *x, const struct recording *r)
{
	char id[VAULT_ID_TEXT], text[128];
	struct frame f = {.type = FRAME_ROW, .id = r->id};

	vault_id_format(&r->id, id);
	f.length = (uint32_t)snprintf(text, sizeof(text), "{\"bytes\":5,\"id\":\"%s\"}", id);
	stream_add_frame(&x->stream, &f, text);
	stream_add(&x->stream, r, 0);
}

static void test_metadata(void **state)
{
	struct fix x, y, z;

	(void)state;
	fix_make(&x, "kept/speech.ogg", 16384, 9, 3000000);
	fix_make(&y, "kept/speech.ogg", 16384, 9, 3000000);
	fix_make(&z, "kept/speech.ogg", 16384, 9, 3000000);
	buf_clear(&x.stream);
	add_row(&x, &x.r);
	add_row(&x, &z.r);            /* not this contact's: its key is refused */
	add_row(&x, &y.r);
	x.job.mode = JOB_METADATA;
	struct run run = {.job = &x.job, .keys = {&x.r, &y.r}, .n_keys = 2, .refuse_after = 9,
		.refusal = VAULT_REFUSAL_not_found, .stream = &x.stream, .identity = x.identity};
	run_exporter(&run);
	check_good(&run);
	assert_int_equal(run.result.items, 2);
	const uint8_t *end = memchr(run.plain.data, '\n', run.plain.len);
	assert_non_null(end);
	json_t *row;
	assert_int_equal(json_read((const char *)run.plain.data, (size_t)(end - run.plain.data), 4096, &row), VAULT_OK);
	assert_string_equal(json_str(json_object_get(row, "personal"), "caller", NULL), "+31201234567");
	assert_int_equal(json_integer_value(json_object_get(row, "bytes")), 5);
	json_decref(row);
	run_free(&run);

	/* A row with another recording's sealed part, or with a broken one. */
	buf_clear(&x.stream);
	add_row(&x, &x.r);
	const size_t at = x.stream.len;
	add_row(&x, &y.r);
	memcpy(x.stream.data + at + 8, x.r.id.b, VAULT_ID_BYTES);
	frame_rehash(&x.stream, at);
	run = (struct run){.job = &x.job, .keys = {&x.r, &y.r}, .n_keys = 2, .refuse_after = 9, .stream = &x.stream,
		.identity = x.identity};
	run_exporter(&run);
	check_bad(&run, VAULT_REFUSAL_internal);
	run_free(&run);
	const size_t open = at + (size_t)frame_span(load_le32(x.stream.data + at + 32));
	memcpy(x.stream.data + open + 8, x.r.id.b, VAULT_ID_BYTES);
	frame_rehash(&x.stream, open);
	run_exporter(&run);
	check_bad(&run, VAULT_REFUSAL_internal);
	run_free(&run);
	fix_free(&x);
	fix_free(&y);
	fix_free(&z);
}

static void test_authenticate(void **state)
{
	struct fix x;
	json_t *line;

	(void)state;
	fix_make(&x, "kept/speech.wav", 8192, 2, 3000000);
	x.job.mode = JOB_AUTHENTICATE;
	struct run run = go(&x);
	check_good(&run);
	assert_int_equal(json_read((const char *)run.plain.data, run.plain.len - 1, 4096, &line), VAULT_OK);
	assert_true(json_is_true(json_object_get(line, "complete")));
	assert_int_equal(json_integer_value(json_object_get(line, "bytes")), x.s.n);
	assert_int_equal(json_integer_value(json_object_get(line, "chunks")), (x.s.n + 8191) / 8192);
	json_decref(line);
	run_free(&run);
	fix_free(&x);
}

static void test_garbage(void **state)
{
	static uint8_t noise[100000];
	struct fix x;

	(void)state;
	fix_make(&x, "kept/speech.wav", 8192, 2, 3000000);
	randombytes_buf(noise, sizeof(noise));
	buf_clear(&x.stream);
	assert_int_equal(buf_append(&x.stream, noise, sizeof(noise)), VAULT_OK);
	for (uint8_t mode = JOB_MEDIA; mode <= JOB_AUTHENTICATE; mode++) {
		x.job.mode = mode;
		struct run run = go(&x);
		check_bad(&run, VAULT_REFUSAL_internal);
		run_free(&run);
	}
	/* No frame at all. */
	buf_clear(&x.stream);
	x.job.mode = JOB_MEDIA;
	struct run run = go(&x);
	check_bad(&run, VAULT_REFUSAL_internal);
	run_free(&run);
	fix_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_stored),
		cmocka_unit_test(test_large_chunks),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_range_of_segments),
		cmocka_unit_test(test_tampered_P5_R34),
		cmocka_unit_test(test_keeper_refuses_P7),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_authenticate),
		cmocka_unit_test(test_garbage),
	};
	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
