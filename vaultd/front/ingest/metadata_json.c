/*
 * metadata_json.c - metadata as JSON, in and out.
 *
 * Out is written by hand, sorted and compact, straight into the buffer that is
 * wiped after use: no copy of a number stays behind in somebody's heap.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "base/wire.h"
#include "front/ingest/metadata_fields.h"

#define CHANNELS_MAX 16u
#define PARTY_MAX 32u
#define PARTY_DIGITS_MAX 4u          /* a party is a word; a telephone number does not fit */

/* Wipes every string before the objects are freed. */
static void drop_json(json_t *v)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_string(v)) {
		secret_wipe((char *)(uintptr_t)json_string_value(v), json_string_length(v));
	} else if (json_is_object(v)) {
		json_object_foreach(v, key, member)
			drop_json(json_incref(member));
	} else if (json_is_array(v)) {
		json_array_foreach(v, i, member)
			drop_json(json_incref(member));
	}
	json_decref(v);
}

/* ---- in ---- */

static vault_err set_object(struct ingest_metadata *m, const char *name, const json_t *value, const char *tags)
{
	size_t len;
	char *text = json_write(value, &len);

	if (text == NULL)
		return VAULT_E_NOMEM;
	vault_err err = metadata_set(m, name, strlen(name), text, len, tags);
	secret_wipe(text, len);
	free(text);
	return err;
}

static vault_err set_member(struct ingest_metadata *m, const char *name, const json_t *value, const char *tags)
{
	char digits[24];

	if (json_is_string(value))
		return metadata_set(m, name, strlen(name), json_string_value(value), json_string_length(value), tags);
	if (json_is_boolean(value))
		return metadata_set(m, name, strlen(name), json_is_true(value) ? "true" : "false",
		    json_is_true(value) ? 4 : 5, tags);
	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		int n = snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(value));
		return metadata_set(m, name, strlen(name), digits, (size_t)n, tags);
	}
	if (json_is_object(value))
		return set_object(m, name, value, tags);
	/* The name counts before the value: an unknown field is refused as such. */
	vault_err err = metadata_set(m, name, strlen(name), "", 0, tags);
	return err == VAULT_OK ? VAULT_E_INVAL : err;
}

vault_err metadata_json(struct ingest_metadata *m, const char *json, size_t len, const char *tags)
{
	const char *name;
	json_t *o, *value;
	vault_err err = json_read(json, len, METADATA_MAX, &o);

	if (err != VAULT_OK)
		return err == VAULT_E_NOMEM ? err : VAULT_E_INVAL;
	if (!json_is_object(o))
		err = VAULT_E_INVAL;
	else if (json_object_size(o) > METADATA_FIELDS_MAX)
		err = VAULT_E_RANGE;
	if (err == VAULT_OK) {
		json_object_foreach(o, name, value) {
			err = set_member(m, name, value, tags);
			if (err != VAULT_OK)
				break;
		}
	}
	drop_json(o);
	return err;
}

/* ---- channels ---- */

static bool word_ok(const char *s, size_t len)
{
	size_t digits = 0;

	if (len == 0 || len > PARTY_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		if (c >= '0' && c <= '9')
			digits++;
		else if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-'))
			return false;
	}
	return digits <= PARTY_DIGITS_MAX;
}

static bool channels_ok(json_t *o)
{
	const char *key;
	json_t *v;

	if (!json_is_object(o) || json_object_size(o) > CHANNELS_MAX)
		return false;
	json_object_foreach(o, key, v) {
		if (!word_ok(key, strlen(key)) || !json_is_string(v) || !word_ok(json_string_value(v), json_string_length(v)))
			return false;
	}
	return true;
}

vault_err metadata_channels(const char *json, size_t len, char **out, size_t *out_len)
{
	json_t *o;
	vault_err err = json_read(json, len, OBJECT_MAX, &o);

	*out = NULL;
	*out_len = 0;
	if (err != VAULT_OK)
		return err == VAULT_E_RANGE || err == VAULT_E_NOMEM ? err : VAULT_E_INVAL;
	if (channels_ok(o)) {
		*out = json_write(o, out_len);
		err = *out != NULL ? VAULT_OK : VAULT_E_NOMEM;
	} else {
		err = VAULT_E_INVAL;
	}
	drop_json(o);
	return err;
}

