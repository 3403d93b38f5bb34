/*
 * audit_log.c - appending to, publishing and reading the tiled log.
 *
 * Keeper thread. Everything is on disk before it counts; nothing here decides
 * what may be logged (audit.c does).
 */
#include "keeper/audit_log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/wire.h"

uint64_t audit_log_size(const struct audit_log *l)
{
	return l->size;
}

bool audit_log_is_published(const struct audit_log *l)
{
	return l->poisoned || l->published[0] == l->size;
}

/* The edges of the tree are the subtrees of each level's open tile. */
void audit_log_root(const struct audit_log *l, uint8_t out[MERKLE_HASH])
{
	struct merkle m;

	merkle_init(&m);
	m.size = l->size;
	for (size_t i = 0; i < AUDIT_LEVELS; i++) {
		size_t start = 0;
		for (size_t bit = 8; bit-- > 0;) {
			size_t width = (size_t)1 << bit;
			if ((l->level[i].n & width) == 0)
				continue;
			merkle_tile_root(l->level[i].hash[start], width, m.edge[i * 8 + bit]);
			start += width;
		}
	}
	merkle_root(&m, out);
}

vault_err audit_entry_next(const uint8_t **p, size_t *left, const uint8_t **entry, size_t *n)
{
	if (*left == 0)
		return VAULT_E_EOF;
	if (*left < 2)
		return VAULT_E_SHORT;
	*n = load_be16(*p);
	if (*n == 0 || *n > AUDIT_ENTRY_MAX)
		return VAULT_E_CORRUPT;
	if (*left - 2 < *n)
		return VAULT_E_SHORT;
	*entry = *p + 2;
	*p += 2 + *n;
	*left -= 2 + *n;
	return VAULT_OK;
}

static vault_err write_tile(struct audit_log *l, size_t level, uint64_t number, uint32_t width)
{
	char path[AUDIT_PATH_MAX];
	vault_err err = merkle_tile_path((int)level, number, width, path, sizeof(path));

	if (err != VAULT_OK)
		return err;
	return audit_write_file(l->dir_fd, path, l->level[level].hash, (size_t)width * MERKLE_HASH);
}

vault_err audit_log_add_leaf(struct audit_log *l, const uint8_t *entry, size_t n)
{
	uint8_t hash[MERKLE_HASH];

	merkle_leaf(hash, entry, n);
	for (size_t i = 0;; i++) {
		struct audit_level *level = &l->level[i];
		memcpy(level->hash[level->n++], hash, MERKLE_HASH);
		if (level->n < MERKLE_TILE || i + 1 == AUDIT_LEVELS)
			break;
		/* Full: its number is how many were full before. */
		vault_err err = write_tile(l, i, (l->size + 1) / ((uint64_t)1 << (8 * (i + 1))) - 1, MERKLE_TILE);
		if (err != VAULT_OK)
			return err;
		merkle_tile_root(level->hash[0], MERKLE_TILE, hash);
		level->n = 0;
	}
	l->size++;
	return VAULT_OK;
}

