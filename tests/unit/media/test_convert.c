/*
 * test_convert.c - the converter's edges: slices, jumps, sizes, holes, refusals.
 * What its output sounds like is against-ffmpeg's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/wire.h"
#include "ipc/message.h"
#include "media/convert.h"
#include "media/g711.h"
#include "samples.h"

#define MS 1000ull

static vault_err into_buf(void *arg, const uint8_t *data, size_t n)
{
	return buf_append(arg, data, n);
}

struct cut {
	uint8_t format;
	uint64_t from_us, to_us;
	uint64_t total;
	size_t slice;
	size_t jump_from, jump_to;   /* bytes [from, to) are left out; 0: none */
};

static vault_err convert_all(const struct sample *s, const struct cut *k, struct buf *out)
{
	const struct convert_options o = {.format = k->format, .from_us = k->from_us, .to_us = k->to_us,
		.total_bytes = k->total, .sink = into_buf, .arg = out};
	struct convert *c;
	vault_err err;

	buf_clear(out);
	err = convert_new(&c, &o);
	for (size_t at = 0; err == VAULT_OK && at < s->n;) {
		size_t n = s->n - at < k->slice ? s->n - at : k->slice;
		if (k->jump_from > at && k->jump_from < at + n)
			n = k->jump_from - at;
		err = convert_write(c, s->data + at, n);
		at += n;
		if (err == VAULT_OK && k->jump_from != 0 && at == k->jump_from) {
			at = k->jump_to;
			err = convert_jump(c, at);
		}
	}
	if (err == VAULT_OK)
		err = convert_finish(c);
	convert_free(c);
	return err;
}

static void test_slices_do_not_matter(void **state)
{
	static const char *const names[] = {"kept/speech.wav", "kept/speech-ulaw.wav", "kept/speech.ogg", "chained.ogg"};
	static const size_t slices[] = {1, 333, 1u << 22};
	struct buf first, out;

	(void)state;
	buf_init(&first, 1u << 24);
	buf_init(&out, 1u << 24);
	for (size_t i = 0; i < 4; i++) {
		struct sample s = sample_read(names[i]);
		for (uint8_t format = FORMAT_AS_STORED; format <= FORMAT_OGG; format++) {
			struct cut k = {.format = format, .from_us = 700 * MS, .to_us = 2100 * MS, .slice = 4096};
			assert_int_equal(convert_all(&s, &k, &first), VAULT_OK);
			for (size_t n = 0; n < 3; n++) {
				k.slice = slices[n];
				assert_int_equal(convert_all(&s, &k, &out), VAULT_OK);
				assert_int_equal(out.len, first.len);
				assert_memory_equal(out.data, first.data, out.len);
			}
		}
		sample_free(&s);
	}
	buf_free(&first);
	buf_free(&out);
}

/* Leaving out what lies before the range changes nothing. */
static void test_jumps(void **state)
{
	static const char *const names[] = {"kept/speech.wav", "kept/speech-ulaw.wav", "opusenc.ogg"};
	struct buf whole, part;

	(void)state;
	buf_init(&whole, 1u << 24);
	buf_init(&part, 1u << 24);
	for (size_t i = 0; i < 3; i++) {
		struct sample s = sample_read(names[i]);
		const bool ogg = i == 2;
		for (uint8_t format = FORMAT_AS_STORED; format <= FORMAT_OGG; format++) {
			struct cut k = {.format = format, .from_us = (ogg ? 4500 : 2600) * MS, .to_us = UINT64_MAX, .slice = 4096,
				.total = s.n};
			assert_int_equal(convert_all(&s, &k, &whole), VAULT_OK);
			k.jump_from = s.n * 2 / 5;
			k.jump_to = ogg ? s.n / 2 : s.n / 5 * 4 + 3;
			assert_int_equal(convert_all(&s, &k, &part), VAULT_OK);
			assert_int_equal(part.len, whole.len);
			assert_memory_equal(part.data, whole.data, part.len);
			/* Leaving out some of the range itself is an error, not silence. */
			k.jump_to = s.n - 300;
			vault_err err = convert_all(&s, &k, &part);
			assert_true(err == VAULT_E_RANGE || err == VAULT_E_SHORT);
			/* Backwards, or before the head is read. */
			k.jump_to = k.jump_from - 1;
			if (!ogg)
				assert_int_equal(convert_all(&s, &k, &part), VAULT_E_RANGE);
			k.jump_from = 20;
			k.jump_to = 40;
			assert_int_equal(convert_all(&s, &k, &part), VAULT_E_STATE);
		}
		sample_free(&s);
	}
	buf_free(&whole);
	buf_free(&part);
}

