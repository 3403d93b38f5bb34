/*
 * run.c - see run.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/age.h"
#include "run.h"

#define PLAIN_MAX (64u * 1024 * 1024)

static pid_t start(int data_fd, int key_fd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	/* Out of the way first: either may be one of the targets. */
	int d = fcntl(data_fd, F_DUPFD, 64), k = fcntl(key_fd, F_DUPFD, 64);
	(void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	if (dup2(d, 3) == 3 && dup2(k, 4) == 4 && dup2(d, 5) == 5) {
		for (int fd = 6; fd < 128; fd++)
			(void)close(fd);
		(void)execl(VAULT_EXPORTER, "vault-exporter", (char *)NULL);
	}
	_exit(127);
}

static const struct recording *find(const struct run *run, const vault_id *id)
{
	for (size_t i = 0; i < run->n_keys; i++)
		if (vault_id_equal(&run->keys[i]->id, id))
			return run->keys[i];
	return NULL;
}

static size_t answer_key(struct run *run, const struct ipc_packet *p, uint8_t *out, bool refused)
{
	struct ipc_want_key want;
	struct ipc_key key = {.refusal = run->refusal};

	assert_int_equal(ipc_want_key_decode(&want, p), VAULT_OK);
	const struct recording *r = find(run, &want.id);
	if (!refused && r != NULL) {
		key.refusal = VAULT_REFUSAL_none;
		recording_segment_key(r, &want, &key.key);
	}
	return ipc_key_encode(out, p->tag, &key);
}

static size_t answer_meta(struct run *run, const struct ipc_packet *p, uint8_t *out, bool refused)
{
	struct ipc_want_meta want;
	struct ipc_meta_key key = {.refusal = run->refusal};

	assert_int_equal(ipc_want_meta_decode(&want, p), VAULT_OK);
	const struct recording *r = find(run, &want.id);
	if (!refused && r != NULL) {
		key.refusal = VAULT_REFUSAL_none;
		assert_int_equal(kdf_metadata(key.key, r->key, want.salt, r->tenant, &r->id), VAULT_OK);
	}
	return ipc_meta_key_encode(out, p->tag, &key);
}

/* One packet from the exporter; false when the link is done. */
static bool serve_keys(struct run *run, int fd, unsigned *asked)
{
	static uint8_t packet[IPC_MAX], reply[IPC_MAX];
	struct ipc_packet p;
	size_t n;

	if (ipc_recv(fd, packet, &n, NULL) != VAULT_OK)
		return false;
	assert_int_equal(ipc_parse(&p, packet, n, LINK_EXPORTER, TO_KEEPER), VAULT_OK);
	if (p.type == IPC_JOB_RESULT) {
		assert_int_equal(ipc_job_result_decode(&run->result, &p), VAULT_OK);
		run->told = true;
		return true;
	}
	const bool refused = ++*asked > run->refuse_after;
	if (refused && run->hang_up)
		return false;
	n = p.type == IPC_WANT_KEY ? answer_key(run, &p, reply, refused) : answer_meta(run, &p, reply, refused);
	assert_true(n > 0);
	return ipc_send(fd, reply, n, NULL) == VAULT_OK;
}

static void send_job(const struct run *run, int fd)
{
	static uint8_t packet[IPC_MAX];

	if (run->job == NULL)
		return;
	assert_int_equal(ipc_send(fd, packet, ipc_job_encode(packet, 0, run->job), NULL), VAULT_OK);
}

static void feed(struct run *run, int fd, size_t *sent)
{
	ssize_t n = send(fd, run->stream->data + *sent, run->stream->len - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		*sent = run->stream->len;    /* it stopped listening */
	*sent += n > 0 ? (size_t)n : 0;
	if (*sent == run->stream->len)
		(void)shutdown(fd, SHUT_WR);
}

static bool drain(int fd, struct age_reader *age, struct run *run, vault_err *err)
{
	static uint8_t block[65536];
	ssize_t n = read(fd, block, sizeof(block));

	if (n <= 0)
		return false;
	if (*err == VAULT_OK)
		*err = age_reader_write(age, block, (size_t)n, &run->plain);
	return true;
}

void run_exporter(struct run *run)
{
	static const struct buf nothing;
	struct age_reader *age;
	int data[2], keys[2], status;
	size_t sent = 0;
	unsigned asked = 0;
	bool out_open = true;
	vault_err err = VAULT_OK;

	if (run->stream == NULL)
		run->stream = &nothing;
	buf_init(&run->plain, PLAIN_MAX);
	assert_int_equal(age_reader_new(&age, run->identity), VAULT_OK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keys), 0);
	pid_t pid = start(data[1], keys[1]);
	(void)close(data[1]);
	(void)close(keys[1]);
	send_job(run, keys[0]);
	if (run->job == NULL)
		(void)shutdown(keys[0], SHUT_RDWR);
	if (run->stream->len == 0)
		(void)shutdown(data[0], SHUT_WR);
	while (out_open || keys[0] >= 0) {
		struct pollfd p[2] = {{.fd = out_open ? data[0] : -1, .events = POLLIN}, {.fd = keys[0], .events = POLLIN}};
		if (sent < run->stream->len)
			p[0].events |= POLLOUT;
		assert_true(poll(p, 2, 60000) > 0);
		if ((p[0].revents & POLLOUT) != 0 && sent < run->stream->len)
			feed(run, data[0], &sent);
		if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
			out_open = drain(data[0], age, run, &err);
		if (p[1].revents != 0 && !serve_keys(run, keys[0], &asked)) {
			(void)close(keys[0]);
			keys[0] = -1;
		}
	}
	(void)close(data[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	run->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	run->complete = err == VAULT_OK && age_reader_finish(age, &run->plain) == VAULT_OK;
	age_reader_free(age);
}

void run_free(struct run *run)
{
	buf_free(&run->plain);
}
