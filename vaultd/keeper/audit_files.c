/*
 * audit_files.c - see audit_files.h.
 */
#include "keeper/audit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


static vault_err sync_dir(int dir_fd, const char *path)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	vault_err err = VAULT_OK;

	if (fd < 0)
		return vault_err_from_errno(errno);
	if (fsync(fd) != 0)
		err = vault_err_from_errno(errno);
	if (close(fd) != 0 && err == VAULT_OK)
		err = VAULT_E_IO;
	return err;
}

/* The directory part of path into out ("." when there is none). */
static vault_err parent_of(const char *path, char out[AUDIT_PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;

	if (n >= AUDIT_PATH_MAX)
		return VAULT_E_RANGE;
	if (n == 0) {
		memcpy(out, ".", 2);
		return VAULT_OK;
	}
	memcpy(out, path, n);
	out[n] = '\0';
	return VAULT_OK;
}

vault_err audit_sync_parent(int dir_fd, const char *path)
{
	char parent[AUDIT_PATH_MAX];
	vault_err err = parent_of(path, parent);

	return err != VAULT_OK ? err : sync_dir(dir_fd, parent);
}

vault_err audit_make_parents(int dir_fd, const char *path)
{
	char part[AUDIT_PATH_MAX];
	vault_err err = VAULT_OK;

	for (const char *slash = strchr(path, '/'); slash != NULL && err == VAULT_OK; slash = strchr(slash + 1, '/')) {
		size_t n = (size_t)(slash - path);
		if (n == 0 || n >= sizeof(part))
			return VAULT_E_RANGE;
		memcpy(part, path, n);
		part[n] = '\0';
		if (mkdirat(dir_fd, part, 0755) == 0)
			err = audit_sync_parent(dir_fd, part);
		else if (errno != EEXIST)
			err = vault_err_from_errno(errno);
	}
	return err;
}

vault_err audit_write_all(int fd, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		ssize_t put = write(fd, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? vault_err_from_errno(errno) : VAULT_E_IO;
		p += put;
		n -= (size_t)put;
	}
	return VAULT_OK;
}

vault_err audit_write_file(int dir_fd, const char *path, const void *data, size_t n)
{
	char tmp[AUDIT_PATH_MAX + 8];
	size_t len = strlen(path);
	vault_err err;

	if (len >= AUDIT_PATH_MAX)
		return VAULT_E_RANGE;
	memcpy(tmp, path, len);
	memcpy(tmp + len, ".tmp", 5);
	err = audit_make_parents(dir_fd, path);
	if (err != VAULT_OK)
		return err;
	int fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return vault_err_from_errno(errno);
	err = audit_write_all(fd, data, n);
	if (err == VAULT_OK && fchmod(fd, 0644) != 0)
		err = vault_err_from_errno(errno);
	if (err == VAULT_OK && fsync(fd) != 0)
		err = vault_err_from_errno(errno);
	if (close(fd) != 0 && err == VAULT_OK)
		err = VAULT_E_IO;
	if (err == VAULT_OK && renameat(dir_fd, tmp, dir_fd, path) != 0)
		err = vault_err_from_errno(errno);
	if (err != VAULT_OK) {
		(void)unlinkat(dir_fd, tmp, 0);
		return err;
	}
	return audit_sync_parent(dir_fd, path);
}

vault_err audit_read_file(int dir_fd, const char *path, struct buf *out)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? VAULT_E_NOTFOUND : vault_err_from_errno(errno);
	vault_err err = buf_read_fd(out, fd);
	if (close(fd) != 0 && err == VAULT_OK)
		err = VAULT_E_IO;
	return err;
}
