/*
 * rows.c - see rows.h.
 */
#include "front/serve/rows.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "ipc/message.h"
#include "media/probe.h"

#define LIST_LIMIT_DEFAULT 100u
#define STATE_ANY 255u

const char *rows_state_name(uint8_t state)
{
	static const char *const names[] = {"live", "ended", "truncated"};
	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static bool is_expired(const struct index_row *row, uint64_t now_ms)
{
	return row->expires_s <= now_ms / 1000;
}

vault_err rows_get(const struct rows *r, const vault_id *id, uint64_t now_ms, struct index_row *row)
{
	vault_err err = r->ingest == NULL ? VAULT_E_NOTFOUND : ingest_live(r->ingest, id, row);
	if (err == VAULT_E_NOTFOUND)
		err = index_get(r->index, id, row);
	if (err == VAULT_OK && is_expired(row, now_ms))
		err = VAULT_E_NOTFOUND;
	return err;
}

static json_t *json_time(uint64_t unix_ms)
{
	char text[CLOCK_TEXT];
	clock_format(unix_ms, text);
	return json_string(text);
}

static json_t *json_media(uint8_t media)
{
	json_t *list = json_array();
	if ((media & MEDIUM_VOICE) != 0)
		(void)json_array_append_new(list, json_string("voice"));
	if ((media & MEDIUM_VIDEO) != 0)
		(void)json_array_append_new(list, json_string("video"));
	return list;
}

static json_t *json_tracks(const struct index_row *row)
{
	json_t *list = json_array();
	for (size_t i = 0; i < row->n_tracks && i < ROW_TRACKS; i++) {
		const struct index_track *t = &row->track[i];
		(void)json_array_append_new(list,
		    json_pack("{s:s, s:s, s:i, s:i}", "medium", t->medium == MEDIUM_VIDEO ? "video" : "voice", "codec",
		        codec_name((enum codec)t->codec), "channels", (int)t->channels, "rate", (int)t->rate));
	}
	return list;
}

json_t *rows_json(const struct index_row *row)
{
	char id[VAULT_ID_TEXT];
	vault_id_format(&row->id, id);
	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "id", id, "tenant",
	    row->tenant, "media", json_media(row->media), "container", container_name((enum container)row->container),
	    "tracks", json_tracks(row), "state", rows_state_name(row->state), "start", json_time(row->start_ms), "expires",
	    json_time(row->expires_s * 1000), "bytes", (json_int_t)row->bytes, "duration_ms",
	    (json_int_t)(row->duration_us / 1000), "gap_ms", (json_int_t)(row->gap_us / 1000), "policy",
	    (json_int_t)row->policy, "source", (json_int_t)row->source, "held", (row->flags & ROW_HELD) != 0, "restricted",
	    (row->flags & ROW_RESTRICTED) != 0);
}

json_t *rows_state_json(const struct index_row *row)
{
	char id[VAULT_ID_TEXT];
	vault_id_format(&row->id, id);
	return json_pack("{s:s, s:s, s:I, s:I}", "id", id, "state", rows_state_name(row->state), "bytes",
	    (json_int_t)row->bytes, "duration_ms", (json_int_t)(row->duration_us / 1000));
}

struct listing {
	const struct rows *rows;
	json_t *list;
	size_t limit;
	uint64_t now_ms;
	uint8_t state;
	vault_id last;
	bool more;
};

static vault_err list_row(void *arg, const struct index_row *indexed)
{
	struct listing *l = arg;
	struct index_row row = *indexed;
	/* A live stream knows more than the index does. */
	if (row.state == ROW_LIVE && l->rows->ingest != NULL &&
	    ingest_live(l->rows->ingest, &row.id, &row) != VAULT_OK)
		row = *indexed;
	if (is_expired(&row, l->now_ms) || (l->state != STATE_ANY && row.state != l->state))
		return VAULT_OK;
	if (json_array_size(l->list) == l->limit) {
		l->more = true;
		return VAULT_E_EOF;
	}
	l->last = row.id;
	return json_array_append_new(l->list, rows_json(&row)) < 0 ? VAULT_E_NOMEM : VAULT_OK;
}

static vault_err read_filter(const json_t *request, struct index_filter *f, struct listing *l)
{
	uint64_t n = 0;
	size_t len = 0;
	f->tenant = json_str(request, "tenant", NULL);
	const char *medium = json_str(request, "medium", NULL);
	const char *state = json_str(request, "state", NULL);
	const char *after = json_str(request, "after", &len);
	if (f->tenant == NULL)
		return VAULT_E_INVAL;
	if (medium != NULL)
		f->media = strcmp(medium, "video") == 0 ? MEDIUM_VIDEO : MEDIUM_VOICE;
	if (json_u64(request, "from_ms", &n) == VAULT_OK)
		f->from_ms = n;
	if (json_u64(request, "to_ms", &n) == VAULT_OK)
		f->to_ms = n;
	if (json_u64(request, "limit", &n) == VAULT_OK && n > 0)
		l->limit = n < ROWS_LIMIT_MAX ? (size_t)n : ROWS_LIMIT_MAX;
	for (uint8_t i = 0; state != NULL && i <= ROW_TRUNCATED; i++) {
		if (strcmp(state, rows_state_name(i)) == 0)
			l->state = i;
	}
	return after == NULL ? VAULT_OK : vault_id_parse(after, len, &f->after);
}

vault_err rows_list(const struct rows *r, const json_t *request, uint64_t now_ms, json_t **out)
{
	struct index_filter filter = {0};
	struct listing l = {.rows = r, .limit = LIST_LIMIT_DEFAULT, .now_ms = now_ms, .state = STATE_ANY};
	vault_err err = read_filter(request, &filter, &l);
	if (err != VAULT_OK)
		return err;
	/* What was acknowledged is listed. */
	if (r->ingest != NULL)
		err = ingest_index_flush(r->ingest, NULL);
	if (err != VAULT_OK)
		return err;
	l.list = json_array();
	err = l.list == NULL ? VAULT_E_NOMEM : index_walk(r->index, &filter, list_row, &l);
	if (err != VAULT_OK && err != VAULT_E_EOF) {
		json_decref(l.list);
		return err;
	}
	*out = json_pack("{s:o}", "recordings", l.list);
	if (*out == NULL)
		return VAULT_E_NOMEM;
	if (l.more) {
		char id[VAULT_ID_TEXT];
		vault_id_format(&l.last, id);
		(void)json_object_set_new(*out, "next", json_string(id));
	}
	return VAULT_OK;
}

vault_err rows_show(const struct rows *r, const json_t *request, uint64_t now_ms, json_t **out)
{
	size_t len = 0;
	struct index_row row;
	vault_id id;
	const char *text = json_str(request, "id", &len);
	const char *tenant = json_str(request, "tenant", NULL);
	if (text == NULL || tenant == NULL || vault_id_parse(text, len, &id) != VAULT_OK)
		return VAULT_E_INVAL;
	vault_err err = rows_get(r, &id, now_ms, &row);
	if (err == VAULT_OK && strcmp(row.tenant, tenant) != 0)
		err = VAULT_E_NOTFOUND;
	if (err != VAULT_OK)
		return err;
	*out = rows_json(&row);
	return *out == NULL ? VAULT_E_NOMEM : VAULT_OK;
}
