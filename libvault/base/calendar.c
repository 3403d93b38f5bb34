/*
 * calendar.c - dates and day numbers, without the C library's time zones.
 */
#include <stdbool.h>

#include "base/calendar.h"

static bool is_leap(uint32_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

uint32_t calendar_month_days(uint32_t year, uint32_t month)
{
	static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/*
 * Both directions count from March, so that a leap day is the last of its
 * year, and in eras of 400 years (146097 days). 719468 days lie between
 * 0000-03-01 and 1970-01-01.
 */
uint64_t calendar_days(const struct civil_date *date)
{
	uint64_t y = date->month <= 2 ? date->year - 1u : date->year;
	uint64_t era = y / 400;
	uint64_t year_of_era = y - era * 400;
	uint64_t month = (date->month + 9u) % 12u;
	uint64_t day_of_year = (153 * month + 2) / 5 + date->day - 1;
	uint64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

struct civil_date calendar_date(uint64_t days)
{
	uint64_t z = days + 719468;
	uint64_t era = z / 146097;
	uint64_t day_of_era = z - era * 146097;
	uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t month = (5 * day_of_year + 2) / 153;
	struct civil_date date;

	date.day = (uint32_t)(day_of_year - (153 * month + 2) / 5 + 1);
	date.month = (uint32_t)(month < 10 ? month + 3 : month - 9);
	date.year = (uint32_t)(year_of_era + era * 400 + (date.month <= 2 ? 1 : 0));
	return date;
}
