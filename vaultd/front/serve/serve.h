/*
 * serve.h - completes the commands that the keeper authorised and left to the
 * front: list, show, status, verify (ANSWER_SERVE). Loop thread.
 *
 * ANSWER_JOB goes to export_start, ANSWER_FINAL straight to the client.
 */
#ifndef VAULT_FRONT_SERVE_H
#define VAULT_FRONT_SERVE_H

#include <stddef.h>
#include <uv.h>

#include <vault/error.h>
#include "front/serve/rows.h"
#include "front/serve/status.h"
#include "front/store/volume_set.h"

struct serve;
struct serve_call;               /* one command that is being completed */

struct serve_options {
	uv_loop_t *loop;
	struct rows rows;
	struct volume_set *volumes;
	/* Fills in the numbers of the moment. */
	void (*numbers)(void *arg, struct status_numbers *n);
	void *arg;
};

VAULT_NODISCARD vault_err serve_new(struct serve **s, const struct serve_options *o);
/* Cancels what runs, without callbacks. */
void serve_close(struct serve *s);

/* refusal none: json is the answer's body (200), else NULL. json dies with the call. */
typedef void (*serve_fn)(void *arg, unsigned refusal, const char *json, size_t len);

/*
 * json: the keeper's ANSWER_SERVE. May call fn before it returns; then *call is NULL, as is whenever nothing is left
 * to cancel. fn is called exactly once, unless cancelled.
 */
void serve_command(struct serve *s, const char *json, size_t len, serve_fn fn, void *arg, struct serve_call **call);
void serve_cancel(struct serve_call *call);

#endif
