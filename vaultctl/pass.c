/*
 * pass.c - see pass.h.
 */
#include "pass.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret.h"

/* One line; the newline is not part of it. */
static vault_err read_line(int fd, char *pass, size_t *len)
{
	for (*len = 0; *len < PASS_MAX;) {
		ssize_t got = read(fd, pass + *len, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return VAULT_E_IO;
		if (got == 0 || pass[*len] == '\n')
			break;
		*len += 1;
	}
	return *len > 0 && *len < PASS_MAX ? VAULT_OK : VAULT_E_RANGE;
}

static int from_file(const char *path, char *pass, size_t *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		const int saved = errno;
		if (fd >= 0)
			(void)close(fd);
		return ctl_fail(CTL_LOCAL, "cannot open the passphrase file %s: %s", path, strerror(saved));
	}
	int code = CTL_OK;
	/* A pipe (<(...)) belongs to its two ends whatever its mode says. */
	if (S_ISREG(st.st_mode) && (st.st_mode & 0077) != 0)
		code = ctl_fail(CTL_LOCAL, "%s is open to others. Close it with: chmod 600 %s", path, path);
	else if (read_line(fd, pass, len) != VAULT_OK)
		code = ctl_fail(CTL_LOCAL, "the passphrase in %s is empty or longer than %u bytes", path, PASS_MAX - 1);
	(void)close(fd);
	return code;
}

static int ask(int tty, const char *prompt, char *pass, size_t *len)
{
	struct termios before, quiet;
	sigset_t block, old;
	if (tcgetattr(tty, &before) < 0)
		return ctl_fail(CTL_LOCAL, "the terminal cannot hide a passphrase; use --pass-file");
	/* An interrupt in between must not leave the terminal without echo. */
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGINT);
	(void)sigaddset(&block, SIGTERM);
	(void)sigaddset(&block, SIGTSTP);
	(void)sigprocmask(SIG_BLOCK, &block, &old);
	quiet = before;
	quiet.c_lflag &= (tcflag_t) ~(ECHO | ISIG);
	(void)dprintf(tty, "%s: ", prompt);
	(void)tcsetattr(tty, TCSAFLUSH, &quiet);
	vault_err err = read_line(tty, pass, len);
	(void)tcsetattr(tty, TCSAFLUSH, &before);
	(void)dprintf(tty, "\n");
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (err != VAULT_OK || memchr(pass, 3, *len) != NULL)
		return ctl_fail(CTL_LOCAL, "no passphrase was given");
	return CTL_OK;
}

static int from_terminal(const char *prompt, bool twice, char *pass, size_t *len)
{
	size_t again_len = 0;
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (tty < 0)
		return ctl_fail(CTL_LOCAL, "no terminal to ask for the passphrase; use --pass-file FILE or --pass-fd N");
	int code = ask(tty, prompt, pass, len);
	if (code == CTL_OK && twice) {
		char *again = secret_alloc(PASS_MAX);
		code = again == NULL ? ctl_fail_local("memory for the passphrase", VAULT_E_NOMEM)
		                     : ask(tty, "The same again", again, &again_len);
		if (code == CTL_OK && (again_len != *len || sodium_memcmp(again, pass, PASS_MAX) != 0))
			code = ctl_fail(CTL_LOCAL, "the two passphrases differ; nothing was made");
		secret_free(again);
	}
	(void)close(tty);
	return code;
}

int pass_get(const struct ctl *c, const char *prompt, bool twice, char **pass, size_t *len)
{
	*pass = NULL;
	char *p = secret_alloc(PASS_MAX);
	if (p == NULL)
		return ctl_fail_local("memory for the passphrase", VAULT_E_NOMEM);
	int code = CTL_OK;
	if (c->pass_file != NULL)
		code = from_file(c->pass_file, p, len);
	else if (c->pass_fd == PASS_FD_NONE)
		code = from_terminal(prompt, twice, p, len);
	else if (c->pass_fd > INT_MAX || read_line((int)c->pass_fd, p, len) != VAULT_OK)
		code = ctl_fail(CTL_LOCAL, "no passphrase could be read from descriptor %u", c->pass_fd);
	if (code != CTL_OK) {
		secret_free(p);
		return code;
	}
	*pass = p;
	return CTL_OK;
}
