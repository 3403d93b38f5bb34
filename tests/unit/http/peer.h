/*
 * peer.h - an HTTP session under test with an app that only takes notes.
 */
#ifndef TEST_HTTP_PEER_H
#define TEST_HTTP_PEER_H

#include "base/buf.h"
#include "front/http/session.h"

struct peer {
	struct http_session *s;
	struct exchange_peer who;
	struct exchange *x;          /* the running request, NULL when none */
	struct buf body;             /* of all requests */
	struct buf out;              /* everything the session wanted sent */
	char target[256];            /* of the last request */
	size_t requests, ends, lost, wakes, credit;
	unsigned lost_refusal, refused;
	bool accept;                 /* accept bodies in on_request */
	bool answer_at_end;          /* 200 when the body is complete */
	bool answer_at_once;
	size_t answer_after;         /* refuse in mid-body at this many bytes; 0: never */
};

void peer_open(struct peer *p);
void peer_close(struct peer *p);
/* Gives all bytes, in slices of step (0: at once), as far as they are taken; returns how many were. */
size_t peer_send(struct peer *p, const char *data, size_t n, size_t step);
size_t peer_say(struct peer *p, const char *text);
/* Takes the output away; NUL-terminated. */
const char *peer_heard(struct peer *p);
int peer_status(struct peer *p);     /* of the last answer that was heard from the start of out */

#endif
