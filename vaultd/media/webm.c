/*
 * webm.c - follows EBML (RFC 8794) as WebM and Matroska use it, for the probe.
 *
 * Reads the track entries and the times of clusters and blocks; frames pass
 * without a copy. Unknown sizes are taken for Segment and Cluster only, depth is
 * bounded, an element never reaches beyond its parent.
 */
#include <string.h>

#include "base/wire.h"
#include "ipc/message.h"
#include "media/parts.h"

enum { EL_ID, EL_ID_REST, EL_SIZE, EL_SIZE_REST, EL_DATA };

#define ID_EBML 0x1a45dfa3u
#define ID_DOCTYPE 0x4282u
#define ID_SEGMENT 0x18538067u
#define ID_INFO 0x1549a966u
#define ID_SCALE 0x2ad7b1u
#define ID_TRACKS 0x1654ae6bu
#define ID_ENTRY 0xaeu
#define ID_NUMBER 0xd7u
#define ID_TYPE 0x83u
#define ID_CODEC 0x86u
#define ID_DEFAULT 0x23e383u
#define ID_AUDIO 0xe1u
#define ID_RATE 0xb5u
#define ID_CHANNELS 0x9fu
#define ID_BITS 0x6264u
#define ID_CLUSTER 0x1f43b675u
#define ID_TIME 0xe7u
#define ID_SIMPLE 0xa3u
#define ID_GROUP 0xa0u
#define ID_BLOCK 0xa1u
#define ID_DURATION 0x9bu
#define ID_SEEK 0x114d9b74u
#define ID_CUES 0x1c53bb6bu
#define ID_CHAPTERS 0x1043a770u
#define ID_TAGS 0x1254c367u
#define ID_ATTACHMENTS 0x1941a469u

#define SIZE_UNKNOWN UINT64_MAX
#define SCALE_DEFAULT 1000000u
#define BLOCK_HEAD_MAX 10u           /* 8 bytes of track number, 2 of time */
#define LAST_BLOCK_MAX_NS 1000000000u
#define TYPE_VIDEO 1u
#define TYPE_AUDIO 2u

/* Which element may be opened inside which: the way down to what is read. */
static bool is_master(uint32_t id, uint32_t parent)
{
	switch (id) {
	case ID_EBML:
	case ID_SEGMENT:
		return parent == 0;
	case ID_INFO:
	case ID_TRACKS:
	case ID_CLUSTER:
		return parent == ID_SEGMENT;
	case ID_ENTRY:
		return parent == ID_TRACKS;
	case ID_AUDIO:
		return parent == ID_ENTRY;
	case ID_GROUP:
		return parent == ID_CLUSTER;
	default:
		return false;
	}
}

static bool ends_cluster(uint32_t id)
{
	return id == ID_CLUSTER || id == ID_CUES || id == ID_TAGS || id == ID_CHAPTERS || id == ID_ATTACHMENTS ||
	       id == ID_INFO || id == ID_TRACKS || id == ID_SEEK;
}

static uint32_t parent_of(const struct webm_probe *w)
{
	return w->depth > 0 ? w->level[w->depth - 1].id : 0;
}

static const struct {
	const char *id;
	uint8_t codec;
} codecs[] = {
	{"A_OPUS", CODEC_OPUS}, {"A_VORBIS", CODEC_VORBIS}, {"A_AAC", CODEC_AAC}, {"A_MPEG/L3", CODEC_MP3},
	{"A_FLAC", CODEC_FLAC}, {"A_PCM/INT/LIT", CODEC_PCM_S16LE}, {"A_PCM", CODEC_PCM_OTHER},
	{"V_VP8", CODEC_VP8}, {"V_VP9", CODEC_VP9}, {"V_AV1", CODEC_AV1}, {"V_MPEG4/ISO/AVC", CODEC_H264},
	{"V_MPEGH/ISO/HEVC", CODEC_H265}, {"V_THEORA", CODEC_THEORA}, {"A_", CODEC_OTHER_AUDIO},
	{"V_", CODEC_OTHER_VIDEO},
};

