/*
 * key_tree_item.c - items: recordings, and whatever else expires.
 *
 * Owner: the keeper, its only thread. Must never seal an item anew under a key
 * that is already on disk (see tree.fresh), and never hand out a doomed one.
 */
#include "keeper/bucket.h"

#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "base/wire.h"

/*
 * Clear part: u24 tenant, u24 part, u40 expires, u32 policy, u8 media, u8 flags,
 * u24 segments, u48 bytes, u32 source. Always the same length, so that an
 * update never splits a full page.
 */
vault_err item_encode(const struct item_row *row, uint8_t out[ITEM_ROW])
{
	const struct tree_item *i = &row->item;

	if (i->tenant >= TREE_TENANT_LIMIT || i->bucket >= TREE_PART_LIMIT || i->expires_s >= TREE_EXPIRY_LIMIT ||
	    i->segments >= TREE_SEGMENT_LIMIT || i->bytes >= TREE_BYTES_LIMIT)
		return VAULT_E_RANGE;
	store_le(out, i->tenant, 3);
	store_le(out + 3, i->bucket, 3);
	store_le(out + 6, i->expires_s, 5);
	store_le(out + 11, i->policy, 4);
	out[15] = i->media;
	out[16] = i->flags;
	store_le(out + 17, i->segments, 3);
	store_le(out + 20, i->bytes, 6);
	store_le(out + 26, i->source, 4);
	memcpy(out + ITEM_CLEAR, row->wrapped, ITEM_WRAPPED);
	return VAULT_OK;
}

vault_err item_decode(const vault_id *id, const MDB_val *v, struct item_row *out)
{
	const uint8_t *p = v->mv_data;

	if (v->mv_size != ITEM_ROW)
		return VAULT_E_CORRUPT;
	out->item = (struct tree_item){
		.id = *id,
		.tenant = (uint32_t)load_le(p, 3),
		.bucket = (uint32_t)load_le(p + 3, 3),
		.expires_s = load_le(p + 6, 5),
		.policy = (uint32_t)load_le(p + 11, 4),
		.media = p[15],
		.flags = p[16],
		.segments = (uint32_t)load_le(p + 17, 3),
		.bytes = load_le(p + 20, 6),
		.source = (uint32_t)load_le(p + 26, 4),
	};
	memcpy(out->wrapped, p + ITEM_CLEAR, ITEM_WRAPPED);
	return VAULT_OK;
}

struct bucket_id item_bucket(const struct tree_item *item)
{
	return (struct bucket_id){.tenant = item->tenant,
		.day = (uint32_t)(item->expires_s / SECONDS_PER_DAY), .part = item->bucket};
}

static struct wrap_ad item_ad(const struct tree *t, const struct tree_item *item)
{
	const struct bucket_id b = item_bucket(item);
	uint8_t place[BUCKET_KEY_BYTES + VAULT_ID_BYTES];

	bucket_key_of(&b, place);
	memcpy(place + BUCKET_KEY_BYTES, item->id.b, VAULT_ID_BYTES);
	return ad_of(t, 'I', place, sizeof(place));
}

vault_err item_seal(struct tree *t, struct item_row *row, const struct tree_secret *s,
    const uint8_t bucket_key[KEY_BYTES])
{
	const struct wrap_ad ad = item_ad(t, &row->item);

	return aead_wrap(row->wrapped, s, sizeof(*s), ad.b, ad.n, bucket_key);
}

vault_err item_unseal(struct tree *t, const struct item_row *row, struct tree_secret *s,
    const uint8_t bucket_key[KEY_BYTES])
{
	const struct wrap_ad ad = item_ad(t, &row->item);

	return aead_unwrap(s, row->wrapped, ITEM_WRAPPED, ad.b, ad.n, bucket_key);
}

static vault_err item_load(struct tree *t, MDB_txn *txn, const vault_id *id, struct item_row *out)
{
	MDB_val k = {.mv_size = VAULT_ID_BYTES, .mv_data = (void *)(uintptr_t)id->b}, v;
	int rc = mdb_get(txn, t->db[DB_ITEM], &k, &v);

	return rc == 0 ? item_decode(id, &v, out) : lmdb_err(rc);
}

static vault_err item_store(struct tree *t, const struct item_row *row, unsigned flags)
{
	uint8_t raw[ITEM_ROW];
	vault_err err = item_encode(row, raw);

	return err == VAULT_OK ? row_put(t, DB_ITEM, row->item.id.b, VAULT_ID_BYTES, raw, sizeof(raw), flags) : err;
}

static uint64_t item_due_s(const struct tree_item *item)
{
	return (item->flags & ITEM_HELD) != 0 ? BUCKET_NEVER : item->expires_s;
}

