/*
 * session.c - the states of an HTTP/1.1 session and its input. Handlers are
 * only called from here, inside http_session_input, _eof, _timeout, _sent and
 * _free: never from inside an exchange_ call.
 */
#include "front/http/session_internal.h"

#include <stdlib.h>
#include <string.h>

vault_err http_session_new(struct http_session **out, const struct http_session_owner *owner, void *arg,
    const struct exchange_peer *peer)
{
	struct http_session *s = calloc(1, sizeof(*s));

	*out = s;
	if (s == NULL)
		return VAULT_E_NOMEM;
	s->owner = owner;
	s->arg = arg;
	s->x.ops = &session_ops;
	s->x.peer = peer;
	s->x.request = &s->request;
	buf_init_secret(&s->head, HTTP_HEAD_MAX);
	buf_init(&s->out, OUTPUT_MAX);
	head_begin(&s->scan);
	return VAULT_OK;
}

static void lose(struct http_session *s, unsigned refusal)
{
	const struct exchange_handler *h = s->x.handler;

	s->x.handler = NULL;
	if (h != NULL)
		h->on_lost(s->x.arg, refusal);
}

static void forget_request(struct http_session *s)
{
	buf_free(&s->head);
	buf_init_secret(&s->head, HTTP_HEAD_MAX);
	free(s->fields);
	s->fields = NULL;
	memset(&s->request, 0, sizeof(s->request));
}

void http_session_free(struct http_session *s)
{
	if (s == NULL)
		return;
	s->busy++;
	lose(s, VAULT_REFUSAL_none);
	buf_free(&s->head);
	buf_free(&s->out);
	free(s->fields);
	free(s);
}

void session_wake(struct http_session *s)
{
	if (s->busy == 0)
		s->owner->on_wake(s->arg);
}

void session_close(struct http_session *s)
{
	s->state = SESSION_CLOSED;
	forget_request(s);
}

void session_finish(struct http_session *s)
{
	if (!s->keep_alive || !s->body_done || s->drain) {
		session_close(s);
		return;
	}
	forget_request(s);
	head_begin(&s->scan);
	s->state = SESSION_HEAD;
	s->streaming = s->body_done = s->body_told = s->keep_alive = false;
	s->framing = 0;
}

void session_refuse(struct http_session *s, unsigned refusal)
{
	bool said = s->streaming;

	lose(s, refusal);
	if (s->state == SESSION_CLOSED)
		return;
	s->keep_alive = false;
	if (said) {
		s->cut = true;
		session_close(s);
	} else {
		exchange_problem(&s->x, refusal, NULL);
	}
	s->owner->on_refused(s->arg, refusal);
}

/* A request is whole: hand it out. */
static void begin_request(struct http_session *s)
{
	unsigned refusal = session_parse_head(s);

	if (refusal != VAULT_REFUSAL_none) {
		session_refuse(s, refusal);
		return;
	}
	s->state = SESSION_DECIDE;
	s->x.short_body = false;
	s->body_done = !s->request.has_body;
	s->owner->on_request(s->arg, &s->x);
}

static size_t take_head(struct http_session *s, const uint8_t *data, size_t n)
{
	size_t skip, used;
	enum head_result r = head_feed(&s->scan, data, n, &skip, &used);
	vault_err err = VAULT_OK;

	if (r == HEAD_MORE || r == HEAD_WHOLE)
		err = buf_append(&s->head, data + skip, used);
	if (err != VAULT_OK)
		session_refuse(s, err == VAULT_E_RANGE ? VAULT_REFUSAL_headers_too_large : VAULT_REFUSAL_unavailable);
	else if (r == HEAD_BAD)
		session_refuse(s, VAULT_REFUSAL_bad_request);
	else if (r == HEAD_LARGE)
		session_refuse(s, VAULT_REFUSAL_headers_too_large);
	else if (r == HEAD_WHOLE)
		begin_request(s);
	return s->state == SESSION_CLOSED ? n : skip + used;
}

int session_body(llhttp_t *p, const char *at, size_t n)
{
	struct http_session *s = p->data;

	if (n == 0)
		return 0;
	s->delivered += n;
	if (s->x.handler != NULL)
		s->x.handler->on_body(s->x.arg, (const uint8_t *)at, n);
	return s->x.handler != NULL ? 0 : HPE_USER;       /* answered in mid-body: nothing more is read */
}

int session_message_complete(llhttp_t *p)
{
	struct http_session *s = p->data;

	s->body_done = true;
	return HPE_PAUSED;
}

