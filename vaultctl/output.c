/*
 * output.c - see output.h.
 */
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

#define CELL_MAX 512

struct table {
	size_t columns;
	const char *name[TABLE_COLUMNS];
	char **cell;
	size_t n, cap;
	bool failed;
};

struct table *table_new(const char *const *names, size_t n)
{
	struct table *t = calloc(1, sizeof(*t));
	if (t == NULL || n == 0 || n > TABLE_COLUMNS) {
		free(t);
		return NULL;
	}
	t->columns = n;
	for (size_t i = 0; i < n; i++)
		t->name[i] = names[i];
	return t;
}

void table_cell(struct table *t, const char *text)
{
	char clean[CELL_MAX];
	if (t == NULL || t->failed)
		return;
	if (t->n == t->cap) {
		const size_t cap = t->cap == 0 ? 64 : t->cap * 2;
		char **more = reallocarray(t->cell, cap, sizeof(char *));
		if (more == NULL) {
			t->failed = true;
			return;
		}
		t->cell = more;
		t->cap = cap;
	}
	text_clean(text == NULL || text[0] == '\0' ? "-" : text, clean, sizeof(clean));
	t->cell[t->n] = strdup(clean);
	if (t->cell[t->n] == NULL)
		t->failed = true;
	else
		t->n++;
}

size_t table_rows(const struct table *t)
{
	return t == NULL || t->columns == 0 ? 0 : t->n / t->columns;
}

static void print_cell(FILE *f, const char *text, size_t width, bool right, bool last)
{
	const size_t gap = width - text_columns(text);
	if (right)
		(void)fprintf(f, "%*s", (int)gap, "");
	(void)fputs(text, f);
	if (!last)
		(void)fprintf(f, "%*s", (int)(right ? 2 : gap + 2), "");
}

static void print_row(const struct table *t, FILE *f, const size_t *width, char *const *cells)
{
	for (size_t c = 0; c < t->columns; c++) {
		const bool right = t->name[c][0] == '>';
		print_cell(f, cells != NULL ? cells[c] : t->name[c] + (right ? 1 : 0), width[c], right, c + 1 == t->columns);
	}
}

void table_cell_time(struct table *t, const json_t *row, const char *name)
{
	char text[TEXT_MAX] = "";
	const char *time = json_string_value(json_object_get(row, name));
	if (time != NULL)
		text_time(time, text);
	table_cell(t, text);
}

int table_print(struct table *t, FILE *f)
{
	size_t width[TABLE_COLUMNS] = {0};
	if (t == NULL || t->columns == 0)
		return ctl_fail(CTL_LOCAL, "not enough memory");
	const bool failed = t->failed;
	for (size_t c = 0; c < t->columns; c++)
		width[c] = strlen(t->name[c]) - (t->name[c][0] == '>' ? 1 : 0);
	for (size_t i = 0; i < t->n; i++) {
		const size_t w = text_columns(t->cell[i]);
		if (w > width[i % t->columns])
			width[i % t->columns] = w;
	}
	if (!failed) {
		(void)fputs(output_bold(f), f);
		print_row(t, f, width, NULL);
		(void)fprintf(f, "%s\n", output_plain(f));
		for (size_t r = 0; r < table_rows(t); r++) {
			print_row(t, f, width, t->cell + r * t->columns);
			(void)fputc('\n', f);
		}
	}
	for (size_t i = 0; i < t->n; i++)
		free(t->cell[i]);
	free(t->cell);
	free(t);
	return failed ? ctl_fail(CTL_LOCAL, "not enough memory") : CTL_OK;
}

/* "voice opus 8000 Hz mono" */
static void track_value(const json_t *track, char *out, size_t cap)
{
	const json_int_t rate = json_integer_value(json_object_get(track, "rate"));
	const json_int_t channels = json_integer_value(json_object_get(track, "channels"));
	char text[TEXT_MAX * 3], rate_text[32] = "", channels_text[32] = "";
	if (rate > 0)
		(void)snprintf(rate_text, sizeof(rate_text), " %" JSON_INTEGER_FORMAT " Hz", rate);
	if (channels > 2)
		(void)snprintf(channels_text, sizeof(channels_text), " %" JSON_INTEGER_FORMAT " channels", channels);
	else if (channels > 0)
		(void)snprintf(channels_text, sizeof(channels_text), channels == 1 ? " mono" : " stereo");
	(void)snprintf(text, sizeof(text), "%.40s %.40s%s%s", json_string_value(json_object_get(track, "medium")),
	    json_string_value(json_object_get(track, "codec")), rate_text, channels_text);
	text_clean(text, out, cap);
}

static bool is_track(const json_t *value)
{
	return json_is_string(json_object_get(value, "medium")) && json_is_string(json_object_get(value, "codec"));
}

static void list_value(const json_t *array, char *out, size_t cap)
{
	size_t used = 0;
	out[0] = '\0';
	for (size_t i = 0; i < json_array_size(array); i++) {
		char one[TEXT_MAX * 2];
		output_value("", json_array_get(array, i), one, sizeof(one));
		int n = snprintf(out + used, cap - used, "%s%s", i > 0 ? ", " : "", one);
		if (n < 0 || (size_t)n >= cap - used)
			return;
		used += (size_t)n;
	}
}

