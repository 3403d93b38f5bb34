/*
 * supervise.c - one poll loop over the signals and the keeper's control link.
 */
#include "supervisor/supervise.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/message.h"

#define KEEPER_STOP_MS 10000u
#define TURN_MS 60000                /* a look at the exporters at least this often */

vault_err supervise_signals(int *fd)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return VAULT_E_IO;
	*fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fd < 0 ? VAULT_E_IO : VAULT_OK;
}

vault_err supervise_drop(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return VAULT_E_IO;
	if (geteuid() != 0)
		return VAULT_OK;
	/* What exporters need: another user, a signal across users. */
	const uint32_t keep = (1u << CAP_SETUID) | (1u << CAP_SETGID) | (1u << CAP_KILL);
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (cap < 32 && (keep & (1u << cap)) != 0)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL && errno != EPERM)
			return VAULT_E_IO;
	}
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
	struct __user_cap_data_struct data[2] = {{.effective = keep, .permitted = keep, .inheritable = 0}};
	return syscall(SYS_capset, &header, data) < 0 ? VAULT_E_IO : VAULT_OK;
}

/* Reaps everything that ended. true when keeper or front was among them. */
static bool reap(struct vault_parts *v, pid_t helper)
{
	bool lost = false;
	int status = 0;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == v->keeper || pid == v->front) {
			bool keeper = pid == v->keeper;
			log_info("event=part_ended part=%s code=%d signal=%d", keeper ? "keeper" : "front",
			    WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
			*(keeper ? &v->keeper : &v->front) = 0;
			lost = true;
		} else if (pid == helper) {
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				log_warn("event=setup_failed status=%d", status);
		} else {
			(void)exporters_reaped(&v->exporters, pid, status, v->keeper_fd);
		}
	}
	return lost;
}

static vault_err serve_keeper(struct vault_parts *v, uint8_t *packet)
{
	size_t n = 0;
	struct ipc_packet p;
	uint64_t job = 0;
	vault_err err = ipc_recv(v->keeper_fd, packet, &n, NULL);
	if (err != VAULT_OK)
		return err;
	err = ipc_parse(&p, packet, n, LINK_SUPERVISOR, FROM_KEEPER);
	if (err == VAULT_OK && p.type == IPC_SPAWN)
		err = ipc_spawn_decode(&p, &job);
	if (err != VAULT_OK || p.type != IPC_SPAWN) {
		log_error("event=bad_packet from=keeper");
		return VAULT_OK;
	}
	return exporters_spawn(&v->exporters, job, v->keeper_fd, v->front_fd);
}

/* 0, or the signal that asks to stop. */
static int read_signal(int signal_fd)
{
	struct signalfd_siginfo info;
	int stop = 0;
	while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			stop = (int)info.ssi_signo;
	}
	return stop;
}

/* Waits until *pid was reaped, at most ms. */
static void await_end(struct vault_parts *v, int signal_fd, const pid_t *pid, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms;
	(void)reap(v, 0);
	while (*pid != 0 && clock_mono_ms() < end) {
		struct pollfd p = {.fd = signal_fd, .events = POLLIN};
		(void)poll(&p, 1, (int)(end - clock_mono_ms() + 1));
		(void)read_signal(signal_fd);
		(void)reap(v, 0);
	}
}

static void stop_part(struct vault_parts *v, int signal_fd, const pid_t *pid, uint64_t ms)
{
	await_end(v, signal_fd, pid, ms);
	if (*pid == 0)
		return;
	log_warn("event=part_killed");
	(void)kill(*pid, SIGKILL);
	await_end(v, signal_fd, pid, 5000);
}

void supervise_stop(struct vault_parts *v, int signal_fd, uint32_t grace_ms)
{
	uint8_t packet[IPC_HEADER];
	/* The keeper is told first: it ends with the front's link, and knows then that this end is an orderly one. */
	if (v->keeper > 0 && ipc_send(v->keeper_fd, packet, ipc_seal(packet, IPC_FINISH, 0, 0), NULL) != VAULT_OK)
		log_info("event=finish_unsent part=keeper");
	if (v->front > 0) {
		(void)kill(v->front, SIGTERM);
		stop_part(v, signal_fd, &v->front, (uint64_t)grace_ms + 5000);
	}
	exporters_stop(&v->exporters, SIGKILL);
	/* Where no front was started its end of the link is still here. */
	if (v->keeper_front[1] >= 0)
		(void)close(v->keeper_front[1]);
	v->keeper_front[1] = -1;
	if (v->keeper > 0)
		stop_part(v, signal_fd, &v->keeper, KEEPER_STOP_MS);
}

vault_err supervise_run(struct vault_parts *v, int signal_fd, uint32_t grace_ms, pid_t helper)
{
	uint8_t *packet = malloc(IPC_MAX);
	vault_err err = packet == NULL ? VAULT_E_NOMEM : VAULT_OK;
	while (err == VAULT_OK) {
		struct pollfd p[2] = {{.fd = signal_fd, .events = POLLIN}, {.fd = v->keeper_fd, .events = POLLIN}};
		if (poll(p, 2, TURN_MS) < 0 && errno != EINTR) {
			err = VAULT_E_IO;
			break;
		}
		int asked = (p[0].revents & POLLIN) != 0 ? read_signal(signal_fd) : 0;
		if (reap(v, helper))
			err = VAULT_E_STATE;
		else if (asked != 0)
			break;
		else if ((p[1].revents & (POLLIN | POLLHUP)) != 0)
			err = serve_keeper(v, packet);
		exporters_expire(&v->exporters, clock_mono_ms());
		/* Recording does not end because a retrieval would have to wait. */
		if (err == VAULT_OK && exporters_refill(&v->exporters) != VAULT_OK)
			log_warn("event=no_spare_exporter");
		if (err == VAULT_E_EOF)
			err = VAULT_E_STATE;
	}
	free(packet);
	log_info("event=stopping orderly=%d", err == VAULT_OK ? 1 : 0);
	supervise_stop(v, signal_fd, grace_ms);
	log_info("event=stopped");
	return err;
}
