/*
 * mp4.c - follows ISO base media boxes (ISO/IEC 14496-12) for the probe.
 *
 * Reads the movie box (tracks, kinds, sample entries) and, in fragmented files,
 * decode times and run lengths; samples pass without a copy. A movie box behind
 * its media is only waited for within PROBE_DECIDE_MAX. Box sizes 0 and 1 are
 * taken as the standard says; a box never reaches beyond its parent.
 */
#include <string.h>

#include "base/wire.h"
#include "ipc/message.h"
#include "media/parts.h"

enum { BOX_HEAD, BOX_LARGE, BOX_DATA, BOX_RUN, BOX_RUN_ENTRY };

#define BOX(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))
#define BOX_MOOV BOX('m', 'o', 'o', 'v')
#define BOX_TRAK BOX('t', 'r', 'a', 'k')
#define BOX_MDIA BOX('m', 'd', 'i', 'a')
#define BOX_MINF BOX('m', 'i', 'n', 'f')
#define BOX_STBL BOX('s', 't', 'b', 'l')
#define BOX_MVEX BOX('m', 'v', 'e', 'x')
#define BOX_MOOF BOX('m', 'o', 'o', 'f')
#define BOX_TRAF BOX('t', 'r', 'a', 'f')
#define BOX_MDAT BOX('m', 'd', 'a', 't')
#define BOX_MVHD BOX('m', 'v', 'h', 'd')
#define BOX_TKHD BOX('t', 'k', 'h', 'd')
#define BOX_MDHD BOX('m', 'd', 'h', 'd')
#define BOX_HDLR BOX('h', 'd', 'l', 'r')
#define BOX_STSD BOX('s', 't', 's', 'd')
#define BOX_TREX BOX('t', 'r', 'e', 'x')
#define BOX_TFHD BOX('t', 'f', 'h', 'd')
#define BOX_TFDT BOX('t', 'f', 'd', 't')
#define BOX_TRUN BOX('t', 'r', 'u', 'n')

#define RUN_DATA_OFFSET 0x1u
#define RUN_FIRST_FLAGS 0x4u
#define RUN_DURATION 0x100u
#define RUN_SIZE 0x200u
#define RUN_FLAGS 0x400u
#define RUN_COMPOSITION 0x800u

static const struct {
	uint32_t type, parent;
} containers[] = {
	{BOX_MOOV, 0}, {BOX_TRAK, BOX_MOOV}, {BOX_MDIA, BOX_TRAK}, {BOX_MINF, BOX_MDIA}, {BOX_STBL, BOX_MINF},
	{BOX_MVEX, BOX_MOOV}, {BOX_MOOF, 0}, {BOX_TRAF, BOX_MOOF},
};

/* Boxes whose beginning is read: how much must be there, and how much is looked at. */
static const struct {
	uint32_t type, parent;
	uint16_t min, look;
} leaves[] = {
	{BOX_MVHD, BOX_MOOV, 20, 32}, {BOX_TKHD, BOX_TRAK, 16, 24}, {BOX_MDHD, BOX_MDIA, 20, 32},
	{BOX_HDLR, BOX_MDIA, 12, 12}, {BOX_STSD, BOX_STBL, 16, 44}, {BOX_TREX, BOX_MVEX, 24, 24},
	{BOX_TFHD, BOX_TRAF, 8, 28}, {BOX_TFDT, BOX_TRAF, 8, 12},
};

static const struct {
	uint32_t entry;
	uint8_t codec;
} entries[] = {
	{BOX('m', 'p', '4', 'a'), CODEC_AAC}, {BOX('O', 'p', 'u', 's'), CODEC_OPUS}, {BOX('f', 'L', 'a', 'C'), CODEC_FLAC},
	{BOX('.', 'm', 'p', '3'), CODEC_MP3}, {BOX('u', 'l', 'a', 'w'), CODEC_PCMU}, {BOX('a', 'l', 'a', 'w'), CODEC_PCMA},
	{BOX('s', 'o', 'w', 't'), CODEC_PCM_S16LE}, {BOX('t', 'w', 'o', 's'), CODEC_PCM_OTHER},
	{BOX('a', 'v', 'c', '1'), CODEC_H264}, {BOX('a', 'v', 'c', '3'), CODEC_H264}, {BOX('h', 'v', 'c', '1'), CODEC_H265},
	{BOX('h', 'e', 'v', '1'), CODEC_H265}, {BOX('v', 'p', '0', '8'), CODEC_VP8}, {BOX('v', 'p', '0', '9'), CODEC_VP9},
	{BOX('a', 'v', '0', '1'), CODEC_AV1}, {BOX('m', 'p', '4', 'v'), CODEC_OTHER_VIDEO},
};

