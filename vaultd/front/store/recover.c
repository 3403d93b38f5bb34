/*
 * recover.c - after a start: walk the volumes, cut a torn tail, tell the frames.
 *
 * Runs before any lane writes. Cuts nothing but the tail of a lane's newest
 * volume behind the last whole frame, and only when no batch begins behind it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "front/store/set.h"
#include "front/store/volume_file.h"

/* More than the largest batch: only the last one can be torn. */
#define TAIL_BYTES (2ull * STORE_BATCH_MAX)
static_assert(TAIL_BYTES > STORE_BATCH_MAX + 2 * STORE_CHUNK_MAX, "the tail holds a whole batch");

static bool tells_payload(uint8_t type)
{
	return type == FRAME_RECORDING_OPEN || type == FRAME_SEGMENT_OPEN || type == FRAME_GAP;
}

struct walk {
	struct volume_set *v;
	uint32_t lane;
	uint64_t number;
	bool newest;
	volume_frame_fn fn;
	void *arg;
};

/* The next frame with its payload where it is told; CORRUPT also when that payload's hash does not hold. */
static vault_err next_frame(struct volume_scan *scan, struct frame *f, uint64_t *at, const uint8_t **payload,
    uint64_t *position)
{
	*payload = NULL;
	volume_scan_check(scan, *position + TAIL_BYTES >= volume_scan_size(scan));
	vault_err err = volume_scan_next(scan, f, at, NULL);
	if (err == VAULT_OK && tells_payload(f->type)) {
		err = volume_scan_payload(scan, payload);
		if (err == VAULT_OK && !frame_payload_intact(f, *payload))
			err = VAULT_E_CORRUPT;
	}
	if (err == VAULT_OK)
		*position = *at + frame_span(f->length);
	return err;
}

static vault_err cut_tail(const struct walk *w, int fd, uint64_t at)
{
	log_warn("event=torn_tail lane=%u volume=%llu offset=%llu cut=%d", w->lane, (unsigned long long)w->number,
	    (unsigned long long)at, (int)w->newest);
	if (!w->newest)
		return VAULT_OK;
	if (ftruncate(fd, (off_t)at) != 0 || fsync(fd) != 0)
		return vault_err_from_errno(errno);
	return VAULT_OK;
}

static vault_err walk_frames(const struct walk *w, struct volume_scan *scan, int fd, uint64_t from)
{
	uint64_t position = from < VOLUME_HEADER_BYTES ? VOLUME_HEADER_BYTES : from;

	volume_scan_seek(scan, position);
	if (position > volume_scan_size(scan)) {
		set_damage(w->v, w->lane, w->number, position);
		return VAULT_OK;
	}
	for (;;) {
		struct frame f;
		const uint8_t *payload;
		uint64_t at, behind;
		vault_err err = next_frame(scan, &f, &at, &payload, &position);
		if (err == VAULT_E_EOF)
			return VAULT_OK;
		if (err == VAULT_OK)
			err = w->fn(w->arg, w->lane, w->number, &f, at, payload);
		else if (err == VAULT_E_CORRUPT || err == VAULT_E_SHORT) {
			volume_scan_seek(scan, at);
			err = volume_scan_resync(scan, true, &behind);
			if (err == VAULT_E_EOF)
				return cut_tail(w, fd, at);
			if (err != VAULT_OK)
				return err;
			set_damage(w->v, w->lane, w->number, at);
			volume_scan_seek(scan, at);
			err = volume_scan_resync(scan, false, &position);
		}
		if (err != VAULT_OK)
			return err;
	}
}

static vault_err recover_volume(const struct walk *w, uint64_t size, uint64_t from)
{
	struct volume_scan *scan;
	int fd;

	vault_err err = set_open_file(w->v, w->lane, w->number, O_RDWR, &fd);
	if (err == VAULT_E_SHORT || (err == VAULT_E_CORRUPT && size <= VOLUME_HEADER_BYTES)) {
		/* Begun, but its header never became durable: nothing in it was acknowledged. */
		if (w->newest)
			return set_unlink(w->v, w->lane, w->number);
		set_damage(w->v, w->lane, w->number, 0);
		return VAULT_OK;
	}
	if (err != VAULT_OK)
		return err;
	err = volume_scan_new(&scan, fd, false);
	if (err == VAULT_OK) {
		err = walk_frames(w, scan, fd, from);
		volume_scan_free(scan);
	}
	if (close(fd) != 0 && err == VAULT_OK)
		err = VAULT_E_IO;
	return err;
}

vault_err set_all_free(struct volume_set *v, uint32_t lane, uint64_t number, bool *all_free)
{
	struct volume_scan *scan;
	struct frame f;
	uint64_t at;
	int fd;

	*all_free = false;
	vault_err err = set_open_file(v, lane, number, O_RDONLY, &fd);
	if (err != VAULT_OK)
		return err;
	err = volume_scan_new(&scan, fd, false);
	if (err == VAULT_OK) {
		while ((err = volume_scan_next(scan, &f, &at, NULL)) == VAULT_OK && f.type == FRAME_FREE)
			continue;
		*all_free = err == VAULT_E_EOF;
		volume_scan_free(scan);
	}
	(void)close(fd);
	return VAULT_OK;
}

vault_err volume_set_recover(struct volume_set *v, uint32_t lane, uint64_t from_volume, uint64_t from_offset,
    volume_frame_fn fn, void *arg, uint64_t *next)
{
	struct walk w = { .v = v, .lane = lane, .fn = fn, .arg = arg };
	struct volume_ref *refs;
	uint64_t newest;
	size_t n;

	vault_err err = set_newest(v, lane, &newest);
	if (err == VAULT_OK)
		err = volume_set_list(v, &refs, &n);
	if (err != VAULT_OK)
		return err;
	for (size_t i = 0; i < n && err == VAULT_OK; i++) {
		bool dead = false;
		if (refs[i].lane != lane)
			continue;
		w.number = refs[i].number;
		w.newest = w.number == newest;
		if (w.number >= from_volume)
			err = recover_volume(&w, refs[i].size, w.number == from_volume ? from_offset : 0);
		if (err == VAULT_OK && !w.newest && set_all_free(v, lane, w.number, &dead) == VAULT_OK && dead)
			err = set_unlink(v, lane, w.number);
	}
	free(refs);
	if (err != VAULT_OK)
		return err;
	*next = (newest > from_volume ? newest : from_volume) + 1;
	return VAULT_OK;
}

vault_err volume_set_append(struct volume_set *v, uint32_t lane, const uint8_t *frames, size_t n, uint64_t *volume,
    uint64_t *offset)
{
	struct stat sb;
	int fd;

	if (n == 0 || n % FRAME_ALIGN != 0)
		return VAULT_E_INVAL;
	vault_err err = set_newest(v, lane, volume);
	if (err != VAULT_OK)
		return err;
	if (*volume == 0)
		return VAULT_E_NOTFOUND;
	err = set_open_file(v, lane, *volume, O_RDWR, &fd);
	if (err != VAULT_OK)
		return err;
	if (fstat(fd, &sb) != 0 || sb.st_size % (off_t)FRAME_ALIGN != 0) {
		err = VAULT_E_CORRUPT;
	} else {
		*offset = (uint64_t)sb.st_size;
		err = write_all_at(fd, frames, n, *offset);
		if (err == VAULT_OK && fdatasync(fd) != 0)
			err = vault_err_from_errno(errno);
		if (err != VAULT_OK)
			(void)!ftruncate(fd, sb.st_size);
	}
	if (close(fd) != 0 && err == VAULT_OK)
		err = VAULT_E_IO;
	return err;
}
