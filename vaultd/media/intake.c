/*
 * intake.c - see intake.h. Plain memory, any thread; never reads behind a slice.
 */
#include "media/intake.h"

#include <assert.h>
#include <string.h>

#define US_PER_S 1000000u

void intake_init(struct intake *t, uint8_t *held, size_t cap)
{
	*t = (struct intake){.held = held, .cap = cap};
}

const uint8_t *intake_take(struct intake *t, size_t want, const uint8_t **p, size_t *n)
{
	const uint8_t *view;
	size_t k;

	assert(want <= t->cap);
	if (t->pass > 0) {
		k = t->pass < *n ? (size_t)t->pass : *n;
		t->pass -= k;
		*p += k;
		*n -= k;
		if (t->pass > 0)
			return NULL;
	}
	if (t->len == 0 && want > 0 && *n >= want) {
		view = *p;
		*p += want;
		*n -= want;
		t->pos = add_saturating(t->pos, want);
		return view;
	}
	k = want - t->len < *n ? want - t->len : *n;
	if (k > 0) {
		memcpy(t->held + t->len, *p, k);
		*p += k;
		*n -= k;
		t->len += k;
	}
	if (t->len < want)
		return NULL;
	t->len = 0;
	t->pos = add_saturating(t->pos, want);
	return t->held;
}

void intake_pass(struct intake *t, uint64_t n)
{
	t->pass = add_saturating(t->pass, n);
	t->pos = add_saturating(t->pos, n);
}

uint64_t add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t mul_saturating(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

uint64_t media_us(uint64_t units, uint64_t rate)
{
	if (rate == 0)
		return 0;
	/* The remainder is below rate: only a rate beyond 2^44 could overflow here, and then it saturates. */
	return add_saturating(mul_saturating(units / rate, US_PER_S), mul_saturating(units % rate, US_PER_S) / rate);
}
