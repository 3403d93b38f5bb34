/*
 * lane.c - builds the lane, runs it, takes it down in the reverse order. The
 * only place that knows every module of the front.
 */
#include "front/lane.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "front/adapter/front.h"
#include "front/http/http1.h"
#include "front/net/conn.h"
#include "front/router.h"
#include "front/serve/gone.h"
#include "front/serve/spawn_link.h"
#include "front/store/volume_set.h"

#define LANE_NUMBER 0u
#define SECOND_MS 1000u
#define IDLE_MS 75000u
#define EXPORT_WAIT_MS 10000u
#define SPARE_FDS 128u
#define STOP_WAIT_MS 3000u               /* for answers on their way, behind the grace of the streams */

struct lane {
	const struct front_options *o;
	struct lane_fds fds;
	uv_loop_t loop;
	uv_timer_t second, stop_timer;
	uv_signal_t term, interrupt;
	struct tls_context *tls;
	struct volume_set *volumes;
	struct index *index;
	struct store_lane *store;
	struct keeper_link *keeper;
	struct ingest *ingest;
	struct serve *serve;
	struct export_hub *exports;
	struct gone *gone;
	struct spawn_link *spawn;
	struct net *net;
	struct http_app app;
	struct front front;
	uint64_t next_volume;
	uint64_t started_ms;
	uint32_t protections;
	int status;
	bool handles;                /* timers and signals are open */
	bool stopping, ingest_done, net_done;
};

static const char *const alpn[] = { "http/1.1", NULL };
static const struct conn_protocol *const protocols[] = { &http1_protocol, NULL };

/* ---- numbers ---- */

static void numbers(void *arg, struct status_numbers *n)
{
	struct lane *l = arg;
	struct ingest_counts c;

	memset(n, 0, sizeof(*n));
	ingest_count(l->ingest, &c);
	n->protections = l->protections;
	n->uptime_ms = clock_mono_ms() - l->started_ms;
	n->streams = ingest_streams(l->ingest);
	n->connections = net_conns(l->net);
	n->exports = export_running(l->exports);
	n->queued = store_queued(l->store);
	n->full = store_full(l->store);
	n->ready = l->front.ready;
	if (index_count(l->index, &n->recordings) != VAULT_OK)
		n->recordings = 0;
	n->damaged = volume_set_damaged(l->volumes);
	n->dropped = gone_dropped(l->gone);
	n->freed_bytes = gone_freed_bytes(l->gone);
	n->bytes_in = c.bytes;
	n->opened = c.opened;
	n->ended = c.ended;
	n->refused = c.refused + l->front.refused;
	n->truncated = c.truncated;
}

/* ---- stopping ---- */

static void stop_loop(struct lane *l, int status)
{
	if (status != 0)
		l->status = status;
	uv_stop(&l->loop);
}

static void maybe_stopped(struct lane *l)
{
	if (l->ingest_done && l->net_done)
		stop_loop(l, 0);
}

static void on_ingest_drained(void *arg)
{
	struct lane *l = arg;

	l->ingest_done = true;
	maybe_stopped(l);
}

static void on_net_drained(void *arg)
{
	struct lane *l = arg;

	l->net_done = true;
	maybe_stopped(l);
}

static void on_stop_timer(uv_timer_t *timer)
{
	log_warn("event=connections_cut");
	stop_loop(timer->data, 0);
}

static void drain(struct lane *l)
{
	if (l->stopping)
		return;
	l->stopping = true;
	l->front.ready = false;
	log_info("event=draining streams=%zu connections=%zu", ingest_streams(l->ingest), net_conns(l->net));
	(void)uv_timer_start(&l->stop_timer, on_stop_timer, (uint64_t)l->o->grace_ms + STOP_WAIT_MS, 0);
	net_drain(l->net, on_net_drained, l);
	ingest_drain(l->ingest, l->o->grace_ms, on_ingest_drained, l);
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	drain(handle->data);
}

