/*
 * keys.c - see keys.h. One question at a time; packets carry keys and are wiped.
 */
#include "exporter/keys.h"

#include <stdlib.h>

#include "base/secret.h"

struct keys {
	int fd;
	uint64_t tag;
	unsigned refusal;            /* the last one */
	uint8_t *packet;             /* guarded, IPC_MAX bytes */
};

vault_err keys_new(struct keys **out, int fd)
{
	struct keys *k = calloc(1, sizeof(*k));
	if (k == NULL)
		return VAULT_E_NOMEM;
	k->fd = fd;
	k->refusal = VAULT_REFUSAL_not_found;
	k->packet = secret_alloc(IPC_MAX);
	if (k->packet == NULL) {
		free(k);
		return VAULT_E_NOMEM;
	}
	*out = k;
	return VAULT_OK;
}

void keys_free(struct keys *k)
{
	if (k == NULL)
		return;
	secret_free(k->packet);
	free(k);
}

static vault_err receive(struct keys *k, uint16_t type, struct ipc_packet *p)
{
	size_t n = 0;
	vault_err err = ipc_recv(k->fd, k->packet, &n, NULL);
	if (err == VAULT_OK)
		err = ipc_parse(p, k->packet, n, LINK_EXPORTER, FROM_KEEPER);
	if (err == VAULT_OK && p->type != type)
		err = VAULT_E_PROTO;
	return err;
}

/* Sends what is encoded in the packet and waits for its answer. */
static vault_err ask(struct keys *k, size_t n, uint16_t type, struct ipc_packet *p)
{
	vault_err err = n == 0 ? VAULT_E_RANGE : ipc_send(k->fd, k->packet, n, NULL);
	if (err == VAULT_OK)
		err = receive(k, type, p);
	if (err == VAULT_OK && p->tag != k->tag)
		err = VAULT_E_PROTO;
	return err;
}

vault_err keys_job(struct keys *k, struct ipc_job *job)
{
	struct ipc_packet p;
	vault_err err = receive(k, IPC_JOB, &p);
	return err == VAULT_OK ? ipc_job_decode(job, &p) : err;
}

static vault_err granted(struct keys *k, unsigned refusal)
{
	if (refusal == VAULT_REFUSAL_none)
		return VAULT_OK;
	k->refusal = refusal;
	return VAULT_E_DENIED;
}

unsigned keys_refusal(const struct keys *k)
{
	return k->refusal;
}

vault_err keys_segment(struct keys *k, const struct ipc_want_key *want, struct segment_key *out)
{
	struct ipc_packet p;
	struct ipc_key answer = {0};
	vault_err err = ask(k, ipc_want_key_encode(k->packet, ++k->tag, want), IPC_KEY, &p);
	if (err == VAULT_OK)
		err = ipc_key_decode(&answer, &p);
	if (err == VAULT_OK)
		err = granted(k, answer.refusal);
	if (err == VAULT_OK)
		*out = answer.key;
	secret_wipe(&answer, sizeof(answer));
	secret_wipe(k->packet, IPC_HEADER + 128);
	return err;
}

vault_err keys_metadata(struct keys *k, const struct ipc_want_meta *want, struct ipc_meta_key *out)
{
	struct ipc_packet p;
	vault_err err = ask(k, ipc_want_meta_encode(k->packet, ++k->tag, want), IPC_META_KEY, &p);
	if (err == VAULT_OK)
		err = ipc_meta_key_decode(out, &p);
	secret_wipe(k->packet, IPC_HEADER + 128);
	return err == VAULT_OK ? granted(k, out->refusal) : err;
}

vault_err keys_result(struct keys *k, const struct ipc_job_result *result)
{
	size_t n = ipc_job_result_encode(k->packet, ++k->tag, result);
	return n == 0 ? VAULT_E_RANGE : ipc_send(k->fd, k->packet, n, NULL);
}
