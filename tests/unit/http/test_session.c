/*
 * test_session.c - the HTTP/1.1 session against real byte sequences: what is
 * fine, what is ambiguous, what never ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "peer.h"

#define PUT "PUT /v1/x HTTP/1.1\r\nHost: v\r\n"

/* Sends text in every slicing that matters and expects the same each time. */
static void expect(const char *text, size_t n, int status, const char *body)
{
	static const size_t steps[] = { 0, 1, 2, 7 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct peer p;

		peer_open(&p);
		(void)peer_send(&p, text, n, steps[i]);
		int got = peer_status(&p);
		if (got != status)
			fail_msg("step %zu: expected %d, got %d for: %.80s", steps[i], status, got, text);
		if (status >= 400)
			assert_true(http_session_done(p.s));
		if (body != NULL) {
			assert_int_equal(p.body.len, strlen(body));
			assert_memory_equal(p.body.data, body, strlen(body));
			assert_int_equal(p.ends, 1);
		}
		assert_true(p.x == NULL);
		peer_close(&p);
	}
}

static void says(const char *text, int status, const char *body)
{
	expect(text, strlen(text), status, body);
}

static void test_bodies(void **state)
{
	(void)state;
	says(PUT "Content-Length: 5\r\n\r\nhello", 200, "hello");
	says(PUT "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n", 200, "hello world");
	says(PUT "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: y\r\n\r\n", 200, "");
	says(PUT "Content-Length: 0\r\n\r\n", 200, "");
	says(PUT "\r\n", 200, "");
	says("\r\nGET /v1/vault HTTP/1.1\r\nHost: v\r\n\r\n", 200, "");
	says("PUT /v1/x HTTP/1.0\r\nContent-Length: 2\r\n\r\nok", 200, "ok");
}

