/*
 * audit_check.h - does the audit log say what it said? (RFC 6962, C2SP tiles)
 *
 * Checks the checkpoint's signature, computes the root again from the level-0
 * tiles, and compares it with what was seen before: a log that shrank or was
 * rewritten is found out. Reads through a callback, so that files, HTTP and tests
 * are the same to it.
 */
#ifndef VAULTCTL_AUDIT_CHECK_H
#define VAULTCTL_AUDIT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "base/buf.h"
#include "crypto/merkle.h"

#define AUDIT_FILE_MAX ((size_t)16 * 1024 * 1024)   /* 256 entries of 32 KiB, and room */

struct audit_source {
	void *arg;
	/* Appends the file ("checkpoint", "tile/0/000.p/5") to out. VAULT_E_NOTFOUND; any other error ends the check. */
	vault_err (*read)(void *arg, const char *path, struct buf *out);
	/* Told after each tile; may be NULL. */
	void (*progress)(void *arg, uint64_t entries, uint64_t of);
};

/* What a verified log looked like; size 0: nothing seen yet. */
struct audit_seen {
	char vkey[256];
	uint64_t size;
	uint8_t root[MERKLE_HASH];
};

struct audit_result {
	uint64_t size;
	uint8_t root[MERKLE_HASH];
	uint64_t entries;                /* entries whose text was compared with its hash */
	char why[256];                   /* the sentence, when it does not verify */
};

/*
 * VAULT_E_AUTH: it does not verify, r->why says what. Other errors come from
 * the source. seen may be NULL. with_entries: the source has the entries too.
 */
VAULT_NODISCARD vault_err audit_check(const struct audit_source *s, const char *vkey, const struct audit_seen *seen,
    bool with_entries, struct audit_result *r);
/*
 * One stored tile file (path below the log's directory) against the tiles that
 * audit_check verified: also files that no checkpoint needs must be true.
 */
VAULT_NODISCARD vault_err audit_check_file(const struct audit_source *s, const char *path, uint64_t size, char *why,
    size_t why_cap);

/* The remembered state: three lines. VAULT_E_NOTFOUND: none yet. */
VAULT_NODISCARD vault_err audit_seen_load(const char *path, struct audit_seen *seen);
VAULT_NODISCARD vault_err audit_seen_save(const char *path, const struct audit_seen *seen);

#endif