static uint32_t parent_of(const struct mp4_probe *m)
{
	return m->depth > 0 ? m->level[m->depth - 1].type : 0;
}

static bool is_container(uint32_t type, uint32_t parent)
{
	for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++)
		if (containers[i].type == type)
			return containers[i].parent == parent;
	return false;
}

/* Index in leaves, or -1. */
static int leaf_of(uint32_t type, uint32_t parent)
{
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (leaves[i].type == type && leaves[i].parent == parent)
			return (int)i;
	return -1;
}

static struct mp4_track *find_track(struct mp4_probe *m, uint32_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->track[i].id == id)
			return &m->track[i];
	return NULL;
}

static vault_err end_track(struct probe *p)
{
	struct mp4_probe *m = &p->u.mp4;
	struct probe_track t = {0};
	uint8_t codec = CODEC_UNKNOWN;

	if (m->handler == 0 || m->sample_format == 0)
		return probe_fail(p, VAULT_E_CORRUPT, "An MP4 track does not say what it holds.");
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (entries[i].entry == m->sample_format)
			codec = entries[i].codec;
	if (m->handler == BOX('s', 'o', 'u', 'n') && !codec_is_video(codec)) {
		t.medium = MEDIUM_VOICE;
		t.codec = codec != CODEC_UNKNOWN ? codec : CODEC_OTHER_AUDIO;
		t.channels = m->channels <= UINT8_MAX ? (uint8_t)m->channels : UINT8_MAX;
		t.rate = m->rate;
	} else if (m->handler == BOX('v', 'i', 'd', 'e') && (codec == CODEC_UNKNOWN || codec_is_video(codec))) {
		t.medium = MEDIUM_VIDEO;
		t.codec = codec != CODEC_UNKNOWN ? codec : CODEC_OTHER_VIDEO;
	}
	if (m->n < PROBE_TRACKS && find_track(m, m->track_id) == NULL)
		m->track[m->n++] = (struct mp4_track){.id = m->track_id, .scale = m->scale};
	return probe_add_track(p, &t);
}

static vault_err end_level(struct probe *p)
{
	struct mp4_probe *m = &p->u.mp4;
	const uint32_t type = m->level[--m->depth].type;

	if (type == BOX_TRAK)
		return end_track(p);
	if (type == BOX_MOOV) {
		m->moov_seen = true;
		if (m->mdat_seen && !m->fragmented)
			probe_reached(p, m->movie_us);
		if (p->state == VAULT_E_SHORT)
			return probe_decide(p);
	}
	return VAULT_OK;
}

static vault_err begin_level(struct probe *p)
{
	struct mp4_probe *m = &p->u.mp4;

	if (m->depth == MP4_DEPTH)
		return probe_fail(p, VAULT_E_CORRUPT, "MP4 boxes lie too deep inside each other.");
	m->level[m->depth].type = m->type;
	m->level[m->depth++].end = add_saturating(p->in.pos, m->size);
	if (m->type == BOX_TRAK) {
		m->track_id = m->scale = m->handler = m->sample_format = m->rate = 0;
		m->channels = 0;
	}
	if (m->type == BOX_MOOV)
		m->n = 0;
	if (m->type == BOX_MVEX)
		m->fragmented = true;
	if (m->type == BOX_MOOF && p->state == VAULT_E_SHORT)
		return probe_fail(p, VAULT_E_UNSUPPORTED, "Media come before the tracks are described.");
	if (m->type == BOX_TRAF) {
		m->traf = NULL;
		m->traf_duration = 0;
	}
	return VAULT_OK;
}

static vault_err begin_mdat(struct probe *p)
{
	struct mp4_probe *m = &p->u.mp4;

	if (p->state == VAULT_E_SHORT && add_saturating(p->in.pos, m->size) > PROBE_DECIDE_MAX)
		return probe_fail(p, VAULT_E_UNSUPPORTED,
		    "The MP4 describes its tracks behind the media. Write it with faststart or fragmented.");
	if (!m->fragmented && m->moov_seen && m->mdat_size == 0 && m->size != UINT64_MAX) {
		m->mdat_start = p->in.pos;
		m->mdat_size = m->size;
	}
	m->mdat_seen = true;
	intake_pass(&p->in, m->size);
	return VAULT_OK;
}

