/*
 * test_age.c - age keys and streams: round trips in odd pieces, and every kind
 * of damage refused without a byte that did not verify.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/age.h"

#define LIMIT (8u * 1024 * 1024)
#define SEALED_CHUNK (AGE_CHUNK + 16)

static uint8_t secret[32], pub[32], other_secret[32], other_pub[32];

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 65521);
}

static void make_file(struct buf *file, size_t n, size_t piece, const uint8_t (*recipients)[32], size_t n_recipients)
{
	uint8_t *plain = malloc(n + 1);
	struct age_writer *w;

	assert_non_null(plain);
	for (size_t i = 0; i < n; i++)
		plain[i] = pattern(i);
	buf_init(file, LIMIT);
	assert_int_equal(age_writer_new(&w, recipients, n_recipients, file), VAULT_OK);
	for (size_t at = 0; at < n; at += piece)
		assert_int_equal(age_writer_write(w, plain + at, n - at < piece ? n - at : piece, file), VAULT_OK);
	assert_int_equal(age_writer_finish(w, file), VAULT_OK);
	assert_int_equal(age_writer_write(w, plain, 1, file), VAULT_E_STATE);
	assert_int_equal(age_writer_finish(w, file), VAULT_E_STATE);
	age_writer_free(w);
	free(plain);
}

/* Reads a file and checks that whatever comes out is a prefix of the pattern. Gives its length too. */
static vault_err read_file(const uint8_t *p, size_t n, size_t piece, const uint8_t identity[32], size_t *got)
{
	struct age_reader *r;
	struct buf out;
	vault_err err = VAULT_OK, end;

	buf_init_secret(&out, LIMIT);
	assert_int_equal(age_reader_new(&r, identity), VAULT_OK);
	for (size_t at = 0; at < n && !err; at += piece)
		err = age_reader_write(r, p + at, n - at < piece ? n - at : piece, &out);
	end = age_reader_finish(r, &out);
	if (err)
		assert_int_equal(end, err);
	for (size_t i = 0; i < out.len; i++)
		if (out.data[i] != pattern(i))
			fail_msg("byte %zu did not verify", i);
	*got = out.len;
	age_reader_free(r);
	buf_free(&out);
	return end;
}

static void round_trips(void **state)
{
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 131073, 300000};
	static const size_t pieces[] = {1, 1000, 65536, 65552, 1u << 20};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
			struct buf file;
			size_t got;

			make_file(&file, sizes[i], pieces[k], (const uint8_t (*)[32])&pub, 1);
			assert_int_equal(read_file(file.data, file.len, pieces[k], secret, &got), VAULT_OK);
			assert_int_equal(got, sizes[i]);
			assert_int_equal(read_file(file.data, file.len, 777, secret, &got), VAULT_OK);
			assert_int_equal(got, sizes[i]);
			buf_free(&file);
		}
	}
}

static void several_recipients(void **state)
{
	uint8_t both[2][32], many[21][32];
	struct age_writer *w;
	struct buf file;
	size_t got;
	const uint8_t third[32] = {3};

	(void)state;
	memcpy(both[0], pub, 32);
	memcpy(both[1], other_pub, 32);
	make_file(&file, 100, 100, (const uint8_t (*)[32])both, 2);
	assert_int_equal(read_file(file.data, file.len, 50, secret, &got), VAULT_OK);
	assert_int_equal(read_file(file.data, file.len, 50, other_secret, &got), VAULT_OK);
	assert_int_equal(read_file(file.data, file.len, 50, third, &got), VAULT_E_AUTH);
	assert_int_equal(got, 0);
	buf_free(&file);
	memset(many, 9, sizeof(many));
	assert_int_equal(age_writer_new(&w, (const uint8_t (*)[32])many, 21, &file), VAULT_E_INVAL);
	assert_int_equal(age_writer_new(&w, (const uint8_t (*)[32])many, 0, &file), VAULT_E_INVAL);
	/* A point of low order has no secret. */
	memset(many, 0, sizeof(many));
	assert_int_equal(age_writer_new(&w, (const uint8_t (*)[32])many, 1, &file), VAULT_E_INVAL);
	assert_null(w);
	assert_int_equal(file.len, 0);
	buf_free(&file);
}

static void every_header_bit_counts(void **state)
{
	struct buf file;
	size_t got, header_and_nonce;

	(void)state;
	make_file(&file, 40, 40, (const uint8_t (*)[32])&pub, 1);
	header_and_nonce = file.len - 56;
	for (size_t bit = 0; bit < file.len * 8; bit++) {
		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(read_file(file.data, file.len, 64, secret, &got), VAULT_OK);
		assert_int_equal(got, 0);
		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < file.len; n++) {
		assert_int_not_equal(read_file(file.data, n, 64, secret, &got), VAULT_OK);
		assert_int_equal(got, 0);
	}
	assert_int_equal(read_file(file.data, header_and_nonce, 64, secret, &got), VAULT_E_SHORT);
	buf_free(&file);
}

