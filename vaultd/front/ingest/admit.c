/*
 * admit.c - may this source write this medium? A question to the keeper that
 * leaves no state but its callback.
 */
#include <stdlib.h>

#include "base/secret.h"
#include "front/ingest/stream.h"

struct admit {                       /* a question without state */
	struct link link;
	struct ingest *in;
	ingest_admit_cb cb;          /* NULL: cancelled */
	void *arg;
	uint64_t ticket;
};

static void on_admitted(void *arg, const struct ipc_packet *packet)
{
	struct admit *a = arg;
	struct ipc_admitted m = { .refusal = VAULT_REFUSAL_unavailable };

	if (packet != NULL && ipc_admitted_decode(&m, packet) != VAULT_OK)
		m = (struct ipc_admitted){ .refusal = VAULT_REFUSAL_internal };
	link_remove(&a->link);
	if (m.refusal != VAULT_REFUSAL_none)
		a->in->counts.refused++;
	if (a->cb != NULL)
		a->cb(a->arg, &m);
	free(a);
}

vault_err ingest_admit(struct ingest *in, const struct ipc_admit *m, ingest_admit_cb cb, void *arg,
    struct ingest_ticket *ticket)
{
	struct admit *a = calloc(1, sizeof *a);

	if (a == NULL)
		return VAULT_E_NOMEM;
	a->in = in;
	a->cb = cb;
	a->arg = arg;
	link_init(&a->link);
	size_t n = ipc_admit_encode(in->packet, 0, m);
	vault_err err = n > 0 ? VAULT_OK : VAULT_E_INVAL;
	if (err == VAULT_OK)
		err = keeper_link_ask(in->o.keeper, in->packet, n, on_admitted, a, &a->ticket);
	secret_wipe(in->packet, n);
	if (err != VAULT_OK) {
		free(a);
		return err;
	}
	link_append(&in->admits, &a->link);
	ticket->ticket = a->ticket;
	return VAULT_OK;
}

void ingest_admit_cancel(struct ingest *in, struct ingest_ticket ticket)
{
	for (struct link *l = in->admits.next; l != &in->admits; l = l->next) {
		struct admit *a = LINK_OF(l, struct admit, link);
		if (a->ticket == ticket.ticket)
			a->cb = NULL;
	}
}

void ingest_forget_admits(struct ingest *in)
{
	while (!link_alone(&in->admits)) {
		struct admit *a = LINK_OF(in->admits.next, struct admit, link);
		/* link_remove made another one the first. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		keeper_link_cancel(in->o.keeper, a->ticket);
		link_remove(&a->link);
		free(a);
	}
}
