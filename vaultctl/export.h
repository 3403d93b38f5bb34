/*
 * export.h - takes an age stream apart with the caller's own key and keeps the
 * result only when the stream is whole.
 *
 * A file is written under a temporary name in its directory and renamed after
 * the last chunk verified and everything is synced; until then nothing has the
 * result's name. Whatever fails, the temporary file is removed.
 */
#ifndef VAULTCTL_EXPORT_H
#define VAULTCTL_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ctl.h"
#include "progress.h"

struct export;

/* Where the plaintext goes: exactly one of them. */
struct export_target {
	const char *path;                /* a file; "-" is standard output */
	struct buf *memory;              /* the caller's, bounded by its max */
};

/* sealed: keep the age stream itself (it is still verified). Exit code, explained. */
int export_new(struct export **e, const struct sign_key *key, const struct export_target *target, bool sealed,
    bool progress);
/* api_stream_fn and its begin, arg is the struct export. */
int export_write(void *arg, const void *p, size_t n);
void export_begin(void *arg, uint64_t length);
/* Ends the stream: CTL_OK only when it was whole and is safely stored. code is what the transfer gave. Frees e. */
int export_finish(struct export *e, int code, uint64_t *bytes);

#endif