/* ---- the links ---- */

static void on_push(void *arg, const struct ipc_packet *p)
{
	struct lane *l = arg;
	struct ipc_stop stop;
	struct ipc_job_done done;

	if (p == NULL) {
		log_error("event=keeper_gone");
		stop_loop(l, 1);
		return;
	}
	switch (p->type) {
	case IPC_STOP:
		if (ipc_stop_decode(&stop, p) == VAULT_OK)
			ingest_stop(l->ingest, &stop);
		break;
	case IPC_SHREDDED:
		gone_shredded(l->gone, p);
		break;
	case IPC_ROW_CHANGED:
		gone_row_changed(l->gone, p);
		break;
	case IPC_JOB_DONE:
		if (ipc_job_done_decode(&done, p) == VAULT_OK)
			export_done(l->exports, &done);
		break;
	default:
		log_warn("event=push_unknown type=%u", p->type);
		break;
	}
}

static void on_spawned(void *arg, uint64_t job, int fd)
{
	struct lane *l = arg;

	export_socket(l->exports, job, fd);
}

static void on_supervisor_gone(void *arg)
{
	log_error("event=supervisor_gone");
	stop_loop(arg, 1);
}

static void on_second(uv_timer_t *timer)
{
	struct lane *l = timer->data;

	notes_flush(&l->front);
}

static void on_request(void *arg, struct exchange *x)
{
	struct lane *l = arg;

	router_serve(front_routes, &l->front, x);
}

static void on_refused(void *arg, unsigned refusal)
{
	struct lane *l = arg;

	note_refusal(&l->front, refusal, "");
}

/* ---- opening: before the sandbox ---- */

static vault_err open_tls(struct lane *l, const char **why)
{
	const struct front_options *o = l->o;
	bool wanted = false;

	for (size_t i = 0; i < o->n_listeners; i++)
		wanted = wanted || o->listener[i].kind == LISTENER_HTTPS;
	if (!wanted)
		return VAULT_OK;
	*why = "the TLS certificate or key cannot be used; check [tls] certificate, key and client_ca "
	       "(PEM, key without passphrase)";
	return tls_context_new(&l->tls, o->chain, o->chain_len, o->key, o->key_len, o->client_ca, o->client_ca_len, alpn);
}

static vault_err open_storage(struct lane *l, const char **why)
{
	uint64_t low_volume = 0, low_offset = 0;
	vault_err err;

	*why = "the media directory cannot be read; check its owner and mode";
	err = volume_set_open(&l->volumes, l->fds.media, &l->o->vault);
	if (err != VAULT_OK)
		return err;
	err = index_open(&l->index, l->fds.index, &l->o->vault);
	if (err != VAULT_OK) {
		*why = err == VAULT_E_BUSY ? "another vault-front uses this index"
		     : err == VAULT_E_CORRUPT
		         ? "the index is damaged; nothing is lost: stop the vault and run: vaultctl index rebuild"
		         : "the index cannot be opened; check the directory's owner, mode and free space";
		return err;
	}
	*why = "the volumes cannot be recovered; check the disk, then run: vaultctl index rebuild";
	err = index_recover(l->index, l->volumes, NULL, NULL);
	if (err == VAULT_OK)
		err = index_low_water(l->index, LANE_NUMBER, &low_volume, &low_offset);
	if (err == VAULT_OK)
		err = volume_set_next(l->volumes, LANE_NUMBER, low_volume, &l->next_volume);
	return err;
}

vault_err lane_open(struct lane **out, const struct front_options *o, const struct lane_fds *fds, const char **why)
{
	struct lane *l = calloc(1, sizeof(*l));
	vault_err err = VAULT_E_NOMEM;

	*out = NULL;
	*why = "out of memory";
	if (l == NULL)
		return VAULT_E_NOMEM;
	l->o = o;
	l->fds = *fds;
	if (uv_loop_init(&l->loop) != 0) {
		free(l);
		return VAULT_E_NOMEM;
	}
	*out = l;                          /* lane_free takes care of all that follows */
	err = open_tls(l, why);
	if (err == VAULT_OK)
		err = open_storage(l, why);
	return err;
}

