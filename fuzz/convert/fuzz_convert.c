/*
 * fuzz_convert.c - the converter on any stream: 8 bytes of options (format,
 * range, jump, total, slice), then the stored bytes. Output is counted, never
 * kept; an amplification beyond a bound is a finding.
 */
#include <stdlib.h>
#include <string.h>

#include "ipc/message.h"
#include "media/convert.h"
#include "planted.h"

#define OPTIONS 8u
#define OUTPUT_MAX (256u * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static vault_err count(void *arg, const uint8_t *data, size_t n)
{
	size_t *total = arg;
	volatile uint8_t seen = 0;

	if (n > 0)
		seen = (uint8_t)(data[0] ^ data[n - 1]);
	(void)seen;
	*total += n;
	return *total > OUTPUT_MAX ? VAULT_E_RANGE : VAULT_OK;
}

static vault_err write_all(struct convert *c, const uint8_t *data, size_t n, size_t slice, size_t jump)
{
	vault_err err = VAULT_OK;

	for (size_t at = 0; err == VAULT_OK && at < n; at += slice) {
		const size_t k = n - at < slice ? n - at : slice;
		err = convert_write(c, data + at, k);
		if (err == VAULT_OK && jump != 0 && at >= jump) {
			uint64_t offset = at + k + jump;
			jump = 0;
			(void)convert_offset_at(c, 1000000, &offset);
			err = convert_jump(c, offset);
		}
	}
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct convert_options o = {.sink = count};
	struct convert *c;
	size_t total = 0;

	if (n < OPTIONS)
		return -1;
	o.format = data[0] % 3;
	o.from_us = data[1] * 100000ull;
	o.to_us = data[2] == 0 ? UINT64_MAX : o.from_us + data[2] * 100000ull;
	o.total_bytes = data[3] == 0 ? 0 : n - OPTIONS + data[3] - 1;
	o.arg = &total;
	if (convert_new(&c, &o) != VAULT_OK)
		return 0;
	vault_err err = write_all(c, data + OPTIONS, n - OPTIONS, data[4] + 1u, data[5] * 64u);
	if (err == VAULT_OK)
		err = convert_finish(c);
	PLANTED(err == VAULT_OK && total > 0 && total % 251 == 7);
	convert_free(c);
	return 0;
}
