/*
 * conn.c - one connection. Every way out goes through conn_close, which is
 * idempotent; protocol and connection die in on_closed.
 *
 * Nothing is closed from inside a protocol's call: conn_send and conn_finish
 * mark and kick, conn_run acts.
 */
#include "front/net/net_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define IN_MAX (512u * 1024)
#define OUT_MAX (4u * 1024 * 1024)
#define TLS_READ_MIN (32u * 1024)        /* room for a whole record, whatever the protocol wants */
#define STALL_MS 30000u                  /* the peer takes nothing of what is queued */
#define LINGER_MS 1000u
#define LINGER_BYTES (2u * 1024 * 1024)

static void start_reading(struct conn *c);

static void free_buffers(struct conn *c)
{
	buf_free(&c->in);
	buf_free(&c->wire);
	buf_free(&c->out);
	buf_free(&c->flight);
}

static void on_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;
	struct net *n = c->net;

	if (c->protocol != NULL)
		c->protocol->closed(c->p);
	tls_free(c->tls);
	free_buffers(c);
	/* closed() may have kicked: leave no pointer behind. */
	for (struct conn **at = &n->kicked; *at != NULL;) {
		if (*at == c)
			*at = c->kick_next;
		else
			at = &(*at)->kick_next;
	}
	net_forget(n, c);
	free(c);
}

void conn_close(struct conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	uv_close(&c->u.handle, on_closed);
}

void conn_kick(struct conn *c)
{
	struct net *n = c->net;

	if (c->kicked || c->closing)
		return;
	c->kicked = true;
	c->kick_next = n->kicked;
	n->kicked = c;
	net_kick(n);
}

static void fail(struct conn *c)
{
	c->failed = true;
	conn_kick(c);
}

/* ---- writing ---- */

static void flush(struct conn *c);

static void on_shutdown(uv_shutdown_t *req, int status)
{
	struct conn *c = req->data;

	(void)status;
	if (c->closing)
		return;
	c->lingering = true;
	c->deadline_ms = clock_mono_ms() + LINGER_MS;
	buf_free(&c->in);
	buf_free(&c->wire);
	buf_init_secret(&c->in, IN_MAX);
	buf_init(&c->wire, IN_MAX);
	if (c->peer_eof)
		conn_close(c);
	else
		start_reading(c);
}

static void end_writing(struct conn *c)
{
	c->shut = true;
	c->shutdown.data = c;
	if (uv_shutdown(&c->shutdown, &c->u.stream, on_shutdown) != 0)
		conn_close(c);
}

static void on_written(uv_write_t *req, int status)
{
	struct conn *c = req->data;

	c->writing = false;
	buf_free(&c->flight);
	buf_init(&c->flight, OUT_MAX);
	c->sent_ms = clock_mono_ms();
	if (c->closing)
		return;
	if (status < 0) {
		conn_close(c);
		return;
	}
	flush(c);
}

static void all_sent(struct conn *c)
{
	if (c->finishing && !c->shut)
		end_writing(c);
	else if (c->unsent && c->protocol != NULL && !c->finishing)
		c->protocol->drained(c->p);
	c->unsent = false;
}

/* Sends what goes at once; the rest is libuv's until on_written. */
static void flush(struct conn *c)
{
	if (c->writing || c->closing)
		return;
	if (c->out.len > 0) {
		uv_buf_t b = uv_buf_init((char *)c->out.data, (unsigned)c->out.len);
		int rc = uv_try_write(&c->u.stream, &b, 1);

		if (rc < 0 && rc != UV_EAGAIN) {
			conn_close(c);
			return;
		}
		c->sent_ms = clock_mono_ms();
		if (rc > 0)
			buf_consume(&c->out, (size_t)rc);
		c->unsent = true;
		if (c->out.len == 0) {
			buf_free(&c->out);
			buf_init(&c->out, OUT_MAX);
		}
	}
	if (c->out.len == 0) {
		all_sent(c);
		return;
	}
	c->flight = c->out;
	buf_init(&c->out, OUT_MAX);
	uv_buf_t b = uv_buf_init((char *)c->flight.data, (unsigned)c->flight.len);
	c->write.data = c;
	c->writing = true;
	if (uv_write(&c->write, &c->u.stream, &b, 1, on_written) != 0) {
		c->writing = false;
		conn_close(c);
	}
}

void conn_send(struct conn *c, const void *data, size_t n)
{
	vault_err err;

	if (c->closing || c->failed || c->finishing || n == 0)
		return;
	if (c->out.len == 0 && !c->writing)
		c->sent_ms = clock_mono_ms();
	err = c->tls != NULL ? tls_write(c->tls, data, n, &c->out) : buf_append(&c->out, data, n);
	if (err != VAULT_OK)
		fail(c);
	else
		conn_kick(c);
}

