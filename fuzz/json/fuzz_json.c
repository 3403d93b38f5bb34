/*
 * fuzz_json.c - strict JSON, times and durations: what is accepted writes itself
 * back to something that is accepted and equal.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "planted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const char *text, size_t n)
{
	json_t *value, *again;
	char *written;
	size_t len;

	if (json_read(text, n, 8192, &value) != VAULT_OK)
		return;
	written = json_write(value, &len);
	/* Reals may grow when written; anything else stays within six bytes for one. */
	if (!written || json_read(written, len, SIZE_MAX, &again) != VAULT_OK || !json_equal(value, again))
		abort();
	PLANTED(json_integer_value(json_object_get(value, "ring_ms")) % 1200 > 0);
	free(written);
	json_decref(value);
	json_decref(again);
}

static void check_times(const char *text, size_t n)
{
	char formatted[CLOCK_TEXT];
	struct duration d;
	uint64_t ms, again, sum;

	if (clock_parse(text, n, &ms) == VAULT_OK) {
		clock_format(ms, formatted);
		if (clock_parse(formatted, 24, &again) != VAULT_OK || again != ms)
			abort();
	}
	if (duration_parse(text, n, &d) == VAULT_OK && duration_add(1795467313, &d, &sum) == VAULT_OK &&
	    sum <= 1795467313)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_json((const char *)data, size);
	check_times((const char *)data, size);
	return 0;
}
