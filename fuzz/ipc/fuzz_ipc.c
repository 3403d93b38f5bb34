/*
 * fuzz_ipc.c - every packet, on every link, in both directions.
 *
 * The input is one packet. What decodes must encode to the same bytes again:
 * there is one way to say a message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/message.h"
#include "planted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t again[IPC_MAX];
static bool bounds_checked;          /* the packet passed ipc_parse, so its body has a legal length */

static void same(const struct ipc_packet *p, size_t n)
{
	if (n == 0 && !bounds_checked)
		return;
	if (n != IPC_HEADER + p->body_len || memcmp(again + IPC_HEADER, p->body, p->body_len) != 0)
		abort();
}

/* On the heap, each of its own size: writing behind it is seen. */
#define TRY(name, body_type) do { \
	struct body_type *m = malloc(sizeof(*m)); \
	if (m != NULL && ipc_##name##_decode(m, p) == VAULT_OK) \
		same(p, ipc_##name##_encode(again, p->tag, m)); \
	free(m); \
} while (0)

static void try_front(const struct ipc_packet *p)
{
	TRY(admit, ipc_admit);
	TRY(admitted, ipc_admitted);
	TRY(open, ipc_open);
	TRY(opened, ipc_opened);
	TRY(segment, ipc_segment);
	TRY(grant, ipc_grant);
	TRY(close, ipc_close);
	TRY(closed, ipc_closed);
	TRY(command, ipc_command);
	TRY(answer, ipc_answer);
	TRY(source, ipc_cred);
	TRY(source_is, ipc_source_is);
	TRY(note, ipc_note);
	TRY(stop, ipc_stop);
	TRY(job_done, ipc_job_done);
	TRY(job_failed, ipc_job_done);
	TRY(row_changed, ipc_row_changed);
	TRY(shredded, ipc_shredded);
	TRY(released, ipc_released);
}

static void try_others(const struct ipc_packet *p)
{
	char text[1024];
	uint64_t job;

	TRY(configure, ipc_configure);
	TRY(ready, ipc_ready);
	TRY(spawned, ipc_exporter);
	TRY(exited, ipc_exporter);
	TRY(job, ipc_job);
	TRY(want_key, ipc_want_key);
	TRY(key, ipc_key);
	TRY(want_meta, ipc_want_meta);
	TRY(meta_key, ipc_meta_key);
	TRY(job_result, ipc_job_result);
	if (ipc_failed_decode(p, text) == VAULT_OK)
		same(p, ipc_failed_encode(again, p->tag, text));
	if (ipc_spawn_decode(p, &job) == VAULT_OK)
		same(p, ipc_spawn_encode(again, p->tag, job));
}

/* A value inside a message whose every field held. */
static void plant(const struct ipc_packet *p)
{
	struct ipc_grant m;

	PLANTED(p->type == IPC_GRANT && ipc_grant_decode(&m, p) == VAULT_OK && m.refusal == 0 && m.start_us > UINT32_MAX);
	(void)m;
	(void)p;
}

static void try_lists(const struct ipc_packet *p)
{
	struct ipc_reconciled_row row;
	const uint8_t *ids;
	uint32_t n;

	if (ipc_reconcile_decode(p, &ids, &n) == VAULT_OK && n > RECONCILE_MAX)
		abort();
	for (uint32_t i = 0; ipc_reconciled_row(p, i, &row) == VAULT_OK; i++)
		if (i >= RECONCILE_MAX)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exactly as long as the packet: reading behind it is seen. */
	uint8_t *copy = malloc(size > 0 ? size : 1);
	struct ipc_packet p;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	bounds_checked = true;
	for (int link = LINK_FRONT; link <= LINK_EXPORTER; link++) {
		for (int dir = TO_KEEPER; dir <= FROM_KEEPER; dir++) {
			if (ipc_parse(&p, copy, size, (enum ipc_link)link, (enum ipc_dir)dir) != VAULT_OK)
				continue;
			plant(&p);
			try_front(&p);
			try_others(&p);
			try_lists(&p);
		}
	}
	/* Without the header check in front: the decoders stand alone too. */
	bounds_checked = false;
	if (size >= 2) {
		p = (struct ipc_packet){ .type = (uint16_t)(copy[0] % 46), .body = copy + 2, .body_len = size - 2 };
		try_front(&p);
		try_others(&p);
		try_lists(&p);
	}
	free(copy);
	return 0;
}
