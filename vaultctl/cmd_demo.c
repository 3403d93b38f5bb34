/*
 * cmd_demo.c - demo-setup DIR: everything that `vaultd --dev DIR` shows things
 * with. Each step may have been done before, so an interrupted set-up is
 * finished by the next one; DIR/demo/ready says that all is there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "commands.h"
#include "demo.h"
#include "file.h"
#include "options.h"
#include "public_line.h"
#include "session.h"
#include "source_secret.h"

#define WAIT_MS 60000u

static int join(char *out, size_t cap, const char *dir, const char *rest)
{
	int n = snprintf(out, cap, "%s/%s", dir, rest);
	return n > 0 && (size_t)n < cap ? CTL_OK : ctl_fail(CTL_LOCAL, "the path is too long: %s", dir);
}

static int prepare(struct demo *d, const char *dir)
{
	char *real = realpath(dir, NULL);
	if (real == NULL)
		return ctl_fail(CTL_LOCAL, "there is no directory %s; vaultd --dev DIR makes it", dir);
	int n = snprintf(d->dir, sizeof(d->dir), "%s", real);
	free(real);
	int code = n > 0 && (size_t)n < sizeof(d->dir) ? CTL_OK : ctl_fail(CTL_LOCAL, "the path is too long: %s", dir);
	if (code == CTL_OK)
		code = join(d->socket, sizeof(d->socket), d->dir, "run/vault.sock");
	for (int i = 0; i < DEMO_PEOPLE && code == CTL_OK; i++) {
		char rest[64];
		(void)snprintf(rest, sizeof(rest), "demo/%s.key", demo_role((enum demo_person)i)->name);
		code = join(d->key[i], sizeof(d->key[i]), d->dir, rest);
		d->who[i] = (struct ctl){.socket = d->socket, .key_path = d->key[i], .pass_fd = PASS_FD_NONE, .quiet = true};
		/* Not a profile of the user's, whatever his environment says. */
		(void)snprintf(d->who[i].profile.socket, sizeof(d->who[i].profile.socket), "%s", d->socket);
		(void)snprintf(d->who[i].profile.key, sizeof(d->who[i].profile.key), "%s", d->key[i]);
		d->who[i].opened = true;
	}
	return code;
}

static int wait_ready(struct demo *d)
{
	const struct api_request r = {.path = "/readyz", .silent = true};
	const struct timespec pause = {.tv_nsec = 50000000};
	const uint64_t until = clock_mono_ms() + WAIT_MS;
	int code = session_connect(&d->who[DEMO_OPERATOR]);
	while (code == CTL_OK && !api_interrupted()) {
		struct api_answer answer;
		const bool ready = api_perform(d->who[DEMO_OPERATOR].api, &r, &answer) == CTL_OK && answer.status == 200;
		api_answer_free(&answer);
		if (ready)
			return CTL_OK;
		if (clock_mono_ms() > until)
			return ctl_fail(CTL_UNREACHABLE, "the vault at %s is not ready after a minute; its log says why", d->socket);
		(void)nanosleep(&pause, NULL);
	}
	return code != CTL_OK ? code : ctl_fail(CTL_LOCAL, "interrupted");
}

/* Carries cmd out, with the second operator's approval where one is needed; what exists already is fine. */
static int step(struct demo *d, enum demo_person who, const char *cmd, json_t *args)
{
	char title[64], sha[65] = "";
	json_t *answer = NULL;
	int code = session_try(&d->who[who], cmd, args, &answer, title);
	if (code == CTL_PENDING) {
		const char *text = json_str(answer, "pending", NULL);
		(void)snprintf(sha, sizeof(sha), "%s", text != NULL ? text : "");
		json_decref(answer);
		const enum demo_person second = who == DEMO_OPERATOR ? DEMO_OPERATOR2 : DEMO_OPERATOR;
		code = session_try(&d->who[second], "approve", ARGS("{s:s}", "sha256", sha), &answer, title);
	}
	json_decref(answer);
	if (code == CTL_REFUSED && strcmp(title, "exists") == 0)
		return CTL_OK;
	if (code == CTL_REFUSED)
		return ctl_fail(code, "demo set-up: %s was refused: %s", cmd, title[0] != '\0' ? title : "no reason given");
	return code == CTL_PENDING ? ctl_fail(code, "demo set-up: %s still waits for somebody", cmd) : code;
}

