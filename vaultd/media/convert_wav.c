/*
 * convert_wav.c - WAV in: a range of the same samples, PCM s16le, or Opus.
 *
 * Counts bytes of sample data; everything in front of them is read once and
 * everything behind them is left out. Owner and thread as convert.c.
 */
#include "media/convert_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/wire.h"
#include "ipc/message.h"
#include "media/g711.h"
#include "media/pcm_out.h"
#include "media/wav.h"

#define BLOCK_BYTES 8192u            /* input bytes decoded at once */
#define CARRY_MAX (2u * UINT8_MAX)   /* one sample of all channels, 16 bits */

struct wav_convert {
	struct convert_options o;
	struct wav_head head;
	bool ready;                  /* the head is read; what follows is set */
	bool sized;                  /* the output's size is known and was promised */
	uint64_t pos;                /* bytes of sample data seen or jumped over */
	uint64_t lo, hi;             /* wanted bytes of sample data, whole samples */
	uint64_t given;              /* wanted bytes handed on */
	struct pcm_out *out;         /* NULL: the same bytes */
	uint8_t carry[CARRY_MAX];
	size_t n_carry;
	int16_t pcm[BLOCK_BYTES];
};

vault_err wav_convert_new(struct wav_convert **out, const struct convert_options *o)
{
	struct wav_convert *w = calloc(1, sizeof(*w));

	*out = w;
	if (w == NULL)
		return VAULT_E_NOMEM;
	w->o = *o;
	wav_head_init(&w->head);
	return VAULT_OK;
}

static uint64_t whole_samples(const struct wav_convert *w, uint64_t bytes)
{
	return bytes - bytes % w->head.format.align;
}

/* Where the range lies in the sample data, and whether its size can be told beforehand. */
static void find_range(struct wav_convert *w)
{
	const struct wav_format *f = &w->head.format;
	uint64_t end = w->head.data_size;

	if (w->o.total_bytes != 0) {
		const uint64_t there = w->o.total_bytes > w->head.data_offset ? w->o.total_bytes - w->head.data_offset : 0;
		if (there < end)
			end = there;
		w->sized = true;
	}
	w->lo = mul_saturating(units_of_us(w->o.from_us, f->rate), f->align);
	w->hi = w->o.to_us == UINT64_MAX ? UINT64_MAX : mul_saturating(units_of_us(w->o.to_us, f->rate), f->align);
	if (w->hi > end)
		w->hi = end;
	w->hi = whole_samples(w, w->hi);
	if (w->lo > w->hi)
		w->lo = w->hi;
}

static vault_err begin_same(struct wav_convert *w)
{
	uint8_t head[WAV_HEAD_ROOM];
	const size_t n = wav_head_write(head, w->head.format.raw, w->head.format.raw_len,
	    w->sized ? w->hi - w->lo : UINT64_MAX);

	return w->o.sink(w->o.arg, head, n);
}

static vault_err begin_output(struct wav_convert *w)
{
	const struct wav_format *f = &w->head.format;
	const struct pcm_out_options po = {.format = w->o.format, .channels = f->channels, .rate = f->rate,
		.frames = w->sized ? (w->hi - w->lo) / f->align : PCM_FRAMES_UNKNOWN, .sink = w->o.sink, .arg = w->o.arg};

	if (!f->linear)
		return VAULT_E_UNSUPPORTED;
	if (w->o.format == FORMAT_AS_STORED)
		return begin_same(w);
	if (f->codec != CODEC_PCM_S16LE && f->codec != CODEC_PCMU && f->codec != CODEC_PCMA)
		return VAULT_E_UNSUPPORTED;
	return pcm_out_new(&w->out, &po);
}

/* Whole samples only: n is a multiple of align and fits the block. */
static vault_err decode(struct wav_convert *w, const uint8_t *data, size_t n)
{
	const struct wav_format *f = &w->head.format;
	const size_t samples = f->codec == CODEC_PCM_S16LE ? n / 2 : n;

	for (size_t i = 0; i < samples; i++) {
		if (f->codec == CODEC_PCM_S16LE)
			w->pcm[i] = (int16_t)load_le16(data + 2 * i);
		else
			w->pcm[i] = f->codec == CODEC_PCMU ? g711_ulaw(data[i]) : g711_alaw(data[i]);
	}
	return pcm_out_write(w->out, w->pcm, n / f->align);
}

