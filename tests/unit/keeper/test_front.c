/*
 * test_front.c - a hijacked front (P3, P4): it speaks the protocol, says every
 * message in many orders and with many bodies, but signs nothing. It must never
 * get a key of a stored recording, and the keeper must go on.
 */
#include "fixture.h"

#include <string.h>
#include <sys/socket.h>

#include "base/secret.h"


static const uint16_t types[] = {
#define X(name, number, link, dir, min, max) number,
	IPC_MESSAGES(X)
#undef X
};

#define STORED 4

struct stored {
	vault_id id;
	struct ipc_grant grant;
	uint8_t recording_key[KEY_BYTES];
};

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void store_one(struct fixture *f, struct stored *s)
{
	struct ipc_opened opened;
	struct tree_item item;
	struct tree_secret *secret = secret_alloc(sizeof(*secret));

	assert_non_null(secret);
	fixture_open_recording(f, NULL, "0201234567", &opened);
	s->id = opened.id;
	fixture_grant(f, &s->id, 0, &s->grant);
	assert_int_equal(fixture_close_recording(f, &s->id, 0, 1, 1000), 0);
	assert_int_equal(tree_item_open(f->k->tree, &s->id, &item, secret), VAULT_OK);
	memcpy(s->recording_key, secret->key, KEY_BYTES);
	secret_free(secret);
}

/* Nothing that came may hold a stored key, or be a grant for a stored recording. */
static void check_packet(const struct stored *stored, const uint8_t *packet, size_t n)
{
	struct ipc_packet p;
	struct ipc_grant grant;

	for (int i = 0; i < STORED; i++) {
		assert_null(memmem(packet, n, stored[i].recording_key, KEY_BYTES));
		assert_null(memmem(packet, n, stored[i].grant.key.key, KEY_BYTES));
	}
	assert_int_equal(ipc_parse(&p, packet, n, LINK_FRONT, FROM_KEEPER), VAULT_OK);
	assert_true(p.type != IPC_KEY && p.type != IPC_META_KEY && p.type != IPC_JOB);
	if (p.type != IPC_GRANT || ipc_grant_decode(&grant, &p) != VAULT_OK || grant.refusal != 0)
		return;
	for (int i = 0; i < STORED; i++)
		assert_false(vault_id_equal(&grant.id, &stored[i].id));
}

/* A body with ids of stored recordings, tenant names and the source's secret strewn in. */
static size_t make_body(uint8_t *packet, uint16_t type, const struct stored *stored, uint32_t *seed)
{
	size_t n = next_random(seed) % 200;

	for (size_t i = 0; i < n; i++)
		packet[IPC_HEADER + i] = (uint8_t)next_random(seed);
	if (n > 40 && next_random(seed) % 2 == 0)
		memcpy(packet + IPC_HEADER + (next_random(seed) % 3) * 8, stored[next_random(seed) % STORED].id.b, 16);
	size_t len = ipc_seal(packet, type, next_random(seed), n);
	if (len == 0) {
		/* Out of bounds: say so in a header of our own. */
		packet[0] = (uint8_t)type;
		packet[1] = (uint8_t)(type >> 8);
		packet[2] = packet[3] = 0;
		for (int i = 0; i < 4; i++)
			packet[4 + i] = (uint8_t)(n >> (8 * i));
		len = IPC_HEADER + n;
	}
	return len;
}

/* Well-formed questions about stored recordings. */
static size_t make_question(uint8_t *packet, const struct stored *stored, uint32_t *seed)
{
	const struct stored *s = &stored[next_random(seed) % STORED];
	const struct ipc_segment segment = { .id = s->id, .start_us = 0 };
	const struct ipc_close close_it = { .id = s->id, .flags = next_random(seed) % 4, .segments = 0, .bytes = 0 };
	const struct ipc_released released = { .batch = s->id, .n = 1 };
	const struct ipc_job_done failed = { .job = next_random(seed) % 4, .refusal = 1 };
	const struct ipc_want_key want = { .job = next_random(seed) % 4, .id = s->id };
	const struct ipc_exporter spawned = { .job = next_random(seed) % 4 };
	struct ipc_open open_it = { .tenant = "alpha", .media = MEDIUM_VOICE, .meta_len = 2,
		.cred = { .kind = CRED_SECRET, .len = 8 } };

	memcpy(open_it.cred.data, "secret-a", 8);
	memcpy(open_it.meta, "{}", 2);
	switch (next_random(seed) % 8) {
	case 0: return ipc_segment_encode(packet, 1, &segment);
	case 1: return ipc_close_encode(packet, 2, &close_it);
	case 2: return ipc_released_encode(packet, 3, &released);
	case 3: return ipc_job_failed_encode(packet, 4, &failed);
	case 4: return ipc_want_key_encode(packet, 5, &want);
	case 5: return ipc_spawned_encode(packet, 6, &spawned);
	case 6: return ipc_open_encode(packet, 7, &open_it);
	default: return ipc_reconcile_encode(packet, 8, &s->id, 1);
	}
}

