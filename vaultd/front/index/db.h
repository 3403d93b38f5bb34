/*
 * db.h - inside of the index; shared by its own files only.
 *
 * LMDB: "meta" (format row, low-water marks), "row" (id -> row), "segment"
 * (id, be32 segment -> segment), "live" (id -> nothing: rows in state ROW_LIVE).
 */
#ifndef VAULT_FRONT_INDEX_DB_H
#define VAULT_FRONT_INDEX_DB_H

#include <lmdb.h>
#include <stdbool.h>

#include "front/index/index.h"
#include "lmdb_err.h"

#define SEGMENT_KEY_BYTES (VAULT_ID_BYTES + 4u)

struct index {
	MDB_env *env;
	MDB_dbi meta, row, segment, live;
	MDB_txn *write;              /* between begin and commit/abort */
	MDB_txn *read;               /* reset between uses */
	int lock_fd;                 /* holds the flock */
	unsigned walking;            /* walks in progress: the map must not move */
	bool grow;                   /* a transaction found the map full */
};

/* The flock that keeps a second process away. VAULT_E_BUSY. */
VAULT_NODISCARD vault_err db_lock(int index_fd, int *lock_fd);
/* index_open under a lock that is held; takes lock_fd over, on failure too. */
VAULT_NODISCARD vault_err db_open(struct index **ix, int index_fd, const vault_id *vault, int lock_fd);
/* A transaction to read with: the open write one, or the cached read one. */
VAULT_NODISCARD vault_err db_read_begin(struct index *ix, MDB_txn **txn);
void db_read_end(struct index *ix);

void db_segment_key(uint8_t out[SEGMENT_KEY_BYTES], const vault_id *id, uint32_t segment);

#define ROW_BYTES_MAX 256u
/* Values end with the low 32 bits of their XXH3-64: a damaged page is found when it is read. */
VAULT_NODISCARD vault_err row_encode(const struct index_row *row, uint8_t out[ROW_BYTES_MAX], size_t *n);
VAULT_NODISCARD vault_err row_decode(struct index_row *row, const vault_id *id, const uint8_t *in, size_t n);
/* Caller frees *out. */
VAULT_NODISCARD vault_err segment_encode(const struct index_segment *s, uint8_t **out, size_t *n);
VAULT_NODISCARD vault_err segment_decode(struct index_segment *s, uint32_t segment, const uint8_t *in, size_t n);

/* What index_recover and index_rebuild have in common. */
struct catch_up {
	struct index *ix;
	struct volume_set *volumes;
	bool close_live;             /* recordings without an end are ended as truncated */
	index_orphan_fn fn;
	void *arg;
	void (*progress)(void *arg, uint64_t done, uint64_t all);
	void *progress_arg;
	uint64_t all;
};
VAULT_NODISCARD vault_err index_catch_up(const struct catch_up *c);

#endif
