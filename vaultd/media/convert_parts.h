/*
 * convert_parts.h - the two converters behind convert.c; private to vaultd/media.
 */
#ifndef VAULT_MEDIA_CONVERT_PARTS_H
#define VAULT_MEDIA_CONVERT_PARTS_H

#include "media/convert.h"

struct wav_convert;
VAULT_NODISCARD vault_err wav_convert_new(struct wav_convert **w, const struct convert_options *o);
VAULT_NODISCARD vault_err wav_convert_write(struct wav_convert *w, const uint8_t *data, size_t n);
VAULT_NODISCARD vault_err wav_convert_jump(struct wav_convert *w, uint64_t stream_offset);
VAULT_NODISCARD vault_err wav_convert_offset_at(const struct wav_convert *w, uint64_t at_us, uint64_t *stream_offset);
VAULT_NODISCARD vault_err wav_convert_finish(struct wav_convert *w);
void wav_convert_free(struct wav_convert *w);

struct ogg_convert;
VAULT_NODISCARD vault_err ogg_convert_new(struct ogg_convert **g, const struct convert_options *o);
VAULT_NODISCARD vault_err ogg_convert_write(struct ogg_convert *g, const uint8_t *data, size_t n);
VAULT_NODISCARD vault_err ogg_convert_jump(struct ogg_convert *g);
VAULT_NODISCARD vault_err ogg_convert_finish(struct ogg_convert *g);
void ogg_convert_free(struct ogg_convert *g);

/* Whole units of 1/rate seconds in us; saturates. */
uint64_t units_of_us(uint64_t us, uint64_t rate);

#endif
