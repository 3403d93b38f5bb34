/*
 * frames.h - cuts the incoming byte stream into frames (sans-I/O).
 *
 * Bounded: one frame of at most FRAME_PAYLOAD_MAX bytes is held, whatever the
 * other side sends. Payloads may be opened in place.
 */
#ifndef VAULT_EXPORTER_FRAMES_H
#define VAULT_EXPORTER_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/format.h>

struct frames;

struct frame_view {
	struct frame f;
	const uint8_t *ad;           /* FRAME_AD_BYTES bytes of the header */
	uint8_t *payload;            /* f.length bytes; valid until the next call */
};

VAULT_NODISCARD vault_err frames_new(struct frames **r);
void frames_free(struct frames *r);              /* wipes: payloads are opened in place */
/* Room for input; at least one byte as long as frames_next was called until VAULT_E_SHORT. */
uint8_t *frames_room(struct frames *r, size_t *n);
void frames_filled(struct frames *r, size_t n);
/* VAULT_E_SHORT: more input is needed. Anything else that is not OK is final. */
VAULT_NODISCARD vault_err frames_next(struct frames *r, struct frame_view *v);
/* The input ended: OK between two frames, VAULT_E_SHORT inside one. */
VAULT_NODISCARD vault_err frames_finish(const struct frames *r);

#endif
