/*
 * retention.c - sweeps and shreds. See retention.h.
 *
 * In table ROWS_BATCH a batch of at most SHREDDED_MAX ids is one row
 *   batch[16] -> u8 state (0 keys are dead, 1 logged), u8 zero[3], u32 n, sweep[16]
 * and for each id one row batch[16] id[16] -> nothing, behind it in key order.
 * The rows stay until the front released the batch.
 */
#include "keeper/retention.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wire.h"
#include "keeper/jti.h"
#include "keeper/keeper.h"
#include "keeper/pending.h"

#define HEAD_BYTES (8u + VAULT_ID_BYTES)
#define MEMBER_KEY (2u * VAULT_ID_BYTES)
#define PUSH_WINDOW 4u
#define HOUSEKEEPING_MS 60000u
#define HOUSEKEEPING_ROWS 10000u
#define LOGGED_IDS 500u              /* ids in one audit entry */
#define PASSES_MAX 64u               /* in one sweep */

struct batch_head {
	vault_id batch;
	uint8_t state;
	uint32_t n;
	vault_id sweep;
};

static vault_err head_put(struct keeper *k, const struct batch_head *h)
{
	uint8_t row[HEAD_BYTES] = { h->state };

	store_le32(row + 4, h->n);
	memcpy(row + 8, h->sweep.b, VAULT_ID_BYTES);
	return rows_put(&k->rows, ROWS_BATCH, h->batch.b, VAULT_ID_BYTES, row, sizeof(row));
}

/* First batch behind after (a head's key, or NULL). */
static vault_err head_next(struct keeper *k, const vault_id *after, struct batch_head *h)
{
	uint8_t key[MEMBER_KEY];
	struct row_view row;

	if (after != NULL) {
		memcpy(key, after->b, VAULT_ID_BYTES);
		memset(key + VAULT_ID_BYTES, 0xff, VAULT_ID_BYTES);      /* behind all its members */
	}
	vault_err err = rows_next(&k->rows, ROWS_BATCH, after != NULL ? key : NULL, sizeof(key), &row);
	if (err != VAULT_OK)
		return err;
	if (row.key_len != VAULT_ID_BYTES || row.value_len != HEAD_BYTES)
		return VAULT_E_CORRUPT;
	memcpy(h->batch.b, row.key, VAULT_ID_BYTES);
	h->state = row.value[0];
	h->n = load_le32(row.value + 4);
	memcpy(h->sweep.b, row.value + 8, VAULT_ID_BYTES);
	return VAULT_OK;
}

/* The batch's ids into ids (room for SHREDDED_MAX). */
static vault_err members(struct keeper *k, const vault_id *batch, vault_id *ids, uint32_t *n)
{
	uint8_t key[MEMBER_KEY];
	size_t key_len = VAULT_ID_BYTES;
	struct row_view row;
	vault_err err;

	*n = 0;
	memcpy(key, batch->b, VAULT_ID_BYTES);
	while ((err = rows_next(&k->rows, ROWS_BATCH, key, key_len, &row)) == VAULT_OK) {
		if (row.key_len != MEMBER_KEY || memcmp(row.key, batch->b, VAULT_ID_BYTES) != 0)
			return VAULT_OK;
		if (*n == SHREDDED_MAX)
			return VAULT_E_CORRUPT;
		memcpy(key, row.key, MEMBER_KEY);
		key_len = MEMBER_KEY;
		memcpy(ids[(*n)++].b, key + VAULT_ID_BYTES, VAULT_ID_BYTES);
	}
	return err == VAULT_E_EOF ? VAULT_OK : err;
}

/* What a pass collects. */
struct collect {
	struct keeper *k;
	struct batch_head head;          /* of the batch being filled */
	uint64_t total;
};

static vault_err on_gone(void *arg, const struct tree_item *item)
{
	struct collect *c = arg;
	uint8_t key[MEMBER_KEY];

	if (c->total % SHREDDED_MAX == 0) {
		c->head.batch = vault_id_new(c->k->now_ms);
		c->head.n = 0;
	}
	c->total++;
	c->head.n++;
	memcpy(key, c->head.batch.b, VAULT_ID_BYTES);
	memcpy(key + VAULT_ID_BYTES, item->id.b, VAULT_ID_BYTES);
	vault_err err = rows_put(&c->k->rows, ROWS_BATCH, key, sizeof(key), "", 0);
	return err != VAULT_OK ? err : head_put(c->k, &c->head);
}

