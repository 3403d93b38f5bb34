/*
 * opus.c - see opus.h. Plain functions on bytes, any thread.
 */
#include "media/opus.h"

#include <string.h>

#include "base/wire.h"

vault_err opus_head_parse(struct opus_head *h, const uint8_t *p, size_t n)
{
	if (n < 8 || memcmp(p, "OpusHead", 8) != 0)
		return VAULT_E_NOTFOUND;
	if (n < OPUS_HEAD_BYTES)
		return VAULT_E_CORRUPT;
	if ((p[8] & 0xf0) != 0)
		return VAULT_E_UNSUPPORTED;
	h->channels = p[9];
	h->pre_skip = load_le16(p + 10);
	h->input_rate = load_le32(p + 12);
	h->gain_q8 = (int16_t)load_le16(p + 16);
	h->family = p[18];
	if (h->channels == 0 || (h->family == 0 && h->channels > 2))
		return VAULT_E_CORRUPT;
	return VAULT_OK;
}

void opus_head_write(const struct opus_head *h, uint8_t out[OPUS_HEAD_BYTES])
{
	memcpy(out, "OpusHead", 8);
	out[8] = 1;
	out[9] = h->channels;
	store_le16(out + 10, h->pre_skip);
	store_le32(out + 12, h->input_rate);
	store_le16(out + 16, (uint16_t)h->gain_q8);
	out[18] = 0;
}

/* Samples of one frame, RFC 6716 section 3.1. */
static uint32_t frame_samples(uint8_t toc)
{
	const uint32_t config = toc >> 3, step = config & 3u;

	if (config < 12)
		return step == 3 ? 2880 : 480u << step;
	if (config < 16)
		return 480u << (config & 1u);
	return 120u << step;
}

uint32_t opus_packet_samples(const uint8_t *p, size_t n)
{
	uint32_t frames, samples;

	if (n == 0)
		return 0;
	switch (p[0] & 3u) {
	case 0:
		frames = 1;
		break;
	case 1:
	case 2:
		frames = 2;
		break;
	default:
		frames = n < 2 ? 0 : p[1] & 63u;
		break;
	}
	samples = frames * frame_samples(p[0]);
	return samples <= OPUS_PACKET_SAMPLES_MAX ? samples : 0;
}
