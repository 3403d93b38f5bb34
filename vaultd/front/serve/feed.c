/*
 * feed.c - see feed.h.
 *
 * A job is a sequence of items: bytes made here (ROW frames) and extents of the
 * volumes. Frames are passed on as they lie there; nothing is looked into.
 */
#include "front/serve/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "ipc/message.h"
#include "media/convert.h"

#define READS_MAX 128u
#define ROW_FRAME_MAX 8192u

struct read_op {
	int fd;
	uint64_t offset;
	size_t at, n;                /* place in the block */
};

struct feed {
	struct rows rows;
	struct volume_set *volumes;
	/* metadata: these rows, one after the other */
	vault_id *ids;
	size_t n_ids, next_id;
	/* media: this recording */
	bool media;
	struct index_row row;
	uint64_t from_us, to_us;
	bool range;
	bool opened;                 /* the recording-open frame is planned */
	uint32_t next_segment;
	struct index_segment segment;    /* the one that is being fed */
	/* extents that are being fed */
	const struct extent *extents;
	size_t n_extents, next_extent;
	uint64_t extent_done;        /* bytes of the current one that are planned */
	struct extent single;
	uint32_t lane;
	/* the block */
	struct read_op reads[READS_MAX];
	size_t n_reads;
	size_t block_len;
	uint8_t block[FEED_BLOCK];
};

static vault_err read_ids(struct feed *f, const json_t *ids)
{
	size_t n = json_array_size(ids);
	if (!json_is_array(ids) || n > ROWS_LIMIT_MAX)
		return VAULT_E_INVAL;
	f->ids = calloc(n == 0 ? 1 : n, sizeof(*f->ids));
	if (f->ids == NULL)
		return VAULT_E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(ids, i));
		if (text == NULL || vault_id_parse(text, strlen(text), &f->ids[i]) != VAULT_OK)
			return VAULT_E_INVAL;
	}
	f->n_ids = n;
	return f->rows.ingest == NULL ? VAULT_OK : ingest_index_flush(f->rows.ingest, NULL);
}

static vault_err read_recording(struct feed *f, const json_t *request)
{
	size_t n = 0;
	uint64_t ms = 0;
	vault_id id;
	const char *text = json_str(request, "id", &n);
	const char *tenant = json_str(request, "tenant", NULL);
	if (text == NULL || tenant == NULL || vault_id_parse(text, n, &id) != VAULT_OK)
		return VAULT_E_INVAL;
	f->to_us = UINT64_MAX;
	if (json_u64(request, "from_ms", &ms) == VAULT_OK && ms < UINT64_MAX / 1000)
		f->from_us = ms * 1000;
	if (json_u64(request, "to_ms", &ms) == VAULT_OK && ms < UINT64_MAX / 1000)
		f->to_us = ms * 1000;
	f->range = f->from_us != 0 || f->to_us != UINT64_MAX;
	f->media = true;
	vault_err err = rows_get(&f->rows, &id, clock_wall_ms(), &f->row);
	if (err == VAULT_OK && strcmp(f->row.tenant, tenant) != 0)
		err = VAULT_E_NOTFOUND;
	/* Where its segments lie is the index's to know: what is durable is brought in first. */
	if (err == VAULT_OK && f->rows.ingest != NULL)
		err = ingest_index_flush(f->rows.ingest, &id);
	return err;
}

vault_err feed_new(struct feed **out, const json_t *request, const struct rows *rows, struct volume_set *volumes)
{
	struct feed *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return VAULT_E_NOMEM;
	f->rows = *rows;
	f->volumes = volumes;
	const json_t *ids = json_object_get(request, "ids");
	vault_err err = ids != NULL ? read_ids(f, ids) : read_recording(f, request);
	if (err != VAULT_OK) {
		feed_free(f);
		return err;
	}
	*out = f;
	return VAULT_OK;
}

void feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	index_segment_free(&f->segment);
	free(f->ids);
	free(f);
}

/* A frame that never was in a volume: JSON for the exporter. */
static vault_err add_row_frame(struct feed *f, const vault_id *id, const char *json, size_t n)
{
	if (n > ROW_FRAME_MAX || FEED_BLOCK - f->block_len < frame_span((uint32_t)n))
		return VAULT_E_RANGE;
	uint8_t *p = f->block + f->block_len;
	struct frame frame = {.type = FRAME_ROW, .id = *id, .length = (uint32_t)n, .payload_hash = frame_hash(json, n)};
	frame_encode(&frame, p);
	memcpy(p + FRAME_HEADER_BYTES, json, n);
	size_t span = (size_t)frame_span((uint32_t)n);
	memset(p + FRAME_HEADER_BYTES + n, 0, span - FRAME_HEADER_BYTES - n);
	f->block_len += span;
	return VAULT_OK;
}

static vault_err add_json(struct feed *f, const vault_id *id, json_t *value)
{
	size_t n = 0;
	char *text = value == NULL ? NULL : json_write(value, &n);
	vault_err err = text == NULL ? VAULT_E_NOMEM : add_row_frame(f, id, text, n);
	free(text);
	json_decref(value);
	return err;
}

