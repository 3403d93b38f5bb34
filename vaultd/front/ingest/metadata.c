/*
 * metadata.c - one field at a time: is it in the schema, is its value allowed,
 * what is its one written form. A withheld number ends here.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "front/ingest/metadata_fields.h"

#define COUNT_DIGITS 10u

static const struct {
	const char *name;
	enum field_kind kind;
} schema[FIELD_IDS] = {
#define X(name, kind) [FIELD_ID_##name] = { #name, FIELD_##kind },
	METADATA_FIELDS(X)
#undef X
};

const char *metadata_field_name(enum field_id id)
{
	return schema[id].name;
}

vault_err metadata_new(struct ingest_metadata **m)
{
	*m = calloc(1, sizeof **m);
	return *m != NULL ? VAULT_OK : VAULT_E_NOMEM;
}

void metadata_free(struct ingest_metadata *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++) {
		if (m->field[i].value != NULL)
			secret_wipe(m->field[i].value, m->field[i].len);
		free(m->field[i].value);
	}
	secret_wipe(m, sizeof *m);
	free(m);
}

static char *copy_text(const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy != NULL) {
		memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

vault_err metadata_copy(struct ingest_metadata **out, const struct ingest_metadata *m)
{
	vault_err err = metadata_new(out);

	if (err != VAULT_OK || m == NULL)
		return err;
	for (size_t i = 0; i < m->n; i++) {
		struct field *f = &(*out)->field[(*out)->n];
		*f = m->field[i];
		f->value = NULL;
		(*out)->n++;
		if (m->field[i].value == NULL)
			continue;
		f->value = copy_text(m->field[i].value, f->len);
		if (f->value == NULL) {
			metadata_free(*out);
			*out = NULL;
			return VAULT_E_NOMEM;
		}
	}
	(*out)->total = m->total;
	return VAULT_OK;
}

static const struct field *find(const struct ingest_metadata *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->field[i].name, name) == 0)
			return &m->field[i];
	}
	return NULL;
}

const struct field *metadata_field(const struct ingest_metadata *m, enum field_id id)
{
	return find(m, schema[id].name);
}

/* ---- values ---- */

bool metadata_text_ok(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;

	while (p < end) {
		unsigned c = *p++, more, least;
		if (c < 0x80) {
			if (c < 0x20 || c == 0x7f)
				return false;
			continue;
		}
		if (c >= 0xc2 && c <= 0xdf) {
			more = 1;
			least = 0x80;
			c &= 0x1f;
		} else if ((c & 0xf0) == 0xe0) {
			more = 2;
			least = 0x800;
			c &= 0x0f;
		} else if (c >= 0xf0 && c <= 0xf4) {
			more = 3;
			least = 0x10000;
			c &= 0x07;
		} else {
			return false;
		}
		for (; more > 0; more--, p++) {
			if (p == end || (*p & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*p & 0x3fu);
		}
		if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || (c >= 0x80 && c < 0xa0))
			return false;
	}
	return true;
}

static bool same_word(const char *text, size_t len, const char *word)
{
	size_t i = 0;

	for (; i < len && word[i] != '\0'; i++) {
		char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
		if (c != word[i])
			return false;
	}
	return i == len && word[i] == '\0';
}

/* Without its scheme, and without what follows the user part. */
static void bare_number(const char **text, size_t *len)
{
	static const char *const schemes[] = { "tel:", "sip:", "sips:" };
	size_t i = 0;

	for (size_t k = 0; k < sizeof schemes / sizeof schemes[0]; k++) {
		size_t n = strlen(schemes[k]);
		if (*len >= n && same_word(*text, n, schemes[k])) {
			*text += n;
			*len -= n;
			break;
		}
	}
	while (i < *len && (*text)[i] != '@' && (*text)[i] != ';')
		i++;
	*len = i;
}

static bool is_withheld_word(const char *text, size_t len)
{
	static const char *const words[] = { "anonymous", "restricted", "unavailable", "withheld", "private" };

	for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
		if (same_word(text, len, words[k]))
			return true;
	}
	return false;
}

/* "" stays when the number is withheld; out has IPC_NUMBER_MAX + 1. */
static vault_err number_value(const char *text, size_t len, char *out, size_t *out_len, bool *withheld)
{
	size_t n = 0, digits = 0;

	*withheld = false;
	*out_len = 0;
	bare_number(&text, &len);
	if (is_withheld_word(text, len)) {
		*withheld = true;
		return VAULT_OK;
	}
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == ' ' || c == '.' || c == '-' || c == '(' || c == ')' || c == '[' || c == ']')
			continue;
		if (c == '+' ? n != 0 : c < '0' || c > '9')
			return VAULT_E_INVAL;
		digits += c != '+';
		if (digits > IPC_NUMBER_MAX - 1)
			return VAULT_E_RANGE;
		out[n++] = c;
	}
	*out_len = n;
	return digits > 0 ? VAULT_OK : VAULT_E_INVAL;
}

static vault_err count_value(const char *text, size_t len)
{
	if (len > COUNT_DIGITS)
		return VAULT_E_RANGE;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return VAULT_E_INVAL;
	}
	return len > 1 && text[0] == '0' ? VAULT_E_INVAL : VAULT_OK;
}

