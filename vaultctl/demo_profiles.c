/*
 * demo_profiles.c - profiles of the demo people. Paths are relative, so that the
 * demo directory can be moved.
 */
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "demo.h"

static const struct demo_role roles[DEMO_PEOPLE] = {
    [DEMO_OPERATOR] = {"operator", "operator", NULL, false},
    [DEMO_OPERATOR2] = {"operator2", "operator", NULL, false},
    [DEMO_DPO] = {"dpo", "dpo", NULL, true},
    [DEMO_AUDITOR] = {"auditor", "auditor", NULL, true},
    [DEMO_CONTACT] = {"contact", "contact", "demo", true},
    [DEMO_BRIEF_CONTACT] = {"brief-contact", "contact", "brief", true},
};

const struct demo_role *demo_role(enum demo_person person)
{
	return &roles[person];
}

static int on_pair(void *arg, const char *section, const char *name, const char *value)
{
	char *https = arg;
	if (strcmp(section, "listen") == 0 && strcmp(name, "https") == 0)
		(void)snprintf(https, 64, "%s", value);
	return 1;
}

/* Where the vault's https can be reached from this machine; empty when nowhere. */
static void find_url(const struct demo *d, char *url, size_t cap)
{
	char path[PATH_MAX + 16], https[64] = "";
	(void)snprintf(path, sizeof(path), "%s/vaultd.ini", d->dir);
	url[0] = '\0';
	if (ini_parse(path, on_pair, https) != 0)
		return;
	const char *colon = strrchr(https, ':');
	if (colon == NULL || strcmp(colon, ":0") == 0)
		return;
	const int n = (int)(colon - https);
	if (strncmp(https, "0.0.0.0:", 8) == 0)
		(void)snprintf(url, cap, "https://127.0.0.1%s", colon);
	else if (strncmp(https, "[::]:", 5) == 0)
		(void)snprintf(url, cap, "https://[::1]%s", colon);
	else
		(void)snprintf(url, cap, "https://%.*s%s", n, https, colon);
}

int demo_write_profiles(const struct demo *d, const json_t *facts)
{
	static struct profile p;
	char dir[PATH_MAX + 32], url[128];
	const char *vault = json_str(facts, "vault", NULL), *audit = json_str(facts, "audit_key", NULL);
	find_url(d, url, sizeof(url));
	(void)snprintf(dir, sizeof(dir), "%s/demo/profiles", d->dir);
	for (int i = 0; i < DEMO_PEOPLE; i++) {
		memset(&p, 0, sizeof(p));
		(void)snprintf(p.name, sizeof(p.name), "%s", roles[i].name);
		(void)snprintf(p.key, sizeof(p.key), "../%s.key", roles[i].name);
		(void)snprintf(p.vault, sizeof(p.vault), "%s", vault != NULL ? vault : "");
		(void)snprintf(p.audit_key, sizeof(p.audit_key), "%s", audit != NULL ? audit : "");
		(void)snprintf(p.tenant, sizeof(p.tenant), "%s", roles[i].tenant != NULL ? roles[i].tenant : "");
		if (roles[i].remote && url[0] != '\0') {
			(void)snprintf(p.url, sizeof(p.url), "%s", url);
			(void)snprintf(p.ca, sizeof(p.ca), "../../tls/certificate.pem");
		} else {
			(void)snprintf(p.socket, sizeof(p.socket), "../../run/vault.sock");
		}
		vault_err err = profile_save(dir, &p);
		if (err != VAULT_OK)
			return ctl_fail(CTL_LOCAL, "cannot write profiles into %s: %s", dir, vault_strerror(err));
	}
	vault_err err = profile_set_default(dir, roles[DEMO_OPERATOR].name);
	return err == VAULT_OK ? CTL_OK : ctl_fail(CTL_LOCAL, "cannot write into %s: %s", dir, vault_strerror(err));
}
