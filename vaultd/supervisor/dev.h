/*
 * dev.h - `vaultd --dev DIR`: a whole vault in one directory, for trying things.
 */
#ifndef VAULT_SUPERVISOR_DEV_H
#define VAULT_SUPERVISOR_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <vault/error.h>

struct dev_options {
	const char *dir;
	const char *https, *ops;     /* ADDR:PORT for a new directory */
	unsigned sweep_s;
};

/*
 * Makes DIR with vaultd.ini, a self-signed certificate and the first operator's
 * key when there is no vaultd.ini yet. config_path gets its path.
 */
VAULT_NODISCARD vault_err dev_prepare(const struct dev_options *o, char *config_path, size_t cap, bool *fresh);
/* Starts `vaultctl demo-setup DIR` beside the running vault. */
VAULT_NODISCARD vault_err dev_setup(const char *dir, pid_t *pid);

#endif
