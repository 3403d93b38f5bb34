/*
 * profile.h - named profiles: which vault, how it is reached, with which key.
 *
 * One INI file per profile, NAME.ini, in --profile-dir, VAULT_PROFILE_DIR or
 * $XDG_CONFIG_HOME/vault/profiles (~/.config/...). The file "default" beside
 * them names the one that is used when nobody says. Paths inside a profile count
 * from its directory. A profile holds no secret, only the key file's place.
 */
#ifndef VAULTCTL_PROFILE_H
#define VAULTCTL_PROFILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include <vault/error.h>
#include <vault/id.h>

#define PROFILE_NAME_MAX 64u

struct profile {
	char name[PROFILE_NAME_MAX];
	char file[PATH_MAX];
	char url[512];
	char socket[PATH_MAX];
	char ca[PATH_MAX];
	char pin[256];                   /* sha256//BASE64 of the server's public key, as curl takes it */
	char key[PATH_MAX];
	char vault[VAULT_ID_TEXT];
	char audit_key[256];             /* verifier key of the audit log */
	char tenant[VAULT_TENANT_MAX + 1];
};

/* [A-Za-z0-9._-], not starting with a dot. */
bool profile_name_valid(const char *name);
/* option may be NULL. VAULT_E_NOTFOUND when neither HOME nor anything else names a place. */
VAULT_NODISCARD vault_err profile_dir(const char *option, char out[PATH_MAX]);
/* why gets a sentence on failure. VAULT_E_NOTFOUND: no such profile. */
VAULT_NODISCARD vault_err profile_load(const char *dir, const char *name, struct profile *p, char *why, size_t why_cap);
/* Writes NAME.ini as given (relative paths stay relative); replaces an older one at once or not at all. */
VAULT_NODISCARD vault_err profile_save(const char *dir, const struct profile *p);
/* The default's name, or the only profile there is; empty when neither. */
VAULT_NODISCARD vault_err profile_default(const char *dir, char name[PROFILE_NAME_MAX]);
VAULT_NODISCARD vault_err profile_set_default(const char *dir, const char *name);
/* Sorted names; free with profile_names_free. An absent directory has none. */
VAULT_NODISCARD vault_err profile_names(const char *dir, char ***names, size_t *n);
void profile_names_free(char **names, size_t n);
/* Where what was seen of the audit log is remembered for this profile. */
VAULT_NODISCARD vault_err profile_state_path(const char *dir_option, const char *name, char out[PATH_MAX]);

#endif
