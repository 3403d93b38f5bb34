/*
 * age_tool.c - the vault's age writer and reader as a filter, for interoperability tests.
 *
 *   age_tool encrypt RECIPIENT...     standard input to standard output
 *   age_tool decrypt IDENTITY         exit 0, or 1 and a word on standard error
 *
 * A test program: the identity stands on the command line, where others can read it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "crypto/age.h"

#define RECIPIENTS_MAX 20
#define PIECE 50000u                /* no multiple of a chunk */
#define ROOM (1024u * 1024)

static vault_err flush(struct buf *out)
{
	while (out->len > 0) {
		ssize_t n = write(STDOUT_FILENO, out->data, out->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return VAULT_E_IO;
		buf_consume(out, (size_t)n);
	}
	return VAULT_OK;
}

static vault_err next_piece(uint8_t *piece, size_t *n)
{
	ssize_t got;

	do
		got = read(STDIN_FILENO, piece, PIECE);
	while (got < 0 && errno == EINTR);
	*n = got > 0 ? (size_t)got : 0;
	return got < 0 ? VAULT_E_IO : VAULT_OK;
}

static vault_err encrypt(int count, char **texts, struct buf *out)
{
	static uint8_t recipients[RECIPIENTS_MAX][32], piece[PIECE];
	struct age_writer *w = NULL;
	size_t n = 0;
	vault_err err = count < 1 || count > RECIPIENTS_MAX ? VAULT_E_INVAL : VAULT_OK;

	for (int i = 0; i < count && !err; i++)
		err = age_recipient_parse(texts[i], strlen(texts[i]), recipients[i]);
	if (!err)
		err = age_writer_new(&w, (const uint8_t (*)[32])recipients, (size_t)count, out);
	while (!err && (err = next_piece(piece, &n)) == VAULT_OK && n > 0) {
		err = age_writer_write(w, piece, n, out);
		if (!err)
			err = flush(out);
	}
	if (!err)
		err = age_writer_finish(w, out);
	if (!err)
		err = flush(out);
	age_writer_free(w);
	return err;
}

static vault_err decrypt(const char *identity_text, struct buf *out)
{
	static uint8_t identity[32], piece[PIECE];
	struct age_reader *r = NULL;
	size_t n = 0;
	vault_err err = age_identity_parse(identity_text, strlen(identity_text), identity), end;

	if (!err)
		err = age_reader_new(&r, identity);
	while (!err && (err = next_piece(piece, &n)) == VAULT_OK && n > 0) {
		err = age_reader_write(r, piece, n, out);
		/* What came out verified, also when the piece behind it did not. */
		end = flush(out);
		err = err ? err : end;
	}
	if (!err)
		err = age_reader_finish(r, out);
	if (!err)
		err = flush(out);
	age_reader_free(r);
	secret_wipe(identity, sizeof(identity));
	return err;
}

int main(int argc, char **argv)
{
	struct buf out;
	vault_err err = secret_setup();

	buf_init_secret(&out, ROOM);
	if (!err && argc >= 3 && strcmp(argv[1], "encrypt") == 0)
		err = encrypt(argc - 2, argv + 2, &out);
	else if (!err && argc == 3 && strcmp(argv[1], "decrypt") == 0)
		err = decrypt(argv[2], &out);
	else if (!err)
		err = VAULT_E_INVAL;
	buf_free(&out);
	if (err)
		(void)fprintf(stderr, "age_tool: %s\n", vault_strerror(err));
	return err ? 1 : 0;
}
