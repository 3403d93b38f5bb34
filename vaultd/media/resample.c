/*
 * resample.c - see resample.h. Whole-number positions, so that nothing drifts.
 */
#include "media/resample.h"

#include <string.h>

void resample_init(struct resample *r, uint32_t rate_in, uint32_t rate_out, uint8_t channels)
{
	memset(r, 0, sizeof(*r));
	r->rate_in = rate_in;
	r->rate_out = rate_out;
	r->channels = channels;
}

void resample_put(struct resample *r, const int16_t *pcm)
{
	memmove(r->last[0], r->last[1], 3 * sizeof(r->last[0]));
	for (size_t c = 0; c < r->channels; c++)
		r->last[3][c] = pcm[c];
	r->in++;
}

/* Catmull-Rom between b and c. */
static int16_t between(float a, float b, float c, float d, float t)
{
	const float v = b + 0.5f * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));

	return v >= 32767 ? 32767 : v <= -32768 ? -32768 : (int16_t)v;
}

int resample_next(struct resample *r, int16_t *pcm)
{
	/* Output k lies at k * rate_in / rate_out; last[1] is input number in - 3. */
	const uint64_t whole = r->out / r->rate_out * r->rate_in + r->out % r->rate_out * r->rate_in / r->rate_out;
	const uint64_t rest = r->out % r->rate_out * r->rate_in % r->rate_out;

	if (r->in < 3 || whole > r->in - 3)
		return 0;
	for (size_t c = 0; c < r->channels; c++)
		pcm[c] = between(r->last[0][c], r->last[1][c], r->last[2][c], r->last[3][c],
		    (float)rest / (float)r->rate_out);
	r->out++;
	return 1;
}
