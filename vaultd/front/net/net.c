/*
 * net.c - listeners, the shared read buffers, the tick that watches deadlines,
 * and the list of connections that asked to be run.
 */
#include "front/net/net_internal.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"

#define BACKLOG 1024

static void on_idle(uv_idle_t *handle)
{
	struct net *n = handle->data;
	struct conn *c = n->kicked;

	n->kicked = NULL;
	while (c != NULL) {
		struct conn *next = c->kick_next;

		c->kick_next = NULL;
		c->kicked = false;
		conn_run(c);                       /* may close c, never another */
		c = next;
	}
	if (n->kicked == NULL)
		(void)uv_idle_stop(&n->idle);
}

void net_kick(struct net *n)
{
	if (!n->closing)
		(void)uv_idle_start(&n->idle, on_idle);    /* cannot fail with a callback */
}

static void on_tick(uv_timer_t *handle)
{
	struct net *n = handle->data;
	uint64_t now = clock_mono_ms();

	for (struct conn *c = n->conns; c != NULL;) {
		struct conn *next = c->next;

		conn_tick(c, now);
		c = next;
	}
}

vault_err net_new(struct net **out, const struct net_options *o)
{
	struct net *n = calloc(1, sizeof(*n));

	*out = NULL;
	if (n == NULL)
		return VAULT_E_NOMEM;
	n->o = *o;
	n->read_buf = malloc(NET_READ_BYTES);
	n->plain_buf = malloc(NET_PLAIN_BYTES);
	if (n->read_buf == NULL || n->plain_buf == NULL) {
		free(n->read_buf);
		free(n->plain_buf);
		free(n);
		return VAULT_E_NOMEM;
	}
	(void)uv_timer_init(o->loop, &n->tick);    /* cannot fail */
	(void)uv_idle_init(o->loop, &n->idle);
	n->tick.data = n->idle.data = n;
	n->handles = 2;
	(void)uv_timer_start(&n->tick, on_tick, NET_TICK_MS, NET_TICK_MS);
	*out = n;
	return VAULT_OK;
}

static void on_connection(uv_stream_t *stream, int status)
{
	struct net_listener *l = stream->data;

	if (status < 0) {
		log_warn("event=accept_failed code=%d", status);
		return;
	}
	conn_accept(l->net, l);
}

vault_err net_listen(struct net *n, int fd, struct tls_context *tls, int kind)
{
	struct net_listener *l = calloc(1, sizeof(*l));
	int domain = 0;
	socklen_t len = sizeof(domain);
	int rc;

	if (l == NULL)
		return VAULT_E_NOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0) {
		free(l);
		return VAULT_E_INVAL;
	}
	l->net = n;
	l->tls = tls;
	l->kind = kind;
	l->unix_socket = domain == AF_UNIX;
	rc = l->unix_socket ? uv_pipe_init(n->o.loop, &l->u.pipe, 0) : uv_tcp_init(n->o.loop, &l->u.tcp);
	if (rc != 0) {
		free(l);
		return VAULT_E_NOMEM;
	}
	l->u.handle.data = l;
	l->next = n->listeners;
	n->listeners = l;                  /* closed with the net from here on, whatever follows */
	n->handles++;
	rc = l->unix_socket ? uv_pipe_open(&l->u.pipe, fd) : uv_tcp_open(&l->u.tcp, fd);
	if (rc == 0)
		rc = uv_listen(&l->u.stream, BACKLOG, on_connection);
	if (rc != 0)
		log_error("event=listen_failed code=%d", rc);
	return rc == 0 ? VAULT_OK : VAULT_E_IO;
}

static void maybe_gone(struct net *n)
{
	if (n->draining && n->n_conns == 0 && n->drained != NULL) {
		void (*done)(void *arg) = n->drained;

		n->drained = NULL;
		done(n->drained_arg);
	}
	if (!n->closing || n->handles > 0 || n->n_conns > 0)
		return;
	secret_wipe(n->read_buf, NET_READ_BYTES);
	secret_wipe(n->plain_buf, NET_PLAIN_BYTES);
	free(n->read_buf);
	free(n->plain_buf);
	free(n);
}

void net_forget(struct net *n, struct conn *c)
{
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	n->n_conns--;
	maybe_gone(n);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct net_listener *l = handle->data;
	struct net *n = l->net;

	free(l);
	n->handles--;
	maybe_gone(n);
}

static void close_listeners(struct net *n)
{
	while (n->listeners != NULL) {
		struct net_listener *l = n->listeners;

		n->listeners = l->next;
		uv_close(&l->u.handle, on_listener_closed);
	}
}

void net_drain(struct net *n, void (*done)(void *arg), void *arg)
{
	n->draining = true;
	n->drained = done;
	n->drained_arg = arg;
	close_listeners(n);
	for (struct conn *c = n->conns; c != NULL;) {
		struct conn *next = c->next;

		if (c->protocol != NULL)
			c->protocol->drain(c->p);
		else
			conn_close(c);
		c = next;
	}
	maybe_gone(n);
}

static void on_own_closed(uv_handle_t *handle)
{
	struct net *n = handle->data;

	n->handles--;
	maybe_gone(n);
}

void net_close(struct net *n)
{
	if (n == NULL || n->closing)
		return;
	n->closing = true;
	n->drained = NULL;
	close_listeners(n);
	for (struct conn *c = n->conns; c != NULL;) {
		struct conn *next = c->next;

		conn_close(c);
		c = next;
	}
	uv_close((uv_handle_t *)&n->tick, on_own_closed);
	uv_close((uv_handle_t *)&n->idle, on_own_closed);
}

size_t net_conns(const struct net *n)
{
	return n->n_conns;
}
