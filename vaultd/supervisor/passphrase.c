/*
 * passphrase.c - see passphrase.h.
 */
#include "supervisor/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret.h"

/* One line: the passphrase ends at the first newline. */
static vault_err read_line(int fd, uint8_t *pass, size_t *len)
{
	size_t n = 0;
	while (n < PASSPHRASE_MAX) {
		ssize_t got = read(fd, pass + n, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return VAULT_E_IO;
		if (got == 0 || pass[n] == '\n')
			break;
		n++;
	}
	*len = n;
	return n > 0 && n < PASSPHRASE_MAX ? VAULT_OK : VAULT_E_RANGE;
}

static vault_err from_file(const char *path, uint8_t *pass, size_t *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)fprintf(stderr, "vaultd: cannot open the passphrase file %s: %s\n", path, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return VAULT_E_IO;
	}
	vault_err err = VAULT_E_DENIED;
	if ((st.st_mode & 0077) != 0)
		(void)fprintf(stderr, "vaultd: %s is open to others. Close it with: chmod 600 %s\n", path, path);
	else
		err = read_line(fd, pass, len);
	(void)close(fd);
	if (err == VAULT_E_RANGE)
		(void)fprintf(stderr, "vaultd: the passphrase in %s is empty or longer than %u bytes\n", path,
		    PASSPHRASE_MAX - 1);
	return err;
}

static vault_err from_terminal(uint8_t *pass, size_t *len)
{
	struct termios before, quiet;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (fd < 0 || tcgetattr(fd, &before) < 0) {
		(void)fprintf(stderr, "vaultd: no terminal to ask for the passphrase; set [keys] passphrase_file\n");
		if (fd >= 0)
			(void)close(fd);
		return VAULT_E_IO;
	}
	quiet = before;
	quiet.c_lflag &= (tcflag_t)~ECHO;
	(void)dprintf(fd, "Passphrase of the vault: ");
	(void)tcsetattr(fd, TCSAFLUSH, &quiet);
	vault_err err = read_line(fd, pass, len);
	(void)tcsetattr(fd, TCSAFLUSH, &before);
	(void)dprintf(fd, "\n");
	(void)close(fd);
	return err;
}

vault_err passphrase_get(const struct config *c, uint8_t **pass, size_t *len)
{
	char credential[PATH_MAX] = "";
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	*pass = NULL;
	*len = 0;
	if (c->passphrase_file[0] == '\0' && !c->passphrase_prompt && dir != NULL) {
		int n = snprintf(credential, sizeof(credential), "%s/passphrase", dir);
		if (n < 0 || (size_t)n >= sizeof(credential) || access(credential, R_OK) < 0)
			credential[0] = '\0';
	}
	if (c->passphrase_file[0] == '\0' && !c->passphrase_prompt && credential[0] == '\0')
		return VAULT_OK;
	uint8_t *p = secret_alloc(PASSPHRASE_MAX);
	if (p == NULL)
		return VAULT_E_NOMEM;
	vault_err err;
	if (c->passphrase_prompt)
		err = from_terminal(p, len);
	else
		err = from_file(credential[0] != '\0' ? credential : c->passphrase_file, p, len);
	if (err != VAULT_OK) {
		secret_free(p);
		return err;
	}
	*pass = p;
	return VAULT_OK;
}
