/*
 * fuzz_session.c - HTTP/1.1 as a client may send it, through session and router.
 *
 * The input is one byte of slicing and the bytes of a connection. They are given
 * once in large pieces and once in slices: the requests seen, their fields and
 * their bodies must be the same, because a border of requests that moves with the
 * packets is how requests are smuggled.
 */
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "base/secret.h"

#define ROUNDS_MAX 200000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return secret_setup() == VAULT_OK ? 0 : -1;
}

static void need(bool holds)
{
	if (!holds)
		abort();
}

/* Takes what there is to send; a begun answer goes on. */
static void drain(struct http_session *s, struct adapter *a)
{
	for (size_t i = 0; i < 64; i++) {
		size_t out;

		(void)http_session_output(s, &out);
		http_session_sent(s, out);
		adapter_go_on(a);
		if (out == 0 && a->x == NULL)
			return;
	}
}

/* The account of one connection; step 0: as much as the session wants. */
static void run(struct adapter *a, const uint8_t *data, size_t n, size_t step)
{
	const struct exchange_peer peer = { .listener = LISTENER_UNIX };
	struct http_session *s;
	size_t at = 0, idle = 0;

	memset(a, 0, sizeof(*a));
	a->give = step == 0 ? 16384 : step;
	if (http_session_new(&s, &adapter_owner, a, &peer) != VAULT_OK)
		return;
	for (size_t round = 0; idle < 4 && !http_session_done(s); round++) {
		size_t want, used, k = n - at;

		need(round < ROUNDS_MAX);
		a->starved = round % 3 == 1;
		want = http_session_want(s);
		k = k < want ? k : want;
		if (step != 0 && k > step)
			k = step;
		used = http_session_input(s, data + at, k);
		need(used <= k);
		at += used;
		drain(s, a);
		idle = used == 0 ? idle + 1 : 0;
	}
	if (!http_session_done(s))
		http_session_eof(s);
	drain(s, a);
	if (step % 2 == 1)
		http_session_timeout(s);
	http_session_free(s);
	adapter_check_over(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct adapter whole, sliced;
	size_t common;

	if (n < 2)
		return -1;
	run(&whole, data + 1, n - 1, 0);
	run(&sliced, data + 1, n - 1, data[0] % 64 + 1u);
	common = whole.n_seen < sliced.n_seen ? whole.n_seen : sliced.n_seen;
	need(memcmp(whole.seen, sliced.seen, common * sizeof(whole.seen[0])) == 0);
	need(whole.n_seen == sliced.n_seen || whole.lost || sliced.lost);
	return 0;
}
