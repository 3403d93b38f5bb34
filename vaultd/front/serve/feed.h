/*
 * feed.h - what an exporter must be fed for one job, block by block.
 *
 * The loop thread plans (index reads), a worker thread reads the volumes: a
 * block is planned by feed_plan and then filled by feed_read. Memory is one
 * block and the extents of one segment, whatever the recording's length.
 */
#ifndef VAULT_FRONT_SERVE_FEED_H
#define VAULT_FRONT_SERVE_FEED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "front/serve/rows.h"
#include "front/store/volume_set.h"

#define FEED_BLOCK (1024u * 1024u)

struct feed;

/*
 * request: the keeper's ANSWER_JOB. VAULT_E_NOTFOUND: the recording is not there
 * (any more). VAULT_E_INVAL: the request cannot be read.
 */
VAULT_NODISCARD vault_err feed_new(struct feed **f, const json_t *request, const struct rows *rows,
    struct volume_set *volumes);
void feed_free(struct feed *f);
/* Loop thread. VAULT_E_EOF: everything was planned. */
VAULT_NODISCARD vault_err feed_plan(struct feed *f);
/* Any thread, after feed_plan: fills the block. */
VAULT_NODISCARD vault_err feed_read(struct feed *f);
/* The block's bytes, valid until the next feed_plan. */
const uint8_t *feed_block(const struct feed *f, size_t *n);

#endif
