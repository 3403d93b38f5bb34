/*
 * release.c - giving the space of forgotten recordings back.
 *
 * Frames become FRAME_FREE in place. Order matters for a crash in between: first
 * the free frames' headers, synced; only then the holes, so that no header of a
 * live frame ever stands in front of a punched payload. Neighbours are merged,
 * in the newest volume not across the beginning of a batch, which recovery needs
 * there. A volume that is all free is unlinked, never the newest of its lane.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "front/store/set.h"
#include "front/store/volume_file.h"

/* ---- the free map ---- */

/* Index of the first range that ends behind at. */
static size_t map_find(const struct free_map *m, uint64_t at)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (m->r[mid].end <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool map_covers(const struct free_map *m, uint64_t start, uint64_t end)
{
	for (size_t i = map_find(m, start); i < m->n && m->r[i].start <= start; i++) {
		if (m->r[i].end >= end)
			return true;
		start = m->r[i].end;
	}
	return false;
}

/* Appends; the caller sorts when r does not lie behind every other range. */
static vault_err map_push(struct free_map *m, struct range r)
{
	if (m->n == m->cap) {
		size_t cap = m->cap == 0 ? 64 : m->cap * 2;
		struct range *more = realloc(m->r, cap * sizeof *more);
		if (more == NULL)
			return VAULT_E_NOMEM;
		m->r = more;
		m->cap = cap;
	}
	m->r[m->n++] = r;
	return VAULT_OK;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static bool mergeable(const struct range *a, const struct range *b, bool newest)
{
	return a->end == b->start && (!newest || !b->batch) &&
	    b->end - a->start <= (uint64_t)FRAME_FREE_MAX;
}

/* Sorts and joins neighbours. */
static void map_merge(struct free_map *m, bool newest)
{
	size_t out = 0;

	if (m->n > 0)
		qsort(m->r, m->n, sizeof *m->r, compare_ranges);
	for (size_t i = 0; i < m->n; i++) {
		if (out > 0 && mergeable(&m->r[out - 1], &m->r[i], newest))
			m->r[out - 1].end = m->r[i].end;
		else
			m->r[out++] = m->r[i];
	}
	m->n = out;
}

static bool map_is_all(const struct free_map *m, uint64_t size)
{
	uint64_t at = VOLUME_HEADER_BYTES;

	for (size_t i = 0; i < m->n && m->r[i].start == at; i++)
		at = m->r[i].end;
	return at >= size;
}

/*
 * Reads the headers that are new since the last time, up to limit: in a volume that is still written only what is
 * in front of a durable frame is sure to stay as it is.
 */
static vault_err map_load(struct free_map *m, int fd, bool newest, uint64_t limit)
{
	struct volume_scan *scan;
	struct frame f;
	uint64_t at = 0, behind;

	vault_err err = volume_scan_new(&scan, fd, false);
	if (err != VAULT_OK)
		return err;
	if (m->known < VOLUME_HEADER_BYTES)
		m->known = VOLUME_HEADER_BYTES;
	volume_scan_seek(scan, m->known);
	while (m->known < limit) {
		err = volume_scan_next(scan, &f, &at, NULL);
		if (err == VAULT_OK) {
			m->known = at + frame_span(f.length);
			if (f.type == FRAME_FREE)
				err = map_push(m, (struct range){ at, m->known, (f.flags & FRAME_FLAG_BATCH) != 0 });
		} else if (!newest && (err == VAULT_E_CORRUPT || err == VAULT_E_SHORT)) {
			err = volume_scan_resync(scan, false, &behind);
			if (err == VAULT_E_EOF && at < volume_scan_size(scan)) {
				/* A torn tail that recovery ignored: nobody's space. */
				m->known = volume_scan_size(scan);
				err = map_push(m, (struct range){ at, m->known, false });
				break;
			}
		}
		if (err != VAULT_OK)
			break;
	}
	volume_scan_free(scan);
	return err == VAULT_E_EOF || (newest && (err == VAULT_E_CORRUPT || err == VAULT_E_SHORT)) ? VAULT_OK : err;
}

/* ---- one volume ---- */

struct release {
	struct volume_set *v;
	struct volume *vol;
	int fd;
	bool newest;
	uint64_t size;
	uint64_t freed;
	bool refused;                /* an extent did not fit the frames */
	struct range *fresh;         /* what was freed now, in order */
	size_t n_fresh, cap_fresh;
};

static vault_err fresh_add(struct release *r, struct range range)
{
	if (r->n_fresh == r->cap_fresh) {
		size_t cap = r->cap_fresh == 0 ? 64 : r->cap_fresh * 2;
		struct range *more = realloc(r->fresh, cap * sizeof *more);
		if (more == NULL)
			return VAULT_E_NOMEM;
		r->fresh = more;
		r->cap_fresh = cap;
	}
	r->fresh[r->n_fresh++] = range;
	return VAULT_OK;
}

static vault_err header_at(int fd, uint64_t at, struct frame *f)
{
	uint8_t header[FRAME_HEADER_BYTES];

	ssize_t k = pread(fd, header, sizeof header, (off_t)at);
	if (k < 0)
		return VAULT_E_IO;
	return k == (ssize_t)sizeof header ? frame_decode(f, header) : VAULT_E_CORRUPT;
}

/* Does [start, end) hold whole frames of one recording? Frames that are free already are allowed. */
static vault_err extent_check(const struct release *r, uint64_t start, uint64_t end)
{
	vault_id id = { { 0 } };
	bool any = false;

	for (uint64_t at = start; at < end;) {
		struct frame f;
		vault_err err = header_at(r->fd, at, &f);
		if (err != VAULT_OK)
			return err;
		uint64_t span = frame_span(f.length);
		if (f.type == FRAME_ROW || span > end - at)
			return VAULT_E_CORRUPT;
		if (f.type != FRAME_FREE) {
			if (any && !vault_id_equal(&id, &f.id))
				return VAULT_E_CORRUPT;
			id = f.id;
			any = true;
		}
		at += span;
	}
	return VAULT_OK;
}

/* Adds the extent's live frames to the fresh ranges, split where a batch begins. */
static vault_err extent_take(struct release *r, uint64_t start, uint64_t end)
{
	struct range now = { start, start, false };

	for (uint64_t at = start; at < end;) {
		struct frame f;
		vault_err err = header_at(r->fd, at, &f);
		if (err != VAULT_OK)
			return err;
		uint64_t next = at + frame_span(f.length);
		bool batch = (f.flags & FRAME_FLAG_BATCH) != 0;
		if (now.end > now.start && (batch || f.type == FRAME_FREE)) {
			err = fresh_add(r, now);
			now.start = now.end = at;
		}
		if (f.type == FRAME_FREE) {
			now = (struct range){ next, next, false };
		} else {
			if (now.end == now.start)
				now = (struct range){ at, at, batch };
			now.end = next;
		}
		if (err != VAULT_OK)
			return err;
		at = next;
	}
	return now.end > now.start ? fresh_add(r, now) : VAULT_OK;
}

static vault_err extent_free(struct release *r, const struct extent *e)
{
	uint64_t end = e->offset + e->length;

	if (e->offset < VOLUME_HEADER_BYTES || e->offset % FRAME_ALIGN != 0 || e->length == 0 ||
	    e->length % FRAME_ALIGN != 0 || end < e->offset || end > r->size) {
		r->refused = true;
		return VAULT_OK;
	}
	if (map_covers(&r->vol->map, e->offset, end))
		return VAULT_OK;
	vault_err err = extent_check(r, e->offset, end);
	if (err == VAULT_E_CORRUPT) {
		set_damage(r->v, r->vol->lane, r->vol->number, e->offset);
		r->refused = true;
		return VAULT_OK;
	}
	if (err == VAULT_OK)
		err = extent_take(r, e->offset, end);
	return err;
}

static vault_err write_free_header(int fd, const struct range *range)
{
	uint8_t header[FRAME_HEADER_BYTES];
	struct frame f = { .type = FRAME_FREE, .flags = range->batch ? FRAME_FLAG_BATCH : 0,
		.length = (uint32_t)(range->end - range->start - FRAME_HEADER_BYTES) };

	frame_encode(&f, header);
	return write_all_at(fd, header, sizeof header, range->start);
}

static vault_err zero_range(int fd, uint64_t start, uint64_t end)
{
	static const uint8_t zeros[65536];

	while (start < end) {
		size_t n = end - start < sizeof zeros ? (size_t)(end - start) : sizeof zeros;
		vault_err err = write_all_at(fd, zeros, n, start);
		if (err != VAULT_OK)
			return err;
		start += n;
	}
	return VAULT_OK;
}

static vault_err punch(int fd, const struct range *range)
{
	uint64_t start = range->start + FRAME_HEADER_BYTES;

	if (start >= range->end)
		return VAULT_OK;
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start, (off_t)(range->end - start)) == 0)
		return VAULT_OK;
	if (errno == EOPNOTSUPP || errno == ENOSYS)
		return zero_range(fd, start, range->end);
	return vault_err_from_errno(errno);
}

