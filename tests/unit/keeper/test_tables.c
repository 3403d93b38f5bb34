/*
 * test_tables.c - the small parts: hash table, send queue, numbers, policy
 * arithmetic.
 */
#include "fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper/policy.h"
#include "keeper/search.h"

static void key_of(uint32_t n, uint8_t key[16])
{
	memset(key, 0, 16);
	memcpy(key + 8, &n, 4);
}

static void test_idmap(void **state)
{
	struct idmap m;
	uint8_t key[16];
	void *value;

	(void)state;
	idmap_init(&m, sizeof(uint32_t), 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		key_of(i, key);
		assert_int_equal(idmap_put(&m, key, &value), VAULT_OK);
		memcpy(value, &i, sizeof(i));
	}
	key_of(1000, key);
	assert_int_equal(idmap_put(&m, key, &value), VAULT_E_FULL);
	assert_null(idmap_get(&m, key));
	for (uint32_t i = 0; i < 1000; i += 2) {
		key_of(i, key);
		idmap_remove(&m, key);
		idmap_remove(&m, key);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		key_of(i, key);
		const uint32_t *got = idmap_get(&m, key);
		assert_true(i % 2 == 0 ? got == NULL : got != NULL && *got == i);
	}
	size_t at = 0, n = 0;
	while (idmap_next(&m, &at, NULL) != NULL)
		n++;
	assert_int_equal(n, 500);
	/* Many rounds of adding and removing do not fill the table. */
	for (uint32_t i = 0; i < 100000; i++) {
		key_of(5000 + i, key);
		assert_int_equal(idmap_put(&m, key, &value), VAULT_OK);
		idmap_remove(&m, key);
	}
	assert_true(m.capacity <= 4096);
	idmap_free(&m);
}

static void test_link_queue_is_bounded(void **state)
{
	struct link l;
	uint8_t *packet = calloc(1, IPC_MAX);
	size_t queued = 0;
	int pair[2];

	(void)state;
	assert_non_null(packet);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	link_init(&l, pair[0], LINK_EXPORTER);
	while (link_queue(&l, packet, IPC_MAX) == VAULT_OK)
		queued++;
	assert_int_equal(queued, LINK_QUEUE_MAX / IPC_MAX);
	assert_true(l.broken);
	link_close(&l);
	link_close(&l);
	assert_int_equal(l.queued, 0);
	assert_int_equal(close(pair[1]), 0);
	free(packet);
}

static void test_link_keeps_order_under_pressure(void **state)
{
	struct link l;
	uint8_t packet[64] = { 0 }, *got = malloc(IPC_MAX);
	uint32_t expect = 0;
	int pair[2];
	size_t n;

	(void)state;
	assert_non_null(got);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	link_init(&l, pair[0], LINK_FRONT);
	for (uint32_t i = 0; i < 5000; i++) {
		memcpy(packet + 20, &i, sizeof(i));
		assert_int_equal(link_queue(&l, packet, sizeof(packet)), VAULT_OK);
	}
	while (link_waiting(&l) || expect < 5000) {
		link_flush(&l);
		assert_false(l.broken);
		while (ipc_recv(pair[1], got, &n, NULL) == VAULT_OK) {
			assert_memory_equal(got + 20, &expect, sizeof(expect));
			expect++;
		}
	}
	assert_int_equal(expect, 5000);
	assert_int_equal(close(pair[1]), 0);
	assert_int_equal(link_queue(&l, packet, sizeof(packet)), VAULT_OK);
	link_flush(&l);
	assert_true(l.broken);
	link_close(&l);
	free(got);
}

static void test_numbers_are_normalised(void **state)
{
	static const char *const good[][2] = {
		{ "+31 (20) 123-45.67", "+31201234567" }, { "tel:0201", "0201" }, { "sip:0201@host;x=y", "0201" },
		{ "SIPS:+1@x", "+1" }, { "5", "5" }, { "[020] 1", "0201" },
	};
	static const char *const bad[] = { "", "+", "12a", "1+2", "anonymous",
		"1234567890123456789012345678901234567890", "tel:", "1\x01" };
	char out[IPC_NUMBER_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(search_normalise(good[i][0], strlen(good[i][0]), out, sizeof(out)));
		assert_string_equal(out, good[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(search_normalise(bad[i], strlen(bad[i]), out, sizeof(out)));
}

static void test_policy_questions(void **state)
{
	struct policy p = { .tenant = "alpha" };
	uint64_t end;
	uint8_t usable;

	(void)state;
	p.medium[0] = (struct policy_medium){ .subscribed = true, .from_ms = 100, .until_ms = 200, .kept = true,
		.duration = { .days = 2 } };
	p.medium[1] = (struct policy_medium){ .subscribed = true, .from_ms = 100, .kept = true, .duration = { .days = 1 } };
	assert_int_equal(policy_judge(&p, MEDIUM_VOICE, 3, 99, &usable), VAULT_REFUSAL_not_subscribed);
	assert_int_equal(policy_judge(&p, MEDIUM_VOICE, 3, 100, &usable), VAULT_REFUSAL_none);
	assert_int_equal(policy_judge(&p, MEDIUM_VOICE, 3, 200, &usable), VAULT_REFUSAL_not_subscribed);
	assert_int_equal(policy_judge(&p, 0, 3, 200, &usable), VAULT_REFUSAL_none);
	assert_int_equal(usable, MEDIUM_VIDEO);
	assert_int_equal(policy_judge(&p, 0, MEDIUM_VOICE, 200, &usable), VAULT_REFUSAL_not_subscribed);
	assert_int_equal(policy_until(&p, 3), 200);
	assert_int_equal(policy_until(&p, MEDIUM_VIDEO), 0);
	/* The shortest retention counts for both (R2, R4). */
	assert_int_equal(policy_expiry(&p, 3, 1000000, &end), VAULT_OK);
	assert_int_equal(end, 1000 + 86400);
	assert_int_equal(policy_expiry(&p, MEDIUM_VOICE, 1000000, &end), VAULT_OK);
	assert_int_equal(end, 1000 + 2 * 86400);
	p.medium[1].kept = false;
	assert_int_equal(policy_expiry(&p, 3, 0, &end), VAULT_E_NOTFOUND);
	assert_int_equal(policy_judge(&p, 3, 3, 150, &usable), VAULT_REFUSAL_no_retention);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idmap), cmocka_unit_test(test_link_queue_is_bounded),
		cmocka_unit_test(test_link_keeps_order_under_pressure), cmocka_unit_test(test_numbers_are_normalised),
		cmocka_unit_test(test_policy_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
