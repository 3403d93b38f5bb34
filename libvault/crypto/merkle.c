/*
 * merkle.c - RFC 6962 hashing of the audit log, kept as the tree's right edge.
 *
 * Pure, any thread, no allocation.
 */
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "crypto/merkle.h"

static_assert(MERKLE_HASH == crypto_hash_sha256_BYTES, "RFC 6962 uses SHA-256");

void merkle_init(struct merkle *m)
{
	memset(m, 0, sizeof(*m));
}

void merkle_leaf(uint8_t out[MERKLE_HASH], const void *data, size_t n)
{
	static const uint8_t prefix = 0x00;
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, &prefix, 1);
	crypto_hash_sha256_update(&state, data, n);
	crypto_hash_sha256_final(&state, out);
}

void merkle_node(uint8_t out[MERKLE_HASH], const uint8_t l[MERKLE_HASH], const uint8_t r[MERKLE_HASH])
{
	uint8_t both[1 + 2 * MERKLE_HASH];

	both[0] = 0x01;
	memcpy(both + 1, l, MERKLE_HASH);
	memcpy(both + 1 + MERKLE_HASH, r, MERKLE_HASH);
	crypto_hash_sha256(out, both, sizeof(both));
}

void merkle_add(struct merkle *m, const uint8_t leaf[MERKLE_HASH])
{
	uint8_t carry[MERKLE_HASH];
	unsigned level = 0;

	/* As in binary addition: every full subtree joins the one of its size to its left. */
	memcpy(carry, leaf, MERKLE_HASH);
	for (; m->size >> level & 1; level++)
		merkle_node(carry, m->edge[level], carry);
	memcpy(m->edge[level], carry, MERKLE_HASH);
	m->size++;
}

void merkle_root(const struct merkle *m, uint8_t out[MERKLE_HASH])
{
	unsigned level = 0;

	if (m->size == 0) {
		crypto_hash_sha256(out, (const uint8_t *)"", 0);
		return;
	}
	while (!(m->size >> level & 1))
		level++;
	memcpy(out, m->edge[level], MERKLE_HASH);
	for (level++; level < 64; level++)
		if (m->size >> level & 1)
			merkle_node(out, m->edge[level], out);
}

void merkle_tile_root(const uint8_t *hashes, size_t n, uint8_t out[MERKLE_HASH])
{
	struct merkle tile;

	merkle_init(&tile);
	for (size_t i = 0; i < n; i++)
		merkle_add(&tile, hashes + i * MERKLE_HASH);
	merkle_root(&tile, out);
}

vault_err merkle_tile_path(int level, uint64_t n, unsigned width, char *out, size_t cap)
{
	char first[24], number[40], last[8];
	size_t at = sizeof(number) - 1;
	int len;

	if (level > 63 || width < 1 || width > MERKLE_TILE)
		return VAULT_E_INVAL;
	if (level < 0)
		(void)snprintf(first, sizeof(first), "entries");
	else
		(void)snprintf(first, sizeof(first), "%d", level);
	/* Groups of three digits from the right; all but the last are marked with an x. */
	number[at] = '\0';
	for (;;) {
		unsigned group = (unsigned)(n % 1000);

		number[--at] = (char)('0' + group % 10);
		number[--at] = (char)('0' + group / 10 % 10);
		number[--at] = (char)('0' + group / 100);
		n /= 1000;
		if (number[at + 3] != '\0')
			number[--at] = 'x';
		if (n == 0)
			break;
		number[--at] = '/';
	}
	last[0] = '\0';
	if (width < MERKLE_TILE)
		(void)snprintf(last, sizeof(last), ".p/%u", width);
	len = snprintf(out, cap, "tile/%s/%s%s", first, number + at, last);
	return len > 0 && (size_t)len < cap ? VAULT_OK : VAULT_E_RANGE;
}
