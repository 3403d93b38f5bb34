/*
 * principal.h - the registered people: Ed25519 key, role, tenant, age recipient.
 *
 * Rows by kid. Revoked ones stay, so that the audit log keeps its meaning.
 * Open transaction needed.
 */
#ifndef VAULT_KEEPER_PRINCIPAL_H
#define VAULT_KEEPER_PRINCIPAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "crypto/sign.h"
#include "keeper/rows.h"

struct principal {
	char kid[VAULT_KID_TEXT];
	unsigned role;                       /* one VAULT_ROLE_* */
	char tenant[VAULT_TENANT_MAX + 1];   /* contacts only, else empty */
	uint8_t pub[SIGN_PUB_BYTES];
	uint8_t age[32];
	bool active;
	uint64_t since_ms;
};

VAULT_NODISCARD vault_err principal_load(struct rows *rows, const char *kid, struct principal *p);
/* Sets p->kid from p->pub. */
VAULT_NODISCARD vault_err principal_save(struct rows *rows, struct principal *p);
VAULT_NODISCARD vault_err principal_next(struct rows *rows, const char *after, struct principal *p);
/* Active ones whose role is in roles. */
VAULT_NODISCARD vault_err principal_count(struct rows *rows, unsigned roles, size_t *n);
/* Public view for answers; NULL when memory is short. */
json_t *principal_json(const struct principal *p);

#endif
