/*
 * buf.h - a bounded, growing byte buffer.
 *
 * Owner frees with buf_free. A buffer marked secret is wiped when it grows,
 * when bytes are consumed and when it is freed. Not thread-safe.
 */
#ifndef VAULT_BASE_BUF_H
#define VAULT_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

struct buf {
	uint8_t *data;    /* start of the live bytes */
	size_t len;       /* live bytes */
	size_t off;       /* consumed bytes before data inside the allocation */
	size_t cap;       /* allocation size */
	size_t max;       /* len never exceeds this */
	bool secret;
};

/* max: most live bytes ever held; append beyond it fails with VAULT_E_RANGE. */
void buf_init(struct buf *b, size_t max);
void buf_init_secret(struct buf *b, size_t max);
void buf_free(struct buf *b);
void buf_clear(struct buf *b);                       /* keeps the allocation */
VAULT_NODISCARD vault_err buf_append(struct buf *b, const void *p, size_t n);
/* Room for n bytes at the end; write there, then buf_commit(b, k) with k <= n. */
VAULT_NODISCARD vault_err buf_reserve(struct buf *b, size_t n, uint8_t **room);
void buf_commit(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n);           /* n <= len; drops from the front */
/* Everything that fd gives until its end, blocking. VAULT_E_RANGE when it is more than b may hold. */
VAULT_NODISCARD vault_err buf_read_fd(struct buf *b, int fd);
VAULT_NODISCARD vault_err buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
