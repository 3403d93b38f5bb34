/*
 * open.c - see open.h.
 */
#include "exporter/open.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "crypto/aead.h"

#define OFFSET_TEXT_MAX 64u

enum state { WANT_OPEN, WANT_SEGMENT, IN_SEGMENT, SEGMENT_CLOSED, ENDED };

struct opener {
	enum state state;
	struct ipc_job job;
	bool range;                  /* segments may be left out, totals are not checked */
	struct opener_calls calls;
	struct segment_key *key;     /* guarded; of the segment that was opened last */
	uint32_t segment;            /* its number */
	uint32_t chunk;              /* number of the next chunk in it */
	uint64_t segment_bytes;
	bool offset_known;           /* a ROW frame told where the next segment begins */
	uint64_t offset;
	bool truncated;              /* the end frame says so */
	struct opener_totals totals;
};

vault_err opener_new(struct opener **out, const struct ipc_job *job, const struct opener_calls *calls)
{
	struct opener *o = calloc(1, sizeof(*o));
	if (o == NULL)
		return VAULT_E_NOMEM;
	o->key = secret_alloc(sizeof(*o->key));
	if (o->key == NULL) {
		free(o);
		return VAULT_E_NOMEM;
	}
	o->job = *job;
	o->calls = *calls;
	o->range = job->from_us != 0 || job->to_us != UINT64_MAX;
	*out = o;
	return VAULT_OK;
}

void opener_free(struct opener *o)
{
	if (o == NULL)
		return;
	secret_free(o->key);
	free(o);
}

/* The clear part and the sealed metadata are the keeper's and the index's; here only their shape matters. */
static vault_err on_recording_open(struct opener *o, const struct frame_view *v)
{
	if (o->state != WANT_OPEN)
		return VAULT_E_PROTO;
	if (frame_hash(v->payload, v->f.length) != v->f.payload_hash)
		return VAULT_E_CORRUPT;
	o->state = WANT_SEGMENT;
	return VAULT_OK;
}

/* {"stream_offset":N}: only before a segment that does not follow on. */
static vault_err on_offset(struct opener *o, const struct frame_view *v)
{
	json_t *row = NULL;
	if (!o->range || o->state == WANT_OPEN || o->state == ENDED)
		return VAULT_E_PROTO;
	vault_err err = json_read((const char *)v->payload, v->f.length, OFFSET_TEXT_MAX, &row);
	if (err != VAULT_OK)
		return err;
	err = json_u64(row, "stream_offset", &o->offset);
	json_decref(row);
	o->offset_known = err == VAULT_OK;
	return err;
}

static bool is_next_segment(const struct opener *o, uint32_t segment)
{
	if (o->state == WANT_OPEN || o->state == ENDED)
		return false;
	if (o->state == WANT_SEGMENT)
		return segment == 0;
	return o->range ? segment > o->segment : segment == o->segment + 1;
}

static vault_err on_segment_open(struct opener *o, const struct frame_view *v)
{
	struct segment_open s;
	if (!is_next_segment(o, v->f.segment))
		return VAULT_E_PROTO;
	vault_err err = segment_open_decode(&s, v->payload, v->f.length);
	if (err != VAULT_OK)
		return err;
	struct ipc_want_key want = {.job = o->job.job, .id = o->job.id, .segment = v->f.segment, .start_us = s.start_us};
	memcpy(want.salt, s.salt, sizeof(want.salt));
	err = o->calls.key(o->calls.arg, &want, o->key);
	if (err != VAULT_OK)
		return err;
	/* ChaCha20-Poly1305 does not bind its key: without this, two keys could open one chunk. */
	if (sodium_memcmp(o->key->commit, s.commit, sizeof(s.commit)) != 0)
		return VAULT_E_AUTH;
	bool follows = o->state != IN_SEGMENT && (o->state == WANT_SEGMENT || v->f.segment == o->segment + 1);
	if (!follows && o->range) {
		err = o->offset_known ? o->calls.jump(o->calls.arg, o->offset) : VAULT_E_PROTO;
		if (err != VAULT_OK)
			return err;
	}
	o->offset_known = false;
	o->state = IN_SEGMENT;
	o->segment = v->f.segment;
	o->chunk = 0;
	o->segment_bytes = 0;
	o->totals.segments++;
	return VAULT_OK;
}

