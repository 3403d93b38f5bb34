/*
 * encode_setup.c - bodies of the messages at start: CONFIGURE, READY, FAILED.
 *
 * Pure functions on caller's memory, as encode.c. CONFIGURE's decoder copies
 * the passphrase: its caller wipes both the struct and the packet.
 */
#include "ipc/codec.h"

#include <string.h>

size_t ipc_configure_encode(uint8_t *out, uint64_t tag, const struct ipc_configure *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u8(&w, m->create);
	write_u8(&w, m->sweep_s);
	write_u8(&w, m->root_ok_cow);
	write_u8(&w, m->sandbox_optional);
	write_bytes(&w, m->first_operator, sizeof(m->first_operator));
	write_bytes(&w, m->first_age, sizeof(m->first_age));
	if (m->pass_len > sizeof(m->pass))
		codec_fail_write(&w);
	else
		write_blob16(&w, m->pass, m->pass_len);
	codec_put_text(&w, m->origin, sizeof(m->origin));
	return codec_end(&w, out, IPC_CONFIGURE, tag);
}

vault_err ipc_configure_decode(struct ipc_configure *m, const struct ipc_packet *p)
{
	struct reader r;
	size_t n = 0;
	vault_err err = codec_read(&r, p, IPC_CONFIGURE);

	if (err != VAULT_OK)
		return err;
	memset(m, 0, sizeof(*m));
	m->create = codec_get_flag(&r);
	m->sweep_s = read_u8(&r);
	m->root_ok_cow = codec_get_flag(&r);
	m->sandbox_optional = codec_get_flag(&r);
	if (m->sweep_s < 1 || m->sweep_s > 60)
		codec_fail_read(&r);
	read_bytes(&r, m->first_operator, sizeof(m->first_operator));
	read_bytes(&r, m->first_age, sizeof(m->first_age));
	const uint8_t *pass = read_blob16(&r, sizeof(m->pass), &n);
	if (r.err == VAULT_OK && n > 0)
		memcpy(m->pass, pass, n);
	m->pass_len = (uint16_t)(r.err == VAULT_OK ? n : 0);
	codec_get_text(&r, m->origin, sizeof(m->origin));
	if (m->origin[0] == '\0')
		codec_fail_read(&r);
	return codec_done(&r);
}

size_t ipc_ready_encode(uint8_t *out, uint64_t tag, const struct ipc_ready *m)
{
	struct writer w;

	codec_begin(&w, out);
	codec_put_id(&w, &m->vault);
	write_bytes(&w, m->audit_pub, sizeof(m->audit_pub));
	write_u32(&w, m->protections);
	write_u8(&w, m->fresh);
	codec_put_text(&w, m->message, sizeof(m->message));
	return codec_end(&w, out, IPC_READY, tag);
}

vault_err ipc_ready_decode(struct ipc_ready *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_READY);

	if (err != VAULT_OK)
		return err;
	codec_get_id(&r, &m->vault);
	read_bytes(&r, m->audit_pub, sizeof(m->audit_pub));
	m->protections = read_u32(&r);
	m->fresh = codec_get_flag(&r);
	codec_get_text(&r, m->message, sizeof(m->message));
	return codec_done(&r);
}

#define FAILED_TEXT_MAX 1022u

size_t ipc_failed_encode(uint8_t *out, uint64_t tag, const char *text)
{
	struct writer w;

	codec_begin(&w, out);
	write_blob16(&w, text, strnlen(text, FAILED_TEXT_MAX));
	return codec_end(&w, out, IPC_FAILED, tag);
}

vault_err ipc_failed_decode(const struct ipc_packet *p, char text[1024])
{
	struct reader r;
	size_t n = 0;
	vault_err err = codec_read(&r, p, IPC_FAILED);

	text[0] = '\0';
	if (err != VAULT_OK)
		return err;
	const uint8_t *view = read_blob16(&r, FAILED_TEXT_MAX, &n);
	err = codec_done(&r);
	if (err != VAULT_OK || n == 0)
		return err;
	if (memchr(view, 0, n) != NULL)
		return VAULT_E_PROTO;
	memcpy(text, view, n);
	text[n] = '\0';
	return VAULT_OK;
}
