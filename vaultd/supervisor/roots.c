/*
 * roots.c - opens directories with the permissions they must have, and the
 * listening sockets. Runs as the starting user, before any part exists.
 */
#include "supervisor/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who works in which directory. */
static const int owner_of[ROOT_COUNT] = {USER_FRONT, USER_FRONT, USER_KEEPER, USER_KEEPER, USER_KEEPER, -1};
/* The front reads the public part of the audit log; nobody else looks into keys and root. */
static const mode_t mode_of[ROOT_COUNT] = {0700, 0700, 0700, 0700, 0755, 0755};
static const mode_t forbidden_of[ROOT_COUNT] = {0077, 0077, 0077, 0077, 0022, 0022};

static vault_err resolve_user(const char *name, struct part_user *u)
{
	char *end = NULL;
	unsigned long number = strtoul(name, &end, 10);
	if (*end == '\0' && number > 0 && number < UINT32_MAX) {
		u->uid = (uid_t)number;
		u->gid = (gid_t)number;
	} else {
		const struct passwd *p = getpwnam(name);
		if (p == NULL) {
			(void)fprintf(stderr, "vaultd: there is no user %s; packaging/sysusers.conf makes the users of the vault\n",
			    name);
			return VAULT_E_NOTFOUND;
		}
		u->uid = p->pw_uid;
		u->gid = p->pw_gid;
	}
	u->own = true;
	return VAULT_OK;
}

vault_err roots_users(const struct config *c, struct part_user user[3])
{
	for (int i = 0; i < 3; i++) {
		user[i] = (struct part_user){.uid = geteuid(), .gid = getegid(), .own = false};
		if (c->user[i][0] == '\0' || geteuid() != 0)
			continue;
		vault_err err = resolve_user(c->user[i], &user[i]);
		if (err != VAULT_OK)
			return err;
	}
	return VAULT_OK;
}

/* The directories above, where they do not exist: nothing in them is secret. */
static void make_parents(const char *path)
{
	char part[PATH_MAX];
	if (strlen(path) >= sizeof(part))
		return;
	memcpy(part, path, strlen(path) + 1);
	for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(part, 0755);
		*slash = '/';
	}
}

static vault_err make_dir(const char *path, mode_t mode, const struct part_user *u)
{
	make_parents(path);
	if (mkdir(path, mode) < 0) {
		if (errno == EEXIST)
			return VAULT_OK;
		(void)fprintf(stderr, "vaultd: cannot make %s: %s\n", path, strerror(errno));
		return vault_err_from_errno(errno);
	}
	/* umask must not widen or narrow what the table says */
	if (chmod(path, mode) < 0 || (u->own && chown(path, u->uid, u->gid) < 0)) {
		(void)fprintf(stderr, "vaultd: cannot give %s its owner: %s\n", path, strerror(errno));
		return vault_err_from_errno(errno);
	}
	return VAULT_OK;
}

static vault_err check_dir(int fd, const char *path, mode_t forbidden, uid_t uid)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return vault_err_from_errno(errno);
	if ((st.st_mode & forbidden) != 0) {
		(void)fprintf(stderr, "vaultd: %s is open to others (mode %03o). Close it with: chmod %s %s\n", path,
		    (unsigned)(st.st_mode & 0777), (forbidden & 0055) != 0 ? "go-rwx" : "go-w", path);
		return VAULT_E_DENIED;
	}
	if (st.st_uid != uid) {
		(void)fprintf(stderr, "vaultd: %s belongs to user %u. Give it to its part with: chown -R %u %s\n", path,
		    (unsigned)st.st_uid, (unsigned)uid, path);
		return VAULT_E_DENIED;
	}
	return VAULT_OK;
}

static vault_err open_root(const struct config *c, enum root_kind kind, const struct part_user *u, bool create, int *fd)
{
	const char *path = c->dir[kind];
	/* run/ holds nothing that lasts, and is gone after a boot. */
	if (create || kind == ROOT_RUN) {
		vault_err err = make_dir(path, mode_of[kind], u);
		if (err != VAULT_OK)
			return err;
	}
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0) {
		(void)fprintf(stderr, "vaultd: cannot open the %s directory %s: %s%s\n", config_root_name(kind), path,
		    strerror(errno), errno == ENOENT ? ". Make it with: vaultd --init -c FILE" : "");
		return vault_err_from_errno(errno);
	}
	return check_dir(*fd, path, forbidden_of[kind], u->uid);
}

vault_err roots_open(const struct config *c, const struct part_user user[3], bool create, int fd[ROOT_COUNT])
{
	const struct part_user self = {.uid = geteuid(), .gid = getegid(), .own = false};
	for (int i = 0; i < ROOT_COUNT; i++)
		fd[i] = -1;
	for (int i = 0; i < ROOT_COUNT; i++) {
		const struct part_user *u = owner_of[i] < 0 ? &self : &user[owner_of[i]];
		vault_err err = open_root(c, (enum root_kind)i, u, create, &fd[i]);
		if (err != VAULT_OK)
			return err;
	}
	return VAULT_OK;
}

vault_err roots_lock(int run_fd, const char *run_path, int *lock_fd)
{
	*lock_fd = openat(run_fd, "vaultd.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*lock_fd < 0) {
		(void)fprintf(stderr, "vaultd: cannot open %s/vaultd.lock: %s\n", run_path, strerror(errno));
		return vault_err_from_errno(errno);
	}
	if (flock(*lock_fd, LOCK_EX | LOCK_NB) < 0) {
		(void)fprintf(stderr, "vaultd: another vaultd runs on %s; stop it first\n", run_path);
		return VAULT_E_BUSY;
	}
	return VAULT_OK;
}
