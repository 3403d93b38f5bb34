/*
 * routes.c - the HTTP surface, on one screen.
 */
#include "front/adapter/front.h"
#include "front/router.h"

const struct route front_routes[] = {
	{ "v1/tenants/@/recordings", ROUTE_PUT | ROUTE_POST, ROUTE_PUBLIC, http_put },
	{ "v1/tenants/@/recordings/@", ROUTE_PUT | ROUTE_POST, ROUTE_PUBLIC, http_put },
	{ "v1/recordings/@", ROUTE_GET, ROUTE_PUBLIC, http_fetch },
	{ "v1/recordings/@/state", ROUTE_GET, ROUTE_PUBLIC, http_state },
	{ "v1/commands", ROUTE_POST, ROUTE_PUBLIC, http_command },
	{ "v1/vault", ROUTE_GET, ROUTE_PUBLIC, http_vault },
	{ "v1/audit/@@", ROUTE_GET, ROUTE_PUBLIC, http_audit },
	{ "healthz", ROUTE_GET, ROUTE_LOCAL, http_health },
	{ "readyz", ROUTE_GET, ROUTE_LOCAL, http_ready },
	{ "metrics", ROUTE_GET, ROUTE_LOCAL, http_metrics },
	{ NULL, 0, 0, NULL },
};
