/*
 * fuzz_wav.c - the probe on whatever claims to be WAV.
 */
#include "../ogg/probe_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	return probe_input(data, n, CONTAINER_WAV);
}
