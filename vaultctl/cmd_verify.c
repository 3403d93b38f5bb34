/*
 * cmd_verify.c - three ways to look whether recordings are sound:
 *   verify --media DIR        frame checksums of the volumes, without any key, vault running or not
 *   verify --online           the same, done by the vault
 *   verify ID --purpose P     one recording authenticated under its keys by an exporter
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "commands.h"
#include "export.h"
#include "format/scan.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "recording.h"
#include "session.h"
#include "text.h"

#define DAMAGED_SHOWN 100u
#define ANSWER_MAX 65536u

struct scrub {
	uint64_t volumes, frames, bytes, free_bytes, damaged;
	uint64_t before;                 /* bytes of the volumes already done */
	json_t *places;                  /* the first DAMAGED_SHOWN */
	struct progress progress;
};

static void add_place(struct scrub *s, const char *volume, uint64_t offset, const char *what)
{
	if (json_array_size(s->places) < DAMAGED_SHOWN)
		(void)json_array_append_new(s->places,
		    json_pack("{s:s, s:I, s:s}", "volume", volume, "offset", (json_int_t)offset, "what", what));
}

static int by_version(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

static int is_volume(const struct dirent *e)
{
	const size_t n = strlen(e->d_name);
	return n > 4 && strcmp(e->d_name + n - 4, ".vol") == 0;
}

static void count(struct scrub *s, const struct frame *f)
{
	s->frames++;
	if (f->type == FRAME_FREE)
		s->free_bytes += f->length;
	else
		s->bytes += f->length;
}

static vault_err scan_frames(struct scrub *s, const char *name, struct volume_scan *scan, bool last)
{
	for (;;) {
		struct frame f;
		uint64_t offset = 0;
		const uint8_t *payload;
		vault_err err = volume_scan_next(scan, &f, &offset, &payload);
		if (err == VAULT_OK) {
			count(s, &f);
			progress_set(&s->progress, s->before + offset);
			if (api_interrupted())
				return VAULT_E_TIMEOUT;
			continue;
		}
		if (err == VAULT_E_EOF)
			return VAULT_OK;
		if (err != VAULT_E_CORRUPT && err != VAULT_E_SHORT)
			return err;
		const uint64_t bad = offset;
		err = volume_scan_resync(scan, false, &offset);
		if (err != VAULT_OK && err != VAULT_E_EOF)
			return err;
		/* Nothing whole follows in the newest volume: a write was under way, or the power went. */
		const bool torn = err == VAULT_E_EOF && last;
		s->damaged += !torn;
		add_place(s, name, bad,
		    torn              ? "unfinished end, cut at the next start"
		    : err == VAULT_OK ? "damaged"
				      : "damaged to its end");
		if (err == VAULT_E_EOF)
			return VAULT_OK;
	}
}

static int scan_volume(struct scrub *s, int dir, const char *name, bool last)
{
	struct volume_scan *scan = NULL;
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return CTL_OK;           /* a running vault unlinked it */
	if (fd < 0 || fstat(fd, &st) < 0) {
		const int saved = errno;
		if (fd >= 0)
			(void)close(fd);
		return ctl_fail(CTL_LOCAL, "cannot read %s: %s", name, strerror(saved));
	}
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	s->volumes++;
	vault_err err = volume_scan_new(&scan, fd, true);
	if (err == VAULT_OK)
		err = scan_frames(s, name, scan, last);
	volume_scan_free(scan);
	(void)close(fd);
	s->before += (uint64_t)st.st_size;
	if (err == VAULT_E_CORRUPT || err == VAULT_E_SHORT || err == VAULT_E_UNSUPPORTED) {
		s->damaged++;
		add_place(s, name, 0, "the volume's header is damaged");
		return CTL_OK;
	}
	return err == VAULT_OK ? CTL_OK : ctl_fail(CTL_LOCAL, "cannot read %s: %s", name,
	    err == VAULT_E_TIMEOUT ? "interrupted" : vault_strerror(err));
}

/* The newest volume of a lane is the one that may have an unfinished end: "lane0-7.vol" before "lane1-...". */
static bool last_of_lane(const char *name, const char *next)
{
	const char *dash = strchr(name, '-');
	return next == NULL || dash == NULL || strncmp(name, next, (size_t)(dash - name + 1)) != 0;
}

static int report(const struct ctl *c, const struct scrub *s)
{
	const int code = s->damaged == 0 ? CTL_OK : CTL_UNVERIFIED;
	if (c->json) {
		json_t *facts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:O}", "volumes", (json_int_t)s->volumes, "frames",
		    (json_int_t)s->frames, "bytes", (json_int_t)s->bytes, "free_bytes", (json_int_t)s->free_bytes, "damaged",
		    (json_int_t)s->damaged, "places", s->places);
		int out = facts == NULL ? ctl_fail_local("memory", VAULT_E_NOMEM) : output_json(facts);
		json_decref(facts);
		return out != CTL_OK ? out : code;
	}
	static const char *const names[] = {"VOLUME", ">OFFSET", "WHAT"};
	char size[TEXT_MAX], freed[TEXT_MAX];
	text_size(s->bytes, size);
	text_size(s->free_bytes, freed);
	ctl_say(c, "Volumes: %" PRIu64 ", frames: %" PRIu64 ", %s stored, %s given back\n", s->volumes, s->frames, size,
	    freed);
	if (json_array_size(s->places) > 0) {
		struct table *t = table_new(names, 3);
		for (size_t i = 0; i < json_array_size(s->places); i++) {
			const json_t *place = json_array_get(s->places, i);
			char text[TEXT_MAX];
			output_value("offset", json_object_get(place, "offset"), text, sizeof(text));
			table_cell(t, json_str(place, "volume", NULL));
			table_cell(t, text);
			table_cell(t, json_str(place, "what", NULL));
		}
		(void)table_print(t, stdout);
	}
	if (s->damaged > 0)
		return ctl_fail(code,
		    "%" PRIu64 " damaged places. Bring the volumes back from a backup of any age; keys are not in them",
		    s->damaged);
	ctl_say(c, "No frame is damaged.\n");
	return code;
}

