/*
 * request.h - one HTTP request's head, whatever the version on the wire.
 *
 * All text is views into memory of the session that made it; they live until
 * the request was answered. Pure functions, any thread.
 */
#ifndef VAULT_FRONT_HTTP_REQUEST_H
#define VAULT_FRONT_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>

#define HTTP_HEAD_MAX (32u * 1024)      /* request line and all fields */
#define HTTP_FIELDS_MAX 100u
#define HTTP_SEGMENTS_MAX 12u

enum http_method { METHOD_GET, METHOD_HEAD, METHOD_PUT, METHOD_POST, METHOD_OTHER };

struct http_field {
	const char *name;
	size_t name_len;
	const char *value;           /* without white space around it */
	size_t value_len;
};

struct http_request {
	enum http_method method;
	const char *target;          /* origin form: path and query */
	size_t target_len;
	const struct http_field *fields;
	size_t n_fields;
	bool has_body;
	bool has_length;             /* length is what the client promised */
	uint64_t length;
	bool expects_continue;
};

/* The first field of this name (any case), or NULL. */
const char *http_request_field(const struct http_request *r, const char *name, size_t *len);
size_t http_request_count(const struct http_request *r, const char *name);
bool http_name_is(const char *text, size_t len, const char *name);      /* any case */

/* The raw path's segments, still percent-encoded; query is NULL when there is none. */
struct http_target {
	size_t n;
	const char *segment[HTTP_SEGMENTS_MAX];
	size_t segment_len[HTTP_SEGMENTS_MAX];
	const char *query;
	size_t query_len;
};
/* VAULT_E_INVAL: not origin form; VAULT_E_RANGE: more than HTTP_SEGMENTS_MAX segments. A fragment is refused. */
VAULT_NODISCARD vault_err http_target_split(struct http_target *t, const char *target, size_t len);
/*
 * Percent-decoding into out (not NUL-terminated); plus: '+' is a space, as in
 * queries. VAULT_E_INVAL: a bad escape or NUL; VAULT_E_RANGE: does not fit.
 */
VAULT_NODISCARD vault_err http_decode(const char *text, size_t len, bool plus, char *out, size_t cap, size_t *out_len);
bool http_utf8_valid(const char *text, size_t len);

/* Walks a query: name and value still encoded. *at starts at 0; false at the end. */
bool http_query_next(const char *query, size_t len, size_t *at, const char **name, size_t *name_len,
    const char **value, size_t *value_len);

#endif
