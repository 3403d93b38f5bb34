/*
 * ogg.c - follows Ogg pages (RFC 3533) for the probe: which streams there are,
 * and how far they reach.
 *
 * Reads page headers and the packets that begin a stream; everything else
 * passes without a copy. Knows Opus, Vorbis, Speex, FLAC, Theora and VP8,
 * several streams side by side, and chained ones. A page that does not begin
 * where it should is fatal before the decision; later the next page is looked
 * for, and the stream counts as damaged.
 */
#include <string.h>

#include "base/wire.h"
#include "ipc/message.h"
#include "media/opus.h"
#include "media/parts.h"

enum { PAGE_HEAD, PAGE_TABLE, PAGE_BOS, PAGE_OPUS, PAGE_END, PAGE_HUNT };

#define PAGE_HEAD_BYTES 27u
#define FLAG_CONTINUED 1u
#define FLAG_BOS 2u
#define FLAG_EOS 4u
#define CAPTURE 0x4f676753u          /* "OggS" */
#define GRANULE_NONE UINT64_MAX

static uint32_t crc_add(uint32_t crc, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc ^= (uint32_t)p[i] << 24;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc & 0x80000000u ? (crc << 1) ^ 0x04c11db7u : crc << 1;
	}
	return crc;
}

static size_t body_length(const struct ogg_probe *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->segments; i++)
		n += o->table[i];
	return n;
}

static struct ogg_stream *find_stream(struct ogg_probe *o, uint32_t serial)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->stream[i].serial == serial)
			return &o->stream[i];
	return NULL;
}

/* What kind of stream begins with this packet; medium 0 when it is neither audio nor video. */
static void classify(struct probe_track *t, struct ogg_stream *s, const uint8_t *v, size_t n)
{
	struct opus_head head;

	memset(t, 0, sizeof(*t));
	s->per = 1;
	if (opus_head_parse(&head, v, n) == VAULT_OK) {
		*t = (struct probe_track){MEDIUM_VOICE, CODEC_OPUS, head.channels,
			head.input_rate != 0 ? head.input_rate : OPUS_RATE};
		s->rate = OPUS_RATE;
		s->pre_skip = head.pre_skip;
	} else if (n >= 16 && memcmp(v, "\x01vorbis", 7) == 0) {
		*t = (struct probe_track){MEDIUM_VOICE, CODEC_VORBIS, v[11], load_le32(v + 12)};
		s->rate = t->rate;
	} else if (n >= 52 && memcmp(v, "Speex   ", 8) == 0) {
		*t = (struct probe_track){MEDIUM_VOICE, CODEC_SPEEX, (uint8_t)load_le32(v + 48), load_le32(v + 36)};
		s->rate = t->rate;
	} else if (n >= 31 && memcmp(v, "\x7f" "FLAC", 5) == 0) {
		*t = (struct probe_track){MEDIUM_VOICE, CODEC_FLAC, (uint8_t)(((v[29] >> 1) & 7u) + 1u),
			load_be32(v + 27) >> 12};
		s->rate = t->rate;
	} else if (n >= 42 && memcmp(v, "\x80theora", 7) == 0) {
		*t = (struct probe_track){MEDIUM_VIDEO, CODEC_THEORA, 0, 0};
		s->rate = load_be32(v + 22);
		s->per = load_be32(v + 26);
		s->shift = (uint8_t)((load_be16(v + 40) >> 5) & 31u);
	} else if (n >= 5 && memcmp(v, "OVP80", 5) == 0) {
		*t = (struct probe_track){MEDIUM_VIDEO, CODEC_VP8, 0, 0};
	}
	s->codec = t->codec;
}

