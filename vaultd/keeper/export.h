/*
 * export.h - jobs: one exporter each, with exactly the keys it was authorised for.
 *
 *   command batch  job made, event in the log, ANSWER_JOB and SPAWN leave after the commit (P7)
 *   SPAWNED        the exporter's key link comes; JOB goes out on it
 *   WANT_KEY/META  answered only for what the job names
 *   JOB_RESULT, EXITED, JOB_FAILED, time-out   outcome logged, JOB_DONE to the front
 */
#ifndef VAULT_KEEPER_EXPORT_H
#define VAULT_KEEPER_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include "ipc/message.h"
#include "keeper/audit.h"
#include "keeper/link.h"

struct keeper;
struct batch_request;

#define EXPORTS_MAX 64u
#define EXPORTS_PER_TENANT 8u        /* at once, so that one tenant's slow readers leave exporters to the others */
#define EXPORT_IDS_MAX 500u
#define EXPORT_SPAWN_MS 30000u
#define EXPORT_LIFE_MS (6ull * 3600 * 1000)

enum export_state { EXPORT_FREE, EXPORT_STAGED, EXPORT_SPAWNING, EXPORT_RUNNING, EXPORT_ENDING, EXPORT_OVER };

struct export_job {
	enum export_state state;
	struct ipc_job body;
	uint32_t tenant;                 /* number */
	struct link link;                /* fd -1 until the exporter is there */
	uint64_t since_ms;               /* monotonic */
	struct audit_actor actor;
	char purpose[40];
	vault_id *ids;                   /* metadata: the rows, in id order; owned */
	size_t n_ids;
};

struct exports {
	uint64_t next;
	struct export_job job[EXPORTS_MAX];
};

/* A free job of this tenant with a new number, to be filled by a command; NULL: too many run. */
struct export_job *export_new(struct keeper *k, uint32_t tenant);
/* Stages SPAWN. The job starts when the batch commits and vanishes when it does not. */
VAULT_NODISCARD vault_err export_start(struct keeper *k, struct export_job *j);

/* Packets, inside a batch. */
VAULT_NODISCARD vault_err export_spawned(struct keeper *k, struct batch_request *r, const struct ipc_packet *p);
VAULT_NODISCARD vault_err export_exited(struct keeper *k, const struct ipc_packet *p);
VAULT_NODISCARD vault_err export_front_failed(struct keeper *k, const struct ipc_packet *p);
VAULT_NODISCARD vault_err export_want_key(struct keeper *k, uint64_t job, const struct ipc_packet *p);
VAULT_NODISCARD vault_err export_want_meta(struct keeper *k, uint64_t job, const struct ipc_packet *p);
VAULT_NODISCARD vault_err export_result(struct keeper *k, uint64_t job, const struct ipc_packet *p);

/* Between batches: the key link broke; time-outs; closing what is over. */
void export_link_lost(struct keeper *k, uint64_t job);
void export_tick(struct keeper *k, uint64_t mono_ms);
void export_reap(struct keeper *k);
size_t export_count(const struct exports *e);
void export_free_all(struct exports *e);

#endif
