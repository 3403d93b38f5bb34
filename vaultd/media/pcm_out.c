/*
 * pcm_out.c - writes PCM as WAV, or encodes it as Opus into Ogg pages.
 *
 * One owner, one thread. Everything is allocated by pcm_out_new (libogg grows
 * its page buffer to one page). The Opus stream follows RFC 7845: pre-skip is
 * the encoder's look-ahead, the last granule position cuts the padding off.
 */
#include "media/pcm_out.h"

#include <ogg/ogg.h>
#include <opus/opus.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/wire.h"
#include "ipc/message.h"
#include "media/intake.h"
#include "media/opus.h"
#include "media/resample.h"

#define BITRATE 24000
#define FRAME_MS 20u
#define FRAME_SAMPLES_MAX (OPUS_RATE / 1000u * FRAME_MS)
#define PACKET_MAX 1500
#define PAGE_PACKETS 50u             /* one second a page */
#define SERIAL 0x7661756c            /* every export is a file of its own */
#define VENDOR "vault " VAULT_VERSION
#define TAG_RIFF 0x52494646u         /* "RIFF", and so on */
#define TAG_WAVE 0x57415645u
#define TAG_FMT 0x666d7420u
#define TAG_DATA 0x64617461u

struct pcm_out {
	struct pcm_out_options o;
	uint64_t written;            /* frames that came in */
	uint8_t *piece;              /* WAV: CONVERT_PIECE bytes, little-endian samples */
	/* Ogg */
	OpusEncoder *encoder;
	ogg_stream_state stream;
	bool stream_ready;
	struct resample resample;
	uint32_t encoder_rate;
	int16_t frame[FRAME_SAMPLES_MAX * RESAMPLE_CHANNELS];
	uint32_t frame_samples;      /* of one packet at encoder_rate */
	uint32_t filled;
	uint16_t pre_skip;
	uint64_t packets;
	uint32_t page_packets;
};

size_t wav_head_write(uint8_t *out, const uint8_t *format, size_t format_len, uint64_t data_bytes)
{
	const uint64_t before = 4 + 8 + format_len + 8;
	const bool streaming = data_bytes > UINT32_MAX - before - 1;
	const uint32_t riff = streaming ? UINT32_MAX : (uint32_t)(before + data_bytes + (data_bytes & 1u));

	store_be32(out, TAG_RIFF);
	store_le32(out + 4, riff);
	store_be32(out + 8, TAG_WAVE);
	store_be32(out + 12, TAG_FMT);
	store_le32(out + 16, (uint32_t)format_len);
	memcpy(out + 20, format, format_len);
	store_be32(out + 20 + format_len, TAG_DATA);
	store_le32(out + 24 + format_len, streaming ? UINT32_MAX : (uint32_t)data_bytes);
	return 28 + format_len;
}

static vault_err wav_begin(struct pcm_out *out)
{
	const uint32_t align = 2u * out->o.channels;
	uint8_t head[WAV_HEAD_ROOM], format[16];

	store_le16(format, 1);
	store_le16(format + 2, out->o.channels);
	store_le32(format + 4, out->o.rate);
	store_le32(format + 8, (uint32_t)mul_saturating(out->o.rate, align));
	store_le16(format + 12, (uint16_t)align);
	store_le16(format + 14, 16);
	out->piece = malloc(CONVERT_PIECE);
	if (out->piece == NULL)
		return VAULT_E_NOMEM;
	return out->o.sink(out->o.arg, head,
	    wav_head_write(head, format, sizeof(format), mul_saturating(out->o.frames, align)));
}

static vault_err wav_write(struct pcm_out *out, const int16_t *pcm, size_t frames)
{
	size_t samples = frames * out->o.channels;

	while (samples > 0) {
		const size_t n = samples < CONVERT_PIECE / 2 ? samples : CONVERT_PIECE / 2;
		for (size_t i = 0; i < n; i++)
			store_le16(out->piece + 2 * i, (uint16_t)pcm[i]);
		vault_err err = out->o.sink(out->o.arg, out->piece, 2 * n);
		if (err != VAULT_OK)
			return err;
		pcm += n;
		samples -= n;
	}
	return VAULT_OK;
}

