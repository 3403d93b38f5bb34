/*
 * cmd_key.c - private keys on this machine: make, show, and the age identity in
 * them. The vault is not asked.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "commands.h"
#include "crypto/age.h"
#include "file.h"
#include "options.h"
#include "output.h"
#include "pass.h"
#include "public_line.h"
#include "session.h"
#include "token/command.h"

static int print_public(const struct ctl *c, const struct public_line *p)
{
	char line[PUBLIC_LINE_MAX];
	public_line_format(p, line);
	json_t *facts = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kid", p->kid, "role", p->role, "public", p->public,
	    "age", p->age, "line", line);
	if (facts == NULL)
		return ctl_fail_local("memory", VAULT_E_NOMEM);
	int code = CTL_OK;
	if (c->json) {
		code = output_json(facts);
	} else {
		(void)printf("kid     %s\nrole    %s\npublic  %s\nage     %s\n\n%s\n", p->kid, p->role, p->public, p->age, line);
	}
	json_decref(facts);
	return code;
}

static int write_public(const struct ctl *c, const char *key_path, const struct public_line *p)
{
	char path[PATH_MAX], line[PUBLIC_LINE_MAX + 1];
	const size_t n = strlen(key_path);
	const size_t stem = n > 4 && strcmp(key_path + n - 4, ".key") == 0 ? n - 4 : n;
	int len = snprintf(path, sizeof(path), "%.*s.pub", (int)stem, key_path);
	if (len < 0 || (size_t)len >= sizeof(path))
		return ctl_fail(CTL_LOCAL, "the path is too long: %s", key_path);
	public_line_format(p, line);
	const size_t end = strlen(line);
	line[end] = '\n';
	vault_err err = file_replace(path, line, end + 1, 0644);
	if (err != VAULT_OK)
		return ctl_fail(CTL_LOCAL, "cannot write %s: %s", path, vault_strerror(err));
	ctl_say(c, "Private key: %s (keep it; nobody can make it again)\nPublic line: %s (give it to your operator)\n",
	    key_path, path);
	return CTL_OK;
}

static int save_new(const struct ctl *c, struct sign_key *key, const char *path, const char *role, bool locked)
{
	char comment[64];
	char *pass = NULL;
	size_t len = 0;
	(void)snprintf(comment, sizeof(comment), "role %s", role);
	/* Before the passphrase is asked for: nobody likes to type it for nothing. */
	if (access(path, F_OK) == 0)
		return ctl_fail(CTL_LOCAL, "%s exists already; a key is never overwritten", path);
	if (locked) {
		int code = pass_get(c, "New passphrase", true, &pass, &len);
		if (code != CTL_OK)
			return code;
	}
	vault_err err = sign_key_new(key);
	if (err == VAULT_OK)
		err = sign_key_save(key, path, comment, pass, len);
	secret_free(pass);
	if (err == VAULT_E_EXISTS)
		return ctl_fail(CTL_LOCAL, "%s exists already; a key is never overwritten", path);
	return err == VAULT_OK ? CTL_OK : ctl_fail(CTL_LOCAL, "cannot write %s: %s", path, vault_strerror(err));
}

int cmd_key_new(struct ctl *c, int argc, char **argv)
{
	const char *out = NULL, *role = "contact";
	bool locked = false;
	struct public_line line;
	const struct option_spec specs[] = {
	    {"output", 'o', OPTION_TEXT, &out, "FILE",
		"where the private key goes (mode 0600); FILE.pub gets the public line"},
	    {"role", 0, OPTION_TEXT, &role, "ROLE", "operator, contact, dpo or auditor (contact)"},
	    {"passphrase", 0, OPTION_FLAG, &locked, NULL,
		"protect the file with a passphrase, asked for or from --pass-file"},
	};
	int code = options_parse(c, specs, 3, &argc, argv, 0, 0);
	if (code != CTL_GO_ON)
		return code;
	if (out == NULL)
		return ctl_fail(CTL_USAGE, "where should the key go? Use -o FILE");
	if (role_by_name(role) == 0)
		return ctl_fail(CTL_USAGE, "a role is operator, contact, dpo or auditor");
	struct sign_key *key = secret_alloc(sizeof(*key));
	if (key == NULL)
		return ctl_fail_local("memory for the key", VAULT_E_NOMEM);
	code = save_new(c, key, out, role, locked || c->pass_file != NULL || c->pass_fd != PASS_FD_NONE);
	if (code == CTL_OK && public_line_of(key, role, &line) != VAULT_OK)
		code = ctl_fail_local("the public line", VAULT_E_INVAL);
	secret_free(key);
	if (code == CTL_OK)
		code = write_public(c, out, &line);
	return code == CTL_OK ? print_public(c, &line) : code;
}

/* The role is in the comment, "# vault key KID role ROLE ..."; the key itself does not know it. */
static void role_of_file(const char *path, char role[16])
{
	char text[256], word[16];
	size_t n = 0;
	(void)snprintf(role, 16, "contact");
	vault_err err = file_read(path, text, sizeof(text) - 1, &n);
	if (err != VAULT_OK && err != VAULT_E_RANGE)
		return;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	const char *at = strstr(text, " role ");
	if (at != NULL && sscanf(at, " role %15[a-z]", word) == 1 && role_by_name(word) != 0)
		(void)snprintf(role, 16, "%s", word);
	secret_wipe(text, sizeof(text));
}

/* A file that is no private key but holds a public line. */
static bool read_public(const char *path, struct public_line *line)
{
	char text[4096];
	size_t n = 0;
	return file_read(path, text, sizeof(text), &n) == VAULT_OK && public_line_parse(text, n, line) == VAULT_OK;
}

int cmd_key_show(struct ctl *c, int argc, char **argv)
{
	struct public_line line;
	char role[16];
	int code = options_parse(c, NULL, 0, &argc, argv, 0, 1);
	if (code != CTL_GO_ON)
		return code;
	if (argc == 1) {
		if (read_public(argv[0], &line))
			return print_public(c, &line);
		c->key_path = argv[0];
	}
	code = session_key(c);
	if (code != CTL_OK)
		return code;
	role_of_file(c->key_path != NULL ? c->key_path : c->profile.key, role);
	vault_err err = public_line_of(c->key, role, &line);
	return err == VAULT_OK ? print_public(c, &line) : ctl_fail_local("the public line", err);
}

int cmd_key_identity(struct ctl *c, int argc, char **argv)
{
	const char *out = NULL;
	const struct option_spec specs[] = {
	    {"output", 'o', OPTION_TEXT, &out, "FILE", "where the age identity goes (mode 0600, not overwritten)"},
	};
	int code = options_parse(c, specs, 1, &argc, argv, 0, 1);
	if (code != CTL_GO_ON)
		return code;
	if (out == NULL)
		return ctl_fail(CTL_USAGE, "where should the identity go? Use -o FILE");
	if (argc == 1)
		c->key_path = argv[0];
	code = session_key(c);
	if (code != CTL_OK)
		return code;
	char *text = secret_alloc(AGE_IDENTITY_TEXT);
	vault_err err = text == NULL ? VAULT_E_NOMEM : age_identity_format(c->key->age_secret, text);
	code = err == VAULT_OK ? file_create_secret(out, text)
	                       : ctl_fail(CTL_LOCAL, "cannot make the identity: %s", vault_strerror(err));
	secret_free(text);
	if (code != CTL_OK)
		return code;
	ctl_say(c, "Identity for age: %s (as secret as your key). Open an export with: age -d -i %s FILE\n", out, out);
	return CTL_OK;
}
