/*
 * passphrase.h - where the passphrase comes from: a 0600 file, a systemd
 * credential named "passphrase", or the terminal. Never the command line.
 */
#ifndef VAULT_SUPERVISOR_PASSPHRASE_H
#define VAULT_SUPERVISOR_PASSPHRASE_H

#include "supervisor/config.h"

#define PASSPHRASE_MAX 1024u

/* *pass is secret_alloc memory of *len bytes, or NULL when none is configured. */
VAULT_NODISCARD vault_err passphrase_get(const struct config *c, uint8_t **pass, size_t *len);

#endif
