/*
 * test_time.c - RFC 3339 times, ISO 8601 durations, the calendar, the test clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/calendar.h"
#include "base/clock.h"

static uint64_t ms_of(const char *text)
{
	uint64_t ms = 0;

	assert_int_equal(clock_parse(text, strlen(text), &ms), VAULT_OK);
	return ms;
}

/* Against the C library, a day in each month of 8,030 years. */
static void calendar_agrees_with_libc(void **state)
{
	(void)state;
	for (uint32_t year = 1970; year <= 9999; year++) {
		for (uint32_t month = 1; month <= 12; month++) {
			struct civil_date date = {year, month, calendar_month_days(year, month)}, back;
			struct tm tm = {.tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)date.day};
			uint64_t days = calendar_days(&date);

			assert_true((uint64_t)timegm(&tm) == days * DAY_S);
			assert_int_equal(tm.tm_mon, month - 1);
			back = calendar_date(days);
			assert_memory_equal(&back, &date, sizeof(date));
		}
	}
}

static void format_and_parse(void **state)
{
	char text[CLOCK_TEXT];

	(void)state;
	clock_format(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_format(1795467313123, text);
	assert_string_equal(text, "2026-11-23T20:55:13.123Z");
	assert_true(ms_of(text) == 1795467313123);
	clock_format(UINT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	assert_true(ms_of("2026-11-23T20:55:13Z") == 1795467313000);
	assert_true(ms_of("2026-11-23T21:55:13.5+01:00") == 1795467313500);
	assert_true(ms_of("2026-11-23T20:25:13.123999-00:30") == 1795467313123);
	assert_true(ms_of("1970-01-02") == 86400000);
	assert_true(ms_of("2000-02-29t23:59:59z") == 951868799000);
}

static void parse_refuses(void **state)
{
	static const char *const bad[] = {
		"", "2026", "2026-11-23T", "2026-11-23T20:55Z", "2026-11-23T20:55:13", "2026-11-23 20:55:13Z",
		"2026-11-23T20:55:13.Z", "2026-11-23T20:55:13.1234567890Z", "2026-13-01", "2026-00-01", "2026-02-29",
		"1900-02-29", "2026-11-31", "2026-11-00", "2026-11-23T24:00:00Z", "2026-11-23T20:60:00Z",
		"2026-11-23T20:55:60Z", "2026-11-23T20:55:13ZZ", "2026-11-23T20:55:13+1:00", "2026-11-23T20:55:13+24:00",
		"2026-11-23T20:55:13+0100", "+2026-11-23", "2026-1-23", "20261123",
	};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(clock_parse(bad[i], strlen(bad[i]), &ms), VAULT_E_INVAL);
	assert_int_equal(clock_parse("1969-12-31", 10, &ms), VAULT_E_RANGE);
	assert_int_equal(clock_parse("1970-01-01T00:00:00+00:01", 25, &ms), VAULT_E_RANGE);
	assert_int_equal(clock_parse("9999-12-31T23:59:59-00:01", 25, &ms), VAULT_E_RANGE);
	assert_int_equal(clock_parse("2026-11-23\0", 11, &ms), VAULT_E_INVAL);
}

static struct duration duration_of(const char *text)
{
	struct duration d = {0};

	assert_int_equal(duration_parse(text, strlen(text), &d), VAULT_OK);
	return d;
}

static void duration_parts(void **state)
{
	struct duration d = duration_of("P1Y2M3W4DT5H6M7S");

	(void)state;
	assert_int_equal(d.years, 1);
	assert_int_equal(d.months, 2);
	assert_int_equal(d.days, 25);
	assert_int_equal(d.seconds, 5 * 3600 + 6 * 60 + 7);
	assert_int_equal(duration_of("P90D").days, 90);
	assert_int_equal(duration_of("P4W").days, 28);
	assert_int_equal(duration_of("PT5S").seconds, 5);
	assert_int_equal(duration_of("P2M").months, 2);
	assert_int_equal(duration_of("PT2M").seconds, 120);
}

static void duration_refuses(void **state)
{
	static const char *const bad[] = {
		"", "P", "PT", "P1DT", "1D", "p1D", "P1", "P1.5D", "P-1D", "P+1D", "P1D1D", "P1D1Y", "P1S", "PT1D", "PT1S1H",
		"P0D", "P0Y0M0DT0S", "P1DT1ST1S", " P1D", "P1D ", "PTT1S", "P1H",
	};
	static const char *const far[] = {
		"P10000Y", "P99999999999D", "PT9999999999H",
	};
	struct duration d;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(duration_parse(bad[i], strlen(bad[i]), &d), VAULT_E_INVAL);
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		assert_int_not_equal(duration_parse(far[i], strlen(far[i]), &d), VAULT_OK);
}

static void check_sum(const char *from, const char *duration, const char *to)
{
	struct duration d = duration_of(duration);
	uint64_t sum = 0;

	assert_int_equal(duration_add(ms_of(from) / 1000, &d, &sum), VAULT_OK);
	assert_true(sum == ms_of(to) / 1000);
}

static void duration_follows_the_calendar(void **state)
{
	struct duration d = duration_of("P7974Y");
	uint64_t sum;

	(void)state;
	check_sum("2026-01-31T10:00:00Z", "P1M", "2026-02-28T10:00:00Z");
	check_sum("2024-01-31T10:00:00Z", "P1M", "2024-02-29T10:00:00Z");
	check_sum("2024-02-29T00:00:00Z", "P1Y", "2025-02-28T00:00:00Z");
	check_sum("2024-02-29T00:00:00Z", "P20Y", "2044-02-29T00:00:00Z");
	check_sum("2026-11-23T20:55:13Z", "P400D", "2027-12-28T20:55:13Z");
	check_sum("2026-12-31T23:59:59Z", "PT1S", "2027-01-01T00:00:00Z");
	check_sum("2026-01-31T00:00:00Z", "P1M1DT1H", "2026-03-01T01:00:00Z");
	check_sum("2026-10-31T00:00:00Z", "P16M", "2028-02-29T00:00:00Z");
	assert_int_equal(duration_add(ms_of("2026-01-01") / 1000, &d, &sum), VAULT_E_RANGE);
	assert_int_equal(duration_add(UINT64_MAX, &d, &sum), VAULT_E_RANGE);
}

#ifdef VAULT_TEST_HOOKS
static void test_clock_moves_wall_time(void **state)
{
	char path[] = "/tmp/vault-clock-XXXXXX";
	int fd = mkstemp(path);
	uint64_t before, after;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(setenv("VAULT_TEST_CLOCK", path, 1), 0);
	before = clock_wall_ms();
	clock_init();
	assert_true(clock_wall_ms() - before < 60000);
	assert_int_equal(pwrite(fd, "86400\n", 6, 0), 6);
	after = clock_wall_ms();
	assert_true(after - before >= 86400000 && after - before < 86460000);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "-3600", 5, 0), 5);
	assert_true(clock_wall_ms() < before);
	close(fd);
	unlink(path);
}
#endif

static void monotonic_does_not_go_back(void **state)
{
	uint64_t a = clock_mono_us(), b = clock_mono_us();

	(void)state;
	assert_true(a <= b);
	assert_true(clock_mono_ms() >= a / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calendar_agrees_with_libc),
		cmocka_unit_test(format_and_parse),
		cmocka_unit_test(parse_refuses),
		cmocka_unit_test(duration_parts),
		cmocka_unit_test(duration_refuses),
		cmocka_unit_test(duration_follows_the_calendar),
		cmocka_unit_test(monotonic_does_not_go_back),
#ifdef VAULT_TEST_HOOKS
		cmocka_unit_test(test_clock_moves_wall_time),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