/* Movie-wide times: version 0 has 32-bit, version 1 64-bit fields. */
static void read_times(const uint8_t *v, size_t n, uint32_t *scale, uint64_t *duration)
{
	*scale = 0;
	*duration = 0;
	if (v[0] == 0) {
		*scale = load_be32(v + 12);
		*duration = load_be32(v + 16);
		if (*duration == UINT32_MAX)
			*duration = 0;
	} else if (n >= 32) {
		*scale = load_be32(v + 20);
		*duration = load_be64(v + 24);
		if (*duration == UINT64_MAX)
			*duration = 0;
	}
}

static void read_tfhd(struct mp4_probe *m, const uint8_t *v, size_t n)
{
	const uint32_t flags = load_be32(v) & 0xffffffu;
	size_t at = 8;

	m->traf = find_track(m, load_be32(v + 4));
	m->traf_duration = m->traf != NULL ? m->traf->default_duration : 0;
	at += (flags & 1u) != 0 ? 8u : 0u;
	at += (flags & 2u) != 0 ? 4u : 0u;
	if ((flags & 8u) != 0 && n >= at + 4)
		m->traf_duration = load_be32(v + at);
}

static void read_leaf(struct probe *p, const uint8_t *v, size_t n)
{
	struct mp4_probe *m = &p->u.mp4;
	struct mp4_track *t;
	uint64_t duration;

	switch (m->type) {
	case BOX_MVHD:
		read_times(v, n, &m->movie_scale, &duration);
		m->movie_us = media_us(duration, m->movie_scale);
		break;
	case BOX_TKHD:
		m->track_id = v[0] == 0 ? load_be32(v + 12) : n >= 24 ? load_be32(v + 20) : 0;
		break;
	case BOX_MDHD:
		read_times(v, n, &m->scale, &duration);
		break;
	case BOX_HDLR:
		m->handler = load_be32(v + 8);
		break;
	case BOX_STSD:
		m->sample_format = load_be32(v + 4) > 0 ? load_be32(v + 12) : 0;
		if (n >= 44) {
			m->channels = load_be16(v + 32);
			m->rate = load_be16(v + 40);
		}
		break;
	case BOX_TREX:
		t = find_track(m, load_be32(v + 4));
		if (t != NULL)
			t->default_duration = load_be32(v + 12);
		break;
	case BOX_TFHD:
		read_tfhd(m, v, n);
		break;
	default:                      /* tfdt */
		if (m->traf != NULL)
			m->traf->next = v[0] != 0 && n >= 12 ? load_be64(v + 4) : load_be32(v + 4);
		break;
	}
}

static uint32_t run_entry(uint32_t flags)
{
	uint32_t n = 0;

	for (uint32_t bit = RUN_DURATION; bit <= RUN_COMPOSITION; bit <<= 1)
		n += (flags & bit) != 0 ? 4u : 0u;
	return n;
}

static void run_done(struct probe *p)
{
	struct mp4_probe *m = &p->u.mp4;

	m->state = BOX_HEAD;
	if (m->run_end > p->in.pos)
		intake_pass(&p->in, m->run_end - p->in.pos);
	if (m->traf != NULL && m->fragmented)
		probe_reached(p, media_us(m->traf->next, m->traf->scale));
}

static vault_err begin_run(struct probe *p, const uint8_t *v)
{
	struct mp4_probe *m = &p->u.mp4;
	uint64_t head = 0;

	m->run_flags = load_be32(v) & 0xffffffu;
	m->run_left = load_be32(v + 4);
	head += (m->run_flags & RUN_DATA_OFFSET) != 0 ? 4u : 0u;
	head += (m->run_flags & RUN_FIRST_FLAGS) != 0 ? 4u : 0u;
	if (head + (uint64_t)m->run_left * run_entry(m->run_flags) > m->size - 8)
		return probe_fail(p, VAULT_E_CORRUPT, "An MP4 run names more samples than it describes.");
	intake_pass(&p->in, head);
	if ((m->run_flags & RUN_DURATION) != 0 && m->run_left > 0) {
		m->state = BOX_RUN_ENTRY;
		return VAULT_OK;
	}
	if (m->traf != NULL)
		m->traf->next = add_saturating(m->traf->next, mul_saturating(m->run_left, m->traf_duration));
	run_done(p);
	return VAULT_OK;
}

static void read_run_entry(struct probe *p, const uint8_t *v)
{
	struct mp4_probe *m = &p->u.mp4;

	if (m->traf != NULL)
		m->traf->next = add_saturating(m->traf->next, load_be32(v));
	if (--m->run_left == 0)
		run_done(p);
}

