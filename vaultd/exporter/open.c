/*
 * open.c - see open.h. The state says which frames may come next; everything
 * else is VAULT_E_PROTO. The key lies in guarded memory and is wiped with the
 * opener. Nothing is given on before its tag held.
 */
#include "exporter/open.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "base/wire.h"
#include "crypto/aead.h"

#define OFFSET_TEXT_MAX 64u
#define CLEAR_MAX 2048u

enum state { WANT_OPEN, WANT_SEGMENT, IN_SEGMENT, SEGMENT_CLOSED, ENDED };

struct opener {
	enum state state;
	struct ipc_job job;
	bool range;                  /* segments may be left out; the end time is checked instead of the totals */
	bool jumped, over;           /* over: a range's recording-end frame came */
	struct opener_calls calls;
	struct segment_key *key;     /* guarded; of the segment that was opened last */
	uint32_t segment;            /* its number */
	uint32_t chunk;              /* number of the next chunk in it */
	uint64_t segment_bytes;
	uint64_t gap_us;
	uint64_t end_us;             /* of the last segment that was closed */
	bool offset_known;           /* a ROW frame told where the next segment begins */
	uint64_t offset;
	bool sealed_end;             /* a manifest agreed */
	crypto_hash_sha256_state sha;
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
	(void)crypto_hash_sha256_init(&o->sha);
	o->range = job->from_us != 0 || job->to_us != UINT64_MAX;
	*out = o;
	return VAULT_OK;
}

void opener_free(struct opener *o)
{
	if (o == NULL)
		return;
	secret_free(o->key);
	secret_wipe(o, sizeof(*o));
	free(o);
}

/* The clear part and the sealed metadata are the keeper's and the index's; here only their shape matters. */
static vault_err on_recording_open(struct opener *o, const struct frame_view *v)
{
	struct reader r;
	size_t n = 0;
	if (o->state != WANT_OPEN || v->f.track != 0 || v->f.segment != 0 || v->f.chunk != 0 || v->f.media_us != 0)
		return VAULT_E_PROTO;
	reader_init(&r, v->payload, v->f.length);
	(void)read_blob32(&r, CLEAR_MAX, &n);
	(void)read_blob32(&r, METADATA_MAX + METADATA_OVERHEAD, &n);
	if (reader_finish(&r) != VAULT_OK)
		return VAULT_E_CORRUPT;
	o->state = WANT_SEGMENT;
	return VAULT_OK;
}

/* {"stream_offset":N}: only before a segment that does not follow on. */
static vault_err on_offset(struct opener *o, const struct frame_view *v)
{
	json_t *row = NULL;
	if (!o->range || o->jumped || (o->state != IN_SEGMENT && o->state != SEGMENT_CLOSED))
		return VAULT_E_PROTO;
	vault_err err = json_read((const char *)v->payload, v->f.length, OFFSET_TEXT_MAX, &row);
	if (err != VAULT_OK)
		return err;
	err = json_u64(row, "stream_offset", &o->offset);
	json_decref(row);
	o->offset_known = err == VAULT_OK;
	return err;
}

/* Does this segment follow, and is something left out in front of it? */
static vault_err place_segment(const struct opener *o, uint32_t segment, uint64_t start_us, bool *jump)
{
	*jump = false;
	if (o->state == WANT_SEGMENT)
		return segment == 0 ? VAULT_OK : VAULT_E_PROTO;
	if (o->state == SEGMENT_CLOSED && segment == o->segment + 1)
		return VAULT_OK;
	if (o->state != SEGMENT_CLOSED && o->state != IN_SEGMENT)
		return VAULT_E_PROTO;
	/* Only behind some of segment 0, only once, and only what lies before the range. */
	*jump = true;
	if (!o->range || o->jumped || !o->offset_known || o->segment != 0 || segment == 0 || o->totals.chunks == 0)
		return VAULT_E_PROTO;
	return start_us <= o->job.from_us ? VAULT_OK : VAULT_E_PROTO;
}