static vault_err log_erase(struct keeper *k, const char *event, bool failed, const vault_id *sweep, json_t *detail)
{
	const struct audit_event e = { .event = event, .action = 'D', .failed = failed, .object = "sweep", .id = sweep,
		.life = "destruction", .detail = detail };

	return keeper_log(k, &e);
}

struct opening {
	const char *ground;
	vault_id sweep;
	uint64_t now_s;
};

static vault_err log_opened(struct keeper *k, void *arg)
{
	struct opening *o = arg;

	o->sweep = vault_id_new(k->now_ms);
	json_t *detail = json_pack("{s:s, s:I}", "ground", o->ground, "due_until", (json_int_t)o->now_s);
	return detail == NULL ? VAULT_E_NOMEM : log_erase(k, "erase.opened", false, &o->sweep, detail);
}

/* One audit entry for up to LOGGED_IDS ids of a batch. */
static vault_err log_ids(struct keeper *k, const char *event, const struct batch_head *h, const vault_id *ids,
    uint32_t n)
{
	char text[VAULT_ID_TEXT];
	json_t *list = json_array();
	int bad = list == NULL;

	for (uint32_t i = 0; i < n && bad == 0; i++) {
		vault_id_format(&ids[i], text);
		bad = json_array_append_new(list, json_string(text));
	}
	vault_id_format(&h->batch, text);
	json_t *detail = json_pack("{s:s, s:o, s:s}", "batch", text, "recordings", list, "check",
	    strcmp(event, "erase.verified") == 0 ? "no key opens them" : "not repeated after the crash");
	if (bad != 0 || detail == NULL) {
		json_decref(detail);
		return VAULT_E_NOMEM;
	}
	return log_erase(k, event, false, &h->sweep, detail);
}

/* Logs every batch that is not logged yet: all of the last pass, or what a crash left. */
static vault_err log_batches(struct keeper *k, void *arg)
{
	const char *event = arg;
	vault_id *ids = calloc(SHREDDED_MAX, sizeof(*ids));
	struct batch_head h;
	vault_id after;
	bool first = true;
	vault_err err = ids != NULL ? VAULT_OK : VAULT_E_NOMEM;

	while (err == VAULT_OK && (err = head_next(k, first ? NULL : &after, &h)) == VAULT_OK) {
		uint32_t n = 0;
		first = false;
		after = h.batch;
		if (h.state != 0)
			continue;
		err = members(k, &h.batch, ids, &n);
		for (uint32_t i = 0; i < n && err == VAULT_OK; i += LOGGED_IDS)
			err = log_ids(k, event, &h, ids + i, n - i < LOGGED_IDS ? n - i : LOGGED_IDS);
		h.state = 1;
		if (err == VAULT_OK)
			err = head_put(k, &h);
		batch_dirty(k);
	}
	free(ids);
	return err == VAULT_E_EOF ? VAULT_OK : err;
}

static vault_err log_failed(struct keeper *k, void *arg)
{
	return log_erase(k, "erase.failed", true, arg, NULL);
}

/* Until when recordings may be forgotten now: 0 with a clock that nobody may believe. */
static uint64_t believable_s(struct keeper *k)
{
	uint64_t wall_ms = clock_wall_ms();

	(void)clock_guard_check(&k->clock, wall_ms, clock_mono_ms());
	return k->clock.trusted ? wall_ms / 1000 : 0;
}

