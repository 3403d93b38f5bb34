/*
 * recover.c - the index catches up with the volumes.
 *
 * Frames are taken in the order they lie in; what the index has already is
 * skipped by position, so a replay from any earlier mark changes nothing. Only
 * recordings without an end are held in memory.
 */
#include "front/index/db.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/wire.h"
#include "crypto/aead.h"

#define BUCKETS 16384u
#define COMMIT_EVERY 20000u          /* puts in one transaction */
#define PROGRESS_EVERY (16ull * 1024 * 1024)

struct rec {                         /* a recording without an end */
	struct rec *next;
	struct index_row row;
	struct index_segment seg;    /* the last one; valid with have_seg */
	bool have_seg;
};

struct run {
	const struct catch_up *c;
	struct rec *bucket[BUCKETS];
	uint64_t volume, offset;     /* end of the last frame of this lane */
	size_t puts;
	uint64_t done, told_at;
	struct index_row *told;      /* for c->fn, after the last commit */
	size_t n_told;
};

static struct rec **slot(struct run *r, const vault_id *id)
{
	return &r->bucket[load_le32(id->b + 12) % BUCKETS];
}

static struct rec *rec_find(struct run *r, const vault_id *id)
{
	struct rec *rec = *slot(r, id);

	while (rec != NULL && !vault_id_equal(&rec->row.id, id))
		rec = rec->next;
	return rec;
}

static struct rec *rec_add(struct run *r, const struct index_row *row)
{
	struct rec *rec = calloc(1, sizeof *rec);

	if (rec != NULL) {
		rec->row = *row;
		rec->next = *slot(r, &row->id);
		*slot(r, &row->id) = rec;
	}
	return rec;
}

static void rec_free(struct rec *rec)
{
	index_segment_free(&rec->seg);
	free(rec);
}

static void rec_drop(struct run *r, struct rec *rec)
{
	struct rec **p = slot(r, &rec->row.id);

	while (*p != rec)
		p = &(*p)->next;
	*p = rec->next;
	rec_free(rec);
}

/* A recording that the index has and that has not ended. NULL in *out: nothing to do with its frames. */
static vault_err rec_load(struct run *r, const vault_id *id, struct rec **out)
{
	struct index_row row;

	*out = NULL;
	vault_err err = index_get(r->c->ix, id, &row);
	if (err == VAULT_E_NOTFOUND || (err == VAULT_OK && row.state != ROW_LIVE))
		return VAULT_OK;
	if (err != VAULT_OK)
		return err;
	struct rec *rec = rec_add(r, &row);
	if (rec == NULL)
		return VAULT_E_NOMEM;
	err = index_get_segment(r->c->ix, id, row.segments > 0 ? row.segments - 1 : 0, &rec->seg);
	rec->have_seg = err == VAULT_OK;
	*out = rec;
	return err == VAULT_E_NOTFOUND ? VAULT_OK : err;
}

static vault_err commit_sometimes(struct run *r)
{
	if (++r->puts < COMMIT_EVERY)
		return VAULT_OK;
	r->puts = 0;
	vault_err err = index_commit(r->c->ix);
	return err == VAULT_OK ? index_begin(r->c->ix) : err;
}

static vault_err seg_flush(struct run *r, struct rec *rec)
{
	if (!rec->have_seg)
		return VAULT_OK;
	vault_err err = index_put_segment(r->c->ix, &rec->row.id, &rec->seg);
	return err == VAULT_OK ? commit_sometimes(r) : err;
}

static vault_err rec_flush(struct run *r, struct rec *rec)
{
	vault_err err = index_put(r->c->ix, &rec->row);
	return err == VAULT_OK ? seg_flush(r, rec) : err;
}

static vault_err tell(struct run *r, const struct index_row *row)
{
	if (r->c->fn == NULL)
		return VAULT_OK;
	struct index_row *more = realloc(r->told, (r->n_told + 1) * sizeof *more);
	if (more == NULL)
		return VAULT_E_NOMEM;
	r->told = more;
	r->told[r->n_told++] = *row;
	return VAULT_OK;
}

/* ---- frames ---- */

