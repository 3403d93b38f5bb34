/*
 * ingest.c - ADMIT, OPEN, SEGMENT, CLOSE. See ingest.h.
 */
#include "keeper/ingest.h"

#include <sodium.h>
#include <string.h>

#include "base/secret.h"
#include "keeper/keeper.h"
#include "keeper/policy.h"
#include "keeper/source.h"

#define SEGMENTS_MAX ((1u << 24) - 1u)
#define BYTES_MAX ((1ull << 48) - 1u)

/* Errors of a question that are answers, not failures of the vault. */
static bool is_answer(vault_err err)
{
	return err == VAULT_E_NOTFOUND;
}

/*
 * Source, tenant and policy of a stream. VAULT_OK with *refusal none: both
 * loaded. A tenant that is not the source's and one that does not exist get the
 * same answer.
 */
static vault_err judge(struct keeper *k, const char *tenant, const struct ipc_cred *cred, uint8_t media,
    struct source *s, struct policy *p, uint8_t *usable, unsigned *refusal)
{
	vault_err err = source_find(&k->rows, cred, s);

	*usable = 0;
	*refusal = VAULT_REFUSAL_unauthorized;
	if (err != VAULT_OK) {
		s->number = 0;
		return is_answer(err) ? VAULT_OK : err;
	}
	*refusal = VAULT_REFUSAL_forbidden;
	if (!source_serves(s, tenant) || (media & ~s->media) != 0)
		return VAULT_OK;
	err = policy_load(&k->rows, tenant, p);
	if (err != VAULT_OK)
		return is_answer(err) ? VAULT_OK : err;
	*refusal = policy_judge(p, media, s->media, k->now_ms, usable);
	return VAULT_OK;
}

/* A refused start is an event without any number. The tenant is named only if it exists. */
static vault_err log_refused(struct keeper *k, const char *tenant, uint32_t source, unsigned refusal)
{
	uint32_t number;

	if (source == 0 && !strangers_each(k, 1))
		return VAULT_OK;
	bool known = tree_tenant_find(k->tree, tenant, &number) == VAULT_OK;
	const struct audit_event e = { .event = "recording.start", .action = 'C', .refusal = refusal, .source = source,
		.tenant = known ? tenant : NULL };

	return keeper_log(k, &e);
}

vault_err ingest_admit(struct keeper *k, const struct ipc_packet *p)
{
	struct ipc_admitted out = { .refusal = 0 };
	struct ipc_admit in;
	struct policy policy;
	struct source source;
	unsigned refusal = 0;
	uint8_t usable = 0;

	if (ipc_admit_decode(&in, p) != VAULT_OK)
		return VAULT_E_PROTO;
	vault_err err = judge(k, in.tenant, &in.cred, in.media, &source, &policy, &usable, &refusal);
	secret_wipe(&in.cred, sizeof(in.cred));
	if (err != VAULT_OK)
		return err;
	out.refusal = refusal;
	if (refusal == VAULT_REFUSAL_none) {
		out.source = source.number;
		out.media = usable;
		out.consent = policy.consent;
		out.tags_len = (uint16_t)policy_tags_text(&policy, out.tags);
	} else {
		err = log_refused(k, in.tenant, source.number, refusal);
		if (err != VAULT_OK)
			return err;
	}
	return batch_answer_packet(k, &k->front, ipc_admitted_encode(k->room->packet, p->tag, &out));
}

static void open_ended(struct keeper *k, const vault_id *id, bool committed)
{
	if (!committed)
		live_remove(&k->live, id);        /* the name map checks the tree, a stale entry there is harmless */
}