static void drain(struct fixture *f, const struct stored *stored)
{
	uint8_t *packet = malloc(IPC_MAX);
	size_t n;

	assert_non_null(packet);
	assert_true(loop_round(f->k, 0));
	while (ipc_recv(f->front, packet, &n, NULL) == VAULT_OK)
		check_packet(stored, packet, n);
	/* No exporter was ever asked for. */
	assert_int_equal(ipc_recv(f->supervisor, packet, &n, NULL), VAULT_E_AGAIN);
	free(packet);
}

static void test_p3_no_stored_key_without_a_signature(void **state)
{
	struct fixture *f = fixture_new();
	struct stored *stored = calloc(STORED, sizeof(*stored));
	uint32_t seed = 20261123;

	(void)state;
	assert_non_null(stored);
	fixture_subscribe(f, "P30D");
	for (int i = 0; i < STORED; i++)
		store_one(f, &stored[i]);
	for (int round = 0; round < 400; round++) {
		for (int i = 0; i < 12; i++) {
			size_t n = next_random(&seed) % 3 == 0 ? make_question(f->packet, stored, &seed)
			    : make_body(f->packet, types[next_random(&seed) % (sizeof(types) / sizeof(types[0]))], stored, &seed);
			fixture_send(f, f->packet, n);
		}
		drain(f, stored);
	}
	assert_true(f->k->malformed > 100);
	assert_true(fixture_log_has(f, "\"event\":\"link.malformed\""));
	/* The stored recordings are all still there, ended as they were. */
	for (int i = 0; i < STORED; i++) {
		struct tree_item item;
		assert_int_equal(tree_item_get(f->k->tree, &stored[i].id, &item), VAULT_OK);
		assert_int_equal(item.flags & (ITEM_ENDED | ITEM_DOOMED), ITEM_ENDED);
		assert_int_equal(item.bytes, 1000);
	}
	free(stored);
	fixture_free(f);
}

/* Every type twice after every other one, empty and with the smallest body. */
static void test_p4_every_pair_of_types(void **state)
{
	struct fixture *f = fixture_new();
	struct stored *stored = calloc(STORED, sizeof(*stored));

	(void)state;
	assert_non_null(stored);
	fixture_subscribe(f, "P30D");
	for (int i = 0; i < STORED; i++)
		store_one(f, &stored[i]);
	for (size_t a = 0; a < sizeof(types) / sizeof(types[0]); a++) {
		for (size_t b = 0; b < sizeof(types) / sizeof(types[0]); b++) {
			const uint16_t pair[] = { types[a], types[b] };
			for (int i = 0; i < 2; i++) {
				memset(f->packet, 0, 256);
				memcpy(f->packet + IPC_HEADER, stored[0].id.b, 16);
				size_t n = IPC_HEADER;
				for (size_t len = 0; len < 200 && n == IPC_HEADER; len++)
					n = ipc_seal(f->packet, pair[i], 9, len) != 0 ? IPC_HEADER + len : n;
				f->packet[0] = (uint8_t)pair[i];
				fixture_send(f, f->packet, n);
			}
		}
		drain(f, stored);
	}
	assert_false(f->k->finishing);
	free(stored);
	fixture_free(f);
}

/* A packet longer than any, and one shorter than a header. */
static void test_odd_sizes_are_counted(void **state)
{
	struct fixture *f = fixture_new();
	uint8_t *big = calloc(1, IPC_MAX + 100);
	struct stored *none = calloc(STORED, sizeof(*none));

	(void)state;
	assert_true(big != NULL && none != NULL);
	memset(none, 0xa5, STORED * sizeof(*none));
	assert_int_equal(send(f->front, big, IPC_MAX + 100, MSG_NOSIGNAL), IPC_MAX + 100);
	assert_int_equal(send(f->front, big, 3, MSG_NOSIGNAL), 3);
	drain(f, none);
	assert_int_equal(f->k->malformed, 2);
	fixture_ok(f, OPERATOR, "tenant.list", NULL);
	free(big);
	free(none);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_p3_no_stored_key_without_a_signature),
		cmocka_unit_test(test_p4_every_pair_of_types),
		cmocka_unit_test(test_odd_sizes_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
