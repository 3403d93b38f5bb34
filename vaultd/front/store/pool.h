/*
 * pool.h - plaintext buffers and key slots of a lane.
 *
 * Both are shared by the loop thread (takes) and the writer thread (gives back)
 * and lock for themselves. Whatever is given back is wiped first.
 */
#ifndef VAULT_FRONT_STORE_POOL_H
#define VAULT_FRONT_STORE_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <vault/error.h>

#define POOL_CLASSES 9u              /* 4 KiB, 8 KiB ... 1 MiB */
#define POOL_KEEP ((size_t)16 * 1024 * 1024)

struct pool_buffer;

struct buffer_pool {
	uv_mutex_t lock;
	struct pool_buffer *idle[POOL_CLASSES];
	size_t kept;                 /* bytes in idle buffers, <= POOL_KEEP */
};

VAULT_NODISCARD vault_err buffer_pool_init(struct buffer_pool *p);
void buffer_pool_destroy(struct buffer_pool *p);
/* At least n bytes, 64-byte aligned, zeroed; NULL when n is 0, too large, or memory is short. */
uint8_t *buffer_pool_take(struct buffer_pool *p, size_t n);
/* Wipes the whole buffer, whatever part of it was used. NULL is fine. */
void buffer_pool_give(struct buffer_pool *p, uint8_t *data);

/*
 * Key slots: many 32-byte keys in one guarded allocation, so that 10,000
 * streams need a handful of guard-paged, locked mappings and not 10,000.
 */
struct key_slab;

VAULT_NODISCARD vault_err key_slab_new(struct key_slab **k);
void key_slab_free(struct key_slab *k);              /* wipes everything */
uint8_t *key_slab_take(struct key_slab *k);          /* NULL: memory or lock limit exhausted */
void key_slab_give(struct key_slab *k, uint8_t *slot);
size_t key_slab_mappings(const struct key_slab *k);

#endif
