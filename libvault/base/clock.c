/*
 * clock.c - wall and monotonic time, and RFC 3339 text.
 *
 * Any thread after clock_init. The test offset exists only with
 * VAULT_TEST_HOOKS; a release build has neither the variable nor the file.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/calendar.h"
#include "base/clock.h"

#ifdef VAULT_TEST_HOOKS

static int offset_fd = -1;

void clock_init(void)
{
	const char *path = getenv("VAULT_TEST_CLOCK");

	if (offset_fd < 0 && path && *path)
		offset_fd = open(path, O_RDONLY | O_CLOEXEC);
}

static int64_t test_offset_ms(void)
{
	char text[24];
	char *end;
	ssize_t n;
	long long seconds;

	if (offset_fd < 0)
		return 0;
	n = pread(offset_fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	seconds = strtoll(text, &end, 10);
	if (end == text || seconds > (long long)CALENDAR_END_S || seconds < -(long long)CALENDAR_END_S)
		return 0;
	return seconds * 1000;
}

#else

void clock_init(void)
{
}

static int64_t test_offset_ms(void)
{
	return 0;
}

#endif

static struct timespec clock_read(clockid_t which)
{
	struct timespec now;

	/* Cannot fail for these clocks on Linux; a vault without a clock must not go on guessing. */
	if (clock_gettime(which, &now) != 0 || now.tv_sec < 0)
		abort();
	return now;
}

uint64_t clock_wall_ms(void)
{
	struct timespec now = clock_read(CLOCK_REALTIME);
	int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + test_offset_ms();

	return ms > 0 ? (uint64_t)ms : 0;
}

uint64_t clock_mono_us(void)
{
	struct timespec now = clock_read(CLOCK_MONOTONIC);

	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

void clock_format(uint64_t unix_ms, char out[CLOCK_TEXT])
{
	uint64_t s = unix_ms / 1000;
	struct civil_date date;
	uint32_t in_day;

	if (s >= CALENDAR_END_S) {
		s = CALENDAR_END_S - 1;
		unix_ms = s * 1000 + 999;
	}
	date = calendar_date(s / DAY_S);
	in_day = (uint32_t)(s % DAY_S);
	/* The remainders restate the ranges, so that the compiler can see that the text fits. */
	(void)snprintf(out, CLOCK_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", date.year % 10000u, date.month % 100u,
	    date.day % 100u, in_day / 3600 % 24u, in_day / 60 % 60, in_day % 60, (unsigned)(unix_ms % 1000));
}

struct scan {
	const char *p;
	size_t left;
};

static bool scan_char(struct scan *s, const char *any)
{
	if (s->left == 0 || s->p[0] == '\0' || !strchr(any, s->p[0]))
		return false;
	s->p++;
	s->left--;
	return true;
}

static bool scan_digits(struct scan *s, size_t n, uint32_t *out)
{
	*out = 0;
	if (s->left < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		*out = *out * 10 + (uint32_t)(s->p[i] - '0');
	}
	s->p += n;
	s->left -= n;
	return true;
}

static bool scan_date(struct scan *s, struct civil_date *d)
{
	return scan_digits(s, 4, &d->year) && scan_char(s, "-") && scan_digits(s, 2, &d->month) && scan_char(s, "-") &&
	    scan_digits(s, 2, &d->day) && d->month >= 1 && d->month <= 12 && d->day >= 1 &&
	    d->day <= calendar_month_days(d->year, d->month);
}

/* ".123456" as milliseconds, rounded down; at most nine digits. */
static bool scan_fraction(struct scan *s, uint32_t *ms)
{
	size_t digits = 0;
	uint32_t d;

	*ms = 0;
	if (!scan_char(s, "."))
		return true;
	while (scan_digits(s, 1, &d)) {
		if (++digits > 9)
			return false;
		if (digits <= 3)
			*ms = *ms * 10 + d;
	}
	for (size_t i = digits; i < 3; i++)
		*ms *= 10;
	return digits > 0;
}

static bool scan_zone(struct scan *s, int64_t *offset_s)
{
	uint32_t h, m;
	int64_t sign;

	*offset_s = 0;
	if (scan_char(s, "Zz"))
		return true;
	if (s->left == 0)
		return false;
	sign = s->p[0] == '-' ? -1 : 1;
	if (!scan_char(s, "+-") || !scan_digits(s, 2, &h) || !scan_char(s, ":") || !scan_digits(s, 2, &m) || h > 23 ||
	    m > 59)
		return false;
	*offset_s = sign * ((int64_t)h * 3600 + (int64_t)m * 60);
	return true;
}

vault_err clock_parse(const char *text, size_t len, uint64_t *unix_ms)
{
	struct scan s = {text, len};
	struct civil_date date;
	uint32_t hour = 0, minute = 0, second = 0, ms = 0;
	int64_t zone = 0, at;

	if (!scan_date(&s, &date))
		return VAULT_E_INVAL;
	if (s.left > 0 &&
	    (!scan_char(&s, "Tt") || !scan_digits(&s, 2, &hour) || !scan_char(&s, ":") || !scan_digits(&s, 2, &minute) ||
	    !scan_char(&s, ":") || !scan_digits(&s, 2, &second) || !scan_fraction(&s, &ms) || !scan_zone(&s, &zone)))
		return VAULT_E_INVAL;
	if (s.left > 0 || hour > 23 || minute > 59 || second > 59)
		return VAULT_E_INVAL;
	if (date.year < CALENDAR_YEAR_FIRST)
		return VAULT_E_RANGE;
	at = (int64_t)(calendar_days(&date) * DAY_S + hour * 3600u + minute * 60u + second) - zone;
	if (at < 0 || at >= (int64_t)CALENDAR_END_S)
		return VAULT_E_RANGE;
	*unix_ms = (uint64_t)at * 1000 + ms;
	return VAULT_OK;
}