static bool ends_with(const char *name, const char *end)
{
	const size_t n = strlen(name), e = strlen(end);
	return n >= e && strcmp(name + n - e, end) == 0;
}

static void number_value(const char *name, json_int_t v, char *out, size_t cap)
{
	char text[TEXT_MAX];
	if (v >= 0 && strcmp(name, "bytes") == 0) {
		text_size((uint64_t)v, text);
		(void)snprintf(out, cap, v < 1024 ? "%s" : "%s (%" JSON_INTEGER_FORMAT " bytes)", text, v);
	} else if (v >= 0 && ends_with(name, "_ms")) {
		text_length((uint64_t)v, text);
		(void)snprintf(out, cap, "%s (%" JSON_INTEGER_FORMAT " ms)", text, v);
	} else {
		(void)snprintf(out, cap, "%" JSON_INTEGER_FORMAT, v);
	}
}

void output_value(const char *name, const json_t *value, char *out, size_t cap)
{
	char text[TEXT_MAX];
	if (json_is_string(value)) {
		const char *s = json_string_value(value);
		/* A time begins like one; everything else is printed as it is. */
		text_time(s, text);
		if (strlen(s) >= 20 && strlen(s) < 40 && s[4] == '-' && s[10] == 'T')
			(void)snprintf(out, cap, "%s", text);
		else
			text_clean(s, out, cap);
	} else if (json_is_integer(value)) {
		number_value(name, json_integer_value(value), out, cap);
	} else if (json_is_boolean(value)) {
		(void)snprintf(out, cap, "%s", json_is_true(value) ? "yes" : "no");
	} else if (json_is_real(value)) {
		(void)snprintf(out, cap, "%g", json_real_value(value));
	} else if (json_is_array(value) && json_array_size(value) > 0) {
		list_value(value, out, cap);
	} else if (is_track(value)) {
		track_value(value, out, cap);
	} else if (json_is_object(value) && json_object_size(value) > 0) {
		char *flat = json_dumps(value, JSON_COMPACT);
		text_clean(flat != NULL ? flat : "?", out, cap);
		free(flat);
	} else {
		(void)snprintf(out, cap, "-");
	}
}

static size_t name_width(const json_t *object)
{
	size_t width = 0;
	for (void *it = json_object_iter((json_t *)(uintptr_t)object); it != NULL;
	     it = json_object_iter_next((json_t *)(uintptr_t)object, it)) {
		const size_t n = text_columns(json_object_iter_key(it));
		width = n > width ? n : width;
	}
	return width;
}

static void sheet(const json_t *object, FILE *f, int depth)
{
	const size_t width = name_width(object);
	json_t *o = (json_t *)(uintptr_t)object;
	for (void *it = json_object_iter(o); it != NULL; it = json_object_iter_next(o, it)) {
		const json_t *value = json_object_iter_value(it);
		char name[128], text[CELL_MAX];
		text_clean(json_object_iter_key(it), name, sizeof(name));
		const size_t columns = text_columns(name);
		const int gap = columns < width ? (int)(width - columns) : 0;
		if (json_is_object(value) && json_object_size(value) > 0 && depth < 4) {
			(void)fprintf(f, "%*s%s%s%s\n", depth * 2, "", output_bold(f), name, output_plain(f));
			sheet(value, f, depth + 1);
			continue;
		}
		output_value(name, value, text, sizeof(text));
		(void)fprintf(f, "%*s%s%*s  %s\n", depth * 2, "", name, gap, "", text);
	}
}

void output_sheet(const json_t *object, FILE *f)
{
	sheet(object, f, 0);
}

int output_json(const json_t *value)
{
	const size_t flags = isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT;
	if (json_dumpf(value, stdout, flags | JSON_ENCODE_ANY) < 0 || fputc('\n', stdout) == EOF)
		return ctl_fail(CTL_LOCAL, "cannot write to standard output");
	return CTL_OK;
}

int output_answer(const struct ctl *c, const json_t *answer)
{
	if (c->json)
		return output_json(answer);
	if (json_is_object(answer))
		output_sheet(answer, stdout);
	return CTL_OK;
}

int output_finish(int code)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (errno == EPIPE)      /* the reader had enough, as with head(1) */
			return code;
		return code != CTL_OK ? code : ctl_fail(CTL_LOCAL, "cannot write to standard output: %s", strerror(errno));
	}
	return code;
}

static const char *colour(FILE *f, const char *code)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	if ((no != NULL && no[0] != '\0') || term == NULL || strcmp(term, "dumb") == 0 || !isatty(fileno(f)))
		return "";
	return code;
}

const char *output_bold(FILE *f)
{
	return colour(f, "\033[1m");
}

const char *output_red(FILE *f)
{
	return colour(f, "\033[31m");
}

const char *output_plain(FILE *f)
{
	return colour(f, "\033[0m");
}
