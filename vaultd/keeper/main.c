/*
 * main.c - vault-keeper: keys, policy, clock and audit log; no network.
 *
 * Descriptors: 3 front, 4 supervisor, 5 keys/, 6 root/, 7 audit/. Waits for
 * CONFIGURE, opens the vault, enters its sandbox, answers READY or FAILED, and
 * only then reads what the front says.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "keeper/keeper.h"
#include "keeper/loop.h"
#include "sandbox/sandbox.h"

enum { FD_FRONT = 3, FD_SUPERVISOR = 4, FD_KEYS = 5, FD_ROOT = 6, FD_AUDIT = 7 };

#define PROTECT_NEEDED (PROTECT_ALL & ~PROTECT_OWN_USER)

#if defined(__SANITIZE_ADDRESS__)
#define KEEPER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPER_ASAN 1
#endif
#endif
#ifdef KEEPER_ASAN
/* The leak checker would trace this process, which the sandbox forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

/* What start-up needs only until READY; secret_alloc, because of the passphrase. */
struct start {
	uint8_t packet[IPC_MAX];
	struct ipc_configure configure;
};

static void say_failed(struct start *s, const char *why)
{
	size_t n = ipc_failed_encode(s->packet, 0, why);

	log_error("event=start_failed");
	if (n == 0 || ipc_send(FD_SUPERVISOR, s->packet, n, NULL) != VAULT_OK)
		log_error("event=failure_unsent");
}

/* Blocks for the supervisor's CONFIGURE. */
static vault_err read_configure(struct start *s)
{
	struct ipc_packet p;
	size_t n = 0;
	vault_err err = ipc_recv(FD_SUPERVISOR, s->packet, &n, NULL);

	if (err == VAULT_OK)
		err = ipc_parse(&p, s->packet, n, LINK_SUPERVISOR, TO_KEEPER);
	if (err == VAULT_OK)
		err = ipc_configure_decode(&s->configure, &p);
	secret_wipe(s->packet, n);
	return err;
}

static vault_err enter_sandbox(struct keeper *k, bool own_user)
{
	const struct sandbox_dir dirs[] = {
		{ .fd = FD_KEYS, .write = true }, { .fd = FD_ROOT, .write = true }, { .fd = FD_AUDIT, .write = true },
	};
	struct sandbox s = { .part = "keeper", .dirs = dirs, .n_dirs = sizeof(dirs) / sizeof(dirs[0]) };

	/* Asked now: the sandbox does not allow it. */
	const bool changed = own_user && geteuid() != 0;

	s.syscalls = sandbox_keeper_syscalls(&s.n_syscalls);
	vault_err err = sandbox_enter(&s, &k->protections);
	if (changed)
		k->protections |= PROTECT_OWN_USER;
	return err;
}

static vault_err say_ready(struct start *s, struct keeper *k, bool fresh)
{
	static const char clock_warning[] =
	    "The clock jumped since the last run: nothing expires until two people sign clock.confirm.";
	struct ipc_ready ready = { .vault = k->vault, .protections = k->protections, .fresh = fresh };

	memcpy(ready.audit_pub, k->audit.key->pub, sizeof(ready.audit_pub));
	if (!k->clock.trusted)
		memcpy(ready.message, clock_warning, sizeof(clock_warning));
	return ipc_send(FD_SUPERVISOR, s->packet, ipc_ready_encode(s->packet, 0, &ready), NULL);
}

static vault_err attach_links(struct keeper *k)
{
	if (fcntl(FD_FRONT, F_SETFL, O_NONBLOCK) != 0 || fcntl(FD_SUPERVISOR, F_SETFL, O_NONBLOCK) != 0)
		return vault_err_from_errno(errno);
	link_init(&k->front, FD_FRONT, LINK_FRONT);
	link_init(&k->supervisor, FD_SUPERVISOR, LINK_SUPERVISOR);
	return VAULT_OK;
}

/* Opens, locks itself in, reports. NULL: FAILED was sent. */
static struct keeper *start(struct start *s, bool own_user)
{
	const struct keeper_options options = { .keys_fd = FD_KEYS, .root_fd = FD_ROOT, .audit_fd = FD_AUDIT,
		.configure = &s->configure };
	struct keeper *k;
	const char *why = "The vault cannot be opened.";
	bool fresh;

	if (read_configure(s) != VAULT_OK) {
		say_failed(s, "The supervisor's configuration message cannot be read.");
		return NULL;
	}
	vault_err err = keeper_open(&k, &options, &fresh, &why);
	secret_wipe(s->configure.pass, sizeof(s->configure.pass));
	if (err != VAULT_OK) {
		say_failed(s, why);
		return NULL;
	}
	err = enter_sandbox(k, own_user);
	if (!s->configure.sandbox_optional && (err != VAULT_OK || (k->protections & PROTECT_NEEDED) != PROTECT_NEEDED)) {
		say_failed(s, "The keeper cannot be sandboxed (Landlock, seccomp). Use a kernel that has both, or name the "
		    "exception in the configuration: sandbox_optional = yes.");
		keeper_close(k);
		return NULL;
	}
	if (say_ready(s, k, fresh) != VAULT_OK || attach_links(k) != VAULT_OK) {
		keeper_close(k);
		return NULL;
	}
	return k;
}

int main(int argc, char **argv)
{
	bool own_user = argc == 2 && strcmp(argv[1], "--own-user") == 0;

	if (argc > 2 || (argc == 2 && !own_user))
		return 2;
	if (secret_setup() != VAULT_OK)
		return 1;
	/* The front reads audit/ as another user; keys/ and root/ name their modes themselves. */
	(void)umask(022);
	log_init("keeper", LOG_INFO_);
	clock_init();
	/* The supervisor ends this process by FINISH or by its own end: a terminal's signals are not for it. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	struct start *s = secret_alloc(sizeof(*s));
	if (s == NULL)
		return 1;
	struct keeper *k = start(s, own_user);
	secret_free(s);
	if (k == NULL)
		return 1;
	int code = loop_run(k);
	keeper_close(k);
	return code;
}
