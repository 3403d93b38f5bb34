/*
 * encode_jobs.c - bodies of the messages that make and serve an exporter.
 *
 * Pure functions on caller's memory, as encode.c.
 */
#include "ipc/codec.h"

#include <string.h>

size_t ipc_spawn_encode(uint8_t *out, uint64_t tag, uint64_t job)
{
	struct writer w;

	codec_begin(&w, out);
	write_u64(&w, job);
	return codec_end(&w, out, IPC_SPAWN, tag);
}

vault_err ipc_spawn_decode(const struct ipc_packet *p, uint64_t *job)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_SPAWN);

	if (err != VAULT_OK)
		return err;
	*job = read_u64(&r);
	return codec_done(&r);
}

/* SPAWNED, EXITED, JOB_FAILED: u64 job, u32. */
static size_t put_job_status(uint8_t *out, uint64_t tag, uint16_t type, uint64_t job, uint32_t status)
{
	struct writer w;

	codec_begin(&w, out);
	write_u64(&w, job);
	write_u32(&w, status);
	return codec_end(&w, out, type, tag);
}

static vault_err get_job_status(const struct ipc_packet *p, uint16_t type, uint64_t *job, uint32_t *status)
{
	struct reader r;
	vault_err err = codec_read(&r, p, type);

	if (err != VAULT_OK)
		return err;
	*job = read_u64(&r);
	*status = read_u32(&r);
	return codec_done(&r);
}

size_t ipc_spawned_encode(uint8_t *out, uint64_t tag, const struct ipc_exporter *m)
{
	return put_job_status(out, tag, IPC_SPAWNED, m->job, m->status);
}

vault_err ipc_spawned_decode(struct ipc_exporter *m, const struct ipc_packet *p)
{
	return get_job_status(p, IPC_SPAWNED, &m->job, &m->status);
}

size_t ipc_exited_encode(uint8_t *out, uint64_t tag, const struct ipc_exporter *m)
{
	return put_job_status(out, tag, IPC_EXITED, m->job, m->status);
}

vault_err ipc_exited_decode(struct ipc_exporter *m, const struct ipc_packet *p)
{
	return get_job_status(p, IPC_EXITED, &m->job, &m->status);
}

size_t ipc_job_failed_encode(uint8_t *out, uint64_t tag, const struct ipc_job_done *m)
{
	return put_job_status(out, tag, IPC_JOB_FAILED, m->job, m->refusal);
}

vault_err ipc_job_failed_decode(struct ipc_job_done *m, const struct ipc_packet *p)
{
	return get_job_status(p, IPC_JOB_FAILED, &m->job, &m->refusal);
}

size_t ipc_job_done_encode(uint8_t *out, uint64_t tag, const struct ipc_job_done *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u64(&w, m->job);
	write_u32(&w, m->refusal);
	write_u32(&w, 0);
	return codec_end(&w, out, IPC_JOB_DONE, tag);
}

vault_err ipc_job_done_decode(struct ipc_job_done *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_JOB_DONE);

	if (err != VAULT_OK)
		return err;
	m->job = read_u64(&r);
	m->refusal = read_u32(&r);
	if (read_u32(&r) != 0)
		codec_fail_read(&r);
	return codec_done(&r);
}

size_t ipc_job_encode(uint8_t *out, uint64_t tag, const struct ipc_job *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u64(&w, m->job);
	write_u8(&w, m->mode);
	write_u8(&w, m->format);
	write_u8(&w, m->ended);
	write_u8(&w, m->truncated);
	codec_put_text(&w, m->tenant, sizeof(m->tenant));
	codec_put_id(&w, &m->id);
	write_u32(&w, m->segments);
	write_u64(&w, m->bytes);
	write_u64(&w, m->from_us);
	write_u64(&w, m->to_us);
	if (m->recipients < 1 || m->recipients > 8) {
		codec_fail_write(&w);
	} else {
		write_u8(&w, m->recipients);
		write_bytes(&w, m->recipient, (size_t)m->recipients * 32);
	}
	return codec_end(&w, out, IPC_JOB, tag);
}

