/*
 * verify.h - scrubs all volumes in a worker thread: every header and payload
 * checksum, without a key.
 */
#ifndef VAULT_FRONT_SERVE_VERIFY_H
#define VAULT_FRONT_SERVE_VERIFY_H

#include <stdint.h>
#include <uv.h>

#include <vault/error.h>
#include "front/store/volume_set.h"

struct verify;

struct verify_result {
	uint64_t volumes, frames, bytes;
	uint64_t damaged;            /* places that do not check */
};

/* Loop thread, once. err is not OK when the scrub could not be carried through. */
typedef void (*verify_fn)(void *arg, vault_err err, const struct verify_result *r);

VAULT_NODISCARD vault_err verify_start(struct verify **v, uv_loop_t *loop, struct volume_set *volumes, verify_fn fn,
    void *arg);
/* No callback any more; the worker stops at the next frame and the memory goes. */
void verify_cancel(struct verify *v);

/* The same, at once, in the calling thread; *stop may be set from outside. */
VAULT_NODISCARD vault_err verify_run(struct volume_set *volumes, const int *stop, struct verify_result *r);

#endif