static int make_key(struct demo *d, enum demo_person person)
{
	char comment[64];
	struct sign_key *key = secret_alloc(sizeof(*key));
	if (access(d->key[person], F_OK) == 0) {
		secret_free(key);
		return CTL_OK;
	}
	(void)snprintf(comment, sizeof(comment), "role %s (demo)", demo_role(person)->role);
	vault_err err = key == NULL ? VAULT_E_NOMEM : sign_key_new(key);
	if (err == VAULT_OK)
		err = sign_key_save(key, d->key[person], comment, NULL, 0);
	secret_free(key);
	return err == VAULT_OK ? CTL_OK : ctl_fail(CTL_LOCAL, "cannot write %s: %s", d->key[person], vault_strerror(err));
}

static bool is_enrolled(const json_t *people, const char *kid)
{
	for (size_t i = 0; i < json_array_size(people); i++) {
		const char *one = json_str(json_array_get(people, i), "kid", NULL);
		if (one != NULL && strcmp(one, kid) == 0)
			return true;
	}
	return false;
}

static int enrol(struct demo *d, enum demo_person person, const json_t *people)
{
	struct public_line line;
	const struct demo_role *r = demo_role(person);
	int code = make_key(d, person);
	if (code == CTL_OK)
		code = session_key(&d->who[person]);
	if (code != CTL_OK)
		return code;
	vault_err err = public_line_of(d->who[person].key, r->role, &line);
	if (err != VAULT_OK)
		return ctl_fail_local("the public line", err);
	if (is_enrolled(people, line.kid))
		return CTL_OK;
	json_t *args = ARGS("{s:s, s:s, s:s}", "role", r->role, "public", line.public, "age", line.age);
	args_set(args, "tenant", r->tenant);
	return step(d, DEMO_OPERATOR, "principal.add", args);
}

static int enrol_all(struct demo *d)
{
	json_t *people = json_array(), *args = json_object(), *next = NULL;
	int code = people == NULL || args == NULL
	               ? ctl_fail_local("memory", VAULT_E_NOMEM)
	               : session_pages(&d->who[DEMO_OPERATOR], "principal.list", args, "principals", 0, people, &next);
	/* The first operator alone enrols the second; from then on it takes both. */
	for (int i = DEMO_OPERATOR2; i < DEMO_PEOPLE && code == CTL_OK; i++)
		code = enrol(d, (enum demo_person)i, people);
	json_decref(next);
	json_decref(args);
	json_decref(people);
	return code;
}

static int tenants(struct demo *d)
{
	static const char *const names[] = {"demo", "silent", "brief"};
	static const char *const subscribed[][2] = {{"demo", "voice"}, {"demo", "video"}, {"brief", "voice"}};
	int code = CTL_OK;
	for (size_t i = 0; i < 3 && code == CTL_OK; i++)
		code = step(d, DEMO_OPERATOR, "tenant.add", ARGS("{s:s}", "tenant", names[i]));
	for (size_t i = 0; i < 3 && code == CTL_OK; i++)
		code = step(d, DEMO_OPERATOR, "subscribe",
		    ARGS("{s:s, s:s}", "tenant", subscribed[i][0], "medium", subscribed[i][1]));
	return code;
}

/* What only the contacts may decide. */
static int policies(struct demo *d)
{
	static const struct { enum demo_person who; const char *tenant, *medium, *keep; } kept[] = {
	    {DEMO_CONTACT, "demo", "voice", "P30D"},
	    {DEMO_CONTACT, "demo", "video", "P30D"},
	    {DEMO_BRIEF_CONTACT, "brief", "voice", "PT20S"},
	};
	int code = CTL_OK;
	for (size_t i = 0; i < 3 && code == CTL_OK; i++)
		code = step(d, kept[i].who, "retention.set", ARGS("{s:s, s:s, s:s}", "tenant", kept[i].tenant, "medium",
		    kept[i].medium, "keep", kept[i].keep));
	for (size_t i = 1; i < 3 && code == CTL_OK; i++)
		code = step(d, kept[i].who, "purpose.set", ARGS("{s:s, s:[s, s]}", "tenant", kept[i].tenant, "purposes", "quality",
		    "complaint"));
	return code;
}