/* Tokens into the scratch secret; existing is found through the name's. */
static vault_err make_tokens(struct keeper *k, const struct ipc_open *in, uint32_t tenant)
{
	struct tree_secret *secret = &k->room->item;
	vault_err err = VAULT_OK;

	secret_wipe(secret, sizeof(*secret));
	if (in->name[0] != '\0')
		err = tree_token(k->tree, tenant, "name", in->name, secret->name);
	if (err == VAULT_OK && in->caller[0] != '\0')
		err = tree_token(k->tree, tenant, "number", in->caller, secret->caller);
	if (err == VAULT_OK && in->callee[0] != '\0')
		err = tree_token(k->tree, tenant, "number", in->callee, secret->callee);
	return err;
}

/* An upload of this name exists: only its id, state and source are told. */
static vault_err find_existing(struct keeper *k, const struct ipc_open *in, uint32_t tenant, struct ipc_opened *out)
{
	uint8_t token[TOKEN_BYTES];
	struct tree_item item;

	if (in->name[0] == '\0')
		return VAULT_E_NOTFOUND;
	vault_err err = tree_token(k->tree, tenant, "name", in->name, token);
	if (err == VAULT_OK)
		err = names_find(&k->names, k->tree, &k->room->item, tenant, token, k->now_ms, &item);
	if (err != VAULT_OK)
		return err;
	out->existing = 1;
	out->ended = (item.flags & ITEM_ENDED) != 0;
	out->id = item.id;
	out->source = item.source;
	out->policy = item.policy;
	out->expires_s = item.expires_s;
	out->start_ms = vault_id_time_ms(&item.id);
	return VAULT_OK;
}

static vault_err add_live(struct keeper *k, const struct policy *policy, const struct tree_item *item,
    uint64_t until_ms)
{
	struct live_recording *live;
	vault_err err = live_add(&k->live, &item->id, &live);

	if (err != VAULT_OK)
		return err;
	memcpy(live->tenant, policy->tenant, sizeof(live->tenant));
	live->number = item->tenant;
	live->source = item->source;
	live->media = item->media;
	live->until_ms = until_ms;
	live->expires_s = item->expires_s;
	return batch_on_end(k, open_ended, &item->id);
}

/* Item, live entry, event and sealed metadata of a new recording. */
static vault_err make_recording(struct keeper *k, const struct ipc_open *in, const struct policy *policy,
    const struct source *source, struct ipc_opened *out)
{
	struct tree_secret *secret = &k->room->item;
	struct tree_item item = { .id = vault_id_new(k->now_ms), .tenant = policy->number, .policy = policy->version,
		.media = in->media, .source = source->number };

	vault_err err = policy_expiry(policy, in->media, k->now_ms, &item.expires_s);
	if (err == VAULT_OK)
		err = make_tokens(k, in, policy->number);
	if (err == VAULT_OK)
		err = tree_item_add(k->tree, &item, secret);
	if (err == VAULT_OK) {
		batch_dirty(k);
		err = metadata_seal(out->sealed, in->meta, in->meta_len, secret->key, policy->tenant, &item.id);
	}
	if (err == VAULT_OK && in->name[0] != '\0')
		err = names_add(&k->names, policy->number, secret->name, &item.id);
	secret_wipe(secret, sizeof(*secret));
	out->until_ms = policy_until(policy, in->media);
	if (err == VAULT_OK)
		err = add_live(k, policy, &item, out->until_ms);
	if (err != VAULT_OK)
		return err;
	out->sealed_len = (uint16_t)(in->meta_len + METADATA_OVERHEAD);
	out->id = item.id;
	out->source = item.source;
	out->policy = item.policy;
	out->expires_s = item.expires_s;
	out->start_ms = vault_id_time_ms(&item.id);
	json_t *media = source_media_json(in->media);
	json_t *detail = media != NULL ? json_pack("{s:o, s:I}", "media", media, "expires", (json_int_t)item.expires_s) : NULL;
	const struct audit_event e = { .event = "recording.start", .action = 'C', .source = item.source,
		.tenant = policy->tenant, .object = "recording", .id = &item.id, .life = "origination",
		.policy = item.policy, .detail = detail };
	return detail == NULL ? VAULT_E_NOMEM : keeper_log(k, &e);
}