static void room_wipe(struct tree *t)
{
	secret_wipe(t->room->tenant, sizeof(t->room->tenant));
	secret_wipe(t->room->bucket, sizeof(t->room->bucket));
	secret_wipe(&t->room->item, sizeof(t->room->item));
}

/* The bucket key of an item, into room->bucket. */
static vault_err item_path_open(struct tree *t, MDB_txn *txn, const struct tree_item *item)
{
	const struct bucket_id bid = item_bucket(item);
	struct bucket b;
	vault_err err;

	if ((err = tenant_open(t, txn, item->tenant)) != VAULT_OK)
		return err == VAULT_E_NOTFOUND ? VAULT_E_CORRUPT : err;
	if ((err = bucket_load(t, txn, &bid, &b)) != VAULT_OK)
		return err == VAULT_E_NOTFOUND ? VAULT_E_CORRUPT : err;
	return bucket_unseal(t, &b, t->room->bucket, t->room->tenant);
}

vault_err tree_item_add(struct tree *t, struct tree_item *item, struct tree_secret *secret)
{
	struct item_row row, there;
	struct bucket b;
	vault_err err;

	if (t->dead || t->txn == NULL)
		return VAULT_E_STATE;
	if (item->expires_s >= TREE_EXPIRY_LIMIT)
		return VAULT_E_RANGE;
	if ((err = item_load(t, t->txn, &item->id, &there)) != VAULT_E_NOTFOUND)
		return err == VAULT_OK ? VAULT_E_EXISTS : err;
	item->flags &= (uint8_t)~ITEM_DOOMED;
	if ((err = tenant_open(t, t->txn, item->tenant)) == VAULT_OK)
		err = bucket_pick(t, item->tenant, (uint32_t)(item->expires_s / SECONDS_PER_DAY), false, &b);
	if (err != VAULT_OK)
		goto out;
	item->bucket = b.id.part;
	row.item = *item;
	randombytes_buf(secret->key, KEY_BYTES);
	if ((err = item_seal(t, &row, secret, t->room->bucket)) != VAULT_OK)
		goto out;
	/* Ids come in time order: appending keeps the pages full. */
	err = item_store(t, &row, MDB_APPEND);
	if (err == VAULT_E_EXISTS)
		err = item_store(t, &row, MDB_NOOVERWRITE);
	if (err == VAULT_OK)
		err = bucket_join(t, &b, &item->id, item_due_s(item));
out:
	room_wipe(t);
	return err;
}

vault_err tree_item_get(struct tree *t, const vault_id *id, struct tree_item *item)
{
	struct item_row row;
	struct view v;
	vault_err err;

	if ((err = view_begin(t, &v)) != VAULT_OK)
		return err;
	if ((err = item_load(t, v.txn, id, &row)) == VAULT_OK)
		*item = row.item;
	view_end(t, &v);
	return err;
}

vault_err tree_item_open(struct tree *t, const vault_id *id, struct tree_item *item, struct tree_secret *secret)
{
	struct item_row row;
	struct view v;
	vault_err err;

	if ((err = view_begin(t, &v)) != VAULT_OK)
		return err;
	if ((err = item_load(t, v.txn, id, &row)) == VAULT_OK && (row.item.flags & ITEM_DOOMED) != 0)
		err = VAULT_E_NOTFOUND;
	if (err == VAULT_OK && (err = item_path_open(t, v.txn, &row.item)) == VAULT_OK)
		err = item_unseal(t, &row, secret, t->room->bucket);
	if (err == VAULT_OK)
		*item = row.item;
	view_end(t, &v);
	room_wipe(t);
	return err;
}

vault_err tree_item_update(struct tree *t, const struct tree_item *item)
{
	struct item_row row;
	vault_err err;

	if (t->dead || t->txn == NULL)
		return VAULT_E_STATE;
	if ((err = item_load(t, t->txn, &item->id, &row)) != VAULT_OK)
		return err;
	bool doomed = (row.item.flags & ITEM_DOOMED) != 0;
	bool released = (row.item.flags & ITEM_HELD) != 0 && (item->flags & ITEM_HELD) == 0;
	if (doomed && (item->flags & ITEM_HELD) != 0)
		return VAULT_E_STATE;
	row.item.flags = (uint8_t)((item->flags & ~ITEM_DOOMED) | (doomed ? ITEM_DOOMED : 0));
	row.item.media = item->media;
	row.item.segments = item->segments;
	row.item.bytes = item->bytes;
	row.item.policy = item->policy;
	row.item.source = item->source;
	if ((err = item_store(t, &row, 0)) != VAULT_OK || !released)
		return err;
	const struct bucket_id bid = item_bucket(&row.item);
	return bucket_due_by(t, &bid, row.item.expires_s);
}

