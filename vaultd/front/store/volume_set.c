/*
 * volume_set.c - which volume files there are, and descriptors to read them.
 *
 * Owns the descriptors it opens. Any thread; the list is locked.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "front/store/set.h"
#include "front/store/volume_file.h"

#define RETIRED_MS 60000u

vault_err volume_set_open(struct volume_set **out, int media_fd, const vault_id *vault)
{
	*out = NULL;
	struct volume_set *v = calloc(1, sizeof *v);
	if (v == NULL)
		return VAULT_E_NOMEM;
	v->media_fd = media_fd;
	v->vault = *vault;
	atomic_init(&v->damaged, 0);
	if (uv_mutex_init(&v->lock) != 0)
		goto no_lock;
	if (uv_mutex_init(&v->release_lock) != 0)
		goto no_release_lock;
	*out = v;
	return VAULT_OK;
no_release_lock:
	uv_mutex_destroy(&v->lock);
no_lock:
	free(v);
	return VAULT_E_NOMEM;
}

static void close_quietly(int fd)
{
	if (fd >= 0 && close(fd) != 0)
		log_warn("event=volume_close_failed errno=%d", errno);
}

void volume_set_close(struct volume_set *v)
{
	if (v == NULL)
		return;
	while (v->volumes != NULL) {
		struct volume *vol = v->volumes;
		v->volumes = vol->next;
		close_quietly(vol->fd);
		free(vol->map.r);
		free(vol);
	}
	while (v->retired != NULL) {
		struct retired *r = v->retired;
		v->retired = r->next;
		close_quietly(r->fd);
		free(r);
	}
	uv_mutex_destroy(&v->release_lock);
	uv_mutex_destroy(&v->lock);
	free(v);
}

static int compare_refs(const void *a, const void *b)
{
	const struct volume_ref *x = a, *y = b;

	if (x->lane != y->lane)
		return x->lane < y->lane ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

vault_err volume_set_list(struct volume_set *v, struct volume_ref **refs, size_t *n)
{
	size_t cap = 0;
	vault_err err = VAULT_OK;
	struct dirent *e;

	*refs = NULL;
	*n = 0;
	int fd = openat(v->media_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return vault_err_from_errno(errno);
	DIR *dir = fdopendir(fd);
	if (dir == NULL) {
		close_quietly(fd);
		return VAULT_E_NOMEM;
	}
	while (err == VAULT_OK && (errno = 0, e = readdir(dir)) != NULL) {
		struct volume_ref ref;
		struct stat sb;
		if (!volume_name_parse(e->d_name, &ref.lane, &ref.number) ||
		    fstatat(v->media_fd, e->d_name, &sb, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(sb.st_mode))
			continue;
		ref.size = (uint64_t)sb.st_size;
		if (*n == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			struct volume_ref *more = realloc(*refs, cap * sizeof *more);
			if (more == NULL) {
				err = VAULT_E_NOMEM;
				break;
			}
			*refs = more;
		}
		(*refs)[(*n)++] = ref;
	}
	if (err == VAULT_OK && errno != 0)
		err = VAULT_E_IO;
	if (closedir(dir) != 0 && err == VAULT_OK)
		err = VAULT_E_IO;
	if (err != VAULT_OK) {
		free(*refs);
		*refs = NULL;
		*n = 0;
	} else if (*n > 0) {
		qsort(*refs, *n, sizeof **refs, compare_refs);
	}
	return err;
}

vault_err volume_set_lanes(struct volume_set *v, uint32_t *lanes)
{
	struct volume_ref *refs;
	size_t n;

	vault_err err = volume_set_list(v, &refs, &n);
	if (err != VAULT_OK)
		return err;
	*lanes = n > 0 ? refs[n - 1].lane + 1 : 0;
	free(refs);
	return VAULT_OK;
}

vault_err set_newest(struct volume_set *v, uint32_t lane, uint64_t *number)
{
	struct volume_ref *refs;
	size_t n;

	vault_err err = volume_set_list(v, &refs, &n);
	if (err != VAULT_OK)
		return err;
	*number = 0;
	for (size_t i = 0; i < n; i++) {
		if (refs[i].lane == lane)
			*number = refs[i].number;
	}
	free(refs);
	return VAULT_OK;
}

vault_err volume_set_next(struct volume_set *v, uint32_t lane, uint64_t after_volume, uint64_t *next)
{
	uint64_t newest;

	vault_err err = set_newest(v, lane, &newest);
	if (err == VAULT_OK)
		*next = (newest > after_volume ? newest : after_volume) + 1;
	return err;
}

uint64_t volume_set_damaged(const struct volume_set *v)
{
	return atomic_load(&v->damaged);
}

void set_damage(struct volume_set *v, uint32_t lane, uint64_t number, uint64_t offset)
{
	atomic_fetch_add(&v->damaged, 1);
	log_error("event=volume_damaged lane=%u volume=%llu offset=%llu", lane, (unsigned long long)number,
	    (unsigned long long)offset);
}

vault_err set_open_file(const struct volume_set *v, uint32_t lane, uint64_t number, int flags, int *out)
{
	char name[VOLUME_NAME];
	struct volume_scan *scan;

	*out = -1;
	volume_name(name, lane, number);
	int fd = openat(v->media_fd, name, flags | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? VAULT_E_NOTFOUND : vault_err_from_errno(errno);
	vault_err err = volume_scan_new(&scan, fd, false);
	if (err == VAULT_OK) {
		const struct volume_header *h = volume_scan_header(scan);
		if (!vault_id_equal(&h->vault, &v->vault) || h->lane != lane || h->number != number)
			err = VAULT_E_CORRUPT;
		volume_scan_free(scan);
	}
	if (err != VAULT_OK) {
		close_quietly(fd);
		return err;
	}
	*out = fd;
	return VAULT_OK;
}

/* lock is held. */
static struct volume *find(struct volume_set *v, uint32_t lane, uint64_t number)
{
	struct volume *vol = v->volumes;

