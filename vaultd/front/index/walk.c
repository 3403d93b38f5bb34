/*
 * walk.c - going over many rows: lists, counts, and all extents of a recording.
 *
 * Loop thread only. A walk reads one snapshot (or the open transaction).
 */
#include "front/index/db.h"

#include <stdlib.h>
#include <string.h>

/* start_ms comes from the same moment as the id; allow for the clock's small steps. */
#define ID_SLACK_MS 60000u

static bool row_matches(const struct index_filter *f, const struct index_row *row)
{
	if (f->tenant != NULL && strcmp(f->tenant, row->tenant) != 0)
		return false;
	if (f->media != 0 && (f->media & row->media) == 0)
		return false;
	return row->start_ms >= f->from_ms && (f->to_ms == 0 || row->start_ms < f->to_ms);
}

/* The smallest id made at or after ms. */
static vault_id first_id(uint64_t ms)
{
	vault_id id = { { 0 } };

	for (int i = 5; i >= 0; i--, ms >>= 8)
		id.b[i] = (uint8_t)ms;
	return id;
}

static vault_err walk_rows(MDB_cursor *cursor, const struct index_filter *f, index_row_fn fn, void *arg)
{
	vault_id start = first_id(f->from_ms > ID_SLACK_MS ? f->from_ms - ID_SLACK_MS : 0);
	vault_id id = memcmp(f->after.b, start.b, VAULT_ID_BYTES) > 0 ? f->after : start;
	MDB_val key = { VAULT_ID_BYTES, id.b }, value;
	struct index_row row;

	vault_err err = lmdb_err(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
	for (; err == VAULT_OK; err = lmdb_err(mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		if (key.mv_size != VAULT_ID_BYTES)
			return VAULT_E_CORRUPT;
		memcpy(id.b, key.mv_data, VAULT_ID_BYTES);
		if (vault_id_equal(&id, &f->after))
			continue;
		err = row_decode(&row, &id, value.mv_data, value.mv_size);
		if (err == VAULT_OK && row_matches(f, &row))
			err = fn(arg, &row);
		if (err != VAULT_OK)
			return err;
	}
	return err == VAULT_E_NOTFOUND ? VAULT_OK : err;
}

vault_err index_walk(struct index *ix, const struct index_filter *f, index_row_fn fn, void *arg)
{
	MDB_txn *txn = ix->write;
	MDB_cursor *cursor;

	if (txn == NULL) {
		/* Not the cached transaction: fn may read rows itself. */
		vault_err err = lmdb_err(mdb_txn_begin(ix->env, NULL, MDB_RDONLY, &txn));
		if (err != VAULT_OK)
			return err;
	}
	bool own = txn != ix->write;
	ix->walking++;
	vault_err err = lmdb_err(mdb_cursor_open(txn, ix->row, &cursor));
	if (err == VAULT_OK) {
		err = walk_rows(cursor, f, fn, arg);
		mdb_cursor_close(cursor);
	}
	ix->walking--;
	if (own)
		mdb_txn_abort(txn);
	return err;
}

vault_err index_count(struct index *ix, uint64_t *rows)
{
	MDB_txn *txn;
	MDB_stat st;

	vault_err err = db_read_begin(ix, &txn);
	if (err == VAULT_OK) {
		err = lmdb_err(mdb_stat(txn, ix->row, &st));
		if (err == VAULT_OK)
			*rows = st.ms_entries;
		db_read_end(ix);
	}
	return err;
}

static vault_err extents_append(struct extent **list, size_t *n, const struct extent *more, size_t n_more)
{
	if (n_more == 0)
		return VAULT_OK;
	struct extent *p = realloc(*list, (*n + n_more) * sizeof *p);
	if (p == NULL)
		return VAULT_E_NOMEM;
	memcpy(p + *n, more, n_more * sizeof *p);
	*list = p;
	*n += n_more;
	return VAULT_OK;
}

static vault_err collect_segments(struct index *ix, MDB_txn *txn, const vault_id *id, struct extent **extents,
    size_t *n)
{
	uint8_t first[SEGMENT_KEY_BYTES];
	MDB_val key = { sizeof first, first }, value;
	MDB_cursor *cursor;

	db_segment_key(first, id, 0);
	vault_err err = lmdb_err(mdb_cursor_open(txn, ix->segment, &cursor));
	if (err != VAULT_OK)
		return err;
	err = lmdb_err(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
	while (err == VAULT_OK && key.mv_size == SEGMENT_KEY_BYTES && memcmp(key.mv_data, id->b, VAULT_ID_BYTES) == 0) {
		struct index_segment s;
		err = segment_decode(&s, 0, value.mv_data, value.mv_size);
		if (err == VAULT_OK) {
			err = extents_append(extents, n, s.extents, s.n_extents);
			index_segment_free(&s);
		}
		if (err == VAULT_OK)
			err = lmdb_err(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
	}
	mdb_cursor_close(cursor);
	return err == VAULT_E_NOTFOUND ? VAULT_OK : err;
}

vault_err index_extents(struct index *ix, const vault_id *id, uint32_t *lane, struct extent **extents, size_t *n)
{
	struct index_row row;
	MDB_txn *txn;

	*extents = NULL;
	*n = 0;
	vault_err err = index_get(ix, id, &row);
	if (err != VAULT_OK)
		return err;
	*lane = row.lane;
	if (row.open.length > 0)
		err = extents_append(extents, n, &row.open, 1);
	if (err == VAULT_OK)
		err = db_read_begin(ix, &txn);
	if (err == VAULT_OK) {
		err = collect_segments(ix, txn, id, extents, n);
		db_read_end(ix);
	}
	if (err != VAULT_OK) {
		free(*extents);
		*extents = NULL;
		*n = 0;
	}
	return err;
}
