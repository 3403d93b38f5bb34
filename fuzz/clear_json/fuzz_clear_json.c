/*
 * fuzz_clear_json.c - the clear JSON of a recording-open frame.
 *
 * What is accepted is written again and must read back as the same row.
 */
#include <stdlib.h>
#include <string.h>

#include "front/index/index.h"
#include "planted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct index_row row, again;
	char *text, *second;
	size_t len, second_len;

	if (index_row_from_clear(&row, (const char *)data, n) != VAULT_OK)
		return 0;
	if (!vault_tenant_valid(row.tenant, strlen(row.tenant)) || row.n_tracks > ROW_TRACKS)
		abort();
	if (index_row_to_clear(&row, &text, &len) != VAULT_OK || index_row_from_clear(&again, text, len) != VAULT_OK ||
	    index_row_to_clear(&again, &second, &second_len) != VAULT_OK || len != second_len ||
	    memcmp(text, second, len) != 0)
		abort();
	PLANTED(row.n_tracks > 1 && row.track[1].channels > 2);
	free(text);
	free(second);
	return 0;
}
