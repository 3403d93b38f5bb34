/*
 * seal.h - the way out: an age stream to the job's recipients, written to a
 * descriptor in large blocks. Nothing is final before seal_finish.
 */
#ifndef VAULT_EXPORTER_SEAL_H
#define VAULT_EXPORTER_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

struct seal;

VAULT_NODISCARD vault_err seal_new(struct seal **s, int fd, const uint8_t (*recipients)[32], size_t n);
VAULT_NODISCARD vault_err seal_write(struct seal *s, const void *p, size_t n);
/* Seals and writes the last chunk. Without it, no reader accepts the stream. */
VAULT_NODISCARD vault_err seal_finish(struct seal *s);
uint64_t seal_bytes(const struct seal *s);       /* plaintext so far */
void seal_free(struct seal *s);

#endif
