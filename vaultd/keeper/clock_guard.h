/*
 * clock_guard.h - is the wall clock believable? (R42)
 *
 * Wall time is compared with the monotonic clock while running and with the
 * last time on record at start. After an implausible jump nothing expires until
 * two people confirm the time. Retrieval of expired recordings stays refused.
 */
#ifndef VAULT_KEEPER_CLOCK_GUARD_H
#define VAULT_KEEPER_CLOCK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include "keeper/rows.h"

#define CLOCK_JUMP_MS (3600ull * 1000)                    /* in flight, either way; at start, backwards */
#define CLOCK_START_AHEAD_MS (400ull * 86400 * 1000)      /* at start, forward */
#define CLOCK_SAVE_MS (60ull * 1000)

struct clock_guard {
	bool trusted;
	bool off;                /* test builds only: VAULT_TEST_CLOCK_TRUST=1 */
	uint64_t base_wall, base_mono;
	uint64_t saved_ms;       /* last high-water mark written */
	bool unlogged;           /* became untrusted, and the audit log does not know yet */
};

/* Reads the high-water mark; needs an open transaction. */
VAULT_NODISCARD vault_err clock_guard_start(struct clock_guard *g, struct rows *rows, uint64_t wall_ms,
    uint64_t mono_ms);
/*
 * True when this look made the clock untrusted. Every wall time that something
 * is destroyed or recorded by is shown to the guard first: a jump between two
 * ticks must not be acted on.
 */
bool clock_guard_check(struct clock_guard *g, uint64_t wall_ms, uint64_t mono_ms);
/* Writes the mark when it is older than CLOCK_SAVE_MS (or always); never while untrusted. Open transaction. */
VAULT_NODISCARD vault_err clock_guard_save(struct clock_guard *g, struct rows *rows, uint64_t wall_ms, bool always);
/* Two people said the time is right. Call after the commit that recorded it. */
void clock_guard_confirm(struct clock_guard *g, uint64_t wall_ms, uint64_t mono_ms);

#endif
