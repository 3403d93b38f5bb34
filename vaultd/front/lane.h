/*
 * lane.h - one loop with everything on it: connections, adapters, ingest, the
 * writer, the way out, the links. Built before the sandbox is entered (files,
 * no threads), started behind it.
 */
#ifndef VAULT_FRONT_LANE_H
#define VAULT_FRONT_LANE_H

#include <stdint.h>

#include <vault/error.h>
#include "front/options.h"

struct lane;

struct lane_fds {
	int keeper, supervisor, media, index, audit;
};

/*
 * Opens volumes and index, recovers, reads the certificate. On failure *why says
 * what to do (static text).
 */
VAULT_NODISCARD vault_err lane_open(struct lane **l, const struct front_options *o, const struct lane_fds *fds,
    const char **why);
/* Threads, links, listeners; from here requests are taken. */
VAULT_NODISCARD vault_err lane_start(struct lane *l, uint32_t protections, const char **why);
/* Until SIGTERM was served or a link broke. 0: an orderly end. */
int lane_run(struct lane *l);
void lane_free(struct lane *l);

#endif
