/*
 * dispatch.h - which handler a packet belongs to.
 */
#ifndef VAULT_KEEPER_DISPATCH_H
#define VAULT_KEEPER_DISPATCH_H

#include "keeper/batch.h"

/*
 * Handles one packet inside the running batch. A malformed one is counted and
 * answered with nothing; the link stays. Errors mean that the vault failed,
 * not that the peer was wrong.
 */
VAULT_NODISCARD vault_err dispatch_packet(struct keeper *k, struct batch_request *r);
/* Stages the `internal` answer of a request's type. */
VAULT_NODISCARD vault_err dispatch_refuse(struct keeper *k, struct batch_request *r);
/* What follows a commit: forgetting and rotations, then their answers. */
void dispatch_afters(struct keeper *k, const struct batch_after *after, size_t n);

#endif
