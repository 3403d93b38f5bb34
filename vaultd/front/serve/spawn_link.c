/*
 * spawn_link.c - see spawn_link.h.
 */
#include "front/serve/spawn_link.h"

#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/message.h"

struct spawn_link {
	uv_poll_t poll;
	int fd;
	spawn_fn fn;
	spawn_gone_fn gone;
	void *arg;
	uint8_t packet[IPC_MAX];
};

static void take(struct spawn_link *s, size_t n, int passed)
{
	struct ipc_packet p;
	struct ipc_exporter m;
	vault_err err = ipc_parse(&p, s->packet, n, LINK_SUPERVISOR, TO_KEEPER);
	if (err == VAULT_OK && p.type == IPC_SPAWNED)
		err = ipc_spawned_decode(&m, &p);
	if (err != VAULT_OK || p.type != IPC_SPAWNED) {
		log_error("event=bad_packet from=supervisor");
		if (passed >= 0)
			(void)close(passed);
		return;
	}
	s->fn(s->arg, m.job, passed);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct spawn_link *s = poll->data;
	(void)events;
	while (!uv_is_closing((uv_handle_t *)&s->poll)) {
		size_t n = 0;
		int passed = -1;
		vault_err err = status < 0 ? VAULT_E_IO : ipc_recv(s->fd, s->packet, &n, &passed);
		if (err == VAULT_E_AGAIN)
			return;
		if (err != VAULT_OK) {
			(void)uv_poll_stop(&s->poll);
			s->gone(s->arg);
			return;
		}
		take(s, n, passed);
	}
}

vault_err spawn_link_new(struct spawn_link **out, uv_loop_t *loop, int fd, spawn_fn fn, spawn_gone_fn gone, void *arg)
{
	struct spawn_link *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return VAULT_E_NOMEM;
	s->fd = fd;
	s->fn = fn;
	s->gone = gone;
	s->arg = arg;
	s->poll.data = s;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || uv_poll_init(loop, &s->poll, fd) < 0) {
		free(s);
		return VAULT_E_IO;
	}
	if (uv_poll_start(&s->poll, UV_READABLE, on_readable) < 0) {
		spawn_link_close(s);
		return VAULT_E_IO;
	}
	*out = s;
	return VAULT_OK;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void spawn_link_close(struct spawn_link *s)
{
	if (s != NULL && !uv_is_closing((uv_handle_t *)&s->poll))
		uv_close((uv_handle_t *)&s->poll, on_closed);
}
