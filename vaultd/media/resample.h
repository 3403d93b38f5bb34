/*
 * resample.h - any rate of 8 to 48 kHz to 48 kHz, for speech: four-point cubic
 * interpolation, no delay beyond two samples, exact length.
 */
#ifndef VAULT_MEDIA_RESAMPLE_H
#define VAULT_MEDIA_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

#define RESAMPLE_CHANNELS 2u

struct resample {
	uint32_t rate_in, rate_out;
	uint8_t channels;
	int16_t last[4][RESAMPLE_CHANNELS];  /* the newest four input samples, oldest first */
	uint64_t in, out;                    /* samples taken and given, per channel */
};

void resample_init(struct resample *r, uint32_t rate_in, uint32_t rate_out, uint8_t channels);
/* Takes one sample of every channel; returns how many more outputs it made ready for resample_next. */
void resample_put(struct resample *r, const int16_t *pcm);
/* The next output sample of every channel; 0 when more input is needed. */
int resample_next(struct resample *r, int16_t *pcm);

#endif
