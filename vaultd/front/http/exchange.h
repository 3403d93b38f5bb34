/*
 * exchange.h - one request and its answer, whatever the HTTP version.
 *
 * A session (HTTP/1.1 now) makes an exchange per request and hands it to the
 * router before the body is read. The adapter that takes it sets its handler,
 * and then either answers at once or accepts the body. Loop thread only.
 *
 * The exchange dies for the adapter with exchange_answer, exchange_problem or
 * exchange_end, or when on_lost was called: after any of these nothing of it,
 * nor of its request, may be touched, and no handler function is called again.
 * Handler functions are never called from inside an exchange_ call.
 */
#ifndef VAULT_FRONT_HTTP_EXCHANGE_H
#define VAULT_FRONT_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "front/http/request.h"

enum listener_kind { LISTENER_HTTPS, LISTENER_UNIX, LISTENER_OPS };

struct exchange_peer {
	enum listener_kind listener;
	bool has_cert;               /* a TLS client certificate was proven */
	uint8_t cert_sha256[32];
};

struct exchange_handler {
	/* Body bytes taken now; 0: the connection is not read until exchange_resume. */
	size_t (*credit)(void *arg);
	/* n <= what credit gave. The bytes die with the call. */
	void (*on_body)(void *arg, const uint8_t *data, size_t n);
	void (*on_body_end)(void *arg);
	/* What was written by exchange_write left the session. May be NULL. */
	void (*on_drain)(void *arg);
	/* The client went away (none, length_mismatch) or broke HTTP or its time limits (others; they are answered). */
	void (*on_lost)(void *arg, unsigned refusal);
};

struct exchange_answer {
	int status;
	const char *type;            /* Content-Type, NULL: none */
	const char *fields;          /* further header lines, each with its CRLF; may be NULL */
	const void *body;
	size_t n;
};

struct exchange;
struct exchange_ops {
	void (*accept)(struct exchange *x);
	void (*resume)(struct exchange *x);
	void (*answer)(struct exchange *x, const struct exchange_answer *a, bool streamed);
	vault_err (*write)(struct exchange *x, const void *data, size_t n);
	size_t (*queued)(const struct exchange *x);
	void (*end)(struct exchange *x, bool whole);
};

struct exchange {
	const struct exchange_ops *ops;
	const struct http_request *request;
	const struct exchange_peer *peer;
	const struct exchange_handler *handler;
	void *arg;
	bool short_body;             /* set before accept: the whole body has the time of one piece */
};

void exchange_handle(struct exchange *x, const struct exchange_handler *handler, void *arg);
/* Reads the body from now on; says 100 Continue when the client waits for it. */
void exchange_accept(struct exchange *x);
void exchange_resume(struct exchange *x);
/* A whole answer. A body that was not wholly read ends the connection behind the answer. */
void exchange_answer(struct exchange *x, const struct exchange_answer *a);
/* An answer of JSON text. */
void exchange_json(struct exchange *x, int status, const char *fields, const char *json, size_t n);
/* A problem document; field may be NULL. fields: further header lines or NULL. 401 carries the challenge. */
void exchange_problem(struct exchange *x, unsigned refusal, const char *field);
void exchange_problem_with(struct exchange *x, unsigned refusal, const char *field, const char *fields);
/* A streamed answer: begin, write ..., end. whole false: the client is shown that the rest is missing. */
void exchange_begin(struct exchange *x, int status, const char *type, const char *fields);
/* Copies. VAULT_E_NOMEM or RANGE: too much is queued; keep below EXCHANGE_QUEUE and wait for on_drain. */
#define EXCHANGE_QUEUE (256u * 1024)
VAULT_NODISCARD vault_err exchange_write(struct exchange *x, const void *data, size_t n);
size_t exchange_queued(const struct exchange *x);
void exchange_end(struct exchange *x, bool whole);

/* The text of a problem document; the caller frees. NULL when memory is short. */
char *problem_text(unsigned refusal, const char *field, size_t *n);
const char *http_reason(int status);

#endif
