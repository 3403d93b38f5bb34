/*
 * tree_dir.h - a key tree in a directory of its own, for tests.
 */
#ifndef VAULT_TESTS_TREE_DIR_H
#define VAULT_TESTS_TREE_DIR_H

#include "keeper/key_tree.h"

struct tree_dir {
	char path[128];              /* holds keys/ and root/ */
	int keys_fd;
	int root_fd;
	const char *pass;            /* mixed into the root when not NULL */
	bool create;
	const char *why;             /* of the last failed open */
};

/* Makes the directories under TMPDIR. Aborts the program when it cannot. */
void tree_dir_make(struct tree_dir *d);
void tree_dir_remove(struct tree_dir *d);
VAULT_NODISCARD vault_err tree_dir_open(struct tree_dir *d, struct tree **t);
/* A whole file of keys/ or root/; free() it. NULL when it is not there. */
uint8_t *tree_dir_read(int dir_fd, const char *name, size_t *n);
void tree_dir_write(int dir_fd, const char *name, const void *p, size_t n);

/* One committed item of a tenant; the recording key goes to key when it is not NULL. */
VAULT_NODISCARD vault_err tree_dir_add(struct tree *t, uint32_t tenant, uint64_t expires_s, uint64_t now_ms,
    vault_id *id, uint8_t key[KEY_BYTES]);

#endif