static vault_err on_open(struct run *r, uint32_t lane, const struct frame *f, const struct extent *where,
    const uint8_t *payload)
{
	struct reader in;
	struct index_row row, known;
	size_t len = 0;

	vault_err err = index_get(r->c->ix, &f->id, &known);
	if (err != VAULT_E_NOTFOUND)
		return err;                          /* OK: replayed, or a repeated id; the first one counts */
	reader_init(&in, payload, f->length);
	const uint8_t *text = read_blob32(&in, f->length, &len);
	if (text == NULL || index_row_from_clear(&row, (const char *)text, len) != VAULT_OK) {
		log_error("event=bad_recording_open lane=%u volume=%llu offset=%llu", lane,
		    (unsigned long long)where->volume, (unsigned long long)where->offset);
		return VAULT_OK;
	}
	row.id = f->id;
	row.lane = lane;
	row.open = *where;
	return rec_add(r, &row) != NULL ? VAULT_OK : VAULT_E_NOMEM;
}

static vault_err seg_begin(struct run *r, struct rec *rec, uint32_t segment)
{
	vault_err err = seg_flush(r, rec);

	index_segment_free(&rec->seg);
	rec->seg = (struct index_segment){ .segment = segment, .stream_offset = rec->row.bytes };
	rec->have_seg = true;
	return err;
}

static vault_err on_segment_open(struct run *r, struct rec *rec, const struct frame *f, const struct extent *where,
    const uint8_t *payload)
{
	struct segment_open open;
	vault_err err = VAULT_OK;

	if (f->segment < rec->row.segments)
		return VAULT_OK;
	if (segment_open_decode(&open, payload, f->length) != VAULT_OK) {
		log_error("event=bad_segment_open volume=%llu offset=%llu", (unsigned long long)where->volume,
		    (unsigned long long)where->offset);
		return VAULT_OK;
	}
	if (!rec->have_seg || rec->seg.segment != f->segment)
		err = seg_begin(r, rec, f->segment);
	if (err != VAULT_OK)
		return err;
	rec->seg.start_us = open.start_us;
	rec->row.segments = f->segment + 1;
	return index_segment_add(&rec->seg, where);
}

static vault_err on_end(struct run *r, struct rec *rec, const struct frame *f)
{
	rec->row.state = (f->flags & FRAME_FLAG_TRUNCATED) != 0 ? ROW_TRUNCATED : ROW_ENDED;
	rec->row.duration_us = f->media_us;
	vault_err err = rec_flush(r, rec);
	if (err == VAULT_OK)
		err = tell(r, &rec->row);
	rec_drop(r, rec);
	return err;
}

static vault_err on_body(struct run *r, struct rec *rec, const struct frame *f, const struct extent *where,
    const uint8_t *payload)
{
	struct gap gap;
	vault_err err = VAULT_OK;

	if (!rec->have_seg || (f->type == FRAME_RECORDING_END && f->segment > rec->seg.segment))
		err = seg_begin(r, rec, f->segment); /* no segment yet, or the open frame of the last one is lost */
	else if (f->segment != rec->seg.segment)
		return VAULT_OK;                     /* an earlier segment, replayed; or one whose open frame is lost */
	if (err == VAULT_OK)
		err = index_segment_add(&rec->seg, where);
	if (err != VAULT_OK)
		return err;
	if (f->type == FRAME_RECORDING_END)
		return on_end(r, rec, f);
	if (f->type == FRAME_GAP) {
		if (gap_decode(&gap, payload, f->length) == VAULT_OK)
			rec->row.gap_us += gap.to_us - gap.from_us;
		return VAULT_OK;
	}
	if (f->type == FRAME_CHUNK && f->length >= AEAD_TAG_BYTES)
		rec->row.bytes += f->length - AEAD_TAG_BYTES;
	if (f->media_us > rec->row.duration_us)
		rec->row.duration_us = f->media_us;
	return VAULT_OK;
}

