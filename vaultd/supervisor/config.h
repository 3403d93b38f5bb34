/*
 * config.h - the configuration file (INI, see vaultd.ini(5)).
 *
 * Unknown sections, unknown keys, values out of range and a key given twice are
 * errors with the line number: a mistyped protection must not be ignored.
 * Relative paths count from the directory of the file.
 */
#ifndef VAULT_SUPERVISOR_CONFIG_H
#define VAULT_SUPERVISOR_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vault/error.h>

enum root_kind { ROOT_MEDIA, ROOT_INDEX, ROOT_KEYS, ROOT_ROOT, ROOT_AUDIT, ROOT_RUN, ROOT_COUNT };

struct config {
	char path[PATH_MAX];              /* of the file itself */
	char base[PATH_MAX];              /* its directory */
	char dir[ROOT_COUNT][PATH_MAX];
	char origin[128];
	char https[64], ops[64];          /* ADDR:PORT, empty: none */
	char unix_path[108];
	char tls_certificate[PATH_MAX], tls_key[PATH_MAX], tls_client_ca[PATH_MAX];
	uint32_t lanes, commit_ms, volume_mib, sweep_s;
	uint32_t streams, body_timeout_s, header_timeout_s, grace_ms;
	char passphrase_file[PATH_MAX];
	bool passphrase_prompt;
	bool allow_cow_root, sandbox_optional;
	char user[3][64];                 /* front, keeper, exporter: name or number; empty: stay */
	char operator_public[64];         /* base64url, 32 bytes */
	char operator_age[80];
};

enum { USER_FRONT, USER_KEEPER, USER_EXPORTER };

const char *config_root_name(enum root_kind kind);
/* Prints "FILE:LINE: sentence" to standard error on failure. */
VAULT_NODISCARD vault_err config_load(struct config *c, const char *path);

#endif
