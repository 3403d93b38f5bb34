/*
 * attacker.c - see attacker.h. Written from docs/FORMAT.md, "Keys": it shares
 * nothing with the key tree but the primitives of libvault/crypto.
 */
#include "attacker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <xxhash.h>

#include "base/wire.h"
#include "crypto/aead.h"

#define KINDS 3u
enum kind { TENANT, BUCKET, ITEM };

/* Key and value length of a row, and where its sealed part lies in the value. */
static const struct shape {
	size_t key, value, sealed_at, sealed;
} shapes[KINDS] = {
	[TENANT] = {4, 136, 48, 88},
	[BUCKET] = {12, 72, 16, 56},
	[ITEM] = {16, 110, 30, 80},
};

/* A row as it was found: key, clear part, sealed part. Dead when no key that is left opens it. */
struct row {
	uint8_t key[16];
	uint8_t clear[48];
	uint8_t sealed[88];
};

struct rows {
	struct row *p;
	size_t n, cap;
	uint32_t *table;             /* open addressing over index + 1 */
	size_t slots;
};

struct attacker {
	vault_id vault;
	struct rows rows[KINDS];
};

/* A key that he opened, with what it is the key of. */
struct opened {
	uint8_t place[16];
	uint8_t key[KEY_BYTES];
};

struct keyring {
	struct opened *p;
	size_t n, cap;
};

static void *grown(void *p, size_t n, size_t size)
{
	void *q = reallocarray(p, n, size);

	if (q == NULL)
		abort();
	return q;
}

struct attacker *attacker_new(const vault_id *vault)
{
	struct attacker *a = calloc(1, sizeof(*a));

	if (a == NULL)
		abort();
	a->vault = *vault;
	return a;
}

void attacker_free(struct attacker *a)
{
	for (unsigned k = 0; k < KINDS; k++) {
		free(a->rows[k].p);
		free(a->rows[k].table);
	}
	free(a);
}

void attacker_counts(const struct attacker *a, size_t out[3])
{
	for (unsigned k = 0; k < KINDS; k++)
		out[k] = a->rows[k].n;
}

static size_t slot_of(const struct rows *r, const struct row *row)
{
	size_t at = (size_t)XXH3_64bits(row, sizeof(*row)) & (r->slots - 1);

	while (r->table[at] != 0 && memcmp(&r->p[r->table[at] - 1], row, sizeof(*row)) != 0)
		at = (at + 1) & (r->slots - 1);
	return at;
}

static void keep(struct rows *r, const struct row *row)
{
	if (2 * (r->n + 1) > r->slots) {
		r->slots = r->slots == 0 ? 1024 : 2 * r->slots;
		free(r->table);
		if ((r->table = calloc(r->slots, sizeof(*r->table))) == NULL)
			abort();
		for (size_t i = 0; i < r->n; i++)
			r->table[slot_of(r, &r->p[i])] = (uint32_t)i + 1;
	}
	size_t at = slot_of(r, row);
	if (r->table[at] != 0)
		return;
	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 256 : 2 * r->cap;
		r->p = grown(r->p, r->cap, sizeof(*r->p));
	}
	r->p[r->n++] = *row;
	r->table[at] = (uint32_t)r->n;
}

/*
 * An LMDB node is u16 low and u16 high of the value's length, u16 flags, u16
 * key length, key, value: found at any even offset, whatever the page says.
 */
void attacker_copy(struct attacker *a, const uint8_t *data, size_t n)
{
	for (size_t at = 0; at + 8 <= n; at += 2) {
		if (load_le16(data + at + 2) != 0 || load_le16(data + at + 4) != 0)
			continue;
		for (unsigned k = 0; k < KINDS; k++) {
			const struct shape *s = &shapes[k];
			if (load_le16(data + at) != s->value || load_le16(data + at + 6) != s->key ||
			    at + 8 + s->key + s->value > n)
				continue;
			struct row row = {{0}, {0}, {0}};
			const uint8_t *value = data + at + 8 + s->key;
			memcpy(row.key, data + at + 8, s->key);
			/* Only what the wrap's associated data needs: a changed byte count is not another copy. */
			memcpy(row.clear, value, k == TENANT ? 4 : k == ITEM ? 11 : 0);
			memcpy(row.sealed, value + s->sealed_at, s->sealed);
			keep(&a->rows[k], &row);
		}
	}
}

static bool ring_add(struct keyring *r, const uint8_t place[16], const uint8_t key[KEY_BYTES])
{
	for (size_t i = 0; i < r->n; i++) {
		if (memcmp(r->p[i].key, key, KEY_BYTES) == 0 && memcmp(r->p[i].place, place, 16) == 0)
			return false;
	}
	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 64 : 2 * r->cap;
		r->p = grown(r->p, r->cap, sizeof(*r->p));
	}
	memcpy(r->p[r->n].place, place, 16);
	memcpy(r->p[r->n].key, key, KEY_BYTES);
	r->n++;
	return true;
}

