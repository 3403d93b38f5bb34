/*
 * log.h - one structured line per event on standard error.
 *
 *   2026-11-23T20:55:13.123Z info front event=listening addr=127.0.0.1 port=8443
 *
 * Keys are plain words; values are numbers, ids or fixed words from this
 * program. Nothing that came from outside is ever a value: no phone number, no
 * name, no header, no path segment of a request.
 */
#ifndef VAULT_BASE_LOG_H
#define VAULT_BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };

/* part: "front", "keeper", ...; static storage. Lines are written with one write(2). */
void log_init(const char *part, enum log_level least);
/* fmt gives "event=... key=value ..." */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_line(LOG_DEBUG_, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO_, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN_, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR_, __VA_ARGS__)

#endif
