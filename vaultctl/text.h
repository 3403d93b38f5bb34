/*
 * text.h - values as people write and read them: media times, durations, sizes,
 * times of day, base64 in PEM. No I/O.
 */
#ifndef VAULTCTL_TEXT_H
#define VAULTCTL_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

#define TEXT_MAX 64u

/* "90", "90.5", "1:30", "01:01:30.250" -> milliseconds. */
VAULT_NODISCARD vault_err text_media_ms(const char *text, uint64_t *ms);
/* "1.4 MiB" */
void text_size(uint64_t bytes, char out[TEXT_MAX]);
/* "0:04", "12:30", "1:02:03" */
void text_length(uint64_t ms, char out[TEXT_MAX]);
/* "P90D" -> "90 days"; what is not understood stays as it is. */
void text_keep(const char *iso, char out[TEXT_MAX]);
/* RFC 3339 without the fraction: "2026-11-23T20:55:13Z"; what is not understood stays as it is. */
void text_time(const char *rfc3339, char out[TEXT_MAX]);
/* A date or time of the user as RFC 3339 UTC: "2026-11-23", "2026-11-23 20:55", with or without zone (none: UTC). */
VAULT_NODISCARD vault_err text_time_argument(const char *text, char out[TEXT_MAX]);
/*
 * Copies text so that a terminal only sees letters: control characters and
 * broken UTF-8 become '?'. Cut at cap - 1 bytes.
 */
void text_clean(const char *text, char *out, size_t cap);
/* Columns a terminal needs for UTF-8 text (every character counted as one). */
size_t text_columns(const char *text);

#endif
