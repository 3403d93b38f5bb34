/*
 * opus.h - facts of Ogg Opus (RFC 7845) and of Opus packets (RFC 6716) that do
 * not need the codec.
 */
#ifndef VAULT_MEDIA_OPUS_H
#define VAULT_MEDIA_OPUS_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

#define OPUS_RATE 48000u             /* granule positions count this, whatever the input rate was */
#define OPUS_HEAD_BYTES 19u          /* channel mapping family 0 */
#define OPUS_PACKET_SAMPLES_MAX 5760u

struct opus_head {
	uint8_t channels;            /* >= 1 */
	uint16_t pre_skip;           /* samples at 48 kHz */
	uint32_t input_rate;         /* as written; 0: not known */
	int16_t gain_q8;             /* dB in 1/256 */
	uint8_t family;              /* 0: mono or stereo */
};

/* VAULT_E_NOTFOUND: no OpusHead; VAULT_E_CORRUPT: a broken one; VAULT_E_UNSUPPORTED: a later version. */
VAULT_NODISCARD vault_err opus_head_parse(struct opus_head *h, const uint8_t *p, size_t n);
/* Mapping family 0. */
void opus_head_write(const struct opus_head *h, uint8_t out[OPUS_HEAD_BYTES]);
/* Samples at 48 kHz that a packet of n bytes with these first two bytes lasts; 0 when it is not valid. */
uint32_t opus_packet_samples(const uint8_t *p, size_t n);

#endif
