/*
 * wav.c - RIFF/WAVE: what ffmpeg, sox and GStreamer write to files and to pipes.
 *
 * Sizes of 0 and of 0xFFFFFFFF (a pipe could not be rewound) and RF64 mean
 * "until the stream ends". No allocation; no length from the input is used
 * before it is compared with a limit.
 */
#include "media/wav.h"

#include <string.h>

#include "base/wire.h"
#include "ipc/message.h"
#include "media/parts.h"

enum { WAV_RIFF, WAV_CHUNK, WAV_FORMAT, WAV_DONE };

#define FOURCC(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define TAG_PCM 1u
#define TAG_FLOAT 3u
#define TAG_ALAW 6u
#define TAG_ULAW 7u
#define TAG_MP3 0x55u
#define TAG_AAC 0xffu
#define TAG_EXTENSIBLE 0xfffeu

void wav_head_init(struct wav_head *h)
{
	memset(h, 0, sizeof(*h));
	intake_init(&h->in, h->held, sizeof(h->held));
}

static uint8_t codec_of_tag(uint32_t tag, uint16_t bits)
{
	switch (tag) {
	case TAG_PCM:
		return bits == 16 ? CODEC_PCM_S16LE : CODEC_PCM_OTHER;
	case TAG_FLOAT:
		return CODEC_PCM_OTHER;
	case TAG_ALAW:
		return CODEC_PCMA;
	case TAG_ULAW:
		return CODEC_PCMU;
	case TAG_MP3:
		return CODEC_MP3;
	case TAG_AAC:
	case 0x1610:
		return CODEC_AAC;
	default:
		return CODEC_OTHER_AUDIO;
	}
}

/* The tail of the GUIDs that stand for a plain format tag. */
static const uint8_t guid_tail[14] = {0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71};

static vault_err read_format(struct wav_format *f, const char **why)
{
	const uint8_t *p = f->raw;
	uint32_t tag = load_le16(p), channels = load_le16(p + 2);
	uint32_t sample;

	f->rate = load_le32(p + 4);
	f->byte_rate = load_le32(p + 8);
	f->align = load_le16(p + 12);
	f->bits = load_le16(p + 14);
	if (tag == TAG_EXTENSIBLE) {
		/* With another GUID the tag stays what no codec has: some audio that is only stored. */
		if (f->raw_len == WAV_FORMAT_MAX && memcmp(p + 26, guid_tail, sizeof(guid_tail)) == 0)
			tag = load_le16(p + 24);
	}
	if (channels == 0 || f->rate == 0 || f->align == 0) {
		*why = "The WAV header names no channel, no sample rate or no sample size.";
		return VAULT_E_CORRUPT;
	}
	if (channels > UINT8_MAX) {
		*why = "The WAV header names more channels than 255.";
		return VAULT_E_UNSUPPORTED;
	}
	f->channels = (uint8_t)channels;
	f->codec = codec_of_tag(tag, f->bits);
	f->linear = tag == TAG_PCM || tag == TAG_FLOAT || tag == TAG_ALAW || tag == TAG_ULAW;
	if (f->linear) {
		sample = tag == TAG_ALAW || tag == TAG_ULAW ? 1 : (f->bits + 7u) / 8u;
		if (sample == 0 || f->align != sample * channels) {
			*why = "The WAV header's sample size does not fit its channels.";
			return VAULT_E_CORRUPT;
		}
		if (mul_saturating(f->rate, f->align) > UINT32_MAX) {
			*why = "The WAV header's sample rate is beyond every real one.";
			return VAULT_E_CORRUPT;
		}
		f->byte_rate = f->rate * f->align;
	}
	if (f->byte_rate == 0) {
		*why = "The WAV header names no byte rate.";
		return VAULT_E_CORRUPT;
	}
	return VAULT_OK;
}

static vault_err begin_chunk(struct wav_head *h, const uint8_t *v, const char **why)
{
	uint32_t type = load_le32(v), size = load_le32(v + 4);

	if (type == FOURCC('d', 'a', 't', 'a')) {
		if (h->format.raw_len == 0) {
			*why = "The WAV samples come before their format.";
			return VAULT_E_CORRUPT;
		}
		h->data_size = size == 0 || size == UINT32_MAX ? UINT64_MAX : size;
		h->data_offset = h->in.pos;
		h->state = WAV_DONE;
		return VAULT_OK;
	}
	if (type != FOURCC('f', 'm', 't', ' ')) {
		/* Chunks are padded to an even size. */
		intake_pass(&h->in, (uint64_t)size + (size & 1u));
		return VAULT_OK;
	}
	if (size < 16 || h->format.raw_len != 0) {
		*why = "The WAV format chunk is too short or comes twice.";
		return VAULT_E_CORRUPT;
	}
	h->format.raw_len = size < WAV_FORMAT_MAX ? size : WAV_FORMAT_MAX;
	h->chunk_left = (uint64_t)size + (size & 1u) - h->format.raw_len;
	h->state = WAV_FORMAT;
	return VAULT_OK;
}

vault_err wav_head_feed(struct wav_head *h, const uint8_t **p, size_t *n, const char **why)
{
	static const size_t want[] = {[WAV_RIFF] = 12, [WAV_CHUNK] = 8};
	vault_err err = VAULT_OK;

	while (h->state != WAV_DONE) {
		const uint8_t *v = intake_take(&h->in, h->state == WAV_FORMAT ? h->format.raw_len : want[h->state], p, n);
		if (v == NULL)
			return VAULT_E_SHORT;
		if (h->state == WAV_RIFF) {
			if ((load_le32(v) != FOURCC('R', 'I', 'F', 'F') && load_le32(v) != FOURCC('R', 'F', '6', '4')) ||
			    load_le32(v + 8) != FOURCC('W', 'A', 'V', 'E')) {
				*why = "This RIFF stream is not a WAVE.";
				return VAULT_E_UNSUPPORTED;
			}
			h->state = WAV_CHUNK;
		} else if (h->state == WAV_CHUNK) {
			err = begin_chunk(h, v, why);
		} else {
			memcpy(h->format.raw, v, h->format.raw_len);
			intake_pass(&h->in, h->chunk_left);
			err = read_format(&h->format, why);
			h->state = WAV_CHUNK;
		}
		if (err != VAULT_OK)
			return err;
	}
	return VAULT_OK;
}

vault_err wav_feed(struct probe *p, const uint8_t *data, size_t n)
{
	struct wav_head *h = &p->u.wav;
	const char *why = NULL;
	vault_err err;

	if (p->state == VAULT_E_SHORT) {
		err = wav_head_feed(h, &data, &n, &why);
		if (err == VAULT_E_SHORT)
			return VAULT_OK;
		if (err != VAULT_OK)
			return probe_fail(p, err, why);
		const struct probe_track t = {.medium = MEDIUM_VOICE, .codec = h->format.codec,
			.channels = h->format.channels, .rate = h->format.rate};
		err = probe_add_track(p, &t);
		if (err == VAULT_OK)
			err = probe_decide(p);
		if (err != VAULT_OK)
			return err;
	}
	/* Bytes, not whole samples: the time then tells the very byte again (convert.h). */
	h->data_seen = add_saturating(h->data_seen, n);
	probe_reached(p, media_us(h->data_seen < h->data_size ? h->data_seen : h->data_size, h->format.byte_rate));
	return VAULT_OK;
}
