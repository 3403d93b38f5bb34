/*
 * buf.c - a bounded, growing byte buffer.
 *
 * Invariants: off + len <= cap, data == start of the allocation + off, len <=
 * max. The consumed bytes before data are given back by moving, when room is
 * needed. A secret buffer never leaves bytes behind in freed or unused memory.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/secret.h"

#define BUF_FIRST 256u
#define READ_STEP 65536u

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_init_secret(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max, .secret = true};
}

static uint8_t *buf_base(const struct buf *b)
{
	return b->data ? b->data - b->off : NULL;
}

void buf_free(struct buf *b)
{
	uint8_t *base = buf_base(b);

	if (base && b->secret)
		secret_wipe(base, b->cap);
	free(base);
	*b = (struct buf){.max = b->max, .secret = b->secret};
}

void buf_clear(struct buf *b)
{
	uint8_t *base = buf_base(b);

	if (base && b->secret)
		secret_wipe(base, b->cap);
	b->data = base;
	b->off = 0;
	b->len = 0;
}

/* Moves the live bytes to the start of the allocation. */
static void buf_compact(struct buf *b)
{
	uint8_t *base = buf_base(b);

	if (!base || b->off == 0)
		return;
	memmove(base, b->data, b->len);
	if (b->secret)
		secret_wipe(base + b->len, b->off);
	b->data = base;
	b->off = 0;
}

/* A new allocation instead of realloc, which could leave a copy of a secret. */
static vault_err buf_grow(struct buf *b, size_t need)
{
	size_t cap = b->cap > BUF_FIRST ? b->cap : BUF_FIRST;
	uint8_t *base = buf_base(b);
	uint8_t *bigger;

	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (cap > b->max)
		cap = b->max;
	bigger = malloc(cap);
	if (!bigger)
		return VAULT_E_NOMEM;
	if (base != NULL)
		memcpy(bigger, b->data, b->len);
	if (base && b->secret)
		secret_wipe(base, b->cap);
	free(base);
	b->data = bigger;
	b->off = 0;
	b->cap = cap;
	return VAULT_OK;
}

vault_err buf_reserve(struct buf *b, size_t n, uint8_t **room)
{
	if (n > b->max - b->len)
		return VAULT_E_RANGE;
	if (!b->data || b->cap - b->off - b->len < n) {
		/* Moving pays when enough was consumed, and is all that is left when the allocation may not grow. */
		if (b->data && b->cap - b->len >= n && (b->off >= b->len / 4 || b->cap >= b->max)) {
			buf_compact(b);
		} else if (b->len + n > 0) {
			vault_err err = buf_grow(b, b->len + n);

			if (err)
				return err;
		}
	}
	*room = b->data ? b->data + b->len : NULL;
	return VAULT_OK;
}

void buf_commit(struct buf *b, size_t n)
{
	/* The caller wrote at most what it reserved; anything else is a bug here, not bad input. */
	if (n > b->cap - b->off - b->len)
		abort();
	b->len += n;
}

vault_err buf_append(struct buf *b, const void *p, size_t n)
{
	uint8_t *room;
	vault_err err = buf_reserve(b, n, &room);

	/* No room without an error: nothing is asked of an empty buffer. */
	if (err || n == 0 || !room)
		return err;
	memcpy(room, p, n);
	buf_commit(b, n);
	return VAULT_OK;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n > b->len)
		abort();
	if (n == 0)
		return;
	if (b->secret)
		secret_wipe(b->data, n);
	b->data += n;
	b->off += n;
	b->len -= n;
	if (b->len == 0) {
		b->data -= b->off;
		b->off = 0;
	}
}

vault_err buf_read_fd(struct buf *b, int fd)
{
	for (;;) {
		/* At the limit one byte more is asked for: the end of the input is no breach of it. */
		size_t step = b->max - b->len < READ_STEP ? b->max - b->len : READ_STEP;
		uint8_t *room = NULL, more;
		vault_err err = step > 0 ? buf_reserve(b, step, &room) : VAULT_OK;

		if (err)
			return err;
		ssize_t got = read(fd, step > 0 ? room : &more, step > 0 ? step : 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return vault_err_from_errno(errno);
		if (got == 0)
			return VAULT_OK;
		if (step == 0)
			return VAULT_E_RANGE;
		buf_commit(b, (size_t)got);
	}
}

vault_err buf_printf(struct buf *b, const char *fmt, ...)
{
	const size_t max = b->max;
	va_list ap;
	uint8_t *room;
	vault_err err;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return VAULT_E_INVAL;
	if ((size_t)n > max - b->len)
		return VAULT_E_RANGE;
	/* vsnprintf ends with a NUL, which may lie behind max: reserve one byte more than is committed. */
	if (max < SIZE_MAX)
		b->max = max + 1;
	err = buf_reserve(b, (size_t)n + 1, &room);
	b->max = max;
	if (err)
		return err;
	va_start(ap, fmt);
	(void)vsnprintf((char *)room, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_commit(b, (size_t)n);
	return VAULT_OK;
}