static bool unwrap(const struct attacker *a, const struct row *row, enum kind k, const uint8_t *ad_place, size_t n,
    const uint8_t parent[KEY_BYTES], uint8_t out[64])
{
	static const uint8_t level[KINDS] = {'T', 'B', 'I'};
	uint8_t ad[1 + 16 + 28];

	ad[0] = level[k];
	memcpy(ad + 1, a->vault.b, 16);
	memcpy(ad + 17, ad_place, n);
	return aead_unwrap(out, row->sealed, shapes[k].sealed, ad, 17 + n, parent) == VAULT_OK;
}

/* Today's root keys: every slot whose key bytes are not zero, whatever its checksum says. */
static void roots(const uint8_t *slots, size_t n, struct keyring *out)
{
	static const uint8_t none[16], zero_half[KEY_BYTES];
	uint8_t key[KEY_BYTES], epoch[8];

	for (size_t at = 0; at + 4096 <= n; at += 4096) {
		const uint8_t *half = slots + at + 24;
		if (sodium_is_zero(half, KEY_BYTES))
			continue;
		/* The epoch may be torn: he tries those near the other slot's, too. */
		for (uint64_t e = 0; e < 4; e++) {
			uint64_t base = load_le64(slots + 8) > load_le64(slots + 4096 + 8) ? load_le64(slots + 8)
			                                                                 : load_le64(slots + 4096 + 8);
			store_le64(epoch, base + 2 - e);
			const struct kdf_part parts[] = {{zero_half, KEY_BYTES}, {epoch, 8}};
			if (kdf(key, KEY_BYTES, half, "vault root v1", parts, 2) == VAULT_OK)
				(void)ring_add(out, none, key);
		}
	}
}

static void open_tenants(const struct attacker *a, const struct keyring *root, struct keyring *out)
{
	uint8_t plain[64], place[16];

	for (size_t i = 0; i < a->rows[TENANT].n; i++) {
		const struct row *row = &a->rows[TENANT].p[i];
		uint8_t ad[8];
		memcpy(ad, row->key, 4);
		store_be32(ad + 4, load_le32(row->clear));
		memset(place, 0, sizeof(place));
		memcpy(place, row->key, 4);
		for (size_t r = 0; r < root->n; r++) {
			if (unwrap(a, row, TENANT, ad, 8, root->p[r].key, plain))
				(void)ring_add(out, place, plain);
		}
	}
}

static void open_buckets(const struct attacker *a, const struct keyring *tenants, struct keyring *out)
{
	uint8_t plain[64], place[16];

	for (size_t i = 0; i < a->rows[BUCKET].n; i++) {
		const struct row *row = &a->rows[BUCKET].p[i];
		memset(place, 0, sizeof(place));
		memcpy(place, row->key, 12);
		for (size_t k = 0; k < tenants->n; k++) {
			if (memcmp(tenants->p[k].place, row->key, 4) == 0 &&
			    unwrap(a, row, BUCKET, row->key, 12, tenants->p[k].key, plain))
				(void)ring_add(out, place, plain);
		}
	}
}

void attacker_try(struct attacker *a, const uint8_t *slots, size_t n, attacker_fn opened, void *arg)
{
	struct keyring root = {0}, tenants = {0}, buckets = {0};
	uint8_t plain[64], ad[28];

	roots(slots, n, &root);
	open_tenants(a, &root, &tenants);
	open_buckets(a, &tenants, &buckets);
	for (size_t i = 0; i < a->rows[ITEM].n; i++) {
		const struct row *row = &a->rows[ITEM].p[i];
		const uint8_t *c = row->clear;
		uint64_t expires = (uint64_t)load_le32(c + 6) | (uint64_t)c[10] << 32;
		store_be32(ad, (uint32_t)c[0] | (uint32_t)c[1] << 8 | (uint32_t)c[2] << 16);
		store_be32(ad + 4, (uint32_t)(expires / 86400));
		store_be32(ad + 8, (uint32_t)c[3] | (uint32_t)c[4] << 8 | (uint32_t)c[5] << 16);
		memcpy(ad + 12, row->key, 16);
		for (size_t k = 0; k < buckets.n; k++) {
			if (memcmp(buckets.p[k].place, ad, 12) != 0 ||
			    !unwrap(a, row, ITEM, ad, sizeof(ad), buckets.p[k].key, plain))
				continue;
			vault_id id;
			memcpy(id.b, row->key, 16);
			opened(arg, &id, plain);
		}
	}
	free(root.p);
	free(tenants.p);
	free(buckets.p);
}
