/*
 * net_internal.h - inside of net/: net.c (listeners, the loop's shared parts)
 * and conn.c (one connection).
 */
#ifndef VAULT_FRONT_NET_INTERNAL_H
#define VAULT_FRONT_NET_INTERNAL_H

#include "base/buf.h"
#include "front/net/conn.h"

#define NET_READ_BYTES (256u * 1024)     /* one read(2) */
#define NET_PLAIN_BYTES (256u * 1024)    /* plaintext of one wake-up */
#define NET_TICK_MS 250u

union net_stream {
	uv_handle_t handle;
	uv_stream_t stream;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
};

struct net_listener {
	struct net_listener *next;
	struct net *net;
	union net_stream u;
	struct tls_context *tls;
	int kind;
	bool unix_socket;
};

struct net {
	struct net_options o;
	uv_timer_t tick;
	uv_idle_t idle;
	uint8_t *read_buf;           /* shared by all connections: filled and used up within one callback */
	uint8_t *plain_buf;
	struct conn *conns;          /* all that are not closed */
	struct conn *kicked;
	struct net_listener *listeners;
	size_t n_conns;
	unsigned handles;            /* of this struct, not yet closed */
	bool draining, closing;
	void (*drained)(void *arg);
	void *drained_arg;
};

struct conn {
	struct conn *next, **prev;
	struct conn *kick_next;
	struct net *net;
	union net_stream u;
	struct tls *tls;
	const struct conn_protocol *protocol;    /* NULL during the handshake */
	void *p;
	struct buf in;               /* plain bytes the protocol did not take; secret */
	struct buf wire;             /* ciphertext not decrypted yet */
	struct buf out;              /* not given to libuv yet */
	struct buf flight;           /* libuv is writing it */
	uv_write_t write;
	uv_shutdown_t shutdown;
	uint64_t deadline_ms;        /* 0: none */
	uint64_t sent_ms;            /* last progress of writing */
	size_t lingered;
	int kind;
	bool kicked, reading, writing, peer_eof, eof_told;
	bool failed;                 /* to be closed from the kick list */
	bool unsent;                 /* drained() is due when the queue is empty */
	bool finishing;              /* output, then shutdown */
	bool shut;                   /* shutdown was asked for */
	bool lingering;              /* shutdown done, input is dropped */
	bool closing;
};

void conn_accept(struct net *n, struct net_listener *l);
void conn_close(struct conn *c);
/* From the kick list. */
void conn_run(struct conn *c);
void conn_tick(struct conn *c, uint64_t now_ms);
/* Runs the kick list soon. */
void net_kick(struct net *n);
void net_forget(struct net *n, struct conn *c);

#endif
