/*
 * start.c - see start.h.
 */
#include "supervisor/start.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/age.h"
#include "ipc/message.h"

#define PEM_MAX 60000u
#define KEEPER_WAIT_MS (300 * 1000)
#define FRONT_WAIT_MS (3600 * 1000)   /* recovery reads what was written since the last index commit */

void start_init(struct vault_parts *v)
{
	memset(v, 0, sizeof(*v));
	v->lock_fd = v->keeper_fd = v->front_fd = v->keeper_front[0] = v->keeper_front[1] = -1;
	for (int i = 0; i < ROOT_COUNT; i++)
		v->root_fd[i] = -1;
	for (int i = 0; i < LISTEN_COUNT; i++)
		v->listen_fd[i] = -1;
}

vault_err start_open(struct vault_parts *v, const struct config *c, bool create)
{
	vault_err err = roots_users(c, v->user);
	if (err == VAULT_OK)
		err = roots_open(c, v->user, create, v->root_fd);
	if (err == VAULT_OK)
		err = roots_lock(v->root_fd[ROOT_RUN], c->dir[ROOT_RUN], &v->lock_fd);
	if (err == VAULT_OK)
		err = parts_find(v->program_fd);
	return err;
}

static vault_err link_pair(int fd[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0) {
		log_error("event=link_failed errno=%d", errno);
		return VAULT_E_IO;
	}
	/* Answers of up to 64 KiB must fit whole; more room lets bursts pass without waiting. */
	const int room = 1024 * 1024;
	for (int i = 0; i < 2; i++) {
		(void)setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
		(void)setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	}
	return VAULT_OK;
}

