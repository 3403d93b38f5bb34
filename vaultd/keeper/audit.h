/*
 * audit.h - what happened, who did it, on what ground (docs/AUDIT.md).
 *
 * Events are staged while a batch is prepared, then written and synced by
 * audit_append before any effect is committed (P7). An event holds random ids,
 * fixed words, times and counts; never a phone number, a person's name or a
 * text from a request.
 */
#ifndef VAULT_KEEPER_AUDIT_H
#define VAULT_KEEPER_AUDIT_H

#include <jansson.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "keeper/audit_log.h"
#include "keeper/rows.h"
#include "token/jws.h"

struct audit {
	struct audit_log *log;
	struct rows *rows;
	struct sign_key *key;            /* secret_alloc */
	char origin[128];
	struct buf staged;
	uint64_t published_ms;           /* monotonic time of the last checkpoint */
};

/* Who: a verified principal, as he stood when he signed. */
struct audit_actor {
	char kid[VAULT_KID_TEXT];
	unsigned role;                   /* VAULT_ROLE_* */
	char approver[VAULT_KID_TEXT];   /* the second person, or empty */
	uint8_t listener;                /* 0 unix, 1 https */
	uint8_t token[32];               /* SHA-256 of the signed command */
};

struct audit_event {
	const char *event;               /* "recording.start", ... */
	char action;                     /* C create, R read, U update, D delete, E execute */
	unsigned refusal;                /* vault_refusal; none = carried out */
	bool failed;                     /* the vault could not do it */
	const struct audit_actor *actor; /* NULL: the vault itself, or a source */
	uint32_t source;                 /* 0: none */
	const char *tenant;              /* NULL: none */
	const char *object;              /* object type: "recording", "tenant", ... or NULL */
	const vault_id *id;              /* object id, or NULL */
	const char *life;                /* life-cycle step, or NULL */
	const char *purpose;             /* from the tenant's list only */
	uint32_t policy;                 /* 0: none */
	json_t *detail;                  /* taken; NULL: none */
};

/* Opens the log against the recorded size; makes the signing key of a new vault. */
VAULT_NODISCARD vault_err audit_open(struct audit *a, int dir_fd, const char *origin, struct rows *rows,
    const char **why);
void audit_close(struct audit *a);

VAULT_NODISCARD vault_err audit_stage(struct audit *a, const struct audit_event *e, uint64_t now_ms);
bool audit_staged(const struct audit *a);
/* Drops what is staged. */
void audit_discard(struct audit *a);
/* Writes and syncs the staged entries, and puts the new size and root into the open transaction. */
VAULT_NODISCARD vault_err audit_append(struct audit *a);
/* A checkpoint of what is committed; at most about one a second unless always is set. */
void audit_publish(struct audit *a, uint64_t mono_ms, bool always);
/* True when a checkpoint is owed. */
bool audit_publish_due(const struct audit *a);

#endif
