/*
 * exporters.c - see exporters.h.
 */
#include "supervisor/exporters.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/message.h"

#define SPARE_DEATHS_MAX 5
#define EXIT_BUSY 255u

void exporters_init(struct exporters *x, int program_fd, const struct part_user *user)
{
	memset(x, 0, sizeof(*x));
	x->program_fd = program_fd;
	x->user = *user;
	for (int i = 0; i < EXPORTERS_MAX; i++)
		x->slot[i].data_fd = x->slot[i].key_fd = -1;
}

static struct exporter_slot *find_slot(struct exporters *x, bool spare)
{
	for (int i = 0; i < EXPORTERS_MAX; i++) {
		struct exporter_slot *s = &x->slot[i];
		if (spare ? (s->pid != 0 && s->job == 0) : s->pid == 0)
			return s;
	}
	return NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static vault_err start_spare(struct exporters *x, struct exporter_slot *s)
{
	int data[2] = {-1, -1}, key[2] = {-1, -1};
	vault_err err = VAULT_E_IO;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data) == 0 &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, key) == 0) {
		/* one socket serves both directions of the data */
		const int fds[] = {data[1], key[1], data[1]};
		err = part_start(PART_EXPORTER, x->program_fd, fds, 3, &x->user, &s->pid);
	}
	close_fd(&data[1]);
	close_fd(&key[1]);
	if (err != VAULT_OK) {
		close_fd(&data[0]);
		close_fd(&key[0]);
		return err;
	}
	s->job = 0;
	s->data_fd = data[0];
	s->key_fd = key[0];
	return VAULT_OK;
}

vault_err exporters_refill(struct exporters *x)
{
	if (find_slot(x, true) != NULL || x->spare_deaths >= SPARE_DEATHS_MAX)
		return VAULT_OK;
	struct exporter_slot *s = find_slot(x, false);
	return s == NULL ? VAULT_OK : start_spare(x, s);
}

static void tell_exited(int keeper_fd, uint64_t job, uint32_t status)
{
	uint8_t packet[64];
	const struct ipc_exporter m = {.job = job, .status = status};
	size_t n = ipc_exited_encode(packet, 0, &m);
	if (ipc_send(keeper_fd, packet, n, NULL) != VAULT_OK)
		log_error("event=keeper_not_told what=exited");
}

vault_err exporters_spawn(struct exporters *x, uint64_t job, int keeper_fd, int front_fd)
{
	struct exporter_slot *s = find_slot(x, true);
	if (s == NULL) {
		tell_exited(keeper_fd, job, EXIT_BUSY);
		return VAULT_OK;
	}
	uint8_t packet[64];
	const struct ipc_exporter m = {.job = job, .status = 0};
	size_t n = ipc_spawned_encode(packet, 0, &m);
	vault_err err = ipc_send(front_fd, packet, n, &s->data_fd);
	if (err == VAULT_OK)
		err = ipc_send(keeper_fd, packet, n, &s->key_fd);
	s->job = job;
	s->since_ms = clock_mono_ms();
	close_fd(&s->data_fd);
	close_fd(&s->key_fd);
	if (err != VAULT_OK)
		return err;
	/* No process or descriptor to be had now: this job is served, the next turn tries again. */
	if (exporters_refill(x) != VAULT_OK)
		log_warn("event=no_spare_exporter");
	return VAULT_OK;
}

void exporters_expire(struct exporters *x, uint64_t mono_ms)
{
	for (int i = 0; i < EXPORTERS_MAX; i++) {
		const struct exporter_slot *s = &x->slot[i];
		if (s->pid == 0 || s->job == 0 || mono_ms < s->since_ms + EXPORTER_LIFE_MS)
			continue;
		log_warn("event=exporter_outlived_its_job");
		(void)kill(s->pid, SIGKILL);
	}
}

bool exporters_reaped(struct exporters *x, pid_t pid, int status, int keeper_fd)
{
	for (int i = 0; i < EXPORTERS_MAX; i++) {
		struct exporter_slot *s = &x->slot[i];
		if (s->pid != pid)
			continue;
		unsigned code = WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 128u + (unsigned)WTERMSIG(status);
		if (s->job != 0) {
			x->spare_deaths = 0;
			tell_exited(keeper_fd, s->job, code);
		} else if (++x->spare_deaths == SPARE_DEATHS_MAX) {
			log_error("event=exporters_given_up code=%u hint=retrieval_needs_a_restart", code);
		}
		close_fd(&s->data_fd);
		close_fd(&s->key_fd);
		memset(s, 0, sizeof(*s));
		s->data_fd = s->key_fd = -1;
		return true;
	}
	return false;
}

void exporters_stop(struct exporters *x, int signal)
{
	for (int i = 0; i < EXPORTERS_MAX; i++) {
		if (x->slot[i].pid != 0)
			(void)kill(x->slot[i].pid, signal);
	}
}

unsigned exporters_running(const struct exporters *x)
{
	unsigned n = 0;
	for (int i = 0; i < EXPORTERS_MAX; i++)
		n += x->slot[i].pid != 0 ? 1 : 0;
	return n;
}
