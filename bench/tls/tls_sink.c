/*
 * tls_sink.c - what receiving alone costs: a bare libuv sink, plain and with
 * TLS 1.3 (OpenSSL, memory BIOs), reads one large HTTP PUT body on loopback and
 * throws it away. The sender is another process, so the CPU seconds printed are
 * the sink's own.
 *
 * bench-tls [MEGABYTES]
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define PIECE ((size_t)64 * 1024)        /* one write of the sender, as curl's */
#define BLOCK ((size_t)256 * 1024)       /* one read of the sink */
#define HEAD "PUT /body HTTP/1.1\r\nHost: sink\r\nContent-Length: %llu\r\n\r\n"
#define ANSWER "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

struct meter {
	double wall, cpu;
};

struct sink {
	uv_tcp_t listener, conn;
	uv_write_t write;
	SSL *ssl;                        /* NULL: plain */
	BIO *in, *out;                   /* the SSL's */
	uint64_t got, want;              /* bytes of head and body */
	struct meter from, to;
	uint8_t *block, *plain;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "bench-tls: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct meter meter_now(void)
{
	struct timespec t;
	struct rusage u;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	(void)getrusage(RUSAGE_SELF, &u);
	return (struct meter){ (double)t.tv_sec + (double)t.tv_nsec / 1e9,
		(double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6 };
}

/* ---- the sender ---- */

static void send_all(int fd, SSL *ssl, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		size_t done = 0;
		if (ssl != NULL) {
			if (SSL_write_ex(ssl, p, n, &done) != 1)
				die("SSL_write");
		} else {
			ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
			if (k <= 0)
				die("send");
			done = (size_t)k;
		}
		p += done;
		n -= done;
	}
}

static void sender(const struct sockaddr_in *to, bool tls, uint64_t bytes)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL_CTX *ctx = tls ? SSL_CTX_new(TLS_client_method()) : NULL;
	SSL *ssl = ctx != NULL ? SSL_new(ctx) : NULL;
	static uint8_t piece[PIECE];
	char head[128];

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		die("connect");
	if (tls && (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1))
		die("SSL_connect");
	int n = snprintf(head, sizeof(head), HEAD, (unsigned long long)bytes);
	send_all(fd, ssl, head, (size_t)n);
	for (uint64_t done = 0; done < bytes; done += PIECE)
		send_all(fd, ssl, piece, bytes - done < PIECE ? (size_t)(bytes - done) : PIECE);
	/* The answer, or whatever ends the connection. */
	if (tls)
		(void)SSL_read(ssl, piece, sizeof(piece));
	else
		(void)!recv(fd, piece, sizeof(piece), 0);
	_exit(0);
}

/* ---- the sink ---- */

static void on_written(uv_write_t *req, int status)
{
	(void)status;
	free(req->data);
	free(req);
}

static void put_out(struct sink *s, const void *data, size_t n)
{
	uv_write_t *req = malloc(sizeof(*req));
	void *copy = malloc(n);

	if (req == NULL || copy == NULL)
		die("memory");
	memcpy(copy, data, n);
	uv_buf_t b = uv_buf_init(copy, (unsigned)n);
	req->data = copy;
	if (uv_write(req, (uv_stream_t *)&s->conn, &b, 1, on_written) != 0)
		die("uv_write");
}

static void flush_tls(struct sink *s)
{
	char *p = NULL;
	long n = BIO_get_mem_data(s->out, &p);

	if (n > 0) {
		put_out(s, p, (size_t)n);
		(void)BIO_reset(s->out);
	}
}

static void finish(struct sink *s)
{
	s->to = meter_now();
	if (s->ssl != NULL && SSL_write(s->ssl, ANSWER, sizeof(ANSWER) - 1) > 0)
		flush_tls(s);
	else if (s->ssl == NULL)
		put_out(s, ANSWER, sizeof(ANSWER) - 1);
	uv_close((uv_handle_t *)&s->listener, NULL);
}

static void count(struct sink *s, size_t n)
{
	if (s->got == 0 && n > 0)
		s->from = meter_now();
	s->got += n;
	if (s->got == s->want)
		finish(s);
}

