/*
 * config.c - reads vaultd.ini into struct config: one table of keys, each with
 * its bounds, so that a new key is one line.
 */
#include "supervisor/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum key_kind { KEY_PATH, KEY_TEXT, KEY_NUMBER, KEY_BOOL };

struct key {
	const char *section, *name;
	enum key_kind kind;
	size_t offset, size;              /* of the field; size of a text or path */
	uint32_t least, most;             /* numbers */
};

#define FIELD(member) offsetof(struct config, member), sizeof(((struct config *)0)->member)
#define DIR_FIELD(kind) offsetof(struct config, dir) + (size_t)(kind)*PATH_MAX, PATH_MAX
#define USER_FIELD(n) offsetof(struct config, user) + (size_t)(n)*64, 64

static const struct key keys[] = {
	{"vault", "media", KEY_PATH, DIR_FIELD(ROOT_MEDIA), 0, 0},
	{"vault", "index", KEY_PATH, DIR_FIELD(ROOT_INDEX), 0, 0},
	{"vault", "keys", KEY_PATH, DIR_FIELD(ROOT_KEYS), 0, 0},
	{"vault", "root", KEY_PATH, DIR_FIELD(ROOT_ROOT), 0, 0},
	{"vault", "audit", KEY_PATH, DIR_FIELD(ROOT_AUDIT), 0, 0},
	{"vault", "run", KEY_PATH, DIR_FIELD(ROOT_RUN), 0, 0},
	{"vault", "origin", KEY_TEXT, FIELD(origin), 0, 0},
	{"vault", "operator_public", KEY_TEXT, FIELD(operator_public), 0, 0},
	{"vault", "operator_age", KEY_TEXT, FIELD(operator_age), 0, 0},
	{"listen", "https", KEY_TEXT, FIELD(https), 0, 0},
	{"listen", "ops", KEY_TEXT, FIELD(ops), 0, 0},
	{"listen", "unix", KEY_PATH, FIELD(unix_path), 0, 0},
	{"tls", "certificate", KEY_PATH, FIELD(tls_certificate), 0, 0},
	{"tls", "key", KEY_PATH, FIELD(tls_key), 0, 0},
	{"tls", "client_ca", KEY_PATH, FIELD(tls_client_ca), 0, 0},
	{"store", "lanes", KEY_NUMBER, FIELD(lanes), 1, 1},
	{"store", "commit_ms", KEY_NUMBER, FIELD(commit_ms), 1, 1000},
	{"store", "volume_mib", KEY_NUMBER, FIELD(volume_mib), 1, 65536},
	{"retention", "sweep_seconds", KEY_NUMBER, FIELD(sweep_s), 1, 60},
	{"limits", "streams", KEY_NUMBER, FIELD(streams), 1, 1000000},
	{"limits", "body_timeout_seconds", KEY_NUMBER, FIELD(body_timeout_s), 1, 3600},
	{"limits", "header_timeout_seconds", KEY_NUMBER, FIELD(header_timeout_s), 1, 600},
	{"limits", "grace_ms", KEY_NUMBER, FIELD(grace_ms), 0, 600000},
	{"keys", "passphrase_file", KEY_PATH, FIELD(passphrase_file), 0, 0},
	{"keys", "passphrase_prompt", KEY_BOOL, FIELD(passphrase_prompt), 0, 0},
	{"keys", "allow_copy_on_write_root", KEY_BOOL, FIELD(allow_cow_root), 0, 0},
	{"users", "front", KEY_TEXT, USER_FIELD(USER_FRONT), 0, 0},
	{"users", "keeper", KEY_TEXT, USER_FIELD(USER_KEEPER), 0, 0},
	{"users", "exporter", KEY_TEXT, USER_FIELD(USER_EXPORTER), 0, 0},
	{"sandbox", "optional", KEY_BOOL, FIELD(sandbox_optional), 0, 0},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

struct load {
	struct config *c;
	bool seen[KEYS];
	char why[256];
};

const char *config_root_name(enum root_kind kind)
{
	static const char *const names[ROOT_COUNT] = {"media", "index", "keys", "root", "audit", "run"};
	return kind < ROOT_COUNT ? names[kind] : "?";
}

static bool set_text(char *field, size_t size, const char *value)
{
	size_t n = strlen(value);
	if (n == 0 || n >= size)
		return false;
	memcpy(field, value, n + 1);
	return true;
}

static bool set_path(const struct config *c, char *field, size_t size, const char *value)
{
	if (value[0] == '/')
		return set_text(field, size, value);
	int n = snprintf(field, size, "%s/%s", c->base, value);
	return value[0] != '\0' && n > 0 && (size_t)n < size;
}

static bool set_number(uint32_t *field, const struct key *k, const char *value)
{
	char *end = NULL;
	errno = 0;
	unsigned long v = strtoul(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || value[0] == '-' || v < k->least || v > k->most)
		return false;
	*field = (uint32_t)v;
	return true;
}

static bool set_bool(bool *field, const char *value)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return false;
	*field = value[0] == 'y';
	return true;
}

