/*
 * media.c - a recording on its way out: opened, converted, sealed.
 *
 * The container is told by the authenticated bytes themselves, not by anything
 * the front says about them.
 */
#include "exporter/job.h"
#include "exporter/open.h"
#include "media/convert.h"

/* The stream may lag behind the clock (pauses), never run ahead of it by more than one slice of the upload. */
#define AHEAD_MAX (256ul * 1024)

struct media {
	struct job *job;
	struct convert *convert;
};

static vault_err on_output(void *arg, const uint8_t *p, size_t n)
{
	struct media *m = arg;
	return seal_write(m->job->seal, p, n);
}

static vault_err on_bytes(void *arg, const uint8_t *p, size_t n)
{
	struct media *m = arg;
	return convert_write(m->convert, p, n);
}

static vault_err on_jump(void *arg, uint64_t offset, uint64_t start_us)
{
	struct media *m = arg;
	uint64_t by_time;
	if (convert_offset_at(m->convert, start_us, &by_time) == VAULT_OK && offset > by_time &&
	    offset - by_time > AHEAD_MAX)
		return VAULT_E_PROTO;
	return convert_jump(m->convert, offset);
}

static vault_err on_key(void *arg, const struct ipc_want_key *want, struct segment_key *out)
{
	struct media *m = arg;
	return keys_segment(m->job->keys, want, out);
}

static vault_err run(struct media *m, struct opener *opener)
{
	struct frame_view v;
	struct opener_totals totals;
	vault_err err;
	while ((err = job_frame(m->job, &v)) == VAULT_OK) {
		err = opener_frame(opener, &v);
		if (err != VAULT_OK)
			return err;
	}
	if (err == VAULT_E_EOF)
		err = opener_finish(opener, &totals);
	return err == VAULT_OK ? convert_finish(m->convert) : err;
}

vault_err job_media(struct job *j)
{
	struct media m = {.job = j};
	const struct opener_calls calls = {.key = on_key, .bytes = on_bytes, .jump = on_jump, .arg = &m};
	const struct convert_options options = {
		.format = j->order.format,
		.from_us = j->order.from_us,
		.to_us = j->order.to_us,
		.total_bytes = j->order.ended ? j->order.bytes : 0,
		.sink = on_output,
		.arg = &m,
	};
	struct opener *opener = NULL;
	vault_err err = convert_new(&m.convert, &options);
	if (err == VAULT_OK)
		err = opener_new(&opener, &j->order, &calls);
	if (err == VAULT_OK)
		err = run(&m, opener);
	j->items = err == VAULT_OK ? 1 : 0;
	opener_free(opener);
	convert_free(m.convert);
	return err;
}
