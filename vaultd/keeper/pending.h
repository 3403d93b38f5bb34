/*
 * pending.h - commands that wait for a second person (four eyes), 24 hours.
 */
#ifndef VAULT_KEEPER_PENDING_H
#define VAULT_KEEPER_PENDING_H

#include <jansson.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "keeper/rows.h"
#include "token/command.h"

#define PENDING_LIFE_MS (24ull * 3600 * 1000)
#define PENDING_MAX 200u             /* their list fits one answer */

struct pending {
	uint8_t sha256[32];              /* of the first payload */
	enum command_id cmd;
	json_t *args;                    /* owned */
	char by[VAULT_KID_TEXT];
	uint64_t since_ms;
};

void pending_free(struct pending *p);
/* args is borrowed. VAULT_E_FULL: too many wait already. */
VAULT_NODISCARD vault_err pending_save(struct rows *rows, const struct pending *p);
VAULT_NODISCARD vault_err pending_load(struct rows *rows, const uint8_t sha256[32], struct pending *p);
VAULT_NODISCARD vault_err pending_delete(struct rows *rows, const uint8_t sha256[32]);
VAULT_NODISCARD vault_err pending_next(struct rows *rows, const uint8_t *after, struct pending *p);
/* Drops what waited too long. */
VAULT_NODISCARD vault_err pending_sweep(struct rows *rows, uint64_t now_ms, size_t *removed);

#endif
