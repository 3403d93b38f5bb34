/*
 * exchange.c - what adapters call, and the problem documents (RFC 9457). A
 * detail never repeats what the client sent; field was checked by its giver.
 */
#include "front/http/exchange.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* One scheme a line: some senders look at the first word only. */
/* Two lines: ffmpeg only looks at the beginning of each. */
#define CHALLENGE "WWW-Authenticate: Bearer realm=\"vault\"\r\nWWW-Authenticate: Basic realm=\"vault\"\r\n"
#define FIELD_MAX 32u

void exchange_handle(struct exchange *x, const struct exchange_handler *handler, void *arg)
{
	x->handler = handler;
	x->arg = arg;
}

void exchange_accept(struct exchange *x)
{
	x->ops->accept(x);
}

void exchange_resume(struct exchange *x)
{
	x->ops->resume(x);
}

void exchange_answer(struct exchange *x, const struct exchange_answer *a)
{
	x->handler = NULL;
	x->ops->answer(x, a, false);
}

void exchange_json(struct exchange *x, int status, const char *fields, const char *json, size_t n)
{
	const struct exchange_answer a = { .status = status, .type = "application/json", .fields = fields, .body = json,
		.n = n };

	exchange_answer(x, &a);
}

/* A field's name is shown only when it is plain, and never more than its first 32 characters. */
static json_t *field_json(const char *field)
{
	size_t n = strnlen(field, FIELD_MAX);

	for (size_t i = 0; i < n; i++) {
		char c = field[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return NULL;
	}
	return n > 0 ? json_stringn(field, n) : NULL;
}

char *problem_text(unsigned refusal, const char *field, size_t *n)
{
	const char *name = vault_refusal_name(refusal);
	json_t *o = json_pack("{s:s+, s:s, s:i, s:s}", "type", "https://vault.invalid/problems/", name, "title",
	    name, "status", vault_refusal_status(refusal), "detail", vault_refusal_sentence(refusal));
	char *text = NULL;

	if (o != NULL && field != NULL) {
		json_t *shown = field_json(field);

		if (shown != NULL)
			(void)json_object_set_new(o, "field", shown);
	}
	if (o != NULL)
		text = json_write(o, n);
	json_decref(o);
	return text;
}

void exchange_problem_with(struct exchange *x, unsigned refusal, const char *field, const char *fields)
{
	size_t n = 0;
	char *text = problem_text(refusal, field, &n);
	int status = vault_refusal_status(refusal);
	const struct exchange_answer a = { .status = status, .type = "application/problem+json",
		.fields = status == 401 ? CHALLENGE : fields, .body = text, .n = text != NULL ? n : 0 };

	exchange_answer(x, &a);
	free(text);
}

void exchange_problem(struct exchange *x, unsigned refusal, const char *field)
{
	exchange_problem_with(x, refusal, field, NULL);
}

void exchange_begin(struct exchange *x, int status, const char *type, const char *fields)
{
	const struct exchange_answer a = { .status = status, .type = type, .fields = fields };

	x->ops->answer(x, &a, true);
}

vault_err exchange_write(struct exchange *x, const void *data, size_t n)
{
	return x->ops->write(x, data, n);
}

size_t exchange_queued(const struct exchange *x)
{
	return x->ops->queued(x);
}

void exchange_end(struct exchange *x, bool whole)
{
	x->handler = NULL;
	x->ops->end(x, whole);
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" }, { 408, "Request Timeout" }, { 409, "Conflict" }, { 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" }, { 416, "Range Not Satisfiable" }, { 422, "Unprocessable Content" },
		{ 423, "Locked" }, { 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" },
		{ 503, "Service Unavailable" }, { 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}