vault_err retention_forget(struct keeper *k, const char *ground, vault_id *sweep)
{
	struct opening o = { .ground = ground, .now_s = believable_s(k) };
	struct forget_result result;
	uint64_t next_s;
	bool due = false;
	vault_err err = tree_due(k->tree, o.now_s, &due, &next_s);

	if (err == VAULT_OK && !due)
		return VAULT_E_NOTFOUND;
	if (err == VAULT_OK)
		err = batch_effect(k, log_opened, &o);
	if (err != VAULT_OK)
		return err;
	*sweep = o.sweep;
	struct collect c = { .k = k, .head = { .sweep = o.sweep } };
	err = tree_forget(k->tree, o.now_s, on_gone, &c, &result);
	if (err == VAULT_E_NOTFOUND)
		return err;
	if (err != VAULT_OK) {
		log_error("event=erase_failed error=%d", (int)err);
		if (batch_effect(k, log_failed, &o.sweep) != VAULT_OK || err != VAULT_E_FULL)
			keeper_fail(k, "A pass of forgetting failed; the next start finishes it.");
		return err;
	}
	k->retention.last_items = result.items;
	k->retention.more = true;
	log_info("event=erased items=%u buckets_dropped=%u buckets_rekeyed=%u epoch=%llu", result.items,
	    result.buckets_dropped, result.buckets_rekeyed, (unsigned long long)result.epoch);
	return batch_effect(k, log_batches, (void *)(uintptr_t)"erase.verified");
}

vault_err retention_start(struct keeper *k)
{
	vault_err err = batch_effect(k, log_batches, (void *)(uintptr_t)"erase.recovered");

	k->retention.more = true;
	return err;
}

struct push {
	uint8_t *packet;
	vault_id *ids;
	bool done;
};

/* Reads the next batch behind the cursor and queues it. */
static vault_err push_one(struct keeper *k, void *arg)
{
	struct push *p = arg;
	struct retention *r = &k->retention;
	static const vault_id none;
	struct batch_head h;
	uint32_t n = 0;
	bool first = vault_id_equal(&r->cursor, &none);
	vault_err err = head_next(k, first ? NULL : &r->cursor, &h);

	if (err == VAULT_E_EOF) {
		p->done = true;
		r->more = false;
		return VAULT_OK;
	}
	if (err == VAULT_OK)
		err = members(k, &h.batch, p->ids, &n);
	if (err != VAULT_OK)
		return err;
	r->cursor = h.batch;
	if (h.state != 1 || n == 0)
		return VAULT_OK;
	const struct ipc_shredded m = { .batch = h.batch, .n = n, .ids = p->ids[0].b };
	err = batch_answer_packet(k, &k->front, ipc_shredded_encode(k->room->packet, 0, &m));
	if (err == VAULT_OK)
		r->pushed++;
	return err;
}

void retention_push(struct keeper *k)
{
	struct push p = { .done = false };

	if (!k->retention.more || k->front.fd < 0 || k->retention.pushed >= PUSH_WINDOW)
		return;
	p.ids = calloc(SHREDDED_MAX, sizeof(*p.ids));
	while (p.ids != NULL && !p.done && k->retention.pushed < PUSH_WINDOW)
		if (batch_effect(k, push_one, &p) != VAULT_OK)
			break;
	free(p.ids);
}

vault_err retention_released(struct keeper *k, const vault_id *batch, uint32_t n)
{
	const uint8_t *value;
	size_t value_len;
	uint32_t count = 0;
	vault_err err = rows_get(&k->rows, ROWS_BATCH, batch->b, VAULT_ID_BYTES, &value, &value_len);

	if (err == VAULT_E_NOTFOUND)
		return VAULT_OK;                 /* released before */
	if (err != VAULT_OK || value_len != HEAD_BYTES)
		return err != VAULT_OK ? err : VAULT_E_CORRUPT;
	if (value[0] != 1)
		return VAULT_OK;                 /* never pushed: not the front's to release */
	vault_id *ids = calloc(SHREDDED_MAX, sizeof(*ids));
	if (ids == NULL)
		return VAULT_E_NOMEM;
	err = members(k, batch, ids, &count);
	for (uint32_t i = 0; i < count && err == VAULT_OK; i++) {
		uint8_t key[MEMBER_KEY];
		memcpy(key, batch->b, VAULT_ID_BYTES);
		memcpy(key + VAULT_ID_BYTES, ids[i].b, VAULT_ID_BYTES);
		err = rows_delete(&k->rows, ROWS_BATCH, key, sizeof(key));
	}
	free(ids);
	if (err == VAULT_OK)
		err = rows_delete(&k->rows, ROWS_BATCH, batch->b, VAULT_ID_BYTES);
	if (err != VAULT_OK)
		return err;
	batch_dirty(k);
	if (k->retention.pushed > 0)
		k->retention.pushed--;
	k->retention.more = true;
	json_t *detail = json_pack("{s:I, s:I}", "recordings", (json_int_t)count, "reported", (json_int_t)n);
	const struct audit_event e = { .event = "erase.released", .action = 'D', .object = "batch", .id = batch,
		.life = "space given back", .detail = detail };
	return detail == NULL ? VAULT_E_NOMEM : keeper_log(k, &e);
}

