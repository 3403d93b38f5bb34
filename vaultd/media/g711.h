/*
 * g711.h - u-law and A-law to linear (ITU-T G.711).
 */
#ifndef VAULT_MEDIA_G711_H
#define VAULT_MEDIA_G711_H

#include <stddef.h>
#include <stdint.h>

int16_t g711_ulaw(uint8_t code);
int16_t g711_alaw(uint8_t code);

#endif
