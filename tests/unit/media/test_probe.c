/*
 * test_probe.c - every sample is recognised for what it is, whatever the slices,
 * with its tracks and its duration, from its first bytes (R1, R2).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "ipc/message.h"
#include "media/probe.h"
#include "samples.h"

#define V MEDIUM_VOICE
#define VV (MEDIUM_VOICE | MEDIUM_VIDEO)

struct expected {
	const char *name;
	enum container container;
	uint8_t media;
	uint8_t codec[2];            /* of the tracks, in order */
	uint8_t channels;            /* of the audio track */
	uint32_t rate;
	unsigned ms;                 /* duration as ffprobe gives it */
	unsigned off_ms;             /* and how far ours may be from it */
	size_t decided;              /* at the latest after this many bytes */
};

static const struct expected all[] = {
	{"kept/speech.wav", CONTAINER_WAV, V, {CODEC_PCM_S16LE}, 1, 8000, 3000, 0, 100},
	{"kept/speech-ulaw.wav", CONTAINER_WAV, V, {CODEC_PCMU}, 1, 8000, 3000, 0, 100},
	{"kept/speech.ogg", CONTAINER_OGG, V, {CODEC_OPUS}, 1, 8000, 3000, 0, 200},
	{"kept/talk.webm", CONTAINER_WEBM, VV, {CODEC_VP8, CODEC_OPUS}, 1, 8000, 3000, 30, 1000},
	{"kept/voice.webm", CONTAINER_WEBM, V, {CODEC_OPUS}, 1, 8000, 3000, 30, 1000},
	{"kept/fragmented.mp4", CONTAINER_MP4, VV, {CODEC_H264, CODEC_AAC}, 2, 8000, 3200, 10, 2500},
	{"kept/faststart.mp4", CONTAINER_MP4, VV, {CODEC_H264, CODEC_AAC}, 2, 8000, 3000, 100, 4000},
	{"pipe.wav", CONTAINER_WAV, V, {CODEC_PCM_S16LE}, 1, 8000, 5000, 0, 100},
	{"pipe-ulaw.wav", CONTAINER_WAV, V, {CODEC_PCMU}, 1, 8000, 5000, 0, 100},
	{"pipe-alaw.wav", CONTAINER_WAV, V, {CODEC_PCMA}, 1, 8000, 5000, 0, 100},
	{"pipe-24.wav", CONTAINER_WAV, V, {CODEC_PCM_OTHER}, 2, 44100, 5000, 0, 120},
	{"pipe-float.wav", CONTAINER_WAV, V, {CODEC_PCM_OTHER}, 2, 44100, 5000, 0, 120},
	{"rf64.wav", CONTAINER_WAV, V, {CODEC_PCM_S16LE}, 2, 44100, 5000, 0, 200},
	{"pipe.ogg", CONTAINER_OGG, V, {CODEC_OPUS}, 1, 8000, 5000, 0, 200},
	{"pipe-stereo.ogg", CONTAINER_OGG, V, {CODEC_OPUS}, 2, 48000, 5000, 0, 200},
	{"opusenc.ogg", CONTAINER_OGG, V, {CODEC_OPUS}, 1, 8000, 5000, 0, 200},
	{"pipe-vorbis.ogg", CONTAINER_OGG, V, {CODEC_VORBIS}, 1, 8000, 5000, 10, 200},
	{"pipe-flac.ogg", CONTAINER_OGG, V, {CODEC_FLAC}, 1, 8000, 5000, 10, 200},
	{"pipe-speex.ogg", CONTAINER_OGG, V, {CODEC_SPEEX}, 1, 8000, 5000, 30, 300},
	{"pipe-theora.ogg", CONTAINER_OGG, VV, {CODEC_THEORA, CODEC_VORBIS}, 1, 8000, 5000, 10, 400},
	{"chained.ogg", CONTAINER_OGG, V, {CODEC_OPUS, CODEC_OPUS}, 1, 8000, 10000, 1, 200},
	{"pipe.webm", CONTAINER_WEBM, VV, {CODEC_VP8, CODEC_OPUS}, 1, 8000, 5000, 30, 1000},
	{"pipe-vp9.webm", CONTAINER_WEBM, VV, {CODEC_VP9, CODEC_OPUS}, 1, 8000, 5000, 30, 1000},
	{"pipe-voice.webm", CONTAINER_WEBM, V, {CODEC_OPUS}, 1, 8000, 5000, 30, 1000},
	{"pipe-pcm.mkv", CONTAINER_WEBM, V, {CODEC_PCM_S16LE}, 1, 8000, 5000, 130, 1000},
	{"pipe-h264.mkv", CONTAINER_WEBM, VV, {CODEC_H264, CODEC_AAC}, 1, 8000, 5000, 200, 1000},
	{"pipe.mp4", CONTAINER_MP4, VV, {CODEC_H264, CODEC_AAC}, 2, 8000, 5200, 30, 2500},
	{"pipe-voice.mp4", CONTAINER_MP4, V, {CODEC_AAC}, 2, 8000, 5120, 30, 2500},
	{"faststart.mp4", CONTAINER_MP4, VV, {CODEC_H264, CODEC_AAC}, 2, 8000, 5000, 200, 5000},
	{"late.mp4", CONTAINER_MP4, VV, {CODEC_H264, CODEC_AAC}, 2, 8000, 5000, 200, 100000},
};