static void decrypt(struct sink *s, const uint8_t *data, size_t n)
{
	size_t got = 0;

	if (BIO_write(s->in, data, (int)n) != (int)n)
		die("BIO_write");
	while (SSL_read_ex(s->ssl, s->plain, BLOCK, &got) == 1)
		count(s, got);
	if (SSL_get_error(s->ssl, 0) == SSL_ERROR_SSL)
		die("SSL_read");
	flush_tls(s);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *b)
{
	struct sink *s = handle->data;

	(void)suggested;
	*b = uv_buf_init((char *)s->block, (unsigned)BLOCK);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct sink *s = stream->data;

	if (n < 0) {
		uv_close((uv_handle_t *)stream, NULL);
	} else if (s->ssl != NULL) {
		decrypt(s, (const uint8_t *)b->base, (size_t)n);
	} else {
		count(s, (size_t)n);
	}
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct sink *s = listener->data;

	if (status < 0 || uv_tcp_init(listener->loop, &s->conn) != 0 || uv_accept(listener, (uv_stream_t *)&s->conn) != 0)
		die("accept");
	s->conn.data = s;
	(void)uv_tcp_nodelay(&s->conn, 1);
	if (uv_read_start((uv_stream_t *)&s->conn, on_alloc, on_read) != 0)
		die("read");
}

/* A key and a certificate of this run. */
static SSL_CTX *server_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();

	if (ctx == NULL || key == NULL || x == NULL || X509_set_version(x, 2) != 1 ||
	    ASN1_INTEGER_set(X509_get_serialNumber(x), 1) != 1 || X509_gmtime_adj(X509_getm_notBefore(x), 0) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(x), 3600) == NULL || X509_set_pubkey(x, key) != 1 ||
	    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"sink", -1, -1,
	        0) != 1 ||
	    X509_set_issuer_name(x, X509_get_subject_name(x)) != 1 || X509_sign(x, key, EVP_sha256()) == 0 ||
	    SSL_CTX_use_certificate(ctx, x) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		die("certificate");
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

static void set_tls(struct sink *s)
{
	SSL_CTX *ctx = server_context();

	s->ssl = SSL_new(ctx);
	s->in = BIO_new(BIO_s_mem());
	s->out = BIO_new(BIO_s_mem());
	if (s->ssl == NULL || s->in == NULL || s->out == NULL)
		die("TLS");
	SSL_set_bio(s->ssl, s->in, s->out);
	SSL_set_accept_state(s->ssl);
	SSL_CTX_free(ctx);
}

static void measure(bool tls, uint64_t bytes)
{
	struct sink s = { .block = malloc(BLOCK), .plain = malloc(BLOCK) };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int length = sizeof(at), head = snprintf(NULL, 0, HEAD, (unsigned long long)bytes);
	uv_loop_t loop;

	if (s.block == NULL || s.plain == NULL || uv_loop_init(&loop) != 0 || uv_tcp_init(&loop, &s.listener) != 0)
		die("start");
	s.want = bytes + (uint64_t)head;
	s.listener.data = &s;
	if (uv_tcp_bind(&s.listener, (const struct sockaddr *)&at, 0) != 0 ||
	    uv_listen((uv_stream_t *)&s.listener, 1, on_connection) != 0 ||
	    uv_tcp_getsockname(&s.listener, (struct sockaddr *)&at, &length) != 0)
		die("listen");
	if (tls)
		set_tls(&s);
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		sender(&at, tls, bytes);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)waitpid(child, NULL, 0);
	(void)uv_loop_close(&loop);
	if (s.got != s.want)
		die("the body did not arrive whole");
	(void)printf("%-34s %8.2f GB/s  %6.3f CPU s/GB\n", tls ? "tls sink" : "plain sink",
	    (double)bytes / (s.to.wall - s.from.wall) / 1e9, (s.to.cpu - s.from.cpu) / ((double)bytes / 1e9));
	SSL_free(s.ssl);
	free(s.block);
	free(s.plain);
}

int main(int argc, char **argv)
{
	uint64_t bytes = (argc > 1 ? strtoull(argv[1], NULL, 10) : 1000) * 1000000;

	if (bytes == 0)
		die("usage: bench-tls [MEGABYTES]");
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	measure(false, bytes);
	measure(true, bytes);
	return 0;
}
