/*
 * ingest.h - the front's questions about streams: may it, its key, its end.
 *
 * Handlers of a running batch. Everything the front says is a claim: sources
 * prove themselves by credential, recordings by being live, names by their token.
 */
#ifndef VAULT_KEEPER_INGEST_H
#define VAULT_KEEPER_INGEST_H

#include <stdint.h>

#include <vault/error.h>
#include "ipc/message.h"

struct keeper;

VAULT_NODISCARD vault_err ingest_admit(struct keeper *k, const struct ipc_packet *p);
VAULT_NODISCARD vault_err ingest_open(struct keeper *k, const struct ipc_packet *p);
VAULT_NODISCARD vault_err ingest_segment(struct keeper *k, const struct ipc_packet *p);
VAULT_NODISCARD vault_err ingest_close(struct keeper *k, const struct ipc_packet *p);
VAULT_NODISCARD vault_err ingest_source(struct keeper *k, const struct ipc_packet *p);
VAULT_NODISCARD vault_err ingest_note(struct keeper *k, const struct ipc_packet *p);
VAULT_NODISCARD vault_err ingest_reconcile(struct keeper *k, const struct ipc_packet *p);

/* Sends STOP to live streams whose subscription or retention ended; gives the next such moment (UINT64_MAX: none). */
uint64_t ingest_stop_ended(struct keeper *k, uint64_t now_ms);
/* After a change of subscriptions or retentions: live streams get their nearer ends. Own transaction. */
void ingest_reload(struct keeper *k);

#endif
