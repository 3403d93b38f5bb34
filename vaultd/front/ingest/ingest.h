/*
 * ingest.h - recordings on their way in. Knows no protocol and no connection.
 *
 * Adapters translate a dialect into these calls; any number of recordings may
 * come over one connection, and one recording may be continued by another
 * adapter (ingest_attach). All calls and callbacks on the lane's loop thread.
 *
 * Life: ingest_admit (a question, no state) -> ingest_open -> ingest_write ...
 * (pause, resume) -> ingest_end or ingest_abort. Exactly one of on_ended and
 * on_failed is called, once, after which the stream pointer is dead.
 *
 * A container track's first bytes are held back until the probe has decided:
 * nothing is asked of the keeper and nothing is written before that. So
 * ingest_open returns a stream at once, and on_open follows when the keeper
 * accepted (or on_failed).
 *
 * No callback is ever made from inside one of these calls. Refusals that are
 * found here are told to the keeper here; those given to ingest_abort are the
 * caller's to note.
 */
#ifndef VAULT_FRONT_INGEST_H
#define VAULT_FRONT_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <vault/error.h>
#include <vault/id.h>
#include "front/index/index.h"
#include "front/keeper_link.h"
#include "front/store/store.h"
#include "ipc/message.h"

struct ingest;
struct ingest_stream;

struct ingest_options {
	uv_loop_t *loop;
	struct keeper_link *keeper;
	struct store_lane *store;
	struct index *index;
	uint32_t lane;
	size_t chunk_voice;          /* 16 KiB */
	size_t chunk_bulk;           /* 64 KiB .. 1 MiB: used once a stream has delivered a full chunk in under 1 s */
	uint32_t chunk_age_ms;       /* 1000 */
	uint64_t segment_bytes;      /* 16 MiB */
	uint64_t segment_us;         /* 5 minutes */
	size_t stream_window;        /* most bytes queued per stream, 4 MiB */
	size_t lane_window;          /* most bytes queued per lane, 64 MiB */
	size_t max_streams;
};

VAULT_NODISCARD vault_err ingest_new(struct ingest **in, const struct ingest_options *o);
/* No new streams; running ones are ended as truncated after grace_ms; done is called when none is left. */
void ingest_drain(struct ingest *in, uint32_t grace_ms, void (*done)(void *arg), void *arg);
void ingest_free(struct ingest *in);
size_t ingest_streams(const struct ingest *in);

/* May this source write this medium? cb gets a vault_refusal and, when none, what is allowed. */
typedef void (*ingest_admit_cb)(void *arg, const struct ipc_admitted *a);
struct ingest_ticket { uint64_t ticket; };
VAULT_NODISCARD vault_err ingest_admit(struct ingest *in, const struct ipc_admit *a, ingest_admit_cb cb, void *arg,
    struct ingest_ticket *ticket);
void ingest_admit_cancel(struct ingest *in, struct ingest_ticket ticket);

struct ingest_metadata;          /* metadata.h */

struct ingest_result {
	vault_id id;
	uint64_t bytes;              /* durable plaintext bytes */
	uint64_t duration_us;
	uint64_t expires_s;
	uint8_t sha256[32];          /* zero when truncated or existing */
	bool truncated;
	bool existing;               /* this name was used before: nothing new was stored */
};

struct ingest_callbacks {
	void (*on_open)(void *arg, const vault_id *id);
	/* Credit is available again after ingest_credit gave 0. */
	void (*on_credit)(void *arg);
	/* The first bytes bytes are durable (PERSISTED). May be NULL. */
	void (*on_durable)(void *arg, uint64_t bytes, uint64_t media_us);
	void (*on_ended)(void *arg, const struct ingest_result *r);
	/* id is zero when nothing was stored; else what was durable is kept as truncated. */
	void (*on_failed)(void *arg, unsigned refusal, const vault_id *id, uint64_t durable_bytes);
};

struct ingest_start {
	char tenant[VAULT_TENANT_MAX + 1];
	struct ipc_cred cred;
	uint8_t declared_media;      /* from the Content-Type; 0 unknown */
	uint8_t declared_container;  /* enum container */
	uint8_t allowed_media;       /* from ipc_admitted */
	char name[IPC_NAME_MAX + 1];
	const struct ingest_metadata *meta;   /* copied */
};

/* VAULT_E_FULL: disk_full. VAULT_E_BUSY: too_many_streams. VAULT_E_STATE: unavailable (draining). */
VAULT_NODISCARD vault_err ingest_open(struct ingest *in, const struct ingest_start *start,
    const struct ingest_callbacks *cb, void *arg, struct ingest_stream **out);
/* Bytes the stream takes now. 0: stop reading; it is remembered, and on_credit follows. */
size_t ingest_credit(struct ingest_stream *st);
/*
 * Copies n <= credit bytes (VAULT_E_RANGE otherwise). track 0 for a container. media_us is only read for frame tracks.
 * VAULT_E_STATE: the stream is ending or was refused; on_failed or on_ended is on its way.
 */
VAULT_NODISCARD vault_err ingest_write(struct ingest_stream *st, uint16_t track, uint64_t media_us,
    const uint8_t *data, size_t n);
/* Between pause and resume bytes are dropped before any buffer that reaches the disk; the gap is marked. */
VAULT_NODISCARD vault_err ingest_pause(struct ingest_stream *st);
VAULT_NODISCARD vault_err ingest_resume(struct ingest_stream *st);
/* Orderly end: on_ended when all is durable. */
void ingest_end(struct ingest_stream *st);
/* The sender is lost or refused: what is durable is kept as truncated; refusal is what on_failed reports. */
void ingest_abort(struct ingest_stream *st, unsigned refusal);
/* The adapter goes away; the stream's callbacks are replaced (NULL: none, as after a lost connection). */
void ingest_attach(struct ingest_stream *st, const struct ingest_callbacks *cb, void *arg);
const vault_id *ingest_id(const struct ingest_stream *st);
void ingest_durable(const struct ingest_stream *st, uint64_t *bytes, uint64_t *media_us);

/*
 * What is durable of a recording, fresher than the index; state says whether it is live. NOTFOUND: neither live nor
 * waiting for the index, which then knows all of it.
 */
VAULT_NODISCARD vault_err ingest_live(struct ingest *in, const vault_id *id, struct index_row *row);
/* Brings recordings that are new or ended, and id when not NULL, into the index now, as far as they are durable. */
VAULT_NODISCARD vault_err ingest_index_flush(struct ingest *in, const vault_id *id);
/* Keeper pushes that concern streams. false: the recording is not (or no longer) here, the index has it. */
void ingest_stop(struct ingest *in, const struct ipc_stop *stop);
bool ingest_row_changed(struct ingest *in, const struct ipc_row_changed *change);

struct ingest_counts { uint64_t opened, ended, truncated, refused, bytes; };
void ingest_count(const struct ingest *in, struct ingest_counts *c);

#endif
