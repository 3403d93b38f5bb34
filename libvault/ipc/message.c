/*
 * message.c - the message table: bounds and directions, before any body is read.
 *
 * Pure functions on caller's memory, any thread. Never trusts the length field:
 * it must equal what the packet really holds.
 */
#include "ipc/codec.h"

#include <assert.h>
#include <string.h>

struct row {
	const char *name;
	uint16_t type;
	uint8_t link, dir;
	uint32_t min, max;
};

static const struct row table[] = {
#define X(name, number, link, dir, min, max) { #name, (number), (link), (dir), (min), (max) },
	IPC_MESSAGES(X)
#undef X
};

#define X(name, number, link, dir, min, max) \
	static_assert((min) <= (max) && (max) <= IPC_BODY_MAX, "bounds of " #name);
IPC_MESSAGES(X)
#undef X

static const struct row *row_of(uint16_t type)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].type == type)
			return &table[i];
	return NULL;
}

const char *ipc_type_name(uint16_t type)
{
	const struct row *row = row_of(type);

	return row != NULL ? row->name : "unknown";
}

vault_err ipc_parse(struct ipc_packet *p, const uint8_t *packet, size_t n, enum ipc_link link, enum ipc_dir dir)
{
	if (n < IPC_HEADER || n > IPC_MAX)
		return VAULT_E_PROTO;

	uint16_t type = load_le16(packet);
	uint16_t zero = load_le16(packet + 2);
	uint32_t length = load_le32(packet + 4);
	const struct row *row = row_of(type);

	if (row == NULL || zero != 0 || length != n - IPC_HEADER)
		return VAULT_E_PROTO;
	if (row->link != link || row->dir != dir || length < row->min || length > row->max)
		return VAULT_E_PROTO;
	p->type = type;
	p->tag = load_le64(packet + 8);
	p->body = packet + IPC_HEADER;
	p->body_len = length;
	return VAULT_OK;
}

size_t ipc_seal(uint8_t *packet, uint16_t type, uint64_t tag, size_t body_len)
{
	const struct row *row = row_of(type);

	if (row == NULL || body_len < row->min || body_len > row->max)
		return 0;
	store_le16(packet, type);
	store_le16(packet + 2, 0);
	store_le32(packet + 4, (uint32_t)body_len);
	store_le64(packet + 8, tag);
	return IPC_HEADER + body_len;
}

void codec_begin(struct writer *w, uint8_t *out)
{
	writer_init(w, out + IPC_HEADER, IPC_BODY_MAX);
}

size_t codec_end(const struct writer *w, uint8_t *out, uint16_t type, uint64_t tag)
{
	size_t n;

	if (writer_finish(w, &n) != VAULT_OK)
		return 0;
	return ipc_seal(out, type, tag, n);
}

vault_err codec_read(struct reader *r, const struct ipc_packet *p, uint16_t type)
{
	if (p->type != type)
		return VAULT_E_PROTO;
	reader_init(r, p->body, p->body_len);
	return VAULT_OK;
}

vault_err codec_done(const struct reader *r)
{
	return reader_finish(r) == VAULT_OK ? VAULT_OK : VAULT_E_PROTO;
}

void codec_fail_read(struct reader *r)
{
	if (r->err == VAULT_OK)
		r->err = VAULT_E_PROTO;
}

void codec_fail_write(struct writer *w)
{
	if (w->err == VAULT_OK)
		w->err = VAULT_E_RANGE;
}

void codec_put_text(struct writer *w, const char *text, size_t cap)
{
	size_t n = strnlen(text, cap);

	if (n >= cap || n > UINT8_MAX) {
		codec_fail_write(w);
		return;
	}
	write_u8(w, (uint8_t)n);
	write_bytes(w, text, n);
}

void codec_get_text(struct reader *r, char *text, size_t cap)
{
	size_t n = read_u8(r);
	const uint8_t *view = read_view(r, n);

	text[0] = '\0';
	if (r->err != VAULT_OK)
		return;
	if (n >= cap || (n > 0 && memchr(view, 0, n) != NULL)) {
		codec_fail_read(r);
		return;
	}
	if (n > 0)
		memcpy(text, view, n);
	text[n] = '\0';
}

void codec_put_id(struct writer *w, const vault_id *id)
{
	write_bytes(w, id->b, sizeof(id->b));
}

void codec_get_id(struct reader *r, vault_id *id)
{
	read_bytes(r, id->b, sizeof(id->b));
}

uint8_t codec_get_flag(struct reader *r)
{
	uint8_t v = read_u8(r);

	if (v > 1)
		codec_fail_read(r);
	return v;
}
