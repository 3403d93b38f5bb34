/*
 * output.h - what people and programs read: aligned tables, sheets of facts, JSON.
 *
 * Everything that came from the vault or a file is cleaned (text_clean) before
 * a terminal sees it. Colours only on a terminal, and not with NO_COLOR.
 */
#ifndef VAULTCTL_OUTPUT_H
#define VAULTCTL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ctl.h"

#define TABLE_COLUMNS 12

struct table;

/* names: one per column; a name that begins with '>' is aligned to the right. NULL when memory is short. */
struct table *table_new(const char *const *names, size_t n);
/* The next cell of the current row; rows fill from the left. Text is copied, NULL is "-". */
void table_cell(struct table *t, const char *text);
/* The time in row's member name as people read it; an empty cell when there is none. */
void table_cell_time(struct table *t, const json_t *row, const char *name);
size_t table_rows(const struct table *t);
/* Prints and frees; CTL_LOCAL when memory ran out on the way or standard output is broken. */
int table_print(struct table *t, FILE *f);

/* A value as a person reads it in a cell: text cleaned, times short, lists with commas. */
void output_value(const char *name, const json_t *value, char *out, size_t cap);
/* An object as aligned lines "name  value", nested objects indented. */
void output_sheet(const json_t *object, FILE *f);
/* One JSON value: indented on a terminal, else on one line. Exit code. */
int output_json(const json_t *value);
/* What a command answered: JSON with --json, else a sheet. Exit code. */
int output_answer(const struct ctl *c, const json_t *answer);
/* Flushes standard output; CTL_LOCAL when it failed. */
int output_finish(int code);

/* "\033[...m" or "" */
const char *output_bold(FILE *f);
const char *output_red(FILE *f);
const char *output_plain(FILE *f);

#endif
