/*
 * log.c - one structured line per event on standard error.
 *
 * One write(2) per line, so lines of several threads and processes do not mix.
 * Control characters become '?': a line stays one line whatever it says. Never
 * fails the caller and keeps errno.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define LOG_LINE 1024

static const char *log_part = "vault";
static enum log_level log_least = LOG_INFO_;

void log_init(const char *part, enum log_level least)
{
	log_part = part;
	log_least = least;
}

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_DEBUG_: return "debug";
	case LOG_INFO_: return "info";
	case LOG_WARN_: return "warn";
	case LOG_ERROR_: return "error";
	}
	return "error";
}

/* Length of what snprintf left in room bytes. */
static size_t printed(int n, size_t room)
{
	if (n < 0)
		return 0;
	return (size_t)n < room ? (size_t)n : room - 1;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	char line[LOG_LINE];
	char time[CLOCK_TEXT];
	size_t len;
	va_list ap;

	if (level < log_least)
		return;
	clock_format(clock_wall_ms(), time);
	len = printed(snprintf(line, sizeof(line), "%s %s %s ", time, level_name(level), log_part), sizeof(line));
	va_start(ap, fmt);
	len += printed(vsnprintf(line + len, sizeof(line) - len, fmt, ap), sizeof(line) - len);
	va_end(ap);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';     /* takes the place of the NUL */
	if (write(STDERR_FILENO, line, len) < 0) {
		/* Nowhere is left to say so. */
	}
	errno = saved;
}
