/*
 * fixture.h - a lane of the front with a keeper that is played by the test: the
 * real link, store, index and probe in a temporary directory.
 */
#ifndef TEST_INGEST_FIXTURE_H
#define TEST_INGEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "front/index/index.h"
#include "front/ingest/ingest.h"
#include "front/ingest/metadata.h"
#include "front/keeper_link.h"
#include "front/store/volume_set.h"

#define OK(expression) assert_int_equal((expression), VAULT_OK)
#define RECORDINGS_MAX 512

/* What the played keeper knows of a recording. */
struct known {
	vault_id id;
	char tenant[VAULT_TENANT_MAX + 1];
	char name[IPC_NAME_MAX + 1];
	uint8_t key[KEY_BYTES];
	uint8_t media;
	uint32_t segments;           /* granted */
	bool closed, gone;
	struct ipc_close close;
	char meta[METADATA_MAX + 1];
	char caller[IPC_NUMBER_MAX + 1];
};

struct keeper {
	int fd;
	uv_poll_t poll;
	uint8_t subscribed;
	bool hold_grants;            /* questions wait until keeper_release */
	unsigned refuse_grants;      /* refusal; 0: none */
	uint64_t until_ms;
	uint64_t closed_expires_s;   /* 0: unchanged */
	struct known known[RECORDINGS_MAX];
	size_t n_known;
	size_t opens, admits, segments, closes, notes, released, reconciles, job_failed;
	unsigned last_note;
	uint8_t held[IPC_MAX];
	size_t held_len;
};

struct lane {
	char dir[64];
	int media_fd, index_fd;
	vault_id vault;
	uv_loop_t loop;
	struct keeper keeper;
	struct keeper_link *link;
	struct volume_set *volumes;
	struct index *index;
	struct store_lane *store;
	struct ingest_options o;
	struct ingest *ingest;
	void (*push)(void *arg, const struct ipc_packet *packet);
	void *push_arg;
	bool link_gone;
};

int lane_setup(void **state);
int lane_teardown(void **state);
/* Closes ingest and makes it again with l->o. */
void lane_restart(struct lane *l);
/* As after a crash: nothing of ingest's memory reaches the index; recovery runs. */
void lane_crash(struct lane *l);
void lane_run_until(struct lane *l, const bool *flag);
void lane_turn(struct lane *l);

struct known *keeper_known(struct keeper *k, const vault_id *id);
void keeper_release(struct lane *l);
void keeper_push(struct lane *l, const uint8_t *packet, size_t n);
void keeper_stop(struct lane *l, const vault_id *id, unsigned refusal, uint64_t at_ms);

/* One upload and what became of it. */
struct upload {
	struct lane *l;
	struct ingest_stream *st;
	const uint8_t *data;
	size_t len, at;
	bool opened, over, failed, credit;
	unsigned refusal;
	vault_id id;
	uint64_t durable, failed_bytes;
	struct ingest_result result;
	size_t credits;
};
void upload_open(struct upload *u, struct lane *l, const char *name, uint8_t declared_container, uint8_t declared_media);
/* Gives up to n bytes in slices; waits for credit. False: the stream takes no more. */
bool upload_send(struct upload *u, size_t n, size_t slice);
void upload_all(struct upload *u, size_t slice);
void upload_end(struct upload *u);

/* A recording opened from the volumes with the played keeper's key. */
struct opened {
	uint8_t *bytes;
	size_t n;
	uint32_t chunks, segments, gaps;
	uint64_t gap_from, gap_to;
	uint8_t gap_reason;
	bool has_open, ended, truncated, sealed_end;
	struct manifest manifest;
	uint64_t last_chunk_us;
	uint64_t segment_start[64];
};
void recording_read(struct lane *l, const vault_id *id, struct opened *out);
void opened_free(struct opened *o);
/* Does any file of the lane hold these bytes? */
bool lane_holds(const struct lane *l, const char *marker);

uint8_t *sample(const char *file, size_t *n);
/* A WAV of silence-like noise: 8 kHz, 16 bit, mono. */
uint8_t *make_wav(size_t samples, size_t *n);

#endif
