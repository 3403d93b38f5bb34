/*
 * rows.h - rows of recordings as JSON (docs/HTTP.md), from the index and from
 * the streams that are live (loop thread).
 *
 * Expired rows are never given, whether the sweep has come by or not. Whoever
 * asks was authorised by the keeper; a row of another tenant than the one the
 * keeper named does not exist.
 */
#ifndef VAULT_FRONT_SERVE_ROWS_H
#define VAULT_FRONT_SERVE_ROWS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "front/index/index.h"
#include "front/ingest/ingest.h"

#define ROWS_LIMIT_MAX 500u

/* ingest may be NULL (nothing is live). */
struct rows {
	struct index *index;
	struct ingest *ingest;
};

/* The freshest row of a recording. VAULT_E_NOTFOUND: unknown or expired at now_ms. */
VAULT_NODISCARD vault_err rows_get(const struct rows *r, const vault_id *id, uint64_t now_ms, struct index_row *row);
/* New reference; NULL when memory is short. */
json_t *rows_json(const struct index_row *row);
/* "live", "ended", "truncated". */
const char *rows_state_name(uint8_t state);
/* {"id","state","bytes","duration_ms"}: what a source may know. New reference. */
json_t *rows_state_json(const struct index_row *row);

/*
 * ANSWER_SERVE of list and show (docs/PROTOCOL.md); *out is a new reference.
 * VAULT_E_NOTFOUND: not_found. VAULT_E_INVAL: the request cannot be read.
 */
VAULT_NODISCARD vault_err rows_list(const struct rows *r, const json_t *request, uint64_t now_ms, json_t **out);
VAULT_NODISCARD vault_err rows_show(const struct rows *r, const json_t *request, uint64_t now_ms, json_t **out);

#endif
