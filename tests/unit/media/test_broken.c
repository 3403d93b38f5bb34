/*
 * test_broken.c - containers that lie: absurd sizes, broken pages, unknown EBML
 * sizes, MP4 boxes of size 0, 1 and overflow. Refused or followed, never
 * believed, and never more memory than PROBE_MEMORY (P10).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/wire.h"
#include "ipc/message.h"
#include "media/parts.h"

struct bytes {
	uint8_t b[4096];
	size_t n;
};

static void add(struct bytes *o, const void *p, size_t n)
{
	assert_true(o->n + n <= sizeof(o->b));
	memcpy(o->b + o->n, p, n);
	o->n += n;
}

#define TEXT(o, t) add((o), (t), sizeof(t) - 1)

static void add_be32(struct bytes *o, uint32_t v)
{
	uint8_t b[4];

	store_be32(b, v);
	add(o, b, 4);
}

static void add_be64(struct bytes *o, uint64_t v)
{
	uint8_t b[8];

	store_be64(b, v);
	add(o, b, 8);
}

/* Fed at once and byte by byte: the same answer. */
static vault_err probe_bytes(const struct bytes *in, struct probe_result *r, bool *damaged)
{
	vault_err err[2] = {VAULT_E_SHORT, VAULT_E_SHORT};
	struct probe *p;

	for (int k = 0; k < 2; k++) {
		assert_int_equal(probe_new(&p), VAULT_OK);
		if (k == 0)
			err[k] = probe_feed(p, in->b, in->n);
		for (size_t i = 0; k == 1 && i < in->n && (err[k] == VAULT_OK || err[k] == VAULT_E_SHORT); i++)
			err[k] = probe_feed(p, in->b + i, 1);
		*r = *probe_get(p);
		*damaged = probe_damaged(p);
		if (err[k] != VAULT_OK && err[k] != VAULT_E_SHORT)
			assert_true(strlen(probe_reason(p)) > 0);
		probe_free(p);
	}
	assert_int_equal(err[0], err[1]);
	return err[0];
}

static vault_err verdict(const struct bytes *in)
{
	struct probe_result r;
	bool damaged;

	return probe_bytes(in, &r, &damaged);
}

static void wav(struct bytes *o, uint16_t tag, uint16_t channels, uint32_t rate, uint16_t align, uint16_t bits,
    uint32_t data)
{
	uint8_t f[16];

	o->n = 0;
	TEXT(o, "RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0");
	store_le16(f, tag);
	store_le16(f + 2, channels);
	store_le32(f + 4, rate);
	store_le32(f + 8, rate * align);
	store_le16(f + 12, align);
	store_le16(f + 14, bits);
	add(o, f, sizeof(f));
	TEXT(o, "data");
	store_le32(f, data);
	add(o, f, 4);
	add(o, "0123456789abcdef", 16);
}

static void test_wav(void **state)
{
	struct probe_result r;
	struct bytes o;
	bool damaged;

	(void)state;
	wav(&o, 1, 1, 8000, 2, 16, 0);
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_int_equal(r.duration_us, 1000);
	wav(&o, 1, 1, 8000, 2, 16, 0xffffffff);
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_int_equal(r.duration_us, 1000);
	wav(&o, 1, 1, 8000, 2, 16, 8);
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_int_equal(r.duration_us, 500);
	wav(&o, 1, 0, 8000, 2, 16, 0);
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	wav(&o, 1, 1, 0, 2, 16, 0);
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	wav(&o, 1, 1, 8000, 0, 16, 0);
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	wav(&o, 1, 2, 8000, 2, 16, 0);
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	wav(&o, 1, 1, 0xffffffff, 2, 16, 0);
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	wav(&o, 1, 60000, 8000, 60000, 8, 0);
	assert_int_equal(verdict(&o), VAULT_E_UNSUPPORTED);
	o.n = 0;
	TEXT(&o, "RIFF\0\0\0\0WAVEdata\0\0\0\0");
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	/* A chunk of 4 GiB in front of the format: waited for, but not beyond the limit. */
	o.n = 0;
	TEXT(&o, "RIFF\0\0\0\0WAVEjunk\xff\xff\xff\xff");
	assert_int_equal(verdict(&o), VAULT_E_SHORT);
}

