/*
 * index.c - the LMDB environment: opening, transactions, puts and gets.
 *
 * Loop thread only. The directory is locked with flock for as long as the index
 * is open. Nothing here is the only copy of anything: damage is answered with
 * VAULT_E_CORRUPT and a rebuild.
 */
#include "front/index/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"

#define LOCK_NAME "index.lock"
#define DATA_NAME "data.mdb"
#define FORMAT_VERSION 1u
#define FORMAT_BYTES (8u + 4u + 16u + 8u)
#define LOW_KEY_BYTES 7u             /* "low", be32 lane */
#define MAP_FIRST ((size_t)256 * 1024 * 1024)
#define MAP_HEADROOM ((size_t)128 * 1024 * 1024)

vault_err db_lock(int index_fd, int *lock_fd)
{
	*lock_fd = openat(index_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*lock_fd < 0)
		return vault_err_from_errno(errno);
	if (flock(*lock_fd, LOCK_EX | LOCK_NB) == 0)
		return VAULT_OK;
	vault_err err = errno == EWOULDBLOCK ? VAULT_E_BUSY : vault_err_from_errno(errno);
	(void)close(*lock_fd);
	*lock_fd = -1;
	return err;
}

/* ---- opening ---- */

/* LMDB wants a path: go there, open ".", come back (a sandboxed parent may be unreadable; then we stay). */
static vault_err env_open_at(MDB_env *env, int index_fd)
{
	int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fchdir(index_fd) != 0) {
		vault_err err = vault_err_from_errno(errno);
		if (back >= 0)
			(void)close(back);
		return err;
	}
	int rc = mdb_env_open(env, ".", MDB_NOTLS, 0600);
	if (back >= 0) {
		(void)!fchdir(back);
		(void)close(back);
	}
	return lmdb_err(rc);
}

/* A file shorter than its own last page would be a SIGBUS later. */
static vault_err check_size(MDB_env *env, int index_fd)
{
	struct stat sb;
	MDB_envinfo info;
	MDB_stat st;

	if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &st) != 0 || fstatat(index_fd, DATA_NAME, &sb, 0) != 0)
		return VAULT_E_IO;
	return info.me_last_pgno < (size_t)sb.st_size / st.ms_psize ? VAULT_OK : VAULT_E_CORRUPT;
}

static void format_encode(uint8_t out[FORMAT_BYTES], const vault_id *vault)
{
	static const uint8_t magic[8] = { 'V', 'A', 'U', 'L', 'T', 'I', 'D', 'X' };

	memcpy(out, magic, sizeof magic);
	store_le32(out + 8, FORMAT_VERSION);
	memcpy(out + 12, vault->b, VAULT_ID_BYTES);
	store_le64(out + 28, frame_hash(out, 28));
}

/* A new index gets its format row; an old one must have exactly ours. */
static vault_err check_format(struct index *ix, MDB_txn *txn, bool fresh, const vault_id *vault)
{
	uint8_t format[FORMAT_BYTES];
	char name[] = "format";
	MDB_val key = { sizeof name - 1, name }, value = { sizeof format, format };

	format_encode(format, vault);
	if (fresh)
		return lmdb_err(mdb_put(txn, ix->meta, &key, &value, 0));
	vault_err err = lmdb_err(mdb_get(txn, ix->meta, &key, &value));
	if (err != VAULT_OK)
		return err == VAULT_E_NOTFOUND ? VAULT_E_CORRUPT : err;
	return value.mv_size == sizeof format && memcmp(value.mv_data, format, sizeof format) == 0 ? VAULT_OK :
	    VAULT_E_CORRUPT;
}