size_t conn_queued(const struct conn *c)
{
	return c->out.len + c->flight.len;
}

void conn_finish(struct conn *c)
{
	if (c->finishing || c->closing)
		return;
	c->finishing = true;
	if (c->tls != NULL)
		tls_goodbye(c->tls, &c->out);
	conn_kick(c);
}

void conn_cut(struct conn *c)
{
	fail(c);
}

/* ---- reading ---- */

static void set_protocol(struct conn *c)
{
	const struct conn_protocol *const *list = c->net->o.protocols;
	const struct conn_protocol *chosen = list[0];

	if (c->tls != NULL) {
		const char *name = tls_protocol(c->tls);

		for (size_t i = 0; list[i] != NULL; i++)
			if (strcmp(list[i]->alpn, name) == 0)
				chosen = list[i];
	}
	c->deadline_ms = 0;
	if (chosen == NULL || chosen->open(c, c->net->o.app, &c->p) != VAULT_OK)
		fail(c);
	else
		c->protocol = chosen;
}

/* Gives plain bytes to the protocol; returns how many it took. */
static size_t deliver(struct conn *c, const uint8_t *data, size_t n)
{
	size_t used = 0;

	while (used < n && !c->finishing && !c->failed) {
		size_t want = c->protocol->want(c->p);
		size_t step = n - used < want ? n - used : want;

		if (step == 0)
			break;
		step = c->protocol->input(c->p, data + used, step);
		if (step == 0)
			break;
		used += step;
	}
	return used;
}

static void keep(struct conn *c, const uint8_t *data, size_t n)
{
	if (n > 0 && !c->finishing && buf_append(&c->in, data, n) != VAULT_OK)
		fail(c);
}

static void deliver_kept(struct conn *c)
{
	if (c->in.len == 0 || c->protocol == NULL)
		return;
	buf_consume(&c->in, deliver(c, c->in.data, c->in.len));
	if (c->in.len == 0) {
		buf_free(&c->in);
		buf_init_secret(&c->in, IN_MAX);
	}
}

static void tls_ended(struct conn *c, vault_err err)
{
	if (err == VAULT_E_EOF) {
		c->peer_eof = true;
	} else if (c->protocol == NULL) {
		/* A failed handshake: its alert goes out, then nothing. */
		conn_finish(c);
	} else {
		fail(c);
	}
}

/* Decrypts while the protocol wants bytes. */
static void decrypt(struct conn *c)
{
	while (c->in.len == 0 && !c->finishing && !c->failed && !c->peer_eof) {
		size_t want = c->protocol != NULL ? c->protocol->want(c->p) : NET_PLAIN_BYTES;
		size_t got = 0;

		if (want == 0)
			return;
		if (want > NET_PLAIN_BYTES)
			want = NET_PLAIN_BYTES;
		vault_err err = tls_read(c->tls, c->net->plain_buf, want, &got, &c->out);
		if (c->protocol == NULL && tls_established(c->tls))
			set_protocol(c);
		if (got > 0 && c->protocol != NULL) {
			size_t used = deliver(c, c->net->plain_buf, got);
			keep(c, c->net->plain_buf + used, got - used);
		}
		if (err == VAULT_E_AGAIN)
			return;
		if (err != VAULT_OK)
			tls_ended(c, err);
	}
}

static void read_plain(struct conn *c, const uint8_t *data, size_t n)
{
	size_t used = c->in.len == 0 ? deliver(c, data, n) : 0;

	keep(c, data + used, n - used);
}

