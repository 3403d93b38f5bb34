/*
 * wav.h - the head of a RIFF/WAVE stream, up to the first byte of samples;
 * shared by the probe and the converter.
 */
#ifndef VAULT_MEDIA_WAV_H
#define VAULT_MEDIA_WAV_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "media/intake.h"
#include "media/probe.h"

#define WAV_FORMAT_MAX 40u           /* bytes of a fmt chunk that are kept */

struct wav_format {
	uint8_t codec;
	uint8_t channels;            /* 1..255 */
	uint16_t bits;
	uint16_t align;              /* bytes of one sample of all channels; > 0 */
	uint32_t rate;               /* > 0 */
	uint32_t byte_rate;          /* > 0; align * rate for PCM and G.711 whatever the head says */
	bool linear;                 /* every align bytes are one sample: PCM, float, G.711 */
	size_t raw_len;
	uint8_t raw[WAV_FORMAT_MAX]; /* the fmt chunk as it came */
};

struct wav_head {
	int state;
	struct intake in;
	uint8_t held[WAV_FORMAT_MAX];
	struct wav_format format;
	uint64_t chunk_left;
	uint64_t data_size;          /* UINT64_MAX: until the stream ends */
	uint64_t data_offset;        /* of the first sample in the stream */
	uint64_t data_seen;          /* used by the probe */
};

void wav_head_init(struct wav_head *h);
/*
 * OK: the head is complete and *p, *n are behind it. VAULT_E_SHORT: more is
 * needed. VAULT_E_CORRUPT or VAULT_E_UNSUPPORTED otherwise; *why then says it.
 */
VAULT_NODISCARD vault_err wav_head_feed(struct wav_head *h, const uint8_t **p, size_t *n, const char **why);

#endif