static vault_err on_chunk(struct opener *o, struct frame_view *v)
{
	if (o->state != IN_SEGMENT || v->f.segment != o->segment || v->f.chunk != o->chunk)
		return VAULT_E_PROTO;
	if (v->f.length < AEAD_TAG_BYTES)
		return VAULT_E_CORRUPT;
	vault_err err = aead_open_chunk(v->payload, v->payload, v->f.length, v->ad, FRAME_AD_BYTES, v->f.chunk, AEAD_CHUNK,
	    o->key->key);
	if (err != VAULT_OK)
		return err;
	size_t n = v->f.length - AEAD_TAG_BYTES;
	o->chunk++;
	o->segment_bytes += n;
	o->totals.chunks++;
	o->totals.bytes += n;
	return o->calls.bytes(o->calls.arg, v->payload, n);
}

static vault_err on_segment_end(struct opener *o, struct frame_view *v)
{
	struct segment_end end;
	if (o->state != IN_SEGMENT || v->f.segment != o->segment)
		return VAULT_E_PROTO;
	if (v->f.length != SEGMENT_END_BYTES + AEAD_TAG_BYTES)
		return VAULT_E_CORRUPT;
	vault_err err = aead_open_chunk(v->payload, v->payload, v->f.length, v->ad, FRAME_AD_BYTES, o->chunk,
	    AEAD_SEGMENT_END, o->key->key);
	if (err == VAULT_OK)
		err = segment_end_decode(&end, v->payload, SEGMENT_END_BYTES);
	if (err != VAULT_OK)
		return err;
	if (end.chunks != o->chunk || end.bytes != o->segment_bytes)
		return VAULT_E_AUTH;
	o->state = SEGMENT_CLOSED;
	return VAULT_OK;
}

static vault_err on_recording_end(struct opener *o, struct frame_view *v)
{
	struct manifest m;
	if (o->state == WANT_OPEN || o->state == ENDED)
		return VAULT_E_PROTO;
	o->truncated = (v->f.flags & FRAME_FLAG_TRUNCATED) != 0;
	if (v->f.length == 0) {
		/* Written after a crash, without a key: it proves nothing, the keeper's totals do. */
		o->state = ENDED;
		return o->truncated ? VAULT_OK : VAULT_E_CORRUPT;
	}
	if (o->state == WANT_SEGMENT || v->f.segment != o->segment || v->f.length != MANIFEST_BYTES + AEAD_TAG_BYTES)
		return VAULT_E_CORRUPT;
	vault_err err = aead_open_chunk(v->payload, v->payload, v->f.length, v->ad, FRAME_AD_BYTES, o->chunk,
	    AEAD_RECORDING_END, o->key->key);
	if (err == VAULT_OK)
		err = manifest_decode(&m, v->payload, MANIFEST_BYTES);
	if (err != VAULT_OK)
		return err;
	if (!o->range && (m.bytes != o->totals.bytes || m.segments != o->totals.segments))
		return VAULT_E_AUTH;
	o->state = ENDED;
	return VAULT_OK;
}

vault_err opener_frame(struct opener *o, struct frame_view *v)
{
	if (v->f.type == FRAME_ROW)
		return on_offset(o, v);
	if (!vault_id_equal(&v->f.id, &o->job.id))
		return VAULT_E_PROTO;
	switch (v->f.type) {
	case FRAME_RECORDING_OPEN:
		return on_recording_open(o, v);
	case FRAME_SEGMENT_OPEN:
		return on_segment_open(o, v);
	case FRAME_CHUNK:
		return on_chunk(o, v);
	case FRAME_SEGMENT_END:
		return on_segment_end(o, v);
	case FRAME_RECORDING_END:
		return on_recording_end(o, v);
	case FRAME_GAP:
		return o->state == WANT_OPEN || o->state == ENDED ? VAULT_E_PROTO : VAULT_OK;
	default:
		return VAULT_E_CORRUPT;
	}
}

vault_err opener_finish(struct opener *o, struct opener_totals *t)
{
	*t = o->totals;
	if (o->state == WANT_OPEN)
		return VAULT_E_SHORT;
	if (o->range)
		return VAULT_OK;
	if (!o->job.ended)           /* still being recorded: what is durable so far */
		return VAULT_OK;
	/* The keeper knows how much there was: a missing tail is an error, never silence. */
	if (o->totals.bytes != o->job.bytes || o->totals.segments != o->job.segments)
		return VAULT_E_SHORT;
	if (o->state != ENDED && !o->job.truncated)
		return VAULT_E_SHORT;
	t->complete = o->state == ENDED && !o->truncated && !o->job.truncated;
	return VAULT_OK;
}
