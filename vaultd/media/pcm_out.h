/*
 * pcm_out.h - linear samples in, a WAV or an Ogg/Opus file out.
 */
#ifndef VAULT_MEDIA_PCM_OUT_H
#define VAULT_MEDIA_PCM_OUT_H

#include "media/convert.h"

#define PCM_FRAMES_UNKNOWN UINT64_MAX
#define PCM_RATE_MIN 8000u           /* what Ogg/Opus output takes; WAV takes every rate */
#define PCM_RATE_MAX 48000u

struct pcm_out;

struct pcm_out_options {
	uint8_t format;              /* FORMAT_WAV or FORMAT_OGG */
	uint8_t channels;            /* Ogg: 1 or 2 */
	uint32_t rate;
	uint64_t frames;             /* samples of one channel when known before, else PCM_FRAMES_UNKNOWN */
	convert_sink sink;
	void *arg;
};

/* Writes the head at once. VAULT_E_UNSUPPORTED: channels or rate. */
VAULT_NODISCARD vault_err pcm_out_new(struct pcm_out **out, const struct pcm_out_options *o);
/* Interleaved. */
VAULT_NODISCARD vault_err pcm_out_write(struct pcm_out *out, const int16_t *pcm, size_t frames);
/* VAULT_E_SHORT when fewer than the announced frames came. */
VAULT_NODISCARD vault_err pcm_out_finish(struct pcm_out *out);
void pcm_out_free(struct pcm_out *out);

/*
 * A WAV head for data_bytes (UINT64_MAX: streaming) behind this fmt chunk. out
 * has room for WAV_HEAD_ROOM; returns its length. Sizes beyond 32 bits count as streaming.
 */
#define WAV_HEAD_ROOM 80u
size_t wav_head_write(uint8_t *out, const uint8_t *format, size_t format_len, uint64_t data_bytes);

#endif
