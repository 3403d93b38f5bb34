/*
 * root_store.h - where root keys live and can be erased.
 *
 * The small interface of every backend: read the newest key, write the next
 * epoch beside it, erase the previous one. Backend "file": two 4 KiB slots in
 * root/slots, epoch e in slot e % 2, overwritten in place and synced.
 * A backend never copies a key anywhere else.
 *
 * A root store and every root_slot live in secret_alloc memory.
 */
#ifndef VAULT_KEEPER_ROOT_STORE_H
#define VAULT_KEEPER_ROOT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "crypto/kdf.h"

struct root_store;

struct root_slot {
	bool present;
	bool dirty;                  /* absent, but its bytes are not yet erased: a torn write or a torn erase */
	uint64_t epoch;
	uint64_t created_ms;
	uint8_t key[KEY_BYTES];      /* the erasable half */
};

struct root_backend {
	const char *name;
	/*
	 * Both slots as they are; out[i] holds an epoch with epoch % 2 == i. A torn
	 * slot reads as absent and dirty; when no slot is whole and one is not
	 * empty, VAULT_E_CORRUPT.
	 */
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
/*
 * Mixes a passphrase in (pass NULL: none). Its salt and Argon2id limits are in
 * root/passphrase, which is made when create is set. A passphrase where the
 * store has none, or none where it has one, is VAULT_E_AUTH. A wrong one is
 * found by the caller, who can try a key.
 */
VAULT_NODISCARD vault_err root_store_passphrase(struct root_store *s, const uint8_t *pass, size_t pass_len, bool create,
    const char **why);
/* The effective root key: kdf(erasable half, "vault root v1", static half, le64(epoch)). */
VAULT_NODISCARD vault_err root_store_key(const struct root_store *s, const struct root_slot *slot,
    uint8_t out[KEY_BYTES]);

#ifdef VAULT_TEST_HOOKS
/* Smallest Argon2id limits for new passphrase files; also set by the environment variable VAULT_TEST_ARGON2. */
extern bool root_store_test_small;
#endif

#endif
