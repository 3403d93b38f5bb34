/*
 * audit_check.c - see audit_check.h.
 */
#include "audit_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/wire.h"
#include "file.h"

#define PATH_TEXT 128u
#define LEVEL_MAX 7
#define TILE_BYTES ((size_t)MERKLE_TILE * MERKLE_HASH)

struct check {
	const struct audit_source *source;
	const struct audit_seen *seen;
	struct audit_result *result;
	bool with_entries;
	struct merkle tree;
	struct buf tile, last, entries;
};

static vault_err fail(struct audit_result *r, const char *what, uint64_t at)
{
	(void)snprintf(r->why, sizeof(r->why), "%s (entry %" PRIu64 ")", what, at);
	return VAULT_E_AUTH;
}

/* The tile at least width wide, in out: the partial one, or the full one that replaced it. */
static vault_err read_tile(const struct audit_source *s, int level, uint64_t n, unsigned width, struct buf *out)
{
	char path[PATH_TEXT];
	buf_clear(out);
	vault_err err = merkle_tile_path(level, n, width, path, sizeof(path));
	if (err == VAULT_OK)
		err = s->read(s->arg, path, out);
	if (err != VAULT_E_NOTFOUND || width == MERKLE_TILE)
		return err;
	buf_clear(out);
	err = merkle_tile_path(level, n, MERKLE_TILE, path, sizeof(path));
	return err == VAULT_OK ? s->read(s->arg, path, out) : err;
}

static vault_err read_checkpoint(struct check *c, const char *vkey)
{
	char name[256];
	uint8_t pub[SIGN_PUB_BYTES];
	struct audit_result *r = c->result;
	if (checkpoint_vkey_parse(vkey, strlen(vkey), name, sizeof(name), pub) != VAULT_OK) {
		(void)snprintf(r->why, sizeof(r->why), "the verifier key is none (NAME+HEX+BASE64)");
		return VAULT_E_AUTH;
	}
	buf_clear(&c->tile);
	vault_err err = c->source->read(c->source->arg, "checkpoint", &c->tile);
	if (err == VAULT_E_NOTFOUND) {
		(void)snprintf(r->why, sizeof(r->why), "there is no checkpoint");
		return VAULT_E_AUTH;
	}
	if (err != VAULT_OK)
		return err;
	if (checkpoint_verify((const char *)c->tile.data, c->tile.len, name, pub, &r->size, r->root) != VAULT_OK) {
		(void)snprintf(r->why, sizeof(r->why), "the checkpoint is not signed by the pinned key");
		return VAULT_E_AUTH;
	}
	if (c->seen != NULL && r->size < c->seen->size) {
		(void)snprintf(r->why, sizeof(r->why),
		    "the log shrank: it had %" PRIu64 " entries when it was last seen and has %" PRIu64 " now",
		    c->seen->size, r->size);
		return VAULT_E_AUTH;
	}
	return VAULT_OK;
}

/* The bundle's text against the tile's hashes; the journal holds the one that is not full yet. */
static vault_err check_entries(struct check *c, uint64_t n, unsigned width)
{
	vault_err err = read_tile(c->source, -1, n, width, &c->entries);
	if (err == VAULT_E_NOTFOUND && width < MERKLE_TILE) {
		buf_clear(&c->entries);
		err = c->source->read(c->source->arg, "journal", &c->entries);
	}
	if (err == VAULT_E_NOTFOUND)
		return fail(c->result, "entries are missing", n * MERKLE_TILE);
	if (err != VAULT_OK)
		return err;
	const uint8_t *p = c->entries.data;
	size_t left = c->entries.len;
	for (unsigned i = 0; i < width; i++) {
		uint8_t leaf[MERKLE_HASH];
		if (left < 2 || left - 2 < load_be16(p))
			return fail(c->result, "a bundle of entries ends too early", n * MERKLE_TILE + i);
		const size_t len = load_be16(p);
		merkle_leaf(leaf, p + 2, len);
		if (memcmp(leaf, c->tile.data + (size_t)i * MERKLE_HASH, MERKLE_HASH) != 0)
			return fail(c->result, "an entry was changed", n * MERKLE_TILE + i);
		p += 2 + len;
		left -= 2 + len;
		c->result->entries++;
	}
	return VAULT_OK;
}

static vault_err compare_seen(struct check *c)
{
	uint8_t root[MERKLE_HASH];
	if (c->seen == NULL || c->seen->size == 0 || c->tree.size != c->seen->size)
		return VAULT_OK;
	merkle_root(&c->tree, root);
	if (memcmp(root, c->seen->root, MERKLE_HASH) == 0)
		return VAULT_OK;
	(void)snprintf(c->result->why, sizeof(c->result->why),
	    "the log was rewritten: its first %" PRIu64 " entries are not those that were last seen", c->seen->size);
	return VAULT_E_AUTH;
}

