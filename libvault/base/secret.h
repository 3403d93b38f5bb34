/*
 * secret.h - memory for keys.
 *
 * Guarded (guard pages, canary), locked and undumpable pages from libsodium. A
 * failed lock is an error, not a warning. Freeing wipes.
 */
#ifndef VAULT_BASE_SECRET_H
#define VAULT_BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

/* sodium_init, PR_SET_DUMPABLE 0, RLIMIT_CORE 0. Call first in every program. */
VAULT_NODISCARD vault_err secret_setup(void);
/* NULL when memory or the lock limit is exhausted. Zeroed. */
void *secret_alloc(size_t n);
void secret_free(void *p);          /* wipes; NULL is fine */
void secret_wipe(void *p, size_t n);

#endif