static vault_err wait_readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n;
	do {
		n = poll(&p, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? VAULT_OK : VAULT_E_TIMEOUT;
}

static vault_err first_operator(const struct config *c, struct ipc_configure *m)
{
	size_t n = 0;
	if (c->operator_public[0] == '\0')
		return VAULT_OK;
	vault_err err = b64_decode(c->operator_public, strlen(c->operator_public), B64_URL_NOPAD, m->first_operator,
	    sizeof(m->first_operator), &n);
	if (err != VAULT_OK || n != sizeof(m->first_operator)) {
		(void)fprintf(stderr, "vaultd: [vault] operator_public is not a public key; vaultctl key show prints it\n");
		return VAULT_E_INVAL;
	}
	if (c->operator_age[0] != '\0' &&
	    age_recipient_parse(c->operator_age, strlen(c->operator_age), m->first_age) != VAULT_OK) {
		(void)fprintf(stderr, "vaultd: [vault] operator_age is not an age recipient; vaultctl key show prints it\n");
		return VAULT_E_INVAL;
	}
	return VAULT_OK;
}

static vault_err send_configure(struct vault_parts *v, const struct config *c, bool create, const void *pass,
    size_t pass_len)
{
	struct ipc_configure *m = secret_alloc(sizeof(*m));
	uint8_t *packet = secret_alloc(IPC_MAX);
	vault_err err = m == NULL || packet == NULL ? VAULT_E_NOMEM : first_operator(c, m);
	if (err == VAULT_OK) {
		m->create = create;
		m->sweep_s = (uint8_t)c->sweep_s;
		m->root_ok_cow = c->allow_cow_root;
		m->sandbox_optional = c->sandbox_optional;
		memcpy(m->origin, c->origin, sizeof(m->origin));
		if (pass_len > sizeof(m->pass)) {
			err = VAULT_E_RANGE;
		} else if (pass_len > 0) {
			memcpy(m->pass, pass, pass_len);
			m->pass_len = (uint16_t)pass_len;
		}
	}
	if (err == VAULT_OK) {
		size_t n = ipc_configure_encode(packet, 0, m);
		err = n == 0 ? VAULT_E_RANGE : ipc_send(v->keeper_fd, packet, n, NULL);
	}
	secret_free(packet);
	secret_free(m);
	return err;
}

static vault_err take_ready(struct vault_parts *v, const struct ipc_packet *p)
{
	struct ipc_ready ready;
	char text[1024];
	if (p->type == IPC_FAILED && ipc_failed_decode(p, text) == VAULT_OK) {
		(void)fprintf(stderr, "vaultd: %s\n", text);
		return VAULT_E_DENIED;
	}
	if (p->type != IPC_READY || ipc_ready_decode(&ready, p) != VAULT_OK)
		return VAULT_E_PROTO;
	v->vault = ready.vault;
	v->fresh = ready.fresh != 0;
	v->keeper_protections = ready.protections;
	memcpy(v->audit_pub, ready.audit_pub, sizeof(v->audit_pub));
	if (ready.message[0] != '\0')
		(void)fprintf(stderr, "vaultd: %s\n", ready.message);
	return VAULT_OK;
}

static vault_err wait_keeper(struct vault_parts *v)
{
	uint8_t *packet = malloc(IPC_MAX);
	struct ipc_packet p;
	size_t n = 0;
	if (packet == NULL)
		return VAULT_E_NOMEM;
	vault_err err = wait_readable(v->keeper_fd, KEEPER_WAIT_MS);
	if (err == VAULT_OK)
		err = ipc_recv(v->keeper_fd, packet, &n, NULL);
	if (err == VAULT_OK)
		err = ipc_parse(&p, packet, n, LINK_SUPERVISOR, FROM_KEEPER);
	if (err == VAULT_OK)
		err = take_ready(v, &p);
	if (err == VAULT_E_EOF)
		(void)fprintf(stderr, "vaultd: the keeper ended before it was ready; its last log line says why\n");
	free(packet);
	return err;
}

vault_err start_keeper(struct vault_parts *v, const struct config *c, bool create, const void *pass, size_t pass_len)
{
	int control[2] = {-1, -1};
	vault_err err = link_pair(v->keeper_front);
	if (err == VAULT_OK)
		err = link_pair(control);
	if (err != VAULT_OK)
		return err;
	const int fds[] = {v->keeper_front[0], control[1], v->root_fd[ROOT_KEYS], v->root_fd[ROOT_ROOT],
	    v->root_fd[ROOT_AUDIT]};
	err = part_start(PART_KEEPER, v->program_fd[PART_KEEPER], fds, 5, &v->user[USER_KEEPER], &v->keeper);
	(void)close(control[1]);
	(void)close(v->keeper_front[0]);
	v->keeper_front[0] = -1;
	v->keeper_fd = control[0];
	if (err == VAULT_OK)
		err = send_configure(v, c, create, pass, pass_len);
	return err == VAULT_OK ? wait_keeper(v) : err;
}

/* One raw packet from a file; an absent optional file is one zero byte. */
static vault_err send_file(int fd, const char *path)
{
	uint8_t *data = secret_alloc(PEM_MAX + 1);
	size_t n = 0;
	vault_err err = VAULT_OK;
	if (data == NULL)
		return VAULT_E_NOMEM;
	if (path[0] == '\0') {
		n = 1;
	} else {
		int file = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t got = file < 0 ? -1 : read(file, data, PEM_MAX + 1);
		if (got <= 0 || (size_t)got > PEM_MAX) {
			(void)fprintf(stderr, "vaultd: cannot read %s: %s\n", path, got < 0 ? strerror(errno) : "empty or too large");
			err = VAULT_E_IO;
		} else {
			n = (size_t)got;
		}
		if (file >= 0)
			(void)close(file);
	}
	if (err == VAULT_OK && send(fd, data, n, MSG_NOSIGNAL) != (ssize_t)n)
		err = VAULT_E_IO;
	secret_free(data);
	return err;
}

static json_t *front_options(const struct vault_parts *v, const struct config *c)
{
	char vault[VAULT_ID_TEXT], audit[65];
	vault_id_format(&v->vault, vault);
	hex_encode(v->audit_pub, sizeof(v->audit_pub), audit);
	json_t *listeners = json_array();
	for (int i = 0, fd = PART_FIRST_FD + 5; i < LISTEN_COUNT; i++) {
		if (v->listen_fd[i] >= 0)
			(void)json_array_append_new(listeners,
			    json_pack("{s:i, s:s}", "fd", fd++, "kind", listener_name((enum listener_kind)i)));
	}
	return json_pack("{s:s, s:s, s:s, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "vault", vault, "origin",
	    c->origin, "audit_pub", audit, "keeper_protections", (json_int_t)v->keeper_protections, "listeners", listeners,
	    "lanes", (json_int_t)c->lanes, "commit_ms", (json_int_t)c->commit_ms, "volume_size",
	    (json_int_t)c->volume_mib * 1024 * 1024, "max_streams", (json_int_t)c->streams, "body_timeout_s",
	    (json_int_t)c->body_timeout_s, "header_timeout_s", (json_int_t)c->header_timeout_s, "grace_ms",
	    (json_int_t)c->grace_ms, "sandbox_optional", c->sandbox_optional);
}

static vault_err send_options(const struct vault_parts *v, const struct config *c)
{
	size_t n = 0;
	json_t *options = front_options(v, c);
	char *text = options == NULL ? NULL : json_write(options, &n);
	vault_err err = text == NULL ? VAULT_E_NOMEM : VAULT_OK;
	if (err == VAULT_OK && send(v->front_fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
		err = VAULT_E_IO;
	free(text);
	json_decref(options);
	if (err == VAULT_OK)
		err = send_file(v->front_fd, c->https[0] != '\0' ? c->tls_certificate : "");
	if (err == VAULT_OK)
		err = send_file(v->front_fd, c->https[0] != '\0' ? c->tls_key : "");
	if (err == VAULT_OK)
		err = send_file(v->front_fd, c->tls_client_ca);
	return err;
}

static vault_err wait_front(const struct vault_parts *v)
{
	char text[2048];
	vault_err err = wait_readable(v->front_fd, FRONT_WAIT_MS);
	if (err != VAULT_OK)
		return err;
	ssize_t n = recv(v->front_fd, text, sizeof(text), 0);
	if (n <= 0) {
		(void)fprintf(stderr, "vaultd: the front ended before it was ready; its last log line says why\n");
		return VAULT_E_EOF;
	}
	json_t *answer = NULL;
	err = json_read(text, (size_t)n, sizeof(text), &answer);
	if (err != VAULT_OK)
		return err;
	const char *failed = json_str(answer, "failed", NULL);
	if (failed != NULL) {
		(void)fprintf(stderr, "vaultd: %s\n", failed);
		err = VAULT_E_DENIED;
	} else if (!json_is_true(json_object_get(answer, "ready"))) {
		err = VAULT_E_PROTO;
	}
	json_decref(answer);
	return err;
}

vault_err start_front(struct vault_parts *v, const struct config *c)
{
	int control[2] = {-1, -1};
	int fds[5 + LISTEN_COUNT];
	size_t n = 0;
	vault_err err = link_pair(control);
	if (err != VAULT_OK)
		return err;
	fds[n++] = v->keeper_front[1];
	fds[n++] = control[1];
	fds[n++] = v->root_fd[ROOT_MEDIA];
	fds[n++] = v->root_fd[ROOT_INDEX];
	fds[n++] = v->root_fd[ROOT_AUDIT];
	for (int i = 0; i < LISTEN_COUNT; i++) {
		if (v->listen_fd[i] >= 0)
			fds[n++] = v->listen_fd[i];
	}
	err = part_start(PART_FRONT, v->program_fd[PART_FRONT], fds, n, &v->user[USER_FRONT], &v->front);
	(void)close(control[1]);
	(void)close(v->keeper_front[1]);
	v->keeper_front[1] = -1;
	v->front_fd = control[0];
	if (err == VAULT_OK)
		err = send_options(v, c);
	return err == VAULT_OK ? wait_front(v) : err;
}
