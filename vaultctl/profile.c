/*
 * profile.c - see profile.h.
 */
#include "profile.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "file.h"

#define PROFILES_MAX 256u

struct field {
	const char *name;
	size_t offset, size;
	bool path;
};

#define FIELD(member, is_path)                                                                                         \
	{                                                                                                              \
#member, offsetof(struct profile, member), sizeof(((struct profile *)0)->member), is_path              \
	}

static const struct field fields[] = {FIELD(url, false), FIELD(socket, true), FIELD(ca, true), FIELD(pin, false),
    FIELD(key, true), FIELD(vault, false), FIELD(audit_key, false), FIELD(tenant, false)};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

struct load {
	struct profile *p;
	const char *dir;
	char *why;
	size_t why_cap;
};

bool profile_name_valid(const char *name)
{
	const size_t n = strlen(name);
	return n > 0 && n < PROFILE_NAME_MAX && name[0] != '.' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/* $variable/rest, or $HOME/fallback/rest. */
static vault_err xdg_path(const char *variable, const char *fallback, const char *rest, char out[PATH_MAX])
{
	const char *base = getenv(variable);
	const char *home = getenv("HOME");
	int n;
	if (base != NULL && base[0] == '/')
		n = snprintf(out, PATH_MAX, "%s/%s", base, rest);
	else if (home != NULL && home[0] == '/')
		n = snprintf(out, PATH_MAX, "%s/%s/%s", home, fallback, rest);
	else
		return VAULT_E_NOTFOUND;
	return n > 0 && n < PATH_MAX ? VAULT_OK : VAULT_E_RANGE;
}

vault_err profile_dir(const char *option, char out[PATH_MAX])
{
	if (option == NULL)
		option = getenv("VAULT_PROFILE_DIR");
	if (option == NULL || option[0] == '\0')
		return xdg_path("XDG_CONFIG_HOME", ".config", "vault/profiles", out);
	int n = snprintf(out, PATH_MAX, "%s", option);
	return n > 0 && n < PATH_MAX ? VAULT_OK : VAULT_E_RANGE;
}

vault_err profile_state_path(const char *dir_option, const char *name, char out[PATH_MAX])
{
	char rest[PROFILE_NAME_MAX + 16];
	if (dir_option == NULL)
		dir_option = getenv("VAULT_PROFILE_DIR");
	if (dir_option != NULL && dir_option[0] != '\0') {
		int n = snprintf(out, PATH_MAX, "%s/%s.audit", dir_option, name);
		return n > 0 && n < PATH_MAX ? VAULT_OK : VAULT_E_RANGE;
	}
	(void)snprintf(rest, sizeof(rest), "vault/%s.audit", name);
	return xdg_path("XDG_STATE_HOME", ".local/state", rest, out);
}

/* inih calls this for each pair; 0 stops it with the line's number. */
static int on_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct load *l = arg;
	for (size_t i = 0; i < FIELDS; i++) {
		if (strcmp(section, "vault") != 0 || strcmp(name, fields[i].name) != 0)
			continue;
		char *to = (char *)l->p + fields[i].offset;
		const bool relative = fields[i].path && value[0] != '/' && value[0] != '\0';
		int n = snprintf(to, fields[i].size, "%s%s%s", relative ? l->dir : "", relative ? "/" : "", value);
		if (n >= 0 && (size_t)n < fields[i].size)
			return 1;
		(void)snprintf(l->why, l->why_cap, "%s is too long", fields[i].name);
		return 0;
	}
	(void)snprintf(l->why, l->why_cap, "unknown key %.40s in section [%.40s]", name, section);
	return 0;
}

