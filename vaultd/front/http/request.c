/*
 * request.c - looking into a request's head: fields, path, query. Pure
 * functions; every text is outside input and stays a view.
 */
#include "front/http/request.h"

#include <string.h>
#include <strings.h>

bool http_name_is(const char *text, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(text, name, len) == 0;
}

const char *http_request_field(const struct http_request *r, const char *name, size_t *len)
{
	for (size_t i = 0; i < r->n_fields; i++) {
		if (http_name_is(r->fields[i].name, r->fields[i].name_len, name)) {
			*len = r->fields[i].value_len;
			return r->fields[i].value;
		}
	}
	*len = 0;
	return NULL;
}

size_t http_request_count(const struct http_request *r, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_fields; i++)
		n += http_name_is(r->fields[i].name, r->fields[i].name_len, name) ? 1 : 0;
	return n;
}

vault_err http_target_split(struct http_target *t, const char *target, size_t len)
{
	memset(t, 0, sizeof(*t));
	if (len == 0 || target[0] != '/' || memchr(target, '#', len) != NULL)
		return VAULT_E_INVAL;

	const char *mark = memchr(target, '?', len);
	size_t path_len = mark != NULL ? (size_t)(mark - target) : len;

	if (mark != NULL) {
		t->query = mark + 1;
		t->query_len = len - path_len - 1;
	}
	for (size_t at = 1; at <= path_len;) {
		const char *slash = at < path_len ? memchr(target + at, '/', path_len - at) : NULL;
		size_t end = slash != NULL ? (size_t)(slash - target) : path_len;

		if (t->n == HTTP_SEGMENTS_MAX)
			return VAULT_E_RANGE;
		t->segment[t->n] = target + at;
		t->segment_len[t->n++] = end - at;
		at = end + 1;
	}
	return VAULT_OK;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

vault_err http_decode(const char *text, size_t len, bool plus, char *out, size_t cap, size_t *out_len)
{
	size_t n = 0;

	*out_len = 0;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 1 < len ? hex_value(text[i + 1]) : -1;
			int low = i + 2 < len ? hex_value(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return VAULT_E_INVAL;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (plus && c == '+') {
			c = ' ';
		}
		if (c == '\0')
			return VAULT_E_INVAL;
		if (n == cap)
			return VAULT_E_RANGE;
		out[n++] = c;
	}
	*out_len = n;
	return VAULT_OK;
}

/* Length of the UTF-8 sequence that begins at p, 0 when it is not one (RFC 3629). */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;
	uint32_t code = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return n;
}

bool http_utf8_valid(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence(p + i, len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

bool http_query_next(const char *query, size_t len, size_t *at, const char **name, size_t *name_len,
    const char **value, size_t *value_len)
{
	while (*at < len) {
		const char *start = query + *at;
		const char *amp = memchr(start, '&', len - *at);
		size_t n = amp != NULL ? (size_t)(amp - start) : len - *at;
		const char *eq = n > 0 ? memchr(start, '=', n) : NULL;

		*at += n + 1;
		if (n == 0)
			continue;
		*name = start;
		*name_len = eq != NULL ? (size_t)(eq - start) : n;
		*value = eq != NULL ? eq + 1 : start + n;
		*value_len = eq != NULL ? n - *name_len - 1 : 0;
		return true;
	}
	return false;
}
