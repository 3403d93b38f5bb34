/*
 * clock.h - time.
 *
 * Wall time is Unix time in milliseconds, UTC. In builds with
 * VAULT_TEST_HOOKS the environment variable VAULT_TEST_CLOCK may name a file
 * that holds a signed decimal number of seconds added to wall time; it is
 * opened once by clock_init (before any sandbox) and read again by each call.
 * A release build has none of this.
 */
#ifndef VAULT_BASE_CLOCK_H
#define VAULT_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

#define CLOCK_TEXT 32u

void clock_init(void);
uint64_t clock_wall_ms(void);
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
/* "2026-11-23T20:55:13.123Z" */
void clock_format(uint64_t unix_ms, char out[CLOCK_TEXT]);
/* Accepts RFC 3339 with seconds and optional fraction and zone ("Z" or +hh:mm), and a date alone. */
VAULT_NODISCARD vault_err clock_parse(const char *text, size_t len, uint64_t *unix_ms);

/*
 * ISO 8601 duration (PnYnMnWnDTnHnMnS), all parts whole numbers, at least one
 * part, more than zero. duration_add follows the UTC calendar: years and
 * months first (a day beyond the month's end becomes its last day), then the
 * rest as exact seconds.
 */
struct duration {
	uint32_t years, months, days;      /* weeks are folded into days */
	uint64_t seconds;                  /* hours, minutes, seconds */
};
VAULT_NODISCARD vault_err duration_parse(const char *text, size_t len, struct duration *out);
/* Unix seconds; VAULT_E_RANGE beyond the year 9999. */
VAULT_NODISCARD vault_err duration_add(uint64_t unix_s, const struct duration *d, uint64_t *out);

#endif