vault_err ipc_job_decode(struct ipc_job *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_JOB);

	if (err != VAULT_OK)
		return err;
	memset(m, 0, sizeof(*m));
	m->job = read_u64(&r);
	m->mode = read_u8(&r);
	m->format = read_u8(&r);
	m->ended = codec_get_flag(&r);
	m->truncated = codec_get_flag(&r);
	codec_get_text(&r, m->tenant, sizeof(m->tenant));
	codec_get_id(&r, &m->id);
	m->segments = read_u32(&r);
	m->bytes = read_u64(&r);
	m->from_us = read_u64(&r);
	m->to_us = read_u64(&r);
	m->recipients = read_u8(&r);
	if (m->recipients < 1 || m->recipients > 8 || m->mode < JOB_MEDIA || m->mode > JOB_AUTHENTICATE ||
	    m->format > FORMAT_OGG || m->from_us > m->to_us)
		codec_fail_read(&r);
	else
		read_bytes(&r, m->recipient, (size_t)m->recipients * 32);
	return codec_done(&r);
}

size_t ipc_want_key_encode(uint8_t *out, uint64_t tag, const struct ipc_want_key *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u64(&w, m->job);
	codec_put_id(&w, &m->id);
	write_u32(&w, m->segment);
	write_u64(&w, m->start_us);
	write_bytes(&w, m->salt, sizeof(m->salt));
	return codec_end(&w, out, IPC_WANT_KEY, tag);
}

vault_err ipc_want_key_decode(struct ipc_want_key *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_WANT_KEY);

	if (err != VAULT_OK)
		return err;
	m->job = read_u64(&r);
	codec_get_id(&r, &m->id);
	m->segment = read_u32(&r);
	m->start_us = read_u64(&r);
	read_bytes(&r, m->salt, sizeof(m->salt));
	return codec_done(&r);
}

size_t ipc_key_encode(uint8_t *out, uint64_t tag, const struct ipc_key *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u32(&w, m->refusal);
	if (m->refusal == VAULT_REFUSAL_none) {
		write_bytes(&w, m->key.key, sizeof(m->key.key));
		write_bytes(&w, m->key.commit, sizeof(m->key.commit));
	}
	return codec_end(&w, out, IPC_KEY, tag);
}

vault_err ipc_key_decode(struct ipc_key *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_KEY);

	if (err != VAULT_OK)
		return err;
	memset(m, 0, sizeof(*m));
	m->refusal = read_u32(&r);
	if (m->refusal == VAULT_REFUSAL_none) {
		read_bytes(&r, m->key.key, sizeof(m->key.key));
		read_bytes(&r, m->key.commit, sizeof(m->key.commit));
	}
	return codec_done(&r);
}

size_t ipc_want_meta_encode(uint8_t *out, uint64_t tag, const struct ipc_want_meta *m)
{
	struct writer w;

	codec_begin(&w, out);
	codec_put_id(&w, &m->id);
	write_bytes(&w, m->salt, sizeof(m->salt));
	return codec_end(&w, out, IPC_WANT_META, tag);
}

vault_err ipc_want_meta_decode(struct ipc_want_meta *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_WANT_META);

	if (err != VAULT_OK)
		return err;
	codec_get_id(&r, &m->id);
	read_bytes(&r, m->salt, sizeof(m->salt));
	return codec_done(&r);
}

size_t ipc_meta_key_encode(uint8_t *out, uint64_t tag, const struct ipc_meta_key *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u32(&w, m->refusal);
	if (m->refusal == VAULT_REFUSAL_none)
		write_bytes(&w, m->key, sizeof(m->key));
	return codec_end(&w, out, IPC_META_KEY, tag);
}

vault_err ipc_meta_key_decode(struct ipc_meta_key *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_META_KEY);

	if (err != VAULT_OK)
		return err;
	memset(m, 0, sizeof(*m));
	m->refusal = read_u32(&r);
	if (m->refusal == VAULT_REFUSAL_none)
		read_bytes(&r, m->key, sizeof(m->key));
	return codec_done(&r);
}

size_t ipc_job_result_encode(uint8_t *out, uint64_t tag, const struct ipc_job_result *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u64(&w, m->job);
	write_u32(&w, m->refusal);
	write_u32(&w, m->items);
	write_u64(&w, m->bytes);
	write_u32(&w, 0);
	return codec_end(&w, out, IPC_JOB_RESULT, tag);
}

vault_err ipc_job_result_decode(struct ipc_job_result *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_JOB_RESULT);

	if (err != VAULT_OK)
		return err;
	m->job = read_u64(&r);
	m->refusal = read_u32(&r);
	m->items = read_u32(&r);
	m->bytes = read_u64(&r);
	if (read_u32(&r) != 0)
		codec_fail_read(&r);
	return codec_done(&r);
}
