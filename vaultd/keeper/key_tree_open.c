/*
 * key_tree_open.c - opening, making and closing a key tree; roll-forward.
 *
 * Owner: the keeper, its only thread, before its sandbox is closed (LMDB and
 * the messages go through /proc/self/fd). Must never repair: what does not fit
 * together is refused with the reason, and no slot is erased before the root
 * key has opened the database's canary.
 */
#include "keeper/bucket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <sodium.h>

#include "base/log.h"
#include "base/secret.h"
#include "base/wire.h"

#define DATA_FILE "data.mdb"
#define RESERVE_FILE "reserve"
#define NEARLY_FULL (4ull << 20)

static char why_text[512];       /* for the reasons that name a path or an epoch; tree_open is not reentrant */

/* "<before><path of fd><after>" */
static const char *why_path(const char *before, int fd, const char *after)
{
	char link[64], path[256];

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		n = 0;
	path[n] = '\0';
	(void)snprintf(why_text, sizeof(why_text), "%s%s%s", before, path, after);
	return why_text;
}

/* An own descriptor of the directory, private to its owner and locked against a second daemon. */
static vault_err dir_take(int given, int *out, const char *too_open, const char *locked, const char **why)
{
	struct stat st;
	int fd = openat(given, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*out = fd;
	if (fd < 0 || fstat(fd, &st) != 0) {
		*why = "A directory of the keeper cannot be opened.";
		return fd < 0 ? vault_err_from_errno(errno) : VAULT_E_IO;
	}
	if ((st.st_mode & 077) != 0) {
		*why = why_path(too_open, fd, "");
		return VAULT_E_DENIED;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		*why = locked;
		return errno == EWOULDBLOCK ? VAULT_E_BUSY : vault_err_from_errno(errno);
	}
	return VAULT_OK;
}

void reserve_release(struct tree *t)
{
	/* A failure only means that the space is not there to give. */
	if (t->reserve_fd >= 0 && !t->reserve_out && ftruncate(t->reserve_fd, 0) != 0)
		log_warn("event=reserve_not_released");
	t->reserve_out = true;
}

void reserve_restore(struct tree *t)
{
	off_t n = TREE_RESERVE_BYTES;

	if (t->reserve_fd < 0 || !t->reserve_out)
		return;
	t->reserve_out = false;
	/* A pass may have used some of it up, and the disk be full: as much as there is. */
	while (n > 0 && fallocate(t->reserve_fd, 0, 0, n) != 0)
		n = errno == ENOSPC || errno == EDQUOT ? n - TREE_RESERVE_STEP : 0;
	bool is_short = n < TREE_RESERVE_BYTES;
	if (is_short && !t->reserve_short)
		log_warn("event=reserve_short bytes=%lld", (long long)n);
	t->reserve_short = is_short;
}

bool commit_was_full(struct tree *t, int rc)
{
	struct statvfs fs;
	MDB_txn *probe;

	/* LMDB reports a short write as EIO. */
	bool full = rc == ENOSPC || rc == EDQUOT || rc == MDB_MAP_FULL || rc == MDB_TXN_FULL;
	if (!full && rc == EIO && fstatvfs(t->keys_fd, &fs) == 0)
		full = (uint64_t)fs.f_bavail * fs.f_frsize < NEARLY_FULL;
	if (!full)
		return false;
	/* It refuses to begin (MDB_PANIC) when the failure came as late as the meta page. */
	if (mdb_txn_begin(t->env, NULL, 0, &probe) != 0)
		return false;
	mdb_txn_abort(probe);
	return true;
}

static vault_err env_open(struct tree *t, const char **why)
{
	char path[64];
	int rc;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", t->keys_fd);
	if ((rc = mdb_env_create(&t->env)) != 0)
		return lmdb_err(rc);
	if ((rc = mdb_env_set_maxdbs(t->env, TREE_DBS_MAX)) != 0 ||
	    (rc = mdb_env_set_mapsize(t->env, TREE_MAP_BYTES)) != 0 ||
	    (rc = mdb_env_open(t->env, path, MDB_NOTLS, 0600)) != 0) {
		vault_err err = lmdb_err(rc);
		*why = err == VAULT_E_CORRUPT ? "The key store keys/data.mdb is damaged. Restore the newest key store; "
		    "nothing was changed." : "The key store keys/data.mdb cannot be opened.";
		return err;
	}
	if (fsync(t->keys_fd) != 0)
		return vault_err_from_errno(errno);
	return VAULT_OK;
}

/* In the open transaction. */
static vault_err dbs_open(struct tree *t)
{
	static const struct {
		const char *name;
		unsigned flags;
	} dbs[DB_COUNT] = {
#define X(id, name, flags) {name, flags},
		TREE_DBS(X)
#undef X
	};
	int rc = 0;

	for (unsigned i = 0; i < DB_COUNT && rc == 0; i++)
		rc = mdb_dbi_open(t->txn, dbs[i].name, dbs[i].flags | MDB_CREATE, &t->db[i]);
	return lmdb_err(rc);
}

/* The slot of the database's epoch, or why there is none. */
static vault_err slot_choose(struct tree *t, const struct root_slot **out, const char **why)
{
	const struct root_slot *slot = t->room->slot;
	uint64_t newest = 0;
	bool any = false;

	for (unsigned i = 0; i < 2; i++) {
		if (!slot[i].present)
			continue;
		if (slot[i].epoch == t->head.epoch) {
			*out = &slot[i];
			return VAULT_OK;
		}
		if (!any || slot[i].epoch > newest)
			newest = slot[i].epoch;
		any = true;
	}
	if (!any) {
		*why = "The root store holds no key: nothing in this key store can be opened any more.";
		return VAULT_E_NOTFOUND;
	}
	(void)snprintf(why_text, sizeof(why_text), newest > t->head.epoch
	    ? "The key store (epoch %llu) is older than the root key (epoch %llu): it is a copy from before something was "
	      "forgotten, and cannot be opened. Use the newest key store."
	    : "The key store (epoch %llu) is newer than the root key (epoch %llu): the root directory was put back from "
	      "a copy. Its newer key is needed.",
	    (unsigned long long)t->head.epoch, (unsigned long long)newest);
	*why = why_text;
	return VAULT_E_STATE;
}

static vault_err canary_check(struct tree *t, const char **why)
{
	uint8_t plain[CANARY_BYTES], place[8];

	store_be64(place, t->head.epoch);
	const struct wrap_ad ad = ad_of(t, 'C', place, sizeof(place));
	vault_err err = aead_unwrap(plain, t->head.canary, sizeof(t->head.canary), ad.b, ad.n, t->room->root);
	if (err == VAULT_E_AUTH)
		*why = t->root->has_static ? "The passphrase is wrong."
		                           : "The root key does not open this key store: they do not belong together.";
	return err;
}

/* Erases whatever is not the living slot: the loser of a crashed turn, or a torn one. */
static vault_err losers_erase(struct tree *t, const struct root_slot *living, const char **why)
{
	const struct root_slot *slot = t->room->slot;
	unsigned loser = slot == living ? 1 : 0;
	vault_err err;

	if (!slot[loser].present && !slot[loser].dirty)
		return VAULT_OK;
	/* What we read must be what the disk holds before the other key goes. */
	err = lmdb_err(mdb_env_sync(t->env, 1));
	if (err == VAULT_OK)
		err = t->root->backend->erase(t->root, loser);
	if (err != VAULT_OK)
		*why = "An old root key could not be erased.";
	else
		log_info("event=root_rolled_forward epoch=%llu", (unsigned long long)t->head.epoch);
	return err;
}

/* The first slot (epoch 0) and an empty tree under it; tree_open then turns to epoch 1. */
static vault_err tree_make(struct tree *t, uint64_t now_ms)
{
	static const uint8_t canary[CANARY_BYTES] = "vault canary v1";
	struct root_slot *slot = &t->room->slot[0];
	uint8_t place[8] = {0};
	vault_err err;

	if (!slot->present) {
		*slot = (struct root_slot){.present = true, .epoch = 0, .created_ms = now_ms};
		randombytes_buf(slot->key, KEY_BYTES);
		if ((err = t->root->backend->write(t->root, slot)) != VAULT_OK)
			return err;
	}
	if ((err = root_store_key(t->root, slot, t->room->root)) != VAULT_OK)
		return err;
	t->head = (struct tree_head){.next_tenant = 1, .root_created_ms = now_ms, .vault = vault_id_new(now_ms)};
	const struct wrap_ad ad = ad_of(t, 'C', place, sizeof(place));
	if ((err = aead_wrap(t->head.canary, canary, CANARY_BYTES, ad.b, ad.n, t->room->root)) != VAULT_OK)
		return err;
	t->staged = t->head;
	if ((err = head_store(t)) != VAULT_OK)
		return err;
	return tree_commit(t);
}

/* Finds the database's epoch, the slot it names and the key in it; nothing is changed before all three fit. */
static vault_err tree_join(struct tree *t, const struct tree_options *o, const char **why)
{
	const struct root_slot *living = NULL;
	vault_err err;

	if ((err = slot_choose(t, &living, why)) != VAULT_OK)
		return err;
	if ((err = root_store_passphrase(t->root, o->pass, o->pass_len, false, why)) != VAULT_OK)
		return err;
	if ((err = root_store_key(t->root, living, t->room->root)) != VAULT_OK)
		return err;
	if ((err = canary_check(t, why)) != VAULT_OK)
		return err;
	if ((err = tree_commit(t)) != VAULT_OK)
		return err;
	return losers_erase(t, living, why);
}

/* data.mdb of a vault that was being made when the power went: nothing was ever committed to it. */
static vault_err unborn_clear(struct tree *t)
{
	struct stat st;
	vault_err err = VAULT_OK;
	int fd = openat(t->keys_fd, DATA_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? VAULT_OK : vault_err_from_errno(errno);
	if (fstat(fd, &st) != 0 || (st.st_size > 0 && st.st_size < 8192 && ftruncate(fd, 0) != 0))
		err = vault_err_from_errno(errno);
	if (close(fd) != 0 && err == VAULT_OK)
		err = VAULT_E_IO;
	return err;
}

static vault_err tree_start(struct tree *t, const struct tree_options *o, const char **why)
{
	const struct root_slot *slot = t->room->slot;
	vault_err err;

	if ((err = root_store_open_file(&t->root, t->root_fd, o->create, o->allow_cow, why)) != VAULT_OK)
		return err;
	vault_err damaged = t->root->backend->read(t->root, t->room->slot);
	if (damaged != VAULT_OK && damaged != VAULT_E_CORRUPT) {
		*why = "The root store cannot be read.";
		return damaged;
	}
	bool unborn = (!slot[0].present || slot[0].epoch == 0) && !slot[1].present && !slot[1].dirty;
	if (unborn && o->create && (err = unborn_clear(t)) != VAULT_OK)
		return err;
	if ((err = tree_check_file(t->keys_fd, why)) != VAULT_OK || (err = env_open(t, why)) != VAULT_OK)
		return err;
	if ((err = tree_begin(t)) != VAULT_OK || (err = dbs_open(t)) != VAULT_OK)
		return err;

	err = head_load(t, t->txn, &t->head);
	if (err == VAULT_OK && damaged == VAULT_OK) {
		t->staged = t->head;
		err = tree_join(t, o, why);
	} else if (err == VAULT_OK) {
		*why = "The root store is damaged: no slot holds a whole key.";
		err = damaged;
	} else if (err == VAULT_E_NOTFOUND && !unborn) {
		*why = "The root store holds a key, but the key store is empty. Restore the newest key store.";
		err = VAULT_E_STATE;
	} else if (err == VAULT_E_NOTFOUND && !o->create) {
		*why = "There is no vault here yet.";
	} else if (err == VAULT_E_NOTFOUND) {
		if ((err = root_store_passphrase(t->root, o->pass, o->pass_len, true, why)) == VAULT_OK)
			err = tree_make(t, o->now_ms);
	} else {
		*why = err == VAULT_E_UNSUPPORTED ? "The key store has a format that this version does not know."
		                                  : "The key store keys/data.mdb is damaged. Restore the newest key store; "
		                                    "nothing was changed.";
	}
	return err;
}

vault_err tree_open(struct tree **out, const struct tree_options *o, const char **why)
{
	const char *ignored;
	vault_err err;

	*out = NULL;
	if (why == NULL)
		why = &ignored;
	*why = "The key store cannot be opened.";
	struct tree *t = calloc(1, sizeof(*t));
	if (t == NULL)
		return VAULT_E_NOMEM;
	t->keys_fd = t->root_fd = t->reserve_fd = -1;
	if ((t->room = secret_alloc(sizeof(*t->room))) == NULL) {
		*why = "There is not enough lockable memory for the keys. Raise the memlock limit.";
		err = VAULT_E_NOMEM;
		goto fail;
	}
	if ((err = dir_take(o->keys_fd, &t->keys_fd, "The keys directory is open to others. Make it private with: chmod 700 ",
	    "Another vault is running on this keys directory.", why)) != VAULT_OK)
		goto fail;
	if ((err = dir_take(o->root_fd, &t->root_fd, "The root directory is open to others. Make it private with: chmod 700 ",
	    "Another vault is running on this root directory.", why)) != VAULT_OK)
		goto fail;
	if ((err = tree_start(t, o, why)) != VAULT_OK)
		goto fail;
	t->reserve_fd = openat(t->keys_fd, RESERVE_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (t->reserve_fd < 0)
		log_warn("event=reserve_not_made errno=%d", errno);
	secret_wipe(t->room->slot, sizeof(t->room->slot));
	/* Epoch 0 means that the making was not finished; a living vault is at 1 or later. */
	if (t->head.epoch == 0 && (err = tree_rotate_root(t)) != VAULT_OK)
		goto fail;
	t->reserve_out = true;
	reserve_restore(t);
	*why = "";
	*out = t;
	return VAULT_OK;
fail:
	tree_close(t);
	return err;
}

void tree_close(struct tree *t)
{
	if (t == NULL)
		return;
	tree_abort(t);
	if (t->reader != NULL)
		mdb_txn_abort(t->reader);
	if (t->env != NULL)
		mdb_env_close(t->env);
	root_store_close(t->root);
	secret_free(t->room);
	if (t->reserve_fd >= 0)
		(void)close(t->reserve_fd);
	if (t->root_fd >= 0)
		(void)close(t->root_fd);
	if (t->keys_fd >= 0)
		(void)close(t->keys_fd);
	free(t);
}
