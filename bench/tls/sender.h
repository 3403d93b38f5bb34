/*
 * sender.h - the other end of the benchmark: one thread that sends a body as
 * fast as the socket takes it. Used by bench/tls only.
 */
#ifndef BENCH_TLS_SENDER_H
#define BENCH_TLS_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sender {
	uint16_t port;
	bool tls;
	bool http;                   /* a request line and fields in front */
	uint64_t bytes;
};

/* Thread function: connects to loopback, sends, waits for the other side's end. Ends the program on failure. */
void sender_run(void *sender);
/* A self-signed certificate and its key as PEM; the caller frees both. */
void sender_certificate(char **cert, size_t *cert_len, char **key, size_t *key_len);

#endif
