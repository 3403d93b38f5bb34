/*
 * audit_files.c - see audit_files.h.
 */
#include "front/serve/audit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "crypto/merkle.h"

#define LEVEL_MAX 10
#define PATH_LEN_MAX 128u

static bool digits(const char *p, size_t n, unsigned *value)
{
	*value = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*value = *value * 10 + (unsigned)(p[i] - '0');
	}
	return n > 0;
}

/* One "x001/" or "067" group; false at anything else. */
static bool take_group(const char **p, const char *end, uint64_t *number, bool *more)
{
	unsigned value = 0;
	*more = *p < end && **p == 'x';
	if (*more)
		(*p)++;
	if (end - *p < 3 || !digits(*p, 3, &value) || *number > UINT64_MAX / 1000 - 1)
		return false;
	*number = *number * 1000 + value;
	*p += 3;
	if (!*more)
		return true;
	return *p < end && *(*p)++ == '/';
}

/* "tile/L/N[.p/W]", anything that is not written just so is no path. */
static bool parse_tile(const char *p, size_t len, int *level, uint64_t *n, unsigned *width)
{
	const char *end = p + len;
	unsigned value = 0;
	bool more = true;
	if (len < 10 || memcmp(p, "tile/", 5) != 0)
		return false;
	p += 5;
	const char *slash = memchr(p, '/', (size_t)(end - p));
	if (slash == NULL || slash - p > 2 || !digits(p, (size_t)(slash - p), &value) || value > LEVEL_MAX)
		return false;
	*level = (int)value;
	p = slash + 1;
	*n = 0;
	while (more) {
		if (!take_group(&p, end, n, &more))
			return false;
	}
	*width = MERKLE_TILE;
	if (p == end)
		return true;
	if (end - p < 4 || memcmp(p, ".p/", 3) != 0 || end - p > 6 || !digits(p + 3, (size_t)(end - p) - 3, width))
		return false;
	return *width > 0 && *width < MERKLE_TILE;
}

static vault_err read_file(int audit_fd, const char *path, uint8_t out[AUDIT_FILE_MAX], size_t *n)
{
	int fd = openat(audit_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? VAULT_E_NOTFOUND : vault_err_from_errno(errno);
	vault_err err = VAULT_OK;
	*n = 0;
	while (*n < AUDIT_FILE_MAX) {
		ssize_t got = read(fd, out + *n, AUDIT_FILE_MAX - *n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			err = VAULT_E_IO;
		if (got <= 0)
			break;
		*n += (size_t)got;
	}
	(void)close(fd);
	return err;
}

vault_err audit_file_read(int audit_fd, const char *path, size_t len, uint8_t out[AUDIT_FILE_MAX], size_t *n,
    bool *immutable)
{
	char clean[PATH_LEN_MAX];
	int level = 0;
	uint64_t number = 0;
	unsigned width = 0;
	*immutable = false;
	if (len == strlen("checkpoint") && memcmp(path, "checkpoint", len) == 0)
		return read_file(audit_fd, "checkpoint", out, n);
	if (len >= PATH_LEN_MAX || !parse_tile(path, len, &level, &number, &width))
		return VAULT_E_NOTFOUND;
	vault_err err = merkle_tile_path(level, number, width, clean, sizeof(clean));
	/* One spelling for one tile: what was asked must be what would be written. */
	if (err != VAULT_OK || strlen(clean) != len || memcmp(clean, path, len) != 0)
		return VAULT_E_NOTFOUND;
	*immutable = width == MERKLE_TILE;
	return read_file(audit_fd, clean, out, n);
}