static void read_cipher(struct conn *c, const uint8_t *data, size_t n)
{
	bool kept = c->wire.len > 0 || n == 0;
	size_t rest;

	if (kept && buf_append(&c->wire, data, n) != VAULT_OK) {
		fail(c);
		return;
	}
	tls_feed(c->tls, kept ? c->wire.data : data, kept ? c->wire.len : n);
	decrypt(c);
	const uint8_t *p = tls_rest(c->tls, &rest);
	if (kept)
		buf_consume(&c->wire, c->wire.len - rest);
	else if (rest > 0 && buf_append(&c->wire, p, rest) != VAULT_OK)
		fail(c);
	tls_feed(c->tls, NULL, 0);
	if (c->wire.len == 0 && kept) {
		buf_free(&c->wire);
		buf_init(&c->wire, IN_MAX);
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *b)
{
	struct conn *c = handle->data;
	size_t want = c->protocol != NULL && !c->lingering ? c->protocol->want(c->p) : NET_READ_BYTES;

	(void)suggested;
	if (c->tls != NULL && want < TLS_READ_MIN)
		want = TLS_READ_MIN;
	if (want == 0)
		want = 1;
	*b = uv_buf_init((char *)c->net->read_buf, (unsigned)(want < NET_READ_BYTES ? want : NET_READ_BYTES));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct conn *c = stream->data;

	if (n == 0 || c->closing)
		return;
	if (c->lingering) {
		c->lingered += n > 0 ? (size_t)n : 0;
		if (n < 0 || c->lingered > LINGER_BYTES)
			conn_close(c);
		return;
	}
	if (n < 0 && n != UV_EOF) {
		conn_close(c);
		return;
	}
	if (n == UV_EOF)
		c->peer_eof = true;
	else if (c->tls != NULL)
		read_cipher(c, (const uint8_t *)b->base, (size_t)n);
	else
		read_plain(c, (const uint8_t *)b->base, (size_t)n);
	conn_run(c);
}

static void stop_reading(struct conn *c)
{
	if (c->reading)
		(void)uv_read_stop(&c->u.stream);
	c->reading = false;
}

static void start_reading(struct conn *c)
{
	if (c->reading || c->closing)
		return;
	if (uv_read_start(&c->u.stream, on_alloc, on_read) != 0)
		conn_close(c);
	else
		c->reading = true;
}

static bool wants_more(const struct conn *c)
{
	if (c->peer_eof || c->finishing || c->failed)
		return false;
	if (c->protocol == NULL)
		return true;
	return c->in.len == 0 && c->wire.len < TLS_READ_MIN && c->protocol->want(c->p) > 0;
}

void conn_run(struct conn *c)
{
	if (c->closing)
		return;
	if (!c->failed && !c->finishing && c->protocol != NULL) {
		(void)c->protocol->input(c->p, NULL, 0);
		deliver_kept(c);
		if (c->tls != NULL && (c->wire.len > 0 || tls_pending(c->tls)))
			read_cipher(c, NULL, 0);
		if (c->peer_eof && !c->eof_told && c->in.len == 0 && c->wire.len == 0 && !c->finishing && !c->failed) {
			c->eof_told = true;
			c->protocol->eof(c->p);
		}
	}
	if (c->peer_eof && c->protocol == NULL)
		c->failed = true;
	flush(c);
	if (c->closing)
		return;
	if (c->failed) {
		conn_close(c);
		return;
	}
	if (c->lingering)
		return;
	if (wants_more(c))
		start_reading(c);
	else
		stop_reading(c);
}

/* ---- time and life ---- */

void conn_tick(struct conn *c, uint64_t now_ms)
{
	if (c->closing)
		return;
	if (conn_queued(c) > 0 && now_ms > c->sent_ms + STALL_MS) {
		conn_close(c);
		return;
	}
	if (c->deadline_ms == 0 || now_ms < c->deadline_ms)
		return;
	c->deadline_ms = 0;
	if (c->lingering || c->protocol == NULL) {
		conn_close(c);
	} else if (!c->finishing) {
		c->protocol->timeout(c->p);
		conn_kick(c);
	}
}

void conn_deadline(struct conn *c, uint32_t ms)
{
	if (!c->finishing)
		c->deadline_ms = ms > 0 ? clock_mono_ms() + ms : 0;
}

int conn_kind(const struct conn *c)
{
	return c->kind;
}

bool conn_peer_sha256(const struct conn *c, uint8_t out[32])
{
	return c->tls != NULL && tls_peer_sha256(c->tls, out);
}

static struct conn *conn_new(struct net *n, const struct net_listener *l)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->net = n;
	c->kind = l->kind;
	buf_init_secret(&c->in, IN_MAX);
	buf_init(&c->wire, IN_MAX);
	buf_init(&c->out, OUT_MAX);
	buf_init(&c->flight, OUT_MAX);
	if ((l->unix_socket ? uv_pipe_init(n->o.loop, &c->u.pipe, 0) : uv_tcp_init(n->o.loop, &c->u.tcp)) != 0) {
		free(c);
		return NULL;
	}
	c->u.handle.data = c;
	c->next = n->conns;
	c->prev = &n->conns;
	if (c->next != NULL)
		c->next->prev = &c->next;
	n->conns = c;
	n->n_conns++;
	return c;
}

void conn_accept(struct net *n, struct net_listener *l)
{
	struct conn *c = conn_new(n, l);

	if (c == NULL || uv_accept(&l->u.stream, &c->u.stream) != 0) {
		log_warn("event=accept_failed code=0");
		if (c != NULL)
			conn_close(c);
		return;
	}
	if (n->n_conns > n->o.max_conns || n->draining) {
		conn_close(c);
		return;
	}
	if (!l->unix_socket) {
		(void)uv_tcp_nodelay(&c->u.tcp, 1);        /* a hint: without it answers are only later */
		(void)uv_tcp_keepalive(&c->u.tcp, 1, 60);
	}
	conn_deadline(c, n->o.handshake_ms);
	if (l->tls == NULL)
		set_protocol(c);
	else if (tls_new(&c->tls, l->tls) != VAULT_OK)
		fail(c);
	conn_run(c);
}
