/*
 * volume_set.h - the volume files of all lanes: recovery, reading, giving space back.
 *
 * Recovery (before any lane starts) scans each lane's volumes from the index's
 * low-water mark, cuts a torn tail of the last one (ftruncate, sync), and tells
 * every frame it passed, so that the index can be caught up. Space: the frames
 * of a shredded recording become FRAME_FREE (header rewritten, payload punched
 * out), neighbours are merged, a volume that holds only free frames is unlinked.
 */
#ifndef VAULT_FRONT_VOLUME_SET_H
#define VAULT_FRONT_VOLUME_SET_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/format.h>
#include "front/store/store.h"

struct volume_set;

/* media_fd stays the caller's. Calls may come from any thread; release excludes itself. */
VAULT_NODISCARD vault_err volume_set_open(struct volume_set **v, int media_fd, const vault_id *vault);
void volume_set_close(struct volume_set *v);

/* payload is set for RECORDING_OPEN, SEGMENT_OPEN and GAP, whose hashes then hold; else NULL. */
typedef vault_err (*volume_frame_fn)(void *arg, uint32_t lane, uint64_t volume, const struct frame *f, uint64_t offset,
    const uint8_t *payload);
/*
 * from_volume/from_offset: where the index stands (0, 0 = everything). *next: the lane's next volume number.
 * Payload hashes of large frames are compared in the last 32 MiB of each volume only: nothing in front of the
 * last batch can be torn. Damage with a whole batch behind it is reported (log, volume_set_damaged) and stays;
 * what is behind it is told. Damage in the last batch is a torn tail: cut from the newest volume, ignored in
 * older ones.
 */
VAULT_NODISCARD vault_err volume_set_recover(struct volume_set *v, uint32_t lane, uint64_t from_volume,
    uint64_t from_offset, volume_frame_fn fn, void *arg, uint64_t *next);
/* Lanes that have volumes: the highest lane number and one; 0 when there is none. */
VAULT_NODISCARD vault_err volume_set_lanes(struct volume_set *v, uint32_t *lanes);
/* The number for store_lane_new: behind every file and behind after_volume (the index's low-water mark). */
VAULT_NODISCARD vault_err volume_set_next(struct volume_set *v, uint32_t lane, uint64_t after_volume, uint64_t *next);
/* Places that recovery found damaged since the set was opened. */
uint64_t volume_set_damaged(const struct volume_set *v);

struct volume_ref {
	uint32_t lane;
	uint64_t number;
	uint64_t size;               /* of the file, with holes */
};
/* All volumes by lane and number; the caller frees *refs. */
VAULT_NODISCARD vault_err volume_set_list(struct volume_set *v, struct volume_ref **refs, size_t *n);

/*
 * Appends frames (n is whole frames) to the lane's newest volume while no lane is running, and syncs: recovery's
 * end frames. VAULT_E_NOTFOUND: the lane has no volume. On failure the file is cut to what it was.
 */
VAULT_NODISCARD vault_err volume_set_append(struct volume_set *v, uint32_t lane, const uint8_t *frames, size_t n,
    uint64_t *volume, uint64_t *offset);

/*
 * A read-only descriptor for pread, cached; valid until the volume is unlinked or the set is closed. A descriptor of
 * an unlinked volume stays open (and reads as empty) for a minute more.
 */
VAULT_NODISCARD vault_err volume_set_fd(struct volume_set *v, uint32_t lane, uint64_t volume, int *fd);
/*
 * Frees extents (one lane each); *freed gets the bytes given back. Only after the keys are gone. Blocks on the disk
 * (two syncs per volume touched): call it from a worker thread. What is free already is skipped, so a release may be
 * repeated after a crash. An extent that does not cover whole frames of one recording is left alone: VAULT_E_CORRUPT
 * at the end, after everything else was done.
 */
VAULT_NODISCARD vault_err volume_set_release(struct volume_set *v, uint32_t lane, const struct extent *extents,
    size_t n, uint64_t *freed);

#endif
