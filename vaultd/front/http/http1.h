/*
 * http1.h - HTTP/1.1 on a connection: carries bytes between conn and session,
 * keeps the time limits. The requests go to the app's on_request.
 */
#ifndef VAULT_FRONT_HTTP_HTTP1_H
#define VAULT_FRONT_HTTP_HTTP1_H

#include <stdint.h>

#include "front/http/exchange.h"
#include "front/net/conn.h"

/* What net_options.app points to, for every HTTP version. */
struct http_app {
	uint32_t header_ms;          /* a head's whole time */
	uint32_t body_ms;            /* most time between two pieces of a body */
	uint32_t idle_ms;            /* most time between two requests */
	void (*on_request)(void *arg, struct exchange *x);
	void (*on_refused)(void *arg, unsigned refusal);
	void *arg;
};

extern const struct conn_protocol http1_protocol;

#endif
