/*
 * main.c - vault-exporter: waits for one job, does it, ends.
 *
 * Descriptors: 3 frames in, 4 key link, 5 age out. Everything else it could
 * touch is taken away before the first byte is read. Whatever goes wrong, the
 * age stream is left without its last chunk, which no reader accepts.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "exporter/job.h"
#include "sandbox/sandbox.h"

enum { FD_IN = 3, FD_KEYS = 4, FD_OUT = 5 };

vault_err job_frame(struct job *j, struct frame_view *v)
{
	for (;;) {
		vault_err err = frames_next(j->frames, v);
		if (err != VAULT_E_SHORT)
			return err;
		size_t room = 0;
		uint8_t *p = frames_room(j->frames, &room);
		ssize_t n = read(j->in_fd, p, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return VAULT_E_IO;
		if (n == 0)
			return frames_finish(j->frames) == VAULT_OK ? VAULT_E_EOF : VAULT_E_SHORT;
		frames_filled(j->frames, (size_t)n);
	}
}

static vault_err run(struct job *j)
{
	vault_err err = seal_new(&j->seal, FD_OUT, (const uint8_t(*)[32])j->order.recipient, j->order.recipients);
	if (err != VAULT_OK)
		return err;
	switch (j->order.mode) {
	case JOB_MEDIA:
		err = job_media(j);
		break;
	case JOB_METADATA:
		err = job_metadata(j);
		break;
	case JOB_AUTHENTICATE:
		err = job_authenticate(j);
		break;
	default:
		err = VAULT_E_PROTO;
	}
	return err == VAULT_OK ? seal_finish(j->seal) : err;
}

/* What the contact may be told; the log has the rest. The keeper's own refusal goes back as it came. */
static unsigned refusal_of(const struct job *j, vault_err err)
{
	switch (err) {
	case VAULT_OK:
		return VAULT_REFUSAL_none;
	case VAULT_E_UNSUPPORTED:
		return VAULT_REFUSAL_format_unsupported;
	case VAULT_E_DENIED:
		return keys_refusal(j->keys);
	default:
		return VAULT_REFUSAL_internal;
	}
}

int main(int argc, char **argv)
{
	struct job j = {.in_fd = FD_IN};
	uint32_t on = 0;
	size_t n = 0;
	/* The supervisor changed the user before it executed this program. */
	const bool own_user = argc > 1 && strcmp(argv[1], "--own-user") == 0;
	const bool is_root = geteuid() == 0;
	log_init("exporter", LOG_INFO_);
	(void)signal(SIGPIPE, SIG_IGN);
	if (secret_setup() != VAULT_OK || keys_new(&j.keys, FD_KEYS) != VAULT_OK || frames_new(&j.frames) != VAULT_OK)
		return 1;
	struct sandbox box = {.part = "exporter"};
	box.syscalls = sandbox_exporter_syscalls(&n);
	box.n_syscalls = n;
	vault_err err = sandbox_enter(&box, &on);
	const uint32_t need = PROTECT_NO_NEW_PRIVS | PROTECT_UNDUMPABLE | PROTECT_NO_CORE | PROTECT_SECCOMP;
	if (err != VAULT_OK || (on & need) != need || (own_user && is_root)) {
		log_error("event=not_protected bits=%u need=%u", on, need);
		return 1;
	}
	err = keys_job(j.keys, &j.order);
	if (err == VAULT_E_EOF)      /* a spare that was never needed */
		return 0;
	if (err == VAULT_OK)
		err = run(&j);
	if (err != VAULT_OK)
		log_error("event=export_failed error=%d", (int)err);
	const struct ipc_job_result result = {.job = j.order.job, .refusal = refusal_of(&j, err), .items = j.items,
	    .bytes = j.seal != NULL ? seal_bytes(j.seal) : 0};
	if (keys_result(j.keys, &result) != VAULT_OK)
		log_error("event=result_not_told");
	seal_free(j.seal);
	frames_free(j.frames);
	keys_free(j.keys);
	return err == VAULT_OK ? 0 : 1;
}
