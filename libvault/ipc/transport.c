/*
 * transport.c - one packet in, one packet out, over a SOCK_SEQPACKET pair.
 *
 * Only sendmsg(2) and recvmsg(2): the sandboxes allow nothing else on a link.
 * A descriptor that nobody asked for is closed, never kept.
 */
#include "ipc/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for several descriptors, so that unwanted ones are seen and closed. */
#define FDS_MAX 4

vault_err ipc_send(int fd, const uint8_t *packet, size_t n, const int *pass_fd)
{
	struct iovec io = { .iov_base = (void *)(uintptr_t)packet, .iov_len = n };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };

	if (n < IPC_HEADER || n > IPC_MAX)
		return VAULT_E_RANGE;
	if (pass_fd != NULL && *pass_fd >= 0) {
		memset(&control, 0, sizeof(control));
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), pass_fd, sizeof(int));
	}
	for (;;) {
		ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);
		if (sent >= 0)
			return (size_t)sent == n ? VAULT_OK : VAULT_E_IO;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
			return VAULT_E_AGAIN;
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return VAULT_E_EOF;
		return vault_err_from_errno(errno);
	}
}

/* Keeps the first descriptor when one is wanted, closes all others. */
static void take_descriptors(struct msghdr *m, int *passed_fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0))
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (passed_fd != NULL && *passed_fd < 0)
				*passed_fd = fd;
			else
				(void)close(fd);
		}
	}
}

vault_err ipc_recv(int fd, uint8_t packet[IPC_MAX], size_t *n, int *passed_fd)
{
	struct iovec io = { .iov_base = packet, .iov_len = IPC_MAX };
	union {
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t got;

	*n = 0;
	if (passed_fd != NULL)
		*passed_fd = -1;
	memset(&control, 0, sizeof(control));
	do {
		got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return VAULT_E_AGAIN;
		return errno == ECONNRESET ? VAULT_E_EOF : vault_err_from_errno(errno);
	}
	take_descriptors(&m, passed_fd);
	if (got == 0)
		return VAULT_E_EOF;
	*n = (size_t)got;
	if ((m.msg_flags & MSG_TRUNC) == 0)
		return VAULT_OK;
	if (passed_fd != NULL && *passed_fd >= 0) {
		(void)close(*passed_fd);
		*passed_fd = -1;
	}
	return VAULT_E_PROTO;           /* longer than any packet: dropped whole */
}
