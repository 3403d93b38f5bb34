/*
 * options.h - the arguments of a command: options anywhere, in the forms
 * --name VALUE, --name=VALUE, -o VALUE, and "--" to end them.
 */
#ifndef VAULTCTL_OPTIONS_H
#define VAULTCTL_OPTIONS_H

#include <stdio.h>

#include "ctl.h"

enum option_kind {
	OPTION_FLAG,             /* bool */
	OPTION_TEXT,             /* const char * */
	OPTION_NUMBER,           /* uint32_t, decimal */
	OPTION_LIST              /* struct text_list; commas separate, repeats add. Splits the argument in place. */
};

struct option_spec {
	const char *name;
	char letter;             /* 0: none */
	enum option_kind kind;
	void *to;
	const char *value;       /* shown in help; NULL for a flag */
	const char *help;
};

/*
 * Takes the options out of argv; the other arguments stay in argv[0..*argc).
 * CTL_GO_ON: their number lies between least and most. Otherwise the exit code:
 * help was printed, or the complaint was. Global options are taken as well.
 */
int options_parse(struct ctl *c, const struct option_spec *specs, size_t n_specs, int *argc, char **argv, int least,
    int most);
/* main's first pass: the same, but stops at the first argument that is not an option. *used gets how many it took. */
int options_parse_global(struct ctl *c, int argc, char **argv, int *used, bool *want_version, bool *want_names);
/* The list of global options, for the general help. */
void options_print_global(FILE *f);

#endif