static void test_smuggling(void **state)
{
	(void)state;
	says(PUT "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, NULL);
	says(PUT "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, NULL);
	says(PUT "Content-Length: 5, 5\r\n\r\nhello", 400, NULL);
	says(PUT "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: identity\r\n\r\n", 400, NULL);
	says(PUT "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, NULL);
	says("PUT /v1/x HTTP/1.0\r\nHost: v\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL);
	says(PUT "Content-Length: -1\r\n\r\n", 400, NULL);
	says(PUT "Content-Length: +5\r\n\r\nhello", 400, NULL);
	says(PUT "Content-Length: 0x5\r\n\r\nhello", 400, NULL);
	says(PUT "Content-Length: 99999999999999999999999\r\n\r\n", 400, NULL);
	says(PUT "Content-Length: 18446744073709551616\r\n\r\n", 400, NULL);
	says(PUT "Content-Length: \r\n\r\n", 400, NULL);
	says(PUT " Content-Length: 5\r\n\r\nhello", 400, NULL);
	says("PUT /v1/x HTTP/1.1\r\n Host: v\r\n\r\n", 400, NULL);
}

static void test_line_ends(void **state)
{
	static const char nul[] = PUT "X-A: a\0b\r\n\r\n";

	(void)state;
	says(PUT "X-A: 1\r\n folded\r\n\r\n", 400, NULL);
	says(PUT "X-A: 1\r\n\tfolded\r\n\r\n", 400, NULL);
	says(PUT "X-A: 1\rX-B: 2\r\n\r\n", 400, NULL);
	says(PUT "X-A: 1\nX-B: 2\r\n\r\n", 400, NULL);
	says(PUT "X-A: 1\r\r\n\r\n", 400, NULL);
	says("PUT /v1/x HTTP/1.1\nHost: v\n\n", 400, NULL);
	says(PUT "\n", 400, NULL);
	expect(nul, sizeof(nul) - 1, 400, NULL);
	says(PUT "X-A: \x01\r\n\r\n", 400, NULL);
	says(PUT "X A: 1\r\n\r\n", 400, NULL);
	says(PUT ": 1\r\n\r\n", 400, NULL);
	says(PUT "X-A\r\n\r\n", 400, NULL);
}

static void test_request_lines(void **state)
{
	(void)state;
	says("\x16\x03\x01hello there\r\n\r\n", 400, NULL);
	says("BREW /v1/x HTTP/1.1\r\nHost: v\r\n\r\n", 400, NULL);
	says("PUT /v1/x HTTP/2.0\r\nHost: v\r\n\r\n", 400, NULL);
	says("PUT /v1/x HTTP/0.9\r\nHost: v\r\n\r\n", 400, NULL);
	says("PUT /v1/x\r\nHost: v\r\n\r\n", 400, NULL);
	says("PUT  HTTP/1.1\r\nHost: v\r\n\r\n", 400, NULL);
	says("PUT http://v/v1/x HTTP/1.1\r\nHost: v\r\n\r\n", 400, NULL);
	says("OPTIONS * HTTP/1.1\r\nHost: v\r\n\r\n", 400, NULL);
	says("CONNECT v:443 HTTP/1.1\r\nHost: v\r\n\r\n", 400, NULL);
	says("PUT /v1/x HTTP/1.1\r\n\r\n", 400, NULL);
	says("PUT /v1/x HTTP/1.1\r\nHost: v\r\nHost: w\r\n\r\n", 400, NULL);
	says("\r\n\r\n\r\n\r\nGET /v1/x HTTP/1.1\r\nHost: v\r\n\r\n", 400, NULL);
	says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, NULL);
	says("GET /v1/x HTTP/1.1\r\nHost: v\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200, "");
}

static void test_bad_chunks(void **state)
{
	(void)state;
	says(PUT "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: chunked\r\n\r\n4\r\nRIFFxx\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: chunked\r\n\r\n4\nRIFF\r\n0\r\n\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: chunked\r\n\r\n-4\r\nRIFF\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: chunked\r\n\r\n0x4\r\nRIFF\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400, NULL);
	says(PUT "Transfer-Encoding: chunked\r\n\r\n4\r\nRIFF\n0\r\n\r\n", 400, NULL);
}

/* Gives pieces of text for ever, until the session has had enough. */
static int endless(const char *start, const char *piece, size_t most)
{
	struct peer p;
	size_t sent = 0;
	int status;

	peer_open(&p);
	(void)peer_say(&p, start);
	while (!http_session_done(p.s) && sent < most) {
		(void)peer_say(&p, piece);
		sent += strlen(piece);
	}
	assert_true(sent < most);
	status = peer_status(&p);
	assert_true(p.body.len == 0);
	peer_close(&p);
	return status;
}

static void test_endless(void **state)
{
	char line[64];

	(void)state;
	assert_int_equal(endless("GET /", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 64 * 1024), 431);
	assert_int_equal(endless(PUT "X-Big: ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 64 * 1024), 431);
	(void)snprintf(line, sizeof(line), "X-A: 1\r\n");
	assert_int_equal(endless(PUT, line, 64 * 1024), 431);
	assert_int_equal(endless(PUT "Transfer-Encoding: chunked\r\n\r\n4;", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 64 * 1024), 400);
	assert_int_equal(endless(PUT "Transfer-Encoding: chunked\r\n\r\n0\r\n", line, 64 * 1024), 400);
}

static void test_field_count(void **state)
{
	(void)state;
	for (size_t fields = 99; fields <= 101; fields++) {
		struct peer p;

		peer_open(&p);
		(void)peer_say(&p, "GET / HTTP/1.1\r\nHost: v\r\n");
		for (size_t i = 1; i < fields; i++)
			(void)peer_say(&p, "X: 1\r\n");
		(void)peer_say(&p, "\r\n");
		assert_int_equal(peer_status(&p), fields <= 100 ? 200 : 431);
		peer_close(&p);
	}
}

static void test_many_small_chunks(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	(void)peer_say(&p, PUT "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t i = 0; i < 20000; i++)
		assert_int_equal(peer_say(&p, "1\r\nx\r\n"), 6);
	(void)peer_say(&p, "0\r\n\r\n");
	assert_int_equal(peer_status(&p), 200);
	assert_int_equal(p.body.len, 20000);
	peer_close(&p);
}

static void test_decision_before_body(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	p.accept = false;
	size_t took = peer_say(&p, PUT "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
	assert_int_equal(took, strlen(PUT "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
	assert_int_equal(http_session_want(p.s), 0);
	assert_string_equal(peer_heard(&p), "");       /* nothing is promised yet */
	exchange_accept(p.x);
	assert_true(p.wakes > 0);
	assert_string_equal(peer_heard(&p), "HTTP/1.1 100 Continue\r\n\r\n");
	assert_int_equal(peer_say(&p, "hello"), 5);
	assert_int_equal(p.ends, 1);
	assert_non_null(strstr(peer_heard(&p), "HTTP/1.1 200 OK\r\n"));
	assert_false(http_session_done(p.s));
	peer_close(&p);
}

static void test_refusal_before_body_closes(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	p.accept = false;
	(void)peer_say(&p, PUT "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	exchange_problem(p.x, VAULT_REFUSAL_not_subscribed, NULL);
	p.x = NULL;
	assert_int_equal(peer_status(&p), 403);
	assert_non_null(strstr(peer_heard(&p), "Connection: close\r\n"));
	assert_non_null(strstr(peer_heard(&p), "\"title\":\"not_subscribed\""));
	assert_null(strstr(peer_heard(&p), "100 Continue"));
	assert_true(http_session_done(p.s));
	assert_int_equal(http_session_want(p.s), 0);
	peer_close(&p);
}

static void test_refusal_in_mid_body(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	p.answer_after = 3;
	(void)peer_say(&p, PUT "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	assert_int_equal(peer_status(&p), 415);
	assert_true(http_session_done(p.s));
	assert_int_equal(p.lost, 0);
	assert_int_equal(p.body.len, 3);
	peer_close(&p);
}

static void test_credit(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	p.credit = 2;
	(void)peer_say(&p, PUT "Content-Length: 6\r\n\r\n");
	assert_int_equal(http_session_want(p.s), 2);
	assert_int_equal(http_session_input(p.s, (const uint8_t *)"ab", 2), 2);
	p.credit = 0;
	assert_int_equal(http_session_want(p.s), 0);
	assert_int_equal(http_session_input(p.s, (const uint8_t *)"cd", 2), 0);
	assert_int_equal(http_session_wait(p.s), HTTP_WAIT_NOTHING);   /* the vault is slow, not the client */
	p.credit = 10;
	exchange_resume(p.x);
	assert_int_equal(http_session_wait(p.s), HTTP_WAIT_BODY);
	assert_int_equal(peer_say(&p, "cdef"), 4);
	assert_int_equal(peer_status(&p), 200);
	peer_close(&p);
}

static void test_pipelining_is_serial(void **state)
{
	static const char two[] = PUT "Content-Length: 3\r\n\r\none" "PUT /v1/second HTTP/1.1\r\nHost: v\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
	    "GET /v1/third HTTP/1.1\r\nHost: v\r\n\r\n";
	struct peer p;

	(void)state;
	peer_open(&p);
	p.answer_at_end = false;
	size_t took = peer_send(&p, two, sizeof(two) - 1, 0);
	assert_int_equal(p.requests, 1);
	assert_int_equal(p.ends, 1);
	exchange_json(p.x, 200, NULL, "{}", 2);
	p.x = NULL;
	p.answer_at_end = true;
	took += peer_send(&p, two + took, sizeof(two) - 1 - took, 0);
	assert_int_equal(took, sizeof(two) - 1);
	assert_int_equal(p.requests, 3);
	assert_string_equal(p.target, "/v1/third");
	assert_int_equal(p.body.len, 6);
	assert_memory_equal(p.body.data, "onetwo", 6);
	assert_false(http_session_done(p.s));
	peer_close(&p);
}

static void test_connection_close(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	(void)peer_say(&p, "GET / HTTP/1.1\r\nHost: v\r\nConnection: close\r\n\r\nGET /x HTTP/1.1\r\nHost: v\r\n\r\n");
	assert_int_equal(p.requests, 1);
	assert_true(http_session_done(p.s));
	assert_non_null(strstr(peer_heard(&p), "Connection: close\r\n"));
	peer_close(&p);
}

static void test_lost_in_mid_body(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	(void)peer_say(&p, PUT "Content-Length: 10\r\n\r\nabc");
	http_session_eof(p.s);
	assert_int_equal(p.lost, 1);
	assert_int_equal(p.lost_refusal, VAULT_REFUSAL_length_mismatch);
	assert_int_equal(peer_status(&p), 400);
	peer_close(&p);
	assert_int_equal(p.lost, 1);

	peer_open(&p);
	(void)peer_say(&p, PUT "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	struct http_session *s = p.s;
	http_session_free(s);                          /* the connection broke */
	assert_int_equal(p.lost, 1);
	buf_free(&p.body);
	buf_free(&p.out);
}

static void test_half_close_still_gets_its_answer(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	p.answer_at_end = false;
	(void)peer_say(&p, PUT "Content-Length: 3\r\n\r\nabc");
	http_session_eof(p.s);
	assert_int_equal(p.lost, 0);
	exchange_json(p.x, 201, NULL, "{}", 2);
	p.x = NULL;
	assert_int_equal(peer_status(&p), 201);
	assert_true(http_session_done(p.s));
	peer_close(&p);
}

static void test_timeouts(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	assert_int_equal(http_session_wait(p.s), HTTP_WAIT_REQUEST);
	http_session_timeout(p.s);
	assert_true(http_session_done(p.s));
	assert_string_equal(peer_heard(&p), "");
	peer_close(&p);

	peer_open(&p);
	(void)peer_say(&p, "PUT / HT");
	assert_int_equal(http_session_wait(p.s), HTTP_WAIT_HEAD);
	http_session_timeout(p.s);
	assert_int_equal(peer_status(&p), 408);
	peer_close(&p);

	peer_open(&p);
	(void)peer_say(&p, PUT "Content-Length: 3\r\n\r\nab");
	assert_int_equal(http_session_wait(p.s), HTTP_WAIT_BODY);
	/* A command's body may not trickle: its owner times it as a whole. */
	p.x->short_body = true;
	assert_int_equal(http_session_wait(p.s), HTTP_WAIT_SHORT_BODY);
	http_session_timeout(p.s);
	assert_int_equal(p.lost_refusal, VAULT_REFUSAL_body_timeout);
	assert_int_equal(peer_status(&p), 408);
	assert_true(http_session_done(p.s));
	peer_close(&p);
}

static void test_streamed_answer(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	p.answer_at_end = false;
	(void)peer_say(&p, "GET / HTTP/1.1\r\nHost: v\r\n\r\n");
	exchange_begin(p.x, 200, "application/age", NULL);
	assert_int_equal(exchange_write(p.x, "hello", 5), VAULT_OK);
	exchange_end(p.x, true);
	p.x = NULL;
	const char *text = peer_heard(&p);
	assert_non_null(strstr(text, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
	assert_false(http_session_done(p.s));
	peer_close(&p);

	/* One that breaks off has no last chunk and no orderly end. */
	peer_open(&p);
	p.answer_at_end = false;
	(void)peer_say(&p, "GET / HTTP/1.1\r\nHost: v\r\n\r\n");
	exchange_begin(p.x, 200, "application/age", NULL);
	assert_int_equal(exchange_write(p.x, "hello", 5), VAULT_OK);
	exchange_end(p.x, false);
	p.x = NULL;
	assert_null(strstr(peer_heard(&p), "\r\n0\r\n\r\n"));
	assert_true(http_session_cut(p.s));
	peer_close(&p);

	peer_open(&p);
	p.answer_at_end = false;
	(void)peer_say(&p, "GET / HTTP/1.0\r\n\r\n");
	exchange_begin(p.x, 200, "application/age", NULL);
	assert_int_equal(exchange_write(p.x, "hello", 5), VAULT_OK);
	exchange_end(p.x, true);
	p.x = NULL;
	assert_null(strstr(peer_heard(&p), "chunked"));
	assert_true(http_session_done(p.s) && !http_session_cut(p.s));
	peer_close(&p);
}

static void test_write_is_bounded(void **state)
{
	struct peer p;
	static char block[65536];
	size_t n = 0;

	(void)state;
	peer_open(&p);
	p.answer_at_end = false;
	(void)peer_say(&p, "GET / HTTP/1.1\r\nHost: v\r\n\r\n");
	exchange_begin(p.x, 200, "application/age", NULL);
	while (n < 1000 && exchange_write(p.x, block, sizeof(block)) == VAULT_OK)
		n++;
	assert_true(n >= 4 && n <= 16);
	assert_true(exchange_queued(p.x) <= 1024 * 1024);
	peer_close(&p);
}

static void test_head_method(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	(void)peer_say(&p, "HEAD / HTTP/1.1\r\nHost: v\r\n\r\n");
	const char *text = peer_heard(&p);
	assert_non_null(strstr(text, "Content-Length: 2\r\n"));
	assert_true(strcmp(text + strlen(text) - 4, "\r\n\r\n") == 0);
	peer_close(&p);
}

static void test_drain(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	http_session_drain(p.s);
	assert_true(http_session_done(p.s));
	peer_close(&p);

	peer_open(&p);
	(void)peer_say(&p, PUT "Content-Length: 3\r\n\r\nab");
	http_session_drain(p.s);
	assert_false(http_session_done(p.s));
	(void)peer_say(&p, "c");
	assert_int_equal(peer_status(&p), 200);
	assert_true(http_session_done(p.s));
	peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_request_lines),
		cmocka_unit_test(test_bad_chunks),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_field_count),
		cmocka_unit_test(test_many_small_chunks),
		cmocka_unit_test(test_decision_before_body),
		cmocka_unit_test(test_refusal_before_body_closes),
		cmocka_unit_test(test_refusal_in_mid_body),
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_pipelining_is_serial),
		cmocka_unit_test(test_connection_close),
		cmocka_unit_test(test_lost_in_mid_body),
		cmocka_unit_test(test_half_close_still_gets_its_answer),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_streamed_answer),
		cmocka_unit_test(test_write_is_bounded),
		cmocka_unit_test(test_head_method),
		cmocka_unit_test(test_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
