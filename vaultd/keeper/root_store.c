/*
 * root_store.c - what every root backend shares: the passphrase half and the
 * effective root key.
 *
 * Owner: the keeper, its only thread. Must never write a key: that is the
 * backend's job alone. The passphrase file holds a salt and limits, no secret.
 */
#include "keeper/root_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/secret.h"
#include "base/wire.h"

#define PASS_FILE "passphrase"
#define PASS_MAGIC "VAULTPAS"
#define PASS_VERSION 1u
#define PASS_BYTES 48u              /* magic[8] u32 version u32 zero u64 ops u64 memory salt[16] */
#define PASS_OPS_MAX 16u
#define PASS_MEM_MAX (1024ull * 1024 * 1024)

static_assert(crypto_pwhash_SALTBYTES == 16, "passphrase file layout");

struct pass_file {
	uint64_t ops;
	uint64_t mem;
	uint8_t salt[crypto_pwhash_SALTBYTES];
};

#ifdef VAULT_TEST_HOOKS
bool root_store_test_small;

static bool pass_small(void)
{
	return root_store_test_small || getenv("VAULT_TEST_ARGON2") != NULL;
}
#else
static bool pass_small(void)
{
	return false;
}
#endif

void root_store_close(struct root_store *s)
{
	if (s == NULL)
		return;
	s->backend->close(s);
	secret_free(s);
}

/* VAULT_E_NOTFOUND when there is no passphrase file, VAULT_E_SHORT when its content never arrived. */
static vault_err pass_read(int dir_fd, struct pass_file *out)
{
	uint8_t raw[PASS_BYTES + 1];
	struct reader r;
	uint8_t magic[8];

	int fd = openat(dir_fd, PASS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return vault_err_from_errno(errno);
	ssize_t n = pread(fd, raw, sizeof(raw), 0);
	if (close(fd) != 0 || n < 0)
		return VAULT_E_IO;
	if (n < (ssize_t)PASS_BYTES)
		return VAULT_E_SHORT;
	reader_init(&r, raw, (size_t)n);
	read_bytes(&r, magic, sizeof(magic));
	uint32_t version = read_u32(&r);
	uint32_t zero = read_u32(&r);
	out->ops = read_u64(&r);
	out->mem = read_u64(&r);
	read_bytes(&r, out->salt, sizeof(out->salt));
	if (reader_finish(&r) != VAULT_OK || memcmp(magic, PASS_MAGIC, 8) != 0 || version != PASS_VERSION || zero != 0)
		return VAULT_E_CORRUPT;
	if (out->ops < crypto_pwhash_OPSLIMIT_MIN || out->ops > PASS_OPS_MAX || out->mem < crypto_pwhash_MEMLIMIT_MIN ||
	    out->mem > PASS_MEM_MAX)
		return VAULT_E_CORRUPT;
	return VAULT_OK;
}

static vault_err pass_create(int dir_fd, struct pass_file *out)
{
	uint8_t raw[PASS_BYTES];
	struct writer w;
	size_t len;
	vault_err err;

	out->ops = pass_small() ? crypto_pwhash_OPSLIMIT_MIN : crypto_pwhash_OPSLIMIT_MODERATE;
	out->mem = pass_small() ? crypto_pwhash_MEMLIMIT_MIN : crypto_pwhash_MEMLIMIT_MODERATE;
	randombytes_buf(out->salt, sizeof(out->salt));
	writer_init(&w, raw, sizeof(raw));
	write_bytes(&w, PASS_MAGIC, 8);
	write_u32(&w, PASS_VERSION);
	write_u32(&w, 0);
	write_u64(&w, out->ops);
	write_u64(&w, out->mem);
	write_bytes(&w, out->salt, sizeof(out->salt));
	if ((err = writer_finish(&w, &len)) != VAULT_OK)
		return err;

	int fd = openat(dir_fd, PASS_FILE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return vault_err_from_errno(errno);
	ssize_t n = pwrite(fd, raw, len, 0);
	err = n < 0 ? vault_err_from_errno(errno) : n != (ssize_t)len ? VAULT_E_FULL : VAULT_OK;
	if (err == VAULT_OK && (fsync(fd) != 0 || fsync(dir_fd) != 0))
		err = vault_err_from_errno(errno);
	if (close(fd) != 0 && err == VAULT_OK)
		err = VAULT_E_IO;
	return err;
}

vault_err root_store_passphrase(struct root_store *s, const uint8_t *pass, size_t pass_len, bool create,
    const char **why)
{
	struct pass_file f = {0};
	vault_err err = pass_read(s->dir_fd, &f);

	if (err == VAULT_E_SHORT)        /* a crash while the vault was made: nothing depends on it yet */
		err = create ? VAULT_E_NOTFOUND : VAULT_E_CORRUPT;
	if (err == VAULT_E_NOTFOUND && pass == NULL)
		return VAULT_OK;
	if (err == VAULT_E_NOTFOUND && !create) {
		*why = "This vault was made without a passphrase. Remove the passphrase from the configuration.";
		return VAULT_E_AUTH;
	}
	if (err == VAULT_E_NOTFOUND) {
		err = pass_create(s->dir_fd, &f);
	} else if (err == VAULT_OK && pass == NULL) {
		*why = "This vault's root key needs its passphrase. Name the passphrase file in the configuration.";
		return VAULT_E_AUTH;
	}
	if (err != VAULT_OK) {
		*why = err == VAULT_E_CORRUPT ? "The file 'passphrase' in the root directory is damaged."
		                              : "The file 'passphrase' in the root directory cannot be read or made.";
		return err;
	}
	if (crypto_pwhash(s->static_half, KEY_BYTES, (const char *)pass, pass_len, f.salt, f.ops, (size_t)f.mem,
	    crypto_pwhash_ALG_ARGON2ID13) != 0) {
		*why = "There is not enough memory for the passphrase (Argon2id).";
		return VAULT_E_NOMEM;
	}
	s->has_static = true;
	return VAULT_OK;
}

vault_err root_store_key(const struct root_store *s, const struct root_slot *slot, uint8_t out[KEY_BYTES])
{
	uint8_t epoch[8];

	if (!slot->present)
		return VAULT_E_STATE;
	store_le64(epoch, slot->epoch);
	const struct kdf_part parts[] = {{s->static_half, KEY_BYTES}, {epoch, sizeof(epoch)}};
	return kdf(out, KEY_BYTES, slot->key, "vault root v1", parts, 2);
}
