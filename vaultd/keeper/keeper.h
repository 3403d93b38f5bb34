/*
 * keeper.h - the keeper's whole state, and who may use which part.
 *
 * One thread. A packet is handled inside a batch (batch.h): reads and writes go
 * to one transaction, answers are staged and leave only when the audit entries
 * and the transaction are durable. Memory that changes with a batch registers
 * an ending (batch_on_end), so that a failed batch leaves no trace.
 */
#ifndef VAULT_KEEPER_KEEPER_H
#define VAULT_KEEPER_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "ipc/message.h"
#include "keeper/audit.h"
#include "keeper/batch.h"
#include "keeper/clock_guard.h"
#include "keeper/export.h"
#include "keeper/key_tree.h"
#include "keeper/link.h"
#include "keeper/live.h"
#include "keeper/names.h"
#include "keeper/retention.h"
#include "keeper/rows.h"
#include "keeper/strangers.h"

/* Plaintext keys on their way from the tree to an answer; secret_alloc memory, wiped after each use. */
struct keeper_room {
	struct tree_secret item;
	struct segment_key segment;
	struct ipc_grant grant;
	struct ipc_key key;
	struct ipc_meta_key meta;
	uint8_t packet[IPC_MAX];         /* answers are encoded here */
};

struct keeper {
	struct tree *tree;
	vault_id vault;
	struct rows rows;
	struct audit audit;
	struct clock_guard clock;
	struct batch batch;
	struct live live;
	struct names names;
	struct exports exports;
	struct retention retention;
	struct strangers strangers;
	struct link front, supervisor;
	struct keeper_room *room;
	bool passphrase;                 /* mixed into the root */
	uint32_t protections;
	uint8_t sweep_s;
	uint64_t now_ms;                 /* wall time of the running batch */
	uint64_t malformed;              /* packets refused unread */
	uint64_t noted_malformed;        /* of them in the audit log */
	bool reload_live;                /* a policy or expiry changed: live streams learn it after the batch */
	bool finishing;                  /* FINISH came */
	bool fatal;                      /* only a restart knows the truth: stop now */
};

struct keeper_options {
	int keys_fd, root_fd, audit_fd;
	const struct ipc_configure *configure;
};

/* Opens tree, tables and log; enrols the first operator of a new vault. why: a sentence for the operator. */
VAULT_NODISCARD vault_err keeper_open(struct keeper **k, const struct keeper_options *o, bool *fresh, const char **why);
/* Last checkpoint and high-water time, then everything closed and wiped. */
void keeper_close(struct keeper *k);
/* After this nothing more is answered and the process ends. why: static storage. */
void keeper_fail(struct keeper *k, const char *why);

/* Stages an event of this batch; a failure makes the batch fail. */
VAULT_NODISCARD vault_err keeper_log(struct keeper *k, const struct audit_event *e);

/* The JSON of the keeper's part of a status answer; NULL when memory is short. */
json_t *keeper_status(struct keeper *k);

#endif