static vault_err open_tables(struct index *ix, const vault_id *vault)
{
	MDB_txn *txn;
	MDB_stat st;

	vault_err err = lmdb_err(mdb_txn_begin(ix->env, NULL, 0, &txn));
	if (err != VAULT_OK)
		return err;
	err = lmdb_err(mdb_env_stat(ix->env, &st));
	bool fresh = err == VAULT_OK && st.ms_entries == 0;
	unsigned flags = fresh ? MDB_CREATE : 0;
	if (err == VAULT_OK)
		err = lmdb_err(mdb_dbi_open(txn, "meta", flags, &ix->meta));
	if (err == VAULT_OK)
		err = lmdb_err(mdb_dbi_open(txn, "row", flags, &ix->row));
	if (err == VAULT_OK)
		err = lmdb_err(mdb_dbi_open(txn, "segment", flags, &ix->segment));
	if (err == VAULT_OK)
		err = lmdb_err(mdb_dbi_open(txn, "live", flags, &ix->live));
	if (err == VAULT_E_NOTFOUND)
		err = VAULT_E_CORRUPT;
	if (err == VAULT_OK)
		err = check_format(ix, txn, fresh, vault);
	if (err != VAULT_OK) {
		mdb_txn_abort(txn);
		return err;
	}
	return lmdb_err(mdb_txn_commit(txn));
}

vault_err db_open(struct index **out, int index_fd, const vault_id *vault, int lock_fd)
{
	struct stat sb;
	size_t map = MAP_FIRST;

	*out = NULL;
	struct index *ix = calloc(1, sizeof *ix);
	if (ix == NULL) {
		(void)close(lock_fd);
		return VAULT_E_NOMEM;
	}
	ix->lock_fd = lock_fd;
	if (fstatat(index_fd, DATA_NAME, &sb, AT_SYMLINK_NOFOLLOW) == 0) {
		while (map < (size_t)sb.st_size + MAP_HEADROOM)
			map *= 2;
	}
	vault_err err = lmdb_err(mdb_env_create(&ix->env));
	if (err == VAULT_OK)
		err = lmdb_err(mdb_env_set_maxdbs(ix->env, 8));
	if (err == VAULT_OK)
		err = lmdb_err(mdb_env_set_mapsize(ix->env, map));
	if (err == VAULT_OK)
		err = env_open_at(ix->env, index_fd);
	if (err == VAULT_OK)
		err = check_size(ix->env, index_fd);
	if (err == VAULT_OK)
		err = open_tables(ix, vault);
	if (err != VAULT_OK) {
		index_close(ix);
		return err;
	}
	*out = ix;
	return VAULT_OK;
}

vault_err index_open(struct index **out, int index_fd, const vault_id *vault)
{
	int lock_fd;

	*out = NULL;
	vault_err err = db_lock(index_fd, &lock_fd);
	return err == VAULT_OK ? db_open(out, index_fd, vault, lock_fd) : err;
}

void index_close(struct index *ix)
{
	if (ix == NULL)
		return;
	index_abort(ix);
	if (ix->read != NULL)
		mdb_txn_abort(ix->read);
	if (ix->env != NULL)
		mdb_env_close(ix->env);
	(void)close(ix->lock_fd);            /* drops the flock */
	free(ix);
}

/* ---- transactions ---- */

vault_err db_read_begin(struct index *ix, MDB_txn **txn)
{
	vault_err err;

	if (ix->write != NULL) {
		*txn = ix->write;
		return VAULT_OK;
	}
	if (ix->read == NULL)
		err = lmdb_err(mdb_txn_begin(ix->env, NULL, MDB_RDONLY, &ix->read));
	else
		err = lmdb_err(mdb_txn_renew(ix->read));
	*txn = ix->read;
	return err;
}

void db_read_end(struct index *ix)
{
	if (ix->write == NULL && ix->read != NULL)
		mdb_txn_reset(ix->read);
}

