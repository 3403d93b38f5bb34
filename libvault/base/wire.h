/*
 * wire.h - checked reading and writing of little-endian wire data.
 *
 * Both carry a sticky error: after the first failure every further call does
 * nothing and reads return zero, so the caller checks once, at the end.
 */
#ifndef VAULT_BASE_WIRE_H
#define VAULT_BASE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

struct reader {
	const uint8_t *p;
	size_t left;
	vault_err err;
};

void reader_init(struct reader *r, const void *p, size_t n);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
void read_bytes(struct reader *r, void *out, size_t n);
/* A view of n bytes inside the input; NULL after an error. */
const uint8_t *read_view(struct reader *r, size_t n);
/* u16 length, then that many bytes, at most max: view and length. */
const uint8_t *read_blob16(struct reader *r, size_t max, size_t *len);
const uint8_t *read_blob32(struct reader *r, size_t max, size_t *len);
/* OK only when nothing failed and everything was read. */
VAULT_NODISCARD vault_err reader_finish(const struct reader *r);

struct writer {
	uint8_t *p;
	size_t cap;
	size_t len;
	vault_err err;
};

void writer_init(struct writer *w, void *p, size_t cap);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);
void write_u64(struct writer *w, uint64_t v);
void write_bytes(struct writer *w, const void *p, size_t n);
void write_blob16(struct writer *w, const void *p, size_t n);
void write_blob32(struct writer *w, const void *p, size_t n);
VAULT_NODISCARD vault_err writer_finish(const struct writer *w, size_t *len);

/* Fixed-width loads and stores on raw memory; the caller knows the size. */
uint16_t load_le16(const uint8_t *p);
uint32_t load_le32(const uint8_t *p);
uint64_t load_le64(const uint8_t *p);
uint16_t load_be16(const uint8_t *p);
uint32_t load_be32(const uint8_t *p);
uint64_t load_be64(const uint8_t *p);
void store_le16(uint8_t *p, uint16_t v);
void store_le32(uint8_t *p, uint32_t v);
void store_le64(uint8_t *p, uint64_t v);
void store_be16(uint8_t *p, uint16_t v);
void store_be32(uint8_t *p, uint32_t v);
void store_be64(uint8_t *p, uint64_t v);

#endif
