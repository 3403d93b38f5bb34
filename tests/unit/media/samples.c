/*
 * samples.c - see samples.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "samples.h"

#define SAMPLE_MAX (4u * 1024 * 1024)

struct sample sample_read(const char *name)
{
	struct sample s = {.data = malloc(SAMPLE_MAX)};
	char path[1024];
	FILE *f;

	if (strncmp(name, "kept/", 5) == 0)
		(void)snprintf(path, sizeof(path), "%s/%s", SAMPLES_KEPT, name + 5);
	else
		(void)snprintf(path, sizeof(path), "%s/%s", SAMPLES_MADE, name);
	f = fopen(path, "rb");
	if (s.data == NULL || f == NULL)
		fail_msg("no sample %s", path);
	s.n = fread(s.data, 1, SAMPLE_MAX, f);
	assert_true(s.n > 0 && s.n < SAMPLE_MAX);
	assert_int_equal(fclose(f), 0);
	return s;
}

void sample_free(struct sample *s)
{
	free(s->data);
	s->data = NULL;
}
