/*
 * start.h - brings keeper and front up, step by step, each told what it needs
 * and no more (docs/PROTOCOL.md, "Start").
 */
#ifndef VAULT_SUPERVISOR_START_H
#define VAULT_SUPERVISOR_START_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <vault/error.h>
#include <vault/id.h>
#include "supervisor/exporters.h"
#include "supervisor/roots.h"

struct vault_parts {
	int root_fd[ROOT_COUNT];
	int lock_fd;
	int listen_fd[LISTEN_COUNT];
	int program_fd[PART_KINDS];
	struct part_user user[3];
	pid_t keeper, front;         /* 0 when not running */
	int keeper_fd, front_fd;     /* the supervisor's ends */
	int keeper_front[2];         /* the link between the two, until both have it */
	struct exporters exporters;
	vault_id vault;
	uint8_t audit_pub[32];
	uint32_t keeper_protections;
	bool fresh;                  /* the vault was made just now */
};

void start_init(struct vault_parts *v);
/* Directories, lock, sockets, programs. create: make what is missing. */
VAULT_NODISCARD vault_err start_open(struct vault_parts *v, const struct config *c, bool create);
/* Keeper up and READY. pass may be NULL; it is the caller's to wipe. */
VAULT_NODISCARD vault_err start_keeper(struct vault_parts *v, const struct config *c, bool create, const void *pass,
    size_t pass_len);
VAULT_NODISCARD vault_err start_front(struct vault_parts *v, const struct config *c);

#endif
