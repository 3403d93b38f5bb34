/*
 * peer.c - see peer.h.
 */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t credit(void *arg)
{
	return ((struct peer *)arg)->credit;
}

static void take_out(struct peer *p)
{
	size_t n;
	const uint8_t *out;

	while ((out = http_session_output(p->s, &n)), n > 0) {
		assert_int_equal(buf_append(&p->out, out, n), VAULT_OK);
		http_session_sent(p->s, n);
	}
}

static void on_body(void *arg, const uint8_t *data, size_t n)
{
	struct peer *p = arg;

	assert_non_null(p->x);
	assert_true(n > 0 && n <= p->credit);
	assert_int_equal(buf_append(&p->body, data, n), VAULT_OK);
	if (p->answer_after > 0 && p->body.len >= p->answer_after) {
		struct exchange *x = p->x;
		p->x = NULL;
		exchange_problem(x, VAULT_REFUSAL_unsupported_media, NULL);
	}
}

static void answer(struct peer *p)
{
	struct exchange *x = p->x;

	p->x = NULL;
	exchange_json(x, 200, NULL, "{}", 2);
}

static void on_body_end(void *arg)
{
	struct peer *p = arg;

	p->ends++;
	if (p->answer_at_end)
		answer(p);
}

static void on_lost(void *arg, unsigned refusal)
{
	struct peer *p = arg;

	p->lost++;
	p->lost_refusal = refusal;
	p->x = NULL;
}

static const struct exchange_handler handler = { credit, on_body, on_body_end, NULL, on_lost };

static void on_request(void *arg, struct exchange *x)
{
	struct peer *p = arg;

	assert_null(p->x);
	p->x = x;
	p->requests++;
	(void)snprintf(p->target, sizeof(p->target), "%.*s", (int)x->request->target_len, x->request->target);
	exchange_handle(x, &handler, p);
	if (p->answer_at_once)
		answer(p);
	else if (p->accept)
		exchange_accept(x);
}

static void on_refused(void *arg, unsigned refusal)
{
	((struct peer *)arg)->refused = refusal;
}

static void on_wake(void *arg)
{
	((struct peer *)arg)->wakes++;
}

static const struct http_session_owner owner = { on_request, on_refused, on_wake };

void peer_open(struct peer *p)
{
	memset(p, 0, sizeof(*p));
	p->credit = 1 << 20;
	p->accept = p->answer_at_end = true;
	buf_init(&p->body, 64u << 20);
	buf_init(&p->out, 64u << 20);
	assert_int_equal(http_session_new(&p->s, &owner, p, &p->who), VAULT_OK);
}

void peer_close(struct peer *p)
{
	http_session_free(p->s);
	buf_free(&p->body);
	buf_free(&p->out);
}

size_t peer_send(struct peer *p, const char *data, size_t n, size_t step)
{
	size_t used = 0;

	while (used < n) {
		size_t want = http_session_want(p->s);
		size_t k = n - used;

		k = step > 0 && k > step ? step : k;
		k = k > want ? want : k;
		if (k == 0)
			break;
		/* Copied, so that a read beyond the slice is seen by the address sanitizer. */
		uint8_t *copy = malloc(k);
		assert_non_null(copy);
		memcpy(copy, data + used, k);
		size_t took = http_session_input(p->s, copy, k);
		free(copy);
		assert_true(took <= k);
		take_out(p);
		if (took == 0)
			break;
		used += took;
	}
	(void)http_session_input(p->s, NULL, 0);
	take_out(p);
	return used;
}

size_t peer_say(struct peer *p, const char *text)
{
	return peer_send(p, text, strlen(text), 0);
}

const char *peer_heard(struct peer *p)
{
	(void)http_session_input(p->s, NULL, 0);
	take_out(p);
	assert_int_equal(buf_append(&p->out, "", 1), VAULT_OK);
	p->out.len--;
	return (const char *)p->out.data;
}

int peer_status(struct peer *p)
{
	const char *text = peer_heard(p);
	int status = 0;

	if (sscanf(text, "HTTP/1.1 %d ", &status) != 1)
		return 0;
	return status;
}
