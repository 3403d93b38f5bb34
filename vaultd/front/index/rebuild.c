/*
 * rebuild.c - the index from nothing but the volumes. Offline.
 */
#include "front/index/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/scan.h"
#include "front/store/volume_file.h"

/* The vault's id and the bytes of all volumes. VAULT_E_NOTFOUND: there is no readable volume. */
static vault_err look_at_volumes(int media_fd, vault_id *vault, uint64_t *all)
{
	static const vault_id nobody;
	struct volume_set *v;
	struct volume_ref *refs = NULL;
	size_t n = 0;
	bool found = false;

	*all = 0;
	vault_err err = volume_set_open(&v, media_fd, &nobody);
	if (err != VAULT_OK)
		return err;
	err = volume_set_list(v, &refs, &n);
	for (size_t i = 0; i < n; i++) {
		struct volume_scan *scan;
		char name[VOLUME_NAME];
		*all += refs[i].size;
		volume_name(name, refs[i].lane, refs[i].number);
		int fd = found ? -1 : openat(media_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		if (volume_scan_new(&scan, fd, false) == VAULT_OK) {
			*vault = volume_scan_header(scan)->vault;
			found = true;
			volume_scan_free(scan);
		}
		(void)close(fd);
	}
	free(refs);
	volume_set_close(v);
	return err == VAULT_OK && !found ? VAULT_E_NOTFOUND : err;
}

static vault_err empty_directory(int index_fd)
{
	static const char *const names[] = { "data.mdb", "lock.mdb" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (unlinkat(index_fd, names[i], 0) != 0 && errno != ENOENT)
			return vault_err_from_errno(errno);
	}
	return VAULT_OK;
}

vault_err index_rebuild(int index_fd, int media_fd, void (*progress)(void *arg, uint64_t done, uint64_t all), void *arg,
    uint64_t *rows)
{
	struct catch_up c = { .progress = progress, .progress_arg = arg };
	vault_id vault;
	int lock_fd;

	*rows = 0;
	vault_err err = db_lock(index_fd, &lock_fd);
	if (err != VAULT_OK)
		return err;
	err = look_at_volumes(media_fd, &vault, &c.all);
	bool none = err == VAULT_E_NOTFOUND;
	if (err == VAULT_OK || none)
		err = empty_directory(index_fd);
	if (err != VAULT_OK || none) {
		(void)close(lock_fd);
		return err;
	}
	err = db_open(&c.ix, index_fd, &vault, lock_fd);
	if (err != VAULT_OK)
		return err;
	err = volume_set_open(&c.volumes, media_fd, &vault);
	if (err == VAULT_OK) {
		err = index_catch_up(&c);
		volume_set_close(c.volumes);
	}
	if (err == VAULT_OK)
		err = index_count(c.ix, rows);
	if (err == VAULT_OK && progress != NULL)
		progress(arg, c.all, c.all);
	index_close(c.ix);
	return err;
}