static vault_err give_samples(struct wav_convert *w, const uint8_t *data, size_t n)
{
	const size_t align = w->head.format.align, block = BLOCK_BYTES - BLOCK_BYTES % align;
	vault_err err = VAULT_OK;

	if (w->n_carry > 0) {
		size_t k = align - w->n_carry < n ? align - w->n_carry : n;
		memcpy(w->carry + w->n_carry, data, k);
		w->n_carry += k;
		data += k;
		n -= k;
		if (w->n_carry < align)
			return VAULT_OK;
		w->n_carry = 0;
		err = decode(w, w->carry, align);
	}
	while (err == VAULT_OK && n >= align) {
		const size_t k = n < block ? n - n % align : block;
		err = decode(w, data, k);
		data += k;
		n -= k;
	}
	if (err == VAULT_OK && n > 0) {
		memcpy(w->carry, data, n);
		w->n_carry = n;
	}
	return err;
}

/* The part of the next n bytes of sample data that is wanted. */
static vault_err take_data(struct wav_convert *w, const uint8_t *data, size_t n)
{
	const uint64_t begin = w->pos, end = add_saturating(begin, n);
	const uint64_t from = begin > w->lo ? begin : w->lo, to = end < w->hi ? end : w->hi;

	w->pos = end;
	if (from >= to)
		return VAULT_OK;
	data += from - begin;
	w->given += to - from;
	if (w->out != NULL)
		return give_samples(w, data, (size_t)(to - from));
	return w->o.sink(w->o.arg, data, (size_t)(to - from));
}

vault_err wav_convert_write(struct wav_convert *w, const uint8_t *data, size_t n)
{
	const char *why;
	vault_err err;

	if (!w->ready) {
		err = wav_head_feed(&w->head, &data, &n, &why);
		if (err == VAULT_E_SHORT)
			return VAULT_OK;
		if (err != VAULT_OK)
			return err;
		find_range(w);
		err = begin_output(w);
		if (err != VAULT_OK)
			return err;
		w->ready = true;
	}
	return take_data(w, data, n);
}

vault_err wav_convert_jump(struct wav_convert *w, uint64_t stream_offset)
{
	uint64_t to;

	if (!w->ready || stream_offset < w->head.data_offset)
		return VAULT_E_STATE;
	to = stream_offset - w->head.data_offset;
	/* Only what lies in front of the range may be left out. */
	if (to < w->pos || (to > w->pos && to > w->lo))
		return VAULT_E_RANGE;
	w->pos = to;
	return VAULT_OK;
}

vault_err wav_convert_offset_at(const struct wav_convert *w, uint64_t at_us, uint64_t *stream_offset)
{
	const struct wav_format *f = &w->head.format;
	uint64_t bytes;

	if (!w->ready)
		return VAULT_E_STATE;
	/* Beyond a byte a microsecond the time does not tell the byte. */
	if (f->byte_rate > 1000000u)
		return VAULT_E_UNSUPPORTED;
	bytes = units_of_us(at_us, f->byte_rate);
	if (media_us(bytes, f->byte_rate) < at_us)
		bytes = add_saturating(bytes, 1);
	*stream_offset = add_saturating(w->head.data_offset, bytes);
	return VAULT_OK;
}

vault_err wav_convert_finish(struct wav_convert *w)
{
	static const uint8_t pad[1];

	if (!w->ready || (w->sized && w->given < w->hi - w->lo))
		return VAULT_E_SHORT;
	if (w->out != NULL)
		return pcm_out_finish(w->out);
	return w->sized && (w->given & 1u) != 0 ? w->o.sink(w->o.arg, pad, 1) : VAULT_OK;
}

void wav_convert_free(struct wav_convert *w)
{
	if (w == NULL)
		return;
	pcm_out_free(w->out);
	secret_wipe(w, sizeof(*w));
	free(w);
}
