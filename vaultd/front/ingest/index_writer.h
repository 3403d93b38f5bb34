/*
 * index_writer.h - what is durable of the lane's recordings, on its way into
 * the index; private to ingest/. Loop thread.
 *
 * A note is what the index is going to know of one recording. It changes only
 * by completions of the store, so that the index never names a byte that is not
 * durable, and builds rows and segments just as a rebuild would. Notes go into
 * the index in the order in which they first changed; the low-water mark is the
 * first frame that is not in the index yet.
 */
#ifndef VAULT_FRONT_INGEST_INDEX_WRITER_H
#define VAULT_FRONT_INGEST_INDEX_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "front/index/index.h"
#include "front/store/store.h"

struct index_writer;
struct note;

VAULT_NODISCARD vault_err index_writer_new(struct index_writer **w, struct index *index, uint32_t lane);
/* What is not in the index is left to the next start's recovery. */
void index_writer_free(struct index_writer *w);

/* row: the clear facts; state live. Found by id from here on. */
VAULT_NODISCARD vault_err note_new(struct note **n, struct index_writer *w, const struct index_row *row, void *owner);
/* The stream; NULL once it was released. */
void *note_owner(const struct note *n);
/* Read-only, but for expires_s, policy and flags: change these with note_change. */
const struct index_row *note_row(const struct note *n);
void note_change(struct note *n, uint64_t expires_s, uint32_t policy, uint8_t flags);
/* A completion that succeeded. */
void note_done(struct note *n, const struct store_done *done);
/* Was the recording-open frame durable? */
bool note_stored(const struct note *n);
/* The end could not be written: the index alone knows. */
void note_cut_off(struct note *n);
/* Its stream is gone: the note goes when the index has it; at once when nothing was stored. */
void note_release(struct note *n);

struct note *index_writer_find(struct index_writer *w, const vault_id *id);
/* About once a second: in the order of change, up to a bounded amount of data. */
VAULT_NODISCARD vault_err index_writer_commit(struct index_writer *w);
/* Everything new or released, and id's when not NULL. */
VAULT_NODISCARD vault_err index_writer_flush(struct index_writer *w, const vault_id *id);
/* Everything. */
VAULT_NODISCARD vault_err index_writer_finish(struct index_writer *w);

#endif