vault_err tree_item_move(struct tree *t, const vault_id *id, uint64_t expires_s)
{
	struct item_row row;
	struct bucket b;
	vault_err err;

	if (t->dead || t->txn == NULL)
		return VAULT_E_STATE;
	if (expires_s >= TREE_EXPIRY_LIMIT)
		return VAULT_E_RANGE;
	if ((err = item_load(t, t->txn, id, &row)) != VAULT_OK)
		return err;
	if ((row.item.flags & ITEM_DOOMED) != 0)
		return VAULT_E_NOTFOUND;
	const struct bucket_id old = item_bucket(&row.item);
	row.item.expires_s = expires_s;
	if (expires_s / SECONDS_PER_DAY == old.day) {
		if ((err = item_store(t, &row, 0)) != VAULT_OK || (row.item.flags & ITEM_HELD) != 0)
			return err;
		return bucket_due_by(t, &old, expires_s);
	}
	row.item.expires_s = (uint64_t)old.day * SECONDS_PER_DAY;      /* the place it is sealed for now */
	if ((err = item_path_open(t, t->txn, &row.item)) != VAULT_OK ||
	    (err = item_unseal(t, &row, &t->room->item, t->room->bucket)) != VAULT_OK)
		goto out;
	if ((err = bucket_pick(t, old.tenant, (uint32_t)(expires_s / SECONDS_PER_DAY), true, &b)) != VAULT_OK)
		goto out;
	row.item.expires_s = expires_s;
	row.item.bucket = b.id.part;
	if ((err = item_seal(t, &row, &t->room->item, t->room->bucket)) != VAULT_OK)
		goto out;
	if ((err = item_store(t, &row, 0)) != VAULT_OK || (err = bucket_leave(t, &old, id)) != VAULT_OK)
		goto out;
	err = bucket_join(t, &b, id, item_due_s(&row.item));
out:
	room_wipe(t);
	return err;
}

vault_err tree_item_void(struct tree *t, const vault_id *id)
{
	struct item_row row;
	vault_err err;

	if (t->dead || t->txn == NULL)
		return VAULT_E_STATE;
	if ((err = item_load(t, t->txn, id, &row)) != VAULT_OK)
		return err;
	const struct bucket_id bid = item_bucket(&row.item);
	if ((row.item.flags & ITEM_DOOMED) != 0 && (err = work_del(t, WORK_ITEM, id->b, VAULT_ID_BYTES)) != VAULT_OK)
		return err;
	if ((err = row_del(t, DB_ITEM, id->b, VAULT_ID_BYTES)) != VAULT_OK)
		return err;
	return bucket_leave(t, &bid, id);
}

vault_err tree_doom(struct tree *t, const vault_id *id)
{
	struct item_row row;
	vault_err err;

	if (t->dead || t->txn == NULL)
		return VAULT_E_STATE;
	if ((err = item_load(t, t->txn, id, &row)) != VAULT_OK)
		return err;
	if ((row.item.flags & ITEM_DOOMED) != 0)
		return VAULT_OK;
	if ((row.item.flags & ITEM_HELD) != 0)
		return VAULT_E_DENIED;
	reserve_release(t);              /* an erasure must succeed on a full disk */
	row.item.flags |= ITEM_DOOMED;
	if ((err = item_store(t, &row, 0)) != VAULT_OK)
		return err;
	return work_put(t, WORK_ITEM, id->b, VAULT_ID_BYTES);
}

vault_err tree_items(struct tree *t, uint32_t tenant, uint64_t from_ms, uint64_t to_ms, tree_item_fn fn, void *arg)
{
	uint8_t first[VAULT_ID_BYTES] = {0};
	struct item_row row;
	MDB_cursor *c;
	struct view view;
	vault_id id;
	vault_err err;

	if (from_ms >> 48 != 0)
		return VAULT_OK;
	store_be64(first, from_ms << 16);
	if ((err = view_begin(t, &view)) != VAULT_OK)
		return err;
	MDB_val k = {.mv_size = sizeof(first), .mv_data = first}, v;
	int rc = mdb_cursor_open(view.txn, t->db[DB_ITEM], &c);
	if (rc != 0) {
		view_end(t, &view);
		return lmdb_err(rc);
	}
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); rc == 0; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (k.mv_size != VAULT_ID_BYTES) {
			err = VAULT_E_CORRUPT;
			break;
		}
		memcpy(id.b, k.mv_data, VAULT_ID_BYTES);
		if (vault_id_time_ms(&id) >= to_ms)
			break;
		if ((err = item_decode(&id, &v, &row)) != VAULT_OK)
			break;
		if (tenant != 0 && row.item.tenant != tenant)
			continue;
		if ((err = fn(arg, &row.item)) != VAULT_OK)
			break;
	}
	mdb_cursor_close(c);
	view_end(t, &view);
	return rc == 0 || rc == MDB_NOTFOUND ? err : lmdb_err(rc);
}
