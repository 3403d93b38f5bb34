/*
 * volume_file.c - the names and the birth of volume files.
 *
 * Any thread; blocks on the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vault/format.h>

#include "base/clock.h"
#include "front/store/volume_file.h"

#define CREATE_TRIES 1000u

void volume_name(char out[VOLUME_NAME], uint32_t lane, uint64_t number)
{
	(void)snprintf(out, VOLUME_NAME, "lane%" PRIu32 "-%" PRIu64 ".vol", lane, number);
}

static bool digits(const char **p, uint64_t *value)
{
	uint64_t v = 0;
	const char *s = *p;

	for (; *s >= '0' && *s <= '9'; s++) {
		unsigned digit = (unsigned)(*s - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	bool any = s != *p;
	*p = s;
	*value = v;
	return any;
}

bool volume_name_parse(const char *name, uint32_t *lane, uint64_t *number)
{
	char again[VOLUME_NAME];
	const char *p = name + 4;
	uint64_t k;

	if (strncmp(name, "lane", 4) != 0 || !digits(&p, &k) || k > UINT32_MAX || *p++ != '-' || !digits(&p, number))
		return false;
	*lane = (uint32_t)k;
	volume_name(again, *lane, *number);
	return strcmp(again, name) == 0;
}

vault_err write_all_at(int fd, const void *p, size_t n, uint64_t offset)
{
	const uint8_t *b = p;

	while (n > 0) {
		ssize_t k = pwrite(fd, b, n, (off_t)offset);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return vault_err_from_errno(errno);
		if (k == 0)
			return VAULT_E_IO;
		b += k;
		n -= (size_t)k;
		offset += (uint64_t)k;
	}
	return VAULT_OK;
}

static vault_err write_header(int fd, int media_fd, const struct volume_header *h)
{
	uint8_t header[VOLUME_HEADER_BYTES];

	vault_err err = volume_header_encode(h, header);
	if (err == VAULT_OK)
		err = write_all_at(fd, header, sizeof header, 0);
	if (err == VAULT_OK && fdatasync(fd) != 0)
		err = vault_err_from_errno(errno);
	if (err == VAULT_OK && fsync(media_fd) != 0)
		err = vault_err_from_errno(errno);
	return err;
}

vault_err volume_create(int media_fd, uint32_t lane, uint64_t *number, const vault_id *vault, int *out)
{
	char name[VOLUME_NAME];
	int fd = -1;

	*out = -1;
	for (unsigned i = 0; i < CREATE_TRIES && fd < 0; i++, (*number)++) {
		volume_name(name, lane, *number);
		fd = openat(media_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno != EEXIST)
			return vault_err_from_errno(errno);
	}
	if (fd < 0)
		return VAULT_E_EXISTS;
	(*number)--;
	struct volume_header h = { .version = VOLUME_VERSION, .lane = lane, .number = *number, .vault = *vault,
		.created_ms = clock_wall_ms() };
	vault_err err = write_header(fd, media_fd, &h);
	if (err != VAULT_OK) {
		(void)unlinkat(media_fd, name, 0);   /* recovery removes a headless file as well */
		(void)close(fd);
		return err;
	}
	*out = fd;
	return VAULT_OK;
}
