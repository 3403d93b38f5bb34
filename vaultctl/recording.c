/*
 * recording.c - see recording.h.
 */
#include "recording.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "export.h"
#include "output.h"
#include "session.h"
#include "text.h"

#define PERSONAL_MAX ((size_t)256 * 1024 * 1024)
#define LINE_MAX_BYTES ((size_t)64 * 1024)

int recording_id_check(const char *text)
{
	vault_id id;
	if (vault_id_parse(text, strlen(text), &id) == VAULT_OK)
		return CTL_OK;
	return ctl_fail(CTL_USAGE, "that is no recording id; vaultctl list shows them");
}

static void time_cell(struct table *t, const json_t *row, const char *name)
{
	char text[TEXT_MAX] = "";
	const char *value = json_str(row, name, NULL);
	if (value != NULL)
		text_time(value, text);
	table_cell(t, text);
}

static void number_cell(struct table *t, const json_t *row, const char *name, void (*format)(uint64_t, char[TEXT_MAX]))
{
	char text[TEXT_MAX] = "";
	uint64_t v;
	if (json_u64(row, name, &v) == VAULT_OK)
		format(v, text);
	table_cell(t, text);
}

static void state_cell(struct table *t, const json_t *row)
{
	char text[128];
	const char *state = json_str(row, "state", NULL);
	(void)snprintf(text, sizeof(text), "%s%s%s", state != NULL ? state : "-",
	    json_is_true(json_object_get(row, "held")) ? ", held" : "",
	    json_is_true(json_object_get(row, "restricted")) ? ", restricted" : "");
	table_cell(t, text);
}

static void party_cell(struct table *t, const json_t *personal, const char *name, const char *withheld)
{
	const char *number = json_str(personal, name, NULL);
	table_cell(t, number == NULL && json_is_true(json_object_get(personal, withheld)) ? "withheld" : number);
}

int recording_table(const json_t *rows, bool personal)
{
	static const char *const names[] = {
	    "ID", "START", "MEDIA", "STATE", ">LENGTH", ">SIZE", "EXPIRES", "CALLER", "CALLEE", "DIRECTION", "AGENT"};
	struct table *t = table_new(names, personal ? 11 : 7);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const json_t *p = json_object_get(row, "personal");
		char media[64];
		output_value("media", json_object_get(row, "media"), media, sizeof(media));
		table_cell(t, json_str(row, "id", NULL));
		time_cell(t, row, "start");
		table_cell(t, media);
		state_cell(t, row);
		number_cell(t, row, "duration_ms", text_length);
		number_cell(t, row, "bytes", text_size);
		time_cell(t, row, "expires");
		if (!personal)
			continue;
		party_cell(t, p, "caller", "caller_withheld");
		party_cell(t, p, "callee", "callee_withheld");
		table_cell(t, json_str(p, "direction", NULL));
		table_cell(t, json_str(p, "agent", NULL));
	}
	return table_print(t, stdout);
}

/* JSON lines, as the exporter wrote them. */
static int split_lines(const struct buf *text, json_t *rows)
{
	const char *p = (const char *)text->data, *end = p + text->len;
	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		json_t *row = NULL;
		if (stop == NULL)
			stop = end;
		if (stop > p && (json_read(p, (size_t)(stop - p), LINE_MAX_BYTES, &row) != VAULT_OK ||
		                    json_array_append_new(rows, row) < 0))
			return ctl_fail(CTL_UNVERIFIED, "the sealed answer holds a line that is not JSON");
		p = stop + 1;
	}
	return CTL_OK;
}

int recording_read_personal(struct ctl *c, json_t *args, json_t *rows)
{
	struct buf text;
	struct export *e = NULL;
	const struct export_target target = {.memory = &text};
	buf_init_secret(&text, PERSONAL_MAX);
	int code = session_key(c);
	if (code == CTL_OK)
		code = export_new(&e, c->key, &target, false, false);
	if (code != CTL_OK) {
		json_decref(args);
		buf_free(&text);
		return code;
	}
	code = session_stream(c, "read.metadata", args, export_write, export_begin, e);
	code = export_finish(e, code, NULL);
	if (code == CTL_OK)
		code = split_lines(&text, rows);
	buf_free(&text);
	return code;
}