static vault_err put_pages(struct pcm_out *out, bool flush)
{
	ogg_page page;

	while ((flush ? ogg_stream_flush(&out->stream, &page) : ogg_stream_pageout(&out->stream, &page)) != 0) {
		vault_err err = out->o.sink(out->o.arg, page.header, (size_t)page.header_len);
		if (err == VAULT_OK)
			err = out->o.sink(out->o.arg, page.body, (size_t)page.body_len);
		if (err != VAULT_OK)
			return err;
		out->page_packets = 0;
	}
	return VAULT_OK;
}

static vault_err put_packet(struct pcm_out *out, uint8_t *data, size_t n, uint64_t granule, bool last, bool flush)
{
	ogg_packet op = {.packet = data, .bytes = (long)n, .b_o_s = out->packets == 0, .e_o_s = last,
		.granulepos = (ogg_int64_t)granule, .packetno = (ogg_int64_t)out->packets};

	if (ogg_stream_packetin(&out->stream, &op) != 0)
		return VAULT_E_NOMEM;
	out->packets++;
	out->page_packets++;
	return put_pages(out, flush || last || out->page_packets == PAGE_PACKETS);
}

/* The lowest rate libopus takes that keeps everything. */
static uint32_t encoder_rate(uint32_t rate)
{
	static const uint32_t rates[] = {8000, 12000, 16000, 24000, 48000};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		if (rates[i] == rate)
			return rate;
	return OPUS_RATE;
}

static vault_err ogg_begin(struct pcm_out *out)
{
	/* Name, length, vendor, and no comment: the vendor's NUL is one of the count's four zeros. */
	uint8_t head[OPUS_HEAD_BYTES], tags[8 + 4 + sizeof(VENDOR) - 1 + 4] = {0};
	struct opus_head h = {.channels = out->o.channels, .input_rate = out->o.rate};
	opus_int32 lookahead = 0;
	vault_err err;
	int rc;

	if (out->o.channels > RESAMPLE_CHANNELS || out->o.rate < PCM_RATE_MIN || out->o.rate > PCM_RATE_MAX)
		return VAULT_E_UNSUPPORTED;
	out->encoder_rate = encoder_rate(out->o.rate);
	out->frame_samples = out->encoder_rate / 1000u * FRAME_MS;
	resample_init(&out->resample, out->o.rate, out->encoder_rate, out->o.channels);
	out->encoder = opus_encoder_create((opus_int32)out->encoder_rate, out->o.channels, OPUS_APPLICATION_VOIP, &rc);
	if (out->encoder == NULL)
		return VAULT_E_NOMEM;
	if (opus_encoder_ctl(out->encoder, OPUS_SET_BITRATE(BITRATE * out->o.channels)) != OPUS_OK ||
	    opus_encoder_ctl(out->encoder, OPUS_GET_LOOKAHEAD(&lookahead)) != OPUS_OK)
		return VAULT_E_UNSUPPORTED;
	out->pre_skip = h.pre_skip = (uint16_t)((uint32_t)lookahead * (OPUS_RATE / out->encoder_rate));
	if (ogg_stream_init(&out->stream, SERIAL) != 0)
		return VAULT_E_NOMEM;
	out->stream_ready = true;
	opus_head_write(&h, head);
	memcpy(tags, "OpusTags", sizeof("OpusTags"));
	store_le32(tags + 8, sizeof(VENDOR) - 1);
	memcpy(tags + 12, VENDOR, sizeof(VENDOR));
	err = put_packet(out, head, sizeof(head), 0, false, true);
	return err != VAULT_OK ? err : put_packet(out, tags, sizeof(tags), 0, false, true);
}

