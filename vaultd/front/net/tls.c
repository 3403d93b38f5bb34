/*
 * tls.c - see tls.h. Two small BIOs: one reads a slice, one appends to a buffer.
 */
#include "front/net/tls.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define PROTOCOLS_MAX 4u
#define RECORD_MAX 16384u

struct tls_context {
	SSL_CTX *ctx;
	BIO_METHOD *method;
	const char *const *protocols;
};

struct tls {
	SSL *ssl;
	const struct tls_context *context;
	const uint8_t *in;
	size_t in_len;
	struct buf *out;             /* valid inside a call only */
};

static int slice_read(BIO *bio, char *out, int n)
{
	struct tls *t = BIO_get_data(bio);
	size_t take = n > 0 ? (size_t)n : 0;

	BIO_clear_retry_flags(bio);
	if (t->in_len == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (take > t->in_len)
		take = t->in_len;
	memcpy(out, t->in, take);
	t->in += take;
	t->in_len -= take;
	return (int)take;
}

static int slice_write(BIO *bio, const char *data, int n)
{
	struct tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (n < 0 || t->out == NULL || buf_append(t->out, data, (size_t)n) != VAULT_OK)
		return -1;
	return n;
}

static long slice_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int slice_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	const struct tls_context *c = arg;

	(void)ssl;
	for (size_t k = 0; k < PROTOCOLS_MAX && c->protocols[k] != NULL; k++) {
		size_t n = strlen(c->protocols[k]);

		for (unsigned i = 0; i < in_len && in_len - i - 1 >= in[i]; i += in[i] + 1u) {
			if (in[i] == n && memcmp(in + i + 1, c->protocols[k], n) == 0) {
				*out = in + i + 1;
				*out_len = in[i];
				return SSL_TLSEXT_ERR_OK;
			}
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Without CAs no chain can be judged: the handshake proves the key, the keeper knows the fingerprint. */
static int accept_any(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

/* No prompt: a key under a passphrase cannot be read here. */
static int no_passphrase(char *out, int cap, int rw, void *arg)
{
	(void)out;
	(void)cap;
	(void)rw;
	(void)arg;
	return -1;
}

static bool use_chain(SSL_CTX *ctx, const void *pem, size_t n)
{
	BIO *bio = n <= INT_MAX ? BIO_new_mem_buf(pem, (int)n) : NULL;
	X509 *x = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
	bool ok = x != NULL && SSL_CTX_use_certificate(ctx, x) == 1;

	X509_free(x);
	while (ok && (x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		ok = SSL_CTX_add0_chain_cert(ctx, x) == 1;   /* takes x */
		if (!ok)
			X509_free(x);
	}
	ERR_clear_error();                     /* the end of the PEM text is an error to the reader */
	BIO_free(bio);
	return ok;
}

static bool use_key(SSL_CTX *ctx, const void *pem, size_t n)
{
	BIO *bio = n <= INT_MAX ? BIO_new_mem_buf(pem, (int)n) : NULL;
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	bool ok = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok;
}

static bool use_client_ca(SSL_CTX *ctx, const void *pem, size_t n)
{
	BIO *bio = n <= INT_MAX ? BIO_new_mem_buf(pem, (int)n) : NULL;
	X509 *x;
	size_t count = 0;
	bool ok = bio != NULL;

	while (ok && (x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x) == 1 && SSL_CTX_add_client_CA(ctx, x) == 1;
		X509_free(x);
		count++;
	}
	ERR_clear_error();
	BIO_free(bio);
	return ok && count > 0;
}

static bool set_up(struct tls_context *c)
{
	static const unsigned char session_context[] = "vault";

	SSL_CTX_set_options(c->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	(void)SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Resumption by tickets under a key of this process: no memory per session. */
	(void)SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(c->ctx, choose_protocol, c);
	return SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) == 1 && SSL_CTX_set_num_tickets(c->ctx, 1) == 1 &&
	    SSL_CTX_set_session_id_context(c->ctx, session_context, sizeof(session_context) - 1) == 1 &&
	    SSL_CTX_set_cipher_list(c->ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

static BIO_METHOD *slice_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "slice");

	if (m != NULL && (BIO_meth_set_read(m, slice_read) != 1 || BIO_meth_set_write(m, slice_write) != 1 ||
	    BIO_meth_set_ctrl(m, slice_ctrl) != 1 || BIO_meth_set_create(m, slice_create) != 1)) {
		BIO_meth_free(m);
		return NULL;
	}
	return m;
}

vault_err tls_context_new(struct tls_context **out, const void *chain, size_t chain_len, const void *key,
    size_t key_len, const void *client_ca, size_t ca_len, const char *const *protocols)
{
	struct tls_context *c = calloc(1, sizeof(*c));
	vault_err err = VAULT_E_NOMEM;

	*out = NULL;
	if (c == NULL)
		return VAULT_E_NOMEM;
	c->protocols = protocols;
	c->method = slice_method();
	c->ctx = SSL_CTX_new(TLS_server_method());
	if (c->ctx != NULL && c->method != NULL && set_up(c)) {
		err = VAULT_E_INVAL;
		SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, ca_len > 0 ? NULL : accept_any);
		if (use_chain(c->ctx, chain, chain_len) && use_key(c->ctx, key, key_len) &&
		    (ca_len == 0 || use_client_ca(c->ctx, client_ca, ca_len)))
			err = VAULT_OK;
	}
	ERR_clear_error();
	if (err != VAULT_OK)
		tls_context_free(c);
	else
		*out = c;
	return err;
}

void tls_context_free(struct tls_context *c)
{
	if (c == NULL)
		return;
	SSL_CTX_free(c->ctx);
	BIO_meth_free(c->method);
	free(c);
}

vault_err tls_new(struct tls **out, struct tls_context *c)
{
	struct tls *t = calloc(1, sizeof(*t));
	BIO *bio = BIO_new(c->method);

	*out = NULL;
	if (t != NULL)
		t->ssl = SSL_new(c->ctx);
	if (t == NULL || bio == NULL || t->ssl == NULL) {
		BIO_free(bio);
		tls_free(t);
		return VAULT_E_NOMEM;
	}
	t->context = c;
	BIO_set_data(bio, t);
	SSL_set_bio(t->ssl, bio, bio);         /* takes bio */
	SSL_set_accept_state(t->ssl);
	*out = t;
	return VAULT_OK;
}

void tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	free(t);
}

void tls_feed(struct tls *t, const uint8_t *data, size_t n)
{
	t->in = data;
	t->in_len = n;
}

const uint8_t *tls_rest(const struct tls *t, size_t *n)
{
	*n = t->in_len;
	return t->in;
}

/* Maps an OpenSSL result once, and leaves no error in the thread's queue. */
static vault_err tls_error(struct tls *t, int rc)
{
	int e = SSL_get_error(t->ssl, rc);

	ERR_clear_error();
	if (e == SSL_ERROR_WANT_READ)
		return VAULT_E_AGAIN;
	return e == SSL_ERROR_ZERO_RETURN ? VAULT_E_EOF : VAULT_E_PROTO;
}

vault_err tls_read(struct tls *t, uint8_t *plain, size_t cap, size_t *got, struct buf *out)
{
	vault_err err = VAULT_OK;

	*got = 0;
	t->out = out;
	while (*got < cap) {
		size_t n = 0;
		int rc = SSL_read_ex(t->ssl, plain + *got, cap - *got, &n);

		if (rc != 1) {
			err = tls_error(t, rc);
			break;
		}
		*got += n;
	}
	t->out = NULL;
	return err;
}

bool tls_pending(const struct tls *t)
{
	return SSL_pending(t->ssl) > 0;
}

vault_err tls_write(struct tls *t, const void *data, size_t n, struct buf *out)
{
	const uint8_t *p = data;
	vault_err err = VAULT_OK;

	t->out = out;
	while (n > 0 && err == VAULT_OK) {
		size_t done = 0;
		int rc = SSL_write_ex(t->ssl, p, n < RECORD_MAX ? n : RECORD_MAX, &done);

		if (rc != 1)
			err = tls_error(t, rc);
		p += done;
		n -= done;
	}
	t->out = NULL;
	return err == VAULT_E_AGAIN ? VAULT_E_PROTO : err;
}

void tls_goodbye(struct tls *t, struct buf *out)
{
	t->out = out;
	if (SSL_is_init_finished(t->ssl))
		(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
	t->out = NULL;
}

bool tls_established(const struct tls *t)
{
	return SSL_is_init_finished(t->ssl) == 1;
}

const char *tls_protocol(const struct tls *t)
{
	const unsigned char *chosen = NULL;
	unsigned n = 0;
	const char *const *names = t->context->protocols;

	SSL_get0_alpn_selected(t->ssl, &chosen, &n);
	for (size_t k = 0; chosen != NULL && names[k] != NULL; k++)
		if (strlen(names[k]) == n && memcmp(names[k], chosen, n) == 0)
			return names[k];
	return names[0];
}

bool tls_peer_sha256(const struct tls *t, uint8_t out[32])
{
	X509 *x = SSL_get1_peer_certificate(t->ssl);
	unsigned n = 0;
	bool ok = x != NULL && X509_digest(x, EVP_sha256(), out, &n) == 1 && n == 32;

	X509_free(x);
	return ok;
}
