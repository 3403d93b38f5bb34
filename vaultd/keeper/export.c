/*
 * export.c - the life of a job. See export.h.
 *
 * Jobs are freed only between batches (export_reap), so a staged answer's link
 * is always there when the batch ends.
 */
#include "keeper/export.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wire.h"
#include "keeper/keeper.h"

static size_t jobs_of(const struct keeper *k, uint32_t tenant)
{
	size_t n = 0;

	for (size_t i = 0; i < EXPORTS_MAX; i++)
		n += k->exports.job[i].state != EXPORT_FREE && k->exports.job[i].tenant == tenant;
	return n;
}

struct export_job *export_new(struct keeper *k, uint32_t tenant)
{
	if (jobs_of(k, tenant) >= EXPORTS_PER_TENANT)
		return NULL;
	for (size_t i = 0; i < EXPORTS_MAX; i++) {
		struct export_job *j = &k->exports.job[i];
		if (j->state != EXPORT_FREE)
			continue;
		memset(j, 0, sizeof(*j));
		link_init(&j->link, -1, LINK_EXPORTER);
		j->body.job = ++k->exports.next;
		j->tenant = tenant;
		j->link.job = j->body.job;
		j->since_ms = clock_mono_ms();
		j->state = EXPORT_STAGED;
		return j;
	}
	return NULL;
}

static struct export_job *find(struct keeper *k, uint64_t job)
{
	for (size_t i = 0; i < EXPORTS_MAX; i++)
		if (k->exports.job[i].state != EXPORT_FREE && k->exports.job[i].body.job == job)
			return &k->exports.job[i];
	return NULL;
}

/* A job number on its way through the batch's endings. */
static vault_id as_id(uint64_t job)
{
	vault_id id = { { 0 } };

	store_le64(id.b, job);
	return id;
}

static void start_ended(struct keeper *k, const vault_id *id, bool committed)
{
	struct export_job *j = find(k, load_le64(id->b));

	if (j != NULL && j->state == EXPORT_STAGED)
		j->state = committed ? EXPORT_SPAWNING : EXPORT_OVER;
}

vault_err export_start(struct keeper *k, struct export_job *j)
{
	const vault_id id = as_id(j->body.job);
	vault_err err = batch_on_end(k, start_ended, &id);

	if (err != VAULT_OK) {
		j->state = EXPORT_OVER;
		return err;
	}
	return batch_answer_packet(k, &k->supervisor, ipc_spawn_encode(k->room->packet, 0, j->body.job));
}

static void finish_ended(struct keeper *k, const vault_id *id, bool committed)
{
	struct export_job *j = find(k, load_le64(id->b));

	if (j != NULL && j->state == EXPORT_ENDING)
		j->state = committed ? EXPORT_OVER : EXPORT_RUNNING;
}

/* The outcome: logged, told to the front; the key link closes after the batch. */
static vault_err finish(struct keeper *k, struct export_job *j, unsigned refusal, uint32_t items, uint64_t bytes)
{
	const struct ipc_job_done done = { .job = j->body.job, .refusal = refusal };
	const vault_id id = as_id(j->body.job);
	bool media = j->body.mode == JOB_MEDIA;

	j->state = EXPORT_ENDING;
	json_t *detail = json_pack("{s:I, s:I, s:I}", "job", (json_int_t)j->body.job, "items", (json_int_t)items, "bytes",
	    (json_int_t)bytes);
	if (detail == NULL)
		return VAULT_E_NOMEM;
	const struct audit_event e = { .event = media ? "export.done" : "read.done", .action = 'R',
		.failed = refusal != VAULT_REFUSAL_none, .refusal = refusal, .actor = &j->actor, .tenant = j->body.tenant,
		.object = j->n_ids > 0 ? "recordings" : "recording", .id = j->n_ids > 0 ? NULL : &j->body.id,
		.life = "disclosure", .purpose = j->purpose, .detail = detail };
	vault_err err = batch_on_end(k, finish_ended, &id);
	if (err != VAULT_OK) {
		json_decref(detail);
		return err;
	}
	err = keeper_log(k, &e);
	if (err == VAULT_OK)
		err = batch_answer_packet(k, &k->front, ipc_job_done_encode(k->room->packet, 0, &done));
	return err;
}

static bool running(const struct export_job *j)
{
	return j != NULL && (j->state == EXPORT_SPAWNING || j->state == EXPORT_RUNNING);
}

static void spawned_ended(struct keeper *k, const vault_id *id, bool committed)
{
	struct export_job *j = find(k, load_le64(id->b));

	if (j != NULL && j->state == EXPORT_RUNNING && !committed)
		j->state = EXPORT_SPAWNING;      /* the packet is tried again; the link is kept */
}