/* The map is address space, not disk: kept far ahead of what one transaction can need. */
static vault_err ensure_room(struct index *ix)
{
	MDB_envinfo info;
	MDB_stat st;

	vault_err err = lmdb_err(mdb_env_info(ix->env, &info));
	if (err == VAULT_OK)
		err = lmdb_err(mdb_env_stat(ix->env, &st));
	if (err != VAULT_OK)
		return err;
	size_t used = (info.me_last_pgno + 1) * st.ms_psize;
	size_t map = info.me_mapsize;
	if (ix->grow)
		map *= 2;
	while (map < used + MAP_HEADROOM)
		map *= 2;
	if (map == info.me_mapsize || ix->walking > 0)
		return VAULT_OK;
	err = lmdb_err(mdb_env_set_mapsize(ix->env, map));
	if (err == VAULT_OK)
		ix->grow = false;
	return err;
}

vault_err index_begin(struct index *ix)
{
	if (ix->write != NULL)
		return VAULT_E_STATE;
	vault_err err = ensure_room(ix);
	return err == VAULT_OK ? lmdb_err(mdb_txn_begin(ix->env, NULL, 0, &ix->write)) : err;
}

vault_err index_commit(struct index *ix)
{
	MDB_txn *txn = ix->write;

	if (txn == NULL)
		return VAULT_E_STATE;
	ix->write = NULL;
	return lmdb_err(mdb_txn_commit(txn));
}

void index_abort(struct index *ix)
{
	if (ix->write != NULL)
		mdb_txn_abort(ix->write);
	ix->write = NULL;
}

static vault_err put(struct index *ix, MDB_dbi dbi, const void *k, size_t k_len, const void *v, size_t v_len)
{
	MDB_val key = { k_len, (void *)(uintptr_t)k }, value = { v_len, (void *)(uintptr_t)v };

	if (ix->write == NULL)
		return VAULT_E_STATE;
	vault_err err = lmdb_err(mdb_put(ix->write, dbi, &key, &value, 0));
	if (err == VAULT_E_FULL)
		ix->grow = true;
	return err;
}

static vault_err del(struct index *ix, MDB_dbi dbi, const void *k, size_t k_len)
{
	MDB_val key = { k_len, (void *)(uintptr_t)k };

	if (ix->write == NULL)
		return VAULT_E_STATE;
	return lmdb_err(mdb_del(ix->write, dbi, &key, NULL));
}

/* ---- rows ---- */

vault_err index_put(struct index *ix, const struct index_row *row)
{
	uint8_t value[ROW_BYTES_MAX];
	size_t n;

	vault_err err = row_encode(row, value, &n);
	if (err == VAULT_OK)
		err = put(ix, ix->row, row->id.b, VAULT_ID_BYTES, value, n);
	if (err != VAULT_OK)
		return err;
	if (row->state == ROW_LIVE)
		return put(ix, ix->live, row->id.b, VAULT_ID_BYTES, "", 0);
	err = del(ix, ix->live, row->id.b, VAULT_ID_BYTES);
	return err == VAULT_E_NOTFOUND ? VAULT_OK : err;
}

void db_segment_key(uint8_t out[SEGMENT_KEY_BYTES], const vault_id *id, uint32_t segment)
{
	memcpy(out, id->b, VAULT_ID_BYTES);
	store_be32(out + VAULT_ID_BYTES, segment);
}

vault_err index_put_segment(struct index *ix, const vault_id *id, const struct index_segment *s)
{
	uint8_t key[SEGMENT_KEY_BYTES];
	uint8_t *value;
	size_t n;

	vault_err err = segment_encode(s, &value, &n);
	if (err != VAULT_OK)
		return err;
	db_segment_key(key, id, s->segment);
	err = put(ix, ix->segment, key, sizeof key, value, n);
	free(value);
	return err;
}