/* ---- starting: behind the sandbox ---- */

static vault_err start_handles(struct lane *l)
{
	(void)uv_timer_init(&l->loop, &l->second);          /* these cannot fail */
	(void)uv_timer_init(&l->loop, &l->stop_timer);
	if (uv_signal_init(&l->loop, &l->term) != 0)
		return VAULT_E_NOMEM;
	if (uv_signal_init(&l->loop, &l->interrupt) != 0) {
		uv_close((uv_handle_t *)&l->term, NULL);
		return VAULT_E_NOMEM;
	}
	l->handles = true;
	l->second.data = l->stop_timer.data = l->term.data = l->interrupt.data = l;
	if (uv_signal_start(&l->term, on_signal, SIGTERM) != 0 || uv_signal_start(&l->interrupt, on_signal, SIGINT) != 0 ||
	    uv_timer_start(&l->second, on_second, SECOND_MS, SECOND_MS) != 0)
		return VAULT_E_IO;
	return VAULT_OK;
}

static vault_err start_store(struct lane *l)
{
	const struct store_options o = { .media_fd = l->fds.media, .lane = LANE_NUMBER, .vault = l->o->vault,
		.volume_size = l->o->volume_size, .commit_ms = l->o->commit_ms, .commit_bytes = 4u * 1024 * 1024 };

	return store_lane_new(&l->store, &l->loop, &o, l->next_volume);
}

static vault_err start_ingest(struct lane *l)
{
	const struct ingest_options o = { .loop = &l->loop, .keeper = l->keeper, .store = l->store, .index = l->index,
		.lane = LANE_NUMBER, .chunk_voice = 16u * 1024, .chunk_bulk = 256u * 1024, .chunk_age_ms = 1000,
		.segment_bytes = 16u * 1024 * 1024, .segment_us = 300ull * 1000000, .stream_window = 16u * 1024 * 1024,
		.lane_window = 64u * 1024 * 1024, .max_streams = l->o->max_streams };
	vault_err err = keeper_link_new(&l->keeper, &l->loop, l->fds.keeper, on_push, l);

	if (err != VAULT_OK)
		return err;
	struct ingest_options with_link = o;
	with_link.keeper = l->keeper;
	return ingest_new(&l->ingest, &with_link);
}

static vault_err start_way_out(struct lane *l)
{
	const struct rows rows = { .index = l->index, .ingest = l->ingest };
	const struct serve_options serve = { .loop = &l->loop, .rows = rows, .volumes = l->volumes, .numbers = numbers,
		.arg = l };
	const struct export_options export = { .loop = &l->loop, .keeper = l->keeper, .rows = rows,
		.volumes = l->volumes, .wait_ms = EXPORT_WAIT_MS };
	const struct gone_options gone = { .loop = &l->loop, .keeper = l->keeper, .index = l->index, .ingest = l->ingest,
		.volumes = l->volumes };
	vault_err err = serve_new(&l->serve, &serve);

	if (err == VAULT_OK)
		err = export_hub_new(&l->exports, &export);
	if (err == VAULT_OK)
		err = gone_new(&l->gone, &gone);
	if (err == VAULT_OK)
		err = gone_reconcile(l->gone);
	return err;
}

static void fill_front(struct lane *l)
{
	struct front *f = &l->front;

	f->vault = l->o->vault;
	memcpy(f->origin, l->o->origin, sizeof(f->origin));
	memcpy(f->audit_pub, l->o->audit_pub, sizeof(f->audit_pub));
	f->audit_fd = l->fds.audit;
	f->keeper = l->keeper;
	f->ingest = l->ingest;
	f->rows = (struct rows){ .index = l->index, .ingest = l->ingest };
	f->serve = l->serve;
	f->exports = l->exports;
	f->numbers = numbers;
	f->numbers_arg = l;
}