	while (vol != NULL && (vol->lane != lane || vol->number != number))
		vol = vol->next;
	return vol;
}

struct volume *set_volume(struct volume_set *v, uint32_t lane, uint64_t number)
{
	uv_mutex_lock(&v->lock);
	struct volume *vol = find(v, lane, number);
	if (vol == NULL && (vol = calloc(1, sizeof *vol)) != NULL) {
		vol->lane = lane;
		vol->number = number;
		vol->fd = -1;
		vol->next = v->volumes;
		v->volumes = vol;
	}
	uv_mutex_unlock(&v->lock);
	return vol;
}

vault_err volume_set_fd(struct volume_set *v, uint32_t lane, uint64_t number, int *fd)
{
	vault_err err = VAULT_OK;

	*fd = -1;
	uv_mutex_lock(&v->lock);
	struct volume *vol = find(v, lane, number);
	int known = vol != NULL ? vol->fd : -1;
	uv_mutex_unlock(&v->lock);
	if (known >= 0) {
		*fd = known;
		return VAULT_OK;
	}
	int opened;
	err = set_open_file(v, lane, number, O_RDONLY, &opened);
	if (err != VAULT_OK)
		return err;
	vol = set_volume(v, lane, number);
	if (vol == NULL) {
		close_quietly(opened);
		return VAULT_E_NOMEM;
	}
	uv_mutex_lock(&v->lock);
	if (vol->fd < 0) {
		vol->fd = opened;
		opened = -1;                 /* handed to the entry */
	}
	*fd = vol->fd;
	uv_mutex_unlock(&v->lock);
	close_quietly(opened);
	return VAULT_OK;
}

/* lock is held. Readers may still be inside a pread on a retired descriptor: it is closed a minute later. */
static void retire(struct volume_set *v, int fd)
{
	uint64_t now = clock_mono_ms();

	for (struct retired **p = &v->retired; *p != NULL;) {
		struct retired *r = *p;
		if (now - r->since_ms < RETIRED_MS) {
			p = &r->next;
			continue;
		}
		*p = r->next;
		close_quietly(r->fd);
		free(r);
	}
	if (fd < 0)
		return;
	struct retired *r = calloc(1, sizeof *r);
	if (r == NULL)
		return;                      /* the descriptor stays open until the process ends */
	r->fd = fd;
	r->since_ms = now;
	r->next = v->retired;
	v->retired = r;
}

vault_err set_unlink(struct volume_set *v, uint32_t lane, uint64_t number)
{
	char name[VOLUME_NAME];

	volume_name(name, lane, number);
	int fd = openat(v->media_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (unlinkat(v->media_fd, name, 0) != 0 && errno != ENOENT) {
		vault_err err = vault_err_from_errno(errno);
		close_quietly(fd);
		return err;
	}
	if (fd >= 0 && ftruncate(fd, 0) != 0)
		log_warn("event=volume_truncate_failed errno=%d", errno);
	close_quietly(fd);
	uv_mutex_lock(&v->lock);
	for (struct volume **p = &v->volumes; *p != NULL; p = &(*p)->next) {
		struct volume *vol = *p;
		if (vol->lane != lane || vol->number != number)
			continue;
		*p = vol->next;
		retire(v, vol->fd);
		free(vol->map.r);
		free(vol);
		break;
	}
	uv_mutex_unlock(&v->lock);
	if (fsync(v->media_fd) != 0)
		return vault_err_from_errno(errno);
	log_info("event=volume_removed lane=%u volume=%llu", lane, (unsigned long long)number);
	return VAULT_OK;
}