static vault_err begin_stream(struct probe *p, const uint8_t *v, size_t n)
{
	struct ogg_probe *o = &p->u.ogg;
	struct ogg_stream s = {.serial = o->serial};
	struct probe_track t;
	vault_err err;

	if (p->state == VAULT_E_SHORT && crc_add(o->crc, v, n) != o->want_crc)
		return probe_fail(p, VAULT_E_CORRUPT, "An Ogg page's checksum does not hold.");
	if (o->data_seen) {
		/* The next link of a chain: its time goes on where the last one ended. */
		o->data_seen = false;
		o->n = 0;
		o->link_us = p->r.duration_us;
	}
	if (find_stream(o, s.serial) != NULL)
		return probe_fail(p, VAULT_E_CORRUPT, "Two Ogg streams have the same number.");
	classify(&t, &s, v, n);
	err = probe_add_track(p, &t);
	if (err == VAULT_OK && o->n < PROBE_TRACKS)
		o->stream[o->n++] = s;
	return err;
}

/* The page's granule position is reached: what does the stream last then? */
static void reached(struct probe *p, struct ogg_stream *s, uint64_t granule)
{
	const struct ogg_probe *o = &p->u.ogg;
	uint64_t units = granule, us;

	if (s->codec == CODEC_THEORA) {
		units = add_saturating(granule >> s->shift, granule & ((1ull << s->shift) - 1));
	} else {
		units = units > s->base ? units - s->base : 0;
		units = units > s->pre_skip ? units - s->pre_skip : 0;
	}
	us = media_us(mul_saturating(units, s->per), s->rate);
	probe_reached(p, add_saturating(o->link_us, us));
}

static void end_page(struct probe *p)
{
	struct ogg_probe *o = &p->u.ogg;
	struct ogg_stream *s = find_stream(o, o->serial);

	if (s == NULL || o->granule == GRANULE_NONE || (o->flags & FLAG_BOS) != 0)
		return;
	if (!s->started && s->codec == CODEC_OPUS) {
		if (o->samples == 0)
			return;           /* the tags */
		/* A live stream may begin anywhere; a last page may be cut short. */
		s->base = o->granule > o->samples && (o->flags & FLAG_EOS) == 0 ? o->granule - o->samples : 0;
		s->started = true;
	}
	reached(p, s, o->granule);
}

static vault_err begin_page(struct probe *p, const uint8_t *v)
{
	struct ogg_probe *o = &p->u.ogg;
	uint8_t zeroed[PAGE_HEAD_BYTES];

	if (v[4] != 0 || (v[5] & ~7u) != 0)
		return VAULT_E_CORRUPT;
	o->flags = v[5];
	o->granule = load_le64(v + 6);
	o->serial = load_le32(v + 14);
	o->want_crc = load_le32(v + 22);
	o->segments = v[26];
	memcpy(zeroed, v, sizeof(zeroed));
	memset(zeroed + 22, 0, 4);
	o->crc = (o->flags & FLAG_BOS) != 0 ? crc_add(0, zeroed, sizeof(zeroed)) : 0;
	o->state = PAGE_TABLE;
	return VAULT_OK;
}

static vault_err begin_body(struct probe *p, const uint8_t *v)
{
	struct ogg_probe *o = &p->u.ogg;
	const struct ogg_stream *s;
	size_t n;

	if (o->segments > 0)
		memcpy(o->table, v, o->segments);
	n = body_length(o);
	if ((o->flags & FLAG_BOS) != 0) {
		o->crc = crc_add(o->crc, o->table, o->segments);
		if (n > PROBE_HELD)
			return probe_fail(p, VAULT_E_UNSUPPORTED, "An Ogg stream begins with a packet that no known codec has.");
		o->state = PAGE_BOS;
		return VAULT_OK;
	}
	o->data_seen = true;
	s = find_stream(o, o->serial);
	if (s != NULL && s->codec == CODEC_OPUS && !s->started && o->granule != GRANULE_NONE) {
		o->state = PAGE_OPUS;
		o->at = 0;
		o->samples = 0;
	} else {
		intake_pass(&p->in, n);
		o->state = PAGE_END;
	}
	/* All streams begin before the first page that begins none. */
	return p->state == VAULT_E_SHORT ? probe_decide(p) : VAULT_OK;
}