/* Feeds in slices; *decided gets the bytes after which the media were known. */
static vault_err feed_all(struct probe *p, const struct sample *s, size_t slice, size_t *decided)
{
	uint64_t before = 0;
	vault_err err = VAULT_E_SHORT;

	*decided = SIZE_MAX;
	for (size_t at = 0; at < s->n; at += slice) {
		const size_t n = s->n - at < slice ? s->n - at : slice;
		err = probe_feed(p, s->data + at, n);
		if (err != VAULT_OK && err != VAULT_E_SHORT)
			return err;
		if (err == VAULT_OK && *decided == SIZE_MAX)
			*decided = at + n;
		assert_true(probe_get(p)->duration_us >= before);
		before = probe_get(p)->duration_us;
	}
	return err == VAULT_OK ? probe_finish(p) : err;
}

static void check_one(const struct expected *e, const struct sample *s, size_t slice)
{
	struct probe *p;
	size_t decided;

	assert_int_equal(probe_new(&p), VAULT_OK);
	assert_int_equal(feed_all(p, s, slice, &decided), VAULT_OK);
	const struct probe_result *r = probe_get(p);
	const unsigned ms = (unsigned)((r->duration_us + 500) / 1000);
	if (r->container != e->container || r->media != e->media || ms > e->ms + e->off_ms || ms + e->off_ms < e->ms)
		fail_msg("%s: container %d media %d %u ms", e->name, (int)r->container, r->media, ms);
	assert_false(probe_damaged(p));
	assert_int_equal(r->n_tracks, e->codec[1] != 0 ? 2 : 1);
	for (size_t i = 0; i < r->n_tracks; i++) {
		assert_int_equal(r->track[i].codec, e->codec[i]);
		assert_int_equal(r->track[i].medium == MEDIUM_VIDEO, codec_is_video((enum codec)e->codec[i]));
		if (r->track[i].medium == MEDIUM_VOICE) {
			assert_int_equal(r->track[i].channels, e->channels);
			assert_int_equal(r->track[i].rate, e->rate);
		}
	}
	if (slice == 1 && decided > e->decided)
		fail_msg("%s: decided only after %zu bytes", e->name, decided);
	probe_free(p);
}

static void test_samples_R1_R2(void **state)
{
	static const size_t slices[] = {1, 13, 4096, SIZE_MAX / 2};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct sample s = sample_read(all[i].name);
		for (size_t k = 0; k < sizeof(slices) / sizeof(slices[0]); k++)
			check_one(&all[i], &s, slices[k]);
		sample_free(&s);
	}
}

