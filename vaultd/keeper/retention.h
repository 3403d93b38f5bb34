/*
 * retention.h - sweeps, shreds and the batches that the front must release.
 *
 * Order of a destruction: "erase.opened" is durable in the log, then one pass
 * of tree_forget (which commits the batch record with the ids together with the
 * death of the keys and checks that nothing opens), then "erase.verified". A
 * crash in between is finished at the next start from the batch record.
 */
#ifndef VAULT_KEEPER_RETENTION_H
#define VAULT_KEEPER_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "keeper/policy.h"

struct keeper;

struct retention {
	uint64_t next_sweep_ms;          /* monotonic */
	uint64_t next_housekeeping_ms;
	vault_id cursor;                 /* last batch pushed to the front */
	uint32_t pushed;                 /* batches the front has not released */
	bool more;                       /* batches behind the cursor may exist */
	uint64_t last_items;             /* of the last sweep, for status */
};

/* Batches of an earlier run: logs what a crash left unlogged, then pushes all of them. Own commits. */
VAULT_NODISCARD vault_err retention_start(struct keeper *k);
/* Timer: sweeps when something is due, pushes, tidies jti and pending. mono_ms: now. */
void retention_tick(struct keeper *k, uint64_t mono_ms);
/*
 * One pass now: all doomed, and all due while the clock is trusted. Own commits.
 * sweep gets its id; VAULT_E_NOTFOUND when there was nothing.
 */
VAULT_NODISCARD vault_err retention_forget(struct keeper *k, const char *ground, vault_id *sweep);
/* The front freed this batch. Inside a batch of packets. */
VAULT_NODISCARD vault_err retention_released(struct keeper *k, const vault_id *batch, uint32_t n);
/* Pushes unreleased batches, a few at a time. */
void retention_push(struct keeper *k);
/* Moves the tenant's recordings whose expiry came nearer under p; *n counts them. Inside a batch. */
VAULT_NODISCARD vault_err retention_shorten(struct keeper *k, const struct policy *p, uint8_t medium_bit, uint64_t *n);

#endif
