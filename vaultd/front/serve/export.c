/*
 * export.c - see export.h. One job: a pipe to the exporter, a feed into it, age
 * bytes out of it. An export's memory goes when its handle is closed and no
 * worker holds it.
 */
#include "front/serve/export.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "front/serve/feed.h"

#define JSON_MAX 65536u
#define TICK_MS 500u
#define ORPHANS_MAX 32u
#define READ_BLOCK 65536u

struct orphan {                      /* a socket whose job is not known yet */
	uint64_t job;
	int fd;
	uint64_t since_ms;
	bool failed;                     /* no exporter could be started */
};

struct export_hub {
	struct export_options o;
	uv_timer_t timer;
	struct export *first;
	struct orphan orphan[ORPHANS_MAX];
	size_t n_orphans;
	size_t running;
	bool closing, timer_closed;
	uint8_t block[READ_BLOCK];       /* reads are handed on before the next one */
};

struct export {
	struct export_hub *hub;
	struct export *next, **link;
	uint64_t job;
	struct export_consumer consumer;
	void *arg;
	struct feed *feed;
	uv_pipe_t pipe;
	uv_write_t write;
	uv_shutdown_t shutdown;
	uv_work_t work;
	uv_timer_t defer;                /* callbacks never run inside export_start */
	vault_err read_err;              /* of the worker */
	uint64_t since_ms;               /* waiting for socket or outcome since then */
	bool piped, closed;              /* the handle was made; it is closed */
	bool working;                    /* a worker holds the feed */
	bool deferring;                  /* the deferring timer's handle is not closed yet */
	bool dead;                       /* the consumer was told, or has gone */
	bool any_data, eof, done, held;
	unsigned refusal;                /* of JOB_DONE */
};

static void step(struct export *e);

static void maybe_free(struct export *e)
{
	if (!e->dead || e->working || e->deferring || (e->piped && !e->closed))
		return;
	struct export_hub *h = e->hub;
	*e->link = e->next;
	if (e->next != NULL)
		e->next->link = e->link;
	feed_free(e->feed);
	free(e);
	h->running--;
	if (h->closing && h->timer_closed && h->first == NULL)
		free(h);
}

static void on_pipe_closed(uv_handle_t *handle)
{
	struct export *e = handle->data;
	e->closed = true;
	maybe_free(e);
}

/* The consumer is told (or gone): let go of everything. */
static void finish(struct export *e)
{
	e->dead = true;
	if (e->piped && !uv_is_closing((uv_handle_t *)&e->pipe))
		uv_close((uv_handle_t *)&e->pipe, on_pipe_closed);
	else
		maybe_free(e);
}

static void refuse(struct export *e, unsigned refusal)
{
	if (e->dead)
		return;
	e->dead = true;
	if (e->any_data)
		e->consumer.on_end(e->arg, false);
	else
		e->consumer.on_refused(e->arg, refusal);
	finish(e);
}

/* Both must have come: the end of the bytes and the keeper's word. */
static void settle(struct export *e)
{
	if (e->dead || !e->done)
		return;
	if (e->refusal != VAULT_REFUSAL_none) {
		refuse(e, e->refusal);
		return;
	}
	if (!e->eof)
		return;
	e->dead = true;
	e->consumer.on_end(e->arg, e->any_data);
	finish(e);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct export *e = handle->data;
	(void)suggested;
	*buf = uv_buf_init((char *)e->hub->block, sizeof(e->hub->block));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct export *e = stream->data;
	if (e->dead || n == 0)
		return;
	if (n < 0) {
		(void)uv_read_stop(stream);
		e->eof = true;
		e->since_ms = clock_mono_ms();
		settle(e);
		return;
	}
	e->any_data = true;
	e->consumer.on_data(e->arg, (const uint8_t *)buf->base, (size_t)n);
}

static void on_written(uv_write_t *req, int status)
{
	struct export *e = req->data;
	/* A failed write: the exporter ended. What it said to the keeper decides. */
	if (e->dead || status < 0)
		return;
	step(e);
}

static void do_read(uv_work_t *work)
{
	struct export *e = work->data;
	e->read_err = feed_read(e->feed);
}

static void after_read(uv_work_t *work, int status)
{
	struct export *e = work->data;
	size_t n = 0;
	e->working = false;
	if (e->dead) {
		maybe_free(e);
		return;
	}
	if (status < 0 || e->read_err != VAULT_OK) {
		refuse(e, VAULT_REFUSAL_internal);
		return;
	}
	const uint8_t *block = feed_block(e->feed, &n);
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)block, (unsigned)n);
	e->write.data = e;
	if (uv_write(&e->write, (uv_stream_t *)&e->pipe, &buf, 1, on_written) < 0)
		e->since_ms = clock_mono_ms();
}