/* Granule position at which the sound so far ends, at 48 kHz with pre-skip. */
static uint64_t end_granule(const struct pcm_out *out)
{
	return out->pre_skip + out->written / out->o.rate * OPUS_RATE + out->written % out->o.rate * OPUS_RATE / out->o.rate;
}

static vault_err encode_frame(struct pcm_out *out, bool last)
{
	const uint64_t granule = (out->packets - 2 + 1) * (uint64_t)FRAME_SAMPLES_MAX;
	uint8_t packet[PACKET_MAX];
	opus_int32 n = opus_encode(out->encoder, out->frame, (int)out->frame_samples, packet, sizeof(packet));

	out->filled = 0;
	if (n < 0)
		return VAULT_E_UNSUPPORTED;
	return put_packet(out, packet, (size_t)n, last ? end_granule(out) : granule, last, false);
}

static vault_err drain(struct pcm_out *out)
{
	while (resample_next(&out->resample, out->frame + (size_t)out->filled * out->o.channels)) {
		if (++out->filled < out->frame_samples)
			continue;
		vault_err err = encode_frame(out, false);
		if (err != VAULT_OK)
			return err;
	}
	return VAULT_OK;
}

static vault_err ogg_write(struct pcm_out *out, const int16_t *pcm, size_t frames)
{
	for (size_t i = 0; i < frames; i++) {
		resample_put(&out->resample, pcm + i * out->o.channels);
		vault_err err = drain(out);
		if (err != VAULT_OK)
			return err;
	}
	return VAULT_OK;
}

/* Silence behind the end until the look-ahead is out, then the last packet with the true end. */
static vault_err ogg_finish(struct pcm_out *out)
{
	static const int16_t silence[RESAMPLE_CHANNELS];
	const uint64_t end = end_granule(out);
	vault_err err = VAULT_OK;

	while (err == VAULT_OK && (out->packets - 2 + 1) * (uint64_t)FRAME_SAMPLES_MAX < end) {
		resample_put(&out->resample, silence);
		err = drain(out);
	}
	while (err == VAULT_OK && out->filled < out->frame_samples) {
		memset(out->frame + (size_t)out->filled * out->o.channels, 0, sizeof(int16_t) * out->o.channels);
		out->filled++;
	}
	return err != VAULT_OK ? err : encode_frame(out, true);
}

vault_err pcm_out_new(struct pcm_out **result, const struct pcm_out_options *o)
{
	struct pcm_out *out = calloc(1, sizeof(*out));
	vault_err err;

	*result = NULL;
	if (out == NULL)
		return VAULT_E_NOMEM;
	out->o = *o;
	if (o->channels == 0 || o->rate == 0)
		err = VAULT_E_UNSUPPORTED;
	else
		err = o->format == FORMAT_OGG ? ogg_begin(out) : wav_begin(out);
	if (err != VAULT_OK) {
		pcm_out_free(out);
		return err;
	}
	*result = out;
	return VAULT_OK;
}

vault_err pcm_out_write(struct pcm_out *out, const int16_t *pcm, size_t frames)
{
	out->written = add_saturating(out->written, frames);
	return out->o.format == FORMAT_OGG ? ogg_write(out, pcm, frames) : wav_write(out, pcm, frames);
}

vault_err pcm_out_finish(struct pcm_out *out)
{
	if (out->o.frames != PCM_FRAMES_UNKNOWN && out->written < out->o.frames)
		return VAULT_E_SHORT;
	return out->o.format == FORMAT_OGG ? ogg_finish(out) : VAULT_OK;
}

void pcm_out_free(struct pcm_out *out)
{
	if (out == NULL)
		return;
	if (out->encoder != NULL)
		opus_encoder_destroy(out->encoder);
	if (out->stream_ready)
		ogg_stream_clear(&out->stream);
	if (out->piece != NULL)
		secret_wipe(out->piece, CONVERT_PIECE);
	free(out->piece);
	secret_wipe(out, sizeof(*out));
	free(out);
}
