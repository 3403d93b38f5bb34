/*
 * g711.c - see g711.h. Computed, not looked up: no table to get wrong.
 */
#include "media/g711.h"

#define ULAW_BIAS 132

int16_t g711_ulaw(uint8_t code)
{
	const int inverted = ~code & 0xff, exponent = (inverted >> 4) & 7;
	const int magnitude = ((((inverted & 15) << 3) + ULAW_BIAS) << exponent) - ULAW_BIAS;

	return (int16_t)((inverted & 0x80) != 0 ? -magnitude : magnitude);
}

int16_t g711_alaw(uint8_t code)
{
	const int toggled = code ^ 0x55, exponent = (toggled >> 4) & 7;
	int magnitude = ((toggled & 15) << 4) + 8;

	if (exponent > 0)
		magnitude = (magnitude + 256) << (exponent - 1);
	return (int16_t)((toggled & 0x80) != 0 ? magnitude : -magnitude);
}
