/*
 * audit_log_internal.h - the log's state, shared by appending and opening.
 */
#ifndef VAULT_KEEPER_AUDIT_LOG_INTERNAL_H
#define VAULT_KEEPER_AUDIT_LOG_INTERNAL_H

#include <stdbool.h>

#include "keeper/audit_files.h"
#include "keeper/audit_log.h"

#define AUDIT_LEVELS 7u
#define AUDIT_BUNDLE_MAX (MERKLE_TILE * (AUDIT_ENTRY_MAX + 2u) + 65536u)
#define AUDIT_JOURNAL "journal"

struct audit_level {
	uint32_t n;                                  /* hashes in the tile that is not full */
	uint8_t hash[MERKLE_TILE][MERKLE_HASH];
};

struct audit_log {
	int dir_fd;
	int journal_fd;
	bool poisoned;
	uint64_t size;
	uint64_t published[3];                       /* sizes of the last checkpoints, newest first */
	struct audit_level level[AUDIT_LEVELS];      /* level[l].n == (size >> 8l) & 255 */
	struct buf bundle;                           /* what the journal holds */
	struct buf scratch;
};

/* One more leaf; writes the tiles that become full. Does not touch the journal. */
VAULT_NODISCARD vault_err audit_log_add_leaf(struct audit_log *l, const uint8_t *entry, size_t n);
/* The journal becomes tile/entries/number, and a new one begins. */
VAULT_NODISCARD vault_err audit_log_turn(struct audit_log *l, uint64_t number);
VAULT_NODISCARD vault_err audit_log_open_journal(struct audit_log *l);
/* Next framed entry at *p; VAULT_E_EOF at the end, VAULT_E_SHORT when torn. */
VAULT_NODISCARD vault_err audit_entry_next(const uint8_t **p, size_t *left, const uint8_t **entry, size_t *n);

#endif
