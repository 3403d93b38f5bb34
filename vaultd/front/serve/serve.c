/*
 * serve.c - see serve.h.
 */
#include "front/serve/serve.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "front/serve/verify.h"

#define JSON_MAX 65536u

struct serve_call {
	struct serve *serve;
	struct serve_call *next, **link;
	struct verify *verify;
	serve_fn fn;
	void *arg;
};

struct serve {
	struct serve_options o;
	struct serve_call *first;
};

vault_err serve_new(struct serve **out, const struct serve_options *o)
{
	struct serve *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return VAULT_E_NOMEM;
	s->o = *o;
	*out = s;
	return VAULT_OK;
}

static void unlink_call(struct serve_call *call)
{
	*call->link = call->next;
	if (call->next != NULL)
		call->next->link = call->link;
}

void serve_cancel(struct serve_call *call)
{
	verify_cancel(call->verify);
	unlink_call(call);
	free(call);
}

void serve_close(struct serve *s)
{
	if (s == NULL)
		return;
	while (s->first != NULL)
		serve_cancel(s->first);      /* NOLINT(clang-analyzer-unix.Malloc): it unlinks itself */
	free(s);
}

static unsigned refusal_of(vault_err err)
{
	switch (err) {
	case VAULT_OK:
		return VAULT_REFUSAL_none;
	case VAULT_E_NOTFOUND:
		return VAULT_REFUSAL_not_found;
	case VAULT_E_INVAL:
		return VAULT_REFUSAL_bad_command;
	default:
		return VAULT_REFUSAL_internal;
	}
}

/* Takes the reference. */
static void answer(serve_fn fn, void *arg, vault_err err, json_t *value)
{
	size_t n = 0;
	char *text = err == VAULT_OK && value != NULL ? json_write(value, &n) : NULL;
	if (err == VAULT_OK && text == NULL)
		err = VAULT_E_NOMEM;
	fn(arg, refusal_of(err), text, n);
	free(text);
	json_decref(value);
}

static void on_verified(void *arg, vault_err err, const struct verify_result *r)
{
	struct serve_call *call = arg;
	unlink_call(call);
	json_t *value = json_pack("{s:I, s:I, s:I, s:I}", "volumes", (json_int_t)r->volumes, "frames",
	    (json_int_t)r->frames, "bytes", (json_int_t)r->bytes, "damaged", (json_int_t)r->damaged);
	answer(call->fn, call->arg, err, value);
	free(call);
}

static vault_err start_verify(struct serve *s, serve_fn fn, void *arg, struct serve_call **out)
{
	struct serve_call *call = calloc(1, sizeof(*call));
	if (call == NULL)
		return VAULT_E_NOMEM;
	call->serve = s;
	call->fn = fn;
	call->arg = arg;
	vault_err err = verify_start(&call->verify, s->o.loop, s->o.volumes, on_verified, call);
	if (err != VAULT_OK) {
		free(call);
		return err;
	}
	call->next = s->first;
	call->link = &s->first;
	if (s->first != NULL)
		s->first->link = &call->next;
	s->first = call;
	*out = call;
	return VAULT_OK;
}

static json_t *complete_status(struct serve *s, const json_t *request)
{
	struct status_numbers n = {0};
	s->o.numbers(s->o.arg, &n);
	return status_complete(json_object_get(request, "status"), &n);
}

void serve_command(struct serve *s, const char *json, size_t len, serve_fn fn, void *arg, struct serve_call **call)
{
	json_t *request = NULL, *value = NULL;
	uint64_t now = clock_wall_ms();
	*call = NULL;
	vault_err err = json_read(json, len, JSON_MAX, &request);
	const char *cmd = err == VAULT_OK ? json_str(request, "cmd", NULL) : NULL;
	if (cmd == NULL)
		cmd = "";
	if (strcmp(cmd, "list") == 0) {
		err = rows_list(&s->o.rows, request, now, &value);
	} else if (strcmp(cmd, "show") == 0) {
		err = rows_show(&s->o.rows, request, now, &value);
	} else if (strcmp(cmd, "status") == 0) {
		value = complete_status(s, request);
		err = value == NULL ? VAULT_E_NOMEM : VAULT_OK;
	} else if (strcmp(cmd, "verify") == 0) {
		err = start_verify(s, fn, arg, call);
		if (err == VAULT_OK) {
			json_decref(request);
			return;
		}
	} else {
		err = VAULT_E_PROTO;
	}
	json_decref(request);
	answer(fn, arg, err, value);
}
