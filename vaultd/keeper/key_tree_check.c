/*
 * key_tree_check.c - is the database file whole?
 *
 * LMDB maps its file and trusts every page: a truncated or overwritten file
 * would kill the keeper with a signal in the middle of its work. This walks the
 * pages of the newest meta page's trees with pread before LMDB sees the file,
 * and refuses what does not hold together. It reads no row and changes nothing.
 * Files beyond CHECK_FULL_BYTES have their inner pages walked only, so that a
 * large vault starts quickly.
 *
 * Layout: LMDB 0.9, data version 1, 64-bit (lmdb.h and mdb.c of that version).
 */
#include "keeper/key_tree_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"

#define CHECK_FULL_BYTES (256ull << 20)
#define PAGE_HEADER 16u              /* u64 number, u16 pad, u16 flags, u16 lower, u16 upper (or u32 pages) */
#define NODE_HEADER 8u               /* u16 low, u16 high, u16 flags, u16 key size */
#define DB_BYTES 48u                 /* u32 pad, u16 flags, u16 depth, u64 branch, leaf, overflow, entries, root */
#define META_MAGIC 0xBEEFC0DEu
#define META_VERSION 1u
#define DEPTH_MAX 32u
#define NO_PAGE UINT64_MAX

enum {
	PAGE_BRANCH = 0x01,
	PAGE_LEAF = 0x02,
	PAGE_OVERFLOW = 0x04,
	PAGE_META = 0x08,
	PAGE_LEAF2 = 0x20,
	PAGE_SUB = 0x40
};
enum { NODE_BIG = 0x01, NODE_TREE = 0x02, NODE_DUPS = 0x04 };

struct check {
	int fd;
	uint32_t page_size;
	uint64_t pages;                  /* whole pages in the file */
	uint64_t last;                   /* last page that the meta page knows */
	uint64_t budget;                 /* page visits left: more than there are pages means a cycle */
	bool leaves;                     /* walk leaf pages too */
};

static vault_err tree_walk(struct check *c, const uint8_t db[DB_BYTES], unsigned nested);

static vault_err page_read(struct check *c, uint64_t number, uint8_t *page)
{
	if (number < 2 || number > c->last || number >= c->pages || c->budget == 0)
		return VAULT_E_CORRUPT;
	c->budget--;
	ssize_t n = pread(c->fd, page, c->page_size, (off_t)(number * c->page_size));
	if (n < 0)
		return vault_err_from_errno(errno);
	return n == (ssize_t)c->page_size && load_le64(page) == number ? VAULT_OK : VAULT_E_CORRUPT;
}

/* Number of entries of a page of this size, or CORRUPT when its bounds cannot be. */
static vault_err page_entries(const uint8_t *page, size_t size, unsigned *n)
{
	size_t lower = load_le16(page + 12), upper = load_le16(page + 14);

	if (lower < PAGE_HEADER || lower > upper || upper > size || (lower - PAGE_HEADER) % 2 != 0)
		return VAULT_E_CORRUPT;
	*n = (unsigned)((lower - PAGE_HEADER) / 2);
	return VAULT_OK;
}

/* A view of entry i and the bytes from it to the page's end. */
static vault_err node_at(const uint8_t *page, size_t size, unsigned i, const uint8_t **node, size_t *left)
{
	size_t at = load_le16(page + PAGE_HEADER + 2 * i);

	if (at < load_le16(page + 14) || at + NODE_HEADER > size)
		return VAULT_E_CORRUPT;
	*node = page + at;
	*left = size - at;
	return NODE_HEADER + load_le16(page + at + 6) <= *left ? VAULT_OK : VAULT_E_CORRUPT;
}

/* A page of duplicates that lies inside a node. */
static vault_err sub_page_check(const uint8_t *page, size_t size)
{
	unsigned n;
	vault_err err;

	if (size < PAGE_HEADER)
		return VAULT_E_CORRUPT;
	if ((err = page_entries(page, size, &n)) != VAULT_OK)
		return err;
	unsigned flags = load_le16(page + 10);
	if ((flags & PAGE_SUB) == 0 || (flags & PAGE_LEAF) == 0)
		return VAULT_E_CORRUPT;
	if ((flags & PAGE_LEAF2) != 0)
		return (size_t)n * load_le16(page + 8) <= size - PAGE_HEADER ? VAULT_OK : VAULT_E_CORRUPT;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *node;
		size_t left;
		if ((err = node_at(page, size, i, &node, &left)) != VAULT_OK)
			return err;
	}
	return VAULT_OK;
}

static vault_err overflow_check(struct check *c, uint64_t number, uint8_t *page, uint64_t bytes)
{
	vault_err err = page_read(c, number, page);

	if (err != VAULT_OK)
		return err;
	uint64_t count = load_le32(page + 12);
	if ((load_le16(page + 10) & PAGE_OVERFLOW) == 0 || count == 0 || count > c->pages - number)
		return VAULT_E_CORRUPT;
	return bytes <= count * c->page_size - PAGE_HEADER ? VAULT_OK : VAULT_E_CORRUPT;
}

