/*
 * fake_ingest.c - see fake_ingest.h. Callbacks come only from the fake_ calls,
 * as the real ones come only from the loop.
 */
#include "fake_ingest.h"

#include <string.h>

struct fake fake;

struct ingest_stream {
	struct ingest_callbacks cb;
	void *arg;
	bool live;
};

static struct ingest_stream stream;
static ingest_admit_cb admit_cb;
static void *admit_arg;

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(&stream, 0, sizeof(stream));
	admit_cb = NULL;
	fake.credit = 1 << 20;
	fake.tags = "shoe";
}

void fake_admit(void)
{
	ingest_admit_cb cb = admit_cb;
	struct ipc_admitted a;

	if (cb == NULL)
		return;
	memset(&a, 0, sizeof(a));
	a.refusal = fake.refuse_admit;
	a.media = MEDIUM_VOICE;
	a.consent = fake.consent;
	a.tags_len = (uint16_t)strlen(fake.tags);
	memcpy(a.tags, fake.tags, a.tags_len + 1u);
	admit_cb = NULL;
	cb(admit_arg, &a);
}

void fake_ended(bool existing, bool truncated)
{
	struct ingest_result r;

	if (!fake_attached())
		return;
	memset(&r, 0, sizeof(r));
	r.id.b[0] = 7;
	r.bytes = fake.bytes;
	r.duration_us = 1500000;
	r.expires_s = 1800000000;
	r.existing = existing;
	r.truncated = truncated;
	stream.live = false;
	stream.cb.on_ended(stream.arg, &r);
}

void fake_failed(unsigned refusal)
{
	static const vault_id none;

	if (!fake_attached())
		return;
	stream.live = false;
	stream.cb.on_failed(stream.arg, refusal, &none, 0);
}

bool fake_attached(void)
{
	return stream.live && stream.cb.on_ended != NULL;
}

vault_err ingest_admit(struct ingest *in, const struct ipc_admit *a, ingest_admit_cb cb, void *arg,
    struct ingest_ticket *ticket)
{
	(void)in;
	fake.admits++;
	fake.admit = *a;
	admit_cb = cb;
	admit_arg = arg;
	ticket->ticket = fake.admits;
	return VAULT_OK;
}

void ingest_admit_cancel(struct ingest *in, struct ingest_ticket ticket)
{
	(void)in;
	(void)ticket;
	fake.cancels++;
	admit_cb = NULL;
}

vault_err ingest_open(struct ingest *in, const struct ingest_start *start, const struct ingest_callbacks *cb, void *arg,
    struct ingest_stream **out)
{
	(void)in;
	fake.opens++;
	fake.start = *start;
	if (fake.open_err != VAULT_OK)
		return fake.open_err;
	stream = (struct ingest_stream){ *cb, arg, true };
	*out = &stream;
	return VAULT_OK;
}

size_t ingest_credit(struct ingest_stream *st)
{
	(void)st;
	return fake.credit;
}

vault_err ingest_write(struct ingest_stream *st, uint16_t track, uint64_t media_us, const uint8_t *data, size_t n)
{
	(void)st;
	(void)track;
	(void)media_us;
	(void)data;
	fake.writes++;
	if (fake.write_err == VAULT_OK)
		fake.bytes += n;
	return fake.write_err;
}

void ingest_end(struct ingest_stream *st)
{
	(void)st;
	fake.ends++;
}

void ingest_abort(struct ingest_stream *st, unsigned refusal)
{
	fake.aborts++;
	fake.abort_refusal = refusal;
	st->live = false;
}

void ingest_attach(struct ingest_stream *st, const struct ingest_callbacks *cb, void *arg)
{
	if (cb == NULL) {
		fake.detached++;
		memset(&st->cb, 0, sizeof(st->cb));
	} else {
		st->cb = *cb;
	}
	st->arg = arg;
}

vault_err keeper_link_ask(struct keeper_link *k, uint8_t *packet, size_t n, keeper_answer_fn fn, void *arg,
    uint64_t *ticket)
{
	struct ipc_packet p;

	(void)k;
	(void)fn;
	(void)arg;
	(void)ticket;
	fake.asks++;
	if (ipc_parse(&p, packet, n, LINK_FRONT, TO_KEEPER) != VAULT_OK)
		return VAULT_E_PROTO;
	return p.type == IPC_NOTE ? ipc_note_decode(&fake.note, &p) : VAULT_OK;
}

bool keeper_link_busy(const struct keeper_link *k)
{
	(void)k;
	return fake.busy;
}
