/*
 * http_put.c - PUT/POST /v1/tenants/{tenant}/recordings[/{name}]: one request,
 * one recording (docs/HTTP.md, Ingest).
 *
 * The decision falls before the body is read: path, credentials, range, then the
 * keeper (admit), then metadata; only then the body is accepted. Bytes go from
 * the read buffer straight to ingest. Loop thread only; never logs what a
 * request says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "front/adapter/front.h"
#include "front/adapter/put_metadata.h"

#define DISCARD_MAX (64u * 1024 * 1024)

struct put {
	struct front *f;
	struct exchange *x;          /* NULL once answered or lost */
	struct http_target target;
	struct ingest_start start;
	struct ingest_ticket ticket;
	bool asking;                 /* admit is under way */
	bool admitted;               /* the source is known, so its tenant may be named in notes */
	struct ingest_stream *st;    /* NULL once it ended */
	bool body_ended;
	bool discard;                /* the name existed: the rest of the body is read and dropped */
	struct ingest_result result;
};

static void put_free(struct put *p)
{
	if (p->asking)
		ingest_admit_cancel(p->f->ingest, p->ticket);
	secret_wipe(&p->start, sizeof(p->start));
	free(p);
}

/* Frees p. For refusals that are written down by who made them (keeper, ingest). */
static void put_problem(struct put *p, unsigned refusal, const char *field)
{
	struct exchange *x = p->x;

	p->x = NULL;
	exchange_problem(x, refusal, field);
	put_free(p);
}

/* Frees p. For refusals that only this adapter saw. */
static void put_refuse(struct put *p, unsigned refusal, const char *field)
{
	note_refusal(p->f, refusal, p->admitted ? p->start.tenant : "");
	put_problem(p, refusal, field);
}

/* ---- the recording's end ---- */