static vault_err leaf_check(struct check *c, const uint8_t *page, uint8_t *scratch, unsigned n, unsigned nested)
{
	vault_err err = VAULT_OK;

	if ((load_le16(page + 10) & PAGE_LEAF2) != 0)
		return (size_t)n * load_le16(page + 8) <= c->page_size - PAGE_HEADER ? VAULT_OK : VAULT_E_CORRUPT;
	for (unsigned i = 0; i < n && err == VAULT_OK; i++) {
		const uint8_t *node;
		size_t left;
		if ((err = node_at(page, c->page_size, i, &node, &left)) != VAULT_OK)
			return err;
		unsigned flags = load_le16(node + 4);
		uint64_t size = load_le32(node);
		size_t head = NODE_HEADER + load_le16(node + 6);
		if (head + ((flags & NODE_BIG) != 0 ? 8 : size) > left)
			return VAULT_E_CORRUPT;
		if ((flags & NODE_BIG) != 0)
			err = overflow_check(c, load_le64(node + head), scratch, size);
		else if ((flags & NODE_TREE) != 0)
			err = size == DB_BYTES ? tree_walk(c, node + head, nested + 1) : VAULT_E_CORRUPT;
		else if ((flags & NODE_DUPS) != 0)
			err = sub_page_check(node + head, (size_t)size);
	}
	return err;
}

static vault_err page_walk(struct check *c, uint64_t number, unsigned depth, unsigned nested)
{
	uint8_t *page;
	unsigned n;
	vault_err err;

	if (depth == 1 && !c->leaves && nested > 0)
		return number >= 2 && number <= c->last && number < c->pages ? VAULT_OK : VAULT_E_CORRUPT;
	if ((page = malloc(2 * (size_t)c->page_size)) == NULL)
		return VAULT_E_NOMEM;
	if ((err = page_read(c, number, page)) != VAULT_OK ||
	    (err = page_entries(page, c->page_size, &n)) != VAULT_OK)
		goto out;
	unsigned flags = load_le16(page + 10);
	if ((flags & (PAGE_BRANCH | PAGE_LEAF)) != (depth > 1 ? PAGE_BRANCH : PAGE_LEAF)) {
		err = VAULT_E_CORRUPT;
		goto out;
	}
	if (depth == 1) {
		err = leaf_check(c, page, page + c->page_size, n, nested);
		goto out;
	}
	if (n < 2)
		err = VAULT_E_CORRUPT;
	for (unsigned i = 0; i < n && err == VAULT_OK; i++) {
		const uint8_t *node;
		size_t left;
		if ((err = node_at(page, c->page_size, i, &node, &left)) == VAULT_OK)
			err = page_walk(c, load_le16(node) | (uint64_t)load_le16(node + 2) << 16 |
			    (uint64_t)load_le16(node + 4) << 32, depth - 1, nested);
	}
out:
	free(page);
	return err;
}

/* db: an MDB_db. nested: 0 for the list of databases and the free list, 1 for a database, 2 for duplicates. */
static vault_err tree_walk(struct check *c, const uint8_t db[DB_BYTES], unsigned nested)
{
	unsigned depth = load_le16(db + 6);
	uint64_t root = load_le64(db + 40);

	if (root == NO_PAGE)
		return depth == 0 ? VAULT_OK : VAULT_E_CORRUPT;
	if (depth == 0 || depth > DEPTH_MAX || nested > 2)
		return VAULT_E_CORRUPT;
	return page_walk(c, root, depth, nested);
}

static vault_err meta_check(struct check *c, uint64_t size)
{
	uint8_t meta[2][192];
	unsigned newest = 0;
	vault_err err;

	for (unsigned i = 0; i < 2; i++) {
		/* The second meta page lies one page in; the first says how long a page is. */
		off_t at = i == 0 ? 0 : (off_t)c->page_size;
		ssize_t n = pread(c->fd, meta[i], sizeof(meta[i]), at);
		if (n < 0)
			return vault_err_from_errno(errno);
		const uint8_t *m = meta[i] + PAGE_HEADER;
		if (n != (ssize_t)sizeof(meta[i]) || (load_le16(meta[i] + 10) & PAGE_META) == 0 ||
		    load_le32(m) != META_MAGIC || load_le32(m + 4) != META_VERSION)
			return VAULT_E_CORRUPT;
		uint32_t page_size = load_le32(m + 24);
		if (page_size < 512 || page_size > 65536 || (page_size & (page_size - 1)) != 0 ||
		    (i == 1 && page_size != c->page_size))
			return VAULT_E_CORRUPT;
		c->page_size = page_size;
	}
	if (load_le64(meta[1] + PAGE_HEADER + 128) > load_le64(meta[0] + PAGE_HEADER + 128))
		newest = 1;
	const uint8_t *m = meta[newest] + PAGE_HEADER;
	c->pages = size / c->page_size;
	c->last = load_le64(m + 120);
	c->budget = c->pages;
	c->leaves = size <= CHECK_FULL_BYTES;
	if ((err = tree_walk(c, m + 24, 0)) != VAULT_OK)
		return err;
	return tree_walk(c, m + 24 + DB_BYTES, 0);
}

vault_err tree_check_file(int keys_fd, const char **why)
{
	struct check c = {0};
	struct stat st;
	vault_err err = VAULT_OK;

	c.fd = openat(keys_fd, "data.mdb", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (c.fd < 0) {
		if (errno == ENOENT)
			return VAULT_OK;
		err = vault_err_from_errno(errno);
		*why = "The key store keys/data.mdb cannot be opened.";
		return err;
	}
	if (fstat(c.fd, &st) != 0)
		err = vault_err_from_errno(errno);
	else if (!S_ISREG(st.st_mode))
		err = VAULT_E_CORRUPT;
	else if (st.st_size > 0)
		err = meta_check(&c, (uint64_t)st.st_size);
	(void)close(c.fd);
	if (err == VAULT_E_CORRUPT)
		*why = "The key store keys/data.mdb is damaged. Restore the newest key store; nothing was changed.";
	return err;
}
