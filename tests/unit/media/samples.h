/*
 * samples.h - real recordings for the tests.
 */
#ifndef VAULT_TEST_SAMPLES_H
#define VAULT_TEST_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct sample {
	uint8_t *data;               /* owned; sample_free */
	size_t n;
};

/* kept/NAME is committed in tests/data; any other name was made by make-samples. Fails the test when missing. */
struct sample sample_read(const char *name);
void sample_free(struct sample *s);

#endif
