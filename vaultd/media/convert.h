/*
 * convert.h - turn a stored container into what was asked for (exporter only).
 *
 * Takes the recording's plaintext bytes in order and gives output bytes to a
 * sink: as-stored, WAV (PCM s16le) or Ogg/Opus. Memory is bounded whatever
 * arrives; the sink is called with at most CONVERT_PIECE bytes at once, except
 * that as-stored without a range hands every slice through as it came.
 *
 *   input              as-stored, range      wav                     ogg
 *   WAV PCM 16, G.711  same samples, exact   PCM s16le, exact        Opus 24 kbit/s a channel
 *   WAV, other linear  same samples, exact   -                       -
 *   Ogg/Opus           whole packets, exact by pre-skip and end trim decoded, exact   as as-stored with a range
 *   anything           unchanged, no range
 *
 * A range [from_us, to_us) counts from the recording's start. The input of a
 * range may leave bytes out once, behind the container's head (Ogg: and its first
 * page of audio, which places the timeline): convert_jump tells at which offset
 * of the stored stream it goes on.
 *   WAV: the offset must be exact, the samples are found by counting.
 *   Ogg: the offset is not used; the next whole page with a good checksum is
 *        looked for, and its granule position tells the time.
 * Ogg needs RANGE_LEAD_US before from_us: a packet that ends there may have begun
 * on an earlier page, and the decoder settles for 80 ms.
 *
 * WAV output has true sizes when the input is WAV and total_bytes is known;
 * else the streaming sizes 0xFFFFFFFF.
 */
#ifndef VAULT_MEDIA_CONVERT_H
#define VAULT_MEDIA_CONVERT_H

#include <stdint.h>

#include <vault/error.h>
#include "media/probe.h"

#define CONVERT_PIECE 65536u
#define RANGE_LEAD_US 2000000u

struct convert;

/* Where output goes. An error ends the conversion and is given back by the call that caused it. */
typedef vault_err (*convert_sink)(void *arg, const uint8_t *data, size_t n);

struct convert_options {
	enum container container;    /* of the input; NONE: told by its first bytes */
	uint8_t format;              /* enum job_format of ipc/message.h */
	uint64_t from_us, to_us;     /* to_us UINT64_MAX: to the end */
	uint64_t total_bytes;        /* of the stored stream when it ended, else 0 */
	convert_sink sink;
	void *arg;
};

/*
 * Any call: VAULT_E_UNSUPPORTED when this input cannot be given in that format
 * or range, VAULT_E_CORRUPT when its head is broken, VAULT_E_SHORT from
 * convert_finish when it ended before its head or before its samples did.
 * After an error only convert_free may follow.
 */
VAULT_NODISCARD vault_err convert_new(struct convert **c, const struct convert_options *o);
VAULT_NODISCARD vault_err convert_write(struct convert *c, const uint8_t *data, size_t n);
/* The next byte written is at this offset of the stored stream; never backwards, never inside the head. */
VAULT_NODISCARD vault_err convert_jump(struct convert *c, uint64_t stream_offset);
/* WAV only, once the head was written: the offset of the sample at this media time. */
VAULT_NODISCARD vault_err convert_offset_at(const struct convert *c, uint64_t media_us, uint64_t *stream_offset);
VAULT_NODISCARD vault_err convert_finish(struct convert *c);
void convert_free(struct convert *c);

#endif
