/*
 * session.c - see session.h.
 */
#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "options.h"
#include "output.h"
#include "pass.h"
#include "text.h"
#include "token/jws.h"

#define TOKEN_LIFE_S 300u
#define PAGES_MAX 100000u
#define PAGE_ROWS 500u

static int lay_over(const char *option, char *field, size_t cap, const char *name)
{
	if (option == NULL)
		return CTL_OK;
	if (strlen(option) >= cap)
		return ctl_fail(CTL_USAGE, "--%s is longer than %zu bytes", name, cap - 1);
	(void)snprintf(field, cap, "%s", option);
	return CTL_OK;
}

static int find_profile(struct ctl *c)
{
	char dir[PATH_MAX], name[PROFILE_NAME_MAX] = "", why[256 + PATH_MAX] = "";
	const char *wanted = c->profile_name != NULL ? c->profile_name : getenv("VAULT_PROFILE");
	const bool addressed = c->url != NULL || c->socket != NULL;
	vault_err err = profile_dir(c->profile_dir, dir);
	if (wanted == NULL || wanted[0] == '\0') {
		if (err == VAULT_OK)
			err = profile_default(dir, name);
		wanted = name;
		if (wanted[0] == '\0' && addressed)
			return CTL_OK;
		if (err == VAULT_OK && wanted[0] == '\0')
			return ctl_fail(CTL_USAGE, "which vault? Use --profile NAME, --socket PATH or --url URL; vaultctl profile "
			                           "list shows the profiles, vaultctl profile add makes one");
	}
	if (err != VAULT_OK)
		return addressed && wanted == name ? CTL_OK : ctl_fail_local("the profile directory", err);
	if (!profile_name_valid(wanted))
		return ctl_fail(CTL_USAGE, "a profile's name is 1 to 63 of letters, digits, dot, dash and underscore");
	err = profile_load(dir, wanted, &c->profile, why, sizeof(why));
	if (err == VAULT_OK)
		return CTL_OK;
	return ctl_fail(err == VAULT_E_NOTFOUND ? CTL_USAGE : CTL_LOCAL, "%s", why);
}

int session_open(struct ctl *c)
{
	if (c->opened)
		return CTL_OK;
	struct profile *p = &c->profile;
	if (c->url != NULL && c->socket != NULL)
		return ctl_fail(CTL_USAGE, "--url and --socket exclude each other");
	int code = find_profile(c);
	if (code != CTL_OK)
		return code;
	if (c->url != NULL || c->socket != NULL) {
		p->url[0] = '\0';
		p->socket[0] = '\0';
	}
	code = lay_over(c->url, p->url, sizeof(p->url), "url");
	if (code == CTL_OK)
		code = lay_over(c->socket, p->socket, sizeof(p->socket), "socket");
	if (code == CTL_OK)
		code = lay_over(c->ca, p->ca, sizeof(p->ca), "ca");
	if (code == CTL_OK)
		code = lay_over(c->key_path, p->key, sizeof(p->key), "key");
	if (code == CTL_OK && p->url[0] == '\0' && p->socket[0] == '\0')
		code = ctl_fail(CTL_USAGE, "profile %s names neither url nor socket (%s)", p->name, p->file);
	c->opened = code == CTL_OK;
	return code;
}

void session_close(struct ctl *c)
{
	api_close(c->api);
	c->api = NULL;
	secret_free(c->key);
	c->key = NULL;
	c->opened = c->vault_known = false;
	memset(&c->profile, 0, sizeof(c->profile));
}

int session_connect(struct ctl *c)
{
	int code = session_open(c);
	if (code == CTL_OK && c->api == NULL)
		code = api_open(&c->api, &c->profile);
	return code;
}

static int load_failed(const char *path, vault_err err)
{
	switch (err) {
	case VAULT_E_DENIED:
		return ctl_fail(CTL_LOCAL, "the key file %s is open to others. Close it with: chmod 600 %s", path, path);
	case VAULT_E_NOTFOUND:
		return ctl_fail(CTL_LOCAL, "there is no key file %s; vaultctl key new makes one", path);
	case VAULT_E_AUTH:
		return ctl_fail(CTL_LOCAL, "wrong passphrase for %s", path);
	case VAULT_E_CORRUPT:
	case VAULT_E_INVAL:
	case VAULT_E_SHORT:
	case VAULT_E_UNSUPPORTED:
		return ctl_fail(CTL_LOCAL, "%s is not a key file of vaultctl key new", path);
	default:
		return ctl_fail(CTL_LOCAL, "the key file %s cannot be read: %s", path, vault_strerror(err));
	}
}

