/*
 * cmd_audit.c - the audit log: verify it with public means, from its files or
 * over HTTP; show its entries to who may read them.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_check.h"
#include "base/base64.h"
#include "base/json.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "session.h"
#include "text.h"

struct place {
	const char *dir;                 /* NULL: over HTTP */
	struct ctl *c;
	struct progress progress;
	int code;                        /* explained failure of the transport */
};

static vault_err read_file(void *arg, const char *path, struct buf *out)
{
	const struct place *p = arg;
	char full[PATH_MAX];
	struct stat st;
	int n = snprintf(full, sizeof(full), "%s/%s", p->dir, path);
	if (n < 0 || (size_t)n >= sizeof(full))
		return VAULT_E_RANGE;
	int fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? VAULT_E_NOTFOUND : vault_err_from_errno(errno);
	vault_err err = fstat(fd, &st) < 0 ? VAULT_E_IO : st.st_size > (off_t)AUDIT_FILE_MAX ? VAULT_E_RANGE : VAULT_OK;
	if (err == VAULT_OK)
		err = buf_read_fd(out, fd);
	(void)close(fd);
	return err;
}

static vault_err read_http(void *arg, const char *path, struct buf *out)
{
	struct place *p = arg;
	char full[256];
	struct api_answer answer;
	(void)snprintf(full, sizeof(full), "/v1/audit/%s", path);
	const struct api_request r = {.path = full};
	p->code = api_perform(p->c->api, &r, &answer);
	vault_err err = p->code != CTL_OK ? VAULT_E_IO : VAULT_OK;
	if (err == VAULT_OK && answer.status == 404)
		err = VAULT_E_NOTFOUND;
	if (err == VAULT_OK && answer.status != 200) {
		p->code = api_refusal(&answer);
		err = VAULT_E_IO;
	}
	if (err == VAULT_OK)
		err = buf_append(out, answer.body.data, answer.body.len);
	api_answer_free(&answer);
	return err;
}

static void show_progress(void *arg, uint64_t entries, uint64_t of)
{
	struct place *p = arg;
	p->progress.total = of * MERKLE_HASH;
	progress_set(&p->progress, entries * MERKLE_HASH);
}

/* Every file of the tree, also those that the checkpoint does not need. */
static vault_err check_files(const struct audit_source *s, const char *dir, struct audit_result *r)
{
	char *const roots[] = {(char *)(uintptr_t)dir, NULL};
	vault_err err = VAULT_OK;
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (fts == NULL)
		return vault_err_from_errno(errno);
	for (FTSENT *e = fts_read(fts); e != NULL && err == VAULT_OK; e = fts_read(fts)) {
		const char *path = e->fts_path + strlen(dir);
		while (*path == '/')
			path++;
		const size_t n = strlen(path);
		/* Temporary files of a running vault are no part of the log. */
		const bool temporary = n > 4 && strcmp(path + n - 4, ".tmp") == 0;
		if (e->fts_info == FTS_F && strncmp(path, "tile/", 5) == 0 && !temporary)
			err = audit_check_file(s, path, r->size, r->why, sizeof(r->why));
	}
	(void)fts_close(fts);
	return err;
}

/* Whose log is it? The option, the profile, what was seen before, and only then what the vault says. */
static int find_key(struct ctl *c, const char *option, bool online, const struct audit_seen *seen, char vkey[256])
{
	json_t *facts = NULL;
	char name[256];
	uint8_t pub[SIGN_PUB_BYTES];
	const char *text = option;
	int code = CTL_OK;
	if (text == NULL && c->opened && c->profile.audit_key[0] != '\0')
		text = c->profile.audit_key;
	if (text == NULL && seen->vkey[0] != '\0')
		text = seen->vkey;
	if (text == NULL && online) {
		code = session_vault_facts(c, &facts);
		text = json_str(facts, "audit_key", NULL);
		if (code == CTL_OK && text != NULL && !c->quiet)
			(void)fprintf(stderr, "vaultctl: the vault's own word is taken for its audit key; pin it in "
					      "the profile to be sure\n");
	}
	if (code == CTL_OK && text == NULL)
		code = ctl_fail(CTL_USAGE, "whose log? Give its verifier key with --vkey (GET /v1/vault shows it as audit_key)");
	if (code == CTL_OK && (size_t)snprintf(vkey, 256, "%s", text) >= 256)
		code = ctl_fail(CTL_USAGE, "that is too long for a verifier key");
	if (code == CTL_OK && checkpoint_vkey_parse(vkey, strlen(vkey), name, sizeof(name), pub) != VAULT_OK)
		code = ctl_fail(CTL_USAGE, "that is no verifier key (NAME+HEX+BASE64, as GET /v1/vault shows it): %s", vkey);
	json_decref(facts);
	return code;
}

