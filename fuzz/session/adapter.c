/*
 * adapter.c - see adapter.h.
 */
#include "adapter.h"

#include <stdlib.h>
#include <string.h>

#include "front/adapter/put_metadata.h"
#include "front/http/request.h"
#include "front/router.h"
#include "planted.h"

#define PIECE 3000u

static void need(bool holds)
{
	if (!holds)
		abort();
}

static void mix(struct adapter *a, const void *data, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		a->hash = (a->hash ^ p[i]) * 0x100000001b3u;
	a->hash = (a->hash ^ n) * 0x100000001b3u;
}

static void over(struct adapter *a)
{
	a->x = NULL;
	a->streaming = false;
}

static size_t on_credit(void *arg)
{
	struct adapter *a = arg;

	need(a->x != NULL);
	return a->starved ? 0 : a->give;
}

static void on_body(void *arg, const uint8_t *data, size_t n)
{
	struct adapter *a = arg;

	need(a->x != NULL && n > 0 && n <= a->give);
	for (size_t i = 0; i < n; i++)
		a->hash = (a->hash ^ data[i]) * 0x100000001b3u;
	a->body += n;
	need(!a->has_length || a->body <= a->length);
	/* A body that begins so is answered in its middle. */
	if (a->body == n && data[0] == '!') {
		struct exchange *x = a->x;

		a->lost = true;
		over(a);
		exchange_problem(x, VAULT_REFUSAL_disk_full, NULL);
	}
}

static void answer(struct adapter *a)
{
	struct exchange *x = a->x;

	if ((a->hash & 3) == 0) {
		a->streaming = true;
		exchange_begin(x, 200, "application/octet-stream", NULL);
		return;
	}
	over(a);
	if ((a->hash & 3) == 1)
		exchange_problem(x, VAULT_REFUSAL_not_found, "field");
	else
		exchange_json(x, 201, "Location: /v1/recordings/0\r\n", "{}", 2);
}

static void on_body_end(void *arg)
{
	struct adapter *a = arg;

	need(a->x != NULL && !a->streaming && (!a->has_length || a->body == a->length));
	PLANTED(a->body > 0 && a->body % 2 == 0);
	mix(a, &a->body, sizeof(a->body));
	if (a->n_seen < SEEN_MAX)
		a->seen[a->n_seen++] = a->hash;
	answer(a);
}

static void on_drain(void *arg)
{
	adapter_go_on(arg);
}

static void on_lost(void *arg, unsigned refusal)
{
	struct adapter *a = arg;

	need(a->x != NULL && vault_refusal_name(refusal) != NULL);
	a->lost = true;
	over(a);
}

void adapter_go_on(struct adapter *a)
{
	static const uint8_t piece[PIECE];
	struct exchange *x = a->x;

	if (x == NULL || !a->streaming)
		return;
	a->hash = a->hash * 0x100000001b3u + 1;
	if (exchange_queued(x) < EXCHANGE_QUEUE && (a->hash & 0x300) != 0) {
		need(exchange_write(x, piece, a->hash >> 16 & 2047) == VAULT_OK);
		return;
	}
	over(a);
	exchange_end(x, (a->hash & 0x400) != 0);
}

static const struct exchange_handler handler = { on_credit, on_body, on_body_end, on_drain, on_lost };

static void take(struct adapter *a, struct exchange *x)
{
	a->x = x;
	exchange_handle(x, &handler, a);
	exchange_accept(x);
}

/* As an upload is looked at: path, query and Vault-Metadata, then the body. */
static void serve_put(struct front *f, struct exchange *x, const struct http_target *t)
{
	struct adapter *a = (struct adapter *)(void *)f;
	struct ingest_start start;
	struct ingest_metadata *m;
	char field[33];
	unsigned refusal = put_path(t, &start);

	if (refusal == VAULT_REFUSAL_none) {
		need(vault_tenant_valid(start.tenant, strlen(start.tenant)) && strchr(start.name, '/') == NULL);
		need(http_utf8_valid(start.name, strlen(start.name)));
		field[0] = '\0';
		refusal = put_metadata(x->request, t, "ticket", false, &m, field);
		need((refusal == VAULT_REFUSAL_none) == (m != NULL) && strlen(field) <= 32);
		metadata_free(m);
	}
	if (refusal != VAULT_REFUSAL_none)
		exchange_problem(x, refusal, refusal == VAULT_REFUSAL_unknown_field ? field : NULL);
	else
		take(a, x);
}

static void serve_any(struct front *f, struct exchange *x, const struct http_target *t)
{
	struct adapter *a = (struct adapter *)(void *)f;

	need(t->n >= 1 && t->n <= HTTP_SEGMENTS_MAX);
	if (x->request->has_body) {
		take(a, x);
		return;
	}
	a->x = x;
	exchange_handle(x, &handler, a);
	answer(a);
}

static const struct route routes[] = {
	{ "v1/tenants/@/recordings", ROUTE_PUT | ROUTE_POST, ROUTE_PUBLIC, serve_put },
	{ "v1/tenants/@/recordings/@", ROUTE_PUT | ROUTE_POST, ROUTE_PUBLIC, serve_put },
	{ "v1/recordings/@", ROUTE_GET, ROUTE_PUBLIC, serve_any },
	{ "v1/commands", ROUTE_POST, ROUTE_PUBLIC, serve_any },
	{ "v1/audit/@@", ROUTE_GET, ROUTE_PUBLIC, serve_any },
	{ "metrics", ROUTE_GET, ROUTE_LOCAL, serve_any },
	{ NULL, 0, 0, NULL },
};

static void check_request(struct adapter *a, const struct http_request *r)
{
	need(r->target_len > 0 && r->target[0] == '/' && r->target_len <= HTTP_HEAD_MAX);
	need(r->n_fields <= HTTP_FIELDS_MAX && (!r->has_length || r->has_body == (r->length > 0)));
	/* What another reader could take for a second request's border. */
	need(http_request_count(r, "Content-Length") + http_request_count(r, "Transfer-Encoding") <= 1);
	a->hash = 0xcbf29ce484222325u;
	mix(a, &r->method, sizeof(r->method));
	mix(a, r->target, r->target_len);
	for (size_t i = 0; i < r->n_fields; i++) {
		const struct http_field *f = &r->fields[i];

		need(memchr(f->value, '\n', f->value_len) == NULL && memchr(f->name, ':', f->name_len) == NULL);
		mix(a, f->name, f->name_len);
		mix(a, f->value, f->value_len);
	}
}

static void on_request(void *arg, struct exchange *x)
{
	struct adapter *a = arg;

	need(a->x == NULL);
	check_request(a, x->request);
	a->body = 0;
	a->has_length = x->request->has_length;
	a->length = x->request->length;
	if (a->n_seen < SEEN_MAX)
		a->seen[a->n_seen++] = a->hash;
	router_serve(routes, (struct front *)(void *)a, x);
}

static void on_refused(void *arg, unsigned refusal)
{
	(void)arg;
	need(refusal != VAULT_REFUSAL_none);
}

static void on_wake(void *arg)
{
	(void)arg;
}

const struct http_session_owner adapter_owner = { on_request, on_refused, on_wake };

void adapter_check_over(const struct adapter *a)
{
	need(a->x == NULL && !a->streaming);
}
