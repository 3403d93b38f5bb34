/*
 * options.h - what the supervisor tells the front at start (docs/PROTOCOL.md).
 */
#ifndef VAULT_FRONT_OPTIONS_H
#define VAULT_FRONT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "front/http/exchange.h"

#define OPTIONS_LISTENERS_MAX 8u
#define PEM_MAX 60000u

struct option_listener {
	int fd;
	enum listener_kind kind;
};

struct front_options {
	vault_id vault;
	char origin[128];
	uint8_t audit_pub[32];
	uint32_t keeper_protections;
	struct option_listener listener[OPTIONS_LISTENERS_MAX];
	size_t n_listeners;
	uint32_t commit_ms;
	uint64_t volume_size;
	uint32_t max_streams;
	uint32_t body_timeout_s, header_timeout_s;
	uint32_t grace_ms;
	bool sandbox_optional;
	/* Guarded memory; NULL and 0 where there is none. */
	uint8_t *chain, *key, *client_ca;
	size_t chain_len, key_len, client_ca_len;
};

/* Reads the four raw packets. On failure *why says what to do (static text). */
VAULT_NODISCARD vault_err options_read(struct front_options *o, int fd, const char **why);
/* Wipes the PEM texts; the rest stays. */
void options_forget_pem(struct front_options *o);

#endif
