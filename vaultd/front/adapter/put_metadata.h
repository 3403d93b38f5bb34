/*
 * put_metadata.h - what a request says about its recording: tenant and name
 * from the path, fields from query and Vault-Metadata.
 */
#ifndef VAULT_FRONT_ADAPTER_PUT_METADATA_H
#define VAULT_FRONT_ADAPTER_PUT_METADATA_H

#include "front/http/request.h"
#include "front/ingest/ingest.h"
#include "front/ingest/metadata.h"

/* Segments 2 and (when there is one) 4 of the target into start. none or bad_name. */
unsigned put_path(const struct http_target *t, struct ingest_start *start);
/*
 * All fields, refused as a whole. tags: the tenant's further fields. On
 * unknown_field field gets the name's first bytes, NUL-terminated.
 */
unsigned put_metadata(const struct http_request *r, const struct http_target *t, const char *tags, bool consent_needed,
    struct ingest_metadata **out, char field[33]);

#endif