static json_t *result_json(const struct ingest_result *r)
{
	char id[VAULT_ID_TEXT], expires[CLOCK_TEXT], sha[65];
	json_t *o;

	vault_id_format(&r->id, id);
	clock_format(r->expires_s * 1000, expires);
	hex_encode(r->sha256, sizeof(r->sha256), sha);
	o = json_pack("{s:s, s:b}", "id", id, "truncated", r->truncated);
	if (o == NULL)
		return NULL;
	if (r->existing) {
		(void)json_object_set_new(o, "existing", json_true());
		return o;
	}
	if (json_object_set_new(o, "bytes", json_integer((json_int_t)r->bytes)) != 0 ||
	    json_object_set_new(o, "duration_ms", json_integer((json_int_t)(r->duration_us / 1000))) != 0 ||
	    json_object_set_new(o, "expires", json_string(expires)) != 0 ||
	    (!r->truncated && json_object_set_new(o, "sha256", json_string(sha)) != 0)) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* Frees p. */
static void put_answer(struct put *p)
{
	struct exchange *x = p->x;
	json_t *o = result_json(&p->result);
	size_t n = 0;
	char *text = o != NULL ? json_write(o, &n) : NULL;
	char id[VAULT_ID_TEXT], location[96];

	p->x = NULL;
	vault_id_format(&p->result.id, id);
	(void)snprintf(location, sizeof(location), "Location: /v1/recordings/%s\r\n", id);
	if (text == NULL)
		exchange_problem(x, VAULT_REFUSAL_internal, NULL);
	else
		exchange_json(x, p->result.existing ? 200 : 201, location, text, n);
	free(text);
	json_decref(o);
	put_free(p);
}

/* A file that was sent before is read to its end, so that its sender sees the answer; a live stream is cut. */
static bool worth_discarding(const struct put *p)
{
	return !p->body_ended && p->x->request->has_length && p->x->request->length <= DISCARD_MAX;
}

static void on_ended(void *arg, const struct ingest_result *r)
{
	struct put *p = arg;

	p->st = NULL;
	p->result = *r;
	if (r->existing && worth_discarding(p)) {
		p->discard = true;
		exchange_resume(p->x);
		return;
	}
	put_answer(p);
}

static void on_failed(void *arg, unsigned refusal, const vault_id *id, uint64_t durable)
{
	struct put *p = arg;

	(void)id;
	(void)durable;
	p->st = NULL;
	put_problem(p, refusal == VAULT_REFUSAL_none ? VAULT_REFUSAL_internal : refusal, NULL);
}

static void on_credit(void *arg)
{
	struct put *p = arg;

	if (p->x != NULL)
		exchange_resume(p->x);
}

static const struct ingest_callbacks stream_callbacks = {
	.on_credit = on_credit,
	.on_ended = on_ended,
	.on_failed = on_failed,
};

/* ---- the body ---- */

static size_t body_credit(void *arg)
{
	struct put *p = arg;

	return p->discard ? SIZE_MAX : p->st != NULL ? ingest_credit(p->st) : 0;
}

static void on_body(void *arg, const uint8_t *data, size_t n)
{
	struct put *p = arg;
	struct ingest_stream *st = p->st;
	vault_err err;

	if (p->discard || st == NULL)
		return;
	err = ingest_write(st, 0, 0, data, n);
	/* STATE: it has failed already and on_failed is on its way. */
	if (err == VAULT_OK || err == VAULT_E_STATE)
		return;
	ingest_attach(st, NULL, NULL);
	ingest_abort(st, front_refusal(err));
	p->st = NULL;
	put_refuse(p, front_refusal(err), NULL);
}

static void on_body_end(void *arg)
{
	struct put *p = arg;

	p->body_ended = true;
	if (p->discard)
		put_answer(p);
	else if (p->st != NULL)
		ingest_end(p->st);
}

static void on_lost(void *arg, unsigned refusal)
{
	struct put *p = arg;

	p->x = NULL;
	if (p->st != NULL) {
		ingest_attach(p->st, NULL, NULL);
		ingest_abort(p->st, refusal == VAULT_REFUSAL_none ? VAULT_REFUSAL_length_mismatch : refusal);
	}
	put_free(p);
}

static const struct exchange_handler body_handler = {
	.credit = body_credit,
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_lost = on_lost,
};

/* ---- the decision ---- */

static void open_stream(struct put *p, const struct ipc_admitted *a)
{
	char field[33];
	struct ingest_metadata *meta = NULL;
	unsigned refusal = put_metadata(p->x->request, &p->target, a->tags, a->consent != 0, &meta, field);
	vault_err err;

	if (refusal != VAULT_REFUSAL_none) {
		put_refuse(p, refusal, field[0] != '\0' ? field : NULL);
		return;
	}
	p->start.allowed_media = a->media;
	p->start.meta = meta;
	err = ingest_open(p->f->ingest, &p->start, &stream_callbacks, p, &p->st);
	metadata_free(meta);
	p->start.meta = NULL;
	secret_wipe(&p->start.cred, sizeof(p->start.cred));
	if (err != VAULT_OK) {
		p->st = NULL;
		put_refuse(p, front_refusal(err), NULL);
		return;
	}
	exchange_accept(p->x);
}

static void on_admitted(void *arg, const struct ipc_admitted *a)
{
	struct put *p = arg;

	p->asking = false;
	if (a->refusal != VAULT_REFUSAL_none) {
		p->f->refused++;
		put_problem(p, a->refusal, NULL);
		return;
	}
	p->admitted = true;
	if (!p->f->ready) {
		put_refuse(p, VAULT_REFUSAL_unavailable, NULL);
	} else {
		open_stream(p, a);
	}
}

static void declare_media(struct put *p)
{
	static const char form[] = "application/x-www-form-urlencoded";
	size_t n;
	const char *type = http_request_field(p->x->request, "Content-Type", &n);

	/* curl and ffmpeg name a form when nobody told them better: that claims nothing. */
	if (type == NULL || (n >= sizeof(form) - 1 && http_name_is(type, sizeof(form) - 1, form)))
		return;
	p->start.declared_container = (uint8_t)container_of_mime(type, n, &p->start.declared_media);
}

/* Everything that needs nobody else. */
static unsigned check_request(struct put *p)
{
	unsigned refusal = put_path(&p->target, &p->start);
	size_t n;

	if (refusal != VAULT_REFUSAL_none)
		return refusal;
	if (credentials_of(p->x, &p->start.cred) != VAULT_OK)
		return VAULT_REFUSAL_unauthorized;
	if (http_request_field(p->x->request, "Content-Range", &n) != NULL)
		return VAULT_REFUSAL_range_not_supported;
	if (!p->f->ready || keeper_link_busy(p->f->keeper))
		return VAULT_REFUSAL_unavailable;
	declare_media(p);
	return VAULT_REFUSAL_none;
}

void http_put(struct front *f, struct exchange *x, const struct http_target *t)
{
	struct put *p = calloc(1, sizeof(*p));
	struct ipc_admit admit;
	unsigned refusal;
	vault_err err;

	if (p == NULL) {
		front_refuse(f, x, VAULT_REFUSAL_unavailable, NULL, "");
		return;
	}
	p->f = f;
	p->x = x;
	p->target = *t;
	refusal = check_request(p);
	if (refusal != VAULT_REFUSAL_none) {
		put_refuse(p, refusal, NULL);
		return;
	}
	memset(&admit, 0, sizeof(admit));
	memcpy(admit.tenant, p->start.tenant, sizeof(admit.tenant));
	admit.cred = p->start.cred;
	admit.media = p->start.declared_media;
	exchange_handle(x, &body_handler, p);
	p->asking = true;
	err = ingest_admit(f->ingest, &admit, on_admitted, p, &p->ticket);
	secret_wipe(&admit, sizeof(admit));
	if (err != VAULT_OK) {
		p->asking = false;
		put_refuse(p, front_refusal(err), NULL);
	}
}
