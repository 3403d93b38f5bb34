/*
 * index_writer.c - see index_writer.h.
 *
 * A note that could not be committed stays as it is and is tried again. When a
 * completion cannot be noted (no memory) the low-water mark stays before it, so
 * that recovery finds it.
 */
#include "front/ingest/index_writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/wire.h"
#include "front/ingest/list.h"

#define BUCKETS 8192u
#define COMMIT_BYTES (4u * 1024 * 1024)      /* of rows and segments in one ordinary commit */
#define NOTE_COST 512u

struct past {                        /* a segment that is complete and not in the index yet */
	struct past *next;
	struct index_segment seg;
};

struct note {
	struct index_writer *w;
	struct note *next;           /* in its bucket */
	void *owner;
	struct link dirty;
	uint64_t volume, offset;     /* of the first frame that is not in the index; valid while dirty */
	struct index_row row;
	struct index_segment seg;    /* the last one; valid with have_seg */
	bool have_seg;
	struct past *past;
	bool stored, fresh, released, taken;
};

struct index_writer {
	struct index *index;
	uint32_t lane;
	struct note *bucket[BUCKETS];
	size_t notes;
	struct link dirty;           /* in the order of their first change */
	uint64_t volume, offset;     /* end of the last completion */
	bool frozen;                 /* a completion was lost: the mark stays */
	bool failing;                /* the last commit failed */
};

vault_err index_writer_new(struct index_writer **out, struct index *index, uint32_t lane)
{
	*out = NULL;
	struct index_writer *w = calloc(1, sizeof *w);
	if (w == NULL)
		return VAULT_E_NOMEM;
	w->index = index;
	w->lane = lane;
	link_init(&w->dirty);
	*out = w;
	return VAULT_OK;
}

static struct note **bucket_of(struct index_writer *w, const vault_id *id)
{
	return &w->bucket[load_le32(id->b + 12) % BUCKETS];
}

struct note *index_writer_find(struct index_writer *w, const vault_id *id)
{
	struct note *n = *bucket_of(w, id);

	while (n != NULL && !vault_id_equal(&n->row.id, id))
		n = n->next;
	return n;
}

static void free_past(struct note *n)
{
	while (n->past != NULL) {
		struct past *p = n->past;
		n->past = p->next;
		index_segment_free(&p->seg);
		free(p);
	}
}

static void note_drop(struct note *n)
{
	struct note **p = bucket_of(n->w, &n->row.id);

	while (*p != n)
		p = &(*p)->next;
	*p = n->next;
	n->w->notes--;
	link_remove(&n->dirty);
	free_past(n);
	index_segment_free(&n->seg);
	free(n);
}

void index_writer_free(struct index_writer *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (w->bucket[i] != NULL)
			note_drop(w->bucket[i]);
	}
	free(w);
}

vault_err note_new(struct note **out, struct index_writer *w, const struct index_row *row, void *owner)
{
	*out = NULL;
	if (index_writer_find(w, &row->id) != NULL)
		return VAULT_E_EXISTS;
	struct note *n = calloc(1, sizeof *n);
	if (n == NULL)
		return VAULT_E_NOMEM;
	n->w = w;
	n->row = *row;
	n->owner = owner;
	n->fresh = true;
	link_init(&n->dirty);
	n->next = *bucket_of(w, &row->id);
	*bucket_of(w, &row->id) = n;
	w->notes++;
	*out = n;
	return VAULT_OK;
}

void *note_owner(const struct note *n)
{
	return n->owner;
}

const struct index_row *note_row(const struct note *n)
{
	return &n->row;
}

bool note_stored(const struct note *n)
{
	return n->stored;
}

static void mark(struct note *n, uint64_t volume, uint64_t offset)
{
	if (!link_alone(&n->dirty))
		return;
	n->volume = volume;
	n->offset = offset;
	link_append(&n->w->dirty, &n->dirty);
}

void note_change(struct note *n, uint64_t expires_s, uint32_t policy, uint8_t flags)
{
	n->row.expires_s = expires_s;
	n->row.policy = policy;
	n->row.flags = flags;
	if (n->stored)
		mark(n, n->w->volume, n->w->offset);
}

void note_cut_off(struct note *n)
{
	if (n->row.state != ROW_LIVE)
		return;
	n->row.state = ROW_TRUNCATED;
	if (n->stored)
		mark(n, n->w->volume, n->w->offset);
}

/* ---- completions ---- */

static vault_err segment_begin(struct note *n, uint32_t segment)
{
	if (n->have_seg) {
		struct past *p = malloc(sizeof *p);
		if (p == NULL)
			return VAULT_E_NOMEM;
		p->seg = n->seg;             /* with its extents */
		p->next = n->past;
		n->past = p;
	}
	n->seg = (struct index_segment){ .segment = segment, .stream_offset = n->row.bytes };
	n->have_seg = true;
	return VAULT_OK;
}

