/*
 * keeper_link.c - see keeper_link.h. Loop thread only.
 *
 * A packet that the socket does not take at once waits in a queue. Never blocks.
 */
#include "front/keeper_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"
#include "base/wire.h"

#define BUCKETS 1024u                /* of requests by tag; tags count up, so they spread */
#define READS_AT_ONCE 64
#define BUSY_BYTES (8u * 1024 * 1024)

struct request {
	struct request *next;
	uint64_t tag;
	keeper_answer_fn fn;         /* NULL: forgotten */
	void *arg;
};

struct parcel {                      /* a packet that waits for room */
	struct parcel *next;
	size_t n;
	uint8_t packet[];
};

struct keeper_link {
	uv_poll_t poll;
	int fd;
	keeper_push_fn push;
	void *arg;
	uint64_t next_tag;
	struct request *bucket[BUCKETS];
	struct parcel *first, *last;
	size_t waiting;              /* bytes of them */
	bool broken, closed;
	uint8_t in[IPC_MAX];
};

static void link_poll(struct keeper_link *k);

static struct request *request_take(struct keeper_link *k, uint64_t tag)
{
	struct request **p = &k->bucket[tag % BUCKETS];

	while (*p != NULL && (*p)->tag != tag)
		p = &(*p)->next;
	struct request *r = *p;
	if (r != NULL)
		*p = r->next;
	return r;
}

static void drop_parcels(struct keeper_link *k)
{
	while (k->first != NULL) {
		struct parcel *p = k->first;
		k->first = p->next;
		secret_wipe(p->packet, p->n);
		free(p);
	}
	k->last = NULL;
	k->waiting = 0;
}

/* Tells everybody once. */
static void link_break(struct keeper_link *k)
{
	if (k->broken || k->closed)
		return;
	k->broken = true;
	(void)uv_poll_stop(&k->poll);
	drop_parcels(k);
	for (size_t i = 0; i < BUCKETS; i++) {
		while (k->bucket[i] != NULL) {
			struct request *r = k->bucket[i];
			k->bucket[i] = r->next;
			if (r->fn != NULL && !k->closed)
				r->fn(r->arg, NULL);
			free(r);
		}
	}
	if (!k->closed)
		k->push(k->arg, NULL);
}

static bool is_push(uint16_t type)
{
	return type == IPC_STOP || type == IPC_SHREDDED || type == IPC_JOB_DONE || type == IPC_ROW_CHANGED;
}

static void deliver(struct keeper_link *k, const struct ipc_packet *p)
{
	if (is_push(p->type)) {
		k->push(k->arg, p);
		return;
	}
	struct request *r = request_take(k, p->tag);
	if (r == NULL) {
		log_debug("event=unasked_answer type=%u", (unsigned)p->type);   /* of a question that was sent without a callback */
		return;
	}
	if (r->fn != NULL)
		r->fn(r->arg, p);
	free(r);
}

static void link_read(struct keeper_link *k)
{
	for (int i = 0; i < READS_AT_ONCE && !k->broken && !k->closed; i++) {
		struct ipc_packet p;
		size_t n;
		vault_err err = ipc_recv(k->fd, k->in, &n, NULL);
		if (err == VAULT_E_AGAIN)
			return;
		if (err == VAULT_OK)
			err = ipc_parse(&p, k->in, n, LINK_FRONT, FROM_KEEPER);
		if (err != VAULT_OK) {
			log_error("event=keeper_link_broken error=%d", (int)err);
			link_break(k);
			return;
		}
		deliver(k, &p);
		secret_wipe(k->in, n);
	}
}

static void link_write(struct keeper_link *k)
{
	while (k->first != NULL && !k->broken) {
		struct parcel *p = k->first;
		vault_err err = ipc_send(k->fd, p->packet, p->n, NULL);
		if (err == VAULT_E_AGAIN)
			return;
		if (err != VAULT_OK) {
			link_break(k);
			return;
		}
		k->first = p->next;
		if (k->first == NULL)
			k->last = NULL;
		k->waiting -= p->n;
		secret_wipe(p->packet, p->n);
		free(p);
	}
}