/* Calls act for every range of the map that holds something fresh. */
static vault_err each_touched(struct release *r, vault_err (*act)(int fd, const struct range *range))
{
	const struct free_map *m = &r->vol->map;
	size_t done = SIZE_MAX;

	for (size_t i = 0; i < r->n_fresh; i++) {
		size_t at = map_find(m, r->fresh[i].start);
		if (at == done)
			continue;
		vault_err err = act(r->fd, &m->r[at]);
		if (err != VAULT_OK)
			return err;
		done = at;
	}
	return VAULT_OK;
}

static vault_err volume_free_extents(struct release *r, const struct extent *e, size_t n)
{
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < n && err == VAULT_OK; i++) {
		if (i > 0 && e[i].offset < e[i - 1].offset + e[i - 1].length)
			r->refused = true;           /* overlaps its neighbour: not from this store */
		else
			err = extent_free(r, &e[i]);
	}
	for (size_t i = 0; i < r->n_fresh && err == VAULT_OK; i++) {
		err = map_push(&r->vol->map, r->fresh[i]);
		r->freed += r->fresh[i].end - r->fresh[i].start;
	}
	if (err != VAULT_OK)
		return err;
	map_merge(&r->vol->map, r->newest);
	if (r->n_fresh == 0)
		return VAULT_OK;
	err = each_touched(r, write_free_header);
	if (err == VAULT_OK && fdatasync(r->fd) != 0)
		err = vault_err_from_errno(errno);
	if (err == VAULT_OK)
		err = each_touched(r, punch);
	if (err == VAULT_OK && fsync(r->fd) != 0)
		err = vault_err_from_errno(errno);
	return err;
}