static vault_err add_tile(struct check *c, uint64_t n, unsigned width)
{
	vault_err err = VAULT_OK;
	if (width < MERKLE_TILE) {      /* read at the start, see check_all */
		buf_clear(&c->tile);
		err = buf_append(&c->tile, c->last.data, c->last.len);
	} else {
		err = read_tile(c->source, 0, n, width, &c->tile);
	}
	if (err == VAULT_E_NOTFOUND)
		return fail(c->result, "a tile is missing", n * MERKLE_TILE);
	if (err != VAULT_OK)
		return err;
	if (c->tile.len < (size_t)width * MERKLE_HASH || c->tile.len > TILE_BYTES)
		return fail(c->result, "a tile has the wrong length", n * MERKLE_TILE);
	for (unsigned i = 0; i < width && err == VAULT_OK; i++) {
		merkle_add(&c->tree, c->tile.data + (size_t)i * MERKLE_HASH);
		err = compare_seen(c);
	}
	return err == VAULT_OK && c->with_entries ? check_entries(c, n, width) : err;
}

static vault_err check_all(struct check *c)
{
	uint8_t root[MERKLE_HASH];
	const uint64_t size = c->result->size, tiles = size / MERKLE_TILE;
	const unsigned rest = (unsigned)(size % MERKLE_TILE);
	vault_err err = VAULT_OK;
	merkle_init(&c->tree);
	/* A busy log drops the partial tiles of old checkpoints: take the last one first. */
	if (rest > 0)
		err = read_tile(c->source, 0, tiles, rest, &c->last);
	if (err == VAULT_E_NOTFOUND)
		return fail(c->result, "a tile is missing", tiles * MERKLE_TILE);
	for (uint64_t n = 0; n < tiles && err == VAULT_OK; n++) {
		err = add_tile(c, n, MERKLE_TILE);
		if (err == VAULT_OK && c->source->progress != NULL)
			c->source->progress(c->source->arg, (n + 1) * MERKLE_TILE, size);
	}
	if (err == VAULT_OK && rest > 0)
		err = add_tile(c, tiles, rest);
	if (err != VAULT_OK)
		return err;
	merkle_root(&c->tree, root);
	if (memcmp(root, c->result->root, MERKLE_HASH) == 0)
		return VAULT_OK;
	(void)snprintf(
	    c->result->why, sizeof(c->result->why), "the entries do not add up to the signed root: a tile was changed");
	return VAULT_E_AUTH;
}

vault_err audit_check(const struct audit_source *s, const char *vkey, const struct audit_seen *seen, bool with_entries,
    struct audit_result *r)
{
	struct check c = {.source = s, .seen = seen, .result = r, .with_entries = with_entries};
	memset(r, 0, sizeof(*r));
	buf_init(&c.tile, AUDIT_FILE_MAX);
	buf_init(&c.last, AUDIT_FILE_MAX);
	buf_init(&c.entries, AUDIT_FILE_MAX);
	vault_err err = read_checkpoint(&c, vkey);
	if (err == VAULT_OK)
		err = check_all(&c);
	buf_free(&c.tile);
	buf_free(&c.last);
	buf_free(&c.entries);
	return err;
}

/* "tile/0/x001/234.p/5" -> level, number, width. Only what merkle_tile_path writes. */
static bool parse_path(const char *path, int *level, uint64_t *n, unsigned *width)
{
	char again[PATH_TEXT];
	const char *p = path;
	if (strncmp(p, "tile/", 5) != 0)
		return false;
	p += 5;
	*level = -1;
	if (strncmp(p, "entries/", 8) == 0) {
		p += 8;
	} else if (p[0] >= '0' && p[0] <= '0' + LEVEL_MAX && p[1] == '/') {
		*level = p[0] - '0';
		p += 2;
	} else {
		return false;
	}
	*n = 0;
	for (; *p != '\0' && *p != '.'; p++) {
		if (*p >= '0' && *p <= '9' && *n < UINT64_MAX / 100)
			*n = *n * 10 + (uint64_t)(*p - '0');
		else if (*p != 'x' && *p != '/')
			return false;
	}
	*width = MERKLE_TILE;
	if (*p == '.' && sscanf(p, ".p/%3u", width) != 1)
		return false;
	return merkle_tile_path(*level, *n, *width, again, sizeof(again)) == VAULT_OK && strcmp(again, path) == 0;
}

/* What hash i of the tile must be: a leaf's from the verified tile, an inner one from the tile below it. */
static vault_err expected(const struct audit_source *s, int level, uint64_t n, unsigned i, struct buf *below,
    uint8_t out[MERKLE_HASH])
{
	if (level == 0) {
		memcpy(out, below->data + (size_t)i * MERKLE_HASH, MERKLE_HASH);
		return VAULT_OK;
	}
	vault_err err = read_tile(s, level - 1, n * MERKLE_TILE + i, MERKLE_TILE, below);
	if (err == VAULT_OK && below->len != TILE_BYTES)
		err = VAULT_E_CORRUPT;
	if (err == VAULT_OK)
		merkle_tile_root(below->data, MERKLE_TILE, out);
	return err;
}

/* Entries that one hash of this level stands for. */
static uint64_t hash_span(int level)
{
	return (uint64_t)1 << (8 * level);
}

