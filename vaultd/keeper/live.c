/*
 * live.c - see live.h.
 */
#include "keeper/live.h"

void live_init(struct live *l)
{
	idmap_init(&l->map, sizeof(struct live_recording), LIVE_MAX);
}

void live_free(struct live *l)
{
	idmap_free(&l->map);
}

vault_err live_add(struct live *l, const vault_id *id, struct live_recording **r)
{
	void *value = NULL;
	vault_err err = idmap_put(&l->map, id->b, &value);

	*r = value;
	return err;
}

struct live_recording *live_find(struct live *l, const vault_id *id)
{
	return idmap_get(&l->map, id->b);
}

void live_remove(struct live *l, const vault_id *id)
{
	idmap_remove(&l->map, id->b);
}

size_t live_count(const struct live *l)
{
	return l->map.used;
}