static vault_err text_value(const char *name, const char *text, size_t len)
{
	if (len > TEXT_MAX)
		return VAULT_E_RANGE;
	if (!metadata_text_ok(text, len))
		return VAULT_E_INVAL;
	if (strcmp(name, schema[FIELD_ID_direction].name) == 0 && !same_word(text, len, "inbound") &&
	    !same_word(text, len, "outbound") && !same_word(text, len, "internal"))
		return VAULT_E_INVAL;
	return VAULT_OK;
}

static vault_err time_value(const char *text, size_t len, char out[CLOCK_TEXT])
{
	uint64_t ms;
	vault_err err = clock_parse(text, len, &ms);

	if (err == VAULT_OK)
		clock_format(ms, out);
	return err;
}

/* Checks and normalises into f->value; len > 0. */
static vault_err set_value(struct field *f, const char *text, size_t len, bool *withheld)
{
	char room[CLOCK_TEXT + IPC_NUMBER_MAX + 1];
	vault_err err = VAULT_OK;

	*withheld = false;
	switch (f->kind) {
	case FIELD_NUMBER:
		err = number_value(text, len, room, &len, withheld);
		text = room;
		break;
	case FIELD_TEXT:
		err = text_value(f->name, text, len);
		break;
	case FIELD_FLAG:
		err = (len == 4 && memcmp(text, "true", 4) == 0) || (len == 5 && memcmp(text, "false", 5) == 0) ? VAULT_OK :
		    VAULT_E_INVAL;
		break;
	case FIELD_COUNT:
		err = count_value(text, len);
		break;
	case FIELD_TIME:
		err = time_value(text, len, room);
		text = room;
		len = err == VAULT_OK ? strlen(room) : 0;
		break;
	case FIELD_OBJECT:
		return metadata_channels(text, len, &f->value, &f->len);
	}
	if (err == VAULT_OK && len > 0) {
		f->value = copy_text(text, len);
		f->len = len;
		if (f->value == NULL)
			err = VAULT_E_NOMEM;
	}
	secret_wipe(room, sizeof room);
	return err;
}

/* ---- withheld numbers ---- */

static bool is_true(const struct ingest_metadata *m, enum field_id flag)
{
	const struct field *f = metadata_field(m, flag);

	return f != NULL && f->value != NULL && strcmp(f->value, "true") == 0;
}

bool metadata_withheld(const struct ingest_metadata *m, enum field_id which)
{
	const struct field *f = metadata_field(m, which);

	/* A number that was given and has no value withheld itself. */
	return is_true(m, which == FIELD_ID_caller ? FIELD_ID_caller_withheld : FIELD_ID_callee_withheld) ||
	    (f != NULL && f->value == NULL && f->len > 0);
}

static void drop_withheld(struct ingest_metadata *m)
{
	static const enum field_id numbers[] = { FIELD_ID_caller, FIELD_ID_callee };

	for (size_t k = 0; k < 2; k++) {
		struct field *f = (struct field *)(uintptr_t)metadata_field(m, numbers[k]);
		if (f == NULL || f->value == NULL || !metadata_withheld(m, numbers[k]))
			continue;
		secret_wipe(f->value, f->len);
		free(f->value);
		f->value = NULL;
	}
}

/* ---- fields ---- */

static bool declared(const char *name, size_t len, const char *tags)
{
	while (tags != NULL && *tags != '\0') {
		size_t n = strcspn(tags, ",");
		if (n == len && memcmp(tags, name, n) == 0)
			return true;
		tags += n + (tags[n] == ',');
	}
	return false;
}

static vault_err kind_of(const char *name, size_t len, const char *tags, enum field_kind *kind)
{
	for (size_t i = 0; i < FIELD_IDS; i++) {
		if (strlen(schema[i].name) == len && memcmp(schema[i].name, name, len) == 0) {
			*kind = schema[i].kind;
			return VAULT_OK;
		}
	}
	*kind = FIELD_TEXT;
	if (len == 6 && memcmp(name, "tracks", 6) == 0)
		return VAULT_E_NOTFOUND;     /* ours, see metadata_finish */
	return len > 0 && len <= TAG_MAX && declared(name, len, tags) ? VAULT_OK : VAULT_E_NOTFOUND;
}

vault_err metadata_set(struct ingest_metadata *m, const char *name, size_t name_len, const char *value,
    size_t value_len, const char *tags)
{
	enum field_kind kind;
	bool withheld = false;
	vault_err err = kind_of(name, name_len, tags, &kind);

	if (err != VAULT_OK)
		return err;
	if (m->n == METADATA_FIELDS_MAX || value_len > (kind == FIELD_OBJECT ? OBJECT_MAX : METADATA_VALUE_MAX) ||
	    name_len + value_len > METADATA_ALL - m->total)
		return VAULT_E_RANGE;
	struct field *f = &m->field[m->n];
	memset(f, 0, sizeof *f);
	memcpy(f->name, name, name_len);
	f->kind = kind;
	if (find(m, f->name) != NULL)
		return VAULT_E_EXISTS;
	if (value_len > 0)
		err = set_value(f, value, value_len, &withheld);
	if (err != VAULT_OK)
		return err;
	if (withheld)
		f->len = 1;                  /* given, without a value: see metadata_withheld */
	m->n++;
	m->total += name_len + value_len;
	drop_withheld(m);
	return VAULT_OK;
}
