/*
 * stream.h - inside of ingest; shared by ingest.c (the lane), stream_open.c and
 * stream.c (life of a recording), chunker.c (its bytes) and admit.c. Nobody else includes it. Loop thread.
 */
#ifndef VAULT_FRONT_INGEST_STREAM_H
#define VAULT_FRONT_INGEST_STREAM_H

#include "base/buf.h"
#include "front/ingest/index_writer.h"
#include "front/ingest/ingest.h"
#include "front/ingest/list.h"
#include "front/ingest/metadata.h"
#include "media/probe.h"

/* Most bytes held back between the probe's decision and the first grant. */
#define HOLD_DECIDED (256u * 1024)
#define TICK_MS 100u
#define INDEX_MS 1000u

enum stream_state {
	STREAM_PROBING,              /* what is it? nothing was asked yet */
	STREAM_OPENING,              /* OPEN was asked */
	STREAM_GRANTING,             /* the first SEGMENT was asked */
	STREAM_RUNNING,
	STREAM_ENDING,               /* the recording end was submitted */
	STREAM_CLOSING,              /* CLOSE was asked */
	STREAM_DONE                  /* the last callback is due */
};

enum stream_end { END_NONE, END_ORDERLY, END_TRUNCATED };

struct ingest_stream {
	struct ingest *in;
	struct link all;             /* in->streams */
	struct link aging;           /* in->aging while fill holds bytes */
	struct link limited;         /* in->limited while until_ms is set */
	struct link starved;         /* in->starved while the lane gave no credit */
	struct link due;             /* in->due while a callback is due */
	enum stream_state state;
	enum stream_end end;         /* what is wanted; set once */
	unsigned refusal;            /* none: on_ended */
	struct ingest_callbacks cb;
	void *arg;

	/* until OPEN is sent */
	struct ingest_start *start;  /* holds the credential: wiped */
	struct ingest_metadata *meta;
	uint8_t allowed_media;

	struct probe *probe;
	bool finished_probe;
	uint8_t media;               /* what OPEN was asked for */
	struct buf hold;             /* bytes that cannot be stored yet, in front of fill's */
	size_t hold_fed;             /* of them the probe has seen */

	uint64_t ticket;             /* of the question to the keeper; valid with asked */
	bool asked;
	uint8_t *sealed;             /* from OPENED until the first grant */
	size_t sealed_len;
	vault_id id;                 /* zero before OPENED */
	struct note *note;           /* NULL before OPENED and behind CLOSED */
	struct store_stream *store;

	/* the chunk that fills; owned until it is handed to the store */
	uint8_t *fill;
	size_t fill_len, fill_cap;
	uint64_t fill_us, fill_ms;   /* media time and monotonic time of its first byte */
	size_t chunk;                /* size of the next one */

	uint64_t segment_us;         /* start of the open segment */
	uint64_t segment_bytes;
	size_t queued;               /* bytes given to the store and not back yet */
	bool blocked;                /* credit gave 0 and on_credit is owed */
	bool store_failed, end_retried, stopped;
	bool open_due;
	uint64_t told;               /* durable bytes that on_durable was given */

	bool paused, gap_pending;
	uint64_t gap_from_us, gap_to_us;
	uint64_t until_ms;           /* wall time; 0: open */
	unsigned until_refusal;

	struct ingest_result result;
};

struct ingest {
	struct ingest_options o;
	struct index_writer *index;
	uv_timer_t tick, index_timer, soon, grace;
	unsigned handles;            /* open; the memory goes with the last one */
	bool freed;
	struct link streams, aging, limited, starved, due, admits;
	size_t n_streams;
	bool draining;
	void (*drained)(void *arg);
	void *drained_arg;
	struct ingest_counts counts;
	/* Room for one question; holds numbers and credentials, wiped after each use. */
	struct ipc_open open;
	uint8_t packet[IPC_MAX];
};

/* ---- ingest.c ---- */
/* A callback may be due: made at the loop's next turn. */
void ingest_due(struct ingest_stream *st);
/* Starts or stops the tick as there is work for it. */
void ingest_wake(struct ingest *in);
/* A refusal that the keeper has not seen. */
void ingest_note(struct ingest *in, const char *tenant, unsigned refusal);
/* The lane's queue became shorter. */
void ingest_queue_shrank(struct ingest *in);

/* ---- admit.c ---- */
/* No callback of them any more. */
void ingest_forget_admits(struct ingest *in);

/* ---- stream.c ---- */
/* The end is wanted: does what can be done of it now. The first call counts. */
void stream_end(struct ingest_stream *st, enum stream_end end, unsigned refusal);
/* Asks for the key of the next segment, which begins at start_us. */
void stream_ask_segment(struct ingest_stream *st, uint64_t start_us);
/* The store failed: keeps what is durable. */
void stream_store_failed(struct ingest_stream *st, vault_err err);
void stream_free(struct ingest_stream *st);
/* The one state transition; only forwards. */
void stream_enter(struct ingest_stream *st, enum stream_state next);
/* The last callback becomes due; nothing else happens to this stream any more. */
void stream_done(struct ingest_stream *st);
/* Wipes what was kept for OPEN. */
void stream_forget_start(struct ingest_stream *st);
void stream_on_store(void *arg, const struct store_done *d);

/* ---- stream_open.c ---- */
/* The probe has decided or its input grew. */
void stream_decide(struct ingest_stream *st, vault_err probed);
/* A refusal before anything was asked; the keeper is told. */
void stream_refuse(struct ingest_stream *st, unsigned refusal);

/* ---- chunker.c ---- */
/* Bytes that arrived, in any state before the end. */
void chunker_write(struct ingest_stream *st, const uint8_t *data, size_t n);
/* Stores what was held, as far as keys allow. */
void chunker_drain(struct ingest_stream *st);
/* Hands the filling chunk to the store. */
void chunker_cut(struct ingest_stream *st);
/* Forgets and wipes everything that was not handed over. */
void chunker_discard(struct ingest_stream *st);
/* Marks the gap that a pause left, once it can be. */
void chunker_gap(struct ingest_stream *st);
/* Between these two nothing is kept. */
void chunker_pause(struct ingest_stream *st);
void chunker_resume(struct ingest_stream *st);
uint64_t chunker_position_us(const struct ingest_stream *st);
/* Must the next chunk wait for a key? */
bool chunker_stalled(const struct ingest_stream *st);

#endif
