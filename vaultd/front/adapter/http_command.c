/*
 * http_command.c - POST /v1/commands and GET /v1/recordings/{id}: a signed
 * command on its way to the keeper, and the three kinds of answer.
 *
 * The front trusts nothing of a token and decides nothing by it: it carries it.
 * The one look inside (a fetch by GET must be a fetch of that recording) only
 * refuses more than the keeper would.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/json.h"
#include "front/adapter/front.h"
#include "token/jws.h"

struct command_call {
	struct front *f;
	struct exchange *x;
	struct buf token;            /* secret */
	uint64_t ticket;
	bool asking;
	struct serve_call *serving;
	struct export *export;
	bool streaming;
};

static void call_free(struct command_call *c)
{
	buf_free(&c->token);
	free(c);
}

/* Frees c. */
static void call_refuse(struct command_call *c, unsigned refusal, bool keeper_knows)
{
	struct exchange *x = c->x;

	if (!keeper_knows)
		note_refusal(c->f, refusal, "");
	exchange_problem(x, refusal, NULL);
	call_free(c);
}

/* ---- exports ---- */

static void begin_stream(struct command_call *c)
{
	if (!c->streaming)
		exchange_begin(c->x, 200, "application/age", "Cache-Control: no-store\r\n");
	c->streaming = true;
}

static void on_data(void *arg, const uint8_t *data, size_t n)
{
	struct command_call *c = arg;

	begin_stream(c);
	if (exchange_write(c->x, data, n) != VAULT_OK) {
		export_cancel(c->export);
		exchange_end(c->x, false);
		call_free(c);
		return;
	}
	if (exchange_queued(c->x) >= EXCHANGE_QUEUE)
		export_hold(c->export, true);
}

static void on_end(void *arg, bool ok)
{
	struct command_call *c = arg;

	begin_stream(c);
	exchange_end(c->x, ok);
	call_free(c);
}

static void on_refused(void *arg, unsigned refusal)
{
	call_refuse(arg, refusal, true);
}

static const struct export_consumer consumer = { on_data, on_end, on_refused };

static void on_drain(void *arg)
{
	struct command_call *c = arg;

	if (c->export != NULL)
		export_hold(c->export, false);
}

/* ---- answers ---- */

static void on_served(void *arg, unsigned refusal, const char *json, size_t n)
{
	struct command_call *c = arg;

	c->serving = NULL;
	if (refusal != VAULT_REFUSAL_none) {
		call_refuse(c, refusal, true);
		return;
	}
	exchange_json(c->x, 200, "Cache-Control: no-store\r\n", json, n);
	call_free(c);
}

static void answer_final(struct command_call *c, const struct ipc_answer *a)
{
	json_t *o = NULL;
	const char *name = NULL;

	if (a->status >= 400 && json_read(a->json, a->json_len, IPC_MAX, &o) == VAULT_OK)
		name = json_str(o, "refusal", NULL);
	if (a->status >= 400) {
		call_refuse(c, name != NULL ? refusal_by_name(name) : VAULT_REFUSAL_internal, true);
	} else {
		exchange_json(c->x, a->status, "Cache-Control: no-store\r\n", a->json, a->json_len);
		call_free(c);
	}
	json_decref(o);
}

static void answer_serve(struct command_call *c, const struct ipc_answer *a)
{
	struct serve_call *call = NULL;

	serve_command(c->f->serve, a->json, a->json_len, on_served, c, &call);
	/* NULL: on_served was called already and c is gone. */
	if (call != NULL)
		c->serving = call;
}

static void answer_job(struct command_call *c, const struct ipc_answer *a)
{
	vault_err err = export_start(c->f->exports, a->json, a->json_len, &consumer, c, &c->export);

	if (err != VAULT_OK) {
		c->export = NULL;
		call_refuse(c, err == VAULT_E_NOTFOUND ? VAULT_REFUSAL_not_found : VAULT_REFUSAL_internal, true);
	}
}

static void on_answer(void *arg, const struct ipc_packet *packet)
{
	struct command_call *c = arg;
	struct ipc_answer a;

	c->asking = false;
	if (packet == NULL || ipc_answer_decode(&a, packet) != VAULT_OK) {
		call_refuse(c, packet == NULL ? VAULT_REFUSAL_unavailable : VAULT_REFUSAL_internal, true);
		return;
	}
	switch (a.kind) {
	case ANSWER_FINAL:
		answer_final(c, &a);
		break;
	case ANSWER_SERVE:
		answer_serve(c, &a);
		break;
	case ANSWER_JOB:
		answer_job(c, &a);
		break;
	default:
		call_refuse(c, VAULT_REFUSAL_internal, true);
		break;
	}
}

