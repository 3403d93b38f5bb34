/*
 * http1.c - see http1.h. Output moves from the session to the connection only
 * while that has little queued, so that the session's queue is what a streamed
 * answer's back-pressure is measured by.
 */
#include "front/http/http1.h"

#include <stdlib.h>

#include "front/http/session.h"

#define CONN_QUEUE (256u * 1024)
#define SEND_STEP (64u * 1024)

struct http1 {
	struct conn *conn;
	const struct http_app *app;
	struct http_session *session;
	struct exchange_peer peer;
	enum http_wait wait;         /* what the running deadline is for */
};

static void on_request(void *arg, struct exchange *x)
{
	struct http1 *h = arg;

	h->app->on_request(h->app->arg, x);
}

static void on_refused(void *arg, unsigned refusal)
{
	struct http1 *h = arg;

	h->app->on_refused(h->app->arg, refusal);
}

static void on_wake(void *arg)
{
	struct http1 *h = arg;

	conn_kick(h->conn);
}

static const struct http_session_owner owner = { on_request, on_refused, on_wake };

static vault_err http1_open(struct conn *c, void *app, void **p)
{
	struct http1 *h = calloc(1, sizeof(*h));
	vault_err err;

	if (h == NULL)
		return VAULT_E_NOMEM;
	h->conn = c;
	h->app = app;
	h->peer.listener = (enum listener_kind)conn_kind(c);
	h->peer.has_cert = conn_peer_sha256(c, h->peer.cert_sha256);
	err = http_session_new(&h->session, &owner, h, &h->peer);
	if (err != VAULT_OK) {
		free(h);
		return err;
	}
	h->wait = HTTP_WAIT_REQUEST;
	conn_deadline(c, h->app->header_ms);       /* the first request comes at once or never */
	*p = h;
	return VAULT_OK;
}

static void send_output(struct http1 *h)
{
	for (;;) {
		size_t n;
		const uint8_t *out = http_session_output(h->session, &n);

		if (n == 0 || conn_queued(h->conn) > CONN_QUEUE)
			return;
		if (n > SEND_STEP)
			n = SEND_STEP;
		conn_send(h->conn, out, n);
		http_session_sent(h->session, n);
	}
}

/* progress: bytes were taken just now. They never lengthen the time of a head or of a short body. */
static void set_deadline(struct http1 *h, bool progress)
{
	enum http_wait wait = http_session_wait(h->session);

	if (wait == h->wait && (!progress || wait == HTTP_WAIT_HEAD || wait == HTTP_WAIT_SHORT_BODY))
		return;
	h->wait = wait;
	switch (wait) {
	case HTTP_WAIT_NOTHING:
		conn_deadline(h->conn, 0);
		break;
	case HTTP_WAIT_REQUEST:
		conn_deadline(h->conn, h->app->idle_ms);
		break;
	case HTTP_WAIT_HEAD:
		conn_deadline(h->conn, h->app->header_ms);
		break;
	case HTTP_WAIT_BODY:
	case HTTP_WAIT_SHORT_BODY:
		conn_deadline(h->conn, h->app->body_ms);
		break;
	}
}

static void settle(struct http1 *h, bool progress)
{
	size_t left;

	send_output(h);
	(void)http_session_output(h->session, &left);
	if (http_session_done(h->session) && left == 0) {
		if (http_session_cut(h->session))
			conn_cut(h->conn);
		else
			conn_finish(h->conn);
		return;
	}
	set_deadline(h, progress);
}

static size_t http1_want(void *p)
{
	struct http1 *h = p;

	return http_session_want(h->session);
}

static size_t http1_input(void *p, const uint8_t *data, size_t n)
{
	struct http1 *h = p;
	size_t used = http_session_input(h->session, data, n);

	settle(h, used > 0);
	return used;
}

static void http1_eof(void *p)
{
	struct http1 *h = p;

	http_session_eof(h->session);
	settle(h, false);
}

static void http1_drained(void *p)
{
	settle(p, false);
}

static void http1_timeout(void *p)
{
	struct http1 *h = p;

	http_session_timeout(h->session);
	settle(h, false);
}

static void http1_drain(void *p)
{
	struct http1 *h = p;

	http_session_drain(h->session);
	conn_kick(h->conn);
}

static void http1_closed(void *p)
{
	struct http1 *h = p;

	http_session_free(h->session);
	free(h);
}

const struct conn_protocol http1_protocol = {
	.alpn = "http/1.1",
	.open = http1_open,
	.want = http1_want,
	.input = http1_input,
	.eof = http1_eof,
	.drained = http1_drained,
	.timeout = http1_timeout,
	.drain = http1_drain,
	.closed = http1_closed,
};
