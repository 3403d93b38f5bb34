/*
 * router.c - see router.h. Compares raw segments: what is percent-encoded is
 * never a fixed word of a path.
 */
#include "front/router.h"

#include <stdio.h>
#include <string.h>

static bool matches(const char *path, const struct http_target *t)
{
	size_t k = 0;

	for (const char *p = path; *p != '\0'; k++) {
		size_t n = strcspn(p, "/");

		if (n == 2 && memcmp(p, "@@", 2) == 0)
			return k < t->n;
		if (k == t->n)
			return false;
		if (!(n == 1 && p[0] == '@') && (n != t->segment_len[k] || memcmp(p, t->segment[k], n) != 0))
			return false;
		p += n;
		p += *p == '/' ? 1 : 0;
	}
	return k == t->n;
}

static unsigned method_bit(enum http_method m)
{
	switch (m) {
	case METHOD_GET:
	case METHOD_HEAD:
		return ROUTE_GET;
	case METHOD_PUT:
		return ROUTE_PUT;
	case METHOD_POST:
		return ROUTE_POST;
	default:
		return 0;
	}
}

static unsigned listener_bit(enum listener_kind k)
{
	return k == LISTENER_HTTPS ? ROUTE_ON_HTTPS : k == LISTENER_UNIX ? ROUTE_ON_UNIX : ROUTE_ON_OPS;
}

static void wrong_method(struct exchange *x, unsigned methods)
{
	char allow[64];

	(void)snprintf(allow, sizeof(allow), "Allow: %s%s%s\r\n", (methods & ROUTE_GET) != 0 ? "GET, HEAD" : "",
	    (methods & ROUTE_PUT) != 0 ? "PUT" : "",
	    (methods & ROUTE_POST) != 0 ? ((methods & ROUTE_PUT) != 0 ? ", POST" : "POST") : "");
	exchange_problem_with(x, VAULT_REFUSAL_method_not_allowed, NULL, allow);
}

void router_serve(const struct route *routes, struct front *f, struct exchange *x)
{
	struct http_target t;
	unsigned allowed = 0;
	vault_err err = http_target_split(&t, x->request->target, x->request->target_len);

	if (err != VAULT_OK) {
		exchange_problem(x, err == VAULT_E_RANGE ? VAULT_REFUSAL_not_found : VAULT_REFUSAL_bad_request, NULL);
		return;
	}
	for (const struct route *r = routes; r->path != NULL; r++) {
		if ((r->listeners & listener_bit(x->peer->listener)) == 0 || !matches(r->path, &t))
			continue;
		if ((r->methods & method_bit(x->request->method)) != 0) {
			r->serve(f, x, &t);
			return;
		}
		allowed |= r->methods;
	}
	if (allowed != 0)
		wrong_method(x, allowed);
	else
		exchange_problem(x, VAULT_REFUSAL_not_found, NULL);
}
