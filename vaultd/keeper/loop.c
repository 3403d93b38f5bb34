/*
 * loop.c - drains every link, runs one batch, sends, keeps time. See loop.h.
 *
 * Descriptors are the inherited links and the key links of running exports,
 * never anything else.
 */
#include "keeper/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "keeper/ingest.h"

#define TICK_MS 1000
#define LINKS_MAX (2u + EXPORTS_MAX)

struct watch {
	struct pollfd fd[LINKS_MAX];
	struct link *link[LINKS_MAX];
	nfds_t n;
};

static void watch_link(struct watch *w, struct link *l)
{
	if (l->fd < 0)
		return;
	w->fd[w->n] = (struct pollfd){ .fd = l->fd, .events = (short)(POLLIN | (link_waiting(l) ? POLLOUT : 0)) };
	w->link[w->n++] = l;
}

/* Takes what the link holds; false when the peer is gone. */
static bool drain(struct keeper *k, struct link *l)
{
	uint8_t *packet = k->room->packet;
	size_t n;
	int fd;

	for (;;) {
		if (k->batch.n == BATCH_MAX)
			return true;             /* the rest comes with the next round */
		bool passes = l->kind == LINK_SUPERVISOR;
		vault_err err = ipc_recv(l->fd, packet, &n, passes ? &fd : NULL);
		if (!passes)
			fd = -1;
		if (err == VAULT_E_AGAIN)
			return true;
		if (err == VAULT_E_PROTO)
			n = 0;                   /* longer than any packet: counted by the dispatch */
		else if (err != VAULT_OK)
			return false;
		uint8_t *copy = malloc(n > 0 ? n : 1);
		if (copy == NULL) {
			log_error("event=packet_dropped");
			if (fd >= 0)
				(void)close(fd);
			continue;
		}
		memcpy(copy, packet, n);
		secret_wipe(packet, n);
		if (batch_add(k, l, copy, n, fd) != VAULT_OK) {
			secret_wipe(copy, n);
			free(copy);
			if (fd >= 0)
				(void)close(fd);
		}
	}
}

/* Only what could be sent or read; a broken link is looked at afterwards. */
static void take_packets(struct keeper *k, struct watch *w)
{
	for (nfds_t i = 0; i < w->n; i++) {
		struct link *l = w->link[i];
		if ((w->fd[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0)
			continue;
		if (!drain(k, l))
			l->broken = true;
	}
}

static void flush_links(struct keeper *k)
{
	link_flush(&k->supervisor);
	link_flush(&k->front);
	for (size_t i = 0; i < EXPORTS_MAX; i++)
		if (k->exports.job[i].link.fd >= 0)
			link_flush(&k->exports.job[i].link);
}

static void check_exports(struct keeper *k)
{
	for (size_t i = 0; i < EXPORTS_MAX; i++) {
		struct export_job *j = &k->exports.job[i];
		if (j->state == EXPORT_RUNNING && j->link.broken)
			export_link_lost(k, j->body.job);
	}
	export_reap(k);
}

static vault_err log_clock(struct keeper *k, void *arg)
{
	const struct audit_event e = { .event = "clock.anomaly", .action = 'E', .refusal = VAULT_REFUSAL_clock_uncertain };

	(void)arg;
	return keeper_log(k, &e);
}

/* Timers. Gives the time until the next thing that cannot wait for a tick. */
static int run_timers(struct keeper *k)
{
	uint64_t mono_ms = clock_mono_ms(), wall_ms = clock_wall_ms();

	(void)clock_guard_check(&k->clock, wall_ms, mono_ms);
	if (k->clock.unlogged) {
		k->clock.unlogged = false;
		log_warn("event=clock_uncertain when=running");
		if (batch_effect(k, log_clock, NULL) != VAULT_OK)
			log_error("event=clock_anomaly_unlogged");
	}
	uint64_t next = k->fatal ? UINT64_MAX : ingest_stop_ended(k, wall_ms);
	if (!k->fatal)
		retention_tick(k, mono_ms);
	export_tick(k, mono_ms);
	if (!k->fatal)
		strangers_tick(k, mono_ms, false);
	if (!k->fatal)
		audit_publish(&k->audit, mono_ms, false);
	return next > wall_ms && next - wall_ms < TICK_MS ? (int)(next - wall_ms) : TICK_MS;
}

bool loop_round(struct keeper *k, int wait_ms)
{
	struct watch w = { .n = 0 };

	watch_link(&w, &k->front);
	watch_link(&w, &k->supervisor);
	for (size_t i = 0; i < EXPORTS_MAX; i++)
		watch_link(&w, &k->exports.job[i].link);
	int ready = poll(w.fd, w.n, wait_ms);
	if (ready < 0 && errno != EINTR) {
		keeper_fail(k, "poll failed.");
		return false;
	}
	if (ready > 0)
		take_packets(k, &w);
	batch_run(k);
	flush_links(k);
	check_exports(k);
	return !k->fatal && !k->front.broken && !k->supervisor.broken;
}

int loop_run(struct keeper *k)
{
	uint64_t finish_at = 0;
	int wait_ms = 0;

	while (loop_round(k, wait_ms)) {
		wait_ms = run_timers(k);
		flush_links(k);
		if (k->fatal)
			break;
		if (k->finishing && finish_at == 0)
			finish_at = clock_mono_ms() + LOOP_FINISH_MS;
		if (finish_at != 0 && clock_mono_ms() >= finish_at)
			break;
	}
	if (k->fatal) {
		log_error("event=stopping reason=fatal");
		return 1;
	}
	log_info("event=stopping reason=%s", k->finishing ? "finish" : "peer_gone");
	return k->finishing ? 0 : 1;
}