static vault_err open_decoded(struct keeper *k, const struct ipc_open *in, struct ipc_opened *out)
{
	struct policy policy;
	struct source source;
	unsigned refusal = 0;
	uint8_t usable = 0;
	vault_err err = judge(k, in->tenant, &in->cred, in->media, &source, &policy, &usable, &refusal);

	if (err != VAULT_OK)
		return err;
	if (refusal == VAULT_REFUSAL_none && in->media == 0)
		refusal = VAULT_REFUSAL_unsupported_media;
	if (refusal == VAULT_REFUSAL_none && policy.consent && !in->consent_given)
		refusal = VAULT_REFUSAL_consent_required;
	if (refusal == VAULT_REFUSAL_none) {
		err = find_existing(k, in, policy.number, out);
		if (err != VAULT_E_NOTFOUND)
			return err;
		if (live_count(&k->live) >= LIVE_MAX)
			refusal = VAULT_REFUSAL_too_many_streams;
	}
	if (refusal == VAULT_REFUSAL_none)
		return make_recording(k, in, &policy, &source, out);
	out->refusal = refusal;
	return log_refused(k, in->tenant, source.number, refusal);
}

vault_err ingest_open(struct keeper *k, const struct ipc_packet *p)
{
	struct ipc_opened out = { .refusal = 0 };
	struct ipc_open in;
	vault_err err;

	if (ipc_open_decode(&in, p) != VAULT_OK) {
		secret_wipe(&in, sizeof(in));
		return VAULT_E_PROTO;
	}
	err = open_decoded(k, &in, &out);
	secret_wipe(&in, sizeof(in));        /* numbers, name, personal fields, credential */
	if (err != VAULT_OK)
		return err;
	return batch_answer_packet(k, &k->front, ipc_opened_encode(k->room->packet, p->tag, &out));
}

/* May this live recording get another key now? */
static unsigned judge_segment(struct keeper *k, const struct live_recording *live)
{
	if (live == NULL || live->closing)
		return VAULT_REFUSAL_not_found;
	if (live->until_ms != 0 && k->now_ms >= live->until_ms)
		return VAULT_REFUSAL_subscription_ended;
	if (k->now_ms / 1000 >= live->expires_s)
		return VAULT_REFUSAL_retention_ended;
	return live->next_segment > SEGMENTS_MAX ? VAULT_REFUSAL_too_many_streams : VAULT_REFUSAL_none;
}

vault_err ingest_segment(struct keeper *k, const struct ipc_packet *p)
{
	struct ipc_grant *grant = &k->room->grant;
	struct ipc_segment in;
	struct tree_item item;
	vault_err err = VAULT_OK;

	if (ipc_segment_decode(&in, p) != VAULT_OK)
		return VAULT_E_PROTO;
	struct live_recording *live = live_find(&k->live, &in.id);
	secret_wipe(grant, sizeof(*grant));
	grant->refusal = judge_segment(k, live);
	if (grant->refusal == VAULT_REFUSAL_none) {
		err = tree_item_open(k->tree, &in.id, &item, &k->room->item);
		if (is_answer(err)) {
			grant->refusal = VAULT_REFUSAL_not_found;        /* shredded while it was live */
			err = VAULT_OK;
		}
	}
	if (err == VAULT_OK && grant->refusal == VAULT_REFUSAL_none) {
		grant->id = in.id;
		grant->segment = live->next_segment;
		grant->start_us = in.start_us;
		randombytes_buf(grant->salt, sizeof(grant->salt));
		err = kdf_segment(&grant->key, k->room->item.key, grant->salt, live->tenant, &in.id, grant->segment,
		    in.start_us);
		if (err == VAULT_OK)
			live->next_segment++;        /* a number is never used twice, even if this batch fails */
	}
	secret_wipe(&k->room->item, sizeof(k->room->item));
	if (err == VAULT_OK)
		err = batch_answer_packet(k, &k->front, ipc_grant_encode(k->room->packet, p->tag, grant));
	secret_wipe(grant, sizeof(*grant));
	return err;
}

