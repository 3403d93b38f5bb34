/*
 * encode.c - bodies of the ingest messages between front and keeper.
 *
 * Pure functions on caller's memory. Field order is the struct's order; all
 * integers little-endian. A refusal in an answer ends its body: what follows
 * exists only when nothing was refused.
 */
#include "ipc/codec.h"

#include <string.h>

static void put_cred(struct writer *w, const struct ipc_cred *c)
{
	bool ok = (c->kind == CRED_NONE && c->len == 0) || (c->kind == CRED_SECRET && c->len >= 1 && c->len <= 128) ||
	    (c->kind == CRED_CERT && c->len == 32);

	if (!ok) {
		codec_fail_write(w);
		return;
	}
	write_u8(w, c->kind);
	write_u8(w, c->len);
	write_bytes(w, c->data, c->len);
}

static void get_cred(struct reader *r, struct ipc_cred *c)
{
	memset(c, 0, sizeof(*c));
	c->kind = read_u8(r);
	c->len = read_u8(r);
	bool ok = (c->kind == CRED_NONE && c->len == 0) || (c->kind == CRED_SECRET && c->len >= 1 && c->len <= 128) ||
	    (c->kind == CRED_CERT && c->len == 32);
	if (!ok)
		codec_fail_read(r);
	else
		read_bytes(r, c->data, c->len);
}

static uint8_t get_media(struct reader *r)
{
	uint8_t v = read_u8(r);

	if ((v & ~(MEDIUM_VOICE | MEDIUM_VIDEO)) != 0)
		codec_fail_read(r);
	return v;
}

size_t ipc_admit_encode(uint8_t *out, uint64_t tag, const struct ipc_admit *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u8(&w, m->media);
	codec_put_text(&w, m->tenant, sizeof(m->tenant));
	put_cred(&w, &m->cred);
	return codec_end(&w, out, IPC_ADMIT, tag);
}

vault_err ipc_admit_decode(struct ipc_admit *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_ADMIT);

	if (err != VAULT_OK)
		return err;
	m->media = get_media(&r);
	codec_get_text(&r, m->tenant, sizeof(m->tenant));
	get_cred(&r, &m->cred);
	return codec_done(&r);
}

size_t ipc_admitted_encode(uint8_t *out, uint64_t tag, const struct ipc_admitted *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u32(&w, m->refusal);
	write_u32(&w, m->source);
	write_u8(&w, m->media);
	write_u8(&w, m->consent);
	write_u16(&w, m->tags_len);
	if (m->tags_len >= sizeof(m->tags))
		codec_fail_write(&w);
	else
		write_bytes(&w, m->tags, m->tags_len);
	return codec_end(&w, out, IPC_ADMITTED, tag);
}

vault_err ipc_admitted_decode(struct ipc_admitted *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_ADMITTED);

	if (err != VAULT_OK)
		return err;
	memset(m, 0, sizeof(*m));
	m->refusal = read_u32(&r);
	m->source = read_u32(&r);
	m->media = get_media(&r);
	m->consent = codec_get_flag(&r);
	m->tags_len = read_u16(&r);
	const uint8_t *tags = read_view(&r, m->tags_len);
	if (r.err == VAULT_OK && (m->tags_len >= sizeof(m->tags) || memchr(tags, 0, m->tags_len) != NULL))
		codec_fail_read(&r);
	if (r.err == VAULT_OK)
		memcpy(m->tags, tags, m->tags_len);
	return codec_done(&r);
}

size_t ipc_open_encode(uint8_t *out, uint64_t tag, const struct ipc_open *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u8(&w, m->media);
	write_u8(&w, m->consent_given);
	codec_put_text(&w, m->tenant, sizeof(m->tenant));
	put_cred(&w, &m->cred);
	codec_put_text(&w, m->caller, sizeof(m->caller));
	codec_put_text(&w, m->callee, sizeof(m->callee));
	codec_put_text(&w, m->name, sizeof(m->name));
	if (m->meta_len > METADATA_MAX)
		codec_fail_write(&w);
	else
		write_blob16(&w, m->meta, m->meta_len);
	return codec_end(&w, out, IPC_OPEN, tag);
}

vault_err ipc_open_decode(struct ipc_open *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_OPEN);
	size_t n = 0;

	if (err != VAULT_OK)
		return err;
	m->media = get_media(&r);
	m->consent_given = codec_get_flag(&r);
	codec_get_text(&r, m->tenant, sizeof(m->tenant));
	get_cred(&r, &m->cred);
	codec_get_text(&r, m->caller, sizeof(m->caller));
	codec_get_text(&r, m->callee, sizeof(m->callee));
	codec_get_text(&r, m->name, sizeof(m->name));
	const uint8_t *meta = read_blob16(&r, METADATA_MAX, &n);
	m->meta_len = 0;
	if (r.err == VAULT_OK && n > 0)
		memcpy(m->meta, meta, n);
	if (r.err == VAULT_OK)
		m->meta_len = (uint16_t)n;
	return codec_done(&r);
}

