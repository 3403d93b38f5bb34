/*
 * fixture.h - a lane in a temporary directory, recordings that remember what
 * they were given and what was acknowledged, and a reader that opens volumes.
 */
#ifndef TEST_STORE_FIXTURE_H
#define TEST_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "crypto/aead.h"
#include "format/scan.h"
#include "front/index/index.h"
#include "front/store/store.h"
#include "front/store/volume_set.h"

#define OK(expression) assert_int_equal((expression), VAULT_OK)
#define RECS_MAX 64
#define SEGMENTS_MAX 64

struct fixture;

struct rec {
	struct fixture *f;
	vault_id id;
	uint8_t key[KEY_BYTES];
	struct store_stream *st;
	uint32_t segment;            /* next number */
	bool in_segment;
	uint8_t *given;              /* all plaintext submitted, in order */
	size_t n_given;
	uint64_t acked;              /* plaintext bytes reported durable */
	size_t oks, errors;
	vault_err last_err;
	bool open_done, end_done;
	struct manifest manifest;
	/* what an index writer would keep */
	struct index_row row;
	struct index_segment segments[SEGMENTS_MAX];
	size_t n_segments;
};

struct done_log {                    /* one acknowledged frame */
	struct rec *rec;
	enum store_op op;
	uint64_t volume, end;
	uint64_t bytes;
};

struct fixture {
	char dir[64];
	int fd;
	vault_id vault;
	uv_loop_t loop;
	struct store_options o;
	struct store_lane *lane;
	size_t pending;
	struct rec *rec[RECS_MAX];
	size_t n_rec;
	uint64_t seed;
	struct done_log *log;
	size_t n_log;
};

int fixture_setup(void **state);     /* a lane with small batches, volume_size 1 GiB */
int fixture_teardown(void **state);
uint64_t fixture_random(struct fixture *f, uint64_t below);
void fixture_open_lane(struct fixture *f, uint64_t next_volume);
void fixture_settle(struct fixture *f);          /* runs the loop until nothing is pending */
void fixture_close_lane(struct fixture *f);      /* frees the streams, closes, runs the loop dry */

struct rec *rec_open(struct fixture *f);
void rec_segment(struct rec *r);
void rec_segment_end(struct rec *r);
void rec_chunk(struct rec *r, size_t n);
void rec_end(struct rec *r, bool truncated);
/* A random mix over n recordings; all are ended when end is true. */
void fixture_mix(struct fixture *f, size_t n, size_t steps, bool end);

struct opened {
	uint8_t *bytes;              /* free() */
	size_t n;
	size_t chunks, segments;
	bool has_open, ended, truncated, sealed_end;
	struct manifest manifest;
	vault_err err;               /* the first frame that did not verify */
};
/* Opens recording r from every volume of directory fd. */
void rec_read(const struct rec *r, int fd, struct opened *out);

/* Field by field, as the index would store them: structs have padding. */
void rows_equal(const struct index_row *a, const struct index_row *b);
void remove_tree(const char *dir);

#endif
