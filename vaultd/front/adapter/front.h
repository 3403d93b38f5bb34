/*
 * front.h - what the adapters share: the modules behind them, the counters, the
 * notes for the audit log. One per lane, loop thread only.
 */
#ifndef VAULT_FRONT_ADAPTER_FRONT_H
#define VAULT_FRONT_ADAPTER_FRONT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include <vault/error.h>
#include <vault/id.h>
#include "front/http/exchange.h"
#include "front/ingest/ingest.h"
#include "front/keeper_link.h"
#include "front/serve/export.h"
#include "front/serve/rows.h"
#include "front/serve/serve.h"
#include "front/serve/status.h"

#define NOTES_MAX 64u

struct front {
	vault_id vault;
	char origin[128];
	uint8_t audit_pub[32];
	int audit_fd;
	struct keeper_link *keeper;
	struct ingest *ingest;
	struct rows rows;
	struct serve *serve;
	struct export_hub *exports;
	void (*numbers)(void *arg, struct status_numbers *n);
	void *numbers_arg;
	bool ready;                  /* not while starting or draining */
	uint64_t refused;            /* beside those that ingest counts */
	struct ipc_note note[NOTES_MAX];
	size_t n_notes;
	uint8_t packet[IPC_MAX];     /* scratch for one request to the keeper; wiped after secrets */
};

/*
 * A refusal that only the front saw: counted, told to the keeper by notes_flush
 * (about once a second). tenant: valid or "".
 */
void note_refusal(struct front *f, unsigned refusal, const char *tenant);
void notes_flush(struct front *f);

/* Answers a problem and notes it. */
void front_refuse(struct front *f, struct exchange *x, unsigned refusal, const char *field, const char *tenant);
/* The refusal for an error of a module that keeps nothing of the request. */
unsigned front_refusal(vault_err err);
unsigned refusal_by_name(const char *name);

/*
 * How a source proves itself: Authorization (Bearer, or Basic's password), else
 * the client certificate. VAULT_E_NOTFOUND: nothing was shown; VAULT_E_INVAL:
 * it cannot be read. The caller wipes.
 */
VAULT_NODISCARD vault_err credentials_of(const struct exchange *x, struct ipc_cred *cred);
/* The token of "Authorization: Bearer", a view; NULL when there is none. */
const char *bearer_of(const struct exchange *x, size_t *len);

/* The routes. */
void http_put(struct front *f, struct exchange *x, const struct http_target *t);
void http_command(struct front *f, struct exchange *x, const struct http_target *t);
void http_fetch(struct front *f, struct exchange *x, const struct http_target *t);
void http_state(struct front *f, struct exchange *x, const struct http_target *t);
void http_audit(struct front *f, struct exchange *x, const struct http_target *t);
void http_vault(struct front *f, struct exchange *x, const struct http_target *t);
void http_health(struct front *f, struct exchange *x, const struct http_target *t);
void http_ready(struct front *f, struct exchange *x, const struct http_target *t);
void http_metrics(struct front *f, struct exchange *x, const struct http_target *t);

#endif