static void test_undecided_has_a_limit(void **state)
{
	static const uint8_t zeros[65536];
	struct probe *p;
	vault_err err = VAULT_E_SHORT;
	size_t fed = 0;

	(void)state;
	assert_int_equal(probe_new(&p), VAULT_OK);
	assert_int_equal(probe_feed(p, (const uint8_t *)"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\xff", 20), VAULT_E_SHORT);
	while (err == VAULT_E_SHORT && fed < 4 * PROBE_DECIDE_MAX) {
		err = probe_feed(p, zeros, sizeof(zeros));
		fed += sizeof(zeros);
	}
	assert_int_equal(err, VAULT_E_UNSUPPORTED);
	assert_true(fed <= PROBE_DECIDE_MAX + sizeof(zeros));
	probe_free(p);
}

static uint32_t ogg_crc(const uint8_t *p, size_t n)
{
	uint32_t crc = 0;

	for (size_t i = 0; i < n; i++) {
		crc ^= (uint32_t)p[i] << 24;
		for (int k = 0; k < 8; k++)
			crc = crc & 0x80000000u ? crc << 1 ^ 0x04c11db7u : crc << 1;
	}
	return crc;
}

static void ogg_page(struct bytes *o, uint8_t flags, uint64_t granule, uint32_t serial, const void *body, uint8_t n)
{
	const size_t at = o->n;
	uint8_t h[28] = {'O', 'g', 'g', 'S', 0, flags};

	store_le64(h + 6, granule);
	store_le32(h + 14, serial);
	h[26] = 1;
	h[27] = n;
	add(o, h, sizeof(h));
	add(o, body, n);
	store_le32(o->b + at + 22, ogg_crc(o->b + at, o->n - at));
}

#define OPUS_HEAD "OpusHead\1\1\0\0\x40\x1f\0\0\0\0\0"
#define OPUS_TAGS "OpusTags\0\0\0\0\0\0\0\0"

static void test_ogg(void **state)
{
	struct probe_result r;
	struct bytes o = {.n = 0};
	bool damaged;

	(void)state;
	/* Absurd positions saturate. */
	ogg_page(&o, 2, 0, 7, OPUS_HEAD, 19);
	assert_int_equal(verdict(&o), VAULT_E_SHORT);
	ogg_page(&o, 0, 0, 7, OPUS_TAGS, 16);
	ogg_page(&o, 0, 960, 7, "\x08zz", 3);
	ogg_page(&o, 4, UINT64_MAX - 1, 7, "\x08zz", 3);
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_int_equal(r.duration_us, media_us(UINT64_MAX - 1, 48000));
	/* A live stream that begins at one hour. */
	o.n = 0;
	ogg_page(&o, 2, 0, 7, OPUS_HEAD, 19);
	ogg_page(&o, 0, 0, 7, OPUS_TAGS, 16);
	ogg_page(&o, 0, 3600ull * 48000, 7, "\x08zz", 3);
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_int_equal(r.duration_us, 20000);
	/* A broken page later: damaged, and followed again from the next one. */
	TEXT(&o, "garbage that is no page, and longer than the head of one");
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_true(damaged);
	ogg_page(&o, 0, 3600ull * 48000 + 960, 7, "\x08zz", 3);
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_int_equal(r.duration_us, 40000);
	/* Before the decision it is fatal. */
	o.n = 0;
	ogg_page(&o, 2, 0, 7, OPUS_HEAD, 19);
	o.b[30] ^= 1;
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	o.n = 0;
	ogg_page(&o, 2, 0, 7, OPUS_HEAD, 19);
	TEXT(&o, "this is no page but as long as the head of one");
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	o.n = 0;
	ogg_page(&o, 2, 0, 7, "fishead\0\3\0\0\0", 12);
	assert_int_equal(verdict(&o), VAULT_E_UNSUPPORTED);
	/* The same number twice. */
	o.n = 0;
	ogg_page(&o, 2, 0, 7, OPUS_HEAD, 19);
	ogg_page(&o, 2, 0, 7, OPUS_HEAD, 19);
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	/* More streams than can be told apart. */
	o.n = 0;
	for (uint32_t i = 0; i < 17; i++)
		ogg_page(&o, 2, 0, i, OPUS_HEAD, 19);
	assert_int_equal(verdict(&o), VAULT_E_UNSUPPORTED);
	/* Later, what cannot be classified counts as everything. */
	o.n = 0;
	ogg_page(&o, 2, 0, 7, OPUS_HEAD, 19);
	ogg_page(&o, 0, 0, 7, OPUS_TAGS, 16);
	ogg_page(&o, 2, 0, 8, "who knows", 9);
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_int_equal(r.media, MEDIUM_VOICE | MEDIUM_VIDEO);
}