static size_t most_connections(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur == RLIM_INFINITY)
		return 65536;
	return r.rlim_cur > 2 * SPARE_FDS ? (size_t)r.rlim_cur - SPARE_FDS : SPARE_FDS;
}

static vault_err start_net(struct lane *l)
{
	vault_err err;

	l->app = (struct http_app){ .header_ms = l->o->header_timeout_s * 1000, .body_ms = l->o->body_timeout_s * 1000,
		.idle_ms = IDLE_MS, .on_request = on_request, .on_refused = on_refused, .arg = l };
	const struct net_options n = { .loop = &l->loop, .protocols = protocols, .app = &l->app,
		.handshake_ms = l->o->header_timeout_s * 1000, .max_conns = most_connections() };
	err = net_new(&l->net, &n);
	for (size_t i = 0; i < l->o->n_listeners && err == VAULT_OK; i++) {
		const struct option_listener *from = &l->o->listener[i];

		err = net_listen(l->net, from->fd, from->kind == LISTENER_HTTPS ? l->tls : NULL, (int)from->kind);
	}
	return err;
}

vault_err lane_start(struct lane *l, uint32_t protections, const char **why)
{
	vault_err err = start_handles(l);

	l->protections = protections;
	l->started_ms = clock_mono_ms();
	*why = "the front cannot start its threads or reach its parts; its last log line says more";
	if (err == VAULT_OK)
		err = start_store(l);
	if (err == VAULT_OK)
		err = start_ingest(l);
	if (err == VAULT_OK)
		err = start_way_out(l);
	if (err == VAULT_OK)
		err = spawn_link_new(&l->spawn, &l->loop, l->fds.supervisor, on_spawned, on_supervisor_gone, l);
	if (err != VAULT_OK)
		return err;
	fill_front(l);
	*why = "the front cannot take its listening sockets";
	err = start_net(l);
	l->front.ready = err == VAULT_OK;
	return err;
}

int lane_run(struct lane *l)
{
	(void)uv_run(&l->loop, UV_RUN_DEFAULT);
	return l->status;
}

static void close_handles(struct lane *l)
{
	if (!l->handles)
		return;
	uv_close((uv_handle_t *)&l->second, NULL);
	uv_close((uv_handle_t *)&l->stop_timer, NULL);
	uv_close((uv_handle_t *)&l->term, NULL);
	uv_close((uv_handle_t *)&l->interrupt, NULL);
}

void lane_free(struct lane *l)
{
	if (l == NULL)
		return;
	l->front.ready = false;
	/* Connections first: their adapters let go of what stands below. */
	net_close(l->net);
	(void)uv_run(&l->loop, UV_RUN_NOWAIT);
	if (l->keeper != NULL)
		notes_flush(&l->front);
	if (l->spawn != NULL)
		spawn_link_close(l->spawn);
	if (l->exports != NULL)
		export_hub_close(l->exports);
	if (l->serve != NULL)
		serve_close(l->serve);
	if (l->gone != NULL)
		gone_close(l->gone);
	if (l->ingest != NULL)
		ingest_free(l->ingest);
	if (l->store != NULL)
		store_lane_close(l->store);
	if (l->keeper != NULL)
		keeper_link_close(l->keeper);
	close_handles(l);
	(void)uv_run(&l->loop, UV_RUN_DEFAULT);    /* every handle closes; workers come back */
	if (l->index != NULL)
		index_close(l->index);
	if (l->volumes != NULL)
		volume_set_close(l->volumes);
	tls_context_free(l->tls);
	if (uv_loop_close(&l->loop) != 0)
		log_warn("event=loop_not_empty");
	free(l);
}
