/*
 * cmd_profile.c - profiles: add, list, use. Adding one asks the vault for its
 * id and audit key and pins both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "session.h"

/* A profile is read from anywhere, so its paths are whole ones. */
static int whole_path(const char *given, char *out, size_t cap, const char *what)
{
	if (given == NULL)
		return CTL_OK;
	char *real = realpath(given, NULL);
	if (real == NULL && given[0] == '/')
		real = strdup(given);    /* perhaps not there yet */
	if (real == NULL)
		return ctl_fail(CTL_LOCAL, "%s: there is no %s", what, given);
	int n = snprintf(out, cap, "%s", real);
	free(real);
	return n > 0 && (size_t)n < cap ? CTL_OK : ctl_fail(CTL_LOCAL, "%s: the path is too long", what);
}

static int fill(const struct ctl *c, const char *name, const char *tenant, struct profile *p)
{
	memset(p, 0, sizeof(*p));
	if (!profile_name_valid(name))
		return ctl_fail(CTL_USAGE, "a profile's name is 1 to 63 of letters, digits, dot, dash and underscore");
	if ((c->url != NULL) == (c->socket != NULL))
		return ctl_fail(CTL_USAGE, "where is the vault? Give --url https://HOST:PORT or --socket PATH");
	if (tenant != NULL && !vault_tenant_valid(tenant, strlen(tenant)))
		return ctl_fail(CTL_USAGE, "a tenant's name is 1 to 32 of a-z, 0-9 and dash, beginning with a letter or digit");
	(void)snprintf(p->name, sizeof(p->name), "%s", name);
	(void)snprintf(p->tenant, sizeof(p->tenant), "%s", tenant != NULL ? tenant : "");
	if (c->url != NULL && (size_t)snprintf(p->url, sizeof(p->url), "%s", c->url) >= sizeof(p->url))
		return ctl_fail(CTL_USAGE, "--url is too long");
	if (c->pin != NULL && (size_t)snprintf(p->pin, sizeof(p->pin), "%s", c->pin) >= sizeof(p->pin))
		return ctl_fail(CTL_USAGE, "--pin is too long");
	int code = whole_path(c->socket, p->socket, sizeof(p->socket), "--socket");
	if (code == CTL_OK)
		code = whole_path(c->ca, p->ca, sizeof(p->ca), "--ca");
	if (code == CTL_OK)
		code = whole_path(c->key_path, p->key, sizeof(p->key), "--key");
	return code;
}

static void pin_facts(struct ctl *c, struct profile *p)
{
	json_t *facts = NULL;
	c->profile = *p;
	c->opened = true;
	if (session_vault_facts(c, &facts) == CTL_OK) {
		const char *vault = json_str(facts, "vault", NULL), *audit = json_str(facts, "audit_key", NULL);
		(void)snprintf(p->vault, sizeof(p->vault), "%s", vault != NULL ? vault : "");
		if (audit != NULL && strlen(audit) < sizeof(p->audit_key))
			(void)snprintf(p->audit_key, sizeof(p->audit_key), "%s", audit);
	} else {
		(void)fprintf(stderr, "vaultctl: the profile is kept without the vault's id and audit key; add it "
				      "again later to pin them\n");
	}
	json_decref(facts);
}