static uint8_t codec_of(const struct webm_probe *w)
{
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		if (strncmp(w->codec, codecs[i].id, strlen(codecs[i].id)) != 0)
			continue;
		if (codecs[i].codec == CODEC_PCM_S16LE && w->bits != 16)
			return CODEC_PCM_OTHER;
		return codecs[i].codec;
	}
	return CODEC_UNKNOWN;
}

static vault_err end_entry(struct probe *p)
{
	struct webm_probe *w = &p->u.webm;
	struct probe_track t = {.codec = codec_of(w)};

	if (w->type == TYPE_AUDIO && t.codec != CODEC_UNKNOWN && !codec_is_video((enum codec)t.codec)) {
		t.medium = MEDIUM_VOICE;
		t.channels = w->channels <= UINT8_MAX ? (uint8_t)w->channels : UINT8_MAX;
		t.rate = w->rate;
	} else if (w->type == TYPE_VIDEO && codec_is_video((enum codec)t.codec)) {
		t.medium = MEDIUM_VIDEO;
	}
	if (w->n < PROBE_TRACKS)
		w->track[w->n++] = (struct webm_track){.number = w->number, .default_ns = w->default_ns};
	return probe_add_track(p, &t);
}

static vault_err end_level(struct probe *p)
{
	struct webm_probe *w = &p->u.webm;
	const uint32_t id = w->level[--w->depth].id;

	if (id == ID_ENTRY)
		return end_entry(p);
	if (id == ID_EBML && !w->doc_ok)
		return probe_fail(p, VAULT_E_UNSUPPORTED, "This EBML stream is neither WebM nor Matroska.");
	if (id == ID_TRACKS && p->state == VAULT_E_SHORT)
		return probe_decide(p);
	return VAULT_OK;
}

static vault_err begin_level(struct probe *p)
{
	struct webm_probe *w = &p->u.webm;

	if (w->depth == WEBM_DEPTH)
		return probe_fail(p, VAULT_E_CORRUPT, "EBML elements lie too deep inside each other.");
	w->level[w->depth].id = w->id;
	w->level[w->depth++].end = w->size == SIZE_UNKNOWN ? UINT64_MAX : add_saturating(p->in.pos, w->size);
	if (w->id == ID_SEGMENT)
		w->scale_ns = SCALE_DEFAULT;
	if (w->id == ID_EBML)
		w->doc_ok = false;
	if (w->id == ID_TRACKS)
		w->n = 0;
	if (w->id == ID_ENTRY) {
		w->number = w->type = w->bits = w->default_ns = 0;
		w->channels = 1;
		w->rate = 8000;
		memset(w->codec, 0, sizeof(w->codec));
	}
	if (w->id == ID_CLUSTER) {
		w->cluster = 0;
		if (p->state == VAULT_E_SHORT)
			return probe_fail(p, VAULT_E_UNSUPPORTED, "Media come before the tracks are described.");
	}
	return VAULT_OK;
}

/* Elements whose payload is read, and how much of it. */
static size_t wanted(uint32_t id, uint32_t parent, uint64_t size)
{
	switch (parent) {
	case ID_EBML:
		return id == ID_DOCTYPE && size <= 16 ? (size_t)size : 0;
	case ID_INFO:
		return id == ID_SCALE && size <= 8 ? (size_t)size : 0;
	case ID_ENTRY:
		if (id == ID_CODEC)
			return size < 31 ? (size_t)size : 31;
		return (id == ID_NUMBER || id == ID_TYPE || id == ID_DEFAULT) && size <= 8 ? (size_t)size : 0;
	case ID_AUDIO:
		return (id == ID_RATE || id == ID_CHANNELS || id == ID_BITS) && size <= 8 ? (size_t)size : 0;
	case ID_CLUSTER:
	case ID_GROUP:
		if (id == ID_SIMPLE || id == ID_BLOCK)
			return size < BLOCK_HEAD_MAX ? (size_t)size : BLOCK_HEAD_MAX;
		return (id == ID_TIME || id == ID_DURATION) && size <= 8 ? (size_t)size : 0;
	default:
		return 0;
	}
}