static vault_err release_volume(struct volume_set *v, uint32_t lane, uint64_t newest, const struct extent *e, size_t n,
    uint64_t *freed, bool *refused)
{
	struct stat sb;
	struct release r = { .v = v, .newest = e->volume >= newest };

	vault_err err = set_open_file(v, lane, e->volume, O_RDWR, &r.fd);
	if (err == VAULT_E_NOTFOUND)
		return VAULT_OK;                     /* unlinked before: all its space is back */
	if (err != VAULT_OK)
		return err;
	r.vol = set_volume(v, lane, e->volume);
	if (r.vol == NULL)
		err = VAULT_E_NOMEM;
	else if (fstat(r.fd, &sb) != 0)
		err = VAULT_E_IO;
	if (err == VAULT_OK) {
		r.size = (uint64_t)sb.st_size;
		err = map_load(&r.vol->map, r.fd, r.newest, r.newest ? e[n - 1].offset + e[n - 1].length : UINT64_MAX);
	}
	if (err == VAULT_OK)
		err = volume_free_extents(&r, e, n);
	if (err != VAULT_OK && r.vol != NULL) {
		r.vol->map.n = 0;                    /* read it again next time */
		r.vol->map.known = 0;
	}
	free(r.fresh);
	if (close(r.fd) != 0 && err == VAULT_OK)
		err = VAULT_E_IO;
	*freed += r.freed;
	*refused |= r.refused;
	return err;
}

/* Unlinks the lane's volumes that are known to be all free, but for the newest. */
static vault_err unlink_dead(struct volume_set *v, uint32_t lane, uint64_t newest)
{
	struct volume_ref *refs;
	size_t n;

	vault_err err = volume_set_list(v, &refs, &n);
	if (err != VAULT_OK)
		return err;
	for (size_t i = 0; i < n && err == VAULT_OK; i++) {
		if (refs[i].lane != lane || refs[i].number >= newest)
			continue;
		struct volume *vol = set_volume(v, lane, refs[i].number);
		if (vol != NULL && vol->map.known > 0 && map_is_all(&vol->map, refs[i].size))
			err = set_unlink(v, lane, refs[i].number);
	}
	free(refs);
	return err;
}

static int compare_extents(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->volume != y->volume)
		return x->volume < y->volume ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

vault_err volume_set_release(struct volume_set *v, uint32_t lane, const struct extent *extents, size_t n,
    uint64_t *freed)
{
	uint64_t newest;
	bool refused = false;

	*freed = 0;
	if (n == 0)
		return VAULT_OK;
	struct extent *e = malloc(n * sizeof *e);
	if (e == NULL)
		return VAULT_E_NOMEM;
	memcpy(e, extents, n * sizeof *e);
	qsort(e, n, sizeof *e, compare_extents);
	uv_mutex_lock(&v->release_lock);
	vault_err err = set_newest(v, lane, &newest);
	for (size_t i = 0; i < n && err == VAULT_OK;) {
		size_t k = i + 1;
		while (k < n && e[k].volume == e[i].volume)
			k++;
		err = release_volume(v, lane, newest, e + i, k - i, freed, &refused);
		i = k;
	}
	if (err == VAULT_OK)
		err = unlink_dead(v, lane, newest);
	uv_mutex_unlock(&v->release_lock);
	free(e);
	return err == VAULT_OK && refused ? VAULT_E_CORRUPT : err;
}