static void link_free(struct keeper_link *k)
{
	drop_parcels(k);
	for (size_t i = 0; i < BUCKETS; i++) {
		while (k->bucket[i] != NULL) {
			struct request *r = k->bucket[i];
			k->bucket[i] = r->next;
			free(r);
		}
	}
	secret_wipe(k->in, sizeof k->in);
	free(k);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct keeper_link *k = poll->data;

	if (status < 0) {
		link_break(k);
		return;
	}
	if ((events & UV_WRITABLE) != 0)
		link_write(k);
	if ((events & UV_READABLE) != 0)
		link_read(k);
	if (!k->broken && !k->closed)
		link_poll(k);
}

static void link_poll(struct keeper_link *k)
{
	int events = UV_READABLE | (k->first != NULL ? UV_WRITABLE : 0);

	if (uv_poll_start(&k->poll, events, on_poll) != 0)
		link_break(k);
}

vault_err keeper_link_new(struct keeper_link **out, uv_loop_t *loop, int fd, keeper_push_fn push, void *arg)
{
	*out = NULL;
	struct keeper_link *k = calloc(1, sizeof *k);
	if (k == NULL)
		return VAULT_E_NOMEM;
	k->fd = fd;
	k->push = push;
	k->arg = arg;
	k->next_tag = 1;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || uv_poll_init(loop, &k->poll, fd) != 0) {
		free(k);
		return VAULT_E_IO;
	}
	k->poll.data = k;
	link_poll(k);
	*out = k;
	return VAULT_OK;
}

static void on_closed(uv_handle_t *handle)
{
	link_free(handle->data);
}

void keeper_link_close(struct keeper_link *k)
{
	if (k == NULL || k->closed)
		return;
	k->closed = true;
	uv_close((uv_handle_t *)&k->poll, on_closed);
}

static vault_err enqueue(struct keeper_link *k, const uint8_t *packet, size_t n)
{
	struct parcel *p = malloc(sizeof *p + n);

	if (p == NULL)
		return VAULT_E_NOMEM;
	p->next = NULL;
	p->n = n;
	memcpy(p->packet, packet, n);
	if (k->last != NULL)
		k->last->next = p;
	else
		k->first = p;
	k->last = p;
	k->waiting += n;
	link_poll(k);
	return VAULT_OK;
}

bool keeper_link_busy(const struct keeper_link *k)
{
	return k->waiting > BUSY_BYTES;
}

vault_err keeper_link_ask(struct keeper_link *k, uint8_t *packet, size_t n, keeper_answer_fn fn, void *arg,
    uint64_t *ticket)
{
	struct request *r = NULL;

	if (k->broken || k->closed)
		return VAULT_E_EOF;
	if (n < IPC_HEADER || n > IPC_MAX)
		return VAULT_E_RANGE;
	uint64_t tag = k->next_tag++;
	store_le64(packet + 8, tag);
	if (fn != NULL) {
		r = calloc(1, sizeof *r);
		if (r == NULL)
			return VAULT_E_NOMEM;
		*r = (struct request){ .next = k->bucket[tag % BUCKETS], .tag = tag, .fn = fn, .arg = arg };
		k->bucket[tag % BUCKETS] = r;
	}
	/* Order is kept: behind waiting packets everything waits. */
	vault_err err = k->first == NULL ? ipc_send(k->fd, packet, n, NULL) : VAULT_E_AGAIN;
	if (err == VAULT_E_AGAIN)
		err = enqueue(k, packet, n);
	if (err != VAULT_OK && r != NULL)
		free(request_take(k, tag));
	else if (ticket != NULL)
		*ticket = tag;
	return err;
}

void keeper_link_cancel(struct keeper_link *k, uint64_t ticket)
{
	struct request *r = k->bucket[ticket % BUCKETS];

	while (r != NULL && r->tag != ticket)
		r = r->next;
	if (r != NULL)
		r->fn = NULL;
}
