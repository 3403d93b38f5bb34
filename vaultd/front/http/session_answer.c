/*
 * session_answer.c - answers of an HTTP/1.1 session: heads, bodies with a
 * length, chunked streams, and the end of a request. Memory that runs out while
 * an answer is written cuts the connection: half a head is never sent on.
 */
#include "front/http/session_internal.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

static struct http_session *session_of(struct exchange *x)
{
	return (struct http_session *)x;   /* x is the first member */
}

static void op_accept(struct exchange *x)
{
	struct http_session *s = session_of(x);

	if (s->state != SESSION_DECIDE)
		return;
	s->state = SESSION_BODY;
	if (s->request.expects_continue && buf_printf(&s->out, "HTTP/1.1 100 Continue\r\n\r\n") != VAULT_OK)
		s->keep_alive = false;
	session_wake(s);
}

static void op_resume(struct exchange *x)
{
	session_wake(session_of(x));
}

static void format_date(char *out, size_t cap)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct tm tm;

	out[0] = '\0';
	if (gmtime_r(&now, &tm) == NULL || strftime(out, cap, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
		out[0] = '\0';
}

static vault_err write_head(struct http_session *s, const struct exchange_answer *a, bool streamed)
{
	char date[64];
	vault_err err;

	format_date(date, sizeof(date));
	err = buf_printf(&s->out, "HTTP/1.1 %d %s\r\nDate: %s\r\n%s%s%s%s%s", a->status, http_reason(a->status), date,
	    a->type != NULL ? "Content-Type: " : "", a->type != NULL ? a->type : "", a->type != NULL ? "\r\n" : "",
	    a->fields != NULL ? a->fields : "", s->keep_alive ? "" : "Connection: close\r\n");
	if (err == VAULT_OK && streamed)
		err = buf_printf(&s->out, "%s\r\n", s->chunked_out ? "Transfer-Encoding: chunked\r\n" : "");
	else if (err == VAULT_OK)
		err = buf_printf(&s->out, "Content-Length: %zu\r\n\r\n", a->n);
	return err;
}

static void cut(struct http_session *s)
{
	s->cut = true;
	session_close(s);
}

static void op_answer(struct exchange *x, const struct exchange_answer *a, bool streamed)
{
	struct http_session *s = session_of(x);
	size_t before = s->out.len;
	vault_err err;

	if (!s->body_done || s->drain)
		s->keep_alive = false;
	s->chunked_out = streamed && !s->http10;
	if (streamed && s->http10)
		s->keep_alive = false;             /* the end of the connection ends the body */
	err = write_head(s, a, streamed);
	if (err == VAULT_OK && !streamed && !s->no_body_out)
		err = buf_append(&s->out, a->body, a->n);
	if (err != VAULT_OK) {
		s->out.len = before < s->out.len ? before : s->out.len;
		cut(s);
	} else if (streamed) {
		s->streaming = true;
		if (s->state == SESSION_DECIDE)
			s->state = SESSION_ANSWER;
	} else {
		session_finish(s);
	}
	session_wake(s);
}

static vault_err op_write(struct exchange *x, const void *data, size_t n)
{
	struct http_session *s = session_of(x);
	vault_err err;

	if (n == 0 || s->no_body_out)
		return VAULT_OK;
	if (s->out.max - s->out.len < n + 32)
		return VAULT_E_RANGE;
	err = s->chunked_out ? buf_printf(&s->out, "%zx\r\n", n) : VAULT_OK;
	if (err == VAULT_OK)
		err = buf_append(&s->out, data, n);
	if (err == VAULT_OK && s->chunked_out)
		err = buf_append(&s->out, "\r\n", 2);
	session_wake(s);
	return err;
}

static size_t op_queued(const struct exchange *x)
{
	return ((const struct http_session *)x)->out.len;
}

static void op_end(struct exchange *x, bool whole)
{
	struct http_session *s = session_of(x);

	if (whole && s->chunked_out && !s->no_body_out && buf_append(&s->out, "0\r\n\r\n", 5) != VAULT_OK)
		whole = false;
	s->streaming = false;
	if (whole)
		session_finish(s);
	else
		cut(s);
	session_wake(s);
}

const struct exchange_ops session_ops = {
	.accept = op_accept,
	.resume = op_resume,
	.answer = op_answer,
	.write = op_write,
	.queued = op_queued,
	.end = op_end,
};
