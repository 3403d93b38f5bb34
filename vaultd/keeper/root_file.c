/*
 * root_file.c - the root store in a file: root/slots, two slots of 4 KiB.
 *
 * A slot is overwritten in place and synced; both slots' blocks are written
 * when the file is made, so that the file system has no reason to move them.
 * Owner: the keeper, its only thread. Must never leave a key in a second place:
 * no temporary file, no rename, no buffer outside secret memory.
 */
#include "keeper/root_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <sodium.h>

#include "base/secret.h"
#include "base/wire.h"
#include "keeper/key_hooks.h"

#define SLOT_FILE "slots"
#define SLOT_BYTES 4096u
#define SLOT_MAGIC "VAULTRT1"
#define SLOT_SUM_AT (SLOT_BYTES - 32u)

/*
 * Slot: magic[8] u64 epoch u64 created_ms key[32] zeros, BLAKE2b-256 of bytes
 * 0..4063 at 4064. An erased slot is all zeros.
 */
#define SLOT_KEY_AT 24u
static_assert(SLOT_KEY_AT + KEY_BYTES <= SLOT_SUM_AT, "slot layout");

struct root_file {
	struct root_store base;          /* first: the backend gets a root_store */
	uint8_t page[SLOT_BYTES];        /* the only buffer a slot passes through */
};

static struct root_file *root_file_of(struct root_store *s)
{
	return (struct root_file *)s;
}

static off_t slot_at(unsigned i)
{
	return (off_t)i * (off_t)SLOT_BYTES;
}

static vault_err slot_pread(struct root_file *f, unsigned i)
{
	ssize_t n = pread(f->base.fd, f->page, SLOT_BYTES, slot_at(i));

	if (n < 0)
		return vault_err_from_errno(errno);
	return n == (ssize_t)SLOT_BYTES ? VAULT_OK : VAULT_E_CORRUPT;
}

static vault_err slot_pwrite(struct root_file *f, unsigned i)
{
	ssize_t n = pwrite(f->base.fd, f->page, SLOT_BYTES, slot_at(i));

	if (n < 0)
		return vault_err_from_errno(errno);
	if (n != (ssize_t)SLOT_BYTES)
		return VAULT_E_IO;
	return fdatasync(f->base.fd) == 0 ? VAULT_OK : vault_err_from_errno(errno);
}

static void slot_sum(const uint8_t page[SLOT_BYTES], uint8_t out[32])
{
	(void)crypto_generichash(out, 32, page, SLOT_SUM_AT, NULL, 0);
}

static void slot_decode(const uint8_t page[SLOT_BYTES], unsigned i, struct root_slot *out)
{
	uint8_t sum[32];

	memset(out, 0, sizeof(*out));
	if (sodium_is_zero(page, SLOT_BYTES))
		return;
	slot_sum(page, sum);
	uint64_t epoch = load_le64(page + 8);
	if (memcmp(page, SLOT_MAGIC, 8) != 0 || sodium_memcmp(sum, page + SLOT_SUM_AT, 32) != 0 || epoch % 2 != i) {
		out->dirty = true;
		return;
	}
	out->present = true;
	out->epoch = epoch;
	out->created_ms = load_le64(page + 16);
	memcpy(out->key, page + SLOT_KEY_AT, KEY_BYTES);
}

static vault_err root_file_read(struct root_store *s, struct root_slot out[2])
{
	struct root_file *f = root_file_of(s);
	vault_err err = VAULT_OK;

	for (unsigned i = 0; i < 2 && err == VAULT_OK; i++) {
		if ((err = slot_pread(f, i)) == VAULT_OK)
			slot_decode(f->page, i, &out[i]);
	}
	secret_wipe(f->page, SLOT_BYTES);
	if (err == VAULT_OK && !out[0].present && !out[1].present && (out[0].dirty || out[1].dirty))
		err = VAULT_E_CORRUPT;
	return err;
}

static vault_err root_file_write(struct root_store *s, const struct root_slot *slot)
{
	struct root_file *f = root_file_of(s);
	struct root_slot *back = secret_alloc(sizeof(*back));
	unsigned i = (unsigned)(slot->epoch % 2);
	vault_err err;

	if (back == NULL)
		return VAULT_E_NOMEM;
	memset(f->page, 0, SLOT_BYTES);
	memcpy(f->page, SLOT_MAGIC, 8);
	store_le64(f->page + 8, slot->epoch);
	store_le64(f->page + 16, slot->created_ms);
	memcpy(f->page + SLOT_KEY_AT, slot->key, KEY_BYTES);
	slot_sum(f->page, f->page + SLOT_SUM_AT);
	err = slot_pwrite(f, i);
	if (err == VAULT_OK && (err = slot_pread(f, i)) == VAULT_OK) {
		slot_decode(f->page, i, back);
		if (!back->present || back->epoch != slot->epoch || sodium_memcmp(back->key, slot->key, KEY_BYTES) != 0)
			err = VAULT_E_IO;
	}
	secret_wipe(f->page, SLOT_BYTES);
	secret_free(back);
	return err;
}