int session_key(struct ctl *c)
{
	if (c->key != NULL)
		return CTL_OK;
	/* A key given on the command line needs no profile. */
	const char *path = c->key_path;
	if (path == NULL) {
		int code = session_open(c);
		if (code != CTL_OK)
			return code;
		path = c->profile.key;
	}
	if (path[0] == '\0')
		return ctl_fail(CTL_USAGE, "this needs your key: use --key FILE, or set key in the profile");
	struct sign_key *key = secret_alloc(sizeof(*key));
	if (key == NULL)
		return ctl_fail_local("memory for the key", VAULT_E_NOMEM);
	vault_err err = sign_key_load(key, path, NULL, 0);
	if (err == VAULT_E_STATE) {
		char *pass = NULL;
		size_t len = 0;
		int code = pass_get(c, "Passphrase of your key", false, &pass, &len);
		if (code != CTL_OK) {
			secret_free(key);
			return code;
		}
		err = sign_key_load(key, path, pass, len);
		secret_free(pass);
	}
	if (err != VAULT_OK) {
		secret_free(key);
		return load_failed(path, err);
	}
	c->key = key;
	return CTL_OK;
}

static int read_answer(const struct api_answer *answer, json_t **out)
{
	if (json_read((const char *)answer->body.data, answer->body.len, API_BODY_MAX, out) != VAULT_OK)
		return ctl_fail(CTL_REFUSED, "the vault's answer is not JSON. Is this address a vault's?");
	return CTL_OK;
}

int session_vault_facts(struct ctl *c, json_t **facts)
{
	const struct api_request r = {.path = "/v1/vault"};
	struct api_answer answer;
	*facts = NULL;
	int code = session_connect(c);
	if (code != CTL_OK)
		return code;
	code = api_perform(c->api, &r, &answer);
	if (code == CTL_OK)
		code = answer.status == 200 ? read_answer(&answer, facts) : api_refusal(&answer);
	api_answer_free(&answer);
	return code;
}

int session_vault(struct ctl *c)
{
	json_t *facts = NULL;
	if (c->vault_known)
		return CTL_OK;
	int code = session_open(c);
	if (code != CTL_OK)
		return code;
	const char *text = c->profile.vault;
	if (text[0] == '\0') {
		code = session_vault_facts(c, &facts);
		if (code != CTL_OK)
			return code;
		text = json_str(facts, "vault", NULL);
	}
	c->vault_known = text != NULL && vault_id_parse(text, strlen(text), &c->vault) == VAULT_OK;
	if (!c->vault_known)
		code = facts != NULL ? ctl_fail(CTL_REFUSED, "the vault does not say its id. Is this address a vault's?")
		                     : ctl_fail(CTL_LOCAL, "%s: vault is not a vault id", c->profile.file);
	json_decref(facts);
	return code;
}

static int sign(struct ctl *c, const char *cmd, json_t *args, char **token)
{
	*token = NULL;
	if (args == NULL)
		return ctl_fail_local("memory", VAULT_E_NOMEM);
	int code = session_key(c);
	if (code == CTL_OK)
		code = session_vault(c);
	if (code != CTL_OK)
		return code;
	vault_err err = jws_sign(c->key, &c->vault, cmd, args, clock_wall_ms() / 1000, TOKEN_LIFE_S, token);
	return err == VAULT_OK ? CTL_OK : ctl_fail_local("the command could not be signed", err);
}

/* Signs and posts; the caller frees *answer in every case. */
static int post(struct ctl *c, const char *cmd, json_t *args, struct api_request *r, struct api_answer *answer)
{
	char *token = NULL;
	*answer = (struct api_answer){0};
	buf_init(&answer->body, API_BODY_MAX);
	int code = sign(c, cmd, args, &token);
	json_decref(args);
	if (code == CTL_OK)
		code = session_connect(c);
	if (code == CTL_OK) {
		r->path = "/v1/commands";
		r->body = token;
		r->body_len = strlen(token);
		r->content_type = "application/jose";
		code = api_perform(c->api, r, answer);
	}
	free(token);
	return code;
}

static int pending(const struct ctl *c, const json_t *answer)
{
	char sha[80] = "";
	const char *text = json_str(answer, "pending", NULL);
	if (text != NULL)
		text_clean(text, sha, sizeof(sha));
	if (c->json)
		(void)output_json(answer);
	else
		(void)printf("Waiting for a second person, who signs within 24 hours:\n  vaultctl approve %s\n", sha);
	return CTL_PENDING;
}

static int command(struct ctl *c, const char *cmd, json_t *args, bool slow, json_t **out)
{
	struct api_request r = {.slow = slow};
	struct api_answer answer;
	*out = NULL;
	int code = post(c, cmd, args, &r, &answer);
	if (code == CTL_OK) {
		if (answer.status == 200 || answer.status == 202)
			code = read_answer(&answer, out);
		else
			code = api_refusal(&answer);
		if (code == CTL_OK && answer.status == 202)
			code = pending(c, *out);
	}
	api_answer_free(&answer);
	return code;
}

int session_try(struct ctl *c, const char *cmd, json_t *args, json_t **out, char title[64])
{
	struct api_request r = {.slow = true};
	struct api_answer answer;
	*out = NULL;
	title[0] = '\0';
	int code = post(c, cmd, args, &r, &answer);
	if (code == CTL_OK && answer.status != 200 && answer.status != 202) {
		api_problem_title(&answer, title, 64);
		code = CTL_REFUSED;
	} else if (code == CTL_OK) {
		code = read_answer(&answer, out);
		if (code == CTL_OK && answer.status == 202)
			code = CTL_PENDING;
	}
	api_answer_free(&answer);
	return code;
}

