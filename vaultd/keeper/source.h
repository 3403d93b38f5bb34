/*
 * source.h - media servers: a number, hashed credentials, tenants and media.
 *
 * The bearer secret itself is never kept: only its SHA-256. Open transaction
 * needed.
 */
#ifndef VAULT_KEEPER_SOURCE_H
#define VAULT_KEEPER_SOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "ipc/message.h"
#include "keeper/rows.h"

#define SOURCE_TENANTS 64u

struct source {
	uint32_t number;                     /* from 1 */
	bool active;
	uint8_t media;
	bool has_secret, has_cert;
	uint8_t secret_sha256[32], cert_sha256[32];
	size_t n_tenants;
	char tenant[SOURCE_TENANTS][VAULT_TENANT_MAX + 1];
};

/* Gives s the next number and saves it. VAULT_E_EXISTS: a credential is in use already. */
VAULT_NODISCARD vault_err source_add(struct rows *rows, struct source *s);
VAULT_NODISCARD vault_err source_load(struct rows *rows, uint32_t number, struct source *s);
VAULT_NODISCARD vault_err source_revoke(struct rows *rows, struct source *s);
VAULT_NODISCARD vault_err source_next(struct rows *rows, uint32_t after, struct source *s);
/* The active source of this credential; VAULT_E_NOTFOUND for unknown, revoked and none. */
VAULT_NODISCARD vault_err source_find(struct rows *rows, const struct ipc_cred *cred, struct source *s);
bool source_serves(const struct source *s, const char *tenant);
json_t *source_json(const struct source *s);
/* ["voice","video"]; NULL when memory is short. */
json_t *source_media_json(uint8_t media);

#endif
