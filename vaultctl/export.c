/*
 * export.c - see export.h.
 */
#include "export.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "crypto/age.h"
#include "file.h"

#define PIECE 65536u
#define PLAIN_MAX ((size_t)4 * 1024 * 1024)

struct export {
	struct age_reader *reader;
	struct buf plain;                /* verified, not yet written */
	struct buf *memory;
	bool sealed, to_stdout;
	int fd;
	char path[PATH_MAX], temp[PATH_MAX];
	uint64_t received, written;
	struct progress progress;
};

static int open_file(struct export *e, const char *path)
{
	struct stat st;
	const char *slash = strrchr(path, '/');
	const int dir = slash == NULL ? 0 : (int)(slash - path + 1);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return ctl_fail(CTL_USAGE, "%s is a directory; name the file", path);
	int a = snprintf(e->path, sizeof(e->path), "%s", path);
	int b = snprintf(e->temp, sizeof(e->temp), "%.*s.%s.XXXXXX", dir, path, path + dir);
	if (a < 0 || b < 0 || (size_t)a >= sizeof(e->path) || (size_t)b >= sizeof(e->temp) || path[dir] == '\0')
		return ctl_fail(CTL_USAGE, "that is no file name: %s", path);
	e->fd = mkostemp(e->temp, O_CLOEXEC);
	if (e->fd >= 0)
		return CTL_OK;
	const int saved = errno;
	e->temp[0] = '\0';
	return ctl_fail(CTL_LOCAL, "cannot write beside %s: %s", path, strerror(saved));
}

static void discard(struct export *e)
{
	if (e->fd >= 0 && !e->to_stdout)
		(void)close(e->fd);
	if (e->temp[0] != '\0')
		(void)unlink(e->temp);
	age_reader_free(e->reader);
	buf_free(&e->plain);
	free(e);
}

int export_new(struct export **out, const struct sign_key *key, const struct export_target *target, bool sealed,
    bool progress)
{
	*out = NULL;
	struct export *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return ctl_fail_local("memory", VAULT_E_NOMEM);
	e->fd = -1;
	e->sealed = sealed;
	e->memory = target->memory;
	buf_init_secret(&e->plain, PLAIN_MAX);
	vault_err err = age_reader_new(&e->reader, key->age_secret);
	int code = err == VAULT_OK ? CTL_OK : ctl_fail_local("memory for the export", err);
	if (code == CTL_OK && target->path != NULL && strcmp(target->path, "-") == 0) {
		e->to_stdout = true;
		e->fd = STDOUT_FILENO;
		if (isatty(STDOUT_FILENO))
			code = ctl_fail(CTL_USAGE, "a recording is no text for a terminal; use -o FILE or a pipe");
	} else if (code == CTL_OK && target->path != NULL) {
		code = open_file(e, target->path);
	}
	if (code != CTL_OK) {
		discard(e);
		return code;
	}
	progress_start(&e->progress, "fetching", 0, progress);
	*out = e;
	return CTL_OK;
}

static int put(struct export *e, const void *p, size_t n)
{
	if (n == 0)
		return CTL_OK;
	vault_err err = e->memory != NULL ? buf_append(e->memory, p, n) : file_write_all(e->fd, p, n);
	e->written += n;
	if (err == VAULT_OK)
		return CTL_OK;
	progress_end(&e->progress);
	if (err == VAULT_E_EOF)
		return ctl_fail(CTL_LOCAL, "nobody reads standard output any more; the export was broken off");
	if (err == VAULT_E_FULL)
		return ctl_fail(CTL_LOCAL, "the disk is full; nothing incomplete is kept");
	return ctl_fail(CTL_LOCAL, "cannot write the export: %s", vault_strerror(err));
}

static int broken(struct export *e, vault_err err)
{
	progress_end(&e->progress);
	if (err == VAULT_E_UNSUPPORTED || err == VAULT_E_NOTFOUND)
		return ctl_fail(CTL_UNVERIFIED, "the export is sealed to another key than yours");
	if (err == VAULT_E_SHORT)
		return ctl_fail(CTL_UNVERIFIED,
		    "the export ends too early: the vault broke it off. Nothing incomplete is kept; its log says why");
	if (err == VAULT_E_NOMEM)
		return ctl_fail_local("memory", err);
	return ctl_fail(CTL_UNVERIFIED, "the export does not verify (%s). Nothing of it is kept", vault_strerror(err));
}

static int flush(struct export *e)
{
	int code = e->sealed ? CTL_OK : put(e, e->plain.data, e->plain.len);
	buf_clear(&e->plain);
	return code;
}

int export_write(void *arg, const void *p, size_t n)
{
	struct export *e = arg;
	const uint8_t *from = p;
	int code = CTL_OK;
	while (n > 0 && code == CTL_OK) {
		const size_t piece = n < PIECE ? n : PIECE;
		vault_err err = age_reader_write(e->reader, from, piece, &e->plain);
		if (err != VAULT_OK)
			return broken(e, err);
		if (e->sealed)
			code = put(e, from, piece);
		if (code == CTL_OK)
			code = flush(e);
		from += piece;
		n -= piece;
		e->received += piece;
	}
	progress_set(&e->progress, e->received);
	return code;
}

void export_begin(void *arg, uint64_t length)
{
	struct export *e = arg;
	e->progress.total = length;
}

/* The rename is the moment the result exists. */
static int keep(struct export *e)
{
	if (e->memory != NULL || e->to_stdout)
		return CTL_OK;
	vault_err err = fsync(e->fd) < 0 ? vault_err_from_errno(errno) : VAULT_OK;
	const int fd = e->fd;
	e->fd = -1;
	if (close(fd) < 0 && err == VAULT_OK)
		err = vault_err_from_errno(errno);
	if (err == VAULT_OK && api_interrupted())
		return ctl_fail(CTL_LOCAL, "interrupted");
	if (err == VAULT_OK && rename(e->temp, e->path) < 0)
		err = vault_err_from_errno(errno);
	if (err != VAULT_OK)
		return ctl_fail(CTL_LOCAL, "cannot store %s: %s", e->path, vault_strerror(err));
	e->temp[0] = '\0';
	err = file_sync_dir_of(e->path);
	return err == VAULT_OK ? CTL_OK : ctl_fail(CTL_LOCAL, "cannot store %s: %s", e->path, vault_strerror(err));
}

int export_finish(struct export *e, int code, uint64_t *bytes)
{
	if (code == CTL_OK) {
		vault_err err = age_reader_finish(e->reader, &e->plain);
		code = err == VAULT_OK ? flush(e) : broken(e, err);
	}
	progress_end(&e->progress);
	if (code == CTL_OK)
		code = keep(e);
	if (bytes != NULL)
		*bytes = e->written;
	discard(e);
	return code;
}
