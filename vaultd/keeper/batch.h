/*
 * batch.h - group commit: many packets, one audit sync, one commit, then the answers.
 *
 *  1 batch_add     packets that the links held
 *  2 handlers      stage rows, events, answers, endings (dispatch.c)
 *  3 audit_append  events written and synced
 *  4 tree_commit   effects durable
 *  5 answers to the links' queues; endings run; then what must follow a commit
 *
 * When 2 or 3 fails for a batch of several, each packet is tried alone, so that
 * one cannot fail the others. A packet that fails alone is answered `internal`.
 */
#ifndef VAULT_KEEPER_BATCH_H
#define VAULT_KEEPER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "keeper/link.h"

#define BATCH_MAX 256u

struct keeper;

struct batch_request {
	struct link *from;
	uint8_t *packet;                 /* owned; wiped when done */
	size_t n;
	int fd;                          /* passed with it, or -1; taken by the handler */
};

struct batch_answer {
	struct link *to;
	uint8_t *packet;
	size_t n;
};

/* committed: the batch is durable; else it never happened. */
typedef void (*batch_end_fn)(struct keeper *k, const vault_id *id, bool committed);
struct batch_ending {
	batch_end_fn fn;
	vault_id id;
};

/* Work that commits by itself and therefore follows the batch, and whom to answer then. */
enum batch_after_kind { AFTER_SHRED, AFTER_ROTATE_TENANT, AFTER_ROTATE_ROOT };
struct batch_after {
	enum batch_after_kind kind;
	uint64_t tag;
	uint32_t tenant;
	char name[VAULT_TENANT_MAX + 1];
	vault_id id;
};

struct batch {
	struct batch_request request[BATCH_MAX];
	size_t n;
	struct batch_answer *answer;     /* grows */
	size_t answers, answers_cap;
	struct batch_ending *ending;
	size_t endings, endings_cap;
	struct batch_after after[BATCH_MAX];
	size_t afters;
	bool dirty;                      /* something must be committed */
	bool running;
};

/* Takes packet (malloc'ed) and fd. VAULT_E_FULL: run the batch first. */
VAULT_NODISCARD vault_err batch_add(struct keeper *k, struct link *from, uint8_t *packet, size_t n, int fd);
void batch_run(struct keeper *k);
void batch_free(struct keeper *k);

/* For handlers, inside a batch. */
void batch_dirty(struct keeper *k);
/* Copies the first n bytes of the room's packet. n 0 (an encoder refused): VAULT_E_RANGE. */
VAULT_NODISCARD vault_err batch_answer_packet(struct keeper *k, struct link *to, size_t n);
VAULT_NODISCARD vault_err batch_on_end(struct keeper *k, batch_end_fn fn, const vault_id *id);
VAULT_NODISCARD vault_err batch_then(struct keeper *k, const struct batch_after *after);

/* A batch without packets: fn stages what it likes. Returns after the commit. */
typedef vault_err (*batch_fn)(struct keeper *k, void *arg);
VAULT_NODISCARD vault_err batch_effect(struct keeper *k, batch_fn fn, void *arg);

#endif