/* Plans the next block and has it read, or ends the feeding. */
static void step(struct export *e)
{
	vault_err err = feed_plan(e->feed);
	if (err == VAULT_E_EOF) {
		/* The exporter sees the end of its input; its output goes on. */
		(void)uv_shutdown(&e->shutdown, (uv_stream_t *)&e->pipe, NULL);
		return;
	}
	e->work.data = e;
	if (err != VAULT_OK || uv_queue_work(e->hub->o.loop, &e->work, do_read, after_read) < 0) {
		refuse(e, err == VAULT_E_NOTFOUND ? VAULT_REFUSAL_not_found : VAULT_REFUSAL_internal);
		return;
	}
	e->working = true;
}

static void attach(struct export *e, int fd)
{
	if (e->piped || e->dead) {
		(void)close(fd);
		return;
	}
	if (uv_pipe_init(e->hub->o.loop, &e->pipe, 0) < 0) {
		(void)close(fd);
		refuse(e, VAULT_REFUSAL_internal);
		return;
	}
	e->piped = true;
	e->pipe.data = e;
	if (uv_pipe_open(&e->pipe, fd) < 0) {
		(void)close(fd);
		refuse(e, VAULT_REFUSAL_internal);
		return;
	}
	if (!e->held && uv_read_start((uv_stream_t *)&e->pipe, on_alloc, on_read) < 0) {
		refuse(e, VAULT_REFUSAL_internal);
		return;
	}
	step(e);
}

static struct export *find(struct export_hub *h, uint64_t job)
{
	for (struct export *e = h->first; e != NULL; e = e->next) {
		if (e->job == job && !e->dead)
			return e;
	}
	return NULL;
}

static void drop_orphan(struct export_hub *h, size_t i)
{
	if (h->orphan[i].fd >= 0)
		(void)close(h->orphan[i].fd);
	h->orphan[i] = h->orphan[--h->n_orphans];
}

static void tell_failed(struct export_hub *h, uint64_t job, unsigned refusal)
{
	uint8_t packet[64];
	const struct ipc_job_done m = {.job = job, .refusal = refusal};
	size_t n = ipc_job_failed_encode(packet, 0, &m);
	if (n == 0 || keeper_link_ask(h->o.keeper, packet, n, NULL, NULL, NULL) != VAULT_OK)
		log_error("event=keeper_not_told what=job_failed");
}

/* Sockets and failures that came before their job was known, and what waits for too long. */
static void on_tick(uv_timer_t *timer)
{
	struct export_hub *h = timer->data;
	uint64_t now = clock_mono_ms();
	for (size_t i = h->n_orphans; i-- > 0;) {
		if (now - h->orphan[i].since_ms > h->o.wait_ms)
			drop_orphan(h, i);
	}
	for (struct export *e = h->first, *next; e != NULL; e = next) {
		next = e->next;
		bool waits = !e->dead && (!e->piped || e->eof);
		if (waits && now - e->since_ms > h->o.wait_ms) {
			log_error("event=export_timeout eof=%d", e->eof ? 1 : 0);
			if (!e->done)
				tell_failed(h, e->job, VAULT_REFUSAL_unavailable);
			refuse(e, VAULT_REFUSAL_unavailable);
		}
	}
	if (h->first == NULL && h->n_orphans == 0)
		(void)uv_timer_stop(timer);
}

static void watch(struct export_hub *h)
{
	if (!uv_is_active((uv_handle_t *)&h->timer))
		(void)uv_timer_start(&h->timer, on_tick, TICK_MS, TICK_MS);
}

vault_err export_hub_new(struct export_hub **out, const struct export_options *o)
{
	struct export_hub *h = calloc(1, sizeof(*h));
	if (h == NULL)
		return VAULT_E_NOMEM;
	h->o = *o;
	if (uv_timer_init(o->loop, &h->timer) < 0) {
		free(h);
		return VAULT_E_NOMEM;
	}
	h->timer.data = h;
	*out = h;
	return VAULT_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct export_hub *h = handle->data;
	h->timer_closed = true;
	if (h->first == NULL)
		free(h);
}

void export_hub_close(struct export_hub *h)
{
	if (h == NULL || h->closing)
		return;
	h->closing = true;
	while (h->n_orphans > 0)
		drop_orphan(h, 0);
	for (struct export *e = h->first, *next; e != NULL; e = next) {
		next = e->next;
		if (!e->dead)
			finish(e);
	}
	uv_close((uv_handle_t *)&h->timer, on_timer_closed);
}

