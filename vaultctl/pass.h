/*
 * pass.h - passphrases: from the terminal without echo, from a file of mode
 * 0600, or from an open descriptor. Never from the command line or environment.
 */
#ifndef VAULTCTL_PASS_H
#define VAULTCTL_PASS_H

#include "ctl.h"

#define PASS_MAX 1024u

/*
 * *pass is in secret_alloc memory, not NUL-ended; free with secret_free. twice:
 * asks again at the terminal and compares, for a new key. Exit code.
 */
int pass_get(const struct ctl *c, const char *prompt, bool twice, char **pass, size_t *len);

#endif
