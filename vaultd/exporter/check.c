/*
 * check.c - authenticates a whole recording and says so in one JSON line; no
 * content leaves the process.
 */
#include <stdlib.h>

#include "base/json.h"
#include "exporter/job.h"
#include "exporter/open.h"

static vault_err on_key(void *arg, const struct ipc_want_key *want, struct segment_key *out)
{
	struct job *j = arg;
	return keys_segment(j->keys, want, out);
}

static vault_err on_bytes(void *arg, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
	return VAULT_OK;
}

static vault_err on_jump(void *arg, uint64_t offset, uint64_t start_us)
{
	(void)arg;
	(void)offset;
	(void)start_us;
	return VAULT_E_PROTO;
}

static vault_err report(struct job *j, const struct opener_totals *t)
{
	char id[VAULT_ID_TEXT];
	size_t n = 0;
	vault_id_format(&j->order.id, id);
	json_t *line = json_pack("{s:s, s:I, s:I, s:I, s:b}", "id", id, "segments", (json_int_t)t->segments, "chunks",
	    (json_int_t)t->chunks, "bytes", (json_int_t)t->bytes, "complete", t->complete);
	char *text = line == NULL ? NULL : json_write(line, &n);
	vault_err err = text == NULL ? VAULT_E_NOMEM : seal_write(j->seal, text, n);
	if (err == VAULT_OK)
		err = seal_write(j->seal, "\n", 1);
	free(text);
	json_decref(line);
	return err;
}

vault_err job_authenticate(struct job *j)
{
	const struct opener_calls calls = {.key = on_key, .bytes = on_bytes, .jump = on_jump, .arg = j, .hash = true};
	struct opener_totals totals;
	struct opener *opener = NULL;
	struct frame_view v;
	struct ipc_job whole = j->order;

	whole.from_us = 0;
	whole.to_us = UINT64_MAX;
	vault_err err = opener_new(&opener, &whole, &calls);
	while (err == VAULT_OK && (err = job_frame(j, &v)) == VAULT_OK)
		err = opener_frame(opener, &v);
	if (err == VAULT_E_EOF)
		err = opener_finish(opener, &totals);
	if (err == VAULT_OK)
		err = report(j, &totals);
	j->items = err == VAULT_OK ? 1 : 0;
	opener_free(opener);
	return err;
}
