/*
 * gone.h - what the keeper forgot disappears here too: rows and space
 * (loop thread; space is freed in uv's worker threads).
 *
 * The keys are gone before this hears of it, so nothing here is urgent, and
 * everything may be repeated: the keeper repeats a batch until it was released.
 */
#ifndef VAULT_FRONT_SERVE_GONE_H
#define VAULT_FRONT_SERVE_GONE_H

#include <stdint.h>
#include <uv.h>

#include <vault/error.h>
#include "front/index/index.h"
#include "front/ingest/ingest.h"
#include "front/keeper_link.h"
#include "front/store/volume_set.h"
#include "ipc/message.h"

struct gone;

struct gone_options {
	uv_loop_t *loop;
	struct keeper_link *keeper;
	struct index *index;
	struct ingest *ingest;
	struct volume_set *volumes;
};

VAULT_NODISCARD vault_err gone_new(struct gone **g, const struct gone_options *o);
/* The memory goes when the loop has run and the workers are done. */
void gone_close(struct gone *g);

/* Keeper pushes; the packet's views die with the call. A packet that cannot be read is logged and dropped. */
void gone_shredded(struct gone *g, const struct ipc_packet *packet);
void gone_row_changed(struct gone *g, const struct ipc_packet *packet);

/*
 * After start: asks the keeper about every row, RECONCILE_MAX at a time, in the
 * background. Rows that it does not know are treated as shredded; expiry and
 * flags are brought up to date; recordings that ended here but not there (a
 * crash in between, index_recover's orphans) are closed.
 */
VAULT_NODISCARD vault_err gone_reconcile(struct gone *g);
/* Bytes given back and recordings dropped since the start. */
uint64_t gone_freed_bytes(const struct gone *g);
uint64_t gone_dropped(const struct gone *g);

#endif
