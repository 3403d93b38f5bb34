/*
 * set.h - inside of the volume set; shared by volume_set.c, recover.c and
 * release.c. Nobody else includes it.
 */
#ifndef VAULT_FRONT_STORE_SET_H
#define VAULT_FRONT_STORE_SET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "format/scan.h"
#include "front/store/volume_set.h"

struct range {
	uint64_t start, end;         /* file offsets of whole frames, start < end */
	bool batch;                  /* its first frame carries FRAME_FLAG_BATCH */
};

/* What of a volume is free. Sorted, no overlaps. Covers frames before known. */
struct free_map {
	struct range *r;
	size_t n, cap;
	uint64_t known;              /* a frame boundary; 0: nothing loaded yet */
};

struct volume {
	struct volume *next;
	uint32_t lane;
	uint64_t number;
	int fd;                      /* read-only; -1 until wanted; guarded by set.lock */
	struct free_map map;         /* guarded by set.release_lock */
};

struct retired {
	struct retired *next;
	int fd;
	uint64_t since_ms;
};

struct volume_set {
	int media_fd;
	vault_id vault;
	uv_mutex_t lock;             /* the lists, never held over disk work but open */
	uv_mutex_t release_lock;     /* one release at a time */
	struct volume *volumes;
	struct retired *retired;
	_Atomic uint64_t damaged;
};

/* Opens the file and checks that its header is this vault's, this lane's, this number's. flags: O_RDONLY or O_RDWR. */
VAULT_NODISCARD vault_err set_open_file(const struct volume_set *v, uint32_t lane, uint64_t number, int flags, int *fd);
/* The entry of a volume, made when new. NULL when memory is short. Takes and gives lock. */
struct volume *set_volume(struct volume_set *v, uint32_t lane, uint64_t number);
/* Unlinks the file, gives its space back at once and retires its descriptor. */
VAULT_NODISCARD vault_err set_unlink(struct volume_set *v, uint32_t lane, uint64_t number);
/* Highest number of the lane's files; 0 when there is none. */
VAULT_NODISCARD vault_err set_newest(struct volume_set *v, uint32_t lane, uint64_t *number);
/* Reports a damaged place. */
void set_damage(struct volume_set *v, uint32_t lane, uint64_t number, uint64_t offset);
/* Is every frame of the volume free? Reads headers from the front until one is not. */
VAULT_NODISCARD vault_err set_all_free(struct volume_set *v, uint32_t lane, uint64_t number, bool *all_free);

#endif