size_t export_running(const struct export_hub *h)
{
	return h->running;
}

static void keep_orphan(struct export_hub *h, uint64_t job, int fd, bool failed)
{
	if (h->n_orphans == ORPHANS_MAX)
		drop_orphan(h, 0);
	h->orphan[h->n_orphans++] = (struct orphan){.job = job, .fd = fd, .since_ms = clock_mono_ms(), .failed = failed};
	watch(h);
}

void export_socket(struct export_hub *h, uint64_t job, int fd)
{
	struct export *e = find(h, job);
	if (e == NULL)
		keep_orphan(h, job, fd, fd < 0);
	else if (fd < 0)
		refuse(e, VAULT_REFUSAL_unavailable);
	else
		attach(e, fd);
}

void export_done(struct export_hub *h, const struct ipc_job_done *done)
{
	struct export *e = find(h, done->job);
	if (e == NULL) {
		if (done->refusal != VAULT_REFUSAL_none)
			keep_orphan(h, done->job, -1, true);
		return;
	}
	e->done = true;
	e->refusal = done->refusal;
	e->since_ms = clock_mono_ms();
	settle(e);
}

static vault_err read_job(const json_t *request, uint64_t *job)
{
	const char *text = json_str(request, "job", NULL);
	char *end = NULL;
	if (text == NULL || text[0] < '0' || text[0] > '9')
		return VAULT_E_INVAL;
	*job = strtoull(text, &end, 10);
	return *end == '\0' ? VAULT_OK : VAULT_E_INVAL;
}

/* What came before its job was known is taken up in the loop's next turn. */
static void on_deferred(uv_timer_t *timer)
{
	struct export *e = timer->data;
	struct export_hub *h = e->hub;
	for (size_t i = 0; i < h->n_orphans; i++) {
		if (h->orphan[i].job != e->job)
			continue;
		struct orphan o = h->orphan[i];
		h->orphan[i] = h->orphan[--h->n_orphans];
		if (o.failed)
			refuse(e, VAULT_REFUSAL_unavailable);
		else
			attach(e, o.fd);
		return;
	}
}

static void on_defer_closed(uv_handle_t *handle)
{
	struct export *e = handle->data;
	e->deferring = false;
	maybe_free(e);
}

static void on_defer(uv_timer_t *timer)
{
	struct export *e = timer->data;
	if (!e->dead)
		on_deferred(timer);
	uv_close((uv_handle_t *)timer, on_defer_closed);
}

vault_err export_start(struct export_hub *h, const char *json, size_t len, const struct export_consumer *consumer,
    void *arg, struct export **out)
{
	json_t *request = NULL;
	struct export *e = NULL;
	uint64_t job = 0;
	vault_err err = json_read(json, len, JSON_MAX, &request);
	if (err == VAULT_OK)
		err = read_job(request, &job);
	if (err == VAULT_OK) {
		e = calloc(1, sizeof(*e));
		err = e == NULL ? VAULT_E_NOMEM : feed_new(&e->feed, request, &h->o.rows, h->o.volumes);
	}
	json_decref(request);
	if (err == VAULT_OK && uv_timer_init(h->o.loop, &e->defer) < 0) {
		feed_free(e->feed);
		err = VAULT_E_NOMEM;
	}
	if (err != VAULT_OK) {
		free(e);
		if (job != 0)
			tell_failed(h, job, err == VAULT_E_NOTFOUND ? VAULT_REFUSAL_not_found : VAULT_REFUSAL_internal);
		return err;
	}
	e->hub = h;
	e->job = job;
	e->consumer = *consumer;
	e->arg = arg;
	e->since_ms = clock_mono_ms();
	e->next = h->first;
	e->link = &h->first;
	if (h->first != NULL)
		h->first->link = &e->next;
	h->first = e;
	h->running++;
	e->defer.data = e;
	e->deferring = true;
	(void)uv_timer_start(&e->defer, on_defer, 0, 0);
	watch(h);
	*out = e;
	return VAULT_OK;
}

void export_hold(struct export *e, bool hold)
{
	if (e->dead || e->held == hold)
		return;
	e->held = hold;
	if (!e->piped || e->eof)
		return;
	if (hold)
		(void)uv_read_stop((uv_stream_t *)&e->pipe);
	else if (uv_read_start((uv_stream_t *)&e->pipe, on_alloc, on_read) < 0)
		refuse(e, VAULT_REFUSAL_internal);
}

void export_cancel(struct export *e)
{
	if (!e->dead)
		finish(e);
}
