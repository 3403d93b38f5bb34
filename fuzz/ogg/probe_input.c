/*
 * probe_input.c - see probe_input.h.
 */
#include "probe_input.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/message.h"
#include "planted.h"

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_result(const struct probe_result *r)
{
	uint8_t media = 0;

	check(r->n_tracks <= PROBE_TRACKS);
	for (size_t i = 0; i < r->n_tracks; i++) {
		check(r->track[i].medium == MEDIUM_VOICE || r->track[i].medium == MEDIUM_VIDEO);
		check(codec_is_video((enum codec)r->track[i].codec) == (r->track[i].medium == MEDIUM_VIDEO));
		media |= r->track[i].medium;
	}
	/* Later tracks may only add to it. */
	check((r->media & media) == media);
}

static vault_err feed(struct probe *p, const uint8_t *data, size_t n, size_t step)
{
	vault_err err = VAULT_E_SHORT, before;
	uint64_t us = 0;

	for (size_t at = 0, k = step; at < n; at += k, k = k * 7 % 61 + 1) {
		if (step == 0 || k > n - at)
			k = n - at;
		before = err;
		err = probe_feed(p, data + at, k);
		check(before == VAULT_E_SHORT || err == before);
		check(probe_get(p)->duration_us >= us);
		us = probe_get(p)->duration_us;
	}
	check(probe_finish(p) == err);
	return err;
}

int probe_input(const uint8_t *data, size_t n, enum container expected)
{
	struct probe *whole, *sliced;

	if (container_of_head(data, n) != expected)
		return -1;
	if (probe_new(&whole) != VAULT_OK)
		return 0;
	if (probe_new(&sliced) == VAULT_OK) {
		const vault_err a = feed(whole, data, n, 0), b = feed(sliced, data, n, 1);
		const struct probe_result *ra = probe_get(whole), *rb = probe_get(sliced);
		check(a == b);
		check(a != VAULT_OK || (ra->n_tracks > 0 && ra->media != 0));
		check_result(ra);
		check(ra->media == rb->media && ra->n_tracks == rb->n_tracks);
		/* Whole input is one slice: a plain MP4's position inside its media is only told at the end of a slice. */
		check(ra->duration_us <= rb->duration_us || a != VAULT_OK);
		PLANTED(a == VAULT_OK && rb->duration_us / 1000 % 5 == 4);
		probe_free(sliced);
	}
	probe_free(whole);
	return 0;
}
