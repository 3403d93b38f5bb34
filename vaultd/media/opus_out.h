/*
 * opus_out.h - whole Opus packets into a new Ogg stream: the remuxer.
 *
 * Each link of the input becomes a link of the output. What is cut off at the
 * front is told by the pre-skip, at the end by the last granule position.
 */
#ifndef VAULT_MEDIA_OPUS_OUT_H
#define VAULT_MEDIA_OPUS_OUT_H

#include <ogg/ogg.h>

#include "media/convert.h"
#include "media/opus_file.h"

struct opus_out {
	convert_sink sink;
	void *arg;
	ogg_stream_state stream;
	bool open;                   /* a link is being written */
	bool head_due;               /* its head waits for the first packet */
	int serial;
	struct opus_head head;
	uint8_t *tags;               /* owned */
	size_t n_tags;
	int64_t origin;              /* time of granule position 0 */
	int64_t last_end;
	uint32_t page_packets;
	int64_t packets;
	uint8_t *held;               /* the newest packet: it may turn out to be the last */
	size_t n_held, cap_held;
	int64_t held_end;
	bool holding;
};

void opus_out_init(struct opus_out *o, convert_sink sink, void *arg);
VAULT_NODISCARD vault_err opus_out_link(struct opus_out *o, const struct opus_head *head, const uint8_t *tags,
    size_t n_tags);
/* sound_from: nothing before this time is heard; sound_to: nothing from this time on. */
VAULT_NODISCARD vault_err opus_out_packet(struct opus_out *o, const struct opus_packet *p, int64_t sound_from,
    int64_t sound_to);
VAULT_NODISCARD vault_err opus_out_finish(struct opus_out *o);
void opus_out_clear(struct opus_out *o);

#endif