static void ask_keeper(struct command_call *c, const char *token, size_t n)
{
	struct front *f = c->f;
	const struct ipc_command m = { .listener = c->x->peer->listener == LISTENER_UNIX ? 0 : 1, .token = token,
		.token_len = (uint32_t)n };
	size_t len = ipc_command_encode(f->packet, 0, &m);
	vault_err err = len == 0 ? VAULT_E_RANGE : VAULT_E_AGAIN;

	if (len > 0 && !keeper_link_busy(f->keeper))
		err = keeper_link_ask(f->keeper, f->packet, len, on_answer, c, &c->ticket);
	if (err != VAULT_OK)
		call_refuse(c, err == VAULT_E_RANGE ? VAULT_REFUSAL_bad_command : VAULT_REFUSAL_unavailable, false);
	else
		c->asking = true;
}

/* ---- the request ---- */

static size_t body_credit(void *arg)
{
	struct command_call *c = arg;

	return c->token.max - c->token.len + 1;    /* one more, to see that it is too much */
}

static void on_body(void *arg, const uint8_t *data, size_t n)
{
	struct command_call *c = arg;
	vault_err err = buf_append(&c->token, data, n);

	if (err != VAULT_OK)
		call_refuse(c, err == VAULT_E_RANGE ? VAULT_REFUSAL_body_too_large : VAULT_REFUSAL_unavailable, false);
}

static void on_body_end(void *arg)
{
	struct command_call *c = arg;
	size_t n = c->token.len;

	/* A line end behind the token is a habit of files and shells. */
	while (n > 0 && (c->token.data[n - 1] == '\n' || c->token.data[n - 1] == '\r'))
		n--;
	if (n == 0)
		call_refuse(c, VAULT_REFUSAL_bad_command, false);
	else
		ask_keeper(c, (const char *)c->token.data, n);
}

static void on_lost(void *arg, unsigned refusal)
{
	struct command_call *c = arg;

	(void)refusal;
	if (c->asking)
		keeper_link_cancel(c->f->keeper, c->ticket);
	if (c->serving != NULL)
		serve_cancel(c->serving);
	if (c->export != NULL)
		export_cancel(c->export);
	call_free(c);
}

static const struct exchange_handler handler = { body_credit, on_body, on_body_end, on_drain, on_lost };

static struct command_call *call_new(struct front *f, struct exchange *x)
{
	struct command_call *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		front_refuse(f, x, VAULT_REFUSAL_unavailable, NULL, "");
		return NULL;
	}
	c->f = f;
	c->x = x;
	buf_init_secret(&c->token, JWS_MAX);
	exchange_handle(x, &handler, c);
	return c;
}

void http_command(struct front *f, struct exchange *x, const struct http_target *t)
{
	(void)t;
	if (x->request->has_length && x->request->length > JWS_MAX) {
		front_refuse(f, x, VAULT_REFUSAL_body_too_large, NULL, "");
		return;
	}
	/* Anybody may send one: it does not hold a connection by trickling in. */
	x->short_body = true;
	if (call_new(f, x) != NULL)
		exchange_accept(x);
}

/* Does the token's payload say cmd fetch and this id? Nothing is verified here: the keeper does that. */
static bool is_fetch_of(const char *token, size_t n, const char *id, size_t id_len)
{
	const char *dot = memchr(token, '.', n);
	const char *start = dot != NULL ? dot + 1 : NULL;
	const char *end = start != NULL ? memchr(start, '.', n - (size_t)(start - token)) : NULL;
	char *text = malloc(JWS_MAX);
	json_t *o = NULL;
	bool ok = false;
	size_t len = 0;

	if (text != NULL && end != NULL &&
	    b64_decode(start, (size_t)(end - start), B64_URL_NOPAD, text, JWS_MAX, &len) == VAULT_OK &&
	    json_read(text, len, JWS_MAX, &o) == VAULT_OK) {
		const char *cmd = json_str(o, "cmd", NULL);
		size_t have_len = 0;
		const char *have = json_str(json_object_get(o, "args"), "id", &have_len);

		ok = cmd != NULL && strcmp(cmd, "fetch") == 0 && have != NULL && have_len == id_len &&
		    memcmp(have, id, id_len) == 0;
	}
	json_decref(o);
	free(text);
	return ok;
}

void http_fetch(struct front *f, struct exchange *x, const struct http_target *t)
{
	size_t n = 0;
	const char *token = bearer_of(x, &n);
	struct command_call *c;
	vault_id id;

	if (vault_id_parse(t->segment[2], t->segment_len[2], &id) != VAULT_OK) {
		front_refuse(f, x, VAULT_REFUSAL_not_found, NULL, "");
		return;
	}
	if (token == NULL || http_request_count(x->request, "Authorization") > 1) {
		front_refuse(f, x, VAULT_REFUSAL_unauthorized, NULL, "");
		return;
	}
	if (n > JWS_MAX || x->request->has_body || !is_fetch_of(token, n, t->segment[2], t->segment_len[2])) {
		front_refuse(f, x, VAULT_REFUSAL_bad_command, NULL, "");
		return;
	}
	c = call_new(f, x);
	if (c != NULL)
		ask_keeper(c, token, n);
}