static vault_err on_frame(void *arg, uint32_t lane, uint64_t volume, const struct frame *f, uint64_t offset,
    const uint8_t *payload)
{
	struct run *r = arg;
	struct extent where = { .volume = volume, .offset = offset, .length = frame_span(f->length),
		.first_chunk = f->chunk, .chunks = f->type == FRAME_CHUNK ? 1 : 0 };
	vault_err err = VAULT_OK;

	r->volume = volume;
	r->offset = offset + where.length;
	r->done += where.length;
	if (r->c->progress != NULL && r->done - r->told_at >= PROGRESS_EVERY) {
		r->told_at = r->done;
		r->c->progress(r->c->progress_arg, r->done < r->c->all ? r->done : r->c->all, r->c->all);
	}
	if (f->type == FRAME_FREE)
		return VAULT_OK;
	struct rec *rec = rec_find(r, &f->id);
	if (rec == NULL && f->type == FRAME_RECORDING_OPEN)
		return on_open(r, lane, f, &where, payload);
	if (rec == NULL)
		err = rec_load(r, &f->id, &rec);
	if (err != VAULT_OK || rec == NULL || f->type == FRAME_RECORDING_OPEN)
		return err;
	if (f->type == FRAME_SEGMENT_OPEN)
		err = on_segment_open(r, rec, f, &where, payload);
	else
		err = on_body(r, rec, f, &where, payload);
	return err == VAULT_E_EXISTS ? VAULT_OK : err;
}

/* ---- recordings without an end ---- */

/* Those the index knew as live and of which no frame came by. */
static vault_err load_live(struct run *r)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	vault_id id;
	struct rec *rec;

	vault_err err = lmdb_err(mdb_cursor_open(r->c->ix->write, r->c->ix->live, &cursor));
	if (err != VAULT_OK)
		return err;
	err = lmdb_err(mdb_cursor_get(cursor, &key, &value, MDB_FIRST));
	for (; err == VAULT_OK; err = lmdb_err(mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		if (key.mv_size != VAULT_ID_BYTES) {
			err = VAULT_E_CORRUPT;
			break;
		}
		memcpy(id.b, key.mv_data, VAULT_ID_BYTES);
		if (rec_find(r, &id) == NULL)
			err = rec_load(r, &id, &rec);
		if (err != VAULT_OK)
			break;
	}
	mdb_cursor_close(cursor);
	return err == VAULT_E_NOTFOUND ? VAULT_OK : err;
}

static struct frame end_frame(const struct rec *rec)
{
	struct frame f = { .type = FRAME_RECORDING_END, .flags = FRAME_FLAG_TRUNCATED, .id = rec->row.id,
		.media_us = rec->row.duration_us, .payload_hash = frame_hash("", 0) };

	if (rec->have_seg && rec->seg.n_extents > 0) {
		const struct extent *last = &rec->seg.extents[rec->seg.n_extents - 1];
		f.segment = rec->seg.segment;
		f.chunk = last->first_chunk + last->chunks;
	}
	return f;
}

/* One write for all of the lane. Without room the index alone knows that they are truncated. */
static vault_err append_ends(struct run *r, uint32_t lane, struct rec **recs, size_t n)
{
	uint64_t volume, offset;
	uint8_t *frames = calloc(n, FRAME_HEADER_BYTES);

	if (frames == NULL)
		return VAULT_E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		struct frame f = end_frame(recs[i]);
		if (i == 0)
			f.flags |= FRAME_FLAG_BATCH;
		frame_encode(&f, frames + i * FRAME_HEADER_BYTES);
	}
	vault_err err = volume_set_append(r->c->volumes, lane, frames, n * FRAME_HEADER_BYTES, &volume, &offset);
	free(frames);
	if (err != VAULT_OK) {
		log_warn("event=no_end_frames lane=%u recordings=%zu error=%d", lane, n, (int)err);
		return err == VAULT_E_NOMEM ? err : VAULT_OK;
	}
	for (size_t i = 0; i < n && err == VAULT_OK; i++) {
		struct frame f = end_frame(recs[i]);
		struct extent where = { .volume = volume, .offset = offset + i * FRAME_HEADER_BYTES,
			.length = FRAME_HEADER_BYTES, .first_chunk = f.chunk };
		if (!recs[i]->have_seg)
			err = seg_begin(r, recs[i], 0);
		if (err == VAULT_OK)
			err = index_segment_add(&recs[i]->seg, &where);
	}
	if (err == VAULT_OK)
		err = index_set_low_water(r->c->ix, lane, volume, offset + n * FRAME_HEADER_BYTES);
	return err;
}

