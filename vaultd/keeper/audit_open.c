/*
 * audit_open.c - opening the log: what is on disk must be what was recorded.
 *
 * Full tiles that a crash left unwritten are made again from what lies below
 * them. A log that is shorter than the key store's record, or hashes to another
 * root, was changed by someone: it is refused, never repaired.
 */
#include "keeper/audit_log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static const char why_short[] =
    "The audit log is shorter than the key store says: entries were removed. Restore audit/ from its copy.";
static const char why_root[] =
    "The audit log does not hash to the root in the key store: entries were changed. Restore audit/ from its copy.";
static const char why_other[] =
    "The audit directory holds the log of another vault, or the key store is older than the log's first entry.";
static const char why_io[] = "The audit directory cannot be read or written. Check its owner, mode and disk.";

static vault_err read_bundle(struct audit_log *l, uint64_t number, struct buf *out)
{
	char path[AUDIT_PATH_MAX];
	vault_err err = merkle_tile_path(-1, number, MERKLE_TILE, path, sizeof(path));

	buf_clear(out);
	return err != VAULT_OK ? err : audit_read_file(l->dir_fd, path, out);
}

/* The 256 hashes of a full tile: from its file, else from what lies below it. */
static vault_err load_tile(struct audit_log *l, size_t level, uint64_t number, struct audit_level *out)
{
	char path[AUDIT_PATH_MAX];
	vault_err err = merkle_tile_path((int)level, number, MERKLE_TILE, path, sizeof(path));

	out->n = 0;
	buf_clear(&l->scratch);
	if (err == VAULT_OK)
		err = audit_read_file(l->dir_fd, path, &l->scratch);
	if (err == VAULT_OK && l->scratch.len == sizeof(out->hash)) {
		memcpy(out->hash, l->scratch.data, sizeof(out->hash));
		out->n = MERKLE_TILE;
		return VAULT_OK;
	}
	if (err != VAULT_OK && err != VAULT_E_NOTFOUND)
		return err;
	if (level == 0) {
		const uint8_t *p, *entry;
		size_t left, n;
		err = read_bundle(l, number, &l->scratch);
		p = l->scratch.data;
		left = l->scratch.len;
		while (err == VAULT_OK && out->n < MERKLE_TILE) {
			err = audit_entry_next(&p, &left, &entry, &n);
			if (err == VAULT_OK)
				merkle_leaf(out->hash[out->n++], entry, n);
		}
	} else {
		struct audit_level *below = malloc(sizeof(*below));
		if (below == NULL)
			return VAULT_E_NOMEM;
		for (err = VAULT_OK; err == VAULT_OK && out->n < MERKLE_TILE; out->n++) {
			err = load_tile(l, level - 1, number * MERKLE_TILE + out->n, below);
			if (err == VAULT_OK)
				merkle_tile_root(below->hash[0], MERKLE_TILE, out->hash[out->n]);
		}
		free(below);
	}
	if (err != VAULT_OK)
		return err == VAULT_E_NOTFOUND || err == VAULT_E_EOF ? VAULT_E_SHORT : err;
	return audit_write_file(l->dir_fd, path, out->hash, sizeof(out->hash));
}

/* Levels above the leaves, from full tiles. */
static vault_err load_levels(struct audit_log *l, uint64_t size)
{
	struct audit_level *tile = malloc(sizeof(*tile));
	vault_err err = tile != NULL ? VAULT_OK : VAULT_E_NOMEM;

	for (size_t i = 1; i < AUDIT_LEVELS && err == VAULT_OK; i++) {
		uint64_t full = size >> (8 * i);
		uint64_t first = full & ~(uint64_t)255;
		for (uint64_t k = first; k < full && err == VAULT_OK; k++) {
			err = load_tile(l, i - 1, k, tile);
			if (err == VAULT_OK)
				merkle_tile_root(tile->hash[0], MERKLE_TILE, l->level[i].hash[l->level[i].n++]);
		}
	}
	free(tile);
	return err;
}

/* An entry that was written whole is a JSON object; zeros of a torn write are not. */
static bool entry_whole(const uint8_t *entry, size_t n)
{
	return n >= 2 && entry[0] == '{' && entry[n - 1] == '}' && memchr(entry, 0, n) == NULL;
}

/* The recorded part of the open bundle; *used gets its bytes. */
static vault_err load_recorded(struct audit_log *l, uint64_t size, size_t *used)
{
	const uint8_t *p = l->bundle.data, *entry;
	size_t left = l->bundle.len, n;

	for (uint64_t i = 0; i < size % MERKLE_TILE; i++) {
		if (audit_entry_next(&p, &left, &entry, &n) != VAULT_OK)
			return VAULT_E_SHORT;
		merkle_leaf(l->level[0].hash[l->level[0].n++], entry, n);
	}
	*used = l->bundle.len - left;
	return VAULT_OK;
}

