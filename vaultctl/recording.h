/*
 * recording.h - rows of recordings: printed as a table, read with their
 * personal fields.
 */
#ifndef VAULTCTL_RECORDING_H
#define VAULTCTL_RECORDING_H

#include "ctl.h"

/* CTL_USAGE, explained, unless text is a recording id. */
int recording_id_check(const char *text);
/* Columns for people; personal adds numbers, direction and agent. Exit code. */
int recording_table(const json_t *rows, bool personal);
/*
 * read.metadata: asks for age-sealed lines, opens them with the caller's key
 * and appends one object per recording to rows. args is taken over.
 */
int recording_read_personal(struct ctl *c, json_t *args, json_t *rows);

#endif
