/*
 * text.c - see text.h.
 */
#include "text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define MEDIA_SECONDS_MAX (366ull * 24 * 3600)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at *p, at most nine of them; *p moves behind them. */
static bool take_number(const char **p, uint64_t *v)
{
	int n = 0;
	for (*v = 0; is_digit(**p); (*p)++, n++) {
		if (n == 9)
			return false;
		*v = *v * 10 + (uint64_t)(**p - '0');
	}
	return n > 0;
}

static bool take_fraction(const char **p, uint64_t *ms)
{
	uint64_t scale = 100;
	*ms = 0;
	if (**p == '\0')
		return true;
	if (**p != '.' || !is_digit((*p)[1]))
		return false;
	for ((*p)++; is_digit(**p); (*p)++, scale /= 10)
		*ms += (uint64_t)(**p - '0') * scale;
	return true;
}

vault_err text_media_ms(const char *text, uint64_t *ms)
{
	uint64_t seconds = 0, part, fraction;
	for (int parts = 1;; parts++) {
		/* Behind a colon minutes and seconds have two digits and stay below sixty. */
		const char *begin = text;
		if (!take_number(&text, &part) || (parts > 1 && (text - begin != 2 || part > 59)))
			return VAULT_E_INVAL;
		seconds = seconds * 60 + part;
		if (*text != ':')
			break;
		if (parts == 3)
			return VAULT_E_INVAL;
		text++;
	}
	if (!take_fraction(&text, &fraction) || *text != '\0')
		return VAULT_E_INVAL;
	if (seconds > MEDIA_SECONDS_MAX)
		return VAULT_E_RANGE;
	*ms = seconds * 1000 + fraction;
	return VAULT_OK;
}

void text_size(uint64_t bytes, char out[TEXT_MAX])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes / 1024.0;
	size_t u = 0;
	if (bytes < 1024) {
		(void)snprintf(out, TEXT_MAX, "%" PRIu64 " B", bytes);
		return;
	}
	for (; v >= 1023.95 && u + 1 < sizeof(units) / sizeof(units[0]); u++)
		v /= 1024.0;
	(void)snprintf(out, TEXT_MAX, "%.1f %s", v, units[u]);
}

void text_length(uint64_t ms, char out[TEXT_MAX])
{
	const uint64_t s = ms / 1000 + (ms % 1000 >= 500);
	if (s >= 3600)
		(void)snprintf(out, TEXT_MAX, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600, s / 60 % 60, s % 60);
	else
		(void)snprintf(out, TEXT_MAX, "%" PRIu64 ":%02" PRIu64, s / 60, s % 60);
}

static void add_unit(char out[TEXT_MAX], uint64_t n, const char *unit)
{
	const size_t used = strlen(out);
	if (n > 0)
		(void)snprintf(out + used, TEXT_MAX - used, "%s%" PRIu64 " %s%s", used > 0 ? " " : "", n, unit, n == 1 ? "" : "s");
}

void text_keep(const char *iso, char out[TEXT_MAX])
{
	struct duration d;
	if (duration_parse(iso, strlen(iso), &d) != VAULT_OK) {
		text_clean(iso, out, TEXT_MAX);
		return;
	}
	out[0] = '\0';
	add_unit(out, d.years, "year");
	add_unit(out, d.months, "month");
	add_unit(out, d.days, "day");
	add_unit(out, d.seconds / 3600, "hour");
	add_unit(out, d.seconds / 60 % 60, "minute");
	add_unit(out, d.seconds % 60, "second");
}

/* clock_format without its milliseconds. */
static void short_time(uint64_t ms, char out[TEXT_MAX])
{
	char text[CLOCK_TEXT];
	clock_format(ms, text);
	(void)snprintf(out, TEXT_MAX, "%.19sZ", text);
}

void text_time(const char *rfc3339, char out[TEXT_MAX])
{
	uint64_t ms;
	if (clock_parse(rfc3339, strlen(rfc3339), &ms) != VAULT_OK)
		text_clean(rfc3339, out, TEXT_MAX);
	else
		short_time(ms, out);
}

vault_err text_time_argument(const char *text, char out[TEXT_MAX])
{
	char t[40];
	uint64_t ms;
	size_t n = strlen(text);
	if (n < 10 || n > 32)
		return VAULT_E_INVAL;
	memcpy(t, text, n + 1);
	if (t[10] == ' ')
		t[10] = 'T';
	if (n == 16)
		n += (size_t)snprintf(t + n, sizeof(t) - n, ":00");
	if (n >= 19 && t[n - 1] != 'Z' && strpbrk(t + 19, "+-") == NULL)
		n += (size_t)snprintf(t + n, sizeof(t) - n, "Z");
	vault_err err = clock_parse(t, n, &ms);
	if (err == VAULT_OK)
		short_time(ms, out);
	return err;
}

/* Length of the well-formed UTF-8 character at p, 0 when it is none or a control character. */
static size_t character(const unsigned char *p)
{
	if (p[0] >= 0x20 && p[0] < 0x7f)
		return 1;
	const size_t n = p[0] >= 0xf0 && p[0] <= 0xf4  ? 4
			 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
			 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
						       : 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	/* C1 controls move a terminal's cursor as well; so do the bidirectional overrides U+202A..E and U+2066..9. */
	if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return 0;
	if (n == 3 && p[0] == 0xe2 &&
	    ((p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)))
		return 0;
	return n;
}

void text_clean(const char *text, char *out, size_t cap)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;
	while (*p != '\0') {
		const size_t n = character(p);
		const size_t put = n > 0 ? n : 1;
		if (used + put + 1 > cap)
			break;
		if (n > 0)
			memcpy(out + used, p, n);
		else
			out[used] = '?';
		used += put;
		p += put;
	}
	out[used] = '\0';
}

size_t text_columns(const char *text)
{
	size_t n = 0;
	for (const char *p = text; *p != '\0'; p++)
		n += ((unsigned char)*p & 0xc0) != 0x80;
	return n;
}