static vault_err housekeeping(struct keeper *k, void *arg)
{
	size_t tokens = 0, waiting = 0;

	(void)arg;
	if (!k->clock.trusted)
		return VAULT_OK;
	vault_err err = jti_sweep(&k->rows, k->now_ms / 1000, HOUSEKEEPING_ROWS, &tokens);

	if (err == VAULT_OK)
		err = pending_sweep(&k->rows, k->now_ms, &waiting);
	if (tokens > 0 || waiting > 0)
		batch_dirty(k);
	return err;
}

void retention_tick(struct keeper *k, uint64_t mono_ms)
{
	struct retention *r = &k->retention;
	vault_id sweep;

	if (mono_ms >= r->next_sweep_ms) {
		r->next_sweep_ms = mono_ms + k->sweep_s * 1000ull;
		for (unsigned i = 0; i < PASSES_MAX && !k->fatal; i++)
			if (retention_forget(k, "retention", &sweep) != VAULT_OK)
				break;
	}
	if (mono_ms >= r->next_housekeeping_ms && k->clock.trusted && !k->fatal) {
		r->next_housekeeping_ms = mono_ms + HOUSEKEEPING_MS;
		if (batch_effect(k, housekeeping, NULL) != VAULT_OK)
			log_warn("event=housekeeping_failed");
		names_sweep(&k->names, clock_wall_ms());
	}
	if (!k->fatal)
		retention_push(k);
}

struct shorten {
	const struct policy *policy;
	uint8_t bit;
	uint64_t now_s;
	struct near {
		vault_id id;
		uint64_t expires_s;
		uint32_t policy;
		uint8_t flags;
	} *item;
	size_t n, cap;
};

/* Items may not move while they are walked: collect first. */
static vault_err find_nearer(void *arg, const struct tree_item *item)
{
	struct shorten *s = arg;
	uint64_t end;

	if ((item->media & s->bit) == 0 || (item->flags & ITEM_DOOMED) != 0 || item->expires_s <= s->now_s)
		return VAULT_OK;
	vault_err err = policy_expiry(s->policy, item->media, vault_id_time_ms(&item->id), &end);
	if (err == VAULT_E_NOTFOUND || (err == VAULT_OK && end >= item->expires_s))
		return VAULT_OK;
	if (err != VAULT_OK)
		return err;
	if (s->n == s->cap) {
		size_t cap = s->cap == 0 ? 256 : s->cap * 2;
		struct near *bigger = reallocarray(s->item, cap, sizeof(*bigger));
		if (bigger == NULL)
			return VAULT_E_NOMEM;
		s->item = bigger;
		s->cap = cap;
	}
	uint8_t flags = (uint8_t)(((item->flags & ITEM_HELD) != 0 ? ROW_HELD : 0) |
	    ((item->flags & ITEM_RESTRICTED) != 0 ? ROW_RESTRICTED : 0));
	s->item[s->n++] = (struct near){ .id = item->id, .expires_s = end, .policy = item->policy, .flags = flags };
	return VAULT_OK;
}

vault_err retention_shorten(struct keeper *k, const struct policy *p, uint8_t medium_bit, uint64_t *n)
{
	struct shorten s = { .policy = p, .bit = medium_bit, .now_s = k->now_ms / 1000 };
	vault_err err = tree_items(k->tree, p->number, 0, UINT64_MAX >> 16, find_nearer, &s);

	for (size_t i = 0; i < s.n && err == VAULT_OK; i++) {
		const struct ipc_row_changed m = { .id = s.item[i].id, .expires_s = s.item[i].expires_s,
			.policy = s.item[i].policy, .flags = s.item[i].flags };
		err = tree_item_move(k->tree, &m.id, m.expires_s);
		if (err == VAULT_OK)
			err = batch_answer_packet(k, &k->front, ipc_row_changed_encode(k->room->packet, 0, &m));
	}
	if (s.n > 0)
		k->reload_live = true;
	*n = s.n;
	free(s.item);
	return err;
}