vault_err audit_log_open_journal(struct audit_log *l)
{
	l->journal_fd = openat(l->dir_fd, AUDIT_JOURNAL, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (l->journal_fd < 0)
		return vault_err_from_errno(errno);
	return audit_sync_parent(l->dir_fd, AUDIT_JOURNAL);
}

vault_err audit_log_turn(struct audit_log *l, uint64_t number)
{
	char path[AUDIT_PATH_MAX];
	vault_err err = merkle_tile_path(-1, number, MERKLE_TILE, path, sizeof(path));

	if (err == VAULT_OK && (fchmod(l->journal_fd, 0644) != 0 || fsync(l->journal_fd) != 0))
		err = vault_err_from_errno(errno);
	if (err == VAULT_OK)
		err = audit_make_parents(l->dir_fd, path);
	if (close(l->journal_fd) != 0 && err == VAULT_OK)
		err = VAULT_E_IO;
	l->journal_fd = -1;
	if (err == VAULT_OK && renameat(l->dir_fd, AUDIT_JOURNAL, l->dir_fd, path) != 0)
		err = vault_err_from_errno(errno);
	if (err == VAULT_OK)
		err = audit_sync_parent(l->dir_fd, path);
	if (err == VAULT_OK)
		err = audit_log_open_journal(l);
	buf_clear(&l->bundle);
	return err;
}

/* As many entries as the open bundle takes: to the journal, then into the tree. */
static vault_err append_some(struct audit_log *l, const uint8_t **p, size_t *left)
{
	const uint8_t *start = *p, *entry;
	uint32_t room = MERKLE_TILE - l->level[0].n;
	uint64_t number = l->size / MERKLE_TILE;
	vault_err err = VAULT_OK;
	size_t n, count = 0;

	while (count < room && err == VAULT_OK && *left > 0) {
		err = audit_entry_next(p, left, &entry, &n);
		count += err == VAULT_OK;
	}
	size_t bytes = (size_t)(*p - start);
	if (err == VAULT_OK)
		err = audit_write_all(l->journal_fd, start, bytes);
	if (err == VAULT_OK)
		err = buf_append(&l->bundle, start, bytes);
	if (err == VAULT_OK && count == room)
		err = audit_log_turn(l, number);
	size_t walk_left = bytes;
	for (const uint8_t *walk = start; err == VAULT_OK && walk_left > 0;) {
		err = audit_entry_next(&walk, &walk_left, &entry, &n);
		if (err == VAULT_OK)
			err = audit_log_add_leaf(l, entry, n);
	}
	return err;
}

vault_err audit_log_append(struct audit_log *l, const uint8_t *entries, size_t n)
{
	vault_err err = VAULT_OK;

	if (l->poisoned)
		return VAULT_E_IO;
	while (n > 0 && err == VAULT_OK)
		err = append_some(l, &entries, &n);
	if (err == VAULT_OK && fdatasync(l->journal_fd) != 0)
		err = vault_err_from_errno(errno);
	if (err != VAULT_OK) {
		l->poisoned = true;
		log_error("event=audit_append_failed error=%d", (int)err);
	}
	return err;
}

/* Removes the partial tiles that belonged to a checkpoint of this size. */
static void drop_partials(struct audit_log *l, uint64_t size)
{
	char path[AUDIT_PATH_MAX];

	for (int level = -1; level < (int)AUDIT_LEVELS; level++) {
		unsigned shift = level < 0 ? 0 : 8u * (unsigned)level;
		unsigned width = (unsigned)((size >> shift) & 255);
		uint64_t number = size >> shift >> 8;
		if (width == 0 || merkle_tile_path(level, number, width, path, sizeof(path)) != VAULT_OK)
			continue;
		/* The same partial tile may belong to a newer checkpoint too. */
		bool shared = false;
		for (size_t i = 0; i < 2; i++)
			shared |= (l->published[i] >> shift) == (size >> shift);
		if (shared)
			continue;
		(void)unlinkat(l->dir_fd, path, 0);
		char *slash = strrchr(path, '/');
		if (slash != NULL) {
			*slash = '\0';
			(void)unlinkat(l->dir_fd, path, AT_REMOVEDIR);      /* stays while not empty */
		}
	}
}

static vault_err write_partials(struct audit_log *l)
{
	char path[AUDIT_PATH_MAX];
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < AUDIT_LEVELS && err == VAULT_OK; i++) {
		uint64_t number = l->size >> (8 * i) >> 8;
		if (l->level[i].n > 0 && l->published[0] >> (8 * i) != l->size >> (8 * i))
			err = write_tile(l, i, number, l->level[i].n);
	}
	if (err != VAULT_OK || l->level[0].n == 0)
		return err;
	err = merkle_tile_path(-1, l->size / MERKLE_TILE, l->level[0].n, path, sizeof(path));
	return err != VAULT_OK ? err : audit_write_file(l->dir_fd, path, l->bundle.data, l->bundle.len);
}

vault_err audit_log_publish(struct audit_log *l, const char *origin, const struct sign_key *key)
{
	char text[CHECKPOINT_MAX], note[CHECKPOINT_MAX];
	uint8_t root[MERKLE_HASH];
	size_t text_len, note_len;

	if (l->poisoned)
		return VAULT_E_IO;
	if (l->published[0] == l->size)
		return VAULT_OK;
	vault_err err = write_partials(l);
	audit_log_root(l, root);
	if (err == VAULT_OK)
		err = checkpoint_text(origin, l->size, root, text, sizeof(text), &text_len);
	if (err == VAULT_OK)
		err = checkpoint_sign(text, text_len, origin, key, note, sizeof(note), &note_len);
	if (err == VAULT_OK)
		err = audit_write_file(l->dir_fd, "checkpoint", note, note_len);
	if (err != VAULT_OK)
		return err;
	/* A reader may still hold the previous checkpoint: its tiles stay one round longer. */
	uint64_t oldest = l->published[1];
	l->published[1] = l->published[0];
	l->published[0] = l->size;
	drop_partials(l, oldest);
	return VAULT_OK;
}

vault_err audit_log_read(struct audit_log *l, uint64_t index, struct buf *out)
{
	char path[AUDIT_PATH_MAX];
	const struct buf *from = &l->bundle;
	const uint8_t *entry = NULL;
	vault_err err = VAULT_OK;
	size_t n = 0;

	if (index >= l->size)
		return VAULT_E_NOTFOUND;
	if (index / MERKLE_TILE != l->size / MERKLE_TILE) {
		buf_clear(&l->scratch);
		err = merkle_tile_path(-1, index / MERKLE_TILE, MERKLE_TILE, path, sizeof(path));
		if (err == VAULT_OK)
			err = audit_read_file(l->dir_fd, path, &l->scratch);
		if (err != VAULT_OK)
			return err == VAULT_E_NOTFOUND ? VAULT_E_CORRUPT : err;
		from = &l->scratch;
	}
	const uint8_t *p = from->data;
	size_t left = from->len;
	for (uint64_t i = 0; i <= index % MERKLE_TILE && err == VAULT_OK; i++)
		err = audit_entry_next(&p, &left, &entry, &n);
	if (err != VAULT_OK)
		return VAULT_E_CORRUPT;
	return buf_append(out, entry, n);
}
