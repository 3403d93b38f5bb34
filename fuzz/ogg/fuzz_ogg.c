/*
 * fuzz_ogg.c - the probe on whatever claims to be Ogg.
 */
#include "../ogg/probe_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	return probe_input(data, n, CONTAINER_OGG);
}
