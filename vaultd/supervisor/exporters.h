/*
 * exporters.h - the pool of throw-away exporters.
 *
 * One spare is always started ahead, so that a retrieval does not wait for an
 * exec. SPAWN from the keeper hands the spare's key link to the keeper and its
 * data socket to the front; its end is told to the keeper.
 */
#ifndef VAULT_SUPERVISOR_EXPORTERS_H
#define VAULT_SUPERVISOR_EXPORTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <vault/error.h>
#include "supervisor/parts.h"

#define EXPORTERS_MAX 16
#define EXPORTER_LIFE_MS ((6ull * 60 + 5) * 60 * 1000)     /* the keeper gives a job up after six hours */

struct exporter_slot {
	pid_t pid;                   /* 0: free */
	uint64_t job;                /* 0: the spare */
	uint64_t since_ms;           /* monotonic, when it got its job */
	int data_fd, key_fd;         /* our ends, -1 once handed over */
};

struct exporters {
	int program_fd;
	struct part_user user;
	struct exporter_slot slot[EXPORTERS_MAX];
	unsigned spare_deaths;       /* spares that died before their job, in a row */
};

void exporters_init(struct exporters *x, int program_fd, const struct part_user *user);
/* Makes sure that there is a spare; does nothing when the pool is full. */
VAULT_NODISCARD vault_err exporters_refill(struct exporters *x);
/* Serves one SPAWN. On a full pool the keeper is told EXITED at once. */
VAULT_NODISCARD vault_err exporters_spawn(struct exporters *x, uint64_t job, int keeper_fd, int front_fd);
/* Kills exporters that outlived every job: one that was taken over does not keep its place. */
void exporters_expire(struct exporters *x, uint64_t mono_ms);
/* true when pid was an exporter; tells the keeper. */
bool exporters_reaped(struct exporters *x, pid_t pid, int status, int keeper_fd);
void exporters_stop(struct exporters *x, int signal);
unsigned exporters_running(const struct exporters *x);

#endif
