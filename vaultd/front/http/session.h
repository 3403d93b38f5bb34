/*
 * session.h - one HTTP/1.1 connection without the connection: bytes in, requests
 * out; answers in, bytes out (RFC 9112, on llhttp). Loop thread only.
 *
 * Requests are taken one after the other: while one is decided, read or
 * answered, input is left with the caller. What is ambiguous is refused and ends
 * the session: two lengths, length and chunked, folded lines, bare CR or LF,
 * bad chunks, trailers or chunk extensions beyond a bound. Memory: the head of
 * the running request (at most HTTP_HEAD_MAX) and what the client has not yet
 * taken; an idle session holds neither.
 */
#ifndef VAULT_FRONT_HTTP_SESSION_H
#define VAULT_FRONT_HTTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "front/http/exchange.h"

struct http_session;

struct http_session_owner {
	/* A request whose body was not read yet: answer it, or set its handler, in this call. */
	void (*on_request)(void *arg, struct exchange *x);
	/* Refused by the session itself, and answered already. */
	void (*on_refused)(void *arg, unsigned refusal);
	/* Output or appetite changed outside of http_session_input: call that soon (n may be 0), but not from here. */
	void (*on_wake)(void *arg);
};

/* peer and owner stay the caller's and outlive the session. */
VAULT_NODISCARD vault_err http_session_new(struct http_session **s, const struct http_session_owner *owner, void *arg,
    const struct exchange_peer *peer);
/* A running request is lost (on_lost with none). */
void http_session_free(struct http_session *s);

/* Most bytes that http_session_input would take now. */
size_t http_session_want(const struct http_session *s);
/* Returns how many bytes were taken; the rest is given again after want changed. */
size_t http_session_input(struct http_session *s, const uint8_t *data, size_t n);
/* The client sends nothing more. */
void http_session_eof(struct http_session *s);
/* Bytes for the client; the view lives until the next call. */
const uint8_t *http_session_output(const struct http_session *s, size_t *n);
void http_session_sent(struct http_session *s, size_t n);

/* Nothing more is read or answered: send the output, then close. */
bool http_session_done(const struct http_session *s);
/* The last answer stays incomplete on purpose: the connection is cut, not closed in order. */
bool http_session_cut(const struct http_session *s);
/* No further request behind the running one. */
void http_session_drain(struct http_session *s);

/* What the session waits for from the client; the owner times it and calls http_session_timeout. */
enum http_wait { HTTP_WAIT_NOTHING, HTTP_WAIT_REQUEST, HTTP_WAIT_HEAD, HTTP_WAIT_BODY, HTTP_WAIT_SHORT_BODY };
enum http_wait http_session_wait(const struct http_session *s);
void http_session_timeout(struct http_session *s);

#endif
