/*
 * convert.h - turn a stored container into what was asked for (exporter only).
 *
 * Takes the recording's plaintext bytes in order and gives output bytes:
 * as-stored, WAV (PCM s16le) or Ogg/Opus. A time range keeps the container's
 * head and the pages or samples inside [from, to): sample-exact for WAV, page-
 * exact (Opus pre-roll kept) for Ogg. Input: WAV (PCM 16, u-law, A-law) and
 * Ogg/Opus; anything else only as-stored without a range.
 * Input may start after a jump: convert_jump tells that bytes were left out, so
 * the parser looks for the next page (Ogg) or continues at a byte offset (WAV).
 */
#ifndef VAULT_MEDIA_CONVERT_H
#define VAULT_MEDIA_CONVERT_H

#include <stdint.h>

#include <vault/error.h>
#include "base/buf.h"
#include "media/probe.h"

struct convert;

struct convert_options {
	enum container container;    /* of the input */
	uint8_t format;              /* enum job_format of ipc/message.h */
	uint64_t from_us, to_us;     /* to_us UINT64_MAX: to the end */
	uint64_t total_bytes;        /* of the stored stream when known, else 0 */
};

/* VAULT_E_UNSUPPORTED when this input cannot be given in that format or range. */
VAULT_NODISCARD vault_err convert_new(struct convert **c, const struct convert_options *o);
VAULT_NODISCARD vault_err convert_write(struct convert *c, const uint8_t *data, size_t n, struct buf *out);
/* The next byte written is at this offset of the stored stream. */
VAULT_NODISCARD vault_err convert_jump(struct convert *c, uint64_t stream_offset);
VAULT_NODISCARD vault_err convert_finish(struct convert *c, struct buf *out);
void convert_free(struct convert *c);

#endif
