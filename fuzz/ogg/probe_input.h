/*
 * probe_input.h - one input through the probe; shared by the containers' harnesses.
 */
#ifndef VAULT_FUZZ_PROBE_INPUT_H
#define VAULT_FUZZ_PROBE_INPUT_H

#include "media/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
/*
 * At once and in slices of uneven length: the verdict and the result must be the
 * same, and what the header promises must hold. -1: another container, drop it
 * from the corpus.
 */
int probe_input(const uint8_t *data, size_t n, enum container expected);

#endif
