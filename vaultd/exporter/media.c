/*
 * media.c - a recording on its way out: opened, converted, sealed.
 *
 * The container is told by the authenticated bytes themselves, not by anything
 * the front says about them.
 */
#include <string.h>

#include "base/buf.h"
#include "exporter/job.h"
#include "exporter/open.h"
#include "media/convert.h"

#define MAGIC_BYTES 12u
#define OUT_MAX (64u * 1024u * 1024u)

struct media {
	struct job *job;
	struct convert *convert;     /* NULL until the container is known */
	uint8_t head[MAGIC_BYTES];
	size_t head_len;
	struct buf out;
};

static vault_err give(struct media *m)
{
	vault_err err = m->out.len == 0 ? VAULT_OK : seal_write(m->job->seal, m->out.data, m->out.len);
	buf_clear(&m->out);
	return err;
}

static vault_err begin(struct media *m)
{
	const struct ipc_job *order = &m->job->order;
	const struct convert_options options = {
	    .container = container_of_head(m->head, m->head_len),
	    .format = order->format,
	    .from_us = order->from_us,
	    .to_us = order->to_us,
	    .total_bytes = order->ended ? order->bytes : 0,
	};
	vault_err err = convert_new(&m->convert, &options);
	if (err == VAULT_OK)
		err = convert_write(m->convert, m->head, m->head_len, &m->out);
	return err == VAULT_OK ? give(m) : err;
}

static vault_err on_bytes(void *arg, const uint8_t *p, size_t n)
{
	struct media *m = arg;
	if (m->convert == NULL) {
		size_t take = MAGIC_BYTES - m->head_len < n ? MAGIC_BYTES - m->head_len : n;
		memcpy(m->head + m->head_len, p, take);
		m->head_len += take;
		p += take;
		n -= take;
		if (m->head_len < MAGIC_BYTES)
			return VAULT_OK;
		vault_err err = begin(m);
		if (err != VAULT_OK)
			return err;
	}
	vault_err err = n == 0 ? VAULT_OK : convert_write(m->convert, p, n, &m->out);
	return err == VAULT_OK ? give(m) : err;
}

static vault_err on_jump(void *arg, uint64_t offset)
{
	struct media *m = arg;
	return m->convert == NULL ? VAULT_E_PROTO : convert_jump(m->convert, offset);
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
	if (err != VAULT_E_EOF)
		return err;
	err = opener_finish(opener, &totals);
	if (err == VAULT_OK && m->convert == NULL)
		err = begin(m);
	if (err == VAULT_OK)
		err = convert_finish(m->convert, &m->out);
	if (err == VAULT_OK)
		err = give(m);
	return err;
}

vault_err job_media(struct job *j)
{
	struct media m = {.job = j};
	const struct opener_calls calls = {.key = on_key, .bytes = on_bytes, .jump = on_jump, .arg = &m};
	struct opener *opener = NULL;
	buf_init_secret(&m.out, OUT_MAX);
	vault_err err = opener_new(&opener, &j->order, &calls);
	if (err == VAULT_OK)
		err = run(&m, opener);
	j->items = err == VAULT_OK ? 1 : 0;
	opener_free(opener);
	convert_free(m.convert);
	buf_free(&m.out);
	return err;
}
