/*
 * seal.c - see seal.h.
 */
#include "exporter/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "crypto/age.h"

#define FLUSH_AT (256ul * 1024)
#define OUT_MAX (16ul * 1024 * 1024)

struct seal {
	struct age_writer *age;
	struct buf out;
	int fd;
	uint64_t bytes;
};

static vault_err flush(struct seal *s)
{
	while (s->out.len > 0) {
		ssize_t n = write(s->fd, s->out.data, s->out.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return VAULT_E_IO;
		buf_consume(&s->out, (size_t)n);
	}
	return VAULT_OK;
}

vault_err seal_new(struct seal **out, int fd, const uint8_t (*recipients)[32], size_t n)
{
	struct seal *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return VAULT_E_NOMEM;
	s->fd = fd;
	buf_init(&s->out, OUT_MAX);
	vault_err err = age_writer_new(&s->age, recipients, n, &s->out);
	if (err != VAULT_OK) {
		seal_free(s);
		return err;
	}
	*out = s;
	return VAULT_OK;
}

vault_err seal_write(struct seal *s, const void *p, size_t n)
{
	vault_err err = age_writer_write(s->age, p, n, &s->out);
	s->bytes += n;
	if (err == VAULT_OK && s->out.len >= FLUSH_AT)
		err = flush(s);
	return err;
}

vault_err seal_finish(struct seal *s)
{
	vault_err err = age_writer_finish(s->age, &s->out);
	return err == VAULT_OK ? flush(s) : err;
}

uint64_t seal_bytes(const struct seal *s)
{
	return s->bytes;
}

void seal_free(struct seal *s)
{
	if (s == NULL)
		return;
	age_writer_free(s->age);
	buf_free(&s->out);
	free(s);
}