static bool set_key(struct config *c, const struct key *k, const char *value)
{
	char *field = (char *)c + k->offset;
	switch (k->kind) {
	case KEY_PATH:
		return set_path(c, field, k->size, value);
	case KEY_TEXT:
		return set_text(field, k->size, value);
	case KEY_NUMBER:
		return set_number((uint32_t *)(void *)field, k, value);
	case KEY_BOOL:
		return set_bool((bool *)(void *)field, value);
	}
	return false;
}

static void explain_value(struct load *l, const struct key *k)
{
	if (k->kind == KEY_NUMBER)
		(void)snprintf(l->why, sizeof(l->why), "%s must be a number from %u to %u", k->name, k->least, k->most);
	else if (k->kind == KEY_BOOL)
		(void)snprintf(l->why, sizeof(l->why), "%s must be yes or no", k->name);
	else
		(void)snprintf(l->why, sizeof(l->why), "%s is empty or longer than %zu bytes", k->name, k->size - 1);
}

/* inih calls this for each line; 0 stops it with the line's number. */
static int on_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct load *l = arg;
	for (size_t i = 0; i < KEYS; i++) {
		if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, name) != 0)
			continue;
		if (l->seen[i]) {
			(void)snprintf(l->why, sizeof(l->why), "%s is given twice", name);
			return 0;
		}
		l->seen[i] = true;
		if (set_key(l->c, &keys[i], value))
			return 1;
		explain_value(l, &keys[i]);
		return 0;
	}
	(void)snprintf(l->why, sizeof(l->why), "unknown key %.40s in section [%.40s]; see vaultd.ini(5)", name, section);
	return 0;
}

static void set_defaults(struct config *c)
{
	c->lanes = 1;
	c->commit_ms = 50;
	c->volume_mib = 1024;
	c->sweep_s = 30;
	c->streams = 20000;
	c->body_timeout_s = 30;
	c->header_timeout_s = 10;
	c->grace_ms = 5000;
	(void)snprintf(c->origin, sizeof(c->origin), "vault.invalid/audit");
}

static vault_err set_base(struct config *c, const char *path)
{
	if (realpath(path, c->path) == NULL) {
		(void)fprintf(stderr, "vaultd: %s: %s\n", path, strerror(errno));
		return vault_err_from_errno(errno);
	}
	memcpy(c->base, c->path, sizeof(c->base));
	char *slash = strrchr(c->base, '/');
	if (slash == c->base)
		slash++;
	*slash = '\0';
	return VAULT_OK;
}

static vault_err check_whole(const struct config *c)
{
	for (int i = 0; i < ROOT_COUNT; i++) {
		if (c->dir[i][0] == '\0') {
			(void)fprintf(stderr, "vaultd: %s: [vault] %s is missing\n", c->path, config_root_name((enum root_kind)i));
			return VAULT_E_INVAL;
		}
		for (int k = 0; k < i; k++) {
			if (strcmp(c->dir[i], c->dir[k]) == 0) {
				(void)fprintf(stderr, "vaultd: %s: %s and %s share a directory; each needs its own\n", c->path,
				    config_root_name((enum root_kind)k), config_root_name((enum root_kind)i));
				return VAULT_E_INVAL;
			}
		}
	}
	if (c->https[0] != '\0' && (c->tls_certificate[0] == '\0' || c->tls_key[0] == '\0')) {
		(void)fprintf(stderr, "vaultd: %s: [listen] https needs [tls] certificate and key\n", c->path);
		return VAULT_E_INVAL;
	}
	if (c->https[0] == '\0' && c->unix_path[0] == '\0') {
		(void)fprintf(stderr, "vaultd: %s: [listen] names neither https nor unix\n", c->path);
		return VAULT_E_INVAL;
	}
	return VAULT_OK;
}

vault_err config_load(struct config *c, const char *path)
{
	memset(c, 0, sizeof(*c));
	vault_err err = set_base(c, path);
	if (err != VAULT_OK)
		return err;
	set_defaults(c);
	struct load l = {.c = c};
	int line = ini_parse(c->path, on_pair, &l);
	if (line < 0) {
		(void)fprintf(stderr, "vaultd: %s cannot be read\n", c->path);
		return VAULT_E_IO;
	}
	if (line > 0) {
		(void)fprintf(stderr, "vaultd: %s:%d: %s\n", c->path, line,
		    l.why[0] != '\0' ? l.why : "not a section, a key or a comment");
		return VAULT_E_INVAL;
	}
	return check_whole(c);
}