static vault_err take(struct note *n, const struct store_done *done)
{
	vault_err err = VAULT_OK;

	if (done->op == STORE_OPEN) {
		n->row.open = done->where;
		n->stored = true;
		return VAULT_OK;
	}
	if (!n->have_seg || done->segment != n->seg.segment)
		err = segment_begin(n, done->segment);
	if (err == VAULT_OK)
		err = index_segment_add(&n->seg, &done->where);
	if (err != VAULT_OK)
		return err;
	switch (done->op) {
	case STORE_SEGMENT_OPEN:
		n->seg.start_us = done->media_us;
		n->row.segments = done->segment + 1;
		break;
	case STORE_GAP:
		n->row.gap_us += done->until_us - done->media_us;
		break;
	case STORE_RECORDING_END:
		n->row.state = (done->manifest->flags & MANIFEST_TRUNCATED) != 0 ? ROW_TRUNCATED : ROW_ENDED;
		n->row.duration_us = done->media_us;
		break;
	default:
		if (done->media_us > n->row.duration_us)
			n->row.duration_us = done->media_us;
		break;
	}
	n->row.bytes = done->bytes;
	return VAULT_OK;
}

void note_done(struct note *n, const struct store_done *done)
{
	struct index_writer *w = n->w;

	mark(n, done->where.volume, done->where.offset);
	if (take(n, done) != VAULT_OK && !w->frozen) {
		w->frozen = true;
		w->volume = done->where.volume;
		w->offset = done->where.offset;
		log_error("event=index_behind lane=%u hint=caught_up_at_the_next_start", w->lane);
	}
	if (!w->frozen) {
		w->volume = done->where.volume;
		w->offset = done->where.offset + done->where.length;
	}
}

void note_release(struct note *n)
{
	n->released = true;
	n->owner = NULL;
	if (!n->stored || link_alone(&n->dirty))
		note_drop(n);
}

/* ---- commits ---- */

static size_t note_cost(const struct note *n)
{
	size_t extents = n->seg.n_extents;

	for (const struct past *p = n->past; p != NULL; p = p->next)
		extents += p->seg.n_extents;
	return NOTE_COST + extents * sizeof(struct extent);
}

static vault_err put(struct note *n)
{
	vault_err err = index_put(n->w->index, &n->row);

	for (const struct past *p = n->past; p != NULL && err == VAULT_OK; p = p->next)
		err = index_put_segment(n->w->index, &n->row.id, &p->seg);
	if (err == VAULT_OK && n->have_seg)
		err = index_put_segment(n->w->index, &n->row.id, &n->seg);
	return err;
}

/* The first frame that the index does not have once every taken note is in. */
static void low_water(const struct index_writer *w, uint64_t *volume, uint64_t *offset)
{
	*volume = w->volume;
	*offset = w->offset;
	for (const struct link *l = w->dirty.next; l != &w->dirty; l = l->next) {
		const struct note *n = LINK_OF(l, struct note, dirty);
		if (n->taken)
			continue;
		if (n->volume < *volume || (n->volume == *volume && n->offset < *offset)) {
			*volume = n->volume;
			*offset = n->offset;
		}
		return;                      /* the list is in this order */
	}
}

static vault_err write_taken(struct index_writer *w)
{
	uint64_t volume, offset;
	vault_err err = index_begin(w->index);

	if (err != VAULT_OK)
		return err;
	for (struct link *l = w->dirty.next; l != &w->dirty && err == VAULT_OK; l = l->next) {
		struct note *n = LINK_OF(l, struct note, dirty);
		if (n->taken)
			err = put(n);
	}
	low_water(w, &volume, &offset);
	if (err == VAULT_OK && volume > 0)
		err = index_set_low_water(w->index, w->lane, volume, offset);
	if (err == VAULT_OK)
		err = index_commit(w->index);
	if (err != VAULT_OK)
		index_abort(w->index);
	return err;
}

static vault_err commit_taken(struct index_writer *w)
{
	vault_err err = write_taken(w);

	for (struct link *l = w->dirty.next, *next; l != &w->dirty; l = next) {
		struct note *n = LINK_OF(l, struct note, dirty);
		next = l->next;
		if (!n->taken)
			continue;
		n->taken = false;
		if (err != VAULT_OK)
			continue;
		n->fresh = false;
		free_past(n);
		link_remove(&n->dirty);
		if (n->released)
			note_drop(n);
	}
	if (err != VAULT_OK && !w->failing)
		log_error("event=index_commit_failed lane=%u error=%d", w->lane, (int)err);
	w->failing = err != VAULT_OK;
	return err;
}

vault_err index_writer_commit(struct index_writer *w)
{
	size_t cost = 0;

	if (link_alone(&w->dirty))
		return VAULT_OK;
	for (struct link *l = w->dirty.next; l != &w->dirty && cost < COMMIT_BYTES; l = l->next) {
		struct note *n = LINK_OF(l, struct note, dirty);
		n->taken = true;
		cost += note_cost(n);
	}
	return commit_taken(w);
}

vault_err index_writer_flush(struct index_writer *w, const vault_id *id)
{
	bool any = false;

	for (struct link *l = w->dirty.next; l != &w->dirty; l = l->next) {
		struct note *n = LINK_OF(l, struct note, dirty);
		n->taken = n->stored && (n->fresh || n->released || (id != NULL && vault_id_equal(id, &n->row.id)));
		any = any || n->taken;
	}
	return any ? commit_taken(w) : VAULT_OK;
}

vault_err index_writer_finish(struct index_writer *w)
{
	if (link_alone(&w->dirty))
		return VAULT_OK;
	for (struct link *l = w->dirty.next; l != &w->dirty; l = l->next)
		LINK_OF(l, struct note, dirty)->taken = true;
	return commit_taken(w);
}