vault_err index_delete(struct index *ix, const vault_id *id)
{
	uint8_t first[SEGMENT_KEY_BYTES];
	MDB_cursor *cursor;
	MDB_val key = { sizeof first, first }, value;

	vault_err err = del(ix, ix->row, id->b, VAULT_ID_BYTES);
	if (err != VAULT_OK)
		return err;
	err = del(ix, ix->live, id->b, VAULT_ID_BYTES);
	if (err != VAULT_OK && err != VAULT_E_NOTFOUND)
		return err;
	db_segment_key(first, id, 0);
	err = lmdb_err(mdb_cursor_open(ix->write, ix->segment, &cursor));
	if (err != VAULT_OK)
		return err;
	err = lmdb_err(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
	while (err == VAULT_OK && key.mv_size == SEGMENT_KEY_BYTES && memcmp(key.mv_data, id->b, VAULT_ID_BYTES) == 0) {
		err = lmdb_err(mdb_cursor_del(cursor, 0));
		if (err == VAULT_OK)
			err = lmdb_err(mdb_cursor_get(cursor, &key, &value, MDB_GET_CURRENT));
		if (err == VAULT_E_INVAL)
			err = VAULT_E_NOTFOUND;      /* the cursor ran off the end */
	}
	mdb_cursor_close(cursor);
	return err == VAULT_E_NOTFOUND ? VAULT_OK : err;
}

vault_err index_get(struct index *ix, const vault_id *id, struct index_row *row)
{
	MDB_txn *txn;
	MDB_val key = { VAULT_ID_BYTES, (void *)(uintptr_t)id->b }, value;

	vault_err err = db_read_begin(ix, &txn);
	if (err == VAULT_OK) {
		err = lmdb_err(mdb_get(txn, ix->row, &key, &value));
		if (err == VAULT_OK)
			err = row_decode(row, id, value.mv_data, value.mv_size);
		db_read_end(ix);
	}
	return err;
}

vault_err index_get_segment(struct index *ix, const vault_id *id, uint32_t segment, struct index_segment *out)
{
	uint8_t k[SEGMENT_KEY_BYTES];
	MDB_txn *txn;
	MDB_val key = { sizeof k, k }, value;

	memset(out, 0, sizeof *out);
	db_segment_key(k, id, segment);
	vault_err err = db_read_begin(ix, &txn);
	if (err == VAULT_OK) {
		err = lmdb_err(mdb_get(txn, ix->segment, &key, &value));
		if (err == VAULT_OK)
			err = segment_decode(out, segment, value.mv_data, value.mv_size);
		db_read_end(ix);
	}
	return err;
}

/* ---- low-water marks ---- */

static void low_key(uint8_t out[LOW_KEY_BYTES], uint32_t lane)
{
	static const uint8_t name[3] = { 'l', 'o', 'w' };

	memcpy(out, name, sizeof name);
	store_be32(out + 3, lane);
}

vault_err index_set_low_water(struct index *ix, uint32_t lane, uint64_t volume, uint64_t offset)
{
	uint8_t key[LOW_KEY_BYTES], value[16];

	low_key(key, lane);
	store_le64(value, volume);
	store_le64(value + 8, offset);
	return put(ix, ix->meta, key, sizeof key, value, sizeof value);
}

vault_err index_low_water(struct index *ix, uint32_t lane, uint64_t *volume, uint64_t *offset)
{
	uint8_t k[LOW_KEY_BYTES];
	MDB_txn *txn;
	MDB_val key = { sizeof k, k }, value;

	*volume = *offset = 0;
	low_key(k, lane);
	vault_err err = db_read_begin(ix, &txn);
	if (err != VAULT_OK)
		return err;
	err = lmdb_err(mdb_get(txn, ix->meta, &key, &value));
	if (err == VAULT_OK && value.mv_size == 16) {
		*volume = load_le64(value.mv_data);
		*offset = load_le64((const uint8_t *)value.mv_data + 8);
	} else if (err == VAULT_OK) {
		err = VAULT_E_CORRUPT;
	} else if (err == VAULT_E_NOTFOUND) {
		err = VAULT_OK;
	}
	db_read_end(ix);
	return err;
}