static int report(
    const struct ctl *c, const struct audit_result *r, const struct audit_seen *seen, const char *vkey, bool remembered)
{
	char root[2 * MERKLE_HASH + 1];
	hex_encode(r->root, MERKLE_HASH, root);
	if (c->json) {
		json_t *facts = json_pack("{s:b, s:I, s:s, s:s, s:I, s:I}", "verified", 1, "size", (json_int_t)r->size,
		    "root", root, "audit_key", vkey, "entries_checked", (json_int_t)r->entries, "last_seen_size",
		    (json_int_t)seen->size);
		int code = facts == NULL ? ctl_fail_local("memory", VAULT_E_NOMEM) : output_json(facts);
		json_decref(facts);
		return code;
	}
	ctl_say(c, "The audit log verifies: %" PRIu64 " entries.\n  checkpoint   signed by %s\n", r->size, vkey);
	ctl_say(c, "  root         %s, computed again from the tiles\n", root);
	if (r->entries > 0)
		ctl_say(c, "  entries      %" PRIu64 " compared with their hashes\n", r->entries);
	if (!remembered)
		return CTL_OK;
	if (seen->size > 0)
		ctl_say(c, "  last seen    the first %" PRIu64 " entries are those of last time\n", seen->size);
	else
		ctl_say(c, "  last seen    never before; from now on a change of these entries is found out\n");
	return CTL_OK;
}

static int run_check(struct ctl *c, struct place *p, const char *vkey, struct audit_seen *seen, const char *state)
{
	const struct audit_source s = {.arg = p, .read = p->dir != NULL ? read_file : read_http, .progress = show_progress};
	struct audit_result r;
	/* A key that was pinned anew is a new log: what was seen of the old one says nothing about it. */
	if (strcmp(seen->vkey, vkey) != 0)
		memset(seen, 0, sizeof(*seen));
	progress_start(&p->progress, "checking", 0, !c->quiet && !c->json);
	vault_err err = audit_check(&s, vkey, seen, p->dir != NULL, &r);
	if (err == VAULT_OK && p->dir != NULL)
		err = check_files(&s, p->dir, &r);
	progress_end(&p->progress);
	if (err == VAULT_E_AUTH)
		return ctl_fail(CTL_UNVERIFIED,
		    "THE AUDIT LOG DOES NOT VERIFY: %s. Keep a copy of it and tell the data-protection officer", r.why);
	if (err != VAULT_OK)
		return p->code != CTL_OK ? p->code : ctl_fail(CTL_LOCAL, "the audit log cannot be read: %s", vault_strerror(err));
	int code = report(c, &r, seen, vkey, state[0] != '\0');
	(void)snprintf(seen->vkey, sizeof(seen->vkey), "%s", vkey);
	seen->size = r.size;
	memcpy(seen->root, r.root, MERKLE_HASH);
	if (state[0] != '\0' && audit_seen_save(state, seen) != VAULT_OK)
		(void)ctl_fail(0, "what was seen cannot be remembered in %s", state);
	return code;
}

int cmd_audit_verify(struct ctl *c, int argc, char **argv)
{
	const char *dir = NULL, *option = NULL;
	char vkey[256], state[PATH_MAX] = "";
	struct audit_seen seen = {0};
	const struct option_spec specs[] = {
	    {"dir", 0, OPTION_TEXT, &dir, "DIR",
		"check these files (audit/ of a vault or of a copy) instead of asking the vault"},
	    {"vkey", 0, OPTION_TEXT, &option, "KEY", "the log's verifier key (the profile's audit_key)"},
	};
	int code = options_parse(c, specs, 2, &argc, argv, 0, 1);
	if (code != CTL_GO_ON)
		return code;
	if (argc == 1)
		dir = argv[0];
	if (dir != NULL && access(dir, R_OK | X_OK) < 0)
		return ctl_fail(CTL_LOCAL, "cannot read the directory %s: %s", dir, strerror(errno));
	/* Files with a key need no profile; nothing is remembered of a copy. */
	if (dir == NULL || option == NULL) {
		code = session_open(c);
		if (code != CTL_OK)
			return code;
	}
	struct place p = {.dir = dir, .c = c};
	if (dir == NULL) {
		const char *name = c->profile.name[0] != '\0' ? c->profile.name : "default";
		if (profile_state_path(c->profile_dir, name, state) != VAULT_OK)
			state[0] = '\0';
		vault_err err = state[0] == '\0' ? VAULT_E_NOTFOUND : audit_seen_load(state, &seen);
		if (err != VAULT_OK && err != VAULT_E_NOTFOUND)
			return ctl_fail(CTL_LOCAL, "%s is damaged; look at it, and remove it if you trust the log as it is now", state);
		code = session_connect(c);
	}
	if (code == CTL_OK || code == CTL_GO_ON)
		code = find_key(c, option, dir == NULL, &seen, vkey);
	return code == CTL_OK ? run_check(c, &p, vkey, &seen, state) : code;
}