vault_err export_spawned(struct keeper *k, struct batch_request *r, const struct ipc_packet *p)
{
	struct ipc_exporter in;

	if (ipc_spawned_decode(&in, p) != VAULT_OK)
		return VAULT_E_PROTO;
	struct export_job *j = find(k, in.job);
	if (j == NULL || j->state != EXPORT_SPAWNING)
		return VAULT_OK;                 /* gone meanwhile: the descriptor closes with the request */
	if (in.status != 0 || (r->fd < 0 && j->link.fd < 0))
		return finish(k, j, VAULT_REFUSAL_unavailable, 0, 0);
	if (r->fd >= 0 && fcntl(r->fd, F_SETFL, O_NONBLOCK) != 0)
		return VAULT_E_IO;
	if (r->fd >= 0)
		j->link.fd = r->fd;
	r->fd = -1;                              /* handed to the job */
	j->state = EXPORT_RUNNING;
	const vault_id id = as_id(j->body.job);
	vault_err err = batch_on_end(k, spawned_ended, &id);
	return err != VAULT_OK ? err : batch_answer_packet(k, &j->link, ipc_job_encode(k->room->packet, 0, &j->body));
}

vault_err export_exited(struct keeper *k, const struct ipc_packet *p)
{
	struct ipc_exporter in;

	if (ipc_exited_decode(&in, p) != VAULT_OK)
		return VAULT_E_PROTO;
	struct export_job *j = find(k, in.job);
	/* A result may still lie in the key link: its end is what counts then. */
	if (!running(j) || j->link.fd >= 0)
		return VAULT_OK;
	return finish(k, j, VAULT_REFUSAL_internal, 0, 0);
}

vault_err export_front_failed(struct keeper *k, const struct ipc_packet *p)
{
	struct ipc_job_done in;

	if (ipc_job_failed_decode(&in, p) != VAULT_OK)
		return VAULT_E_PROTO;
	struct export_job *j = find(k, in.job);
	return running(j) ? finish(k, j, VAULT_REFUSAL_internal, 0, 0) : VAULT_OK;
}

vault_err export_result(struct keeper *k, uint64_t job, const struct ipc_packet *p)
{
	struct export_job *j = find(k, job);
	struct ipc_job_result in;

	if (ipc_job_result_decode(&in, p) != VAULT_OK || in.job != job)
		return VAULT_E_PROTO;
	return running(j) ? finish(k, j, in.refusal, in.items, in.bytes) : VAULT_OK;
}

struct ending {
	struct export_job *job;
	unsigned refusal;
};

static vault_err finish_fn(struct keeper *k, void *arg)
{
	struct ending *e = arg;

	return finish(k, e->job, e->refusal, 0, 0);
}

static void end_now(struct keeper *k, struct export_job *j, unsigned refusal)
{
	struct ending e = { .job = j, .refusal = refusal };

	if (batch_effect(k, finish_fn, &e) != VAULT_OK) {
		log_error("event=export_outcome_lost");
		j->state = EXPORT_OVER;
	}
}

void export_link_lost(struct keeper *k, uint64_t job)
{
	struct export_job *j = find(k, job);

	if (running(j))
		end_now(k, j, VAULT_REFUSAL_internal);
}

void export_tick(struct keeper *k, uint64_t mono_ms)
{
	for (size_t i = 0; i < EXPORTS_MAX && !k->fatal; i++) {
		struct export_job *j = &k->exports.job[i];
		uint64_t life = j->state == EXPORT_SPAWNING ? EXPORT_SPAWN_MS : EXPORT_LIFE_MS;
		if (running(j) && mono_ms > j->since_ms + life)
			end_now(k, j, VAULT_REFUSAL_unavailable);
	}
}

static void release(struct export_job *j)
{
	if (j->state == EXPORT_FREE)
		return;
	link_close(&j->link);
	free(j->ids);
	memset(j, 0, sizeof(*j));
	j->link.fd = -1;
}

void export_reap(struct keeper *k)
{
	for (size_t i = 0; i < EXPORTS_MAX; i++)
		if (k->exports.job[i].state == EXPORT_OVER)
			release(&k->exports.job[i]);
}

size_t export_count(const struct exports *e)
{
	size_t n = 0;

	for (size_t i = 0; i < EXPORTS_MAX; i++)
		n += e->job[i].state != EXPORT_FREE;
	return n;
}

void export_free_all(struct exports *e)
{
	for (size_t i = 0; i < EXPORTS_MAX; i++)
		release(&e->job[i]);
}
