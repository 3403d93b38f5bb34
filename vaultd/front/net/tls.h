/*
 * tls.h - TLS without the socket: ciphertext in, plaintext out, and back
 * (OpenSSL 3). Loop thread only.
 *
 * Incoming ciphertext is read by OpenSSL straight from the caller's slice and
 * outgoing records are appended to the caller's buffer, so a connection at rest
 * holds no buffer of ours and, with SSL_MODE_RELEASE_BUFFERS, none of OpenSSL's.
 */
#ifndef VAULT_FRONT_NET_TLS_H
#define VAULT_FRONT_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "base/buf.h"

struct tls_context;
struct tls;

/*
 * PEM texts of certificate chain, private key, and client CAs (n 0: none). A
 * client certificate is always asked for, never demanded: with CAs its chain
 * must lead to one; without, only its fingerprint is worth something. protocols:
 * ALPN names in order of preference, NULL-ended, static storage.
 * VAULT_E_INVAL: a PEM cannot be read, or key and certificate do not match.
 */
VAULT_NODISCARD vault_err tls_context_new(struct tls_context **c, const void *chain, size_t chain_len, const void *key,
    size_t key_len, const void *client_ca, size_t ca_len, const char *const *protocols);
void tls_context_free(struct tls_context *c);

VAULT_NODISCARD vault_err tls_new(struct tls **t, struct tls_context *c);
void tls_free(struct tls *t);

/* The ciphertext to be read next; stays the caller's until tls_rest says it is used up. */
void tls_feed(struct tls *t, const uint8_t *data, size_t n);
const uint8_t *tls_rest(const struct tls *t, size_t *n);
/*
 * Handshakes, then decrypts as much as fits. VAULT_E_AGAIN: needs more
 * ciphertext (*got bytes came before); VAULT_E_EOF: the peer said goodbye;
 * VAULT_E_PROTO: broken. Records to be sent (handshake, alerts) go to out.
 */
VAULT_NODISCARD vault_err tls_read(struct tls *t, uint8_t *plain, size_t cap, size_t *got, struct buf *out);
/* Is plaintext waiting inside, of a record that did not fit whole? */
bool tls_pending(const struct tls *t);
VAULT_NODISCARD vault_err tls_write(struct tls *t, const void *data, size_t n, struct buf *out);
/* Says goodbye. */
void tls_goodbye(struct tls *t, struct buf *out);

bool tls_established(const struct tls *t);
/* The protocol that ALPN chose; the first of the context's list when the client named none. */
const char *tls_protocol(const struct tls *t);
/* SHA-256 of the client's certificate (DER). false: it sent none. */
bool tls_peer_sha256(const struct tls *t, uint8_t out[32]);

#endif
