/*
 * fixture.h - a keeper in the test's own process, with the test at the other
 * end of its links: as the front, as the supervisor, as an exporter.
 */
#ifndef TEST_KEEPER_FIXTURE_H
#define TEST_KEEPER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdbool.h>

#include "crypto/sign.h"
#include "keeper/keeper.h"
#include "keeper/loop.h"
#include "token/command.h"

enum person { OPERATOR, OPERATOR_2, DPO, AUDITOR, CONTACT, CONTACT_B, STRANGER, PEOPLE };

struct fixture {
	char dir[64];
	int clock_fd;                    /* offset file of the test clock, -1 without test hooks */
	int keys_fd, root_fd, audit_fd;
	int front, supervisor;           /* the test's ends */
	struct keeper *k;
	struct sign_key *key[PEOPLE];
	char kid[PEOPLE][VAULT_KID_TEXT];
	struct ipc_configure configure;
	uint64_t tag;
	uint8_t packet[IPC_MAX];
	/* Pushes that came while waiting for an answer. */
	uint8_t push[64][2048];
	size_t push_len[64], pushes;
	uint8_t shredded[IPC_MAX];
	size_t shredded_len;
};

/* A new vault with all people enrolled, tenants "alpha" (CONTACT) and "beta" (CONTACT_B). */
struct fixture *fixture_new(void);
/* Only the first operator is known. */
struct fixture *fixture_bare(void);
void fixture_free(struct fixture *f);
/* Closes in order and opens again. */
void fixture_restart(struct fixture *f);
/* Ends without any last word, as a kill does. */
void fixture_kill(struct fixture *f);
vault_err fixture_start(struct fixture *f, const char **why);
/* Wall time moves; needs test hooks. */
void fixture_clock(struct fixture *f, int64_t seconds);
bool fixture_has_clock(const struct fixture *f);

/* Packets. fixture_ask gives the answer of this tag; false: none came. */
void fixture_send(struct fixture *f, const uint8_t *packet, size_t n);
bool fixture_ask(struct fixture *f, size_t n, struct ipc_packet *answer);
/* Handles what is queued; pushes are kept. */
void fixture_rounds(struct fixture *f);
/* A push of this type that came (latest). */
bool fixture_pushed(struct fixture *f, uint16_t type, struct ipc_packet *p);

/* Commands. args is taken. The answer's JSON in *json when it is not NULL (the caller's). */
char *fixture_sign(struct fixture *f, enum person who, const char *cmd, json_t *args);
unsigned fixture_token(struct fixture *f, const char *token, unsigned *kind, json_t **json);
unsigned fixture_command(struct fixture *f, enum person who, const char *cmd, json_t *args, json_t **json);
/* Two people; the outcome of the approval. */
unsigned fixture_pair(struct fixture *f, enum person first, enum person second, const char *cmd, json_t *args,
    json_t **json);
/* Fails the test unless the status is 200. */
void fixture_ok(struct fixture *f, enum person who, const char *cmd, json_t *args);
/* args of principal.add for this person. */
json_t *fixture_principal(struct fixture *f, enum person who, const char *role, const char *tenant);
/* Refusal name in an answer, "" when there is none. */
const char *fixture_refusal(const json_t *json);

/* alpha subscribes voice and keeps it for keep; source secret "secret-a". */
void fixture_subscribe(struct fixture *f, const char *keep);
/* OPEN of a voice recording of alpha; refusal in out. */
void fixture_open_recording(struct fixture *f, const char *name, const char *caller, struct ipc_opened *out);
void fixture_grant(struct fixture *f, const vault_id *id, uint64_t start_us, struct ipc_grant *out);
uint32_t fixture_close_recording(struct fixture *f, const vault_id *id, uint32_t flags, uint32_t segments, uint64_t bytes);
/* Opened, one segment granted, closed with 1000 bytes. */
vault_id fixture_recording(struct fixture *f, const char *caller);

/* The whole journal and all bundles hold this text? */
bool fixture_log_has(struct fixture *f, const char *text);
uint64_t fixture_log_size(struct fixture *f);

#endif
