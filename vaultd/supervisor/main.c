/*
 * main.c - vaultd, the supervisor: reads the configuration, opens roots and
 * sockets, starts the parts, keeps them together. It never touches a recording.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "front/index/index.h"
#include "supervisor/config.h"
#include "supervisor/dev.h"
#include "supervisor/passphrase.h"
#include "supervisor/start.h"
#include "supervisor/supervise.h"

enum mode { MODE_RUN, MODE_CHECK, MODE_INIT, MODE_DEV, MODE_REBUILD };

struct arguments {
	enum mode mode;
	const char *config;
	struct dev_options dev;
};

static void usage(FILE *f)
{
	(void)fputs("usage: vaultd -c FILE                run the vault\n"
	            "       vaultd --check -c FILE        read the configuration and open every directory, then end\n"
	            "       vaultd --init -c FILE         make a new vault in empty directories, then end\n"
	            "       vaultd --rebuild-index -c FILE  build the index again from the volumes (vault stopped)\n"
	            "       vaultd --dev DIR [--https ADDR:PORT] [--ops ADDR:PORT]\n"
	            "                                     run a demo vault that lives in DIR\n"
	            "       vaultd --version | --help\n"
	            "See vaultd(8) and vaultd.ini(5).\n",
	    f);
}

static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	enum { OPT_CHECK = 256, OPT_INIT, OPT_DEV, OPT_REBUILD, OPT_HTTPS, OPT_OPS, OPT_VERSION };
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	    {"check", no_argument, NULL, OPT_CHECK}, {"init", no_argument, NULL, OPT_INIT},
	    {"dev", required_argument, NULL, OPT_DEV}, {"rebuild-index", no_argument, NULL, OPT_REBUILD},
	    {"https", required_argument, NULL, OPT_HTTPS}, {"ops", required_argument, NULL, OPT_OPS},
	    {"version", no_argument, NULL, OPT_VERSION}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	*a = (struct arguments){.dev = {.https = "127.0.0.1:8443", .ops = "127.0.0.1:9443", .sweep_s = 1}};
	int c;
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (c) {
		case 'c': a->config = optarg; break;
		case OPT_CHECK: a->mode = MODE_CHECK; break;
		case OPT_INIT: a->mode = MODE_INIT; break;
		case OPT_REBUILD: a->mode = MODE_REBUILD; break;
		case OPT_DEV: a->mode = MODE_DEV; a->dev.dir = optarg; break;
		case OPT_HTTPS: a->dev.https = optarg; break;
		case OPT_OPS: a->dev.ops = optarg; break;
		case OPT_VERSION: (void)puts("vaultd " VAULT_VERSION); return -1;
		case 'h': usage(stdout); return -1;
		default: usage(stderr); return 2;
		}
	}
	if (optind != argc || (a->mode == MODE_DEV ? a->config != NULL : a->config == NULL)) {
		usage(stderr);
		return 2;
	}
	return 0;
}

/* systemd's readiness line, when it asks for one. */
static void notify_ready(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (path == NULL || strlen(path) >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	(void)sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&addr, len);
	(void)close(fd);
}

static vault_err run_parts(struct vault_parts *v, const struct config *c, const struct arguments *a, int signal_fd)
{
	pid_t helper = 0;
	vault_err err = roots_listen(c, v->listen_fd);
	if (err == VAULT_OK)
		err = start_front(v, c);
	if (err != VAULT_OK)
		return err;
	exporters_init(&v->exporters, v->program_fd[PART_EXPORTER], &v->user[USER_EXPORTER]);
	err = exporters_refill(&v->exporters);
	if (err == VAULT_OK && a->mode == MODE_DEV)
		err = dev_setup(a->dev.dir, &helper);
	if (err == VAULT_OK)
		err = supervise_drop();
	if (err != VAULT_OK)
		return err;
	log_info("event=ready version=%s", VAULT_VERSION);
	notify_ready();
	return supervise_run(v, signal_fd, c->grace_ms, helper);
}

