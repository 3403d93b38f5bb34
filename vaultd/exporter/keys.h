/*
 * keys.h - the exporter's end of the key link (blocking).
 */
#ifndef VAULT_EXPORTER_KEYS_H
#define VAULT_EXPORTER_KEYS_H

#include <vault/error.h>
#include "ipc/message.h"

struct keys;

VAULT_NODISCARD vault_err keys_new(struct keys **k, int fd);
void keys_free(struct keys *k);                  /* wipes */
/* Waits for the job. VAULT_E_EOF: the link closed, there is none. */
VAULT_NODISCARD vault_err keys_job(struct keys *k, struct ipc_job *job);
/* VAULT_E_DENIED: the keeper refuses this segment or row. */
VAULT_NODISCARD vault_err keys_segment(struct keys *k, const struct ipc_want_key *want, struct segment_key *out);
VAULT_NODISCARD vault_err keys_metadata(struct keys *k, const struct ipc_want_meta *want, struct ipc_meta_key *out);
/* Why the keeper refused last; not_found when it never did. */
unsigned keys_refusal(const struct keys *k);
VAULT_NODISCARD vault_err keys_result(struct keys *k, const struct ipc_job_result *result);

#endif
