/*
 * tls.c - what receiving costs: a bare libuv sink, the same with OpenSSL memory
 * BIOs, and the vault's own connections and HTTP sessions, which drop the body.
 * Prints GB/s and CPU seconds per GB of the receiving thread, and the ratio of
 * the vault's to the bare one's. bench-tls [GB, default 2]
 */
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <uv.h>

#include "base/clock.h"
#include "front/http/http1.h"
#include "sender.h"

#define READ_BYTES (256u * 1024)

struct result {
	double seconds, cpu;
	uint64_t bytes;
};

struct sink {
	uv_loop_t loop;
	uv_tcp_t listener, peer;
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
	char *buf, *plain;
	struct net *net;
	struct result r;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "bench-tls: %s\n", what);
	exit(1);
}

static double cpu_now(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
		die("no clock");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the bare sink ---- */

static void flush_tls(struct sink *s)
{
	char *data = NULL;
	long n = BIO_get_mem_data(s->out, &data);

	if (n <= 0)
		return;
	uv_buf_t b = uv_buf_init(data, (unsigned)n);
	if (uv_try_write((uv_stream_t *)&s->peer, &b, 1) != (int)n)
		die("handshake does not fit");
	(void)BIO_reset(s->out);
}

static void take_tls(struct sink *s, const char *data, size_t n)
{
	size_t got;

	if (BIO_write(s->in, data, (int)n) != (int)n)
		die("no memory");
	while (SSL_read_ex(s->ssl, s->plain, READ_BYTES, &got) == 1)
		s->r.bytes += got;
	flush_tls(s);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
	struct sink *s = h->data;

	(void)suggested;
	*b = uv_buf_init(s->buf, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct sink *s = stream->data;

	if (n < 0) {
		uv_close((uv_handle_t *)stream, NULL);
		uv_close((uv_handle_t *)&s->listener, NULL);
	} else if (s->ssl != NULL) {
		take_tls(s, b->base, (size_t)n);
	} else {
		s->r.bytes += (uint64_t)n;
	}
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct sink *s = listener->data;

	if (status != 0 || uv_tcp_init(&s->loop, &s->peer) != 0 || uv_accept(listener, (uv_stream_t *)&s->peer) != 0)
		die("cannot accept");
	s->peer.data = s;
	if (s->ctx != NULL) {
		s->ssl = SSL_new(s->ctx);
		s->in = BIO_new(BIO_s_mem());
		s->out = BIO_new(BIO_s_mem());
		if (s->ssl == NULL || s->in == NULL || s->out == NULL)
			die("no memory");
		SSL_set_bio(s->ssl, s->in, s->out);
		SSL_set_accept_state(s->ssl);
	}
	if (uv_read_start((uv_stream_t *)&s->peer, on_alloc, on_read) != 0)
		die("cannot read");
}

/* ---- the vault's sink ---- */

static size_t credit(void *arg)
{
	(void)arg;
	return 4u * 1024 * 1024;
}

static void on_body(void *arg, const uint8_t *data, size_t n)
{
	struct sink *s = arg;

	(void)data;
	s->r.bytes += n;
}

static struct exchange *running;

static void on_body_end(void *arg)
{
	struct sink *s = arg;

	exchange_json(running, 200, NULL, "{}", 2);
	net_close(s->net);
}

static void on_lost(void *arg, unsigned refusal)
{
	(void)arg;
	(void)refusal;
}

static const struct exchange_handler handler = { credit, on_body, on_body_end, NULL, on_lost };

static void on_request(void *arg, struct exchange *x)
{
	running = x;
	exchange_handle(x, &handler, arg);
	exchange_accept(x);
}

static void on_refused(void *arg, unsigned refusal)
{
	(void)arg;
	die(vault_refusal_name(refusal));
}

/* ---- the runs ---- */

static int listen_on(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 16) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		die("cannot listen");
	*port = ntohs(a.sin_port);
	return fd;
}

static struct result run(bool vault, bool tls, uint64_t bytes, const char *cert, size_t cert_len, const char *key,
    size_t key_len)
{
	static const char *const names[] = { "http/1.1", NULL };
	static const struct conn_protocol *const protocols[] = { &http1_protocol, NULL };
	struct sink s = { 0 };
	struct tls_context *context = NULL;
	struct http_app app = { 10000, 30000, 30000, on_request, on_refused, &s };
	struct sender sender = { .tls = tls, .http = vault, .bytes = bytes };
	uv_thread_t thread;
	int fd = listen_on(&sender.port);

	s.buf = malloc(READ_BYTES);
	s.plain = malloc(READ_BYTES);
	if (s.buf == NULL || s.plain == NULL || uv_loop_init(&s.loop) != 0)
		die("no memory");
	if (vault) {
		const struct net_options o = { &s.loop, protocols, &app, 10000, 100 };
		if (tls && tls_context_new(&context, cert, cert_len, key, key_len, NULL, 0, names) != VAULT_OK)
			die("no context");
		if (net_new(&s.net, &o) != VAULT_OK || net_listen(s.net, fd, context, LISTENER_HTTPS) != VAULT_OK)
			die("cannot listen");
	} else {
		BIO *c = BIO_new_mem_buf(cert, (int)cert_len), *k = BIO_new_mem_buf(key, (int)key_len);
		X509 *x = PEM_read_bio_X509(c, NULL, NULL, NULL);
		EVP_PKEY *pair = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
		s.ctx = tls ? SSL_CTX_new(TLS_server_method()) : NULL;
		if (tls && (s.ctx == NULL || SSL_CTX_use_certificate(s.ctx, x) != 1 || SSL_CTX_use_PrivateKey(s.ctx, pair) != 1))
			die("no context");
		X509_free(x);
		EVP_PKEY_free(pair);
		BIO_free(c);
		BIO_free(k);
		s.listener.data = &s;
		if (uv_tcp_init(&s.loop, &s.listener) != 0 || uv_tcp_open(&s.listener, fd) != 0 ||
		    uv_listen((uv_stream_t *)&s.listener, 16, on_connection) != 0)
			die("cannot listen");
		s.listener.data = &s;
	}
	double wall = (double)clock_mono_us(), cpu = cpu_now();
	if (uv_thread_create(&thread, sender_run, &sender) != 0)
		die("no thread");
	(void)uv_run(&s.loop, UV_RUN_DEFAULT);
	s.r.cpu = cpu_now() - cpu;
	s.r.seconds = ((double)clock_mono_us() - wall) / 1e6;
	(void)uv_thread_join(&thread);
	if (s.r.bytes != bytes)
		die("bytes are missing");
	SSL_free(s.ssl);
	SSL_CTX_free(s.ctx);
	tls_context_free(context);
	(void)uv_loop_close(&s.loop);
	free(s.buf);
	free(s.plain);
	return s.r;
}

int main(int argc, char **argv)
{
	double gb = argc > 1 ? strtod(argv[1], NULL) : 2;
	uint64_t bytes = gb > 0 && gb < 1000 ? (uint64_t)(gb * 1e9) : 2000000000;
	char *cert, *key;
	size_t cert_len, key_len;
	struct result r[2][2];

	(void)signal(SIGPIPE, SIG_IGN);
	clock_init();
	sender_certificate(&cert, &cert_len, &key, &key_len);
	for (int tls = 0; tls < 2; tls++) {
		for (int vault = 0; vault < 2; vault++) {
			struct result *q = &r[vault][tls];

			*q = run(vault != 0, tls != 0, bytes, cert, cert_len, key, key_len);
			printf("%-26s %6.2f GB/s  %6.3f CPU s/GB\n", vault ? (tls ? "vault, TLS + HTTP" : "vault, HTTP")
			    : (tls ? "bare libuv sink, TLS" : "bare libuv sink"), (double)q->bytes / q->seconds / 1e9,
			    q->cpu / ((double)q->bytes / 1e9));
		}
	}
	printf("CPU per GB, vault / bare: plain %.2f, TLS %.2f\n", r[1][0].cpu / r[0][0].cpu, r[1][1].cpu / r[0][1].cpu);
	free(cert);
	free(key);
	return 0;
}
