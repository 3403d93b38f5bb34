/*
 * session_head.c - a whole head becomes a request. llhttp parses it in one call,
 * so every field is a view into the head; framing is then judged here once more
 * and strictly, because that is where requests are smuggled.
 */
#include "front/http/session_internal.h"

#include <stdlib.h>
#include <string.h>

static int on_url(llhttp_t *p, const char *at, size_t n)
{
	struct http_session *s = p->data;

	if (s->request.target == NULL)
		s->request.target = at;
	s->request.target_len = (size_t)(at - s->request.target) + n;
	return 0;
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
	struct http_session *s = p->data;

	if (s->state != SESSION_HEAD)
		return 0;                  /* a trailer: read over */
	if (s->request.n_fields == 0 || s->in_value) {
		if (s->request.n_fields == HTTP_FIELDS_MAX) {
			s->broken = true;
			return -1;
		}
		s->fields[s->request.n_fields++] = (struct http_field){ .name = at };
		s->in_value = false;
	}
	struct http_field *f = &s->fields[s->request.n_fields - 1];
	f->name_len = (size_t)(at - f->name) + n;
	return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct http_session *s = p->data;

	if (s->state != SESSION_HEAD)
		return 0;
	if (s->request.n_fields == 0)
		return -1;
	struct http_field *f = &s->fields[s->request.n_fields - 1];
	if (f->value == NULL)
		f->value = at;
	f->value_len = (size_t)(at - f->value) + n;
	s->in_value = true;
	return 0;
}

static int on_value_complete(llhttp_t *p)
{
	struct http_session *s = p->data;

	s->in_value = true;                /* an empty value has no on_value */
	return 0;
}

static int on_headers_complete(llhttp_t *p)
{
	p->upgrade = 0;                    /* nothing is upgraded here */
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = session_body,
	.on_message_complete = session_message_complete,
};

/* false: a field without a name. */
static bool trim_values(struct http_session *s)
{
	for (size_t i = 0; i < s->request.n_fields; i++) {
		struct http_field *f = &s->fields[i];

		if (f->name_len == 0)
			return false;
		if (f->value == NULL)
			f->value = "";
		while (f->value_len > 0 && (f->value[0] == ' ' || f->value[0] == '\t')) {
			f->value++;
			f->value_len--;
		}
		while (f->value_len > 0 &&
		    (f->value[f->value_len - 1] == ' ' || f->value[f->value_len - 1] == '\t'))
			f->value_len--;
	}
	return true;
}

static enum http_method method_of(uint8_t method)
{
	switch (method) {
	case HTTP_GET:
		return METHOD_GET;
	case HTTP_HEAD:
		return METHOD_HEAD;
	case HTTP_PUT:
		return METHOD_PUT;
	case HTTP_POST:
		return METHOD_POST;
	default:
		return METHOD_OTHER;
	}
}

/* Digits only, no sign, no list; fits 63 bits. */
static bool parse_length(const char *text, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 18)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	*out = v;
	return true;
}

/* How long is the body? Anything that two readers could read differently is refused. */
static bool framing_ok(struct http_session *s)
{
	struct http_request *r = &s->request;
	size_t lengths = http_request_count(r, "Content-Length");
	size_t codings = http_request_count(r, "Transfer-Encoding");
	size_t n;
	const char *value;

	if (lengths + codings > 1 || (codings > 0 && s->http10))
		return false;
	if (lengths == 1) {
		value = http_request_field(r, "Content-Length", &n);
		if (!parse_length(value, n, &r->length) || r->length != s->parser.content_length)
			return false;
		r->has_length = true;
		r->has_body = r->length > 0;
	}
	if (codings == 1) {
		value = http_request_field(r, "Transfer-Encoding", &n);
		if (!http_name_is(value, n, "chunked") || (s->parser.flags & F_CHUNKED) == 0)
			return false;
		r->has_body = true;
	}
	return true;
}

static bool head_ok(struct http_session *s)
{
	struct http_request *r = &s->request;
	size_t n;
	const char *value;

	if (s->parser.http_major != 1 || s->parser.http_minor > 1)
		return false;
	s->http10 = s->parser.http_minor == 0;
	if (http_request_count(r, "Host") != 1 && !(s->http10 && http_request_count(r, "Host") == 0))
		return false;
	if (r->target_len == 0 || r->target[0] != '/' || !framing_ok(s))
		return false;
	r->method = method_of(s->parser.method);
	value = http_request_field(r, "Expect", &n);
	r->expects_continue = value != NULL && !s->http10 && r->has_body && http_name_is(value, n, "100-continue");
	s->keep_alive = llhttp_should_keep_alive(&s->parser) != 0;
	s->no_body_out = r->method == METHOD_HEAD;
	return true;
}

unsigned session_parse_head(struct http_session *s)
{
	enum llhttp_errno e;

	s->fields = calloc(HTTP_FIELDS_MAX, sizeof(*s->fields));
	if (s->fields == NULL)
		return VAULT_REFUSAL_unavailable;
	s->request.fields = s->fields;
	s->in_value = s->broken = false;
	llhttp_init(&s->parser, HTTP_REQUEST, &settings);
	s->parser.data = s;
	e = llhttp_execute(&s->parser, (const char *)s->head.data, s->head.len);
	if (s->broken)
		return VAULT_REFUSAL_headers_too_large;
	/* The parser and the scanner must agree where the head ends. */
	if (e != HPE_PAUSED || llhttp_get_error_pos(&s->parser) != (const char *)s->head.data + s->head.len)
		return VAULT_REFUSAL_bad_request;
	if (!trim_values(s) || !head_ok(s))
		return VAULT_REFUSAL_bad_request;
	llhttp_resume(&s->parser);
	return VAULT_REFUSAL_none;
}
