/*
 * dispatch.c - one table from the message list to the handlers.
 *
 * VAULT_E_PROTO from a handler means a malformed packet: counted, told in the
 * log, answered with nothing. The link stays; this process never dies of input.
 */
#include "keeper/dispatch.h"

#include <string.h>

#include "base/log.h"
#include "keeper/command_front.h"
#include "keeper/ingest.h"
#include "keeper/keeper.h"

static vault_err on_released(struct keeper *k, const struct ipc_packet *p)
{
	struct ipc_released in;

	if (ipc_released_decode(&in, p) != VAULT_OK)
		return VAULT_E_PROTO;
	return retention_released(k, &in.batch, in.n);
}

static vault_err from_front(struct keeper *k, const struct ipc_packet *p)
{
	switch (p->type) {
	case IPC_ADMIT: return ingest_admit(k, p);
	case IPC_OPEN: return ingest_open(k, p);
	case IPC_SEGMENT: return ingest_segment(k, p);
	case IPC_CLOSE: return ingest_close(k, p);
	case IPC_COMMAND: return command_handle(k, p);
	case IPC_SOURCE: return ingest_source(k, p);
	case IPC_RECONCILE: return ingest_reconcile(k, p);
	case IPC_RELEASED: return on_released(k, p);
	case IPC_NOTE: return ingest_note(k, p);
	case IPC_JOB_FAILED: return export_front_failed(k, p);
	default: return VAULT_E_PROTO;
	}
}

static vault_err from_supervisor(struct keeper *k, struct batch_request *r, const struct ipc_packet *p)
{
	switch (p->type) {
	case IPC_SPAWNED: return export_spawned(k, r, p);
	case IPC_EXITED: return export_exited(k, p);
	case IPC_FINISH:
		k->finishing = true;
		return VAULT_OK;
	default: return VAULT_E_PROTO;           /* a second CONFIGURE among them */
	}
}

static vault_err from_exporter(struct keeper *k, uint64_t job, const struct ipc_packet *p)
{
	switch (p->type) {
	case IPC_WANT_KEY: return export_want_key(k, job, p);
	case IPC_WANT_META: return export_want_meta(k, job, p);
	case IPC_JOB_RESULT: return export_result(k, job, p);
	default: return VAULT_E_PROTO;
	}
}

/* One entry for each power of two: a flood of nonsense does not become a flood of entries. */
static vault_err note_malformed(struct keeper *k, enum ipc_link kind)
{
	static const char *const words[] = { "front", "supervisor", "exporter" };

	k->malformed++;
	if (k->malformed < k->noted_malformed * 2)
		return VAULT_OK;
	k->noted_malformed = k->malformed;
	log_warn("event=malformed_packet link=%s count=%llu", words[kind], (unsigned long long)k->malformed);
	json_t *detail = json_pack("{s:s, s:I}", "link", words[kind], "count", (json_int_t)k->malformed);
	const struct audit_event e = { .event = "link.malformed", .action = 'E', .refusal = VAULT_REFUSAL_bad_request,
		.detail = detail };
	return detail == NULL ? VAULT_E_NOMEM : keeper_log(k, &e);
}

vault_err dispatch_packet(struct keeper *k, struct batch_request *r)
{
	enum ipc_link kind = r->from->kind;
	struct ipc_packet p;
	vault_err err = ipc_parse(&p, r->packet, r->n, kind, TO_KEEPER);

	if (err == VAULT_OK && kind == LINK_FRONT)
		err = from_front(k, &p);
	else if (err == VAULT_OK && kind == LINK_SUPERVISOR)
		err = from_supervisor(k, r, &p);
	else if (err == VAULT_OK)
		err = from_exporter(k, r->from->job, &p);
	return err == VAULT_E_PROTO ? note_malformed(k, kind) : err;
}

static size_t refuse_encode(uint8_t *out, const struct ipc_packet *p, uint32_t refusal)
{
	const struct ipc_admitted admitted = { .refusal = refusal };
	const struct ipc_grant grant = { .refusal = refusal };
	const struct ipc_closed closed = { .refusal = refusal };
	const struct ipc_source_is source = { .refusal = refusal };

	switch (p->type) {
	case IPC_ADMIT: return ipc_admitted_encode(out, p->tag, &admitted);
	case IPC_SEGMENT: return ipc_grant_encode(out, p->tag, &grant);
	case IPC_CLOSE: return ipc_closed_encode(out, p->tag, &closed);
	case IPC_SOURCE: return ipc_source_is_encode(out, p->tag, &source);
	default: return 0;
	}
}

vault_err dispatch_refuse(struct keeper *k, struct batch_request *r)
{
	struct ipc_opened opened = { .refusal = VAULT_REFUSAL_internal };
	const struct ipc_key key = { .refusal = VAULT_REFUSAL_internal };
	const struct ipc_meta_key meta = { .refusal = VAULT_REFUSAL_internal };
	struct ipc_packet p;
	size_t n;

	if (ipc_parse(&p, r->packet, r->n, r->from->kind, TO_KEEPER) != VAULT_OK)
		return VAULT_OK;
	if (p.type == IPC_COMMAND)
		return command_refuse(k, p.tag, VAULT_REFUSAL_internal);
	if (p.type == IPC_OPEN)
		n = ipc_opened_encode(k->room->packet, p.tag, &opened);
	else if (p.type == IPC_WANT_KEY)
		n = ipc_key_encode(k->room->packet, p.tag, &key);
	else if (p.type == IPC_WANT_META)
		n = ipc_meta_key_encode(k->room->packet, p.tag, &meta);
	else
		n = refuse_encode(k->room->packet, &p, VAULT_REFUSAL_internal);
	return n == 0 ? VAULT_OK : batch_answer_packet(k, r->from, n);
}
