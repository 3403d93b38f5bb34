/*
 * fuzz_ogg.c - the probe on whatever claims to be Ogg.
 *
 * A page whose checksum field is all ones gets the right one, so that changed
 * fields of a stream's first page come past it.
 */
#include <ogg/ogg.h>
#include <stdlib.h>
#include <string.h>

#include "base/wire.h"
#include "../ogg/probe_input.h"

#define PAGE_HEAD 27u
#define CHECKSUM_AT 22u

static void mend(uint8_t *p, size_t n)
{
	while (n >= PAGE_HEAD && memcmp(p, "OggS", 4) == 0) {
		const size_t head = PAGE_HEAD + p[PAGE_HEAD - 1];
		size_t body = 0;

		for (size_t i = PAGE_HEAD; i < head && i < n; i++)
			body += p[i];
		if (head + body > n)
			return;
		if (load_le32(p + CHECKSUM_AT) == UINT32_MAX)
			ogg_page_checksum_set(&(ogg_page){p, (long)head, p + head, (long)body});
		p += head + body;
		n -= head + body;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n + 1);
	int keep;

	if (copy == NULL)
		return 0;
	if (n > 0)
		memcpy(copy, data, n);
	mend(copy, n);
	keep = probe_input(copy, n, CONTAINER_OGG);
	free(copy);
	return keep;
}
