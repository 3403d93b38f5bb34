/*
 * options.c - see options.h. No option ever carries a secret: other users of
 * the machine can read a process's arguments.
 */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GLOBALS 10

struct globals {
	struct option_spec spec[GLOBALS];
};

static struct globals global_specs(struct ctl *c)
{
	return (struct globals){{
	    {"profile", 'p', OPTION_TEXT, &c->profile_name, "NAME", "use this profile (or VAULT_PROFILE)"},
	    {"profile-dir", 0, OPTION_TEXT, &c->profile_dir, "DIR", "where profiles lie (or VAULT_PROFILE_DIR)"},
	    {"url", 0, OPTION_TEXT, &c->url, "URL", "https:// address of the vault"},
	    {"socket", 0, OPTION_TEXT, &c->socket, "PATH", "unix socket of the vault"},
	    {"ca", 0, OPTION_TEXT, &c->ca, "FILE", "the only certificates that are trusted for --url"},
	    {"key", 'k', OPTION_TEXT, &c->key_path, "FILE", "your private key file"},
	    {"pass-file", 0, OPTION_TEXT, &c->pass_file, "FILE", "file with the key's passphrase (mode 0600)"},
	    {"pass-fd", 0, OPTION_NUMBER, &c->pass_fd, "N", "open descriptor with the key's passphrase"},
	    {"json", 0, OPTION_FLAG, &c->json, NULL, "print JSON"},
	    {"quiet", 'q', OPTION_FLAG, &c->quiet, NULL, "print results and errors only"},
	}};
}

static void print_specs(FILE *f, const struct option_spec *specs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char left[48], letter[8] = "    ";
		if (specs[i].letter != 0)
			(void)snprintf(letter, sizeof(letter), "-%c, ", specs[i].letter);
		(void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, specs[i].name, specs[i].value != NULL ? " " : "",
		    specs[i].value != NULL ? specs[i].value : "");
		(void)fprintf(f, "  %-26s %s\n", left, specs[i].help);
	}
}

void options_print_global(FILE *f)
{
	struct ctl none = {0};
	struct globals g = global_specs(&none);
	print_specs(f, g.spec, GLOBALS);
	(void)fprintf(
	    f, "  %-26s %s\n  %-26s %s\n", "-h, --help", "explain a command", "    --version", "print the version");
}

static void print_help(const struct ctl *c, const struct option_spec *specs, size_t n_specs)
{
	const struct command_entry *e = c->entry;
	(void)printf("usage: vaultctl %s%s%s\n%s\n", e->name, e->synopsis[0] != '\0' ? " " : "", e->synopsis, e->help);
	if (e->more != NULL)
		(void)printf("\n%s\n", e->more);
	if (n_specs > 0)
		(void)printf("\nOptions:\n");
	print_specs(stdout, specs, n_specs);
	(void)puts("\nGlobal options, such as --profile, --key and --json: vaultctl --help");
}

static int usage(const struct ctl *c, const char *what, const char *arg)
{
	if (c->entry == NULL)
		return ctl_fail(CTL_USAGE, "%s: %.60s. See: vaultctl --help", what, arg);
	return ctl_fail(CTL_USAGE, "%s: %.60s\nusage: vaultctl %s %s", what, arg, c->entry->name, c->entry->synopsis);
}

static int add_list(struct text_list *list, char *value)
{
	for (char *item = value; item != NULL;) {
		char *comma = strchr(item, ',');
		if (comma != NULL)
			*comma = '\0';
		if (list->n == CTL_LIST_MAX)
			return ctl_fail(CTL_USAGE, "more than %d values in a list", CTL_LIST_MAX);
		if (item[0] != '\0')
			list->item[list->n++] = item;
		item = comma == NULL ? NULL : comma + 1;
	}
	return CTL_GO_ON;
}

static int store(const struct ctl *c, const struct option_spec *s, char *value)
{
	if (s->kind == OPTION_FLAG) {
		*(bool *)s->to = true;
		return CTL_GO_ON;
	}
	if (value == NULL || value[0] == '\0')
		return usage(c, "this option needs a value", s->name);
	if (s->kind == OPTION_LIST)
		return add_list(s->to, value);
	if (s->kind == OPTION_TEXT) {
		*(const char **)s->to = value;
		return CTL_GO_ON;
	}
	char *end = NULL;
	errno = 0;
	unsigned long v = strtoul(value, &end, 10);
	if (errno != 0 || *end != '\0' || value[0] < '0' || value[0] > '9' || v >= UINT32_MAX)
		return usage(c, "not a number", value);
	*(uint32_t *)s->to = (uint32_t)v;
	return CTL_GO_ON;
}

static const struct option_spec *find(const struct option_spec *specs, size_t n, const char *arg, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (arg[0] == '-' && arg[1] == '-') {
			if (strlen(specs[i].name) == len - 2 && memcmp(specs[i].name, arg + 2, len - 2) == 0)
				return &specs[i];
		} else if (specs[i].letter != 0 && len == 2 && specs[i].letter == arg[1]) {
			return &specs[i];
		}
	}
	return NULL;
}

/* One option at argv[*i]; *i is left on its last argument. */
static int take(struct ctl *c, const struct option_spec *specs, size_t n, int argc, char **argv, int *i)
{
	struct globals g = global_specs(c);
	char *arg = argv[*i];
	const bool is_long = arg[1] == '-';
	char *equals = is_long ? strchr(arg, '=') : NULL;
	const size_t len = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
	const struct option_spec *s = find(specs, n, arg, len);
	if (s == NULL)
		s = find(g.spec, GLOBALS, arg, len);
	if (s == NULL)
		return usage(c, "unknown option", arg);
	if (s->kind == OPTION_FLAG) {
		if (equals != NULL)
			return usage(c, "this option takes no value", s->name);
		return store(c, s, NULL);
	}
	if (equals != NULL)
		return store(c, s, equals + 1);
	if (*i + 1 >= argc)
		return usage(c, "this option needs a value", s->name);
	*i += 1;
	return store(c, s, argv[*i]);
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

int options_parse(struct ctl *c, const struct option_spec *specs, size_t n_specs, int *argc, char **argv, int least,
    int most)
{
	int kept = 0;
	bool ended = false;
	for (int i = 0; i < *argc; i++) {
		char *arg = argv[i];
		if (ended || arg[0] != '-' || arg[1] == '\0') {
			argv[kept++] = arg;
		} else if (strcmp(arg, "--") == 0) {
			ended = true;
		} else if (is_help(arg)) {
			print_help(c, specs, n_specs);
			return CTL_OK;
		} else {
			int code = take(c, specs, n_specs, *argc, argv, &i);
			if (code != CTL_GO_ON)
				return code;
		}
	}
	*argc = kept;
	if (kept < least)
		return usage(c, "something is missing after", kept > 0 ? argv[kept - 1] : c->entry->name);
	if (kept > most)
		return usage(c, "one argument too many", argv[most]);
	return CTL_GO_ON;
}

int options_parse_global(struct ctl *c, int argc, char **argv, int *used, bool *want_version, bool *want_names)
{
	int i = 0;
	for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		if (is_help(argv[i]))
			break;
		if (strcmp(argv[i], "--version") == 0) {
			*want_version = true;
		} else if (strcmp(argv[i], "--list-commands") == 0) {
			*want_names = true;
		} else {
			int code = take(c, NULL, 0, argc, argv, &i);
			if (code != CTL_GO_ON)
				return code;
		}
	}
	*used = i;
	return CTL_GO_ON;
}