/* ---- out ---- */

static void put(struct writer *w, const char *text)
{
	write_bytes(w, text, strlen(text));
}

/* Text was checked: only the quote and the backslash need escaping. */
static void put_string(struct writer *w, const char *s, size_t len)
{
	put(w, "\"");
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\')
			put(w, "\\");
		write_u8(w, (uint8_t)s[i]);
	}
	put(w, "\"");
}

static void put_tracks(struct writer *w, const struct probe_result *p)
{
	char line[160];

	put(w, "\"tracks\":[");
	for (size_t i = 0; i < p->n_tracks; i++) {
		const struct probe_track *t = &p->track[i];
		int n = snprintf(line, sizeof line, "%s{\"channels\":%u,\"codec\":\"%s\",\"medium\":\"%s\",\"rate\":%u}",
		    i > 0 ? "," : "", (unsigned)t->channels, codec_name((enum codec)t->codec),
		    t->medium == MEDIUM_VIDEO ? "video" : t->medium == MEDIUM_VOICE ? "voice" : "other", (unsigned)t->rate);
		write_bytes(w, line, (size_t)n);
	}
	put(w, "]");
}

struct member {
	const char *name;
	const struct field *field;   /* NULL: the tracks, or a withheld flag that is true */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static size_t list_members(const struct ingest_metadata *m, struct member list[METADATA_FIELDS_MAX + 3])
{
	const char *caller_flag = metadata_field_name(FIELD_ID_caller_withheld);
	const char *callee_flag = metadata_field_name(FIELD_ID_callee_withheld);
	bool caller = metadata_withheld(m, FIELD_ID_caller), callee = metadata_withheld(m, FIELD_ID_callee);
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct field *f = &m->field[i];
		if (f->value == NULL || (caller && strcmp(f->name, caller_flag) == 0) ||
		    (callee && strcmp(f->name, callee_flag) == 0))
			continue;
		list[n++] = (struct member){ f->name, f };
	}
	if (caller)
		list[n++] = (struct member){ caller_flag, NULL };
	if (callee)
		list[n++] = (struct member){ callee_flag, NULL };
	list[n++] = (struct member){ "tracks", NULL };
	qsort(list, n, sizeof list[0], by_name);
	return n;
}

static void put_member(struct writer *w, const struct member *k, const struct probe_result *media)
{
	if (k->field == NULL && strcmp(k->name, "tracks") == 0) {
		put_tracks(w, media);
		return;
	}
	put_string(w, k->name, strlen(k->name));
	put(w, ":");
	if (k->field == NULL)
		put(w, "true");
	else if (k->field->kind == FIELD_NUMBER || k->field->kind == FIELD_TEXT || k->field->kind == FIELD_TIME)
		put_string(w, k->field->value, k->field->len);
	else
		write_bytes(w, k->field->value, k->field->len);
}

static void copy_number(char out[IPC_NUMBER_MAX + 1], const struct field *f)
{
	if (f != NULL && f->value != NULL)
		memcpy(out, f->value, f->len + 1);
}

vault_err metadata_finish(const struct ingest_metadata *m, const struct probe_result *media, struct ipc_open *o)
{
	struct member list[METADATA_FIELDS_MAX + 3];
	struct writer w;
	size_t len;
	size_t n = list_members(m, list);

	writer_init(&w, o->meta, sizeof o->meta);
	put(&w, "{");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			put(&w, ",");
		put_member(&w, &list[i], media);
	}
	put(&w, "}");
	vault_err err = writer_finish(&w, &len);
	if (err != VAULT_OK)
		return VAULT_E_RANGE;
	o->meta_len = (uint16_t)len;
	copy_number(o->caller, metadata_field(m, FIELD_ID_caller));
	copy_number(o->callee, metadata_field(m, FIELD_ID_callee));
	const struct field *consent = metadata_field(m, FIELD_ID_consent);
	o->consent_given = consent != NULL && consent->value != NULL;
	return VAULT_OK;
}
