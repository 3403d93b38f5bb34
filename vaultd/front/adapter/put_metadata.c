/*
 * put_metadata.c - see put_metadata.h. Everything here is outside input; buffers
 * that held a value are wiped, because a value may be a withheld number.
 */
#include "front/adapter/put_metadata.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"

#define NAME_MAX_ 64u
#define JSON_TEXT_MAX 8192u

static bool name_valid(const char *name, size_t n)
{
	if (n == 0 || !http_utf8_valid(name, n) || (n == 1 && name[0] == '.') || (n == 2 && memcmp(name, "..", 2) == 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];

		/* C1 control characters are U+0080 to U+009F: c2 80 to c2 9f. */
		if (c < 0x20 || c == 0x7f || c == '/' || c == '\\' ||
		    (c == 0xc2 && (unsigned char)name[i + 1] < 0xa0))
			return false;
	}
	return true;
}

unsigned put_path(const struct http_target *t, struct ingest_start *start)
{
	size_t n;

	if (http_decode(t->segment[2], t->segment_len[2], false, start->tenant, VAULT_TENANT_MAX, &n) != VAULT_OK ||
	    !vault_tenant_valid(start->tenant, n)) {
		memset(start->tenant, 0, sizeof(start->tenant));
		return VAULT_REFUSAL_bad_name;
	}
	start->tenant[n] = '\0';
	start->name[0] = '\0';
	if (t->n < 5)
		return VAULT_REFUSAL_none;
	if (http_decode(t->segment[4], t->segment_len[4], false, start->name, IPC_NAME_MAX, &n) != VAULT_OK ||
	    !name_valid(start->name, n)) {
		start->name[0] = '\0';
		return VAULT_REFUSAL_bad_name;
	}
	start->name[n] = '\0';
	return VAULT_REFUSAL_none;
}

static unsigned refusal_of(vault_err err)
{
	switch (err) {
	case VAULT_OK:
		return VAULT_REFUSAL_none;
	case VAULT_E_NOTFOUND:
		return VAULT_REFUSAL_unknown_field;
	case VAULT_E_NOMEM:
		return VAULT_REFUSAL_unavailable;
	default:
		return VAULT_REFUSAL_bad_metadata;
	}
}

static void show_field(char field[33], const char *name, size_t n)
{
	n = n < 32 ? n : 32;
	memcpy(field, name, n);
	field[n] = '\0';
}

static unsigned set_query(struct ingest_metadata *m, const struct http_target *t, const char *tags, char field[33])
{
	char name[NAME_MAX_], value[METADATA_VALUE_MAX * 2];
	const char *raw_name, *raw_value;
	size_t at = 0, count = 0, raw_name_len, raw_value_len;
	unsigned refusal = VAULT_REFUSAL_none;

	while (refusal == VAULT_REFUSAL_none && http_query_next(t->query, t->query_len, &at, &raw_name, &raw_name_len,
	    &raw_value, &raw_value_len)) {
		size_t name_len, value_len;

		if (++count > METADATA_FIELDS_MAX ||
		    http_decode(raw_name, raw_name_len, true, name, sizeof(name), &name_len) != VAULT_OK ||
		    http_decode(raw_value, raw_value_len, true, value, sizeof(value), &value_len) != VAULT_OK) {
			refusal = VAULT_REFUSAL_bad_metadata;
			break;
		}
		refusal = refusal_of(metadata_set(m, name, name_len, value, value_len, tags));
		if (refusal == VAULT_REFUSAL_unknown_field)
			show_field(field, name, name_len);
	}
	secret_wipe(value, sizeof(value));
	return refusal;
}

/* The first member that is not in the schema, to be named in the answer. */
static void find_unknown(const char *text, size_t n, const char *tags, char field[33])
{
	json_t *o = NULL;
	struct ingest_metadata *scratch = NULL;
	const char *key;
	json_t *value;

	if (json_read(text, n, JSON_TEXT_MAX, &o) != VAULT_OK || metadata_new(&scratch) != VAULT_OK) {
		json_decref(o);
		return;
	}
	json_object_foreach(o, key, value) {
		if (metadata_set(scratch, key, strlen(key), "", 0, tags) == VAULT_E_NOTFOUND) {
			show_field(field, key, strlen(key));
			break;
		}
	}
	metadata_free(scratch);
	json_decref(o);
}

static unsigned set_header(struct ingest_metadata *m, const struct http_request *r, const char *tags, char field[33])
{
	size_t n;
	const char *text = http_request_field(r, "Vault-Metadata", &n);
	unsigned refusal;

	if (text == NULL)
		return VAULT_REFUSAL_none;
	if (n > JSON_TEXT_MAX || http_request_count(r, "Vault-Metadata") > 1)
		return VAULT_REFUSAL_bad_metadata;
	refusal = refusal_of(metadata_json(m, text, n, tags));
	if (refusal == VAULT_REFUSAL_unknown_field)
		find_unknown(text, n, tags, field);
	return refusal;
}

/* Consent is asked for before the body is read; the keeper asks again when it opens. */
static unsigned check_consent(const struct ingest_metadata *m)
{
	static const struct probe_result nothing;
	struct ipc_open *o = calloc(1, sizeof(*o));
	unsigned refusal = VAULT_REFUSAL_unavailable;

	if (o == NULL)
		return refusal;
	if (metadata_finish(m, &nothing, o) == VAULT_OK)
		refusal = o->consent_given != 0 ? VAULT_REFUSAL_none : VAULT_REFUSAL_consent_required;
	else
		refusal = VAULT_REFUSAL_bad_metadata;
	secret_wipe(o, sizeof(*o));
	free(o);
	return refusal;
}

unsigned put_metadata(const struct http_request *r, const struct http_target *t, const char *tags, bool consent_needed,
    struct ingest_metadata **out, char field[33])
{
	struct ingest_metadata *m = NULL;
	unsigned refusal;

	*out = NULL;
	field[0] = '\0';
	if (metadata_new(&m) != VAULT_OK)
		return VAULT_REFUSAL_unavailable;
	refusal = set_query(m, t, tags, field);
	if (refusal == VAULT_REFUSAL_none)
		refusal = set_header(m, r, tags, field);
	if (refusal == VAULT_REFUSAL_none && consent_needed)
		refusal = check_consent(m);
	if (refusal != VAULT_REFUSAL_none)
		metadata_free(m);
	else
		*out = m;
	return refusal;
}
