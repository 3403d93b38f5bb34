/*
 * parts.h - how the containers' parsers and probe.c share one struct probe;
 * private to vaultd/media.
 *
 * A *_feed function takes all of the slice. An error means that the container
 * breaks its own format or is not taken: fatal before the decision, damage
 * after it. Each parser keeps its state in its own member of the union.
 */
#ifndef VAULT_MEDIA_PARTS_H
#define VAULT_MEDIA_PARTS_H

#include "media/intake.h"
#include "media/probe.h"
#include "media/wav.h"

#define PROBE_HELD 512u              /* largest piece a parser may ask for */

struct ogg_stream {
	uint32_t serial;
	uint8_t codec;
	uint8_t shift;               /* Theora: bits of the frames since the key frame */
	bool started;                /* the first data page was measured: base is valid */
	uint16_t pre_skip;
	uint32_t rate;               /* granules a second: rate / per */
	uint32_t per;
	uint64_t base;               /* granule at which the stream begins */
};

struct ogg_probe {
	int state;
	uint32_t hunt;               /* last four bytes while looking for the next page */
	bool data_seen;              /* a page that begins no stream was seen since the last beginning */
	uint8_t flags;
	uint64_t granule;
	uint32_t serial;
	uint8_t segments;
	uint8_t table[255];
	uint32_t crc, want_crc;
	size_t at;                   /* Opus: the lacing value that is read next */
	uint64_t samples;            /* Opus: samples of the page's packets so far */
	uint64_t link_us;            /* duration of the chain's earlier links */
	size_t n;
	struct ogg_stream stream[PROBE_TRACKS];
};

#define WEBM_DEPTH 8u
struct webm_level {
	uint32_t id;
	uint64_t end;                /* UINT64_MAX: unknown size */
};

struct webm_probe {
	int state;
	uint32_t id;
	uint8_t id_len, size_len;
	uint64_t size;
	size_t depth;
	struct webm_level level[WEBM_DEPTH];
	bool doc_ok, first_known;
	uint64_t scale_ns;
	uint64_t cluster;            /* time code */
	uint64_t first_ns, last_ns;
	/* the TrackEntry that is being read */
	uint64_t number, type, channels, bits, default_ns;
	uint32_t rate;
	char codec[32];
	struct webm_track {
		uint64_t number;
		uint64_t default_ns;         /* duration of a block when known */
		uint64_t last_ns, gap_ns;    /* of its last block: time, and distance from the one before */
	} track[PROBE_TRACKS];
	size_t n;
};

#define MP4_DEPTH 8u
struct mp4_level {
	uint32_t type;
	uint64_t end;
};

struct mp4_track {
	uint32_t id;
	uint32_t scale;
	uint32_t default_duration;   /* from trex */
	uint64_t next;               /* decode time behind the last fragment, in scale units */
};

struct mp4_probe {
	int state;
	uint32_t type;
	uint32_t head;               /* bytes of the box header that was read */
	uint64_t size;               /* of the payload */
	size_t depth;
	struct mp4_level level[MP4_DEPTH];
	bool fragmented, moov_seen, mdat_seen;
	uint32_t movie_scale;
	uint64_t movie_us;
	uint64_t mdat_size;          /* 0: not inside an mdat that the movie duration is spread over */
	uint64_t mdat_start;
	/* the trak that is being read */
	uint32_t track_id, scale, handler, sample_format, rate;
	uint16_t channels;
	size_t n;
	struct mp4_track track[PROBE_TRACKS];
	/* the traf that is being read */
	struct mp4_track *traf;      /* NULL: unknown track */
	uint32_t traf_duration;
	uint32_t run_flags, run_left;
	uint64_t run_end;
};

struct probe {
	struct probe_result r;
	vault_err state;             /* SHORT: undecided; OK: decided; else failed for good */
	bool damaged, lost;          /* lost: the rest is not followed any more */
	const char *reason;
	uint64_t fed;
	uint8_t first[12];           /* kept until the container is recognised */
	size_t n_first;
	struct intake in;
	uint8_t held[PROBE_HELD];
	union {
		struct wav_head wav;
		struct ogg_probe ogg;
		struct webm_probe webm;
		struct mp4_probe mp4;
	} u;
};

static_assert(sizeof(struct probe) <= PROBE_MEMORY, "memory is bounded");

VAULT_NODISCARD vault_err wav_feed(struct probe *p, const uint8_t *data, size_t n);
VAULT_NODISCARD vault_err ogg_feed(struct probe *p, const uint8_t *data, size_t n);
VAULT_NODISCARD vault_err webm_feed(struct probe *p, const uint8_t *data, size_t n);
/* The last block of a track is taken to last as long as the one before it. */
void webm_finish(struct probe *p);
VAULT_NODISCARD vault_err mp4_feed(struct probe *p, const uint8_t *data, size_t n);

/* Says why (static storage) and gives the error back. */
VAULT_NODISCARD vault_err probe_fail(struct probe *p, vault_err err, const char *reason);
/*
 * A track. Medium 0 is refused before the decision; afterwards it counts as
 * every medium, so that it gets by nobody's subscription.
 */
VAULT_NODISCARD vault_err probe_add_track(struct probe *p, const struct probe_track *t);
/* All tracks of the beginning are known. Fails when there is none. */
VAULT_NODISCARD vault_err probe_decide(struct probe *p);
/* Never goes back. */
void probe_reached(struct probe *p, uint64_t duration_us);

#endif
