/*
 * metadata_fields.h - how metadata.c and metadata_json.c share the fields;
 * private to ingest/.
 */
#ifndef VAULT_FRONT_METADATA_FIELDS_H
#define VAULT_FRONT_METADATA_FIELDS_H

#include "front/ingest/metadata.h"

enum field_kind { FIELD_NUMBER, FIELD_TEXT, FIELD_FLAG, FIELD_COUNT, FIELD_TIME, FIELD_OBJECT };

enum field_id {
#define X(name, kind) FIELD_ID_##name,
	METADATA_FIELDS(X)
#undef X
	FIELD_IDS
};

#define TEXT_MAX 256u
#define OBJECT_MAX 2048u
#define TAG_MAX 39u                  /* characters of a declared field's name */
#define METADATA_ALL 7168u           /* of names and values together: with tracks and JSON it fits METADATA_MAX */

struct field {
	char name[TAG_MAX + 1];
	enum field_kind kind;
	char *value;                 /* normalised text with NUL; wiped. NULL: given, but empty */
	size_t len;
};

struct ingest_metadata {
	struct field field[METADATA_FIELDS_MAX];
	size_t n;
	size_t total;                /* of names and values as they came */
};

/* NULL when it was not given. */
const struct field *metadata_field(const struct ingest_metadata *m, enum field_id id);
const char *metadata_field_name(enum field_id id);
/* A caller or callee that asked not to be known. which: FIELD_ID_caller or FIELD_ID_callee. */
bool metadata_withheld(const struct ingest_metadata *m, enum field_id which);
/* The channels object, checked, as canonical text; the caller wipes and frees it. */
VAULT_NODISCARD vault_err metadata_channels(const char *json, size_t len, char **out, size_t *out_len);
/* UTF-8 without control characters. */
bool metadata_text_ok(const char *text, size_t len);

#endif
