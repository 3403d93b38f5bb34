/*
 * api.h - HTTP to one vault (docs/HTTP.md): over https:// with a pinned CA or
 * public key, or over a unix socket. No redirects, no other schemes.
 */
#ifndef VAULTCTL_API_H
#define VAULTCTL_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "base/buf.h"
#include "profile.h"

#define API_BODY_MAX ((size_t)16 * 1024 * 1024)

struct api;

/* Takes bytes of a stream; anything but CTL_OK ends the transfer and is the result. */
typedef int (*api_stream_fn)(void *arg, const void *p, size_t n);

struct api_request {
	const char *path;                /* "/v1/commands" */
	const char *body;                /* NULL: GET */
	size_t body_len;
	const char *content_type;        /* of the body */
	bool silent;                     /* a failed connection is not explained */
	bool slow;                       /* the vault may think for long before it answers */
	/* An answer of type application/age goes here as it comes; NULL: it is an error. */
	api_stream_fn stream;
	void *stream_arg;
	/* Called once before the first streamed byte with the length, 0 when not known; may be NULL. */
	void (*begin)(void *arg, uint64_t length);
};

struct api_answer {
	long status;
	bool streamed;                   /* the body went to stream */
	struct buf body;
};

/* p stays the caller's and must outlive it. Exit code. */
int api_open(struct api **a, const struct profile *p);
void api_close(struct api *a);
/*
 * CTL_OK: an HTTP answer is there, whatever its status; free with
 * api_answer_free (also after a failure). CTL_UNREACHABLE: explained already.
 * CTL_UNVERIFIED: a stream ended early. Any other: what stream returned.
 */
int api_perform(struct api *a, const struct api_request *r, struct api_answer *out);
void api_answer_free(struct api_answer *out);
/* Explains an answer that is not a success (one line, then the next step) and gives its exit code. */
int api_refusal(const struct api_answer *answer);
/* The answer's title ("not_found") or "" */
void api_problem_title(const struct api_answer *answer, char *out, size_t cap);
/* Set by a signal handler: ends a transfer that is running. */
void api_interrupt(void);
bool api_interrupted(void);

#endif
