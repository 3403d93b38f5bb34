/*
 * conn.h - connections of a lane: accept, TLS, reading with back-pressure,
 * writing, orderly ends. Loop thread only.
 *
 * A protocol (HTTP/1.1 now) sits on a connection and knows neither sockets nor
 * TLS. Read buffers belong to the loop, not to connections: a connection at rest
 * holds none. Bytes a protocol does not take stay here and reading stops until
 * it wants more.
 */
#ifndef VAULT_FRONT_NET_CONN_H
#define VAULT_FRONT_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <vault/error.h>
#include "front/net/tls.h"

struct net;
struct conn;
struct net_listener;

struct conn_protocol {
	const char *alpn;
	/* *p is the protocol's side. On failure the connection is closed without closed(). */
	vault_err (*open)(struct conn *c, void *app, void **p);
	/* Most bytes that input takes now; 0: do not read. */
	size_t (*want)(void *p);
	/* Plain bytes, n <= want; returns how many were taken. n 0: after conn_kick. */
	size_t (*input)(void *p, const uint8_t *data, size_t n);
	void (*eof)(void *p);
	/* What was sent has left, the queue is empty. */
	void (*drained)(void *p);
	/* A deadline set by conn_deadline passed. */
	void (*timeout)(void *p);
	/* The loop is ending: finish what runs, take nothing new. */
	void (*drain)(void *p);
	/* The last call. */
	void (*closed)(void *p);
};

struct net_options {
	uv_loop_t *loop;
	const struct conn_protocol *const *protocols;   /* NULL-ended; the first is for plain listeners */
	void *app;                   /* given to open */
	uint32_t handshake_ms;
	size_t max_conns;
};

VAULT_NODISCARD vault_err net_new(struct net **n, const struct net_options *o);
/* Takes fd, a listening TCP or unix socket; tls NULL: plain. kind is the app's number for it. */
VAULT_NODISCARD vault_err net_listen(struct net *n, int fd, struct tls_context *tls, int kind);
/* Stops accepting, lets protocols finish; done (once) when no connection is left. */
void net_drain(struct net *n, void (*done)(void *arg), void *arg);
/* Cuts what is left. The memory goes when the loop has run once more. */
void net_close(struct net *n);
size_t net_conns(const struct net *n);

int conn_kind(const struct conn *c);
bool conn_peer_sha256(const struct conn *c, uint8_t out[32]);
/* Copies (or encrypts) n bytes into the queue and sends what goes at once. A failure closes the connection, later. */
void conn_send(struct conn *c, const void *data, size_t n);
size_t conn_queued(const struct conn *c);
/* Have input called from the loop soon: the protocol's appetite or output changed. May be called from anywhere. */
void conn_kick(struct conn *c);
/* timeout() when nothing resets it within ms; 0: none. */
void conn_deadline(struct conn *c, uint32_t ms);
/*
 * Sends the queue, ends the writing side, drops input for a short bounded time
 * (so that the client reads the answer before its connection breaks), closes.
 */
void conn_finish(struct conn *c);
/* Closes soon, without ceremony; the queue is sent as far as it goes at once. */
void conn_cut(struct conn *c);

#endif
