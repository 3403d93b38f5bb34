/*
 * supervise.h - the supervisor's life after everything is up.
 */
#ifndef VAULT_SUPERVISOR_SUPERVISE_H
#define VAULT_SUPERVISOR_SUPERVISE_H

#include <stdint.h>
#include <sys/types.h>

#include <vault/error.h>
#include "supervisor/start.h"

/* Blocks the signals the loop reads; call before the first fork. *fd is a signalfd. */
VAULT_NODISCARD vault_err supervise_signals(int *fd);
/* Gives up every capability that changing users and stopping parts does not need. */
VAULT_NODISCARD vault_err supervise_drop(void);
/*
 * Serves SPAWN, reaps, until SIGTERM or SIGINT (returns OK after an orderly
 * stop) or until keeper or front ends (VAULT_E_STATE after stopping the rest).
 * helper: a pid whose end is only noted (the set-up of --dev), or 0.
 */
VAULT_NODISCARD vault_err supervise_run(struct vault_parts *v, int signal_fd, uint32_t grace_ms, pid_t helper);
/* Stops what runs, at once in order: front, exporters, keeper. */
void supervise_stop(struct vault_parts *v, int signal_fd, uint32_t grace_ms);

#endif
