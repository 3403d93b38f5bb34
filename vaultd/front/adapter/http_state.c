/*
 * http_state.c - GET /v1/recordings/{id}/state: what of a recording is durable,
 * told to the source that sends it and to nobody else.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "front/adapter/front.h"

struct state_call {
	struct front *f;
	struct exchange *x;
	vault_id id;
	uint64_t ticket;
};

static void on_lost(void *arg, unsigned refusal)
{
	struct state_call *c = arg;

	(void)refusal;
	keeper_link_cancel(c->f->keeper, c->ticket);
	free(c);
}

static size_t no_credit(void *arg)
{
	(void)arg;
	return 0;
}

static void no_body(void *arg, const uint8_t *data, size_t n)
{
	(void)arg;
	(void)data;
	(void)n;
}

static void no_body_end(void *arg)
{
	(void)arg;
}

static const struct exchange_handler handler = { no_credit, no_body, no_body_end, NULL, on_lost };

static void answer_row(struct exchange *x, const struct index_row *row)
{
	json_t *o = rows_state_json(row);
	size_t n = 0;
	char *text = o != NULL ? json_write(o, &n) : NULL;

	if (text == NULL)
		exchange_problem(x, VAULT_REFUSAL_internal, NULL);
	else
		exchange_json(x, 200, "Cache-Control: no-store\r\n", text, n);
	free(text);
	json_decref(o);
}

static void on_source(void *arg, const struct ipc_packet *packet)
{
	struct state_call *c = arg;
	struct ipc_source_is is;
	struct index_row row;

	if (packet == NULL || ipc_source_is_decode(&is, packet) != VAULT_OK)
		exchange_problem(c->x, VAULT_REFUSAL_unavailable, NULL);
	else if (is.refusal != VAULT_REFUSAL_none)
		exchange_problem(c->x, is.refusal, NULL);
	else if (rows_get(&c->f->rows, &c->id, clock_wall_ms(), &row) != VAULT_OK || row.source != is.source)
		exchange_problem(c->x, VAULT_REFUSAL_not_found, NULL);
	else
		answer_row(c->x, &row);
	free(c);
}

static vault_err ask(struct state_call *c, const struct ipc_cred *cred)
{
	size_t n = ipc_source_encode(c->f->packet, 0, cred);
	vault_err err = n == 0 ? VAULT_E_RANGE : keeper_link_ask(c->f->keeper, c->f->packet, n, on_source, c, &c->ticket);

	secret_wipe(c->f->packet, IPC_HEADER + sizeof(*cred) + 16);
	return err;
}

void http_state(struct front *f, struct exchange *x, const struct http_target *t)
{
	struct ipc_cred cred;
	struct state_call *c;
	vault_id id;

	if (vault_id_parse(t->segment[2], t->segment_len[2], &id) != VAULT_OK) {
		front_refuse(f, x, VAULT_REFUSAL_not_found, NULL, "");
		return;
	}
	if (keeper_link_busy(f->keeper)) {
		front_refuse(f, x, VAULT_REFUSAL_unavailable, NULL, "");
		return;
	}
	if (credentials_of(x, &cred) != VAULT_OK) {
		secret_wipe(&cred, sizeof(cred));
		front_refuse(f, x, VAULT_REFUSAL_unauthorized, NULL, "");
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c != NULL) {
		*c = (struct state_call){ .f = f, .x = x, .id = id };
		exchange_handle(x, &handler, c);
	}
	if (c == NULL || ask(c, &cred) != VAULT_OK) {
		free(c);
		front_refuse(f, x, VAULT_REFUSAL_unavailable, NULL, "");
	}
	secret_wipe(&cred, sizeof(cred));
}
