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

#include <stdint.h>

#include <vault/error.h>
#include <vault/format.h>
#include "front/store/store.h"

struct volume_set;

VAULT_NODISCARD vault_err volume_set_open(struct volume_set **v, int media_fd, const vault_id *vault);
void volume_set_close(struct volume_set *v);

typedef vault_err (*volume_frame_fn)(void *arg, uint32_t lane, uint64_t volume, const struct frame *f, uint64_t offset,
    const uint8_t *payload);
/* from_volume/from_offset: where the index stands (0, 0 = everything). *next: the lane's next volume number. */
VAULT_NODISCARD vault_err volume_set_recover(struct volume_set *v, uint32_t lane, uint64_t from_volume,
    uint64_t from_offset, volume_frame_fn fn, void *arg, uint64_t *next);
/* Appends one frame to an existing or new volume outside a running lane (recovery's end frames). */
VAULT_NODISCARD vault_err volume_set_lanes(struct volume_set *v, uint32_t *lanes);

/* A read-only descriptor for pread, cached; valid until the volume is unlinked or the set is closed. */
VAULT_NODISCARD vault_err volume_set_fd(struct volume_set *v, uint32_t lane, uint64_t volume, int *fd);
/* Frees extents (one lane each); *freed gets the bytes given back. Only after the keys are gone. */
VAULT_NODISCARD vault_err volume_set_release(struct volume_set *v, uint32_t lane, const struct extent *extents,
    size_t n, uint64_t *freed);

#endif
