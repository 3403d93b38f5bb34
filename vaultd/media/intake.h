/*
 * intake.h - exact pieces out of a byte stream that comes in any slices.
 *
 * A parser asks for the next want bytes as one view, or lets a number of bytes
 * pass. Nothing is copied when a slice holds the whole piece; else at most cap
 * bytes are held. No allocation; the memory is the owner's.
 */
#ifndef VAULT_MEDIA_INTAKE_H
#define VAULT_MEDIA_INTAKE_H

#include <stddef.h>
#include <stdint.h>

struct intake {
	uint8_t *held;
	size_t cap;
	size_t len;                  /* bytes of a piece that is not whole yet */
	uint64_t pass;               /* bytes still to be dropped before the next piece */
	uint64_t pos;                /* stream offset behind the last piece and everything let pass */
};

void intake_init(struct intake *t, uint8_t *held, size_t cap);
/*
 * A view of exactly want (<= cap) bytes, valid until the next call, or NULL when
 * the slice ended first: ask again for the same with the next slice. *p and *n
 * move over what was used. want 0 succeeds once everything let pass is gone.
 */
const uint8_t *intake_take(struct intake *t, size_t want, const uint8_t **p, size_t *n);
/* The next n bytes are of no interest. Saturates. */
void intake_pass(struct intake *t, uint64_t n);

/* units of 1/rate seconds in microseconds; saturates, rate 0 gives 0. */
uint64_t media_us(uint64_t units, uint64_t rate);
/* a + b and a * b that stop at the largest value. */
uint64_t add_saturating(uint64_t a, uint64_t b);
uint64_t mul_saturating(uint64_t a, uint64_t b);

#endif
