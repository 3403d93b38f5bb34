/*
 * metadata.h - the closed schema of what may be said about a recording.
 *
 * Input: query parameters and/or one JSON object (Vault-Metadata). A field that
 * is not in the schema and not declared by the tenant is refused by name, never
 * stored. A withheld number (caller_withheld true, or "anonymous", "restricted",
 * "unavailable", "withheld", "private") is dropped here: it reaches no buffer behind this one.
 */
#ifndef VAULT_FRONT_METADATA_H
#define VAULT_FRONT_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include <vault/error.h>
#include "base/buf.h"
#include "ipc/message.h"
#include "media/probe.h"

#define METADATA_FIELDS_MAX 64u
#define METADATA_VALUE_MAX 1024u

/* X(name, kind): kinds are NUMBER, TEXT, FLAG, COUNT (ms), TIME, OBJECT (<= 2 KiB JSON). */
#define METADATA_FIELDS(X) \
	X(caller, NUMBER) X(caller_withheld, FLAG) X(callee, NUMBER) X(callee_withheld, FLAG) \
	X(direction, TEXT) X(agent, TEXT) X(queue, TEXT) X(device, TEXT) X(call_id, TEXT) \
	X(siprec_session, TEXT) X(siprec_participant, TEXT) X(siprec_stream, TEXT) \
	X(transfer, TEXT) X(hold, TEXT) X(ring_ms, COUNT) X(wait_ms, COUNT) \
	X(basis, TEXT) X(consent, TEXT) X(channels, OBJECT) X(started, TIME)

struct ingest_metadata;

VAULT_NODISCARD vault_err metadata_new(struct ingest_metadata **m);
void metadata_free(struct ingest_metadata *m);        /* wipes */
VAULT_NODISCARD vault_err metadata_copy(struct ingest_metadata **out, const struct ingest_metadata *m);
/*
 * One field. VAULT_E_NOTFOUND: not in the schema and not in tags ("a,b,c", from
 * ipc_admitted); VAULT_E_EXISTS: given twice; VAULT_E_INVAL / RANGE: value.
 */
VAULT_NODISCARD vault_err metadata_set(struct ingest_metadata *m, const char *name, size_t name_len, const char *value,
    size_t value_len, const char *tags);
VAULT_NODISCARD vault_err metadata_json(struct ingest_metadata *m, const char *json, size_t len, const char *tags);
/* Fills caller, callee, consent_given and meta (canonical JSON with the tracks) of o. */
VAULT_NODISCARD vault_err metadata_finish(const struct ingest_metadata *m, const struct probe_result *media,
    struct ipc_open *o);

#endif
