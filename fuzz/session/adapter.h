/*
 * adapter.h - the other side of a session in fuzz_session.c: routes, bodies, answers
 * and an account of what was seen. Where a body is answered, and how, follows from
 * the request alone, so that the same bytes in other slices give the same account.
 */
#ifndef VAULT_FUZZ_SESSION_ADAPTER_H
#define VAULT_FUZZ_SESSION_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front/http/session.h"

#define SEEN_MAX 64u

struct adapter {
	struct exchange *x;          /* the running one, NULL: none */
	size_t give;                 /* most bytes of a body at once */
	bool starved;                /* no credit for now */
	bool streaming;              /* an answer was begun and is not ended */
	bool has_length;
	uint64_t length;
	size_t body;                 /* bytes of the running request's body */
	uint64_t hash;               /* over the running request */
	uint64_t seen[SEEN_MAX];     /* one for every request whose body came to its end */
	size_t n_seen;
	bool lost;                   /* a request broke: the account may end earlier in other slices */
};

extern const struct http_session_owner adapter_owner;
/* An adapter without a session any more: nothing may be running. */
void adapter_check_over(const struct adapter *a);
/* As after on_drain: writes or ends a begun answer. */
void adapter_go_on(struct adapter *a);

#endif