int cmd_profile_add(struct ctl *c, int argc, char **argv)
{
	const char *tenant = NULL;
	char dir[PATH_MAX], now[PROFILE_NAME_MAX];
	static struct profile p;
	const struct option_spec specs[] = {
	    {"tenant", 't', OPTION_TEXT, &tenant, "TENANT", "the tenant of your daily commands"},
	    {"pin", 0, OPTION_TEXT, &c->pin, "PIN", "sha256//BASE64 of the server's public key, instead of or beside --ca"},
	};
	int code = options_parse(c, specs, 2, &argc, argv, 1, 1);
	if (code == CTL_GO_ON)
		code = fill(c, argv[0], tenant, &p);
	else
		return code;
	if (code != CTL_OK)
		return code;
	vault_err err = profile_dir(c->profile_dir, dir);
	if (err != VAULT_OK)
		return ctl_fail_local("the profile directory", err);
	pin_facts(c, &p);
	const bool first = profile_default(dir, now) != VAULT_OK || now[0] == '\0';
	err = profile_save(dir, &p);
	if (err == VAULT_OK && first)
		err = profile_set_default(dir, p.name);
	if (err != VAULT_OK)
		return ctl_fail(CTL_LOCAL, "cannot write the profile into %s: %s", dir, vault_strerror(err));
	ctl_say(c, "Profile %s is kept in %s%s.\n", p.name, dir, first ? " and is used when nobody says otherwise" : "");
	if (p.vault[0] != '\0')
		ctl_say(c, "  vault      %s\n  audit key  %s\n", p.vault, p.audit_key);
	return CTL_OK;
}

int cmd_profile_list(struct ctl *c, int argc, char **argv)
{
	static const char *const columns[] = {"", "NAME", "VAULT AT", "TENANT", "KEY"};
	char dir[PATH_MAX], used[PROFILE_NAME_MAX] = "", **names = NULL, why[PATH_MAX + 256];
	size_t n = 0;
	static struct profile p;
	int code = options_parse(c, NULL, 0, &argc, argv, 0, 0);
	if (code != CTL_GO_ON)
		return code;
	vault_err err = profile_dir(c->profile_dir, dir);
	if (err == VAULT_OK)
		err = profile_names(dir, &names, &n);
	if (err != VAULT_OK) {
		profile_names_free(names, n);
		return ctl_fail_local("the profile directory", err);
	}
	if (profile_default(dir, used) != VAULT_OK)
		used[0] = '\0';
	json_t *all = json_pack("{s:[]}", "profiles");
	struct table *t = table_new(columns, 5);
	for (size_t i = 0; i < n; i++) {
		const bool ok = profile_load(dir, names[i], &p, why, sizeof(why)) == VAULT_OK;
		const char *at = !ok ? "(damaged)" : p.socket[0] != '\0' ? p.socket : p.url;
		const bool is_default = strcmp(names[i], used) == 0;
		table_cell(t, is_default ? "*" : " ");
		table_cell(t, names[i]);
		table_cell(t, at);
		table_cell(t, ok ? p.tenant : "");
		table_cell(t, ok ? p.key : "");
		(void)json_array_append_new(
		    json_object_get(all, "profiles"), json_pack("{s:s, s:s, s:s, s:b}", "name", names[i], "at", at,
							  "tenant", ok ? p.tenant : "", "default", is_default));
	}
	profile_names_free(names, n);
	if (c->json)
		code = output_json(all);
	else if (n > 0)
		code = table_print(t, stdout);
	else
		ctl_say(c, "No profiles in %s. Make one with: vaultctl profile add NAME\n", dir);
	json_decref(all);
	return code == CTL_GO_ON ? CTL_OK : code;
}

int cmd_profile_use(struct ctl *c, int argc, char **argv)
{
	char dir[PATH_MAX], why[PATH_MAX + 256];
	static struct profile p;
	int code = options_parse(c, NULL, 0, &argc, argv, 1, 1);
	if (code != CTL_GO_ON)
		return code;
	vault_err err = profile_dir(c->profile_dir, dir);
	if (err != VAULT_OK)
		return ctl_fail_local("the profile directory", err);
	err = profile_load(dir, argv[0], &p, why, sizeof(why));
	if (err != VAULT_OK)
		return ctl_fail(err == VAULT_E_NOTFOUND ? CTL_USAGE : CTL_LOCAL, "%s", why);
	err = profile_set_default(dir, argv[0]);
	if (err != VAULT_OK)
		return ctl_fail(CTL_LOCAL, "cannot write %s/default: %s", dir, vault_strerror(err));
	ctl_say(c, "%s is used when nobody says otherwise.\n", argv[0]);
	return CTL_OK;
}
