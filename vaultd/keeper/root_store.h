/*
 * root_store.h - where root keys live and can be erased.
 *
 * The small interface of every backend: read the newest key, write the next
 * epoch beside it, erase the previous one. Backend "file": two 4 KiB slots in
 * root/slots, epoch e in slot e % 2, overwritten in place and synced.
 * A backend never copies a key anywhere else.
 */
#ifndef VAULT_KEEPER_ROOT_STORE_H
#define VAULT_KEEPER_ROOT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include "crypto/kdf.h"

struct root_store;

struct root_slot {
	bool present;
	uint64_t epoch;
	uint64_t created_ms;
	uint8_t key[KEY_BYTES];      /* the erasable half */
};

struct root_backend {
	const char *name;
	/* Both slots as they are; a torn slot reads as absent, a damaged one as VAULT_E_CORRUPT. */
	vault_err (*read)(struct root_store *s, struct root_slot out[2]);
	/* Writes slot->epoch into its place and syncs it. */
	vault_err (*write)(struct root_store *s, const struct root_slot *slot);
	/* Overwrites the slot of this epoch and syncs; then reads back and checks it is gone. */
	vault_err (*erase)(struct root_store *s, uint64_t epoch);
	void (*close)(struct root_store *s);
};

struct root_store {
	const struct root_backend *backend;
	int dir_fd;
	int fd;
	uint8_t static_half[KEY_BYTES];   /* from the passphrase (Argon2id); zero without one */
	bool has_static;
};

/* why gets a sentence on failure. create: make the slot file when there is none. */
VAULT_NODISCARD vault_err root_store_open_file(struct root_store **s, int dir_fd, bool create, bool allow_cow,
    const char **why);
void root_store_close(struct root_store *s);
/* The effective root key: kdf(erasable half, "vault root v1", static half, epoch). */
VAULT_NODISCARD vault_err root_store_key(const struct root_store *s, const struct root_slot *slot,
    uint8_t out[KEY_BYTES]);

#endif
