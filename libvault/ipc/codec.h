/*
 * codec.h - what the encoders share; private to libvault/ipc.
 *
 * A text is u8 length and that many bytes without NUL. Every decoder ends with
 * reader_finish, so a body with anything behind its last field is refused.
 */
#ifndef VAULT_IPC_CODEC_H
#define VAULT_IPC_CODEC_H

#include "base/wire.h"
#include "ipc/message.h"

/* Begins a body behind the header of out. */
void codec_begin(struct writer *w, uint8_t *out);
/* The packet's length, or 0 when a field broke its limit or the body its bounds. */
size_t codec_end(const struct writer *w, uint8_t *out, uint16_t type, uint64_t tag);
/* VAULT_E_PROTO unless the packet has this type; then r reads its body. */
VAULT_NODISCARD vault_err codec_read(struct reader *r, const struct ipc_packet *p, uint16_t type);
/* VAULT_OK or VAULT_E_PROTO: everything read and nothing left. */
VAULT_NODISCARD vault_err codec_done(const struct reader *r);

/* cap counts the final NUL of the struct's array. */
void codec_put_text(struct writer *w, const char *text, size_t cap);
void codec_get_text(struct reader *r, char *text, size_t cap);
void codec_put_id(struct writer *w, const vault_id *id);
void codec_get_id(struct reader *r, vault_id *id);
/* A byte that is 0 or 1. */
uint8_t codec_get_flag(struct reader *r);
void codec_fail_read(struct reader *r);
void codec_fail_write(struct writer *w);

#endif
