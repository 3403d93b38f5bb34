/*
 * tree_dir.c - a key tree in a directory of its own, for tests. One thread.
 */
#include "tree_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

void tree_dir_make(struct tree_dir *d)
{
	const char *tmp = getenv("TMPDIR");

	memset(d, 0, sizeof(*d));
	d->create = true;
	(void)snprintf(d->path, sizeof(d->path), "%s/vault-keys-XXXXXX", tmp != NULL && strlen(tmp) < 80 ? tmp : "/tmp");
	must(mkdtemp(d->path) != NULL, "mkdtemp");
	int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd >= 0 && mkdirat(fd, "keys", 0700) == 0 && mkdirat(fd, "root", 0700) == 0, "mkdir");
	d->keys_fd = openat(fd, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d->root_fd = openat(fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(d->keys_fd >= 0 && d->root_fd >= 0 && close(fd) == 0, "open");
}

static void empty(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	const struct dirent *e;

	must(dir != NULL, "fdopendir");
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] != '.')
			(void)unlinkat(dir_fd, e->d_name, 0);
	}
	(void)closedir(dir);
}

void tree_dir_remove(struct tree_dir *d)
{
	int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must(fd >= 0, "open");
	empty(d->keys_fd);
	empty(d->root_fd);
	(void)close(d->keys_fd);
	(void)close(d->root_fd);
	(void)unlinkat(fd, "keys", AT_REMOVEDIR);
	(void)unlinkat(fd, "root", AT_REMOVEDIR);
	(void)close(fd);
	(void)rmdir(d->path);
}

vault_err tree_dir_open(struct tree_dir *d, struct tree **t)
{
	const struct tree_options o = {
		.keys_fd = d->keys_fd,
		.root_fd = d->root_fd,
		.create = d->create,
		.allow_cow = true,
		.pass = (const uint8_t *)d->pass,
		.pass_len = d->pass != NULL ? strlen(d->pass) : 0,
		.now_ms = 1700000000000u,
	};

	return tree_open(t, &o, &d->why);
}

uint8_t *tree_dir_read(int dir_fd, const char *name, size_t *n)
{
	struct stat st;
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	*n = 0;
	if (fd < 0)
		return NULL;
	must(fstat(fd, &st) == 0, "fstat");
	uint8_t *p = malloc((size_t)st.st_size + 1);
	must(p != NULL, "malloc");
	while (*n < (size_t)st.st_size) {
		ssize_t k = pread(fd, p + *n, (size_t)st.st_size - *n, (off_t)*n);
		must(k > 0, "pread");
		*n += (size_t)k;
	}
	(void)close(fd);
	return p;
}

void tree_dir_write(int dir_fd, const char *name, const void *p, size_t n)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0, "write");
}

vault_err tree_dir_add(struct tree *t, uint32_t tenant, uint64_t expires_s, uint64_t now_ms, vault_id *id,
    uint8_t key[KEY_BYTES])
{
	struct tree_item item = {.id = vault_id_new(now_ms), .tenant = tenant, .expires_s = expires_s, .policy = 1,
	    .media = 1, .source = 7};
	struct tree_secret *s = secret_alloc(sizeof(*s));
	vault_err err;

	must(s != NULL, "secret_alloc");
	if ((err = tree_begin(t)) == VAULT_OK && (err = tree_item_add(t, &item, s)) == VAULT_OK)
		err = tree_commit(t);
	else
		tree_abort(t);
	*id = item.id;
	if (key != NULL)
		memcpy(key, s->key, KEY_BYTES);
	secret_free(s);
	return err;
}