int session_command(struct ctl *c, const char *cmd, json_t *args, json_t **answer)
{
	return command(c, cmd, args, false, answer);
}

int session_slow_command(struct ctl *c, const char *cmd, json_t *args, json_t **answer)
{
	return command(c, cmd, args, true, answer);
}

int session_print(struct ctl *c, const char *cmd, json_t *args, const char *sentence, ...)
{
	json_t *answer = NULL;
	va_list ap;
	int code = command(c, cmd, args, true, &answer);
	if (code == CTL_OK && (c->json || sentence == NULL)) {
		code = output_answer(c, answer);
	} else if (code == CTL_OK && !c->quiet) {
		va_start(ap, sentence);
		(void)vprintf(sentence, ap);
		va_end(ap);
		(void)putchar('\n');
	}
	json_decref(answer);
	return code;
}

int session_stream(struct ctl *c, const char *cmd, json_t *args, api_stream_fn stream,
    void (*begin)(void *arg, uint64_t length), void *arg)
{
	struct api_request r = {.slow = true, .stream = stream, .stream_arg = arg, .begin = begin};
	struct api_answer answer;
	int code = post(c, cmd, args, &r, &answer);
	if (code == CTL_OK && !answer.streamed)
		code = answer.status == 200 ? ctl_fail(CTL_REFUSED, "the vault answered without an export") : api_refusal(&answer);
	api_answer_free(&answer);
	return code;
}

/* One page's arguments: the caller's, the cursor, and no more than is still wanted. */
static json_t *page_args(const json_t *args, json_t *cursor, size_t most, size_t have)
{
	json_t *page = json_deep_copy(args);
	if (page != NULL && cursor != NULL)
		(void)json_object_set(page, "after", cursor);
	if (page != NULL && most > 0)
		(void)json_object_set_new(page, "limit",
		    json_integer((json_int_t)(most - have < PAGE_ROWS ? most - have : PAGE_ROWS)));
	return page;
}

int session_pages(struct ctl *c, const char *cmd, const json_t *args, const char *member, size_t most, json_t *items,
    json_t **next)
{
	int code = CTL_OK;
	*next = NULL;
	for (unsigned page = 0; page < PAGES_MAX; page++) {
		json_t *answer = NULL;
		code = session_slow_command(c, cmd, page_args(args, *next, most, json_array_size(items)), &answer);
		json_decref(*next);
		*next = json_incref(json_object_get(answer, "next"));
		if (code == CTL_OK && json_array_extend(items, json_object_get(answer, member)) < 0)
			code = ctl_fail(CTL_REFUSED, "the vault's answer has no %s", member);
		json_decref(answer);
		if (json_is_null(*next)) {
			json_decref(*next);
			*next = NULL;
		}
		if (code != CTL_OK || *next == NULL || (most > 0 && json_array_size(items) >= most))
			break;
	}
	return code;
}

int session_print_list(struct ctl *c, const char *cmd, const char *member, int (*print)(const json_t *rows),
    const char *none)
{
	json_t *args = json_object(), *all = json_pack("{s:[]}", member), *next = NULL;
	json_t *rows = json_object_get(all, member);
	int code = rows == NULL || args == NULL ? ctl_fail_local("memory", VAULT_E_NOMEM)
	                                        : session_pages(c, cmd, args, member, 0, rows, &next);
	if (code == CTL_OK && c->json)
		code = output_json(all);
	else if (code == CTL_OK && json_array_size(rows) == 0)
		ctl_say(c, "%s\n", none);
	else if (code == CTL_OK)
		code = print(rows);
	json_decref(next);
	json_decref(all);
	json_decref(args);
	return code;
}

const char *session_tenant(struct ctl *c, const char *given)
{
	if (given == NULL) {
		if (session_open(c) != CTL_OK)
			return NULL;
		given = c->profile.tenant;
	}
	if (given[0] == '\0') {
		(void)ctl_fail(CTL_USAGE, "which tenant? Name it, or set tenant in the profile");
		return NULL;
	}
	if (!vault_tenant_valid(given, strlen(given))) {
		(void)ctl_fail(CTL_USAGE, "a tenant's name is 1 to 32 of a-z, 0-9 and dash, beginning with a letter or digit");
		return NULL;
	}
	return given;
}

int session_tenant_only(struct ctl *c, int argc, char **argv, const char **tenant)
{
	int code = options_parse(c, NULL, 0, &argc, argv, 0, 1);
	if (code != CTL_GO_ON)
		return code;
	*tenant = session_tenant(c, argc > 0 ? argv[0] : NULL);
	return *tenant != NULL ? CTL_GO_ON : CTL_USAGE;
}

void args_set(json_t *args, const char *name, const char *value)
{
	if (args != NULL && value != NULL)
		(void)json_object_set_new(args, name, json_string(value));
}
