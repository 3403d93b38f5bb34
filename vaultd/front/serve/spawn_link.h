/*
 * spawn_link.h - the front's end of the link to the supervisor (loop thread).
 *
 * Reads SPAWNED packets and the data sockets that come with them. The first
 * packets of this link (options, certificates) are read by main.c before this
 * takes the descriptor over; what main.c sends on it is not this module's.
 */
#ifndef VAULT_FRONT_SERVE_SPAWN_LINK_H
#define VAULT_FRONT_SERVE_SPAWN_LINK_H

#include <stdint.h>
#include <uv.h>

#include <vault/error.h>

struct spawn_link;

/* The callee owns fd from here on; -1: no exporter could be started for this job. */
typedef void (*spawn_fn)(void *arg, uint64_t job, int fd);
/* The supervisor is gone: the process ends. Called once. */
typedef void (*spawn_gone_fn)(void *arg);

/* fd stays the caller's and is set to non-blocking. */
VAULT_NODISCARD vault_err spawn_link_new(struct spawn_link **s, uv_loop_t *loop, int fd, spawn_fn fn,
    spawn_gone_fn gone, void *arg);
/* No callback after this; the memory goes when the loop has run once more. */
void spawn_link_close(struct spawn_link *s);

#endif
