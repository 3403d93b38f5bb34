/*
 * link.c - bounded send queues. See link.h.
 */
#include "keeper/link.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"

void link_init(struct link *l, int fd, enum ipc_link kind)
{
	*l = (struct link){ .fd = fd, .kind = kind };
	l->tail = &l->head;
}

static void drop_head(struct link *l)
{
	struct link_packet *p = l->head;

	l->head = p->next;
	if (l->head == NULL)
		l->tail = &l->head;
	l->queued -= p->n;
	secret_wipe(p->bytes, p->n);
	free(p);
}

void link_close(struct link *l)
{
	while (l->head != NULL)
		drop_head(l);
	if (l->fd >= 0)
		(void)close(l->fd);       /* a socket: nothing is lost that was acknowledged */
	l->fd = -1;
	l->broken = true;
}

/* Exporters are not waited for: one that does not read must not hold up the vault. */
static bool make_room(struct link *l, size_t n)
{
	while (l->queued + n > LINK_QUEUE_MAX) {
		struct pollfd p = { .fd = l->fd, .events = POLLOUT };

		if (l->kind != LINK_FRONT || l->broken || poll(&p, 1, LINK_WAIT_MS) <= 0)
			return false;
		link_flush(l);
	}
	return true;
}

vault_err link_queue(struct link *l, const uint8_t *packet, size_t n)
{
	struct link_packet *p;

	if (l->fd < 0 || l->broken)
		return VAULT_E_EOF;
	if (n < IPC_HEADER || n > IPC_MAX)
		return VAULT_E_RANGE;
	if (!make_room(l, n)) {
		l->broken = true;
		return VAULT_E_FULL;
	}
	p = malloc(sizeof(*p) + n);
	if (p == NULL)
		return VAULT_E_NOMEM;
	p->next = NULL;
	p->n = n;
	memcpy(p->bytes, packet, n);
	*l->tail = p;
	l->tail = &p->next;
	l->queued += n;
	return VAULT_OK;
}

void link_flush(struct link *l)
{
	while (l->head != NULL && l->fd >= 0 && !l->broken) {
		vault_err err = ipc_send(l->fd, l->head->bytes, l->head->n, NULL);
		if (err == VAULT_E_AGAIN)
			return;
		if (err == VAULT_OK)
			drop_head(l);
		else
			l->broken = true;
	}
}

bool link_waiting(const struct link *l)
{
	return l->head != NULL;
}
