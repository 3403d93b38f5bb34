/*
 * export.h - the way out: feeds frames to an exporter, relays its age bytes
 * (loop thread; the volumes are read in uv's worker threads).
 *
 * The front never sees plaintext: it writes frames as they lie in the volumes
 * into the data socket and reads an age stream from it. A hub pairs the keeper's
 * ANSWER_JOB with the socket that the supervisor delivers, in either order.
 */
#ifndef VAULT_FRONT_SERVE_EXPORT_H
#define VAULT_FRONT_SERVE_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <vault/error.h>
#include "front/keeper_link.h"
#include "front/serve/rows.h"
#include "front/store/volume_set.h"
#include "ipc/message.h"

struct export_hub;
struct export;                   /* one job */

struct export_options {
	uv_loop_t *loop;
	struct keeper_link *keeper;
	struct rows rows;
	struct volume_set *volumes;
	uint32_t wait_ms;            /* most a job waits for its socket, and the end for its outcome: 10,000 */
};

VAULT_NODISCARD vault_err export_hub_new(struct export_hub **h, const struct export_options *o);
/* Cancels what runs, without callbacks. The memory goes when the loop has run and the workers are done. */
void export_hub_close(struct export_hub *h);
size_t export_running(const struct export_hub *h);

/* From spawn_link; takes fd. */
void export_socket(struct export_hub *h, uint64_t job, int fd);
/* The keeper's push JOB_DONE. */
void export_done(struct export_hub *h, const struct ipc_job_done *done);

/*
 * Exactly one of on_end and on_refused is called, once, after which the export
 * is dead. on_refused only before any on_data. on_end(false): the stream breaks
 * off; the client must see that (cut the connection, no last chunk).
 * Inside the callbacks export_hold and export_cancel are allowed.
 */
struct export_consumer {
	/* The bytes die with the call. */
	void (*on_data)(void *arg, const uint8_t *p, size_t n);
	void (*on_end)(void *arg, bool ok);
	void (*on_refused)(void *arg, unsigned refusal);
};

/*
 * json: the keeper's ANSWER_JOB. Never calls back before it returned. On failure nothing was started, the keeper was
 * told, and the caller answers (VAULT_E_NOTFOUND: not_found, else internal).
 */
VAULT_NODISCARD vault_err export_start(struct export_hub *h, const char *json, size_t len,
    const struct export_consumer *consumer, void *arg, struct export **out);
/* true: no more on_data until false (at most one block of 64 KiB is on its way). */
void export_hold(struct export *e, bool hold);
/* The client is gone. No callback any more; e is dead. */
void export_cancel(struct export *e);

#endif