static void feed_extents(struct feed *f, uint32_t lane, const struct extent *extents, size_t n)
{
	f->lane = lane;
	f->extents = extents;
	f->n_extents = n;
	f->next_extent = 0;
	f->extent_done = 0;
}

/* Plans as much of the current extents as the block holds. */
static vault_err plan_extents(struct feed *f)
{
	while (f->next_extent < f->n_extents && f->n_reads < READS_MAX && f->block_len < FEED_BLOCK) {
		const struct extent *e = &f->extents[f->next_extent];
		uint64_t left = e->length - f->extent_done;
		size_t n = left < FEED_BLOCK - f->block_len ? (size_t)left : FEED_BLOCK - f->block_len;
		struct read_op *op = &f->reads[f->n_reads];
		vault_err err = volume_set_fd(f->volumes, f->lane, e->volume, &op->fd);
		if (err != VAULT_OK)
			return err;
		op->offset = e->offset + f->extent_done;
		op->at = f->block_len;
		op->n = n;
		f->n_reads++;
		f->block_len += n;
		f->extent_done += n;
		if (f->extent_done == e->length) {
			f->next_extent++;
			f->extent_done = 0;
		}
	}
	return VAULT_OK;
}

static vault_err next_row(struct feed *f)
{
	while (f->next_id < f->n_ids) {
		vault_err err = rows_get(&f->rows, &f->ids[f->next_id++], clock_wall_ms(), &f->row);
		if (err == VAULT_E_NOTFOUND)     /* it was forgotten meanwhile */
			continue;
		if (err == VAULT_OK && f->row.open.length == 0)
			continue;
		if (err == VAULT_OK)
			err = add_json(f, &f->row.id, rows_json(&f->row));
		if (err != VAULT_OK)
			return err;
		f->single = f->row.open;
		feed_extents(f, f->row.lane, &f->single, 1);
		return VAULT_OK;
	}
	return VAULT_E_EOF;
}

/*
 * For a range: from segment 0, which has the container's head, to the last segment that begins early enough before
 * from_us for the converter.
 */
static vault_err skip_segments(struct feed *f)
{
	const uint64_t start = f->from_us > RANGE_LEAD_US ? f->from_us - RANGE_LEAD_US : 0;
	struct index_segment s;
	uint32_t first = 1;
	uint64_t offset = 0;
	for (uint32_t i = 1; i < f->row.segments; i++) {
		vault_err err = index_get_segment(f->rows.index, &f->row.id, i, &s);
		if (err == VAULT_E_NOTFOUND)
			break;
		if (err != VAULT_OK)
			return err;
		bool later = s.start_us > start;
		if (!later) {
			first = i;
			offset = s.stream_offset;
		}
		index_segment_free(&s);
		if (later)
			break;
	}
	f->next_segment = first;
	return first == 1 ? VAULT_OK : add_json(f, &f->row.id, json_pack("{s:I}", "stream_offset", (json_int_t)offset));
}

static vault_err next_segment(struct feed *f)
{
	if (!f->opened) {
		f->opened = true;
		f->single = f->row.open;
		feed_extents(f, f->row.lane, &f->single, f->row.open.length == 0 ? 0 : 1);
		return VAULT_OK;
	}
	if (f->range && f->next_segment == 1) {
		vault_err err = skip_segments(f);
		if (err != VAULT_OK)
			return err;
	}
	index_segment_free(&f->segment);
	memset(&f->segment, 0, sizeof(f->segment));
	vault_err err = index_get_segment(f->rows.index, &f->row.id, f->next_segment, &f->segment);
	if (err == VAULT_E_NOTFOUND)
		return VAULT_E_EOF;
	if (err != VAULT_OK)
		return err;
	if (f->next_segment > 0 && f->segment.start_us > f->to_us)
		return VAULT_E_EOF;
	f->next_segment++;
	feed_extents(f, f->row.lane, f->segment.extents, f->segment.n_extents);
	return VAULT_OK;
}

vault_err feed_plan(struct feed *f)
{
	f->n_reads = 0;
	f->block_len = 0;
	while (f->n_reads < READS_MAX && FEED_BLOCK - f->block_len > ROW_FRAME_MAX + 2 * FRAME_HEADER_BYTES) {
		vault_err err = VAULT_OK;
		if (f->next_extent >= f->n_extents)
			err = f->media ? next_segment(f) : next_row(f);
		if (err == VAULT_E_EOF)
			return f->block_len > 0 ? VAULT_OK : VAULT_E_EOF;
		if (err == VAULT_OK)
			err = plan_extents(f);
		if (err != VAULT_OK)
			return err;
	}
	return VAULT_OK;
}

vault_err feed_read(struct feed *f)
{
	for (size_t i = 0; i < f->n_reads; i++) {
		const struct read_op *op = &f->reads[i];
		for (size_t done = 0; done < op->n;) {
			ssize_t n = pread(op->fd, f->block + op->at + done, op->n - done, (off_t)(op->offset + done));
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				log_error("event=volume_read_failed errno=%d", n < 0 ? errno : 0);
				return VAULT_E_IO;
			}
			done += (size_t)n;
		}
	}
	return VAULT_OK;
}

const uint8_t *feed_block(const struct feed *f, size_t *n)
{
	*n = f->block_len;
	return f->block;
}