static uint64_t number_of(const uint8_t *v, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | v[i];
	return value;
}

/* A float of 4 or 8 bytes as a rate; 0 when it is none. */
static uint32_t rate_of(const uint8_t *v, size_t n)
{
	double value = 0;

	if (n == 4) {
		const uint32_t bits = load_be32(v);
		float f;
		memcpy(&f, &bits, sizeof(f));
		value = (double)f;
	} else if (n == 8) {
		const uint64_t bits = load_be64(v);
		memcpy(&value, &bits, sizeof(value));
	}
	return value >= 1 && value <= 4e9 ? (uint32_t)value : 0;
}

static uint8_t vint_length(uint8_t first)
{
	uint8_t n = 1;

	while (n <= 8 && (first & (0x80u >> (n - 1))) == 0)
		n++;
	return n;
}

static void reached_ns(struct probe *p, uint64_t ns)
{
	const uint64_t first = p->u.webm.first_ns;

	probe_reached(p, (ns > first ? ns - first : 0) / 1000);
}

/* Track number and time of a block; n bytes of its head are there. */
static vault_err read_block(struct probe *p, const uint8_t *v, size_t n)
{
	struct webm_probe *w = &p->u.webm;
	const uint8_t len = n > 0 ? vint_length(v[0]) : 9;
	uint64_t number, time;
	int16_t rel;

	if (len > 8 || n < len + 2u)
		return probe_fail(p, VAULT_E_CORRUPT, "A Matroska block is too short.");
	number = number_of(v, len) & ~(1ull << (7u * len));
	rel = (int16_t)load_be16(v + len);
	time = rel >= 0 ? add_saturating(w->cluster, (uint64_t)rel) :
	    w->cluster > (uint64_t)-rel ? w->cluster - (uint64_t)-rel : 0;
	w->last_ns = mul_saturating(time, w->scale_ns);
	if (!w->first_known) {
		w->first_known = true;
		w->first_ns = w->last_ns;
	}
	for (size_t i = 0; i < w->n; i++) {
		struct webm_track *t = &w->track[i];
		if (t->number != number)
			continue;
		t->gap_ns = w->last_ns > t->last_ns ? w->last_ns - t->last_ns : 0;
		t->last_ns = w->last_ns;
		reached_ns(p, add_saturating(w->last_ns, t->default_ns));
		return VAULT_OK;
	}
	p->damaged = true;            /* a block of no track */
	return VAULT_OK;
}

void webm_finish(struct probe *p)
{
	const struct webm_probe *w = &p->u.webm;

	for (size_t i = 0; i < w->n; i++)
		if (w->track[i].default_ns == 0 && w->track[i].gap_ns < LAST_BLOCK_MAX_NS)
			reached_ns(p, add_saturating(w->track[i].last_ns, w->track[i].gap_ns));
}

static vault_err read_value(struct probe *p, const uint8_t *v, size_t n)
{
	struct webm_probe *w = &p->u.webm;

	switch (w->id) {
	case ID_DOCTYPE:
		w->doc_ok = (n == 4 && memcmp(v, "webm", 4) == 0) || (n == 8 && memcmp(v, "matroska", 8) == 0);
		break;
	case ID_SCALE:
		w->scale_ns = number_of(v, n);
		break;
	case ID_NUMBER:
		w->number = number_of(v, n);
		break;
	case ID_TYPE:
		w->type = number_of(v, n);
		break;
	case ID_DEFAULT:
		w->default_ns = number_of(v, n);
		break;
	case ID_CODEC:
		memcpy(w->codec, v, n);
		w->codec[n] = '\0';
		break;
	case ID_RATE:
		w->rate = rate_of(v, n);
		break;
	case ID_CHANNELS:
		w->channels = number_of(v, n);
		break;
	case ID_BITS:
		w->bits = number_of(v, n);
		break;
	case ID_TIME:
		w->cluster = number_of(v, n);
		break;
	case ID_DURATION:
		reached_ns(p, add_saturating(w->last_ns, mul_saturating(number_of(v, n), w->scale_ns)));
		break;
	default:
		return read_block(p, v, n);
	}
	return VAULT_OK;
}

