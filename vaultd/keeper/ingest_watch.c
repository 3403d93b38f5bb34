/*
 * ingest_watch.c - the rest of the front's messages: who is this source, what
 * still exists, what it refused by itself; and the ends that come by time.
 */
#include <string.h>

#include "base/log.h"
#include "base/secret.h"
#include "keeper/ingest.h"
#include "keeper/keeper.h"
#include "keeper/policy.h"
#include "keeper/source.h"

vault_err ingest_source(struct keeper *k, const struct ipc_packet *p)
{
	struct ipc_source_is out = { .refusal = VAULT_REFUSAL_unauthorized };
	struct source source;
	struct ipc_cred cred;

	if (ipc_source_decode(&cred, p) != VAULT_OK)
		return VAULT_E_PROTO;
	vault_err err = source_find(&k->rows, &cred, &source);
	secret_wipe(&cred, sizeof(cred));
	if (err == VAULT_OK)
		out = (struct ipc_source_is){ .source = source.number };
	else if (err != VAULT_E_NOTFOUND)
		return err;
	return batch_answer_packet(k, &k->front, ipc_source_is_encode(k->room->packet, p->tag, &out));
}

vault_err ingest_note(struct keeper *k, const struct ipc_packet *p)
{
	struct ipc_note in;
	uint32_t number;

	if (ipc_note_decode(&in, p) != VAULT_OK || in.count == 0 || in.refusal == 0 || in.refusal > VAULT_REFUSAL_in_use)
		return VAULT_E_PROTO;
	bool known = in.tenant[0] != '\0' && tree_tenant_find(k->tree, in.tenant, &number) == VAULT_OK;
	if (!known && !strangers_each(k, in.count))
		return VAULT_OK;
	json_t *detail = json_pack("{s:I}", "count", (json_int_t)in.count);
	const struct audit_event e = { .event = "front.refused", .action = 'E', .refusal = in.refusal,
		.tenant = known ? in.tenant : NULL, .detail = detail };
	return detail == NULL ? VAULT_E_NOMEM : keeper_log(k, &e);
}

vault_err ingest_reconcile(struct keeper *k, const struct ipc_packet *p)
{
	static struct ipc_reconciled_row rows[RECONCILE_MAX];   /* one thread; 32 KiB is no stack's business */
	const uint8_t *ids;
	uint32_t n;

	if (ipc_reconcile_decode(p, &ids, &n) != VAULT_OK)
		return VAULT_E_PROTO;
	for (uint32_t i = 0; i < n; i++) {
		struct tree_item item;
		vault_id id;
		memcpy(id.b, ids + (size_t)i * VAULT_ID_BYTES, VAULT_ID_BYTES);
		vault_err err = tree_item_get(k->tree, &id, &item);
		rows[i] = (struct ipc_reconciled_row){ .known = 0 };
		if (err == VAULT_E_NOTFOUND || (err == VAULT_OK && (item.flags & ITEM_DOOMED) != 0))
			continue;
		if (err != VAULT_OK)
			return err;
		rows[i].known = 1;
		rows[i].expires_s = item.expires_s;
		rows[i].ended = (item.flags & ITEM_ENDED) != 0;
		rows[i].flags = (uint8_t)(((item.flags & ITEM_HELD) != 0 ? ROW_HELD : 0) |
		    ((item.flags & ITEM_RESTRICTED) != 0 ? ROW_RESTRICTED : 0));
	}
	return batch_answer_packet(k, &k->front, ipc_reconciled_encode(k->room->packet, p->tag, rows, n));
}

struct stops {
	uint64_t now_ms, next_ms;
};

/* When does this stream have to end, and why? */
static uint64_t end_of(const struct live_recording *live, unsigned *refusal)
{
	uint64_t expiry_ms = live->expires_s * 1000;

	*refusal = VAULT_REFUSAL_retention_ended;
	if (live->until_ms == 0 || live->until_ms > expiry_ms)
		return expiry_ms;
	*refusal = VAULT_REFUSAL_subscription_ended;
	return live->until_ms;
}

static vault_err stop_fn(struct keeper *k, void *arg)
{
	struct stops *s = arg;
	struct live_recording *live;
	const uint8_t *key;
	size_t at = 0;

	while ((live = idmap_next(&k->live.map, &at, &key)) != NULL) {
		struct ipc_stop m = { .refusal = 0 };
		unsigned refusal;
		uint64_t end = end_of(live, &refusal);
		if (live->stopped || live->closing)
			continue;
		if (end > s->now_ms) {
			s->next_ms = end < s->next_ms ? end : s->next_ms;
			continue;
		}
		memcpy(m.id.b, key, VAULT_ID_BYTES);
		m.refusal = refusal;
		m.at_ms = end;
		live->stopped = true;
		vault_err err = batch_answer_packet(k, &k->front, ipc_stop_encode(k->room->packet, 0, &m));
		const struct audit_event e = { .event = "recording.stop", .action = 'U', .refusal = refusal,
			.source = live->source, .tenant = live->tenant, .object = "recording", .id = &m.id };
		if (err == VAULT_OK)
			err = keeper_log(k, &e);
		if (err != VAULT_OK)
			return err;
	}
	return VAULT_OK;
}

/* Anything to stop? A look without a transaction. */
static uint64_t next_end(struct keeper *k)
{
	struct live_recording *live;
	uint64_t next = UINT64_MAX;
	unsigned refusal;
	size_t at = 0;

	while ((live = idmap_next(&k->live.map, &at, NULL)) != NULL)
		if (!live->stopped && !live->closing && end_of(live, &refusal) < next)
			next = end_of(live, &refusal);
	return next;
}

uint64_t ingest_stop_ended(struct keeper *k, uint64_t now_ms)
{
	struct stops s = { .now_ms = now_ms, .next_ms = UINT64_MAX };
	uint64_t next = next_end(k);

	if (next > now_ms)
		return next;
	if (batch_effect(k, stop_fn, &s) != VAULT_OK)
		log_error("event=stop_failed");
	return s.next_ms;
}

/* A later end does not reach a stream that was told its end when it opened. */
static vault_err reload_fn(struct keeper *k, void *arg)
{
	struct policy policy = { .tenant = "" };
	struct live_recording *live;
	struct tree_item item;
	const uint8_t *key;
	size_t at = 0;
	vault_id id;

	(void)arg;
	while ((live = idmap_next(&k->live.map, &at, &key)) != NULL) {
		vault_err err = VAULT_OK;
		if (strcmp(policy.tenant, live->tenant) != 0)
			err = policy_load(&k->rows, live->tenant, &policy);
		memcpy(id.b, key, VAULT_ID_BYTES);
		if (err == VAULT_OK)
			err = tree_item_get(k->tree, &id, &item);
		if (err == VAULT_E_NOTFOUND)
			continue;                 /* shredded: SEGMENT is refused */
		if (err != VAULT_OK)
			return err;
		uint64_t until = policy_until(&policy, live->media);
		if (until != 0 && (live->until_ms == 0 || until < live->until_ms))
			live->until_ms = until;
		if (item.expires_s < live->expires_s)
			live->expires_s = item.expires_s;
	}
	return VAULT_OK;
}

void ingest_reload(struct keeper *k)
{
	if (batch_effect(k, reload_fn, NULL) != VAULT_OK)
		log_error("event=policy_reload_failed");
}
