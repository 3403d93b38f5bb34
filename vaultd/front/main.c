/*
 * main.c - vault-front: reads its options from the supervisor, recovers, goes
 * into its sandbox, says that it is ready, runs.
 *
 * Descriptors at start (docs/PROTOCOL.md): 3 keeper, 4 supervisor, 5 media/,
 * 6 index/, 7 audit/, 8 and up listening sockets. Nothing from the network is
 * read before the sandbox is on.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "front/lane.h"
#include "front/options.h"
#include "sandbox/sandbox.h"

enum { FD_KEEPER = 3, FD_SUPERVISOR = 4, FD_MEDIA = 5, FD_INDEX = 6, FD_AUDIT = 7 };

static void tell(json_t *o)
{
	size_t n = 0;
	char *text = o != NULL ? json_write(o, &n) : NULL;

	if (text == NULL || send(FD_SUPERVISOR, text, n, MSG_NOSIGNAL) != (ssize_t)n)
		log_error("event=supervisor_not_told");
	free(text);
	json_decref(o);
}

static int failed(const char *why, vault_err err)
{
	char text[512];

	log_error("event=start_failed error=%d", (int)err);
	(void)snprintf(text, sizeof(text), "%s (%s)", why, vault_strerror(err));
	tell(json_pack("{s:s}", "failed", text));
	return 1;
}

static bool descriptors_ok(const struct front_options *o)
{
	struct stat st;

	for (int fd = FD_MEDIA; fd <= FD_AUDIT; fd++)
		if (fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
			return false;
	for (size_t i = 0; i < o->n_listeners; i++)
		if (fstat(o->listener[i].fd, &st) != 0 || !S_ISSOCK(st.st_mode))
			return false;
	return fstat(FD_KEEPER, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* true: everything is on that can be, or the configuration allows less. */
static bool confine(const struct front_options *o, bool own_user, uint32_t *on)
{
	const struct sandbox_dir dirs[] = { { FD_MEDIA, true }, { FD_INDEX, true }, { FD_AUDIT, false } };
	struct sandbox s = { .part = "front", .dirs = dirs, .n_dirs = sizeof(dirs) / sizeof(dirs[0]), .tcp = true };
	uint32_t needed = PROTECT_ALL & ~PROTECT_OWN_USER;

	s.syscalls = sandbox_front_syscalls(&s.n_syscalls);
	if (sandbox_enter(&s, on) != VAULT_OK)
		*on = 0;
	if (own_user)
		*on |= PROTECT_OWN_USER;       /* the supervisor changed to it before this program began */
	return o->sandbox_optional || (*on & needed) == needed;
}

static int serve(struct front_options *o, bool own_user)
{
	const struct lane_fds fds = { FD_KEEPER, FD_SUPERVISOR, FD_MEDIA, FD_INDEX, FD_AUDIT };
	const char *why = "the front did not get its descriptors; it is started by vaultd only";
	struct lane *l = NULL;
	uint32_t on = 0;
	vault_err err;
	int status;

	if (!descriptors_ok(o))
		return failed(why, VAULT_E_INVAL);
	err = lane_open(&l, o, &fds, &why);
	options_forget_pem(o);
	if (err == VAULT_OK && !confine(o, own_user, &on)) {
		why = "the front cannot enter its sandbox; [sandbox] optional = yes in the configuration allows that";
		err = VAULT_E_DENIED;
	}
	if (err == VAULT_OK)
		err = lane_start(l, on, &why);
	if (err != VAULT_OK) {
		status = failed(why, err);
	} else {
		tell(json_pack("{s:b, s:I}", "ready", 1, "protections", (json_int_t)on));
		log_info("event=ready protections=%u", on);
		status = lane_run(l);
	}
	lane_free(l);
	log_info("event=stopped status=%d", status);
	return status;
}

int main(int argc, char **argv)
{
	struct front_options o;
	const char *why = "";
	bool own_user = argc == 2 && strcmp(argv[1], "--own-user") == 0;
	int status;

	log_init("front", LOG_INFO_);
	clock_init();
	if (secret_setup() != VAULT_OK) {
		log_error("event=start_failed what=secret_memory");
		return 1;
	}
	(void)signal(SIGPIPE, SIG_IGN);        /* a client that is gone is an error of its write */
	vault_err err = options_read(&o, FD_SUPERVISOR, &why);
	status = err == VAULT_OK ? serve(&o, own_user) : failed(why, err);
	options_forget_pem(&o);
	return status;
}
