/*
 * router.h - which adapter answers which path, on which listener.
 */
#ifndef VAULT_FRONT_ROUTER_H
#define VAULT_FRONT_ROUTER_H

#include "front/http/exchange.h"

struct front;

#define ROUTE_GET 1u                   /* HEAD as well */
#define ROUTE_PUT 2u
#define ROUTE_POST 4u
#define ROUTE_ON_HTTPS 1u
#define ROUTE_ON_UNIX 2u
#define ROUTE_ON_OPS 4u
#define ROUTE_PUBLIC (ROUTE_ON_HTTPS | ROUTE_ON_UNIX)
#define ROUTE_LOCAL (ROUTE_ON_UNIX | ROUTE_ON_OPS)

struct route {
	const char *path;            /* "v1/recordings/@/state": @ is any one segment, @@ any rest */
	unsigned methods;
	unsigned listeners;
	/* Answers x, or sets its handler. target's views live as long as x. */
	void (*serve)(struct front *f, struct exchange *x, const struct http_target *target);
};

/* routes ends with a path of NULL. Always answers or hands over. */
void router_serve(const struct route *routes, struct front *f, struct exchange *x);

/* The front's table (routes.c). */
extern const struct route front_routes[];

#endif
