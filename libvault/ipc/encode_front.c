/*
 * encode_front.c - bodies of the other messages between front and keeper:
 * commands, lists of ids, pushes. Pure functions, as encode.c.
 */
#include "ipc/codec.h"

#include <string.h>

size_t ipc_command_encode(uint8_t *out, uint64_t tag, const struct ipc_command *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u8(&w, m->listener);
	write_u8(&w, 0);
	write_u16(&w, 0);
	write_blob32(&w, m->token, m->token_len);
	return codec_end(&w, out, IPC_COMMAND, tag);
}

vault_err ipc_command_decode(struct ipc_command *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_COMMAND);
	size_t n = 0;

	if (err != VAULT_OK)
		return err;
	m->listener = codec_get_flag(&r);
	if (read_u8(&r) != 0 || read_u16(&r) != 0)
		codec_fail_read(&r);
	m->token = (const char *)read_blob32(&r, IPC_BODY_MAX, &n);
	m->token_len = (uint32_t)n;
	return codec_done(&r);
}

size_t ipc_answer_encode(uint8_t *out, uint64_t tag, const struct ipc_answer *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u16(&w, m->status);
	write_u16(&w, m->kind);
	write_blob32(&w, m->json, m->json_len);
	return codec_end(&w, out, IPC_ANSWER, tag);
}

vault_err ipc_answer_decode(struct ipc_answer *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_ANSWER);
	size_t n = 0;

	if (err != VAULT_OK)
		return err;
	m->status = read_u16(&r);
	m->kind = read_u16(&r);
	if (m->kind > ANSWER_JOB || m->status < 100 || m->status > 599)
		codec_fail_read(&r);
	m->json = (const char *)read_blob32(&r, IPC_BODY_MAX, &n);
	m->json_len = (uint32_t)n;
	return codec_done(&r);
}

size_t ipc_source_is_encode(uint8_t *out, uint64_t tag, const struct ipc_source_is *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u32(&w, m->refusal);
	write_u32(&w, m->source);
	return codec_end(&w, out, IPC_SOURCE_IS, tag);
}

vault_err ipc_source_is_decode(struct ipc_source_is *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_SOURCE_IS);

	if (err != VAULT_OK)
		return err;
	m->refusal = read_u32(&r);
	m->source = read_u32(&r);
	return codec_done(&r);
}

size_t ipc_note_encode(uint8_t *out, uint64_t tag, const struct ipc_note *m)
{
	struct writer w;

	codec_begin(&w, out);
	write_u32(&w, m->refusal);
	write_u32(&w, m->count);
	codec_put_text(&w, m->tenant, sizeof(m->tenant));
	return codec_end(&w, out, IPC_NOTE, tag);
}

vault_err ipc_note_decode(struct ipc_note *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_NOTE);

	if (err != VAULT_OK)
		return err;
	m->refusal = read_u32(&r);
	m->count = read_u32(&r);
	codec_get_text(&r, m->tenant, sizeof(m->tenant));
	return codec_done(&r);
}

size_t ipc_stop_encode(uint8_t *out, uint64_t tag, const struct ipc_stop *m)
{
	struct writer w;

	codec_begin(&w, out);
	codec_put_id(&w, &m->id);
	write_u32(&w, m->refusal);
	write_u64(&w, m->at_ms);
	return codec_end(&w, out, IPC_STOP, tag);
}

vault_err ipc_stop_decode(struct ipc_stop *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_STOP);

	if (err != VAULT_OK)
		return err;
	codec_get_id(&r, &m->id);
	m->refusal = read_u32(&r);
	m->at_ms = read_u64(&r);
	return codec_done(&r);
}

size_t ipc_row_changed_encode(uint8_t *out, uint64_t tag, const struct ipc_row_changed *m)
{
	static const uint8_t zero[15];
	struct writer w;

	codec_begin(&w, out);
	codec_put_id(&w, &m->id);
	write_u64(&w, m->expires_s);
	write_u32(&w, m->policy);
	write_u8(&w, m->flags);
	write_bytes(&w, zero, sizeof(zero));
	return codec_end(&w, out, IPC_ROW_CHANGED, tag);
}

