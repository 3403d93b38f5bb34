/*
 * file.c - see file.h.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "ctl.h"

vault_err file_read(const char *path, void *out, size_t cap, size_t *n)
{
	uint8_t *to = out;
	uint8_t more;
	*n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return vault_err_from_errno(errno);
	vault_err err = VAULT_OK;
	for (;;) {
		const size_t room = cap - *n;
		ssize_t got = read(fd, room > 0 ? to + *n : &more, room > 0 ? room : 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			err = vault_err_from_errno(errno);
		else if (got > 0 && room == 0)
			err = VAULT_E_RANGE;
		if (got <= 0 || err != VAULT_OK)
			break;
		*n += (size_t)got;
	}
	(void)close(fd);
	return err;
}

vault_err file_write_all(int fd, const void *data, size_t n)
{
	const uint8_t *p = data;
	while (n > 0) {
		ssize_t put = write(fd, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return vault_err_from_errno(errno);
		p += put;
		n -= (size_t)put;
	}
	return VAULT_OK;
}

/* Writes and syncs, closes whatever happens. */
static vault_err fill(int fd, const void *data, size_t n)
{
	vault_err err = file_write_all(fd, data, n);
	if (err == VAULT_OK && fsync(fd) < 0)
		err = vault_err_from_errno(errno);
	if (close(fd) < 0 && err == VAULT_OK)
		err = vault_err_from_errno(errno);
	return err;
}

vault_err file_sync_dir_of(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);
	if (n >= sizeof(dir))
		return VAULT_E_RANGE;
	memcpy(dir, path, n);
	dir[n] = '\0';
	int fd = open(slash == NULL ? "." : n == 0 ? "/" : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return vault_err_from_errno(errno);
	vault_err err = fsync(fd) < 0 && errno != EINVAL ? vault_err_from_errno(errno) : VAULT_OK;
	(void)close(fd);
	return err;
}

vault_err file_replace(const char *path, const void *data, size_t n, mode_t mode)
{
	char temp[PATH_MAX];
	int len = snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
	if (len < 0 || (size_t)len >= sizeof(temp))
		return VAULT_E_RANGE;
	int fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return vault_err_from_errno(errno);
	if (fchmod(fd, mode) < 0) {
		const int saved = errno;
		(void)close(fd);
		(void)unlink(temp);
		return vault_err_from_errno(saved);
	}
	vault_err err = fill(fd, data, n);
	if (err == VAULT_OK && rename(temp, path) < 0)
		err = vault_err_from_errno(errno);
	if (err != VAULT_OK) {
		(void)unlink(temp);
		return err;
	}
	return file_sync_dir_of(path);
}

vault_err file_create(const char *path, const void *data, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return errno == EEXIST ? VAULT_E_EXISTS : vault_err_from_errno(errno);
	vault_err err = fill(fd, data, n);
	if (err == VAULT_OK)
		err = file_sync_dir_of(path);
	if (err != VAULT_OK)
		(void)unlink(path);
	return err;
}

int file_create_secret(const char *path, const char *text)
{
	const size_t room = strlen(text) + 2;
	char *line = secret_alloc(room);
	vault_err err = VAULT_E_NOMEM;
	if (line != NULL) {
		(void)snprintf(line, room, "%s\n", text);
		err = file_create(path, line, room - 1, 0600);
	}
	secret_free(line);
	if (err == VAULT_E_EXISTS)
		return ctl_fail(CTL_LOCAL, "%s exists already; choose another name", path);
	if (err != VAULT_OK)
		return ctl_fail(CTL_LOCAL, "cannot write %s: %s", path, vault_strerror(err));
	return CTL_OK;
}

vault_err file_make_dirs(const char *path)
{
	char part[PATH_MAX];
	const size_t n = strlen(path);
	if (n == 0 || n >= sizeof(part))
		return VAULT_E_RANGE;
	memcpy(part, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		const char kept = part[i];
		part[i] = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return vault_err_from_errno(errno);
		part[i] = kept;
	}
	return VAULT_OK;
}
