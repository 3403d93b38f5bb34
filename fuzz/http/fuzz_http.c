/*
 * fuzz_http.c - request handling: session, router and PUT adapter with a fake
 * ingest behind them. The data is what a client sends; it is given whole, and
 * again in slices that its own bytes choose: both must hear the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fake_ingest.h"
#include "front/http/session.h"
#include "front/router.h"
#include "planted.h"

static const struct route routes[] = {
	{ "v1/tenants/@/recordings", ROUTE_PUT | ROUTE_POST, ROUTE_PUBLIC, http_put },
	{ "v1/tenants/@/recordings/@", ROUTE_PUT | ROUTE_POST, ROUTE_PUBLIC, http_put },
	{ NULL, 0, 0, NULL },
};

static struct front front;

struct heard {
	size_t bytes, answers, stored, opens;
};

static void on_request(void *arg, struct exchange *x)
{
	(void)arg;
	router_serve(routes, &front, x);
}

static void on_refused(void *arg, unsigned refusal)
{
	(void)arg;
	note_refusal(&front, refusal, "");
}

static void on_wake(void *arg)
{
	(void)arg;
}

static const struct http_session_owner owner = { on_request, on_refused, on_wake };

/* What the loop would do next. */
static void serve_behind(size_t *ends)
{
	fake_admit();
	if (fake.ends > *ends) {
		*ends = fake.ends;
		fake_ended(false, false);
	}
}

static void hear(struct http_session *s, struct heard *h)
{
	size_t n;
	const uint8_t *out;

	while ((out = http_session_output(s, &n)), n > 0) {
		if (n >= 9 && memcmp(out, "HTTP/1.1 ", 9) == 0)
			h->answers++;
		h->bytes += n;
		http_session_sent(s, n);
	}
}

static struct heard talk(const uint8_t *data, size_t size, bool sliced)
{
	struct heard h = { 0 };
	struct exchange_peer peer = { .listener = LISTENER_HTTPS };
	struct http_session *s;
	size_t at = 0, idle = 0, ends = 0;

	fake_reset();
	memset(&front, 0, sizeof(front));
	front.ready = true;
	if (http_session_new(&s, &owner, NULL, &peer) != VAULT_OK)
		abort();
	while (idle < 3 && !http_session_done(s)) {
		size_t want = http_session_want(s);
		size_t n = size - at < want ? size - at : want;

		if (sliced && n > 0 && n > (data[at] & 15u) + 1u)
			n = (data[at] & 15u) + 1u;
		size_t used = http_session_input(s, data + at, n);
		if (used > n)
			abort();
		at += used;
		serve_behind(&ends);
		hear(s, &h);
		idle = used == 0 ? idle + 1 : 0;
	}
	if (at == size)
		http_session_eof(s);
	hear(s, &h);
	h.stored = fake.bytes;
	h.opens = fake.opens;
	http_session_free(s);
	if (fake_attached())
		abort();                   /* a stream was left behind */
	return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard whole = talk(data, size, false), sliced = talk(data, size, true);

	PLANTED(whole.opens > 0 && whole.stored % 5 != 0);
	/* One 100 Continue more or less apart, slicing changes nothing. */
	if (whole.opens != sliced.opens)
		abort();
	return 0;
}
