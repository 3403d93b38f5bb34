/*
 * clear_json.c - the clear JSON of a recording-open frame <-> a row.
 *
 * A closed schema of facts that are not personal (docs/FORMAT.md). The numbers
 * are part of the volume format: the assertions below keep them from moving.
 */
#include <string.h>

#include "base/json.h"
#include "front/index/index.h"
#include "ipc/message.h"
#include "media/probe.h"

#define CLEAR_MAX 2048u

static_assert(MEDIUM_VOICE == 1 && MEDIUM_VIDEO == 2, "media of the volume format");
static_assert(CONTAINER_NONE == 0 && CONTAINER_OGG == 1 && CONTAINER_WAV == 2 && CONTAINER_WEBM == 3 &&
    CONTAINER_MP4 == 4, "containers of the volume format");
static_assert(CODEC_UNKNOWN == 0 && CODEC_PCM_S16LE == 1 && CODEC_PCM_OTHER == 2 && CODEC_PCMU == 3 &&
    CODEC_PCMA == 4 && CODEC_OPUS == 5 && CODEC_VORBIS == 6 && CODEC_AAC == 7 && CODEC_MP3 == 8 && CODEC_FLAC == 9 &&
    CODEC_SPEEX == 10 && CODEC_VP8 == 11 && CODEC_VP9 == 12 && CODEC_AV1 == 13 && CODEC_H264 == 14 &&
    CODEC_H265 == 15 && CODEC_THEORA == 16 && CODEC_OTHER_AUDIO == 17 && CODEC_OTHER_VIDEO == 18,
    "codecs of the volume format");

#define MEDIA_ALL (MEDIUM_VOICE | MEDIUM_VIDEO)

static const char *const members[] = { "v", "tenant", "media", "container", "tracks", "start_ms", "expires_s", "policy",
	"source", NULL };
static const char *const track_members[] = { "medium", "codec", "channels", "rate", NULL };

static json_t *number(uint64_t v)
{
	return v <= INT64_MAX ? json_integer((json_int_t)v) : NULL;
}

static json_t *track_to_json(const struct index_track *t)
{
	json_t *o = json_object();
	int bad = o == NULL;

	bad |= json_object_set_new(o, "medium", number(t->medium));
	bad |= json_object_set_new(o, "codec", number(t->codec));
	bad |= json_object_set_new(o, "channels", number(t->channels));
	bad |= json_object_set_new(o, "rate", number(t->rate));
	if (bad) {
		json_decref(o);
		return NULL;
	}
	return o;
}

vault_err index_row_to_clear(const struct index_row *row, char **text, size_t *len)
{
	*text = NULL;
	if (row->n_tracks > ROW_TRACKS || row->start_ms > INT64_MAX || row->expires_s > INT64_MAX ||
	    !vault_tenant_valid(row->tenant, strnlen(row->tenant, sizeof row->tenant)))
		return VAULT_E_INVAL;
	json_t *o = json_object(), *tracks = json_array();
	int bad = o == NULL || tracks == NULL;
	for (size_t i = 0; i < row->n_tracks; i++)
		bad |= json_array_append_new(tracks, track_to_json(&row->track[i]));
	bad |= json_object_set_new(o, "v", number(1));
	bad |= json_object_set_new(o, "tenant", json_string(row->tenant));
	bad |= json_object_set_new(o, "media", number(row->media));
	bad |= json_object_set_new(o, "container", number(row->container));
	bad |= json_object_set_new(o, "tracks", tracks);
	bad |= json_object_set_new(o, "start_ms", number(row->start_ms));
	bad |= json_object_set_new(o, "expires_s", number(row->expires_s));
	bad |= json_object_set_new(o, "policy", number(row->policy));
	bad |= json_object_set_new(o, "source", number(row->source));
	if (!bad)
		*text = json_write(o, len);
	json_decref(o);
	return *text != NULL ? VAULT_OK : VAULT_E_NOMEM;
}

/* Sticky: after the first failure every number reads as 0. */
static uint64_t bounded(const json_t *o, const char *name, uint64_t max, vault_err *err)
{
	uint64_t v = 0;

	if (*err == VAULT_OK)
		*err = json_u64(o, name, &v);
	if (*err == VAULT_OK && v > max)
		*err = VAULT_E_RANGE;
	return *err == VAULT_OK ? v : 0;
}

static vault_err tracks_from_json(struct index_row *row, const json_t *tracks)
{
	vault_err err = VAULT_OK;

	if (!json_is_array(tracks) || json_array_size(tracks) > ROW_TRACKS)
		return VAULT_E_INVAL;
	row->n_tracks = (uint8_t)json_array_size(tracks);
	for (size_t i = 0; i < row->n_tracks && err == VAULT_OK; i++) {
		const json_t *t = json_array_get(tracks, i);
		if (!json_is_object(t))
			return VAULT_E_INVAL;
		err = json_only(t, track_members);
		row->track[i].medium = (uint8_t)bounded(t, "medium", MEDIA_ALL, &err);
		row->track[i].codec = (uint8_t)bounded(t, "codec", CODEC_OTHER_VIDEO, &err);
		row->track[i].channels = (uint8_t)bounded(t, "channels", UINT8_MAX, &err);
		row->track[i].rate = (uint32_t)bounded(t, "rate", UINT32_MAX, &err);
		if (err == VAULT_OK && row->track[i].medium == MEDIA_ALL)
			err = VAULT_E_RANGE;
	}
	return err;
}

static vault_err row_from_json(struct index_row *row, const json_t *o)
{
	size_t len = 0;

	if (!json_is_object(o))
		return VAULT_E_INVAL;
	vault_err err = json_only(o, members);
	if (bounded(o, "v", 1, &err) != 1 && err == VAULT_OK)
		err = VAULT_E_UNSUPPORTED;
	const char *tenant = json_str(o, "tenant", &len);
	if (err == VAULT_OK && (tenant == NULL || !vault_tenant_valid(tenant, len)))
		err = VAULT_E_INVAL;
	if (err != VAULT_OK)
		return err;
	memcpy(row->tenant, tenant, len);
	row->media = (uint8_t)bounded(o, "media", MEDIA_ALL, &err);
	row->container = (uint8_t)bounded(o, "container", CONTAINER_MP4, &err);
	row->start_ms = bounded(o, "start_ms", INT64_MAX, &err);
	row->expires_s = bounded(o, "expires_s", INT64_MAX, &err);
	row->policy = (uint32_t)bounded(o, "policy", UINT32_MAX, &err);
	row->source = (uint32_t)bounded(o, "source", UINT32_MAX, &err);
	if (err == VAULT_OK && row->media == 0)
		err = VAULT_E_RANGE;
	return err == VAULT_OK ? tracks_from_json(row, json_object_get(o, "tracks")) : err;
}

vault_err index_row_from_clear(struct index_row *row, const char *text, size_t len)
{
	json_t *o;

	memset(row, 0, sizeof *row);
	vault_err err = json_read(text, len, CLEAR_MAX, &o);
	if (err != VAULT_OK)
		return err;
	err = row_from_json(row, o);
	json_decref(o);
	if (err != VAULT_OK)
		memset(row, 0, sizeof *row);
	return err;
}
