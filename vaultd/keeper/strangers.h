/*
 * strangers.h - refusals of senders nobody knows, in the audit log.
 *
 * Each of the first ones of a minute is an entry of its own; the rest of the
 * minute becomes one entry with their number. So everything refused is on
 * record, and who has no key cannot fill the log's disk.
 */
#ifndef VAULT_KEEPER_STRANGERS_H
#define VAULT_KEEPER_STRANGERS_H

#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>

struct keeper;

#define STRANGERS_EACH 256u          /* entries of their own in one window */
#define STRANGERS_WINDOW_MS 60000u

struct strangers {
	uint64_t since_ms;               /* monotonic */
	uint32_t each;
	uint64_t counted;
};

/* True: log this refusal by itself. False: it was counted (n of them). Inside a batch. */
bool strangers_each(struct keeper *k, uint32_t n);
/* Between batches: logs what was counted when the window is over, or now. */
void strangers_tick(struct keeper *k, uint64_t mono_ms, bool now);

#endif
