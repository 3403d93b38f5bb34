/*
 * live.h - recordings that are arriving now, on this front's link.
 *
 * Only these get segment keys. In memory: after a restart nothing is live.
 */
#ifndef VAULT_KEEPER_LIVE_H
#define VAULT_KEEPER_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "keeper/idmap.h"

#define LIVE_MAX 65536u

struct live_recording {
	char tenant[VAULT_TENANT_MAX + 1];
	uint32_t number;             /* the tenant's */
	uint32_t source;
	uint32_t next_segment;
	uint8_t media;
	bool stopped;                /* STOP was sent */
	bool closing;                /* CLOSE is in the batch */
	uint64_t until_ms;           /* 0: the subscription has no end */
	uint64_t expires_s;
};

struct live {
	struct idmap map;
};

void live_init(struct live *l);
void live_free(struct live *l);
VAULT_NODISCARD vault_err live_add(struct live *l, const vault_id *id, struct live_recording **r);
struct live_recording *live_find(struct live *l, const vault_id *id);
void live_remove(struct live *l, const vault_id *id);
size_t live_count(const struct live *l);

#endif