static int scrub_directory(struct ctl *c, const char *path)
{
	struct scrub s = {.places = json_array()};
	struct dirent **list = NULL;
	uint64_t total = 0;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n = dir < 0 ? -1 : scandirat(dir, ".", &list, is_volume, by_version);
	int code = n < 0 ? ctl_fail(CTL_LOCAL, "cannot read %s: %s", path, strerror(errno)) : CTL_OK;
	for (int i = 0; i < n; i++) {
		struct stat st;
		if (fstatat(dir, list[i]->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			total += (uint64_t)st.st_size;
	}
	progress_start(&s.progress, "checking", total, !c->quiet && !c->json);
	for (int i = 0; i < n && code == CTL_OK; i++)
		code = scan_volume(&s, dir, list[i]->d_name, last_of_lane(list[i]->d_name, i + 1 < n ? list[i + 1]->d_name : NULL));
	progress_end(&s.progress);
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
	if (dir >= 0)
		(void)close(dir);
	if (code == CTL_OK && s.volumes == 0)
		code = ctl_fail(CTL_LOCAL, "there are no volumes in %s; name a vault's media directory", path);
	if (code == CTL_OK)
		code = report(c, &s);
	json_decref(s.places);
	return code;
}

static int authenticate(struct ctl *c, const char *id, const char *purpose)
{
	struct buf text;
	struct export *e = NULL;
	json_t *facts = NULL;
	const struct export_target target = {.memory = &text};
	int code = recording_id_check(id);
	if (code == CTL_OK && purpose == NULL)
		code = ctl_fail(CTL_USAGE, "what for? Use --purpose with one of the tenant's purposes");
	if (code == CTL_OK)
		code = session_key(c);
	if (code != CTL_OK)
		return code;
	buf_init_secret(&text, ANSWER_MAX);
	code = export_new(&e, c->key, &target, false, false);
	if (code == CTL_OK) {
		code = session_stream(
		    c, "authenticate", ARGS("{s:s, s:s}", "id", id, "purpose", purpose), export_write, export_begin, e);
		code = export_finish(e, code, NULL);
	}
	const size_t len = text.len > 0 && text.data[text.len - 1] == '\n' ? text.len - 1 : text.len;
	if (code == CTL_OK && json_read((const char *)text.data, len, ANSWER_MAX, &facts) != VAULT_OK)
		code = ctl_fail(CTL_UNVERIFIED, "the sealed answer cannot be read");
	if (code == CTL_OK)
		code = output_answer(c, facts);
	if (code == CTL_OK && !json_is_true(json_object_get(facts, "complete")))
		code = ctl_fail(CTL_UNVERIFIED, "the recording is not whole: its end is missing");
	json_decref(facts);
	buf_free(&text);
	return code;
}

static int ask_vault(struct ctl *c)
{
	json_t *answer = NULL;
	uint64_t damaged = 0;
	int code = session_slow_command(c, "verify", json_object(), &answer);
	if (code == CTL_OK)
		code = output_answer(c, answer);
	if (code == CTL_OK && json_u64(answer, "damaged", &damaged) == VAULT_OK && damaged > 0)
		code = ctl_fail(CTL_UNVERIFIED,
		    "%" PRIu64 " damaged places; vaultctl verify --media DIR on the vault's machine names them", damaged);
	json_decref(answer);
	return code;
}

int cmd_verify(struct ctl *c, int argc, char **argv)
{
	const char *media = NULL, *purpose = NULL;
	bool online = false;
	struct stat st;
	const struct option_spec specs[] = {
	    {"media", 0, OPTION_TEXT, &media, "DIR",
		"check every frame's checksum in this media directory, without any key"},
	    {"online", 0, OPTION_FLAG, &online, NULL, "let the vault check its volumes"},
	    {"purpose", 0, OPTION_TEXT, &purpose, "P", "with ID: one of the tenant's purposes; it is logged"},
	};
	int code = options_parse(c, specs, 3, &argc, argv, 0, 1);
	if (code != CTL_GO_ON)
		return code;
	if ((media != NULL) + online + (argc == 1) != 1)
		return ctl_fail(CTL_USAGE, "what? Give --media DIR, --online, or the ID of a recording");
	if (online)
		return ask_vault(c);
	if (media == NULL && stat(argv[0], &st) == 0 && S_ISDIR(st.st_mode))
		media = argv[0];
	return media != NULL ? scrub_directory(c, media) : authenticate(c, argv[0], purpose);
}