static vault_err root_file_erase(struct root_store *s, uint64_t epoch)
{
	struct root_file *f = root_file_of(s);
	unsigned i = (unsigned)(epoch % 2);
	vault_err err;

	if (KEY_MUTANT(MUTANT_NO_OVERWRITE))
		return VAULT_OK;
	memset(f->page, 0, SLOT_BYTES);
	if ((err = slot_pwrite(f, i)) != VAULT_OK)
		return err;
	/* A hint only: read back what the device holds rather than the cache. */
	(void)posix_fadvise(f->base.fd, slot_at(i), SLOT_BYTES, POSIX_FADV_DONTNEED);
	if ((err = slot_pread(f, i)) == VAULT_OK && !sodium_is_zero(f->page, SLOT_BYTES))
		err = VAULT_E_IO;
	secret_wipe(f->page, SLOT_BYTES);
	return err;
}

static void root_file_close(struct root_store *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}

static const struct root_backend root_file_backend = {
	.name = "file",
	.read = root_file_read,
	.write = root_file_write,
	.erase = root_file_erase,
	.close = root_file_close,
};

/* File systems that write a changed block somewhere else and keep the old one. */
static const char *cow_name(int dir_fd)
{
	static const struct {
		uint32_t magic;
		const char *why;
	} cow[] = {
#define COW(magic, name) {magic, "The root directory is on " name ", which keeps old blocks: an overwritten root key " \
	"would not be gone. Put it on ext4, xfs or tmpfs, or accept this with allow_cow."}
		COW(0x9123683eu, "btrfs"), COW(0x2fc12fc1u, "zfs"), COW(0x794c7630u, "an overlay file system"),
		COW(0xca451a4eu, "bcachefs"), COW(0xf2f52010u, "f2fs"), COW(0x00003434u, "nilfs2"),
		COW(0x24051905u, "ubifs"), COW(0x000072b6u, "jffs2"),
#undef COW
	};
	struct statfs fs;

	if (fstatfs(dir_fd, &fs) != 0)
		return "The root directory's file system cannot be examined.";
	for (size_t i = 0; i < sizeof(cow) / sizeof(cow[0]); i++) {
		if ((uint32_t)fs.f_type == cow[i].magic)
			return cow[i].why;
	}
	return NULL;
}

/* Both slots' blocks exist on disk before any key is written into them. */
static vault_err slots_make(struct root_file *f)
{
	struct stat st;
	vault_err err;

	if (fstat(f->base.fd, &st) != 0)
		return vault_err_from_errno(errno);
	if (st.st_size >= (off_t)(2 * SLOT_BYTES))
		return VAULT_OK;
	memset(f->page, 0, SLOT_BYTES);
	for (unsigned i = 0; i < 2; i++) {
		if ((err = slot_pwrite(f, i)) != VAULT_OK)
			return err;
	}
	if (fsync(f->base.fd) != 0 || fsync(f->base.dir_fd) != 0)
		return vault_err_from_errno(errno);
	return VAULT_OK;
}

static vault_err file_make(int dir_fd, const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t n = strlen(text);
	vault_err err = VAULT_OK;

	if (fd < 0)
		return errno == EEXIST ? VAULT_OK : vault_err_from_errno(errno);
	if (write(fd, text, n) != (ssize_t)n || fsync(fd) != 0)
		err = VAULT_E_IO;
	if (close(fd) != 0)
		err = VAULT_E_IO;
	return err;
}

/* Tells people and backup programs to keep their hands off. */
static vault_err marks_make(int dir_fd)
{
	static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
	    "# The root keys of a recording vault. Never copy them, never put them into a backup.\n";
	static const char readme[] = "This directory holds the root key of a recording vault.\n\n"
	    "Recordings are forgotten by overwriting this key. A copy of it, in a backup, a\n"
	    "snapshot or an image, keeps alive what was promised to be gone. Leave this directory\n"
	    "out of every backup, snapshot and replication. CACHEDIR.TAG says the same to tar\n"
	    "(--exclude-caches-all), restic, borg and others.\n";
	vault_err err = file_make(dir_fd, "CACHEDIR.TAG", tag);

	return err == VAULT_OK ? file_make(dir_fd, "README", readme) : err;
}

vault_err root_store_open_file(struct root_store **s, int dir_fd, bool create, bool allow_cow, const char **why)
{
	const char *cow = allow_cow ? NULL : cow_name(dir_fd);
	struct stat st;
	vault_err err;

	*s = NULL;
	if (cow != NULL) {
		*why = cow;
		return VAULT_E_DENIED;
	}
	struct root_file *f = secret_alloc(sizeof(*f));
	if (f == NULL) {
		*why = "There is not enough lockable memory for the root key. Raise the memlock limit.";
		return VAULT_E_NOMEM;
	}
	f->base.backend = &root_file_backend;
	f->base.dir_fd = dir_fd;
	f->base.fd = openat(dir_fd, SLOT_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
	if (f->base.fd < 0) {
		err = vault_err_from_errno(errno);
		*why = err == VAULT_E_NOTFOUND ? "The root directory holds no root key (no file 'slots')."
		                               : "The file 'slots' in the root directory cannot be opened.";
		goto fail;
	}
	if (fstat(f->base.fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
		*why = "The file 'slots' in the root directory is open to others. Make it private with: chmod 600 slots";
		err = VAULT_E_DENIED;
		goto fail;
	}
	if (create && ((err = marks_make(dir_fd)) != VAULT_OK || (err = slots_make(f)) != VAULT_OK)) {
		*why = "The root directory cannot be written.";
		goto fail;
	}
	*s = &f->base;
	return VAULT_OK;
fail:
	root_store_close(&f->base);
	return err;
}