/* Framing that is out of proportion to the body: endless extensions, trailers, or nothing at all. */
static bool framing_excessive(struct http_session *s, size_t taken)
{
	size_t allowed = s->delivered > SIZE_MAX / FRAMING_PER_BYTE ? SIZE_MAX : s->delivered * FRAMING_PER_BYTE;

	s->framing += taken - s->delivered;
	s->framing -= s->framing < allowed ? s->framing : allowed;
	return s->framing > FRAMING_MAX;
}

static size_t take_body(struct http_session *s, const uint8_t *data, size_t n)
{
	size_t credit = s->x.handler != NULL ? s->x.handler->credit(s->x.arg) : 0;
	enum llhttp_errno e;

	if (credit == 0)
		return 0;
	if (n > credit)
		n = credit;
	s->delivered = 0;
	e = llhttp_execute(&s->parser, (const char *)data, n);
	if (s->x.handler == NULL)
		return n;                  /* the handler answered in mid-body; the state is closed */
	if (e == HPE_PAUSED && s->body_done)
		return (size_t)(llhttp_get_error_pos(&s->parser) - (const char *)data);
	if (e != HPE_OK || framing_excessive(s, n))
		session_refuse(s, VAULT_REFUSAL_bad_request);
	return n;
}

/* The body is complete and the handler does not know yet. */
static void tell_body_end(struct http_session *s)
{
	s->state = SESSION_ANSWER;
	s->body_told = true;
	s->x.handler->on_body_end(s->x.arg);
}

size_t http_session_input(struct http_session *s, const uint8_t *data, size_t n)
{
	size_t used = 0;

	s->busy++;
	for (;;) {
		if (s->state == SESSION_BODY && s->body_done) {
			tell_body_end(s);
			continue;
		}
		if (used == n || (s->state != SESSION_HEAD && s->state != SESSION_BODY))
			break;
		size_t step = s->state == SESSION_HEAD ? take_head(s, data + used, n - used)
		                                       : take_body(s, data + used, n - used);
		if (step == 0)
			break;
		used += step;
	}
	s->busy--;
	return used;
}

size_t http_session_want(const struct http_session *s)
{
	switch (s->state) {
	case SESSION_HEAD:
		return s->drain && s->head.len == 0 ? 0 : HTTP_HEAD_MAX;
	case SESSION_BODY:
		return s->body_done ? 0 : s->x.handler->credit(s->x.arg);
	default:
		return 0;
	}
}

void http_session_eof(struct http_session *s)
{
	s->busy++;
	switch (s->state) {
	case SESSION_HEAD:
		session_close(s);
		break;
	case SESSION_DECIDE:
	case SESSION_BODY:
		/* With no body to come the client may have closed its side and still wait for the answer. */
		if (s->body_done)
			s->keep_alive = false;
		else
			session_refuse(s, VAULT_REFUSAL_length_mismatch);
		break;
	case SESSION_ANSWER:
		s->keep_alive = false;
		break;
	case SESSION_CLOSED:
		break;
	}
	s->busy--;
}

const uint8_t *http_session_output(const struct http_session *s, size_t *n)
{
	*n = s->out.len;
	return s->out.data;
}

void http_session_sent(struct http_session *s, size_t n)
{
	buf_consume(&s->out, n);
	if (s->out.len > 0)
		return;
	if (!s->streaming) {
		buf_free(&s->out);
		buf_init(&s->out, OUTPUT_MAX);
	}
	s->busy++;
	if (s->streaming && s->x.handler != NULL && s->x.handler->on_drain != NULL)
		s->x.handler->on_drain(s->x.arg);
	s->busy--;
}

bool http_session_done(const struct http_session *s)
{
	return s->state == SESSION_CLOSED;
}

bool http_session_cut(const struct http_session *s)
{
	return s->cut;
}

void http_session_drain(struct http_session *s)
{
	s->drain = true;
	if (s->state == SESSION_HEAD && s->head.len == 0)
		session_close(s);
}

enum http_wait http_session_wait(const struct http_session *s)
{
	if (s->state == SESSION_HEAD)
		return s->head.len > 0 ? HTTP_WAIT_HEAD : HTTP_WAIT_REQUEST;
	if (s->state == SESSION_BODY && http_session_want(s) > 0)
		return s->x.short_body ? HTTP_WAIT_SHORT_BODY : HTTP_WAIT_BODY;
	return HTTP_WAIT_NOTHING;
}

void http_session_timeout(struct http_session *s)
{
	s->busy++;
	if (s->state == SESSION_HEAD && s->head.len == 0)
		session_close(s);
	else if (s->state != SESSION_CLOSED)
		session_refuse(s, VAULT_REFUSAL_body_timeout);
	s->busy--;
}
