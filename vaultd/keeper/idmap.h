/*
 * idmap.h - a bounded hash table: 16-byte keys, values of one fixed size.
 *
 * Open addressing, single-threaded. Keys must be spread by themselves (random
 * ids or keyed hashes). A value's address is valid until the next put.
 */
#ifndef VAULT_KEEPER_IDMAP_H
#define VAULT_KEEPER_IDMAP_H

#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

#define IDMAP_KEY 16u

struct idmap {
	uint8_t *slots;      /* capacity * (1 state + key + value), state first */
	size_t value_size;
	size_t capacity;     /* power of two, or 0 */
	size_t used;         /* entries */
	size_t filled;       /* entries and tombstones */
	size_t max;          /* used never exceeds this */
};

void idmap_init(struct idmap *m, size_t value_size, size_t max);
void idmap_free(struct idmap *m);
/* NULL when absent. */
void *idmap_get(struct idmap *m, const uint8_t key[IDMAP_KEY]);
/* Adds a zeroed value or finds the present one. VAULT_E_FULL at max. */
VAULT_NODISCARD vault_err idmap_put(struct idmap *m, const uint8_t key[IDMAP_KEY], void **value);
void idmap_remove(struct idmap *m, const uint8_t key[IDMAP_KEY]);
/* Walk: *position starts at 0; NULL at the end. Removing the current entry is allowed. */
void *idmap_next(struct idmap *m, size_t *position, const uint8_t **key);

#endif