static void refuse(const char *name, vault_err want, const char *reason)
{
	struct sample s = sample_read(name);
	struct probe *p;
	size_t decided;

	assert_int_equal(probe_new(&p), VAULT_OK);
	assert_int_equal(feed_all(p, &s, 1000, &decided), want);
	assert_non_null(strstr(probe_reason(p), reason));
	/* And it stays refused. */
	assert_int_equal(probe_feed(p, s.data, 1), want);
	probe_free(p);
	sample_free(&s);
}

static void test_other_tracks_are_refused(void **state)
{
	(void)state;
	refuse("words.mkv", VAULT_E_UNSUPPORTED, "neither audio nor video");
	refuse("words.mp4", VAULT_E_UNSUPPORTED, "neither audio nor video");
	refuse("words.srt", VAULT_E_UNSUPPORTED, "not Ogg");
}

/* A link that brings video into a voice recording is seen when it comes (R2). */
static void test_video_in_a_chain_R2(void **state)
{
	struct sample s = sample_read("chained-video.ogg"), first = sample_read("pipe.ogg");
	struct probe *p;

	(void)state;
	assert_int_equal(probe_new(&p), VAULT_OK);
	assert_int_equal(probe_feed(p, s.data, first.n), VAULT_OK);
	assert_int_equal(probe_get(p)->media, MEDIUM_VOICE);
	assert_int_equal(probe_feed(p, s.data + first.n, 200), VAULT_OK);
	assert_int_equal(probe_get(p)->media, MEDIUM_VOICE | MEDIUM_VIDEO);
	assert_int_equal(probe_get(p)->duration_us / 1000, 5000);
	probe_free(p);
	sample_free(&s);
	sample_free(&first);
}

/* The time of a byte is the duration before it: for WAV it tells the byte again. */
static void test_wav_time_tells_the_byte(void **state)
{
	struct sample s = sample_read("stereo44.wav");
	struct probe *p;

	(void)state;
	assert_int_equal(probe_new(&p), VAULT_OK);
	assert_int_equal(probe_feed(p, s.data, 78), VAULT_OK);
	for (size_t at = 78; at + 997 < s.n; at += 997) {
		const uint64_t us = probe_get(p)->duration_us;
		assert_int_equal((us * 176400 + 999999) / 1000000, at - 78);
		assert_int_equal(probe_feed(p, s.data + at, 997), VAULT_OK);
	}
	probe_free(p);
	sample_free(&s);
}

static void test_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i += 3) {
		struct sample s = sample_read(all[i].name);
		for (size_t n = 0; n < s.n && n < 3000; n += 7) {
			struct probe *p;
			assert_int_equal(probe_new(&p), VAULT_OK);
			vault_err err = probe_feed(p, s.data, n);
			assert_true(err == VAULT_OK || err == VAULT_E_SHORT);
			assert_int_equal(probe_finish(p), err);
			probe_free(p);
		}
		sample_free(&s);
	}
}

static void test_names(void **state)
{
	static const char type[] = "Audio/OGG; codecs=opus";
	uint8_t media;

	(void)state;
	assert_int_equal(container_of_mime(type, sizeof(type) - 1, &media), CONTAINER_OGG);
	assert_int_equal(media, MEDIUM_VOICE);
	assert_int_equal(container_of_mime("video/webm", 10, &media), CONTAINER_WEBM);
	assert_int_equal(media, MEDIUM_VIDEO);
	assert_int_equal(container_of_mime("application/octet-stream", 24, &media), CONTAINER_NONE);
	assert_int_equal(media, 0);
	assert_int_equal(container_of_mime("audio/wav", 9, &media), CONTAINER_WAV);
	assert_int_equal(container_of_mime("audio/mp4", 9, &media), CONTAINER_MP4);
	assert_int_equal(media, MEDIUM_VOICE);
	assert_string_equal(container_name(CONTAINER_MP4), "mp4");
	assert_string_equal(codec_name(CODEC_OTHER_VIDEO), "video");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples_R1_R2),
		cmocka_unit_test(test_other_tracks_are_refused),
		cmocka_unit_test(test_video_in_a_chain_R2),
		cmocka_unit_test(test_wav_time_tells_the_byte),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
