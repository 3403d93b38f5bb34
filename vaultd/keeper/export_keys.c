/*
 * export_keys.c - the only place where a stored recording's key leaves the keeper.
 *
 * A key goes to the link of a job that a signed, logged command made, and only
 * for what that job names, while the recording may still be read.
 */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "keeper/export.h"
#include "keeper/keeper.h"

static struct export_job *running_job(struct keeper *k, uint64_t job)
{
	for (size_t i = 0; i < EXPORTS_MAX; i++)
		if (k->exports.job[i].state == EXPORT_RUNNING && k->exports.job[i].body.job == job)
			return &k->exports.job[i];
	return NULL;
}

/* Opens the item into the room if it may be read now by this job's tenant. */
static vault_err open_item(struct keeper *k, const struct export_job *j, const vault_id *id, struct tree_item *item,
    unsigned *refusal)
{
	vault_err err = tree_item_open(k->tree, id, item, &k->room->item);

	*refusal = VAULT_REFUSAL_not_found;
	if (err == VAULT_E_NOTFOUND)
		return VAULT_OK;
	if (err != VAULT_OK)
		return err;
	if (item->tenant != j->tenant || item->expires_s <= k->now_ms / 1000)
		return VAULT_OK;
	*refusal = (item->flags & ITEM_RESTRICTED) != 0 ? VAULT_REFUSAL_restricted : VAULT_REFUSAL_none;
	return VAULT_OK;
}

static bool segment_allowed(const struct export_job *j, const struct ipc_want_key *in)
{
	if (j->body.mode == JOB_METADATA || in->job != j->body.job || !vault_id_equal(&in->id, &j->body.id))
		return false;
	if (in->segment >= j->body.segments)
		return false;
	/* The start is bound into the key: a lie about it gives a key that opens nothing. */
	return in->segment == 0 || in->start_us <= j->body.to_us;
}

vault_err export_want_key(struct keeper *k, uint64_t job, const struct ipc_packet *p)
{
	struct export_job *j = running_job(k, job);
	struct ipc_key *key = &k->room->key;
	struct ipc_want_key in;
	struct tree_item item;
	unsigned refusal = VAULT_REFUSAL_forbidden;
	vault_err err = VAULT_OK;

	if (ipc_want_key_decode(&in, p) != VAULT_OK)
		return VAULT_E_PROTO;
	if (j == NULL)
		return VAULT_OK;
	secret_wipe(key, sizeof(*key));
	if (segment_allowed(j, &in))
		err = open_item(k, j, &in.id, &item, &refusal);
	if (err == VAULT_OK && refusal == VAULT_REFUSAL_none)
		err = kdf_segment(&key->key, k->room->item.key, in.salt, j->body.tenant, &in.id, in.segment, in.start_us);
	secret_wipe(&k->room->item, sizeof(k->room->item));
	key->refusal = refusal;
	if (err == VAULT_OK)
		err = batch_answer_packet(k, &j->link, ipc_key_encode(k->room->packet, p->tag, key));
	secret_wipe(key, sizeof(*key));
	return err;
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(vault_id));
}

vault_err export_want_meta(struct keeper *k, uint64_t job, const struct ipc_packet *p)
{
	struct export_job *j = running_job(k, job);
	struct ipc_meta_key *key = &k->room->meta;
	struct ipc_want_meta in;
	struct tree_item item;
	unsigned refusal = VAULT_REFUSAL_forbidden;
	vault_err err = VAULT_OK;

	if (ipc_want_meta_decode(&in, p) != VAULT_OK)
		return VAULT_E_PROTO;
	if (j == NULL)
		return VAULT_OK;
	secret_wipe(key, sizeof(*key));
	if (j->body.mode == JOB_METADATA && j->n_ids > 0 &&
	    bsearch(&in.id, j->ids, j->n_ids, sizeof(*j->ids), compare_ids) != NULL)
		err = open_item(k, j, &in.id, &item, &refusal);
	if (err == VAULT_OK && refusal == VAULT_REFUSAL_none)
		err = kdf_metadata(key->key, k->room->item.key, in.salt, j->body.tenant, &in.id);
	secret_wipe(&k->room->item, sizeof(k->room->item));
	key->refusal = refusal;
	if (err == VAULT_OK)
		err = batch_answer_packet(k, &j->link, ipc_meta_key_encode(k->room->packet, p->tag, key));
	secret_wipe(key, sizeof(*key));
	return err;
}
