/*
 * session_internal.h - inside of the HTTP/1.1 session: session.c (states and
 * input), session_head.c (a head becomes a request), session_answer.c (output).
 */
#ifndef VAULT_FRONT_HTTP_SESSION_INTERNAL_H
#define VAULT_FRONT_HTTP_SESSION_INTERNAL_H

#include <llhttp.h>

#include "base/buf.h"
#include "front/http/head.h"
#include "front/http/session.h"

#define OUTPUT_MAX (1024u * 1024)
/* Bytes of chunk framing and trailers beyond what the body bytes justify. */
#define FRAMING_MAX 8192u
#define FRAMING_PER_BYTE 16u

enum session_state {
	SESSION_HEAD,                /* collecting a head */
	SESSION_DECIDE,              /* a request was handed out, its body is not read */
	SESSION_BODY,                /* accepted: body bytes go to the handler */
	SESSION_ANSWER,              /* body complete; the answer is awaited or streamed */
	SESSION_CLOSED               /* only output is left */
};

struct http_session {
	struct exchange x;           /* first: ops get back to the session by it */
	const struct http_session_owner *owner;
	void *arg;
	enum session_state state;
	llhttp_t parser;
	struct head_scan scan;
	struct buf head;             /* the running request's; its views point here; secret */
	struct http_request request;
	struct http_field *fields;   /* HTTP_FIELDS_MAX, while a request runs */
	struct buf out;
	size_t framing;
	size_t delivered;            /* body bytes of the running llhttp_execute */
	unsigned busy;               /* depth of calls that the owner made */
	bool in_value;               /* head parsing: the last field has a value */
	bool broken;                 /* head parsing: a callback refused */
	bool http10;
	bool keep_alive;
	bool body_done;
	bool body_told;              /* on_body_end was called */
	bool streaming;              /* answer head is out, its body follows */
	bool chunked_out;
	bool no_body_out;            /* HEAD request */
	bool drain;
	bool cut;
};

/* Parses the whole head in s->head; none or the refusal. */
unsigned session_parse_head(struct http_session *s);
extern const struct exchange_ops session_ops;
/* From DECIDE or BODY or HEAD: answer the problem and read nothing more. Tells a handler first. */
void session_refuse(struct http_session *s, unsigned refusal);
/* The answer is complete: the next request, or the end. */
void session_finish(struct http_session *s);
void session_close(struct http_session *s);
/* Tells the owner, unless it is in a call anyway. */
void session_wake(struct http_session *s);
int session_body(llhttp_t *p, const char *at, size_t n);
int session_message_complete(llhttp_t *p);

#endif