static vault_err compare_tile(const struct audit_source *s, int level, uint64_t n, unsigned width, uint64_t size,
    const struct buf *tile)
{
	struct buf below;
	uint8_t want[MERKLE_HASH];
	vault_err err = VAULT_OK;
	const uint64_t covered = size / hash_span(level);      /* hashes of this level that the checkpoint covers */
	const uint64_t first = n * MERKLE_TILE;
	const uint64_t here = covered <= first ? 0 : covered - first < MERKLE_TILE ? covered - first : MERKLE_TILE;
	if (tile->len != (size_t)width * MERKLE_HASH)
		return VAULT_E_CORRUPT;
	buf_init(&below, AUDIT_FILE_MAX);
	if (level == 0 && here > 0) {
		err = read_tile(s, 0, n, (unsigned)here, &below);
		if (err == VAULT_OK && below.len < here * MERKLE_HASH)
			err = VAULT_E_CORRUPT;
	}
	for (unsigned i = 0; i < width && i < here && err == VAULT_OK; i++) {
		err = expected(s, level, n, i, &below, want);
		if (err == VAULT_OK && memcmp(want, tile->data + (size_t)i * MERKLE_HASH, MERKLE_HASH) != 0)
			err = VAULT_E_CORRUPT;
	}
	buf_free(&below);
	return err;
}

/* A bundle's entries against the level-0 tile. */
static vault_err compare_bundle(const struct audit_source *s, uint64_t n, unsigned width, uint64_t size,
    const struct buf *bundle)
{
	struct buf tile;
	const uint64_t first = n * MERKLE_TILE;
	const uint64_t here = size <= first ? 0 : size - first < width ? size - first : width;
	const uint8_t *p = bundle->data;
	size_t left = bundle->len;
	vault_err err = VAULT_OK;
	buf_init(&tile, AUDIT_FILE_MAX);
	if (here > 0)
		err = read_tile(s, 0, n, size - first < MERKLE_TILE ? (unsigned)(size - first) : MERKLE_TILE, &tile);
	if (err == VAULT_OK && tile.len < here * MERKLE_HASH)
		err = VAULT_E_CORRUPT;
	for (uint64_t i = 0; i < here && err == VAULT_OK; i++) {
		uint8_t leaf[MERKLE_HASH];
		if (left < 2 || left - 2 < load_be16(p)) {
			err = VAULT_E_CORRUPT;
			break;
		}
		merkle_leaf(leaf, p + 2, load_be16(p));
		if (memcmp(leaf, tile.data + i * MERKLE_HASH, MERKLE_HASH) != 0)
			err = VAULT_E_CORRUPT;
		left -= 2u + load_be16(p);
		p += 2u + load_be16(p);
	}
	buf_free(&tile);
	return err;
}

vault_err audit_check_file(const struct audit_source *s, const char *path, uint64_t size, char *why, size_t why_cap)
{
	struct buf data;
	int level;
	uint64_t n;
	unsigned width;
	if (!parse_path(path, &level, &n, &width)) {
		(void)snprintf(why, why_cap, "%.100s is no file of the log", path);
		return VAULT_E_AUTH;
	}
	buf_init(&data, AUDIT_FILE_MAX);
	vault_err err = s->read(s->arg, path, &data);
	if (err == VAULT_E_NOTFOUND) {
		buf_free(&data);
		return VAULT_OK;         /* a running vault removed it just now */
	}
	if (err == VAULT_OK)
		err = level < 0 ? compare_bundle(s, n, width, size, &data) : compare_tile(s, level, n, width, size, &data);
	buf_free(&data);
	if (err == VAULT_OK || err == VAULT_E_NOMEM || err == VAULT_E_IO)
		return err;
	(void)snprintf(why, why_cap, "%.100s was changed", path);
	return VAULT_E_AUTH;
}

vault_err audit_seen_load(const char *path, struct audit_seen *seen)
{
	char text[512], root[65], vkey[256];
	size_t n = 0, got = 0;
	memset(seen, 0, sizeof(*seen));
	vault_err err = file_read(path, text, sizeof(text) - 1, &n);
	if (err != VAULT_OK)
		return err;
	text[n] = '\0';
	if (sscanf(text, "%255s\n%" SCNu64 "\n%64s", vkey, &seen->size, root) != 3 || strlen(root) != 64 ||
	    hex_decode(root, 64, seen->root, sizeof(seen->root), &got) != VAULT_OK)
		return VAULT_E_CORRUPT;
	(void)snprintf(seen->vkey, sizeof(seen->vkey), "%s", vkey);
	return VAULT_OK;
}

vault_err audit_seen_save(const char *path, const struct audit_seen *seen)
{
	char text[512], root[65], dir[4096];
	const char *slash = strrchr(path, '/');
	hex_encode(seen->root, sizeof(seen->root), root);
	int n = snprintf(text, sizeof(text), "%s\n%" PRIu64 "\n%s\n", seen->vkey, seen->size, root);
	if (n < 0 || (size_t)n >= sizeof(text) || slash == NULL || (size_t)(slash - path) >= sizeof(dir))
		return VAULT_E_RANGE;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	vault_err err = slash == path ? VAULT_OK : file_make_dirs(dir);
	return err == VAULT_OK ? file_replace(path, text, (size_t)n, 0644) : err;
}
