/*
 * file.h - small local files: read whole, replace whole, create new.
 * A file is either complete and synced under its name, or not there.
 */
#ifndef VAULTCTL_FILE_H
#define VAULTCTL_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include <vault/error.h>

/* The whole file, at most cap bytes; VAULT_E_RANGE when it is longer. */
VAULT_NODISCARD vault_err file_read(const char *path, void *out, size_t cap, size_t *n);
/* Temporary file beside it, sync, rename, sync of the directory. */
VAULT_NODISCARD vault_err file_replace(const char *path, const void *data, size_t n, mode_t mode);
/* VAULT_E_EXISTS when something has that name; synced; removed again when writing fails. */
VAULT_NODISCARD vault_err file_create(const char *path, const void *data, size_t n, mode_t mode);
/* file_create, 0600, of a secret text and a newline; returns an exit code and has explained a failure. */
int file_create_secret(const char *path, const char *text);
VAULT_NODISCARD vault_err file_write_all(int fd, const void *data, size_t n);
/* The directory of path (as dirname would give it), synced. */
VAULT_NODISCARD vault_err file_sync_dir_of(const char *path);
/* mkdir -p with mode 0700 for what is new. */
VAULT_NODISCARD vault_err file_make_dirs(const char *path);

#endif