static vault_err run(const struct config *c, const struct arguments *a, bool create)
{
	struct vault_parts v;
	int signal_fd = -1;
	uint8_t *pass = NULL;
	size_t pass_len = 0;
	start_init(&v);
	vault_err err = supervise_signals(&signal_fd);
	if (err == VAULT_OK)
		err = start_open(&v, c, create);
	if (err == VAULT_OK)
		err = passphrase_get(c, &pass, &pass_len);
	if (err == VAULT_OK)
		err = start_keeper(&v, c, create, pass, pass_len);
	secret_free(pass);
	if (err == VAULT_OK && a->mode == MODE_INIT)
		(void)printf("%s%s\n", v.fresh ? "The vault is made. Start it with: vaultd -c "
		                                : "Nothing was changed: there is a vault already in the directories of ", c->path);
	else if (err == VAULT_OK)
		err = run_parts(&v, c, a, signal_fd);
	supervise_stop(&v, signal_fd, c->grace_ms);
	return err;
}

static void show_progress(void *arg, uint64_t done, uint64_t all)
{
	(void)arg;
	if (isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\rindex: %llu of %llu MiB ", (unsigned long long)(done >> 20),
		    (unsigned long long)(all >> 20));
}

static vault_err rebuild(const struct config *c)
{
	struct vault_parts v;
	uint64_t rows = 0;
	start_init(&v);
	vault_err err = start_open(&v, c, false);
	/* The front must be able to write what is built here. */
	if (err == VAULT_OK && part_become(&v.user[USER_FRONT]) < 0)
		err = VAULT_E_DENIED;
	if (err == VAULT_OK)
		err = index_rebuild(v.root_fd[ROOT_INDEX], v.root_fd[ROOT_MEDIA], show_progress, NULL, &rows);
	if (isatty(STDERR_FILENO))
		(void)fputc('\n', stderr);
	if (err == VAULT_OK)
		(void)printf("The index is built again: %llu recordings.\n", (unsigned long long)rows);
	else
		(void)fprintf(stderr, "vaultd: the index could not be built: %s\n", vault_strerror(err));
	return err;
}

static vault_err check_file(const char *path)
{
	if (path[0] == '\0' || access(path, R_OK) == 0)
		return VAULT_OK;
	(void)fprintf(stderr, "vaultd: cannot read %s: %s\n", path, strerror(errno));
	return VAULT_E_IO;
}

static vault_err check(const struct config *c)
{
	struct vault_parts v;
	start_init(&v);
	/* Without the lock: a running vault's new configuration is checked before its restart. */
	vault_err err = roots_users(c, v.user);
	if (err == VAULT_OK)
		err = roots_open(c, v.user, false, v.root_fd);
	if (err == VAULT_OK)
		err = parts_find(v.program_fd);
	const char *const files[] = {c->https[0] != '\0' ? c->tls_certificate : "", c->https[0] != '\0' ? c->tls_key : "",
	    c->tls_client_ca};
	for (size_t i = 0; i < 3 && err == VAULT_OK; i++)
		err = check_file(files[i]);
	if (err == VAULT_OK)
		(void)printf("%s: configuration and directories are in order.\n", c->path);
	return err;
}

int main(int argc, char **argv)
{
	struct arguments a;
	static struct config c;
	char dev_config[PATH_MAX];
	bool fresh = false;
	int status = parse_arguments(argc, argv, &a);
	if (status != 0)
		return status < 0 ? 0 : status;
	/* Whatever the caller left open is nobody's business here: no part inherits it. */
	(void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	clock_init();
	log_init("vaultd", LOG_INFO_);
	(void)signal(SIGPIPE, SIG_IGN);
	vault_err err = secret_setup();
	if (err == VAULT_OK && a.mode == MODE_DEV) {
		err = dev_prepare(&a.dev, dev_config, sizeof(dev_config), &fresh);
		a.config = dev_config;
	}
	if (err == VAULT_OK)
		err = config_load(&c, a.config);
	if (err != VAULT_OK)
		return 1;
	switch (a.mode) {
	case MODE_CHECK: err = check(&c); break;
	case MODE_REBUILD: err = rebuild(&c); break;
	case MODE_INIT:
	case MODE_DEV: err = run(&c, &a, true); break;
	case MODE_RUN: err = run(&c, &a, false); break;
	}
	return err == VAULT_OK ? 0 : 1;
}
