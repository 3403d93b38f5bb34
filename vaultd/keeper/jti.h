/*
 * jti.h - every signed command once: durable until the command has expired.
 */
#ifndef VAULT_KEEPER_JTI_H
#define VAULT_KEEPER_JTI_H

#include <vault/error.h>
#include "keeper/rows.h"
#include "token/jws.h"

/*
 * VAULT_E_EXISTS: used before, or so old that its use may be forgotten already:
 * a clock that was set back makes no swept token fresh again. Open transaction.
 */
VAULT_NODISCARD vault_err jti_take(struct rows *rows, const struct command *c);
/* Removes at most max expired ones; *removed says how many. Open transaction. */
VAULT_NODISCARD vault_err jti_sweep(struct rows *rows, uint64_t now_s, size_t max, size_t *removed);

#endif
