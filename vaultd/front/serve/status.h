/*
 * status.h - the front's part of the status command, and /metrics. Pure.
 */
#ifndef VAULT_FRONT_SERVE_STATUS_H
#define VAULT_FRONT_SERVE_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include "base/buf.h"

/* What the caller gathered from the modules. */
struct status_numbers {
	uint32_t protections;        /* PROTECT_* of this process */
	uint64_t uptime_ms;
	uint64_t streams;            /* live recordings */
	uint64_t connections;
	uint64_t exports;
	uint64_t queued;             /* bytes waiting for the disk */
	bool full;
	bool ready;
	uint64_t recordings;         /* index rows */
	uint64_t damaged;            /* places that recovery found damaged */
	uint64_t dropped;            /* recordings forgotten since the start */
	uint64_t freed_bytes;
	uint64_t bytes_in;           /* durable plaintext bytes since the start */
	uint64_t opened, ended, refused, truncated;
};

/*
 * status: the object in the keeper's {"cmd":"status","status":{...}}; gets the
 * front's members (docs/HTTP.md) in a copy. New reference; NULL when memory is short.
 */
json_t *status_complete(const json_t *status, const struct status_numbers *n);
/* Prometheus text, version 0.0.4. */
VAULT_NODISCARD vault_err status_metrics(const struct status_numbers *n, struct buf *out);

#endif
