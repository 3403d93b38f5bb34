/*
 * fuzz_age.c - the age reader with a fixed identity, fed in one piece and in
 * pieces whose lengths the data gives; both must agree. Then key texts.
 */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/age.h"
#include "crypto/age_header.h"
#include "planted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* The identity the seeds are sealed to. */
static const uint8_t identity[32] = {'v', 'a', 'u', 'l', 't', ' ', 'f', 'u', 'z', 'z'};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (secret_setup() != VAULT_OK)
		abort();
	return 0;
}

/* step 0: all at once. */
static vault_err run(const uint8_t *data, size_t size, size_t step, struct buf *out)
{
	struct age_reader *r;
	vault_err err = VAULT_OK, end;

	if (age_reader_new(&r, identity) != VAULT_OK)
		abort();
	for (size_t at = 0; at < size && !err;) {
		size_t n = step == 0 || step > size - at ? size - at : step;

		err = age_reader_write(r, data + at, n, out);
		at += n;
	}
	end = age_reader_finish(r, out);
	if (err && end != err)
		abort();
	age_reader_free(r);
	return end;
}

/* Is there a header that opens in front? What follows it is the payload. */
static bool header_opens(const uint8_t *data, size_t size)
{
	const uint8_t *mac = memmem(data, size, "\n---", 4), *end;
	uint8_t file_key[AGE_FILE_KEY];
	size_t left;

	if (!mac)
		return false;
	left = size - (size_t)(mac + 1 - data);
	end = memchr(mac + 1, '\n', left);
	return end && age_header_open(data, (size_t)(end + 1 - data), identity, file_key) == VAULT_OK;
}

static void check_stream(const uint8_t *data, size_t size)
{
	struct buf whole, pieces;
	size_t step = size > 0 ? data[size / 2] + 1u : 1;
	vault_err a, b;

	buf_init(&whole, size + 1);
	buf_init(&pieces, size + 1);
	a = run(data, size, 0, &whole);
	b = run(data, size, step, &pieces);
	if (a != b || whole.len != pieces.len || (whole.len > 0 && memcmp(whole.data, pieces.data, whole.len) != 0))
		abort();
	PLANTED(a == VAULT_E_AUTH && header_opens(data, size));
	buf_free(&whole);
	buf_free(&pieces);
}

static void check_texts(const char *text, size_t n)
{
	char again[AGE_IDENTITY_TEXT];
	uint8_t key[32];

	if (age_recipient_parse(text, n, key) == VAULT_OK &&
	    (age_recipient_format(key, again) != VAULT_OK || strlen(again) != n || memcmp(again, text, n) != 0))
		abort();
	if (age_identity_parse(text, n, key) == VAULT_OK &&
	    (age_identity_format(key, again) != VAULT_OK || strlen(again) != n || memcmp(again, text, n) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_stream(data, size);
	check_texts((const char *)data, size);
	return 0;
}