static void damage_to_the_payload(void **state)
{
	uint8_t *copy;
	struct buf file;
	size_t got, start;

	(void)state;
	make_file(&file, 3 * AGE_CHUNK + 10, 5000, (const uint8_t (*)[32])&pub, 1);
	start = file.len - 3 * SEALED_CHUNK - 26;
	/* Cut at a chunk's end, inside a chunk, at the nonce. */
	for (size_t chunks = 1; chunks <= 3; chunks++) {
		assert_int_equal(read_file(file.data, start + chunks * SEALED_CHUNK, 4096, secret, &got), VAULT_E_SHORT);
		assert_int_equal(got, (chunks - 1) * AGE_CHUNK);
	}
	assert_int_equal(read_file(file.data, file.len - 1, 4096, secret, &got), VAULT_E_AUTH);
	assert_int_equal(got, 3 * AGE_CHUNK);
	copy = malloc(file.len + SEALED_CHUNK);
	assert_non_null(copy);
	/* Swapped, repeated, dropped. */
	memcpy(copy, file.data, file.len);
	memcpy(copy + start, file.data + start + SEALED_CHUNK, SEALED_CHUNK);
	memcpy(copy + start + SEALED_CHUNK, file.data + start, SEALED_CHUNK);
	assert_int_equal(read_file(copy, file.len, 4096, secret, &got), VAULT_E_AUTH);
	assert_int_equal(got, 0);
	memcpy(copy, file.data, start + SEALED_CHUNK);
	memcpy(copy + start + SEALED_CHUNK, file.data + start, file.len - start);
	assert_int_equal(read_file(copy, file.len + SEALED_CHUNK, 4096, secret, &got), VAULT_E_AUTH);
	assert_int_equal(got, AGE_CHUNK);
	memcpy(copy + start, file.data + start + SEALED_CHUNK, file.len - start - SEALED_CHUNK);
	assert_int_equal(read_file(copy, file.len - SEALED_CHUNK, 4096, secret, &got), VAULT_E_AUTH);
	assert_int_equal(got, 0);
	/* Extended. */
	memcpy(copy, file.data, file.len);
	copy[file.len] = 0;
	assert_int_equal(read_file(copy, file.len + 1, 4096, secret, &got), VAULT_E_AUTH);
	assert_int_equal(got, 3 * AGE_CHUNK);
	/* One bit in each chunk. */
	for (size_t chunk = 0; chunk < 4; chunk++) {
		file.data[start + chunk * SEALED_CHUNK + 5] ^= 1;
		assert_int_equal(read_file(file.data, file.len, 4096, secret, &got), VAULT_E_AUTH);
		assert_int_equal(got, chunk * AGE_CHUNK);
		file.data[start + chunk * SEALED_CHUNK + 5] ^= 1;
	}
	free(copy);
	buf_free(&file);
}

static void full_last_chunk_is_not_extended(void **state)
{
	struct buf file;
	size_t got;

	(void)state;
	make_file(&file, AGE_CHUNK, AGE_CHUNK, (const uint8_t (*)[32])&pub, 1);
	assert_int_equal(buf_append(&file, "sixteen bytes...", 16), VAULT_OK);
	assert_int_equal(read_file(file.data, file.len, 4096, secret, &got), VAULT_E_AUTH);
	assert_int_equal(got, 0);
	buf_free(&file);
}

static vault_err read_text(const char *text)
{
	size_t got;

	return read_file((const uint8_t *)text, strlen(text), 10, secret, &got);
}

