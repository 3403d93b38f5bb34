/*
 * attacker.h - someone who kept a copy of every file at every moment, and now
 * has today's root directory.
 *
 * He looks at raw bytes, not through LMDB: every place in a copied database
 * file that could be a row of a tenant, bucket or item, in live, free and torn
 * pages alike. From the keys that today's root slots hold, whole or damaged, he
 * follows every chain of wraps.
 */
#ifndef VAULT_TESTS_ATTACKER_H
#define VAULT_TESTS_ATTACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/kdf.h"

struct attacker;

struct attacker *attacker_new(const vault_id *vault);
void attacker_free(struct attacker *a);
/* Keeps every sealed row of a copy of keys/data.mdb. */
void attacker_copy(struct attacker *a, const uint8_t *data, size_t n);
/* Opens all he can with today's root/slots; calls opened for each item, maybe more than once. */
typedef void (*attacker_fn)(void *arg, const vault_id *id, const uint8_t key[KEY_BYTES]);
void attacker_try(struct attacker *a, const uint8_t *slots, size_t n, attacker_fn opened, void *arg);
/* Rows kept so far: tenants, buckets, items. */
void attacker_counts(const struct attacker *a, size_t out[3]);

#endif
