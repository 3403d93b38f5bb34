/*
 * meta.c - rows with their personal fields: for each pair of a ROW frame and a
 * recording-open frame, one JSON line sealed to the contact. A row whose key the
 * keeper does not give is left out without a word: it is not the contact's.
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/secret.h"
#include "base/wire.h"
#include "crypto/aead.h"
#include "exporter/job.h"

#define ROW_MAX 16384u
#define CLEAR_MAX 2048u

static vault_err write_line(struct job *j, const json_t *row)
{
	size_t n = 0;
	char *text = json_write(row, &n);
	vault_err err = text == NULL ? VAULT_E_NOMEM : seal_write(j->seal, text, n);
	if (err == VAULT_OK)
		err = seal_write(j->seal, "\n", 1);
	if (text != NULL)
		secret_wipe(text, n);
	free(text);
	return err;
}

/* The sealed blob inside a recording-open frame, as a JSON object. VAULT_E_DENIED: not this contact's. */
static vault_err open_personal(struct job *j, const struct frame_view *v, json_t **personal)
{
	struct reader r;
	struct ipc_want_meta want = {.id = v->f.id};
	struct ipc_meta_key key = {0};
	char *text = NULL;
	size_t blob_len = 0, clear_len = 0;
	reader_init(&r, v->payload, v->f.length);
	(void)read_blob32(&r, CLEAR_MAX, &clear_len);
	const uint8_t *blob = read_blob32(&r, METADATA_MAX + METADATA_OVERHEAD, &blob_len);
	vault_err err = reader_finish(&r);
	if (err == VAULT_OK && blob_len < METADATA_OVERHEAD)
		err = VAULT_E_CORRUPT;
	if (err == VAULT_OK)
		err = metadata_salt(blob, blob_len, want.salt);
	if (err == VAULT_OK)
		err = keys_metadata(j->keys, &want, &key);
	if (err == VAULT_OK) {
		text = secret_alloc(METADATA_MAX);
		err = text == NULL ? VAULT_E_NOMEM : metadata_open(text, blob, blob_len, key.key, &v->f.id);
	}
	secret_wipe(&key, sizeof(key));
	if (err == VAULT_OK)
		err = json_read(text, blob_len - METADATA_OVERHEAD, METADATA_MAX, personal);
	secret_free(text);
	return err;
}

static vault_err give_row(struct job *j, json_t *row, const vault_id *row_id, const struct frame_view *v)
{
	char id[VAULT_ID_TEXT];
	json_t *personal = NULL;
	if (v->f.type != FRAME_RECORDING_OPEN || !vault_id_equal(row_id, &v->f.id))
		return VAULT_E_PROTO;
	vault_err err = open_personal(j, v, &personal);
	if (err == VAULT_E_DENIED)
		return VAULT_OK;
	if (err != VAULT_OK)
		return err;
	/* The row is the front's word; the id is what was authenticated. */
	vault_id_format(&v->f.id, id);
	if (json_object_set_new(row, "personal", personal) < 0 || json_object_set_new(row, "id", json_string(id)) < 0)
		return VAULT_E_NOMEM;
	j->items++;
	return write_line(j, row);
}

vault_err job_metadata(struct job *j)
{
	struct frame_view v;
	vault_err err;
	while ((err = job_frame(j, &v)) == VAULT_OK) {
		json_t *row = NULL;
		const vault_id row_id = v.f.id;
		if (v.f.type != FRAME_ROW)
			return VAULT_E_PROTO;
		err = json_read((const char *)v.payload, v.f.length, ROW_MAX, &row);
		if (err == VAULT_OK && !json_is_object(row))
			err = VAULT_E_PROTO;
		if (err == VAULT_OK)
			err = job_frame(j, &v);
		if (err == VAULT_OK)
			err = give_row(j, row, &row_id, &v);
		json_decref(row);
		if (err != VAULT_OK)
			return err == VAULT_E_EOF ? VAULT_E_SHORT : err;
	}
	return err == VAULT_E_EOF ? VAULT_OK : err;
}