size_t ipc_opened_encode(uint8_t *out, uint64_t tag, const struct ipc_opened *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u32(&w, m->refusal);
	if (m->refusal == VAULT_REFUSAL_none) {
		write_u8(&w, m->existing);
		write_u8(&w, m->ended);
		write_u16(&w, 0);
		write_u32(&w, m->source);
		codec_put_id(&w, &m->id);
		write_u64(&w, m->start_ms);
		write_u64(&w, m->expires_s);
		write_u64(&w, m->until_ms);
		write_u32(&w, m->policy);
		if (m->sealed_len > sizeof(m->sealed))
			codec_fail_write(&w);
		else
			write_blob16(&w, m->sealed, m->sealed_len);
	}
	return codec_end(&w, out, IPC_OPENED, tag);
}

vault_err ipc_opened_decode(struct ipc_opened *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_OPENED);
	size_t n = 0;

	if (err != VAULT_OK)
		return err;
	memset(m, 0, sizeof(*m));
	m->refusal = read_u32(&r);
	if (m->refusal != VAULT_REFUSAL_none)
		return codec_done(&r);
	m->existing = codec_get_flag(&r);
	m->ended = codec_get_flag(&r);
	if (read_u16(&r) != 0)
		codec_fail_read(&r);
	m->source = read_u32(&r);
	codec_get_id(&r, &m->id);
	m->start_ms = read_u64(&r);
	m->expires_s = read_u64(&r);
	m->until_ms = read_u64(&r);
	m->policy = read_u32(&r);
	const uint8_t *sealed = read_blob16(&r, sizeof(m->sealed), &n);
	if (r.err == VAULT_OK && n > 0)
		memcpy(m->sealed, sealed, n);
	m->sealed_len = (uint16_t)(r.err == VAULT_OK ? n : 0);
	return codec_done(&r);
}

size_t ipc_segment_encode(uint8_t *out, uint64_t tag, const struct ipc_segment *m)
{
	struct writer w;

	codec_begin(&w, out);
	codec_put_id(&w, &m->id);
	write_u64(&w, m->start_us);
	return codec_end(&w, out, IPC_SEGMENT, tag);
}

vault_err ipc_segment_decode(struct ipc_segment *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_SEGMENT);

	if (err != VAULT_OK)
		return err;
	codec_get_id(&r, &m->id);
	m->start_us = read_u64(&r);
	return codec_done(&r);
}

size_t ipc_grant_encode(uint8_t *out, uint64_t tag, const struct ipc_grant *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u32(&w, m->refusal);
	if (m->refusal == VAULT_REFUSAL_none) {
		codec_put_id(&w, &m->id);
		write_u32(&w, m->segment);
		write_u64(&w, m->start_us);
		write_bytes(&w, m->salt, sizeof(m->salt));
		write_bytes(&w, m->key.key, sizeof(m->key.key));
		write_bytes(&w, m->key.commit, sizeof(m->key.commit));
	}
	return codec_end(&w, out, IPC_GRANT, tag);
}

vault_err ipc_grant_decode(struct ipc_grant *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_GRANT);

	if (err != VAULT_OK)
		return err;
	memset(m, 0, sizeof(*m));
	m->refusal = read_u32(&r);
	if (m->refusal != VAULT_REFUSAL_none)
		return codec_done(&r);
	codec_get_id(&r, &m->id);
	m->segment = read_u32(&r);
	m->start_us = read_u64(&r);
	read_bytes(&r, m->salt, sizeof(m->salt));
	read_bytes(&r, m->key.key, sizeof(m->key.key));
	read_bytes(&r, m->key.commit, sizeof(m->key.commit));
	return codec_done(&r);
}

size_t ipc_close_encode(uint8_t *out, uint64_t tag, const struct ipc_close *m)
{
	struct writer w;

	codec_begin(&w, out);
	codec_put_id(&w, &m->id);
	write_u32(&w, m->flags);
	write_u32(&w, m->segments);
	write_u64(&w, m->bytes);
	write_u64(&w, m->duration_us);
	return codec_end(&w, out, IPC_CLOSE, tag);
}

vault_err ipc_close_decode(struct ipc_close *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_CLOSE);

	if (err != VAULT_OK)
		return err;
	codec_get_id(&r, &m->id);
	m->flags = read_u32(&r);
	if ((m->flags & ~(CLOSE_TRUNCATED | CLOSE_VOID)) != 0)
		codec_fail_read(&r);
	m->segments = read_u32(&r);
	m->bytes = read_u64(&r);
	m->duration_us = read_u64(&r);
	return codec_done(&r);
}

size_t ipc_closed_encode(uint8_t *out, uint64_t tag, const struct ipc_closed *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u32(&w, m->refusal);
	write_u64(&w, m->expires_s);
	return codec_end(&w, out, IPC_CLOSED, tag);
}

vault_err ipc_closed_decode(struct ipc_closed *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_CLOSED);

	if (err != VAULT_OK)
		return err;
	m->refusal = read_u32(&r);
	m->expires_s = read_u64(&r);
	return codec_done(&r);
}

size_t ipc_source_encode(uint8_t *out, uint64_t tag, const struct ipc_cred *m)
{
	struct writer w;

	codec_begin(&w, out);
	put_cred(&w, m);
	return codec_end(&w, out, IPC_SOURCE, tag);
}

vault_err ipc_source_decode(struct ipc_cred *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_SOURCE);

	if (err != VAULT_OK)
		return err;
	get_cred(&r, m);
	return codec_done(&r);
}
