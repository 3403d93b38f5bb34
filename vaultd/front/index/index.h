/*
 * index.h - the disposable index over the volumes (LMDB in index/).
 *
 * Rows: recording id -> clear facts; (recording id, segment) -> where it lies.
 * Nothing personal and no key. Written by the loop thread's index timer (about
 * once a second, one transaction), always behind the volume's sync: a row never
 * names a byte that is not durable. Rebuilt from the volumes at any time.
 */
#ifndef VAULT_FRONT_INDEX_H
#define VAULT_FRONT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "front/store/store.h"
#include "front/store/volume_set.h"

#define ROW_LIVE 0u
#define ROW_ENDED 1u
#define ROW_TRUNCATED 2u
#define ROW_TRACKS 4u            /* tracks described in a row; more are only in the sealed metadata */

struct index_track {
	uint8_t medium, codec, channels;
	uint32_t rate;
};

struct index_row {
	vault_id id;
	char tenant[VAULT_TENANT_MAX + 1];
	uint8_t media;
	uint8_t container;
	uint8_t state;               /* ROW_* */
	uint8_t flags;               /* ROW_HELD, ROW_RESTRICTED of ipc/message.h */
	uint8_t n_tracks;
	struct index_track track[ROW_TRACKS];
	uint32_t lane;
	uint32_t source;
	uint32_t policy;
	uint32_t segments;
	uint64_t start_ms;           /* retain-from */
	uint64_t expires_s;
	uint64_t bytes;              /* durable plaintext bytes */
	uint64_t duration_us;
	uint64_t gap_us;
	struct extent open;          /* the recording-open frame */
};

struct index_segment {
	uint32_t segment;
	uint64_t start_us;
	uint64_t stream_offset;      /* plaintext bytes of the recording before this segment */
	size_t n_extents;
	struct extent *extents;      /* owned; index_segment_free */
};
void index_segment_free(struct index_segment *s);
/*
 * Adds a frame that became durable (store_done.where) or was found; joins it to the last extent where it follows on.
 * VAULT_E_EXISTS: it lies before the end of what is there (already counted). The one way to build a segment, so that
 * a rebuilt index equals the one that was written.
 */
VAULT_NODISCARD vault_err index_segment_add(struct index_segment *s, const struct extent *where);

struct index;

/* VAULT_E_CORRUPT: say "vaultctl index rebuild". VAULT_E_BUSY: another daemon has it. */
VAULT_NODISCARD vault_err index_open(struct index **ix, int index_fd, const vault_id *vault);
void index_close(struct index *ix);

VAULT_NODISCARD vault_err index_begin(struct index *ix);
VAULT_NODISCARD vault_err index_commit(struct index *ix);
void index_abort(struct index *ix);
/* Inside begin/commit. */
VAULT_NODISCARD vault_err index_put(struct index *ix, const struct index_row *row);
VAULT_NODISCARD vault_err index_put_segment(struct index *ix, const vault_id *id, const struct index_segment *s);
/* Everything before this position of the lane is in the index. */
VAULT_NODISCARD vault_err index_set_low_water(struct index *ix, uint32_t lane, uint64_t volume, uint64_t offset);
VAULT_NODISCARD vault_err index_delete(struct index *ix, const vault_id *id);   /* row and segments */

/* Reads see the last commit (and the open transaction on the loop thread). */
VAULT_NODISCARD vault_err index_get(struct index *ix, const vault_id *id, struct index_row *row);
VAULT_NODISCARD vault_err index_get_segment(struct index *ix, const vault_id *id, uint32_t segment,
    struct index_segment *out);
/* 0, 0 when nothing is known of the lane. */
VAULT_NODISCARD vault_err index_low_water(struct index *ix, uint32_t lane, uint64_t *volume, uint64_t *offset);
/* Everything a recording occupies, for volume_set_release: its open frame and all segments'. The caller frees. */
VAULT_NODISCARD vault_err index_extents(struct index *ix, const vault_id *id, uint32_t *lane, struct extent **extents,
    size_t *n);

struct index_filter {
	const char *tenant;          /* NULL: all */
	uint8_t media;               /* 0: any */
	/* start_ms, half open; to_ms 0: no end. start_ms is never later than the id's own time. */
	uint64_t from_ms, to_ms;
	vault_id after;              /* cursor: rows behind this id; zero = from the start */
};
typedef vault_err (*index_row_fn)(void *arg, const struct index_row *row);
/* In id (time) order; fn stops the walk by returning anything but OK, which is returned. */
VAULT_NODISCARD vault_err index_walk(struct index *ix, const struct index_filter *f, index_row_fn fn, void *arg);
VAULT_NODISCARD vault_err index_count(struct index *ix, uint64_t *rows);

/*
 * Catch up from the volumes (from the low-water marks) before a lane runs. fn, when not NULL, is told every recording
 * that the index did not know as ended: those whose end lies behind the low-water mark (the keeper may not have heard
 * of it), and those found live. The latter get an unsealed truncated end frame in the lane's newest volume where there
 * is room, and state ROW_TRUNCATED. Commits itself.
 */
typedef void (*index_orphan_fn)(void *arg, const struct index_row *row);
VAULT_NODISCARD vault_err index_recover(struct index *ix, struct volume_set *v, index_orphan_fn fn, void *arg);
/*
 * Offline: empties index_fd and builds it again; progress (may be NULL) is called with bytes done and in all. The
 * vault's id comes from the volumes. Recordings without an end stay ROW_LIVE: the next index_recover closes them and
 * tells. VAULT_E_BUSY: a daemon has the index.
 */
VAULT_NODISCARD vault_err index_rebuild(int index_fd, int media_fd,
    void (*progress)(void *arg, uint64_t done, uint64_t all), void *arg, uint64_t *rows);

/* The clear JSON of a recording-open frame <-> a row (docs/FORMAT.md). */
VAULT_NODISCARD vault_err index_row_to_clear(const struct index_row *row, char **json, size_t *len);
VAULT_NODISCARD vault_err index_row_from_clear(struct index_row *row, const char *json, size_t len);

#endif
