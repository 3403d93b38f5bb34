/*
 * dev.c - see dev.h. Everything it makes is for one machine and for trying out:
 * keys without a passphrase, a certificate nobody signed.
 */
#include "supervisor/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/secret.h"
#include "crypto/age.h"
#include "crypto/sign.h"
#include "supervisor/parts.h"
#include "supervisor/tls_self.h"

/* Numbers of systemd's DynamicUser range: no account of a Debian system has them. */
#define DEV_USER_FRONT 61190
#define DEV_USER_KEEPER 61191
#define DEV_USER_EXPORTER 61192

static vault_err make_dir(const char *base, const char *name, mode_t mode)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s%s%s", base, name[0] != '\0' ? "/" : "", name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return VAULT_E_RANGE;
	if (mkdir(path, mode) < 0 && errno != EEXIST) {
		(void)fprintf(stderr, "vaultd: cannot make %s: %s\n", path, strerror(errno));
		return vault_err_from_errno(errno);
	}
	return VAULT_OK;
}

static bool is_copy_on_write(const char *dir)
{
	struct statfs fs;
	if (statfs(dir, &fs) < 0)
		return false;
	const unsigned long type = (unsigned long)fs.f_type & 0xffffffffu;
	return type == 0x9123683eu /* btrfs */ || type == 0x794c7630u /* overlay */ || type == 0x2fc12fc1u /* zfs */;
}

/* Users of their own can run nothing where they cannot even pass the root directory (some chroots). */
static bool own_users_possible(void)
{
	struct stat st;
	return geteuid() == 0 && stat("/", &st) == 0 && (st.st_mode & S_IXOTH) != 0;
}

static vault_err make_operator(const char *dir, char public_text[64], char age_text[AGE_RECIPIENT_TEXT])
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/demo/operator.key", dir);
	struct sign_key *key = secret_alloc(sizeof(*key));
	vault_err err = key == NULL || n < 0 || (size_t)n >= sizeof(path) ? VAULT_E_NOMEM : sign_key_new(key);
	if (err == VAULT_OK)
		err = sign_key_save(key, path, "role operator (demo)", NULL, 0);
	if (err == VAULT_OK) {
		(void)b64_encode(key->pub, sizeof(key->pub), B64_URL_NOPAD, public_text, 64);
		err = age_recipient_format(key->age_pub, age_text);
	}
	secret_free(key);
	if (err != VAULT_OK)
		(void)fprintf(stderr, "vaultd: cannot make %s: %s\n", path, vault_strerror(err));
	return err;
}

static void print_config(FILE *f, const struct dev_options *o, const char *public_text, const char *age_text)
{
	(void)fprintf(f,
	    "# Made by vaultd --dev: a vault for trying things on one machine.\n"
	    "[vault]\nmedia = media\nindex = index\nkeys = keys\nroot = root\naudit = audit\nrun = run\n"
	    "origin = vault.invalid/dev\noperator_public = %s\noperator_age = %s\n\n"
	    "[listen]\nhttps = %s\nops = %s\nunix = run/vault.sock\n\n"
	    "[tls]\ncertificate = tls/certificate.pem\nkey = tls/key.pem\n\n"
	    "[retention]\nsweep_seconds = %u\n\n"
	    "[limits]\ngrace_ms = 2000\n",
	    public_text, age_text, o->https, o->ops, o->sweep_s);
	if (own_users_possible())
		(void)fprintf(f, "\n[users]\nfront = %d\nkeeper = %d\nexporter = %d\n", DEV_USER_FRONT, DEV_USER_KEEPER,
		    DEV_USER_EXPORTER);
	else if (geteuid() == 0)
		(void)fprintf(f, "\n# No [users]: the root directory of this machine is closed to others (chmod 755 / opens it),\n"
		                 "# so all parts run as root, inside their other protections.\n");
	if (is_copy_on_write(o->dir))
		(void)fprintf(f, "\n[keys]\n# This file system copies on write: erasing a root key here erases nothing.\n"
		                 "# Good enough to try things, never for recordings of people.\nallow_copy_on_write_root = yes\n");
}

/* Written last: a directory without vaultd.ini is one that is not finished. */
static vault_err write_config(const struct dev_options *o, const char *path, const char *public_text,
    const char *age_text)
{
	char temp[PATH_MAX];
	int n = snprintf(temp, sizeof(temp), "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof(temp))
		return VAULT_E_RANGE;
	int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f == NULL) {
		(void)fprintf(stderr, "vaultd: cannot write %s: %s\n", temp, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return VAULT_E_IO;
	}
	print_config(f, o, public_text, age_text);
	int bad = fflush(f) != 0 || fsync(fileno(f)) < 0;
	if (fclose(f) != 0 || bad || rename(temp, path) < 0) {
		(void)fprintf(stderr, "vaultd: cannot write %s: %s\n", path, strerror(errno));
		return VAULT_E_IO;
	}
	return VAULT_OK;
}

vault_err dev_prepare(const struct dev_options *o, char *config_path, size_t cap, bool *fresh)
{
	char certificate[PATH_MAX], key[PATH_MAX], public_text[64], age_text[AGE_RECIPIENT_TEXT];
	if ((size_t)snprintf(config_path, cap, "%s/vaultd.ini", o->dir) >= cap ||
	    (size_t)snprintf(certificate, sizeof(certificate), "%s/tls/certificate.pem", o->dir) >= sizeof(certificate) ||
	    (size_t)snprintf(key, sizeof(key), "%s/tls/key.pem", o->dir) >= sizeof(key))
		return VAULT_E_RANGE;
	*fresh = access(config_path, F_OK) < 0;
	if (!*fresh)
		return VAULT_OK;
	vault_err err = make_dir(o->dir, "", 0755);
	if (err == VAULT_OK)
		err = make_dir(o->dir, "tls", 0700);
	if (err == VAULT_OK)
		err = make_dir(o->dir, "demo", 0700);
	if (err == VAULT_OK)
		err = tls_self_make(certificate, key);
	if (err == VAULT_OK)
		err = make_operator(o->dir, public_text, age_text);
	return err == VAULT_OK ? write_config(o, config_path, public_text, age_text) : err;
}

vault_err dev_setup(const char *dir, pid_t *pid)
{
	char self[PATH_MAX], program[PATH_MAX + 16];
	vault_err err = parts_self_dir(self, sizeof(self));
	if (err != VAULT_OK)
		return err;
	(void)snprintf(program, sizeof(program), "%s/vaultctl", self);
	pid_t p = fork();
	if (p < 0)
		return VAULT_E_IO;
	if (p == 0) {
		sigset_t none;
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		(void)execl(program, "vaultctl", "demo-setup", dir, (char *)NULL);
		_exit(127);
	}
	*pid = p;
	return VAULT_OK;
}
