/*
 * age.h - age v1 files (C2SP age.md), X25519 recipients, streaming, no I/O.
 *
 * Writer and reader take bytes and give bytes; the caller owns descriptors.
 * The reader gives out only chunks that verified, and reports a missing final
 * chunk as VAULT_E_SHORT from age_reader_finish. Scrypt and other stanza types
 * are skipped by the reader when an X25519 stanza fits, else VAULT_E_UNSUPPORTED;
 * VAULT_E_AUTH when there are X25519 stanzas but none is for this identity.
 * Errors of both are sticky. secret_setup() ran first.
 */
#ifndef VAULT_CRYPTO_AGE_H
#define VAULT_CRYPTO_AGE_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "base/buf.h"

#define AGE_CHUNK 65536u
#define AGE_RECIPIENT_TEXT 63u      /* "age1..." and NUL */
#define AGE_IDENTITY_TEXT 75u       /* "AGE-SECRET-KEY-1..." and NUL */

VAULT_NODISCARD vault_err age_recipient_format(const uint8_t pub[32], char out[AGE_RECIPIENT_TEXT]);
VAULT_NODISCARD vault_err age_recipient_parse(const char *text, size_t n, uint8_t pub[32]);
VAULT_NODISCARD vault_err age_identity_format(const uint8_t secret[32], char out[AGE_IDENTITY_TEXT]);
VAULT_NODISCARD vault_err age_identity_parse(const char *text, size_t n, uint8_t secret[32]);

struct age_writer;                  /* opaque, in guarded memory */
/* 1..20 recipients (pub keys). Header bytes are appended to out. */
VAULT_NODISCARD vault_err age_writer_new(struct age_writer **w, const uint8_t (*recipients)[32], size_t n,
    struct buf *out);
/* Appends sealed chunks to out as they fill; out must have room for n + n/64Ki*16 + 80 bytes. */
VAULT_NODISCARD vault_err age_writer_write(struct age_writer *w, const void *p, size_t n, struct buf *out);
/* Seals the last chunk. Nothing may be written after it. */
VAULT_NODISCARD vault_err age_writer_finish(struct age_writer *w, struct buf *out);
void age_writer_free(struct age_writer *w);

struct age_reader;
VAULT_NODISCARD vault_err age_reader_new(struct age_reader **r, const uint8_t identity[32]);
/* Takes all of p; appends verified plaintext to out. Any failure is final. */
VAULT_NODISCARD vault_err age_reader_write(struct age_reader *r, const void *p, size_t n, struct buf *out);
VAULT_NODISCARD vault_err age_reader_finish(struct age_reader *r, struct buf *out);
void age_reader_free(struct age_reader *r);

#endif