static void entry_row(struct table *t, const json_t *e)
{
	char text[256], when[TEXT_MAX] = "";
	const char *time = json_str(e, "time", NULL);
	const json_t *user = json_object_get(e, "user"), *object = json_object_get(e, "object");
	const char *refusal = json_str(e, "refusal", NULL), *outcome = json_str(e, "outcome", NULL);
	const char *role = json_str(user, "role", NULL), *kid = json_str(user, "id", NULL);
	if (time != NULL)
		text_time(time, when);
	table_cell(t, when);
	table_cell(t, json_str(e, "event", NULL));
	table_cell(t, refusal != NULL ? refusal : outcome);
	(void)snprintf(
	    text, sizeof(text), "%s%s%s", role != NULL ? role : "", role != NULL ? " " : "", kid != NULL ? kid : "");
	if (user == NULL && json_object_get(e, "source") != NULL) {
		(void)snprintf(text, sizeof(text), "source %" JSON_INTEGER_FORMAT,
		    json_integer_value(json_object_get(e, "source")));
	}
	table_cell(t, text);
	table_cell(t, json_str(e, "tenant", NULL));
	const char *type = json_str(object, "type", NULL), *id = json_str(object, "id", NULL);
	(void)snprintf(text, sizeof(text), "%s%s%s", type != NULL ? type : "", type != NULL && id != NULL ? " " : "",
	    id != NULL ? id : "");
	table_cell(t, text);
	table_cell(t, json_str(e, "purpose", NULL));
}

static int print_entries(const struct ctl *c, const json_t *entries)
{
	static const char *const names[] = {"TIME", "EVENT", "OUTCOME", "WHO", "TENANT", "OBJECT", "PURPOSE"};
	struct table *t = c->json ? NULL : table_new(names, 7);
	for (size_t i = 0; i < json_array_size(entries); i++) {
		if (c->json) {
			char *line = json_write(json_array_get(entries, i), NULL);
			if (line == NULL)
				return ctl_fail_local("memory", VAULT_E_NOMEM);
			(void)puts(line);
			free(line);
		} else {
			entry_row(t, json_array_get(entries, i));
		}
	}
	return c->json ? CTL_OK : table_print(t, stdout);
}

/* Up to 256 entries from first on, appended; *size gets the log's size. */
static int read_some(struct ctl *c, uint64_t first, uint64_t count, json_t *entries, uint64_t *size)
{
	json_t *answer = NULL;
	int code = session_command(c, "audit.read",
	    ARGS("{s:I, s:I}", "first", (json_int_t)first, "count", (json_int_t)(count < 256 ? count : 256)), &answer);
	if (code == CTL_OK && (json_u64(answer, "size", size) != VAULT_OK ||
	                          json_array_extend(entries, json_object_get(answer, "entries")) < 0))
		code = ctl_fail(CTL_REFUSED, "the vault's answer is not the log's");
	json_decref(answer);
	return code;
}

int cmd_audit_show(struct ctl *c, int argc, char **argv)
{
	uint32_t first = UINT32_MAX, last = 50;
	const struct option_spec specs[] = {
	    {"last", 'n', OPTION_NUMBER, &last, "N", "the last N entries (50)"},
	    {"first", 0, OPTION_NUMBER, &first, "N", "from entry number N on, counted from 0, as many as --last says"},
	};
	int code = options_parse(c, specs, 2, &argc, argv, 0, 0);
	if (code != CTL_GO_ON)
		return code;
	uint64_t size = 0, at = first;
	json_t *entries = json_array();
	if (entries == NULL)
		return ctl_fail_local("memory", VAULT_E_NOMEM);
	code = CTL_OK;
	if (first == UINT32_MAX) {
		/* One entry tells the size. */
		code = read_some(c, 0, 1, entries, &size);
		(void)json_array_clear(entries);
		at = size > last ? size - last : 0;
	}
	for (size_t had = 0; code == CTL_OK && had < last && (size == 0 || at + had < size);
	     had = json_array_size(entries)) {
		code = read_some(c, at + had, last - had, entries, &size);
		if (json_array_size(entries) == had)
			break;
	}
	if (code == CTL_OK)
		code = print_entries(c, entries);
	json_decref(entries);
	return code;
}
