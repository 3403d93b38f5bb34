/*
 * probe.h - what medium is in this byte stream? (sans-I/O)
 *
 * A probe is fed the upload's bytes in order, in any slices, and never needs
 * to see a byte twice. It recognises the container by its first bytes, finds
 * tracks, codec, rate, channels, and then follows along cheaply: the duration
 * of the whole units (page, block, fragment, sample) seen so far. The media time
 * of a byte is the duration before that byte was fed: whoever cuts the stream
 * into chunks feeds it cut at the same places, and reads the time of a chunk
 * just before its first byte. Memory is bounded by PROBE_MEMORY whatever
 * arrives; lengths in the input are never trusted.
 */
#ifndef VAULT_MEDIA_PROBE_H
#define VAULT_MEDIA_PROBE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

#define PROBE_MEMORY (64ul * 1024)
#define PROBE_TRACKS 16u
#define PROBE_DECIDE_MAX (1024ul * 1024)   /* undecided after this many bytes: unsupported */

enum container { CONTAINER_NONE, CONTAINER_OGG, CONTAINER_WAV, CONTAINER_WEBM /* and Matroska */, CONTAINER_MP4 };
enum codec { CODEC_UNKNOWN, CODEC_PCM_S16LE, CODEC_PCM_OTHER, CODEC_PCMU, CODEC_PCMA, CODEC_OPUS, CODEC_VORBIS,
	CODEC_AAC, CODEC_MP3, CODEC_FLAC, CODEC_SPEEX, CODEC_VP8, CODEC_VP9, CODEC_AV1, CODEC_H264, CODEC_H265,
	CODEC_THEORA, CODEC_OTHER_AUDIO, CODEC_OTHER_VIDEO };

struct probe_track {
	uint8_t medium;              /* MEDIUM_VOICE or MEDIUM_VIDEO; 0: neither (subtitles, data) */
	uint8_t codec;
	uint8_t channels;
	uint32_t rate;               /* Hz; video: 0 */
};

struct probe_result {
	enum container container;
	uint8_t media;               /* mask over the tracks */
	size_t n_tracks;
	struct probe_track track[PROBE_TRACKS];
	uint64_t duration_us;        /* so far; never goes back, saturates */
};

struct probe;

VAULT_NODISCARD vault_err probe_new(struct probe **p);
void probe_free(struct probe *p);
/*
 * Feed the next slice. OK once the media are known (probe_get is valid then),
 * VAULT_E_SHORT while undecided, VAULT_E_UNSUPPORTED (not a known container,
 * a track that cannot be classified, a forbidden nesting) or VAULT_E_CORRUPT
 * (the container breaks its own format before it was decided). After OK it
 * keeps returning OK: a container that breaks later is recorded as it came, and
 * probe_damaged says so. A track that appears only later (chained Ogg, a
 * second moov) is added to the media mask: check probe_get after every feed.
 */
VAULT_NODISCARD vault_err probe_feed(struct probe *p, const uint8_t *data, size_t n);
const struct probe_result *probe_get(const struct probe *p);
bool probe_damaged(const struct probe *p);
/* One sentence (static) on why the stream was refused or is damaged; "" when there is nothing to say. */
const char *probe_reason(const struct probe *p);
/* End of input: VAULT_E_SHORT when never decided. Final duration afterwards. */
VAULT_NODISCARD vault_err probe_finish(struct probe *p);

/* The container that begins with these bytes; NONE when n < CONTAINER_HEAD or it is not known. */
#define CONTAINER_HEAD 12u
enum container container_of_head(const uint8_t *head, size_t n);

/*
 * What Content-Type may claim. Unknown or
 * application/octet-stream: NONE. declared_media: audio types claim voice and no
 * video; video types claim that there is video; 0 claims nothing.
 */
enum container container_of_mime(const char *mime, size_t n, uint8_t *declared_media);
const char *container_name(enum container c);
const char *codec_name(enum codec c);
bool codec_is_video(enum codec c);

#endif