static void test_wav_sizes(void **state)
{
	struct sample s = sample_read("pipe.wav");
	struct cut k = {.format = FORMAT_WAV, .from_us = 0, .to_us = UINT64_MAX, .slice = 4096, .total = s.n};
	struct buf out;

	(void)state;
	buf_init(&out, 1u << 24);
	assert_int_equal(convert_all(&s, &k, &out), VAULT_OK);
	assert_int_equal(load_le32(out.data + 4), out.len - 8);
	assert_int_equal(load_le32(out.data + 40), out.len - 44);
	k.total = 0;
	assert_int_equal(convert_all(&s, &k, &out), VAULT_OK);
	assert_int_equal(load_le32(out.data + 4), UINT32_MAX);
	assert_int_equal(load_le32(out.data + 40), UINT32_MAX);
	/* Fewer bytes than were announced. */
	k.total = s.n + 2;
	assert_int_equal(convert_all(&s, &k, &out), VAULT_E_SHORT);
	/* A range behind the end is empty, and says so. */
	k.total = s.n;
	k.from_us = 100000 * MS;
	assert_int_equal(convert_all(&s, &k, &out), VAULT_OK);
	assert_int_equal(out.len, 44);
	assert_int_equal(load_le32(out.data + 40), 0);
	buf_free(&out);
	sample_free(&s);
}

static void test_offset_of_a_time(void **state)
{
	struct sample s = sample_read("stereo44.wav");
	const struct convert_options o = {.format = FORMAT_WAV, .from_us = 2000 * MS, .to_us = UINT64_MAX,
		.sink = into_buf};
	struct buf out;
	struct convert_options with = o;
	struct convert *c;
	uint64_t at;

	(void)state;
	buf_init(&out, 1u << 24);
	with.arg = &out;
	assert_int_equal(convert_new(&c, &with), VAULT_OK);
	assert_int_equal(convert_write(c, s.data, 200), VAULT_OK);
	assert_int_equal(convert_offset_at(c, 1000 * MS, &at), VAULT_OK);
	assert_int_equal(at, 78 + 176400);
	/* Any byte: its time, cut to microseconds, names it again. */
	assert_int_equal(convert_offset_at(c, 12345ull * 1000000 / 176400, &at), VAULT_OK);
	assert_int_equal(at, 78 + 12345);
	convert_free(c);
	buf_free(&out);
	sample_free(&s);
}

/* Pages that break, and positions that jump: bounded, and the clock goes on. */
static void test_ogg_damage(void **state)
{
	struct sample s = sample_read("opusenc.ogg");
	struct cut k = {.format = FORMAT_WAV, .from_us = 0, .to_us = UINT64_MAX, .slice = 4096};
	struct buf out;
	size_t whole;

	(void)state;
	buf_init(&out, 1u << 24);
	assert_int_equal(convert_all(&s, &k, &out), VAULT_OK);
	whole = out.len;
	s.data[s.n / 2] ^= 0x55;      /* one page's checksum fails: its second becomes silence */
	assert_int_equal(convert_all(&s, &k, &out), VAULT_OK);
	assert_int_equal(out.len, whole);
	/* Cut off: what is there is given. */
	s.n = s.n * 2 / 3;
	assert_int_equal(convert_all(&s, &k, &out), VAULT_OK);
	assert_true(out.len < whole && out.len > whole / 4);
	/* No head, or no page at all. */
	s.n = 20;
	assert_int_equal(convert_all(&s, &k, &out), VAULT_E_SHORT);
	s.n = 0;
	assert_int_equal(convert_all(&s, &k, &out), VAULT_E_SHORT);
	sample_free(&s);
	buf_free(&out);
}

static void test_refusals(void **state)
{
	struct convert *c;
	struct convert_options o = {.container = CONTAINER_WEBM, .format = FORMAT_WAV, .to_us = UINT64_MAX,
		.sink = into_buf};

	(void)state;
	assert_int_equal(convert_new(&c, &o), VAULT_E_UNSUPPORTED);
	o.format = FORMAT_AS_STORED;
	o.from_us = 1;
	assert_int_equal(convert_new(&c, &o), VAULT_E_UNSUPPORTED);
	o.format = 3;
	assert_int_equal(convert_new(&c, &o), VAULT_E_INVAL);
	o.format = FORMAT_WAV;
	o.to_us = 0;
	assert_int_equal(convert_new(&c, &o), VAULT_E_INVAL);
}

/* Corner values of ITU-T G.711, tables 1 and 2 scaled to 16 bits. */
static void test_g711(void **state)
{
	(void)state;
	assert_int_equal(g711_ulaw(0xff), 0);
	assert_int_equal(g711_ulaw(0x7f), 0);
	assert_int_equal(g711_ulaw(0x80), 32124);
	assert_int_equal(g711_ulaw(0x00), -32124);
	assert_int_equal(g711_alaw(0xd5), 8);
	assert_int_equal(g711_alaw(0x55), -8);
	assert_int_equal(g711_alaw(0xaa), 32256);
	assert_int_equal(g711_alaw(0x2a), -32256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slices_do_not_matter),
		cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_wav_sizes),
		cmocka_unit_test(test_offset_of_a_time),
		cmocka_unit_test(test_ogg_damage),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_g711),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