/* Length of the packet that begins at o->at of the lacing table. */
static size_t packet_length(const struct ogg_probe *o, size_t *lacings)
{
	size_t n = 0, i = o->at;

	while (i < o->segments) {
		n += o->table[i];
		if (o->table[i++] < 255)
			break;
	}
	*lacings = i - o->at;
	return n;
}

/* The first two bytes of each packet say how long it lasts. */
static bool measure_opus(struct probe *p, const uint8_t **data, size_t *n)
{
	struct ogg_probe *o = &p->u.ogg;

	while (o->at < o->segments) {
		size_t lacings, len = packet_length(o, &lacings);
		size_t look = len < 2 ? len : 2;
		const uint8_t *v = intake_take(&p->in, look, data, n);
		if (v == NULL)
			return false;
		/* Only what begins and ends on this page; "OpusTags" is no valid packet and counts nothing. */
		const bool whole = o->table[o->at + lacings - 1] < 255 && (o->at > 0 || (o->flags & FLAG_CONTINUED) == 0);
		o->samples += whole ? opus_packet_samples(v, look) : 0;
		intake_pass(&p->in, len - look);
		o->at += lacings;
	}
	o->state = PAGE_END;
	return true;
}

/* Byte by byte until the next capture pattern; then the header is read behind it. */
static bool hunt(struct probe *p, const uint8_t **data, size_t *n)
{
	struct ogg_probe *o = &p->u.ogg;
	const uint8_t *v;

	while (o->hunt != CAPTURE) {
		v = intake_take(&p->in, 1, data, n);
		if (v == NULL)
			return false;
		o->hunt = o->hunt << 8 | v[0];
	}
	v = intake_take(&p->in, PAGE_HEAD_BYTES - 4, data, n);
	if (v == NULL)
		return false;
	uint8_t head[PAGE_HEAD_BYTES] = {'O', 'g', 'g', 'S'};
	memcpy(head + 4, v, sizeof(head) - 4);
	o->hunt = 0;
	if (begin_page(p, head) != VAULT_OK)
		o->state = PAGE_HUNT;
	return true;
}

static vault_err broken(struct probe *p)
{
	if (p->state == VAULT_E_SHORT)
		return probe_fail(p, VAULT_E_CORRUPT, "An Ogg page does not begin where it should.");
	p->damaged = true;
	p->u.ogg.hunt = 0;
	p->u.ogg.state = PAGE_HUNT;
	return VAULT_OK;
}

static vault_err step(struct probe *p, const uint8_t **data, size_t *n, bool *more)
{
	struct ogg_probe *o = &p->u.ogg;
	const uint8_t *v;

	*more = true;
	switch (o->state) {
	case PAGE_HUNT:
		*more = hunt(p, data, n);
		return VAULT_OK;
	case PAGE_OPUS:
		*more = measure_opus(p, data, n);
		return VAULT_OK;
	case PAGE_HEAD:
		v = intake_take(&p->in, PAGE_HEAD_BYTES, data, n);
		break;
	case PAGE_TABLE:
		v = intake_take(&p->in, o->segments, data, n);
		break;
	case PAGE_BOS:
		v = intake_take(&p->in, body_length(o), data, n);
		break;
	default:
		v = intake_take(&p->in, 0, data, n);
		break;
	}
	*more = v != NULL;
	if (v == NULL)
		return VAULT_OK;
	switch (o->state) {
	case PAGE_HEAD:
		if (load_be32(v) == CAPTURE && begin_page(p, v) == VAULT_OK)
			return VAULT_OK;
		return broken(p);
	case PAGE_TABLE:
		return begin_body(p, v);
	case PAGE_BOS:
		o->state = PAGE_HEAD;
		return begin_stream(p, v, body_length(o));
	default:
		end_page(p);
		o->state = PAGE_HEAD;
		return VAULT_OK;
	}
}

vault_err ogg_feed(struct probe *p, const uint8_t *data, size_t n)
{
	vault_err err = VAULT_OK;
	bool more = true;

	/* A step with no byte left may still end a page whose last byte has just passed. */
	while (err == VAULT_OK && more)
		err = step(p, &data, &n, &more);
	return err;
}