static void header_syntax(void **state)
{
#define V "age-encryption.org/v1\n"
#define B43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define B64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	static const char *const bad[] = {
		"age-encryption.org/v2\n-> a\n\n--- " B43 "\n",
		V "--- " B43 "\n",
		V "->a\n\n--- " B43 "\n",
		V "-> \n\n--- " B43 "\n",
		V "->  a\n\n--- " B43 "\n",
		V "-> a \n\n--- " B43 "\n",
		V "-> a  b\n\n--- " B43 "\n",
		V "-> a\n--- " B43 "\n",
		V "-> a\nAAA=\n--- " B43 "\n",
		V "-> a\nAAB\n--- " B43 "\n",
		V "-> a\n" B64 "\n--- " B43 "\n",
		V "-> a\n" B64 "A\n\n--- " B43 "\n",
		V "-> a\r\n\r\n--- " B43 "\n",
		V "-> a\n\n---\n",
		V "-> a\n\n---" B43 "\n",
		V "-> a\n\n--- " B43 "=\n",
		V "-> X25519\n" B43 "\n--- " B43 "\n",
		V "-> X25519 " B43 " x\n" B43 "\n--- " B43 "\n",
		V "-> X25519 AAAA\n" B43 "\n--- " B43 "\n",
		V "-> X25519 " B43 "\nAAAA\n--- " B43 "\n",
	};
	char *huge;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (read_text(bad[i]) != VAULT_E_CORRUPT)
			fail_msg("header %zu was not refused", i);
	assert_int_equal(read_text(V "-> scrypt AAAA 18\n" B43 "\n--- " B43 "\n"), VAULT_E_UNSUPPORTED);
	assert_int_equal(read_text(V "-> grease\n" B64 "\n\n-> x y z\n\n--- " B43 "\n"), VAULT_E_UNSUPPORTED);
	assert_int_equal(read_text(V "-> X25519 " B43 "\n" B43 "\n--- " B43 "\n"), VAULT_E_AUTH);
	assert_int_equal(read_text(V "-> a\n"), VAULT_E_SHORT);
	assert_int_equal(read_text(""), VAULT_E_SHORT);
	huge = malloc(70001);
	assert_non_null(huge);
	memset(huge, 'a', 70000);
	huge[70000] = '\0';
	assert_int_equal(read_text(huge), VAULT_E_CORRUPT);
	free(huge);
}

static void writer_respects_the_bound(void **state)
{
	struct age_writer *w;
	struct buf out;
	static const uint8_t data[2 * AGE_CHUNK];

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(age_writer_new(&w, (const uint8_t (*)[32])&pub, 1, &out), VAULT_E_RANGE);
	buf_free(&out);
	buf_init(&out, 1000);
	assert_int_equal(age_writer_new(&w, (const uint8_t (*)[32])&pub, 1, &out), VAULT_OK);
	assert_int_equal(age_writer_write(w, data, sizeof(data), &out), VAULT_E_RANGE);
	assert_int_equal(age_writer_write(w, data, 1, &out), VAULT_E_RANGE);
	assert_int_equal(age_writer_finish(w, &out), VAULT_E_RANGE);
	age_writer_free(w);
	age_writer_free(NULL);
	age_reader_free(NULL);
	buf_free(&out);
}

/* The key pair of the age specification's test vectors' style: text forms are exact and case-bound. */
static void key_texts(void **state)
{
	char recipient[AGE_RECIPIENT_TEXT], identity[AGE_IDENTITY_TEXT];
	uint8_t back[32];

	(void)state;
	assert_int_equal(age_recipient_format(pub, recipient), VAULT_OK);
	assert_int_equal(strlen(recipient), 62);
	assert_memory_equal(recipient, "age1", 4);
	assert_int_equal(age_recipient_parse(recipient, 62, back), VAULT_OK);
	assert_memory_equal(back, pub, 32);
	assert_int_equal(age_identity_format(secret, identity), VAULT_OK);
	assert_int_equal(strlen(identity), 74);
	assert_memory_equal(identity, "AGE-SECRET-KEY-1", 16);
	assert_int_equal(age_identity_parse(identity, 74, back), VAULT_OK);
	assert_memory_equal(back, secret, 32);
	assert_int_equal(age_recipient_parse(recipient, 61, back), VAULT_E_INVAL);
	assert_int_equal(age_recipient_parse(identity, 74, back), VAULT_E_INVAL);
	assert_int_equal(age_identity_parse(recipient, 62, back), VAULT_E_INVAL);
	assert_int_equal(age_recipient_parse("", 0, back), VAULT_E_INVAL);
	recipient[40] = recipient[40] == 'q' ? 'p' : 'q';
	assert_int_equal(age_recipient_parse(recipient, 62, back), VAULT_E_INVAL);
	for (size_t i = 0; i < 74; i++)
		if (identity[i] >= 'A' && identity[i] <= 'Z')
			identity[i] = (char)(identity[i] - 'A' + 'a');
	assert_int_equal(age_identity_parse(identity, 74, back), VAULT_E_INVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(several_recipients),
		cmocka_unit_test(every_header_bit_counts),
		cmocka_unit_test(damage_to_the_payload),
		cmocka_unit_test(full_last_chunk_is_not_extended),
		cmocka_unit_test(header_syntax),
		cmocka_unit_test(writer_respects_the_bound),
		cmocka_unit_test(key_texts),
	};

	if (secret_setup() != VAULT_OK)
		return 1;
	memset(secret, 0x41, sizeof(secret));
	memset(other_secret, 0x42, sizeof(other_secret));
	if (crypto_scalarmult_base(pub, secret) != 0 || crypto_scalarmult_base(other_pub, other_secret) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