static vault_err on_segment_open(struct opener *o, const struct frame_view *v)
{
	struct segment_open s;
	bool jump;
	if (o->state == WANT_OPEN || o->state == ENDED || v->f.chunk != 0 || v->f.track != 0)
		return VAULT_E_PROTO;
	vault_err err = segment_open_decode(&s, v->payload, v->f.length);
	if (err == VAULT_OK && s.start_us != v->f.media_us)
		err = VAULT_E_PROTO;
	if (err == VAULT_OK)
		err = place_segment(o, v->f.segment, s.start_us, &jump);
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
	if (jump) {
		err = o->calls.jump(o->calls.arg, o->offset, s.start_us);
		if (err != VAULT_OK)
			return err;
		o->jumped = true;
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
	if (v->f.length < AEAD_TAG_BYTES || o->chunk == UINT32_MAX)
		return VAULT_E_CORRUPT;
	if (v->f.track != 0)
		return VAULT_E_UNSUPPORTED;
	vault_err err = aead_open_chunk(v->payload, v->payload, v->f.length, v->ad, FRAME_AD_BYTES, v->f.chunk, AEAD_CHUNK,
	    o->key->key);
	if (err != VAULT_OK)
		return err;
	size_t n = v->f.length - AEAD_TAG_BYTES;
	o->chunk++;
	o->segment_bytes += n;
	o->totals.chunks++;
	o->totals.bytes += n;
	if (o->calls.hash)
		(void)crypto_hash_sha256_update(&o->sha, v->payload, n);
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
	o->end_us = end.end_us;
	o->state = SEGMENT_CLOSED;
	return VAULT_OK;
}

static vault_err check_manifest(struct opener *o, const struct manifest *m)
{
	uint8_t sha[crypto_hash_sha256_BYTES];
	if (m->bytes != o->totals.bytes || m->segments != o->totals.segments || m->gap_us != o->gap_us)
		return VAULT_E_AUTH;
	if (!o->calls.hash)           /* every chunk and its place were authenticated already */
		return VAULT_OK;
	(void)crypto_hash_sha256_final(&o->sha, sha);
	return sodium_memcmp(sha, m->sha256, sizeof(sha)) == 0 ? VAULT_OK : VAULT_E_AUTH;
}

static vault_err on_recording_end(struct opener *o, struct frame_view *v)
{
	struct manifest m;
	const bool truncated = (v->f.flags & FRAME_FLAG_TRUNCATED) != 0;
	if (o->range) {
		/* Sealed under the last segment's key, which need not be the one at hand. */
		o->over = true;
		return VAULT_OK;
	}
	if (o->job.ended && truncated != (o->job.truncated != 0))
		return VAULT_E_PROTO;
	if (v->f.length == 0) {
		/* Written after a crash, without a key: it proves nothing, the keeper's totals do. */
		o->state = ENDED;
		return truncated ? VAULT_OK : VAULT_E_CORRUPT;
	}
	if (o->state != SEGMENT_CLOSED || v->f.segment != o->segment ||
	    v->f.length != MANIFEST_BYTES + AEAD_TAG_BYTES)
		return VAULT_E_PROTO;
	vault_err err = aead_open_chunk(v->payload, v->payload, v->f.length, v->ad, FRAME_AD_BYTES, o->chunk,
	    AEAD_RECORDING_END, o->key->key);
	if (err == VAULT_OK)
		err = manifest_decode(&m, v->payload, MANIFEST_BYTES);
	if (err == VAULT_OK)
		err = check_manifest(o, &m);
	if (err != VAULT_OK)
		return err;
	o->state = ENDED;
	o->sealed_end = true;
	return VAULT_OK;
}

/* Clear, but their sum is in the manifest. */
static vault_err on_gap(struct opener *o, const struct frame_view *v)
{
	struct gap g;
	if (o->state == WANT_OPEN || o->state == ENDED)
		return VAULT_E_PROTO;
	vault_err err = gap_decode(&g, v->payload, v->f.length);
	if (err == VAULT_OK)
		o->gap_us += g.to_us - g.from_us;
	return err;
}

vault_err opener_frame(struct opener *o, struct frame_view *v)
{
	if (o->over)
		return VAULT_E_PROTO;
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
		return o->state == WANT_OPEN || o->state == ENDED ? VAULT_E_PROTO : on_recording_end(o, v);
	case FRAME_GAP:
		return on_gap(o, v);
	default:
		return VAULT_E_CORRUPT;
	}
}

/* A range is whole when it was followed to its end, or to the recording's. */
static vault_err finish_range(const struct opener *o)
{
	const bool last = o->job.segments > 0 && o->segment == o->job.segments - 1;
	if (o->totals.chunks == 0)
		return VAULT_E_SHORT;
	if (o->state == SEGMENT_CLOSED && o->end_us >= o->job.to_us)
		return VAULT_OK;
	if (!o->job.ended)
		return VAULT_OK;
	if (!last)
		return VAULT_E_SHORT;
	/* A segment that a crash cut off has no end; how much it held is not told anywhere. */
	return o->state == SEGMENT_CLOSED || o->job.truncated ? VAULT_OK : VAULT_E_SHORT;
}

vault_err opener_finish(struct opener *o, struct opener_totals *t)
{
	*t = o->totals;
	if (o->state == WANT_OPEN)
		return VAULT_E_SHORT;
	if (o->range)
		return finish_range(o);
	if (!o->job.ended)           /* still being recorded: what is durable so far */
		return VAULT_OK;
	/* The keeper knows how much there was: a missing tail is an error, never silence. */
	if (o->totals.bytes != o->job.bytes || o->totals.segments != o->job.segments)
		return VAULT_E_SHORT;
	if (o->state != ENDED && !o->job.truncated)
		return VAULT_E_SHORT;
	t->complete = o->sealed_end && !o->job.truncated;
	return VAULT_OK;
}