/* A box's size and type are known: go into it, read it or let it pass. */
static vault_err begin_box(struct probe *p)
{
	struct mp4_probe *m = &p->u.mp4;
	const uint32_t parent = parent_of(m);
	int leaf;

	if (m->depth > 0 && add_saturating(p->in.pos, m->size) > m->level[m->depth - 1].end)
		return probe_fail(p, VAULT_E_CORRUPT, "An MP4 box reaches beyond the one around it.");
	m->state = BOX_HEAD;
	if (m->type == BOX_MDAT && m->depth == 0)
		return begin_mdat(p);
	if (is_container(m->type, parent))
		return begin_level(p);
	if (m->type == BOX_TRUN && parent == BOX_TRAF) {
		if (m->size < 8)
			return probe_fail(p, VAULT_E_CORRUPT, "An MP4 box is too short.");
		m->run_end = add_saturating(p->in.pos, m->size);
		m->state = BOX_RUN;
		return VAULT_OK;
	}
	leaf = leaf_of(m->type, parent);
	if (leaf < 0) {
		intake_pass(&p->in, m->size);
		return VAULT_OK;
	}
	if (m->size < leaves[leaf].min)
		return probe_fail(p, VAULT_E_CORRUPT, "An MP4 box is too short.");
	m->state = BOX_DATA;
	return VAULT_OK;
}

static vault_err read_head(struct probe *p, const uint8_t *v)
{
	struct mp4_probe *m = &p->u.mp4;
	uint64_t whole;

	if (m->state == BOX_HEAD) {
		m->type = load_be32(v + 4);
		m->head = 8;
		whole = load_be32(v);
		if (whole == 1) {
			m->state = BOX_LARGE;
			return VAULT_OK;
		}
		if (whole == 0) {
			if (m->depth > 0)
				return probe_fail(p, VAULT_E_CORRUPT, "An MP4 box without an end lies inside another.");
			m->size = UINT64_MAX;
			return begin_box(p);
		}
	} else {
		m->head = 16;
		whole = load_be64(v);
	}
	if (whole < m->head)
		return probe_fail(p, VAULT_E_CORRUPT, "An MP4 box is shorter than its own header.");
	m->size = whole - m->head;
	return begin_box(p);
}

static size_t next_piece(const struct mp4_probe *m)
{
	switch (m->state) {
	case BOX_DATA: {
		const uint16_t look = leaves[leaf_of(m->type, parent_of(m))].look;
		return m->size < look ? (size_t)m->size : look;
	}
	case BOX_RUN_ENTRY:
		return run_entry(m->run_flags);
	default:
		return 8;
	}
}

static vault_err read_piece(struct probe *p, const uint8_t *v, size_t n)
{
	struct mp4_probe *m = &p->u.mp4;

	switch (m->state) {
	case BOX_DATA:
		intake_pass(&p->in, m->size - n);
		m->state = BOX_HEAD;
		read_leaf(p, v, n);
		return VAULT_OK;
	case BOX_RUN:
		return begin_run(p, v);
	case BOX_RUN_ENTRY:
		read_run_entry(p, v);
		return VAULT_OK;
	default:
		return read_head(p, v);
	}
}

/* A plain file tells its whole length at once: spread it over its media bytes. */
static void reached_bytes(struct probe *p)
{
	struct mp4_probe *m = &p->u.mp4;
	uint64_t seen;

	if (m->mdat_size == 0 || p->in.pos < m->mdat_start)
		return;
	seen = p->in.pos - m->mdat_start - (p->in.pass < m->mdat_size ? p->in.pass : 0);
	if (seen >= m->mdat_size)
		probe_reached(p, m->movie_us);
	else
		probe_reached(p, (uint64_t)((double)m->movie_us * ((double)seen / (double)m->mdat_size)));
}

vault_err mp4_feed(struct probe *p, const uint8_t *data, size_t n)
{
	struct mp4_probe *m = &p->u.mp4;
	vault_err err = VAULT_OK;

	while (err == VAULT_OK) {
		if (m->state == BOX_HEAD && m->depth > 0 && m->level[m->depth - 1].end <= p->in.pos && p->in.len == 0) {
			if (intake_take(&p->in, 0, &data, &n) == NULL)
				break;
			err = end_level(p);
			continue;
		}
		const size_t want = next_piece(m);
		const uint8_t *v = intake_take(&p->in, want, &data, &n);
		if (v == NULL)
			break;
		err = read_piece(p, v, want);
	}
	reached_bytes(p);
	return err;
}