vault_err ipc_row_changed_decode(struct ipc_row_changed *m, const struct ipc_packet *p)
{
	uint8_t zero[15], any = 0;
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_ROW_CHANGED);

	if (err != VAULT_OK)
		return err;
	codec_get_id(&r, &m->id);
	m->expires_s = read_u64(&r);
	m->policy = read_u32(&r);
	m->flags = read_u8(&r);
	read_bytes(&r, zero, sizeof(zero));
	for (size_t i = 0; i < sizeof(zero) && r.err == VAULT_OK; i++)
		any |= zero[i];
	if (any != 0)
		codec_fail_read(&r);
	return codec_done(&r);
}

/* u32 n, then n items of 16 bytes; n is exactly what the body holds. */
static vault_err get_list(struct reader *r, uint32_t max, const uint8_t **items, uint32_t *n)
{
	*n = read_u32(r);
	*items = NULL;
	if (r->err == VAULT_OK && *n > max)
		codec_fail_read(r);
	if (r->err == VAULT_OK)
		*items = read_view(r, (size_t)*n * 16);
	return codec_done(r);
}

size_t ipc_reconcile_encode(uint8_t *out, uint64_t tag, const vault_id *ids, uint32_t n)
{
	struct writer w;

	if (n > RECONCILE_MAX)
		return 0;
	codec_begin(&w, out);
	write_u32(&w, n);
	for (uint32_t i = 0; i < n; i++)
		codec_put_id(&w, &ids[i]);
	return codec_end(&w, out, IPC_RECONCILE, tag);
}

vault_err ipc_reconcile_decode(const struct ipc_packet *p, const uint8_t **ids, uint32_t *n)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_RECONCILE);

	return err != VAULT_OK ? err : get_list(&r, RECONCILE_MAX, ids, n);
}

size_t ipc_reconciled_encode(uint8_t *out, uint64_t tag, const struct ipc_reconciled_row *rows, uint32_t n)
{
	struct writer w;

	if (n > RECONCILE_MAX)
		return 0;
	codec_begin(&w, out);
	write_u32(&w, n);
	for (uint32_t i = 0; i < n; i++) {
		write_u64(&w, rows[i].expires_s);
		write_u8(&w, rows[i].known);
		write_u8(&w, rows[i].flags);
		write_u8(&w, rows[i].ended);
		write_bytes(&w, rows[i].zero, sizeof(rows[i].zero));
	}
	return codec_end(&w, out, IPC_RECONCILED, tag);
}

vault_err ipc_reconciled_row(const struct ipc_packet *p, uint32_t i, struct ipc_reconciled_row *row)
{
	const uint8_t *rows;
	uint32_t n;
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_RECONCILED);

	if (err == VAULT_OK)
		err = get_list(&r, RECONCILE_MAX, &rows, &n);
	if (err != VAULT_OK)
		return err;
	if (i >= n)
		return VAULT_E_RANGE;
	reader_init(&r, rows + (size_t)i * 16, 16);
	row->expires_s = read_u64(&r);
	row->known = codec_get_flag(&r);
	row->flags = read_u8(&r);
	row->ended = codec_get_flag(&r);
	read_bytes(&r, row->zero, sizeof(row->zero));
	return codec_done(&r);
}

size_t ipc_shredded_encode(uint8_t *out, uint64_t tag, const struct ipc_shredded *m)
{
	struct writer w;

	if (m->n == 0 || m->n > SHREDDED_MAX)
		return 0;
	codec_begin(&w, out);
	codec_put_id(&w, &m->batch);
	write_u32(&w, m->n);
	write_bytes(&w, m->ids, (size_t)m->n * VAULT_ID_BYTES);
	return codec_end(&w, out, IPC_SHREDDED, tag);
}

vault_err ipc_shredded_decode(struct ipc_shredded *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_SHREDDED);

	if (err != VAULT_OK)
		return err;
	codec_get_id(&r, &m->batch);
	err = get_list(&r, SHREDDED_MAX, &m->ids, &m->n);
	return err == VAULT_OK && m->n == 0 ? VAULT_E_PROTO : err;
}

size_t ipc_released_encode(uint8_t *out, uint64_t tag, const struct ipc_released *m)
{
	struct writer w;

	codec_begin(&w, out);
	codec_put_id(&w, &m->batch);
	write_u32(&w, m->n);
	return codec_end(&w, out, IPC_RELEASED, tag);
}

vault_err ipc_released_decode(struct ipc_released *m, const struct ipc_packet *p)
{
	struct reader r;
	vault_err err = codec_read(&r, p, IPC_RELEASED);

	if (err != VAULT_OK)
		return err;
	codec_get_id(&r, &m->batch);
	m->n = read_u32(&r);
	return codec_done(&r);
}
