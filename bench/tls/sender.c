/*
 * sender.c - see sender.h. Blocking sockets; a failure ends the program.
 */
#include "sender.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK (128u * 1024)

static void die(const char *what)
{
	(void)fprintf(stderr, "bench-tls: %s\n", what);
	exit(1);
}

static char *text_of(BIO *bio, size_t *n)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);
	char *copy = len > 0 ? malloc((size_t)len) : NULL;

	if (copy == NULL)
		die("no memory");
	memcpy(copy, data, (size_t)len);
	*n = (size_t)len;
	BIO_free(bio);
	return copy;
}

void sender_certificate(char **cert, size_t *cert_len, char **key, size_t *key_len)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *c = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_mem());

	if (pair == NULL || x == NULL || c == NULL || k == NULL)
		die("no certificate");
	X509_NAME *name = X509_get_subject_name(x);
	if (ASN1_INTEGER_set(X509_get_serialNumber(x), 1) != 1 || X509_gmtime_adj(X509_getm_notBefore(x), -60) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(x), 86400) == NULL || X509_set_pubkey(x, pair) != 1 ||
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0) != 1 ||
	    X509_set_issuer_name(x, name) != 1 || X509_sign(x, pair, EVP_sha256()) == 0 ||
	    PEM_write_bio_X509(c, x) != 1 || PEM_write_bio_PrivateKey(k, pair, NULL, NULL, 0, NULL, NULL) != 1)
		die("no certificate");
	X509_free(x);
	EVP_PKEY_free(pair);
	*cert = text_of(c, cert_len);
	*key = text_of(k, key_len);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("cannot connect");
	return fd;
}

static SSL *start_tls(int fd)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = ctx != NULL ? SSL_new(ctx) : NULL;

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
		die("no handshake");
	SSL_CTX_free(ctx);
	return ssl;
}

static void send_all(int fd, SSL *ssl, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t k = ssl != NULL ? SSL_write(ssl, data, (int)n) : send(fd, data, n, MSG_NOSIGNAL);

		if (k <= 0)
			die("cannot send");
		data += k;
		n -= (size_t)k;
	}
}

void sender_run(void *arg)
{
	const struct sender *s = arg;
	int fd = connect_to(s->port);
	SSL *ssl = s->tls ? start_tls(fd) : NULL;
	char *block = calloc(1, BLOCK);
	char last;

	if (block == NULL)
		die("no memory");
	if (s->http) {
		char head[128];
		int n = snprintf(head, sizeof(head), "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: %llu\r\n\r\n",
		    (unsigned long long)s->bytes);
		send_all(fd, ssl, head, (size_t)n);
	}
	for (uint64_t left = s->bytes; left > 0;) {
		size_t n = left < BLOCK ? (size_t)left : BLOCK;

		send_all(fd, ssl, block, n);
		left -= n;
	}
	(void)shutdown(fd, SHUT_WR);
	while (recv(fd, &last, 1, 0) > 0)
		continue;
	free(block);
	SSL_free(ssl);
	(void)close(fd);
}