#define EBML "\x1a\x45\xdf\xa3\x87\x42\x82\x84webm"
#define SEGMENT_UNKNOWN "\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"
/* TrackNumber 1, TrackType, CodecID: 2 + 2 + 2 + 6 */
#define TRACKS_OPUS "\x16\x54\xae\x6b\x90\xae\x8e\xd7\x81\x01\x83\x81\x02\x86\x86" "A_OPUS"
#define CLUSTER_UNKNOWN "\x1f\x43\xb6\x75\xff\xe7\x81\x0a"
#define BLOCK_AT_0 "\xa3\x85\x81\0\0\0z"

static void test_ebml(void **state)
{
	struct probe_result r;
	struct bytes o = {.n = 0};
	bool damaged;

	(void)state;
	TEXT(&o, EBML SEGMENT_UNKNOWN TRACKS_OPUS);
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_int_equal(r.track[0].codec, CODEC_OPUS);
	TEXT(&o, CLUSTER_UNKNOWN BLOCK_AT_0 "\xa3\x85\x81\0\x14\0z" CLUSTER_UNKNOWN "\xa3\x85\x81\0\x28\0z");
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_int_equal(r.duration_us, 40000);
	assert_false(damaged);
	/* A block of a track that is not described. */
	TEXT(&o, "\xa3\x85\x85\0\x28\0z");
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_true(damaged);
	/* Absurd times saturate. */
	o.n = 0;
	TEXT(&o, EBML SEGMENT_UNKNOWN "\x15\x49\xa9\x66\x8c\x2a\xd7\xb1\x88\xff\xff\xff\xff\xff\xff\xff\xff" TRACKS_OPUS
	    CLUSTER_UNKNOWN BLOCK_AT_0 "\x1f\x43\xb6\x75\xff\xe7\x88\xff\xff\xff\xff\xff\xff\xff\xff" BLOCK_AT_0);
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	/* Unknown size where it is not taken. */
	o.n = 0;
	TEXT(&o, EBML SEGMENT_UNKNOWN "\x16\x54\xae\x6b\xff");
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	/* An element beyond its parent. */
	o.n = 0;
	TEXT(&o, EBML SEGMENT_UNKNOWN "\x16\x54\xae\x6b\x84\xae\x8e\xd7\x81");
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	/* Not a valid name, not a valid size. */
	o.n = 0;
	TEXT(&o, EBML SEGMENT_UNKNOWN "\x00\x00\x00");
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	o.n = 0;
	TEXT(&o, EBML SEGMENT_UNKNOWN "\xec\x00\x00");
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	/* Another document type; media before tracks; no track; a lying track. */
	o.n = 0;
	TEXT(&o, "\x1a\x45\xdf\xa3\x87\x42\x82\x84" "what" SEGMENT_UNKNOWN);
	assert_int_equal(verdict(&o), VAULT_E_UNSUPPORTED);
	o.n = 0;
	TEXT(&o, EBML SEGMENT_UNKNOWN CLUSTER_UNKNOWN);
	assert_int_equal(verdict(&o), VAULT_E_UNSUPPORTED);
	o.n = 0;
	TEXT(&o, EBML SEGMENT_UNKNOWN "\x16\x54\xae\x6b\x80");
	assert_int_equal(verdict(&o), VAULT_E_UNSUPPORTED);
	o.n = 0;
	TEXT(&o, EBML SEGMENT_UNKNOWN "\x16\x54\xae\x6b\x8f\xae\x8d\xd7\x81\x01\x83\x81\x02\x86\x85" "V_VP8");
	assert_int_equal(verdict(&o), VAULT_E_UNSUPPORTED);
	/* 2^56 - 2 bytes of Void in front of the tracks. */
	o.n = 0;
	TEXT(&o, EBML SEGMENT_UNKNOWN "\xec\x01\xff\xff\xff\xff\xff\xff\xfe");
	assert_int_equal(verdict(&o), VAULT_E_SHORT);
}

static void ftyp(struct bytes *o)
{
	o->n = 0;
	TEXT(o, "\0\0\0\x10" "ftypisom\0\0\2\0");
}

