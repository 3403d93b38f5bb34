/*
 * convert_ogg.c - Ogg/Opus in: whole packets of a range into a new Ogg stream,
 * or decoded to PCM.
 *
 * The timeline is opus_file's; here it is only cut. Owner and thread as
 * convert.c. libopus is given nothing but whole packets with a bounded output.
 */
#include "media/convert_parts.h"

#include <opus/opus.h>
#include <stdlib.h>

#include "base/secret.h"
#include "ipc/message.h"
#include "media/intake.h"
#include "media/opus_file.h"
#include "media/opus_out.h"
#include "media/pcm_out.h"

#define PREROLL 3840                 /* 80 ms: RFC 7845 section 4.6 */
#define SILENCE_FRAMES 4096u

struct ogg_convert {
	struct convert_options o;
	struct opus_file file;
	int64_t from, to;            /* wanted, in samples at 48 kHz */
	int64_t link_begin;          /* the current link's first sound */
	bool jumped;                 /* the next packet must not lie behind the range's beginning */
	/* same packets */
	bool remux;
	struct opus_out packets;
	/* decoded */
	OpusDecoder *decoder;
	struct pcm_out *pcm;
	uint32_t rate;
	uint8_t channels;
	int64_t given_to;            /* everything before this time was written or is not wanted */
	int16_t sound[OPUS_PACKET_SAMPLES_MAX * 2];
};

static vault_err on_link(void *arg, const struct opus_head *head, const uint8_t *tags, size_t n_tags, int64_t begin);
static vault_err on_packet(void *arg, const struct opus_packet *p);

static int64_t bounded(uint64_t units)
{
	return units > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)units;
}

vault_err ogg_convert_new(struct ogg_convert **out, const struct convert_options *o)
{
	struct ogg_convert *g = calloc(1, sizeof(*g));

	*out = g;
	if (g == NULL)
		return VAULT_E_NOMEM;
	g->o = *o;
	g->from = bounded(units_of_us(o->from_us, OPUS_RATE));
	g->to = bounded(units_of_us(o->to_us, OPUS_RATE));
	g->given_to = g->from;
	g->remux = o->format != FORMAT_WAV;
	opus_file_init(&g->file, &(struct opus_file_events){.link = on_link, .packet = on_packet, .arg = g});
	opus_out_init(&g->packets, o->sink, o->arg);
	return VAULT_OK;
}

static uint32_t output_rate(uint32_t input_rate)
{
	switch (input_rate) {
	case 8000:
	case 12000:
	case 16000:
	case 24000:
		return input_rate;
	default:
		return OPUS_RATE;
	}
}

/* The first link decides the output; libopus fits later ones to it. */
static vault_err begin_decoder(struct ogg_convert *g, const struct opus_head *head)
{
	vault_err err = VAULT_OK;
	int rc;

	if (g->pcm == NULL) {
		g->rate = output_rate(head->input_rate);
		g->channels = head->channels;
		const struct pcm_out_options po = {.format = FORMAT_WAV, .channels = g->channels, .rate = g->rate,
			.frames = PCM_FRAMES_UNKNOWN, .sink = g->o.sink, .arg = g->o.arg};
		err = pcm_out_new(&g->pcm, &po);
	}
	if (err != VAULT_OK)
		return err;
	if (g->decoder != NULL)
		opus_decoder_destroy(g->decoder);
	g->decoder = opus_decoder_create((opus_int32)g->rate, g->channels, &rc);
	if (g->decoder == NULL)
		return VAULT_E_NOMEM;
	return opus_decoder_ctl(g->decoder, OPUS_SET_GAIN(head->gain_q8)) == OPUS_OK ? VAULT_OK : VAULT_E_UNSUPPORTED;
}

static vault_err on_link(void *arg, const struct opus_head *head, const uint8_t *tags, size_t n_tags, int64_t begin)
{
	struct ogg_convert *g = arg;

	g->link_begin = begin;
	return g->remux ? opus_out_link(&g->packets, head, tags, n_tags) : begin_decoder(g, head);
}

static vault_err write_silence(struct ogg_convert *g, int64_t frames)
{
	static const int16_t silence[SILENCE_FRAMES * 2];
	vault_err err = VAULT_OK;

	while (frames > 0 && err == VAULT_OK) {
		const int64_t k = frames < (int64_t)SILENCE_FRAMES ? frames : (int64_t)SILENCE_FRAMES;
		err = pcm_out_write(g->pcm, silence, (size_t)k);
		frames -= k;
	}
	return err;
}

/* Output samples that lie before this time, counted from time 0. */
static int64_t frames_before(const struct ogg_convert *g, int64_t time)
{
	const int64_t step = OPUS_RATE / g->rate;

	return (time + step - 1) / step;
}

static vault_err decode_packet(struct ogg_convert *g, const struct opus_packet *p)
{
	const int64_t step = OPUS_RATE / g->rate;
	const int frames = (int)(p->samples / step);
	int64_t begin = g->given_to > g->link_begin ? g->given_to : g->link_begin;
	int64_t end = p->end < g->to ? p->end : g->to;
	vault_err err = VAULT_OK;

	int n = opus_decode(g->decoder, p->data, (opus_int32)p->n, g->sound, frames, 0);
	if (n != frames)              /* damaged: conceal it, the clock goes on */
		n = opus_decode(g->decoder, NULL, 0, g->sound, frames, 0);
	if (n != frames)
		return VAULT_E_CORRUPT;
	if (p->at > begin) {
		/* What was lost, or never sent, in front of this packet. */
		err = write_silence(g, frames_before(g, p->at) - frames_before(g, begin));
		begin = p->at;
	}
	if (err != VAULT_OK || end <= begin)
		return err;
	/* Sample i lies at p->at + i * step; those in [begin, end) are given. */
	const int64_t first = begin > p->at ? (begin - p->at + step - 1) / step : 0;
	int64_t stop = (end - p->at + step - 1) / step;
	if (stop > frames)
		stop = frames;
	g->given_to = end;
	if (first >= stop)
		return VAULT_OK;
	return pcm_out_write(g->pcm, g->sound + first * g->channels, (size_t)(stop - first));
}

static vault_err on_packet(void *arg, const struct opus_packet *p)
{
	struct ogg_convert *g = arg;
	const int64_t sound_from = g->from > g->link_begin ? g->from : g->link_begin;

	if (g->jumped) {
		/* More than what lies before the range was left out. */
		if (p->at > g->from)
			return VAULT_E_RANGE;
		g->jumped = false;
	}
	if (p->at >= g->to || p->at + p->samples <= g->from - PREROLL)
		return VAULT_OK;
	return g->remux ? opus_out_packet(&g->packets, p, sound_from, g->to) : decode_packet(g, p);
}

vault_err ogg_convert_write(struct ogg_convert *g, const uint8_t *data, size_t n)
{
	return opus_file_write(&g->file, data, n);
}

vault_err ogg_convert_jump(struct ogg_convert *g)
{
	g->jumped = true;
	return opus_file_jump(&g->file);
}

vault_err ogg_convert_finish(struct ogg_convert *g)
{
	if (!opus_file_begun(&g->file) || g->jumped)
		return VAULT_E_SHORT;
	return g->remux ? opus_out_finish(&g->packets) : pcm_out_finish(g->pcm);
}

void ogg_convert_free(struct ogg_convert *g)
{
	if (g == NULL)
		return;
	opus_file_clear(&g->file);
	opus_out_clear(&g->packets);
	if (g->decoder != NULL)
		opus_decoder_destroy(g->decoder);
	pcm_out_free(g->pcm);
	secret_wipe(g, sizeof(*g));
	free(g);
}
