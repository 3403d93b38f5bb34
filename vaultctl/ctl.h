/*
 * ctl.h - what every command of vaultctl shares: exit codes, the global
 * options, and the session with one vault.
 *
 * vaultctl is one process with one thread that runs one command and ends. A
 * command returns its exit code; whoever finds the error prints the one line
 * that explains it (ctl_fail), nobody prints it again.
 */
#ifndef VAULTCTL_CTL_H
#define VAULTCTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "crypto/sign.h"
#include "profile.h"

enum ctl_exit {
	CTL_GO_ON = -1,          /* options_parse only: the command runs */
	CTL_OK = 0,
	CTL_REFUSED = 1,         /* the vault refused, or failed */
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3,     /* no connection, or a certificate that does not verify */
	CTL_UNVERIFIED = 4,      /* a signature, checksum or export did not verify */
	CTL_PENDING = 5,         /* waiting for a second person */
	CTL_LOCAL = 6            /* a local file, the terminal or memory */
};

/* A list option: may be given several times, or once with commas. */
#define CTL_LIST_MAX 32
struct text_list {
	size_t n;
	const char *item[CTL_LIST_MAX];
};

struct api;
struct command_entry;

struct ctl {
	/* global options; NULL when not given */
	const char *profile_name, *profile_dir;
	const char *url, *socket, *ca, *pin, *key_path, *pass_file;
	uint32_t pass_fd;                /* PASS_FD_NONE: not given */
	bool json, quiet;

	const struct command_entry *entry;       /* the running command, for its help */

	/* the session, opened on first use; session.c owns these */
	bool opened;
	struct profile profile;          /* with the options above laid over it */
	struct api *api;
	struct sign_key *key;            /* secret_alloc */
	bool vault_known;
	vault_id vault;
};

#define PASS_FD_NONE UINT32_MAX

struct command_entry {
	const char *name;                /* one or two words */
	const char *synopsis;
	const char *help;                /* one line */
	const char *more;                /* paragraphs for --help, or NULL */
	int (*run)(struct ctl *c, int argc, char **argv);
};

/* Prints "vaultctl: ..." to standard error; returns code. Values from outside go through output_clean first. */
int ctl_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The one line for an error without a better explanation, as CTL_LOCAL. */
int ctl_fail_local(const char *what, vault_err err);
/* One friendly line on standard output unless --quiet or --json. */
void ctl_say(const struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
