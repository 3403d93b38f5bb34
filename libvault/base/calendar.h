/*
 * calendar.h - the proleptic Gregorian calendar in UTC, internal to base/.
 *
 * Only the years 1970 to 9999 are represented. Pure functions, any thread.
 */
#ifndef VAULT_BASE_CALENDAR_H
#define VAULT_BASE_CALENDAR_H

#include <stdint.h>

#define CALENDAR_YEAR_FIRST 1970u
#define CALENDAR_YEAR_LAST 9999u
#define DAY_S 86400u
/* First Unix second of the year 10000. */
#define CALENDAR_END_S 253402300800ull

struct civil_date {
	uint32_t year;      /* 1970..9999 */
	uint32_t month;     /* 1..12 */
	uint32_t day;       /* 1..31 */
};

uint32_t calendar_month_days(uint32_t year, uint32_t month);
/* Days since 1970-01-01 of a valid date. */
uint64_t calendar_days(const struct civil_date *date);
/* The date of a day number; days < CALENDAR_END_S / DAY_S. */
struct civil_date calendar_date(uint64_t days);

#endif
