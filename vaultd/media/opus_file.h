/*
 * opus_file.h - the timeline of an Ogg/Opus stream: pages in, packets with
 * their place in time out (RFC 7845). Used by the converter only.
 *
 * Times are in samples at 48 kHz from the recording's start; the first packets
 * of a link lie before it (pre-skip), so times are signed. Links of a chain
 * follow each other. Granule positions are never trusted to be near each other.
 */
#ifndef VAULT_MEDIA_OPUS_FILE_H
#define VAULT_MEDIA_OPUS_FILE_H

#include <ogg/ogg.h>
#include <stdbool.h>

#include "media/opus.h"

#define OPUS_FILE_PACKET_MAX (1024u * 1024)    /* an unfinished packet longer than this is refused */
#define OPUS_FILE_FILL_MAX (24ll * 3600 * OPUS_RATE)   /* silence for holes, in all */

struct opus_packet {
	uint8_t *data;
	size_t n;
	int64_t at;                  /* begins here */
	int64_t samples;             /* lasts this long */
	int64_t end;                 /* sound after this is cut off (end trim); at + samples otherwise */
};

struct opus_file_events {
	/* A link begins; head and tags are valid during the call. begin: its first sound. */
	vault_err (*link)(void *arg, const struct opus_head *head, const uint8_t *tags, size_t n_tags, int64_t begin);
	vault_err (*packet)(void *arg, const struct opus_packet *p);
	void *arg;
};

struct opus_file {
	struct opus_file_events ev;
	ogg_sync_state sync;
	ogg_stream_state stream;
	bool stream_ready;
	int state;
	uint32_t serial;
	struct opus_head head;
	bool placed;                 /* prev is valid */
	bool jumped;                 /* the next page is the first behind a jump */
	int64_t prev;                /* granule position behind the last page */
	int64_t shift;               /* time = granule position + shift */
	bool shift_known;
	int64_t ended;               /* time at which the last link ended */
	int64_t filled;              /* samples of holes so far */
};

void opus_file_init(struct opus_file *f, const struct opus_file_events *ev);
VAULT_NODISCARD vault_err opus_file_write(struct opus_file *f, const uint8_t *data, size_t n);
/* Bytes were left out: look for the next page. VAULT_E_STATE before the head is complete. */
VAULT_NODISCARD vault_err opus_file_jump(struct opus_file *f);
/* The head of at least one link was complete. */
bool opus_file_begun(const struct opus_file *f);
void opus_file_clear(struct opus_file *f);

#endif