vault_err profile_load(const char *dir, const char *name, struct profile *p, char *why, size_t why_cap)
{
	char complaint[128] = "not a section, a key or a comment";
	struct load l = {.p = p, .dir = dir, .why = complaint, .why_cap = sizeof(complaint)};
	memset(p, 0, sizeof(*p));
	if (!profile_name_valid(name)) {
		(void)snprintf(why, why_cap, "a profile's name is 1 to 63 of letters, digits, dot, dash and underscore");
		return VAULT_E_INVAL;
	}
	(void)snprintf(p->name, sizeof(p->name), "%s", name);
	int n = snprintf(p->file, sizeof(p->file), "%s/%s.ini", dir, name);
	if (n < 0 || (size_t)n >= sizeof(p->file)) {
		(void)snprintf(why, why_cap, "the profile directory's path is too long");
		return VAULT_E_RANGE;
	}
	int line = ini_parse(p->file, on_pair, &l);
	if (line < 0) {
		(void)snprintf(why, why_cap, "there is no profile %s (%s); vaultctl profile add makes one", name, p->file);
		return VAULT_E_NOTFOUND;
	}
	if (line > 0) {
		(void)snprintf(why, why_cap, "%s:%d: %s", p->file, line, complaint);
		return VAULT_E_INVAL;
	}
	return VAULT_OK;
}

vault_err profile_save(const char *dir, const struct profile *p)
{
	char path[PATH_MAX];
	struct buf text;
	if (!profile_name_valid(p->name))
		return VAULT_E_INVAL;
	int n = snprintf(path, sizeof(path), "%s/%s.ini", dir, p->name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return VAULT_E_RANGE;
	buf_init(&text, 65536);
	vault_err err = buf_printf(&text, "# Profile %s of vaultctl(1).\n[vault]\n", p->name);
	for (size_t i = 0; i < FIELDS && err == VAULT_OK; i++) {
		const char *value = (const char *)p + fields[i].offset;
		if (value[0] != '\0')
			err = buf_printf(&text, "%s = %s\n", fields[i].name, value);
	}
	if (err == VAULT_OK)
		err = file_make_dirs(dir);
	if (err == VAULT_OK)
		err = file_replace(path, text.data, text.len, 0644);
	buf_free(&text);
	return err;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

vault_err profile_names(const char *dir, char ***names, size_t *n)
{
	*n = 0;
	*names = calloc(PROFILES_MAX, sizeof(char *));
	if (*names == NULL)
		return VAULT_E_NOMEM;
	DIR *d = opendir(dir);
	if (d == NULL)
		return errno == ENOENT ? VAULT_OK : vault_err_from_errno(errno);
	for (struct dirent *e = readdir(d); e != NULL && *n < PROFILES_MAX; e = readdir(d)) {
		const size_t len = strlen(e->d_name);
		if (len <= 4 || strcmp(e->d_name + len - 4, ".ini") != 0)
			continue;
		char *name = strndup(e->d_name, len - 4);
		if (name == NULL || !profile_name_valid(name))
			free(name);
		else
			(*names)[(*n)++] = name;
	}
	(void)closedir(d);
	qsort(*names, *n, sizeof(char *), by_name);
	return VAULT_OK;
}

void profile_names_free(char **names, size_t n)
{
	for (size_t i = 0; names != NULL && i < n; i++)
		free(names[i]);
	free(names);
}

vault_err profile_default(const char *dir, char name[PROFILE_NAME_MAX])
{
	char path[PATH_MAX];
	size_t n = 0;
	name[0] = '\0';
	int len = snprintf(path, sizeof(path), "%s/default", dir);
	if (len < 0 || (size_t)len >= sizeof(path))
		return VAULT_E_RANGE;
	vault_err err = file_read(path, name, PROFILE_NAME_MAX - 1, &n);
	if (err == VAULT_OK) {
		name[n] = '\0';
		name[strcspn(name, "\r\n")] = '\0';
		return profile_name_valid(name) ? VAULT_OK : VAULT_E_INVAL;
	}
	name[0] = '\0';
	char **names = NULL;
	err = profile_names(dir, &names, &n);
	if (err == VAULT_OK && n == 1)
		(void)snprintf(name, PROFILE_NAME_MAX, "%s", names[0]);
	profile_names_free(names, n);
	return err;
}

vault_err profile_set_default(const char *dir, const char *name)
{
	char path[PATH_MAX], line[PROFILE_NAME_MAX + 2];
	int n = snprintf(path, sizeof(path), "%s/default", dir);
	if (n < 0 || (size_t)n >= sizeof(path))
		return VAULT_E_RANGE;
	(void)snprintf(line, sizeof(line), "%s\n", name);
	return file_replace(path, line, strlen(line), 0644);
}
