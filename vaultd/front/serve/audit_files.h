/*
 * audit_files.h - the public part of the audit log: checkpoint and hash tiles,
 * read-only from audit/. Never an entry: those go through the keeper.
 *
 * The path is parsed and written anew from its numbers, so nothing that came
 * from outside is ever given to the file system.
 */
#ifndef VAULT_FRONT_SERVE_AUDIT_FILES_H
#define VAULT_FRONT_SERVE_AUDIT_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

#define AUDIT_FILE_MAX 8192u         /* a full tile is 256 hashes */

/*
 * path: what follows /v1/audit/ ("checkpoint", "tile/0/x001/067", "tile/1/003.p/17").
 * VAULT_E_NOTFOUND: no such file, or not a path of the public part. *immutable: a full tile, to be
 * cached for ever.
 */
VAULT_NODISCARD vault_err audit_file_read(int audit_fd, const char *path, size_t len, uint8_t out[AUDIT_FILE_MAX],
    size_t *n, bool *immutable);

#endif
