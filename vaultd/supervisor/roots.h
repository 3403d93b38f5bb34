/*
 * roots.h - the directories and the listening sockets, opened by the supervisor
 * before anything else runs.
 */
#ifndef VAULT_SUPERVISOR_ROOTS_H
#define VAULT_SUPERVISOR_ROOTS_H

#include "supervisor/config.h"

struct part_user {
	uid_t uid;
	gid_t gid;
	bool own;                    /* drop to it before the part is executed */
};

/* Resolves [users]; only root may change users. Prints a sentence on failure. */
VAULT_NODISCARD vault_err roots_users(const struct config *c, struct part_user user[3]);

/*
 * Opens the five data directories and run/. A missing one is refused unless
 * create is set. Group or other permissions on keys or root, group or other
 * write permission anywhere, or a foreign owner are refused with the command
 * that mends it. With create and own users the directories are given to them.
 */
VAULT_NODISCARD vault_err roots_open(const struct config *c, const struct part_user user[3], bool create,
    int fd[ROOT_COUNT]);

/* One daemon per run directory: VAULT_E_BUSY when another holds the lock. */
VAULT_NODISCARD vault_err roots_lock(int run_fd, const char *run_path, int *lock_fd);

enum listener_kind { LISTEN_HTTPS, LISTEN_UNIX, LISTEN_OPS, LISTEN_COUNT };
const char *listener_name(enum listener_kind kind);
/* fd[i] is -1 for a listener that is not configured. Port 0 is allowed: the log names the port. */
VAULT_NODISCARD vault_err roots_listen(const struct config *c, int fd[LISTEN_COUNT]);

#endif
