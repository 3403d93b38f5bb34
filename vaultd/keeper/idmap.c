/*
 * idmap.c - open addressing with tombstones. See idmap.h.
 */
#include "keeper/idmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/wire.h"

enum { SLOT_FREE = 0, SLOT_USED = 1, SLOT_GONE = 2 };

#define FIRST_CAPACITY 64u
#define SLOT_STATE 8u           /* one byte used; keeps values aligned */

static size_t slot_size(const struct idmap *m)
{
	return SLOT_STATE + IDMAP_KEY + (m->value_size + 7) / 8 * 8;
}

static uint8_t *slot_at(const struct idmap *m, size_t i)
{
	return m->slots + i * slot_size(m);
}

/* The last bytes of an id are its random ones. */
static size_t place_of(const struct idmap *m, const uint8_t *key)
{
	return (size_t)load_le64(key + 8) & (m->capacity - 1);
}

void idmap_init(struct idmap *m, size_t value_size, size_t max)
{
	*m = (struct idmap){ .value_size = value_size, .max = max };
}

void idmap_free(struct idmap *m)
{
	if (m->slots != NULL)
		secret_wipe(m->slots, m->capacity * slot_size(m));
	free(m->slots);
	m->slots = NULL;
	m->capacity = m->used = m->filled = 0;
}

static uint8_t *find(const struct idmap *m, const uint8_t *key)
{
	if (m->capacity == 0)
		return NULL;
	for (size_t i = place_of(m, key);; i = (i + 1) & (m->capacity - 1)) {
		uint8_t *slot = slot_at(m, i);
		if (slot[0] == SLOT_FREE)
			return NULL;
		if (slot[0] == SLOT_USED && memcmp(slot + SLOT_STATE, key, IDMAP_KEY) == 0)
			return slot;
	}
}

void *idmap_get(struct idmap *m, const uint8_t key[IDMAP_KEY])
{
	uint8_t *slot = find(m, key);

	return slot != NULL ? slot + SLOT_STATE + IDMAP_KEY : NULL;
}

static uint8_t *take_slot(struct idmap *m, const uint8_t *key)
{
	size_t i = place_of(m, key);

	while (slot_at(m, i)[0] == SLOT_USED)
		i = (i + 1) & (m->capacity - 1);
	uint8_t *slot = slot_at(m, i);
	if (slot[0] == SLOT_FREE)
		m->filled++;
	memset(slot, 0, slot_size(m));
	slot[0] = SLOT_USED;
	memcpy(slot + SLOT_STATE, key, IDMAP_KEY);
	m->used++;
	return slot;
}

/* A table at most half full of entries, without tombstones. */
static vault_err rebuild(struct idmap *m)
{
	struct idmap next = { .value_size = m->value_size, .max = m->max, .capacity = FIRST_CAPACITY };

	while (next.capacity < m->used * 2 + 2)
		next.capacity *= 2;
	next.slots = calloc(next.capacity, slot_size(m));
	if (next.slots == NULL)
		return VAULT_E_NOMEM;
	for (size_t i = 0; i < m->capacity; i++) {
		const uint8_t *slot = slot_at(m, i);
		if (slot[0] != SLOT_USED)
			continue;
		uint8_t *to = take_slot(&next, slot + SLOT_STATE);
		memcpy(to + SLOT_STATE + IDMAP_KEY, slot + SLOT_STATE + IDMAP_KEY, m->value_size);
	}
	idmap_free(m);
	*m = next;
	return VAULT_OK;
}

vault_err idmap_put(struct idmap *m, const uint8_t key[IDMAP_KEY], void **value)
{
	uint8_t *slot = find(m, key);
	vault_err err;

	if (slot == NULL) {
		if (m->used >= m->max)
			return VAULT_E_FULL;
		if ((m->filled + 1) * 4 > m->capacity * 3) {
			err = rebuild(m);
			if (err != VAULT_OK)
				return err;
		}
		slot = take_slot(m, key);
	}
	*value = slot + SLOT_STATE + IDMAP_KEY;
	return VAULT_OK;
}

void idmap_remove(struct idmap *m, const uint8_t key[IDMAP_KEY])
{
	uint8_t *slot = find(m, key);

	if (slot == NULL)
		return;
	secret_wipe(slot, slot_size(m));
	slot[0] = SLOT_GONE;
	m->used--;
}

void *idmap_next(struct idmap *m, size_t *position, const uint8_t **key)
{
	while (*position < m->capacity) {
		uint8_t *slot = slot_at(m, (*position)++);
		if (slot[0] != SLOT_USED)
			continue;
		if (key != NULL)
			*key = slot + SLOT_STATE;
		return slot + SLOT_STATE + IDMAP_KEY;
	}
	return NULL;
}