static int compare_recs(const void *a, const void *b)
{
	const struct rec *x = *(struct rec *const *)a, *y = *(struct rec *const *)b;

	if (x->row.lane != y->row.lane)
		return x->row.lane < y->row.lane ? -1 : 1;
	return memcmp(x->row.id.b, y->row.id.b, VAULT_ID_BYTES);
}

/* All recordings in memory, by lane and id. The caller frees *list. */
static vault_err list_recs(struct run *r, struct rec ***list, size_t *n)
{
	size_t count = 0, k = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct rec *rec = r->bucket[i]; rec != NULL; rec = rec->next)
			count++;
	}
	*n = count;
	*list = calloc(count > 0 ? count : 1, sizeof(struct rec *));
	if (*list == NULL)
		return VAULT_E_NOMEM;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct rec *rec = r->bucket[i]; rec != NULL; rec = rec->next)
			(*list)[k++] = rec;
	}
	qsort(*list, count, sizeof(struct rec *), compare_recs);
	return VAULT_OK;
}

static vault_err settle_live(struct run *r)
{
	struct rec **recs;
	size_t n;

	vault_err err = r->c->close_live ? load_live(r) : VAULT_OK;
	if (err == VAULT_OK)
		err = list_recs(r, &recs, &n);
	if (err != VAULT_OK)
		return err;
	for (size_t i = 0; r->c->close_live && i < n && err == VAULT_OK;) {
		size_t k = i;
		while (k < n && recs[k]->row.lane == recs[i]->row.lane)
			k++;
		err = append_ends(r, recs[i]->row.lane, recs + i, k - i);
		i = k;
	}
	for (size_t i = 0; i < n && err == VAULT_OK; i++) {
		if (r->c->close_live)
			recs[i]->row.state = ROW_TRUNCATED;
		err = rec_flush(r, recs[i]);
		if (err == VAULT_OK && r->c->close_live)
			err = tell(r, &recs[i]->row);
	}
	free(recs);
	return err;
}

/* ---- the run ---- */

static vault_err run_lanes(struct run *r)
{
	uint32_t lanes;
	uint64_t next;

	vault_err err = volume_set_lanes(r->c->volumes, &lanes);
	for (uint32_t lane = 0; lane < lanes && err == VAULT_OK; lane++) {
		uint64_t from_volume, from_offset;
		err = index_low_water(r->c->ix, lane, &from_volume, &from_offset);
		if (err != VAULT_OK)
			break;
		r->volume = from_volume;
		r->offset = from_offset;
		err = volume_set_recover(r->c->volumes, lane, from_volume, from_offset, on_frame, r, &next);
		if (err == VAULT_OK && r->volume > 0)
			err = index_set_low_water(r->c->ix, lane, r->volume, r->offset);
	}
	return err;
}

vault_err index_catch_up(const struct catch_up *c)
{
	struct run *r = calloc(1, sizeof *r);

	if (r == NULL)
		return VAULT_E_NOMEM;
	r->c = c;
	vault_err err = index_begin(c->ix);
	if (err == VAULT_OK)
		err = run_lanes(r);
	if (err == VAULT_OK)
		err = settle_live(r);
	if (err == VAULT_OK)
		err = index_commit(c->ix);
	if (err != VAULT_OK)
		index_abort(c->ix);
	for (size_t i = 0; err == VAULT_OK && i < r->n_told; i++)
		c->fn(c->arg, &r->told[i]);
	for (size_t i = 0; i < BUCKETS; i++) {
		while (r->bucket[i] != NULL) {
			struct rec *rec = r->bucket[i];
			r->bucket[i] = rec->next;
			rec_free(rec);
		}
	}
	free(r->told);
	free(r);
	return err;
}

vault_err index_recover(struct index *ix, struct volume_set *v, index_orphan_fn fn, void *arg)
{
	struct catch_up c = { .ix = ix, .volumes = v, .close_live = true, .fn = fn, .arg = arg };

	return index_catch_up(&c);
}
