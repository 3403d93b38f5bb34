/*
 * attack_keeper_link.c - a keeper that does not read: the queue to it says when
 * it is full enough, and empties again (P10).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/keeper_link.h"

static void on_push(void *arg, const struct ipc_packet *packet)
{
	(void)arg;
	(void)packet;
}

static void test_p10_queue_says_that_it_is_busy(void **state)
{
	uint8_t *packet = calloc(1, IPC_MAX);
	char token[1000];
	struct keeper_link *k;
	uv_loop_t loop;
	size_t asked = 0, read = 0, n;
	int pair[2];

	(void)state;
	assert_non_null(packet);
	memset(token, 'x', sizeof(token));
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(keeper_link_new(&k, &loop, pair[0], on_push, NULL), VAULT_OK);
	while (!keeper_link_busy(k)) {
		const struct ipc_command m = { .token = token, .token_len = sizeof(token) };
		assert_int_equal(keeper_link_ask(k, packet, ipc_command_encode(packet, 0, &m), NULL, NULL, NULL), VAULT_OK);
		assert_true(++asked < 100000);
	}
	while (read < asked) {
		(void)uv_run(&loop, UV_RUN_NOWAIT);
		while (ipc_recv(pair[1], packet, &n, NULL) == VAULT_OK)
			read++;
	}
	assert_false(keeper_link_busy(k));
	keeper_link_close(k);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(close(pair[0]), 0);
	assert_int_equal(close(pair[1]), 0);
	free(packet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_p10_queue_says_that_it_is_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
