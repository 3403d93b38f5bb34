/*
 * parts.c - fork, arrange descriptors, drop to the part's user, execute.
 *
 * Between fork and exec only async-signal-safe calls are made.
 */
#include "supervisor/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <stdint.h>
#include <unistd.h>

#include "base/log.h"

#define FDS_MAX 16
#define PARK_FD 64                   /* descriptors are parked above this while they are put in place */

static const char *const names[PART_KINDS] = {"vault-keeper", "vault-front", "vault-exporter"};

vault_err parts_self_dir(char *out, size_t cap)
{
	ssize_t n = readlink("/proc/self/exe", out, cap - 1);
	if (n <= 0 || (size_t)n >= cap - 1)
		return VAULT_E_IO;
	out[n] = '\0';
	char *slash = strrchr(out, '/');
	if (slash == NULL)
		return VAULT_E_IO;
	*slash = '\0';
	return VAULT_OK;
}

vault_err parts_find(int program_fd[PART_KINDS])
{
	static const char *const places[] = {"", "/../libexec/vault"};
	char self[PATH_MAX], path[PATH_MAX + 64];
	vault_err err = parts_self_dir(self, sizeof(self));
	if (err != VAULT_OK)
		return err;
	for (int i = 0; i < PART_KINDS; i++) {
		program_fd[i] = -1;
		for (size_t k = 0; k < sizeof(places) / sizeof(places[0]) && program_fd[i] < 0; k++) {
			(void)snprintf(path, sizeof(path), "%s%s/%s", self, places[k], names[i]);
			program_fd[i] = open(path, O_PATH | O_CLOEXEC);
		}
		if (program_fd[i] < 0) {
			(void)fprintf(stderr, "vaultd: %s is neither beside vaultd nor in ../libexec/vault; install it again\n",
			    names[i]);
			return VAULT_E_NOTFOUND;
		}
	}
	return VAULT_OK;
}

/* The parts get no environment but what a test build needs to be watched. */
static void clean_environment(char *out[], size_t cap)
{
	size_t n = 0;
#ifdef VAULT_TEST_HOOKS
	static const char *const keep[] = {"VAULT_", "LD_PRELOAD=", "ASAN_", "UBSAN_", "TSAN_", "LSAN_"};
	for (char **e = environ; *e != NULL && n + 1 < cap; e++) {
		for (size_t k = 0; k < sizeof(keep) / sizeof(keep[0]); k++) {
			if (strncmp(*e, keep[k], strlen(keep[k])) == 0) {
				out[n++] = *e;
				break;
			}
		}
	}
#else
	(void)cap;
#endif
	out[n] = NULL;
}

static int place_fds(const int *fds, size_t n)
{
	int parked[FDS_MAX];
	for (size_t i = 0; i < n; i++) {
		parked[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, PARK_FD);
		if (parked[i] < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (dup2(parked[i], PART_FIRST_FD + (int)i) < 0)
			return -1;
	}
	return 0;
}

int part_become(const struct part_user *u)
{
	if (!u->own)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 || setresuid(u->uid, u->uid, u->uid) < 0)
		return -1;
	return 0;
}

static void child(enum part_kind kind, int program_fd, const int *fds, size_t n, const struct part_user *user,
    pid_t parent, char *const env[])
{
	char *argv[3] = {(char *)(uintptr_t)names[kind], NULL, NULL};
	char own[] = "--own-user";
	if (user->own)
		argv[1] = own;
	sigset_t none;
	(void)sigemptyset(&none);
	int program = fcntl(program_fd, F_DUPFD_CLOEXEC, PARK_FD);
	if (program < 0 || place_fds(fds, n) < 0 || part_become(user) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		_exit(126);
	/* After the change of user, which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(126);
	/* Parked descriptors are close-on-exec; everything else the supervisor opens is, too. */
	(void)fexecve(program, argv, env);
	(void)dprintf(STDERR_FILENO, "vaultd: user %u cannot run %s: %s. Can he reach / and its libraries?\n",
	    (unsigned)user->uid, names[kind], strerror(errno));
	_exit(127);
}

vault_err part_start(enum part_kind kind, int program_fd, const int *fds, size_t n, const struct part_user *user,
    pid_t *pid)
{
	char *env[64];
	if (n > FDS_MAX)
		return VAULT_E_RANGE;
	clean_environment(env, sizeof(env) / sizeof(env[0]));
	pid_t parent = getpid();
	pid_t p = fork();
	if (p < 0) {
		log_error("event=fork_failed part=%s errno=%d", names[kind], errno);
		return VAULT_E_IO;
	}
	if (p == 0)
		child(kind, program_fd, fds, n, user, parent, env);
	*pid = p;
	return VAULT_OK;
}