static void close_ended(struct keeper *k, const vault_id *id, bool committed)
{
	struct live_recording *live = live_find(&k->live, id);

	if (committed)
		live_remove(&k->live, id);
	else if (live != NULL)
		live->closing = false;
}

static vault_err log_close(struct keeper *k, const struct tree_item *item, const struct ipc_close *in)
{
	char tenant[VAULT_TENANT_MAX + 1];
	vault_err err = tree_tenant_name(k->tree, item->tenant, tenant);

	if (err != VAULT_OK)
		return err;
	bool empty = (in->flags & CLOSE_VOID) != 0;
	json_t *detail = json_pack("{s:I, s:I, s:I, s:b}", "bytes", (json_int_t)in->bytes, "segments",
	    (json_int_t)in->segments, "duration_ms", (json_int_t)(in->duration_us / 1000), "truncated",
	    (in->flags & CLOSE_TRUNCATED) != 0);
	const struct audit_event e = { .event = empty ? "recording.void" : "recording.end", .action = empty ? 'D' : 'U',
		.source = item->source, .tenant = tenant, .object = "recording", .id = &item->id,
		.life = empty ? "destruction" : "origination", .policy = item->policy, .detail = detail };
	return detail == NULL ? VAULT_E_NOMEM : keeper_log(k, &e);
}

/* Ends the item, or drops one of which nothing was stored. */
static vault_err close_item(struct keeper *k, struct tree_item *item, const struct ipc_close *in)
{
	struct live_recording *live = live_find(&k->live, &in->id);
	vault_err err;

	if ((in->flags & CLOSE_VOID) != 0) {
		err = tree_item_void(k->tree, &in->id);
	} else {
		item->flags |= ITEM_ENDED;
		if ((in->flags & CLOSE_TRUNCATED) != 0)
			item->flags |= ITEM_TRUNCATED;
		item->segments = in->segments;
		item->bytes = in->bytes;
		err = tree_item_update(k->tree, item);
	}
	if (err != VAULT_OK)
		return err;
	batch_dirty(k);
	if (live != NULL)
		live->closing = true;
	err = batch_on_end(k, close_ended, &in->id);
	return err != VAULT_OK ? err : log_close(k, item, in);
}

vault_err ingest_close(struct keeper *k, const struct ipc_packet *p)
{
	struct ipc_closed out = { .refusal = VAULT_REFUSAL_not_found };
	struct ipc_close in;
	struct tree_item item;

	if (ipc_close_decode(&in, p) != VAULT_OK || in.segments > SEGMENTS_MAX || in.bytes > BYTES_MAX)
		return VAULT_E_PROTO;
	bool empty = (in.flags & CLOSE_VOID) != 0;
	if (empty && (in.bytes != 0 || in.segments != 0))
		return VAULT_E_PROTO;
	vault_err err = tree_item_get(k->tree, &in.id, &item);
	if (err != VAULT_OK && !is_answer(err))
		return err;
	if (err == VAULT_OK && (item.flags & ITEM_DOOMED) == 0) {
		/* What has ended stays as it is: only a signed command destroys it. */
		if ((item.flags & ITEM_ENDED) != 0 || (empty && (item.flags & (ITEM_HELD | ITEM_RESTRICTED)) != 0)) {
			out.refusal = VAULT_REFUSAL_forbidden;
		} else {
			out.refusal = VAULT_REFUSAL_none;
			out.expires_s = item.expires_s;
			err = close_item(k, &item, &in);
			if (err != VAULT_OK)
				return err;
		}
	} else {
		live_remove(&k->live, &in.id);        /* shredded while it was live */
	}
	return batch_answer_packet(k, &k->front, ipc_closed_encode(k->room->packet, p->tag, &out));
}
