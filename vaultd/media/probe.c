/*
 * probe.c - recognises the container by its first bytes and hands every slice
 * to that container's parser.
 *
 * Owner: one stream of the front (or a converter); one thread. Never does I/O,
 * never keeps more than the struct it was made with.
 */
#include "media/probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/wire.h"
#include "ipc/message.h"
#include "media/parts.h"

vault_err probe_new(struct probe **out)
{
	struct probe *p = calloc(1, sizeof(*p));

	*out = p;
	if (p == NULL)
		return VAULT_E_NOMEM;
	p->state = VAULT_E_SHORT;
	intake_init(&p->in, p->held, sizeof(p->held));
	return VAULT_OK;
}

void probe_free(struct probe *p)
{
	free(p);
}

const struct probe_result *probe_get(const struct probe *p)
{
	return &p->r;
}

bool probe_damaged(const struct probe *p)
{
	return p->damaged;
}

const char *probe_reason(const struct probe *p)
{
	return p->reason != NULL ? p->reason : "";
}

vault_err probe_fail(struct probe *p, vault_err err, const char *reason)
{
	if (p->reason == NULL)
		p->reason = reason;
	return err;
}

vault_err probe_add_track(struct probe *p, const struct probe_track *t)
{
	const bool decided = p->state == VAULT_OK;

	if (t->medium == 0) {
		if (!decided)
			return probe_fail(p, VAULT_E_UNSUPPORTED, "A track is neither audio nor video.");
		p->r.media |= MEDIUM_VOICE | MEDIUM_VIDEO;
		p->damaged = true;
		return VAULT_OK;
	}
	p->r.media |= t->medium;
	if (p->r.n_tracks < PROBE_TRACKS) {
		p->r.track[p->r.n_tracks++] = *t;
		return VAULT_OK;
	}
	return decided ? VAULT_OK : probe_fail(p, VAULT_E_UNSUPPORTED, "There are more than 16 tracks.");
}

vault_err probe_decide(struct probe *p)
{
	if (p->r.n_tracks == 0)
		return probe_fail(p, VAULT_E_UNSUPPORTED, "The container has no track.");
	p->state = VAULT_OK;
	return VAULT_OK;
}

void probe_reached(struct probe *p, uint64_t duration_us)
{
	if (duration_us > p->r.duration_us)
		p->r.duration_us = duration_us;
}

enum container container_of_head(const uint8_t *head, size_t n)
{
	if (n < CONTAINER_HEAD)
		return CONTAINER_NONE;
	if (memcmp(head, "OggS", 4) == 0)
		return CONTAINER_OGG;
	if ((memcmp(head, "RIFF", 4) == 0 || memcmp(head, "RF64", 4) == 0) && memcmp(head + 8, "WAVE", 4) == 0)
		return CONTAINER_WAV;
	if (load_be32(head) == 0x1a45dfa3u)
		return CONTAINER_WEBM;
	if (memcmp(head + 4, "ftyp", 4) == 0)
		return CONTAINER_MP4;
	return CONTAINER_NONE;
}

static vault_err follow(struct probe *p, const uint8_t *data, size_t n)
{
	switch (p->r.container) {
	case CONTAINER_WAV:
		return wav_feed(p, data, n);
	case CONTAINER_OGG:
		return ogg_feed(p, data, n);
	case CONTAINER_WEBM:
		return webm_feed(p, data, n);
	case CONTAINER_MP4:
		return mp4_feed(p, data, n);
	case CONTAINER_NONE:
		break;
	}
	return probe_fail(p, VAULT_E_UNSUPPORTED, "This is not Ogg, WAV, WebM/Matroska or MP4.");
}

/* Takes what is missing of the first bytes; OK once the container is known. */
static vault_err recognise(struct probe *p, const uint8_t **data, size_t *n)
{
	size_t k = sizeof(p->first) - p->n_first;

	if (k > *n)
		k = *n;
	if (k > 0)
		memcpy(p->first + p->n_first, *data, k);
	p->n_first += k;
	*data += k;
	*n -= k;
	if (p->n_first < sizeof(p->first))
		return VAULT_E_SHORT;
	p->r.container = container_of_head(p->first, p->n_first);
	if (p->r.container == CONTAINER_WAV)
		wav_head_init(&p->u.wav);
	return follow(p, p->first, p->n_first);
}

vault_err probe_feed(struct probe *p, const uint8_t *data, size_t n)
{
	const bool decided = p->state == VAULT_OK;
	vault_err err = VAULT_OK;

	if (!decided && p->state != VAULT_E_SHORT)
		return p->state;
	if (p->lost)
		return VAULT_OK;
	p->fed = add_saturating(p->fed, n);
	if (p->r.container == CONTAINER_NONE)
		err = recognise(p, &data, &n);
	if (err == VAULT_OK && n > 0)
		err = follow(p, data, n);
	if (err == VAULT_E_SHORT)
		return VAULT_E_SHORT;
	if (err != VAULT_OK && p->state == VAULT_OK) {
		/* Decided already: it is recorded as it came. */
		p->damaged = p->lost = true;
	} else if (err != VAULT_OK) {
		p->state = err;
	} else if (p->state == VAULT_E_SHORT && p->fed > PROBE_DECIDE_MAX) {
		p->state = probe_fail(p, VAULT_E_UNSUPPORTED, "No track is described within the first MiB.");
	}
	return p->state;
}

vault_err probe_finish(struct probe *p)
{
	if (p->state == VAULT_OK && p->r.container == CONTAINER_WEBM)
		webm_finish(p);
	return p->state;
}
