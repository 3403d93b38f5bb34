/*
 * search.h - which of a tenant's recordings may be read and match.
 *
 * There is no number index: entries are opened one after the other and their
 * keyed tokens compared, in secret memory.
 */
#ifndef VAULT_KEEPER_SEARCH_H
#define VAULT_KEEPER_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>

struct keeper;

struct search {
	uint32_t tenant;
	uint64_t from_ms, to_ms;         /* half open */
	const char *number;              /* NULL: any */
	size_t limit;
};

/* ids: room for limit; in time order. */
VAULT_NODISCARD vault_err search_run(struct keeper *k, const struct search *s, vault_id *ids, size_t *n);
/* Digits with an optional +, as ingest keeps numbers. false: not a number. */
bool search_normalise(const char *text, size_t n, char *out, size_t cap);

#endif
