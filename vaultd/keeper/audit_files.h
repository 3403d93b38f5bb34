/*
 * audit_files.h - whole files below audit/, replaced atomically. Private to the
 * audit log.
 */
#ifndef VAULT_KEEPER_AUDIT_FILES_H
#define VAULT_KEEPER_AUDIT_FILES_H

#include <stddef.h>

#include <vault/error.h>
#include "base/buf.h"

#define AUDIT_PATH_MAX 128u

/* Makes every directory above path and syncs what it made. */
VAULT_NODISCARD vault_err audit_make_parents(int dir_fd, const char *path);
/* tmp, fsync, rename, fsync of the directory. Mode 0644: the log holds nothing personal. */
VAULT_NODISCARD vault_err audit_write_file(int dir_fd, const char *path, const void *data, size_t n);
/* Syncs the directory that holds path. */
VAULT_NODISCARD vault_err audit_sync_parent(int dir_fd, const char *path);
/* Appends the file's bytes to out. VAULT_E_NOTFOUND when there is none. */
VAULT_NODISCARD vault_err audit_read_file(int dir_fd, const char *path, struct buf *out);
VAULT_NODISCARD vault_err audit_write_all(int fd, const void *data, size_t n);

#endif
