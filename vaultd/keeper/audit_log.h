/*
 * audit_log.h - the tiled log on disk (C2SP tlog-tiles, docs/AUDIT.md).
 *
 * audit/journal              entries of the bundle that is not full yet
 * audit/tile/entries/N       full bundles: the journal renamed
 * audit/tile/L/N             full hash tiles; .p/W beside a checkpoint
 * audit/checkpoint           signed note
 *
 * An append is durable when it returns. A failed append poisons the log: the
 * order of what is on disk is no longer known, nothing is appended until the
 * next start. A checkpoint is only made of a size that the caller has recorded.
 */
#ifndef VAULT_KEEPER_AUDIT_LOG_H
#define VAULT_KEEPER_AUDIT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "base/buf.h"
#include "crypto/merkle.h"
#include "crypto/sign.h"

#define AUDIT_ENTRY_MAX 32768u

struct audit_log;

/*
 * size and root: what the key store recorded last (0 for a new vault). A log
 * that is shorter or differs is refused, why says so. What is behind size was
 * written but not recorded: it is kept where whole, a torn tail is cut.
 */
VAULT_NODISCARD vault_err audit_log_open(struct audit_log **l, int dir_fd, uint64_t size,
    const uint8_t root[MERKLE_HASH], const char **why);
void audit_log_close(struct audit_log *l);
uint64_t audit_log_size(const struct audit_log *l);
void audit_log_root(const struct audit_log *l, uint8_t out[MERKLE_HASH]);
/* entries: each u16be length and bytes, 1..AUDIT_ENTRY_MAX. Durable on return. */
VAULT_NODISCARD vault_err audit_log_append(struct audit_log *l, const uint8_t *entries, size_t n);
/* Tiles, then the checkpoint. Does nothing when the size did not change. */
VAULT_NODISCARD vault_err audit_log_publish(struct audit_log *l, const char *origin, const struct sign_key *key);
/* Poisoned, or the checkpoint names the present size: nothing to publish. */
bool audit_log_is_published(const struct audit_log *l);
/* Entry number index, appended to out. VAULT_E_NOTFOUND behind the end. */
VAULT_NODISCARD vault_err audit_log_read(struct audit_log *l, uint64_t index, struct buf *out);

#endif