/* An element's head is read: which level is it on, and what is done with it? */
static vault_err begin_element(struct probe *p)
{
	struct webm_probe *w = &p->u.webm;
	uint32_t parent;

	/* Levels of unknown size end where an element comes that cannot lie inside them. */
	while (w->depth > 0 && w->level[w->depth - 1].end == UINT64_MAX) {
		parent = parent_of(w);
		if (!(parent == ID_CLUSTER && ends_cluster(w->id)) && w->id != ID_SEGMENT && w->id != ID_EBML)
			break;
		w->depth--;
	}
	parent = parent_of(w);
	if (w->size == SIZE_UNKNOWN && !((w->id == ID_SEGMENT || w->id == ID_CLUSTER) && is_master(w->id, parent)))
		return probe_fail(p, VAULT_E_CORRUPT, "An EBML element of unknown size is neither Segment nor Cluster.");
	if (w->size != SIZE_UNKNOWN && w->depth > 0 && add_saturating(p->in.pos, w->size) > w->level[w->depth - 1].end)
		return probe_fail(p, VAULT_E_CORRUPT, "An EBML element reaches beyond the one around it.");
	w->state = EL_ID;
	if (is_master(w->id, parent))
		return begin_level(p);
	if (wanted(w->id, parent, w->size) > 0)
		w->state = EL_DATA;
	else
		intake_pass(&p->in, w->size);
	return VAULT_OK;
}

static vault_err read_head(struct probe *p, const uint8_t *v)
{
	struct webm_probe *w = &p->u.webm;

	switch (w->state) {
	case EL_ID:
		w->id_len = vint_length(v[0]);
		if (w->id_len > 4)
			return probe_fail(p, VAULT_E_CORRUPT, "An EBML element's name is not valid.");
		w->id = v[0];
		w->state = w->id_len > 1 ? EL_ID_REST : EL_SIZE;
		return VAULT_OK;
	case EL_ID_REST:
		w->id = w->id << (8u * (w->id_len - 1u)) | (uint32_t)number_of(v, w->id_len - 1u);
		w->state = EL_SIZE;
		return VAULT_OK;
	case EL_SIZE:
		w->size_len = vint_length(v[0]);
		if (w->size_len > 8)
			return probe_fail(p, VAULT_E_CORRUPT, "An EBML element's size is not valid.");
		w->size = v[0] & ((1u << (8u - w->size_len)) - 1u);
		w->state = EL_SIZE_REST;
		return VAULT_OK;
	default:
		w->size = w->size_len > 1 ? w->size << (8u * (w->size_len - 1u)) | number_of(v, w->size_len - 1u) : w->size;
		if (w->size == (1ull << (7u * w->size_len)) - 1)
			w->size = SIZE_UNKNOWN;
		return begin_element(p);
	}
}

static size_t next_piece(const struct webm_probe *w)
{
	switch (w->state) {
	case EL_ID_REST:
		return w->id_len - 1u;
	case EL_SIZE_REST:
		return w->size_len - 1u;
	case EL_DATA:
		return wanted(w->id, parent_of(w), w->size);
	default:
		return 1;
	}
}

vault_err webm_feed(struct probe *p, const uint8_t *data, size_t n)
{
	struct webm_probe *w = &p->u.webm;
	vault_err err = VAULT_OK;

	while (err == VAULT_OK) {
		/* Levels end when everything inside has passed, even when no byte follows yet. */
		if (w->state == EL_ID && w->depth > 0 && w->level[w->depth - 1].end <= p->in.pos && p->in.len == 0) {
			if (intake_take(&p->in, 0, &data, &n) == NULL)
				return VAULT_OK;
			err = end_level(p);
			continue;
		}
		const size_t want = next_piece(w);
		const uint8_t *v = intake_take(&p->in, want, &data, &n);
		if (v == NULL)
			return VAULT_OK;
		if (w->state == EL_DATA) {
			intake_pass(&p->in, w->size - want);
			w->state = EL_ID;
			err = read_value(p, v, want);
		} else {
			err = read_head(p, v);
		}
	}
	return err;
}