/* Entries behind the recorded size that are whole; *used moves behind them. */
static vault_err load_ahead(struct audit_log *l, size_t *used)
{
	uint64_t end = (l->size / MERKLE_TILE + 1) * MERKLE_TILE;
	size_t left = l->bundle.len - *used, n;
	const uint8_t *p, *entry;

	if (left == 0)
		return VAULT_OK;
	p = l->bundle.data + *used;
	while (l->size < end && audit_entry_next(&p, &left, &entry, &n) == VAULT_OK && entry_whole(entry, n)) {
		vault_err err = audit_log_add_leaf(l, entry, n);
		if (err != VAULT_OK)
			return err;
		*used += 2 + n;
	}
	return VAULT_OK;
}

/* The journal is the last bundle: cut its torn tail and go on behind it. */
static vault_err open_tail(struct audit_log *l, uint64_t number, size_t used)
{
	vault_err err = audit_log_open_journal(l);

	if (err == VAULT_OK && used < l->bundle.len) {
		log_warn("event=audit_tail_cut bytes=%zu", l->bundle.len - used);
		if (ftruncate(l->journal_fd, (off_t)used) != 0 || fsync(l->journal_fd) != 0)
			err = vault_err_from_errno(errno);
		l->bundle.len = used;
	}
	if (err == VAULT_OK && l->size / MERKLE_TILE > number)
		err = audit_log_turn(l, number);
	return err;
}

static vault_err recover(struct audit_log *l, uint64_t size, const uint8_t root[MERKLE_HASH], const char **why)
{
	uint8_t now[MERKLE_HASH];
	uint64_t number = size / MERKLE_TILE;
	bool recorded = false, last = false;
	vault_err err = load_levels(l, size);

	while (err == VAULT_OK && !last) {
		size_t used = 0;
		err = read_bundle(l, number, &l->bundle);
		if (err == VAULT_E_NOTFOUND) {
			last = true;
			err = audit_read_file(l->dir_fd, AUDIT_JOURNAL, &l->bundle);
			if (err == VAULT_E_NOTFOUND)
				err = VAULT_OK;
		}
		if (err == VAULT_OK && !recorded) {
			recorded = true;
			err = load_recorded(l, size, &used);
			l->size = size;
			audit_log_root(l, now);
			if (err == VAULT_OK && size > 0 && memcmp(now, root, sizeof(now)) != 0) {
				*why = why_root;
				return VAULT_E_CORRUPT;
			}
		}
		if (err == VAULT_OK)
			err = load_ahead(l, &used);
		if (err == VAULT_OK && last)
			err = open_tail(l, number, used);
		else if (err == VAULT_OK && l->size / MERKLE_TILE != number + 1)
			err = VAULT_E_SHORT;
		number++;
	}
	if (err == VAULT_E_SHORT || err == VAULT_E_CORRUPT)
		*why = why_short;
	return err;
}

/* The size that the checkpoint on disk promised to the world: the log may not be behind it. */
static vault_err load_published(struct audit_log *l, uint64_t recorded, const char **why)
{
	buf_clear(&l->scratch);
	vault_err err = audit_read_file(l->dir_fd, "checkpoint", &l->scratch);
	if (err == VAULT_E_NOTFOUND)
		return VAULT_OK;
	if (err != VAULT_OK)
		return err;
	const uint8_t *line = memchr(l->scratch.data, '\n', l->scratch.len);
	uint64_t size = 0;
	for (line = line != NULL ? line + 1 : NULL; line != NULL && line < l->scratch.data + l->scratch.len; line++) {
		if (*line < '0' || *line > '9' || size > UINT64_MAX / 16)
			break;
		size = size * 10 + (uint64_t)(*line - '0');
	}
	if (size > 0 && recorded == 0) {
		*why = why_other;
		return VAULT_E_CORRUPT;
	}
	if (size > l->size) {
		*why = why_short;
		return VAULT_E_CORRUPT;
	}
	l->published[1] = size;           /* its partial tiles can go later */
	return VAULT_OK;
}

vault_err audit_log_open(struct audit_log **out, int dir_fd, uint64_t size, const uint8_t root[MERKLE_HASH],
    const char **why)
{
	struct audit_log *l = calloc(1, sizeof(*l));

	*out = NULL;
	*why = why_io;
	if (l == NULL)
		return VAULT_E_NOMEM;
	l->dir_fd = dir_fd;
	l->journal_fd = -1;
	buf_init(&l->bundle, AUDIT_BUNDLE_MAX);
	buf_init(&l->scratch, AUDIT_BUNDLE_MAX);
	vault_err err = recover(l, size, root, why);
	if (err == VAULT_OK)
		err = load_published(l, size, why);
	if (err != VAULT_OK) {
		audit_log_close(l);
		return err;
	}
	*out = l;
	return VAULT_OK;
}

void audit_log_close(struct audit_log *l)
{
	if (l == NULL)
		return;
	if (l->journal_fd >= 0)
		(void)close(l->journal_fd);      /* every append was synced */
	buf_free(&l->bundle);
	buf_free(&l->scratch);
	free(l);
}
