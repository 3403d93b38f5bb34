/*
 * listen.c - the listening sockets of roots.h: TCP by literal address, unix by path.
 */
#include "supervisor/roots.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define BACKLOG 1024

const char *listener_name(enum listener_kind kind)
{
	static const char *const names[LISTEN_COUNT] = {"https", "unix", "ops"};
	return kind < LISTEN_COUNT ? names[kind] : "?";
}

/* "127.0.0.1:8443" or "[::1]:8443"; names are not resolved. */
static bool parse_address(const char *text, struct sockaddr_storage *out, socklen_t *len)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		return false;
	size_t n = (size_t)(colon - text);
	bool v6 = n > 2 && text[0] == '[' && text[n - 1] == ']';
	memcpy(host, v6 ? text + 1 : text, v6 ? n - 2 : n);
	host[v6 ? n - 2 : n] = '\0';
	char *end = NULL;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (end == colon + 1 || *end != '\0' || port > 65535)
		return false;
	memset(out, 0, sizeof(*out));
	if (v6) {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)(void *)out;
		a->sin6_family = AF_INET6;
		a->sin6_port = htons((uint16_t)port);
		*len = sizeof(*a);
		return inet_pton(AF_INET6, host, &a->sin6_addr) == 1;
	}
	struct sockaddr_in *a = (struct sockaddr_in *)(void *)out;
	a->sin_family = AF_INET;
	a->sin_port = htons((uint16_t)port);
	*len = sizeof(*a);
	return inet_pton(AF_INET, host, &a->sin_addr) == 1;
}

static unsigned bound_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = {0};
	socklen_t len = sizeof(a);
	if (getsockname(fd, &a.any, &len) < 0)
		return 0;
	return ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

/* The operations port shows who uses the vault how much: only this machine may ask. */
static bool is_loopback(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
	return (ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24) == 127;
}

static vault_err listen_tcp(const char *text, enum listener_kind kind, int *out)
{
	struct sockaddr_storage addr;
	socklen_t len = 0;
	if (!parse_address(text, &addr, &len)) {
		(void)fprintf(stderr, "vaultd: [listen] %s must be ADDRESS:PORT with a literal address\n", listener_name(kind));
		return VAULT_E_INVAL;
	}
	if (kind == LISTEN_OPS && !is_loopback(&addr)) {
		(void)fprintf(stderr, "vaultd: [listen] ops must be a loopback address\n");
		return VAULT_E_INVAL;
	}
	int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int one = 1;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, BACKLOG) < 0) {
		(void)fprintf(stderr, "vaultd: cannot listen on %s: %s\n", text, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return VAULT_E_IO;
	}
	log_info("event=listening kind=%s port=%u", listener_name(kind), bound_port(fd));
	*out = fd;
	return VAULT_OK;
}

static vault_err listen_unix(const char *path, int *out)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t n = strlen(path);
	if (n >= sizeof(addr.sun_path)) {
		(void)fprintf(stderr, "vaultd: the path of the unix socket is longer than %zu bytes\n",
		    sizeof(addr.sun_path) - 1);
		return VAULT_E_RANGE;
	}
	memcpy(addr.sun_path, path, n + 1);
	/* The run directory's lock is held: a socket that is there is a left-over. */
	if (unlink(path) < 0 && errno != ENOENT) {
		(void)fprintf(stderr, "vaultd: cannot remove the old socket %s: %s\n", path, strerror(errno));
		return vault_err_from_errno(errno);
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t before = umask(0117);
	int bound = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	(void)umask(before);
	if (bound < 0 || listen(fd, BACKLOG) < 0) {
		(void)fprintf(stderr, "vaultd: cannot listen on %s: %s\n", path, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return VAULT_E_IO;
	}
	*out = fd;
	return VAULT_OK;
}

vault_err roots_listen(const struct config *c, int fd[LISTEN_COUNT])
{
	vault_err err = VAULT_OK;
	for (int i = 0; i < LISTEN_COUNT; i++)
		fd[i] = -1;
	if (c->https[0] != '\0')
		err = listen_tcp(c->https, LISTEN_HTTPS, &fd[LISTEN_HTTPS]);
	if (err == VAULT_OK && c->ops[0] != '\0')
		err = listen_tcp(c->ops, LISTEN_OPS, &fd[LISTEN_OPS]);
	if (err == VAULT_OK && c->unix_path[0] != '\0')
		err = listen_unix(c->unix_path, &fd[LISTEN_UNIX]);
	return err;
}
