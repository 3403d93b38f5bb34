/*
 * wire.c - checked little-endian reading and writing with a sticky error.
 *
 * No allocation, no I/O; any thread.
 */
#include <string.h>

#include "base/wire.h"

uint16_t load_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t load_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t load_le64(const uint8_t *p)
{
	return (uint64_t)load_le32(p) | (uint64_t)load_le32(p + 4) << 32;
}

uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

uint64_t load_be64(const uint8_t *p)
{
	return (uint64_t)load_be32(p) << 32 | (uint64_t)load_be32(p + 4);
}

void store_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void store_le32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void store_le64(uint8_t *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void store_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void store_be32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * (3 - i)));
}

void store_be64(uint8_t *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (8 * (7 - i)));
}

void reader_init(struct reader *r, const void *p, size_t n)
{
	*r = (struct reader){.p = p, .left = n, .err = VAULT_OK};
}

const uint8_t *read_view(struct reader *r, size_t n)
{
	/* An empty input may be NULL, yet an empty view of it is not an error. */
	static const uint8_t nothing[1];
	const uint8_t *view = r->p;

	if (r->err)
		return NULL;
	if (n > r->left) {
		r->err = VAULT_E_SHORT;
		return NULL;
	}
	if (n == 0)
		return view ? view : nothing;
	r->p += n;
	r->left -= n;
	return view;
}

uint8_t read_u8(struct reader *r)
{
	const uint8_t *p = read_view(r, 1);

	return p ? *p : 0;
}

uint16_t read_u16(struct reader *r)
{
	const uint8_t *p = read_view(r, 2);

	return p ? load_le16(p) : 0;
}

uint32_t read_u32(struct reader *r)
{
	const uint8_t *p = read_view(r, 4);

	return p ? load_le32(p) : 0;
}

uint64_t read_u64(struct reader *r)
{
	const uint8_t *p = read_view(r, 8);

	return p ? load_le64(p) : 0;
}

void read_bytes(struct reader *r, void *out, size_t n)
{
	const uint8_t *p = read_view(r, n);

	if (n == 0)
		return;
	if (p)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

static const uint8_t *read_blob(struct reader *r, size_t n, size_t max, size_t *len)
{
	const uint8_t *view;

	*len = 0;
	if (!r->err && n > max)
		r->err = VAULT_E_RANGE;
	view = read_view(r, n);
	if (view)
		*len = n;
	return view;
}

const uint8_t *read_blob16(struct reader *r, size_t max, size_t *len)
{
	size_t n = read_u16(r);

	return read_blob(r, n, max, len);
}

const uint8_t *read_blob32(struct reader *r, size_t max, size_t *len)
{
	size_t n = read_u32(r);

	return read_blob(r, n, max, len);
}

vault_err reader_finish(const struct reader *r)
{
	if (r->err)
		return r->err;
	return r->left == 0 ? VAULT_OK : VAULT_E_PROTO;
}

void writer_init(struct writer *w, void *p, size_t cap)
{
	*w = (struct writer){.p = p, .cap = cap, .len = 0, .err = VAULT_OK};
}

/* Room for n bytes, already counted, or NULL with the sticky error set. */
static uint8_t *writer_take(struct writer *w, size_t n)
{
	uint8_t *at;

	if (w->err)
		return NULL;
	if (n > w->cap - w->len) {
		w->err = VAULT_E_RANGE;
		return NULL;
	}
	at = w->p + w->len;
	w->len += n;
	return at;
}

void write_u8(struct writer *w, uint8_t v)
{
	uint8_t *p = writer_take(w, 1);

	if (p)
		*p = v;
}

void write_u16(struct writer *w, uint16_t v)
{
	uint8_t *p = writer_take(w, 2);

	if (p)
		store_le16(p, v);
}

void write_u32(struct writer *w, uint32_t v)
{
	uint8_t *p = writer_take(w, 4);

	if (p)
		store_le32(p, v);
}

void write_u64(struct writer *w, uint64_t v)
{
	uint8_t *p = writer_take(w, 8);

	if (p)
		store_le64(p, v);
}

void write_bytes(struct writer *w, const void *p, size_t n)
{
	uint8_t *at;

	if (n == 0)
		return;
	at = writer_take(w, n);
	if (at)
		memcpy(at, p, n);
}

void write_blob16(struct writer *w, const void *p, size_t n)
{
	if (!w->err && n > UINT16_MAX)
		w->err = VAULT_E_RANGE;
	write_u16(w, (uint16_t)n);
	write_bytes(w, p, n);
}

void write_blob32(struct writer *w, const void *p, size_t n)
{
	if (!w->err && n > UINT32_MAX)
		w->err = VAULT_E_RANGE;
	write_u32(w, (uint32_t)n);
	write_bytes(w, p, n);
}

vault_err writer_finish(const struct writer *w, size_t *len)
{
	*len = w->err ? 0 : w->len;
	return w->err;
}
