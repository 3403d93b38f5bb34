/*
 * open.h - opens one recording: frames in, verified plaintext out (sans-I/O).
 *
 * Refuses every frame that is not the next one of this recording: segments and
 * chunks in order, each authenticated with its place before a byte of it is
 * given on, the segment's key committed to before it is used. At the end the
 * sealed manifest and the keeper's totals must agree with what was opened.
 *
 * For a range, segments may be left out once: behind segment 0, whose first
 * chunks hold the container's head and first media (it may be cut behind those), up to a
 * segment that begins at or before from_us. Where that one lies in the stream is
 * told by a ROW frame {"stream_offset":N} before its open frame; this is the
 * front's word, so the converter only uses it as far as the authenticated start
 * time bears it out. Behind the jump segments are whole and in order, and the
 * last one ends at or after to_us or is the recording's last. The recording's
 * end frame proves nothing about a range and is ignored.
 */
#ifndef VAULT_EXPORTER_OPEN_H
#define VAULT_EXPORTER_OPEN_H

#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include "crypto/kdf.h"
#include "exporter/frames.h"
#include "ipc/message.h"

struct opener;

struct opener_calls {
	/* The key of this segment, from the keeper. */
	vault_err (*key)(void *arg, const struct ipc_want_key *want, struct segment_key *out);
	/* Plaintext, in order. */
	vault_err (*bytes)(void *arg, const uint8_t *p, size_t n);
	/* The next bytes are at this offset of the recording's stream, at this media time. */
	vault_err (*jump)(void *arg, uint64_t offset, uint64_t start_us);
	void *arg;
	bool hash;                   /* compare the manifest's SHA-256, too */
};

struct opener_totals {
	uint32_t segments;
	uint64_t chunks, bytes;
	bool complete;               /* ended in order and everything agrees */
};

VAULT_NODISCARD vault_err opener_new(struct opener **o, const struct ipc_job *job, const struct opener_calls *calls);
void opener_free(struct opener *o);
/* VAULT_E_AUTH: does not open; VAULT_E_PROTO: not the next frame; VAULT_E_CORRUPT: breaks the format. All final. */
VAULT_NODISCARD vault_err opener_frame(struct opener *o, struct frame_view *v);
/* After the last frame. VAULT_E_SHORT: the recording's tail is missing. */
VAULT_NODISCARD vault_err opener_finish(struct opener *o, struct opener_totals *t);

#endif