static void test_mp4(void **state)
{
	struct bytes o;

	(void)state;
	/* Size 0 in front of the tracks: nothing can come behind it. */
	ftyp(&o);
	TEXT(&o, "\0\0\0\0mdat");
	assert_int_equal(verdict(&o), VAULT_E_UNSUPPORTED);
	/* Size 1 with a 64-bit size that overflows. */
	ftyp(&o);
	TEXT(&o, "\0\0\0\1free");
	add_be64(&o, UINT64_MAX);
	assert_int_equal(verdict(&o), VAULT_E_SHORT);
	ftyp(&o);
	TEXT(&o, "\0\0\0\1mdat");
	add_be64(&o, UINT64_MAX - 3);
	assert_int_equal(verdict(&o), VAULT_E_UNSUPPORTED);
	/* Shorter than its own head, in both forms. */
	ftyp(&o);
	TEXT(&o, "\0\0\0\7free");
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	ftyp(&o);
	TEXT(&o, "\0\0\0\1free");
	add_be64(&o, 15);
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	/* Beyond the parent; without an end inside a parent. */
	ftyp(&o);
	TEXT(&o, "\0\0\0\x10moov\0\0\1\0mvhd");
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	ftyp(&o);
	TEXT(&o, "\0\0\0\x20moov\0\0\0\0trak");
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	/* No track; a track that says nothing. */
	ftyp(&o);
	TEXT(&o, "\0\0\0\x08moov");
	assert_int_equal(verdict(&o), VAULT_E_UNSUPPORTED);
	ftyp(&o);
	TEXT(&o, "\0\0\0\x10moov\0\0\0\x08trak");
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
	/* Fragments before the movie. */
	ftyp(&o);
	TEXT(&o, "\0\0\0\x08moof");
	assert_int_equal(verdict(&o), VAULT_E_UNSUPPORTED);
	/* A box that is too short for what it must hold. */
	ftyp(&o);
	TEXT(&o, "\0\0\0\x14moov\0\0\0\x0cmvhd\0\0\0\0");
	assert_int_equal(verdict(&o), VAULT_E_CORRUPT);
}

/* A fragment whose run claims 2^32 - 1 samples, or lasts for ever. */
static void test_mp4_run(void **state)
{
	struct probe_result r;
	struct bytes o;
	bool damaged;
	size_t run;

	(void)state;
	ftyp(&o);
	add_be32(&o, 8 + 32 + 8 + 24 + 8 + 28 + 20 + 8 + 8 + 24 + 8 + 32);
	TEXT(&o, "moov\0\0\0\x20mvhd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3\xe8\0\0\0\0\0\0\0\0");
	add_be32(&o, 8 + 24 + 8 + 28 + 20 + 8 + 8 + 24);
	TEXT(&o, "trak\0\0\0\x18tkhd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1");
	add_be32(&o, 8 + 28 + 20 + 8 + 8 + 24);
	TEXT(&o, "mdia\0\0\0\x1cmdhd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3\xe8\0\0\0\0\0\0\0\x14hdlr\0\0\0\0\0\0\0\0soun");
	add_be32(&o, 8 + 8 + 24);
	TEXT(&o, "minf\0\0\0\x20stbl\0\0\0\x18stsd\0\0\0\0\0\0\0\1\0\0\0\x08mp4a");
	TEXT(&o, "\0\0\0\x28mvex\0\0\0\x20trex\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0");
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_int_equal(r.track[0].codec, CODEC_AAC);
	run = o.n;
	TEXT(&o, "\0\0\0\x40moof\0\0\0\x38traf\0\0\0\x10tfhd\0\0\0\0\0\0\0\1");
	TEXT(&o, "\0\0\0\x10tfdt\0\0\0\0\0\0\0\x64\0\0\0\x10trun\0\0\1\0\xff\xff\xff\xff");
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_true(damaged);
	o.n = run;
	TEXT(&o, "\0\0\0\x48moof\0\0\0\x40traf\0\0\0\x10tfhd\0\0\0\0\0\0\0\1");
	TEXT(&o, "\0\0\0\x14tfdt\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x14trun\0\0\1\0\0\0\0\1\xff\xff\xff\xff");
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_false(damaged);
	assert_int_equal(r.duration_us, UINT64_MAX);
	o.n = run;
	TEXT(&o, "\0\0\0\x44moof\0\0\0\x3ctraf\0\0\0\x10tfhd\0\0\0\0\0\0\0\1");
	TEXT(&o, "\0\0\0\x10tfdt\0\0\0\0\0\0\0\x64\0\0\0\x14trun\0\0\1\0\0\0\0\1\0\0\0\x14");
	assert_int_equal(probe_bytes(&o, &r, &damaged), VAULT_OK);
	assert_int_equal(r.duration_us, 120000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wav),
		cmocka_unit_test(test_undecided_has_a_limit),
		cmocka_unit_test(test_ogg),
		cmocka_unit_test(test_ebml),
		cmocka_unit_test(test_mp4),
		cmocka_unit_test(test_mp4_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