/* Registered first under a temporary name, so that the file's name promises a secret that works. */
static int source(struct demo *d)
{
	char path[PATH_MAX + 32], temp[PATH_MAX + 48], sha256[65];
	(void)snprintf(path, sizeof(path), "%s/demo/source.secret", d->dir);
	(void)snprintf(temp, sizeof(temp), "%s.new", path);
	if (access(path, F_OK) == 0)
		return CTL_OK;
	char *text = secret_alloc(SOURCE_SECRET_TEXT + 1);
	vault_err err = text == NULL ? VAULT_E_NOMEM : source_secret_make(text, sha256);
	if (err == VAULT_OK && unlink(temp) < 0 && errno != ENOENT)
		err = vault_err_from_errno(errno);
	if (err == VAULT_OK)
		err = file_create(temp, text, strlen(text), 0600);
	secret_free(text);
	if (err != VAULT_OK)
		return ctl_fail(CTL_LOCAL, "cannot write %s: %s", temp, vault_strerror(err));
	int code = step(d, DEMO_OPERATOR, "source.add",
	    ARGS("{s:[s, s, s], s:[s, s], s:s}", "tenants", "demo", "silent", "brief", "media", "voice", "video",
		"secret_sha256", sha256));
	if (code == CTL_OK && rename(temp, path) < 0)
		code = ctl_fail(CTL_LOCAL, "cannot write %s: %s", path, strerror(errno));
	return code;
}

static int finish(struct demo *d)
{
	char path[PATH_MAX + 32];
	json_t *facts = NULL;
	int code = session_vault_facts(&d->who[DEMO_OPERATOR], &facts);
	if (code == CTL_OK)
		code = demo_write_profiles(d, facts);
	json_decref(facts);
	(void)snprintf(path, sizeof(path), "%s/demo/ready", d->dir);
	vault_err err = code == CTL_OK ? file_replace(path, "", 0, 0644) : VAULT_OK;
	return err == VAULT_OK ? code : ctl_fail(CTL_LOCAL, "cannot write %s: %s", path, vault_strerror(err));
}

static int set_up(struct demo *d)
{
	static int (*const steps[])(struct demo *) = {wait_ready, tenants, enrol_all, policies, source, finish};
	int code = access(d->key[DEMO_OPERATOR], F_OK) == 0 ? CTL_OK
	           : ctl_fail(CTL_LOCAL, "there is no %s; vaultd --dev makes it", d->key[DEMO_OPERATOR]);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && code == CTL_OK; i++)
		code = steps[i](d);
	return code;
}

int cmd_demo_setup(struct ctl *c, int argc, char **argv)
{
	char ready[PATH_MAX];
	int code = options_parse(c, NULL, 0, &argc, argv, 1, 1);
	if (code != CTL_GO_ON)
		return code;
	code = join(ready, sizeof(ready), argv[0], "demo/ready");
	if (code != CTL_OK || access(ready, F_OK) == 0)
		return code;
	struct demo *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return ctl_fail_local("memory", VAULT_E_NOMEM);
	code = prepare(d, argv[0]);
	if (code == CTL_OK)
		code = set_up(d);
	for (int i = 0; i < DEMO_PEOPLE; i++)
		session_close(&d->who[i]);
	if (code == CTL_OK)
		ctl_say(c, "The demo vault is set up: tenants demo, silent and brief.\n"
		           "  profiles  %s/demo/profiles (operator, operator2, dpo, auditor, contact, brief-contact)\n"
		           "  source    %s/demo/source.secret\n", d->dir, d->dir);
	free(d);
	return code;
}
