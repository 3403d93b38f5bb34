/*
 * parts.h - starts the other programs: descriptors in their places, own user,
 * empty environment, death with the supervisor.
 */
#ifndef VAULT_SUPERVISOR_PARTS_H
#define VAULT_SUPERVISOR_PARTS_H

#include <stddef.h>
#include <sys/types.h>

#include <vault/error.h>
#include "supervisor/roots.h"

#define PART_FIRST_FD 3

enum part_kind { PART_KEEPER, PART_FRONT, PART_EXPORTER, PART_KINDS };

/*
 * Opens the programs once: beside this one, or in ../libexec/vault. They are
 * executed from these descriptors, so that no path is looked up after start.
 */
VAULT_NODISCARD vault_err parts_find(int program_fd[PART_KINDS]);
/* Directory of this program, for vaultctl beside it. */
VAULT_NODISCARD vault_err parts_self_dir(char *out, size_t cap);

/* fds become 3, 4, ... of the child. fds stay the caller's. */
VAULT_NODISCARD vault_err part_start(enum part_kind kind, int program_fd, const int *fds, size_t n,
    const struct part_user *user, pid_t *pid);

/* Changes this process to the user for good, when it is another one. 0, or -1 and errno. Async-signal-safe. */
VAULT_NODISCARD int part_become(const struct part_user *user);

#endif
