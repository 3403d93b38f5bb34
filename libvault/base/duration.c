/*
 * duration.c - ISO 8601 durations and adding them to a time in UTC.
 *
 * Pure functions, any thread.
 */
#include <stdbool.h>

#include "base/calendar.h"
#include "base/clock.h"

/* No part may be longer than what leads past the year 9999 anyway. */
#define PART_MAX 10000000000ull
#define DAYS_MAX 3700000u

static bool parse_number(const char **p, const char *end, uint64_t *out)
{
	const char *start = *p;
	uint64_t v = 0;

	while (*p < end && **p >= '0' && **p <= '9') {
		v = v * 10 + (uint64_t)(**p - '0');
		if (v > PART_MAX)
			return false;
		(*p)++;
	}
	*out = v;
	return *p > start;
}

/* Adds v units to d; false when the unit is unknown or the sum is beyond any date. */
static bool duration_part(struct duration *d, char unit, bool in_time, uint64_t v)
{
	uint64_t days = d->days;

	if (in_time) {
		uint64_t each = unit == 'H' ? 3600 : unit == 'M' ? 60 : 1;

		d->seconds += v * each;
		return d->seconds < CALENDAR_END_S;
	}
	switch (unit) {
	case 'Y':
		d->years = (uint32_t)v;
		return v <= CALENDAR_YEAR_LAST;
	case 'M':
		d->months = (uint32_t)v;
		return v <= 12ull * CALENDAR_YEAR_LAST;
	case 'W':
		days += 7 * v;
		break;
	default:
		days += v;
		break;
	}
	d->days = (uint32_t)days;
	return days <= DAYS_MAX;
}

/* Position of unit in order at or after *next, which moves behind it: each once and in order. */
static bool take_unit(const char *order, size_t *next, char unit)
{
	for (size_t i = *next; order[i] != '\0'; i++) {
		if (order[i] == unit) {
			*next = i + 1;
			return true;
		}
	}
	return false;
}

vault_err duration_parse(const char *text, size_t len, struct duration *out)
{
	const char *p = text, *end = text + len;
	struct duration d = {0};
	bool in_time = false;
	size_t next = 0;
	size_t parts = 0, parts_before_time = 0;

	if (len < 1 || *p++ != 'P')
		return VAULT_E_INVAL;
	while (p < end) {
		uint64_t v;

		if (*p == 'T' && !in_time) {
			in_time = true;
			next = 0;
			parts_before_time = parts;
			p++;
			continue;
		}
		if (!parse_number(&p, end, &v) || p == end || !take_unit(in_time ? "HMS" : "YMWD", &next, *p))
			return VAULT_E_INVAL;
		if (!duration_part(&d, *p, in_time, v))
			return VAULT_E_RANGE;
		p++;
		parts++;
	}
	if (parts == 0 || (in_time && parts == parts_before_time))
		return VAULT_E_INVAL;
	if (d.years == 0 && d.months == 0 && d.days == 0 && d.seconds == 0)
		return VAULT_E_INVAL;
	*out = d;
	return VAULT_OK;
}

vault_err duration_add(uint64_t unix_s, const struct duration *d, uint64_t *out)
{
	struct civil_date date;
	uint64_t months, last, sum;

	if (unix_s >= CALENDAR_END_S || d->seconds >= CALENDAR_END_S)
		return VAULT_E_RANGE;
	date = calendar_date(unix_s / DAY_S);
	months = (uint64_t)date.year * 12 + (date.month - 1) + (uint64_t)d->years * 12 + d->months;
	if (months / 12 > CALENDAR_YEAR_LAST)
		return VAULT_E_RANGE;
	date.year = (uint32_t)(months / 12);
	date.month = (uint32_t)(months % 12) + 1;
	last = calendar_month_days(date.year, date.month);
	if (date.day > last)
		date.day = (uint32_t)last;
	sum = (calendar_days(&date) + d->days) * DAY_S + unix_s % DAY_S + d->seconds;
	if (sum >= CALENDAR_END_S)
		return VAULT_E_RANGE;
	*out = sum;
	return VAULT_OK;
}
