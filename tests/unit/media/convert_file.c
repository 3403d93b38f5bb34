/*
 * convert_file.c - a test's hand tool around the converter.
 *   convert-file as-stored|wav|ogg FROM_MS TO_MS|end SLICE IN OUT
 * Exit 0, or 1 with the error's words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/message.h"
#include "media/convert.h"

static vault_err sink(void *arg, const uint8_t *data, size_t n)
{
	return fwrite(data, 1, n, arg) == n ? VAULT_OK : VAULT_E_IO;
}

static vault_err run(struct convert *c, FILE *in, size_t slice)
{
	static uint8_t data[65536];
	vault_err err = VAULT_OK;
	size_t n;

	while (err == VAULT_OK && (n = fread(data, 1, slice, in)) > 0)
		err = convert_write(c, data, n);
	return err == VAULT_OK ? convert_finish(c) : err;
}

int main(int argc, char **argv)
{
	struct convert_options o = {.sink = sink, .to_us = UINT64_MAX};
	struct convert *c = NULL;
	FILE *in, *out;
	vault_err err;
	long end;

	if (argc != 7)
		return 2;
	o.format = strcmp(argv[1], "wav") == 0 ? FORMAT_WAV : strcmp(argv[1], "ogg") == 0 ? FORMAT_OGG : FORMAT_AS_STORED;
	o.from_us = strtoull(argv[2], NULL, 10) * 1000;
	if (strcmp(argv[3], "end") != 0)
		o.to_us = strtoull(argv[3], NULL, 10) * 1000;
	size_t slice = strtoull(argv[4], NULL, 10);
	in = fopen(argv[5], "rb");
	out = fopen(argv[6], "wb");
	if (in == NULL || out == NULL || slice == 0 || slice > 65536 || fseek(in, 0, SEEK_END) != 0 ||
	    (end = ftell(in)) < 0 || fseek(in, 0, SEEK_SET) != 0)
		return 2;
	o.total_bytes = (uint64_t)end;
	o.arg = out;
	err = convert_new(&c, &o);
	if (err == VAULT_OK)
		err = run(c, in, slice);
	convert_free(c);
	if (fclose(out) != 0 || fclose(in) != 0)
		return 2;
	if (err != VAULT_OK)
		(void)fprintf(stderr, "%s\n", vault_strerror(err));
	return err == VAULT_OK ? 0 : 1;
}
