/*
 * key_slab.c - 32-byte key slots carved from a few guarded allocations.
 *
 * The list of free slots is ordinary memory: it holds addresses, never keys.
 */
#include <stdlib.h>
#include <uv.h>

#include "base/secret.h"
#include "crypto/kdf.h"
#include "front/store/pool.h"

#define SLAB_SLOTS ((size_t)1024)
#define SLAB_MAX 256u                /* 262,144 keys in a lane */

struct key_slab {
	uv_mutex_t lock;
	uint8_t *slab[SLAB_MAX];
	size_t n_slabs;
	uint8_t **idle;              /* capacity n_slabs * SLAB_SLOTS */
	size_t n_idle;
};

vault_err key_slab_new(struct key_slab **out)
{
	*out = NULL;
	struct key_slab *k = calloc(1, sizeof *k);
	if (k == NULL)
		return VAULT_E_NOMEM;
	if (uv_mutex_init(&k->lock) != 0) {
		free(k);
		return VAULT_E_NOMEM;
	}
	*out = k;
	return VAULT_OK;
}

void key_slab_free(struct key_slab *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->n_slabs; i++)
		secret_free(k->slab[i]);
	free(k->idle);
	uv_mutex_destroy(&k->lock);
	free(k);
}

static void grow(struct key_slab *k)
{
	if (k->n_slabs == SLAB_MAX)
		return;
	uint8_t **idle = realloc(k->idle, (k->n_slabs + 1) * SLAB_SLOTS * sizeof *idle);
	if (idle == NULL)
		return;
	k->idle = idle;
	uint8_t *slab = secret_alloc(SLAB_SLOTS * KEY_BYTES);
	if (slab == NULL)
		return;
	k->slab[k->n_slabs++] = slab;
	for (size_t i = 0; i < SLAB_SLOTS; i++)
		k->idle[k->n_idle++] = slab + i * KEY_BYTES;
}

uint8_t *key_slab_take(struct key_slab *k)
{
	uint8_t *slot = NULL;

	uv_mutex_lock(&k->lock);
	if (k->n_idle == 0)
		grow(k);
	if (k->n_idle > 0)
		slot = k->idle[--k->n_idle];
	uv_mutex_unlock(&k->lock);
	return slot;
}

void key_slab_give(struct key_slab *k, uint8_t *slot)
{
	if (slot == NULL)
		return;
	secret_wipe(slot, KEY_BYTES);
	uv_mutex_lock(&k->lock);
	k->idle[k->n_idle++] = slot;
	uv_mutex_unlock(&k->lock);
}

size_t key_slab_mappings(const struct key_slab *k)
{
	return k->n_slabs;
}
