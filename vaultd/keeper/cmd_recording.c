/*
 * cmd_recording.c - finding, reading, exporting and shredding recordings.
 *
 * Reads name a listed purpose (R38) and make a job; the event is durable before
 * the job's exporter exists. What is restricted or still arriving is not read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "keeper/call.h"
#include "keeper/keeper.h"
#include "keeper/search.h"

#define LIST_LIMIT 500u
#define LIST_DEFAULT 100u
#define REASON_MAX 200u
#define RANGE_MS_MAX (366ull * 86400 * 1000)
#define LATEST_MS (UINT64_MAX >> 16)

/* Copies what was given into the answer for the front; *failed collects. */
static void give(json_t *answer, const char *name, json_t *value, bool *failed)
{
	if (answer == NULL || value == NULL || json_object_set_new(answer, name, value) != 0)
		*failed = true;
}

static vault_err give_end(struct call *c, json_t *answer, bool failed)
{
	if (failed) {
		json_decref(answer);
		answer = NULL;
	}
	return call_answer(c, answer);
}

vault_err cmd_list(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", "from", "to", "medium", "state", "after", "limit", NULL };
	static const char *const states[] = { "live", "ended", "truncated" };
	uint64_t from, to, limit = LIST_DEFAULT;
	bool has_from, has_to, has_after, has_limit, failed = false;
	bool has_medium = json_object_get(c->args, "medium") != NULL, has_state = json_object_get(c->args, "state") != NULL;
	const char *state = json_str(c->args, "state", NULL);
	char after_text[VAULT_ID_TEXT];
	vault_id after;
	bool state_known = false;

	(void)k;
	for (size_t i = 0; state != NULL && i < 3; i++)
		state_known |= strcmp(state, states[i]) == 0;
	if (!args_only(c->args, names) || !args_time(c->args, "from", &has_from, &from) ||
	    !args_time(c->args, "to", &has_to, &to) || !args_id(c->args, "after", &has_after, &after) ||
	    !args_number(c->args, "limit", &has_limit, &limit, LIST_LIMIT) || limit == 0 ||
	    (has_medium && args_medium(c->args) < 0) || has_state != state_known)
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	json_t *answer = json_pack("{s:s, s:s, s:I}", "cmd", "list", "tenant", c->policy.tenant, "limit", (json_int_t)limit);
	if (has_from)
		give(answer, "from_ms", json_integer((json_int_t)from), &failed);
	if (has_to)
		give(answer, "to_ms", json_integer((json_int_t)to), &failed);
	if (has_medium)
		give(answer, "medium", json_string(policy_medium_name[args_medium(c->args)]), &failed);
	if (has_state)
		give(answer, "state", json_string(state), &failed);
	if (has_after) {
		vault_id_format(&after, after_text);
		give(answer, "after", json_string(after_text), &failed);
	}
	c->kind = ANSWER_SERVE;
	return give_end(c, answer, failed);
}

vault_err cmd_show(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "id", NULL };
	char id[VAULT_ID_TEXT];

	(void)k;
	if (!args_only(c->args, names))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	vault_id_format(&c->item.id, id);
	c->kind = ANSWER_SERVE;
	return call_answer(c, json_pack("{s:s, s:s, s:s}", "cmd", "show", "id", id, "tenant", c->policy.tenant));
}

/* The purpose, when it is on the tenant's list. */
static bool read_purpose(struct call *c)
{
	const char *purpose = json_str(c->args, "purpose", NULL);

	if (!policy_purpose_listed(&c->policy, purpose))
		return false;
	c->purpose = purpose;
	return true;
}

/* A job of this mode for the signer alone; NULL with a refusal when too many run. */
static struct export_job *new_job(struct keeper *k, struct call *c, enum job_mode mode)
{
	struct export_job *j = export_new(k, c->policy.number);
	size_t n = strlen(c->purpose);

	if (j == NULL) {
		(void)call_refuse(c, VAULT_REFUSAL_unavailable);
		return NULL;
	}
	j->actor = c->actor;
	memcpy(j->purpose, c->purpose, n < sizeof(j->purpose) ? n + 1 : 0);
	j->body.mode = (uint8_t)mode;
	j->body.to_us = UINT64_MAX;
	memcpy(j->body.tenant, c->policy.tenant, sizeof(j->body.tenant));
	j->body.recipients = 1;
	memcpy(j->body.recipient[0], c->signer.age, 32);
	c->kind = ANSWER_JOB;
	return j;
}

/* Starts the job and names it in the answer and in the audit entry. */
static vault_err start_job(struct keeper *k, struct call *c, struct export_job *j, const char *cmd)
{
	char text[24];
	bool failed = false;
	vault_err err = export_start(k, j);

	if (err != VAULT_OK)
		return err;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)j->body.job);
	give(c->answer, "cmd", json_string(cmd), &failed);
	give(c->answer, "job", json_string(text), &failed);
	give(c->answer, "tenant", json_string(c->policy.tenant), &failed);
	if (c->detail == NULL)
		c->detail = json_object();
	give(c->detail, "job", json_string(text), &failed);
	return failed ? VAULT_E_NOMEM : VAULT_OK;
}

/* May this recording's media be read now? */
static unsigned judge_media(const struct call *c)
{
	if ((c->item.flags & ITEM_RESTRICTED) != 0)
		return VAULT_REFUSAL_restricted;
	return (c->item.flags & ITEM_ENDED) == 0 ? VAULT_REFUSAL_in_use : VAULT_REFUSAL_none;
}

static void fill_media(struct export_job *j, const struct tree_item *item)
{
	j->body.id = item->id;
	j->body.segments = item->segments;
	j->body.bytes = item->bytes;
	j->body.ended = (item->flags & ITEM_ENDED) != 0;
	j->body.truncated = (item->flags & ITEM_TRUNCATED) != 0;
}

/* Index of the format, -1 when unknown; as-stored when not given. */
static int read_format(const json_t *args, const char **name)
{
	static const char *const formats[] = { [FORMAT_AS_STORED] = "as-stored", [FORMAT_WAV] = "wav", [FORMAT_OGG] = "ogg" };
	const char *text = json_str(args, "format", NULL);

	*name = formats[0];
	if (json_object_get(args, "format") == NULL)
		return FORMAT_AS_STORED;
	for (int i = 0; text != NULL && i < 3; i++)
		if (strcmp(text, formats[i]) == 0) {
			*name = formats[i];
			return i;
		}
	return -1;
}

vault_err cmd_fetch(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "id", "purpose", "format", "from_ms", "to_ms", NULL };
	const char *format_name;
	int format = read_format(c->args, &format_name);
	uint64_t from = 0, to = 0;
	bool has_from, has_to, failed = false;
	char id[VAULT_ID_TEXT];

	if (!args_only(c->args, names) || format < 0 || !args_number(c->args, "from_ms", &has_from, &from, RANGE_MS_MAX) ||
	    !args_number(c->args, "to_ms", &has_to, &to, RANGE_MS_MAX) || (has_to && to <= from))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	if (!read_purpose(c))
		return call_refuse(c, VAULT_REFUSAL_bad_purpose);
	unsigned refusal = judge_media(c);
	struct export_job *j = refusal == VAULT_REFUSAL_none ? new_job(k, c, JOB_MEDIA) : NULL;
	if (j == NULL)
		return refusal != VAULT_REFUSAL_none ? call_refuse(c, refusal) : VAULT_OK;
	fill_media(j, &c->item);
	j->body.format = (uint8_t)format;
	j->body.from_us = from * 1000;
	if (has_to)
		j->body.to_us = to * 1000;
	vault_id_format(&c->item.id, id);
	c->answer = json_pack("{s:s, s:s}", "id", id, "format", format_name);
	c->detail = json_pack("{s:s}", "format", format_name);
	if (has_from)
		give(c->answer, "from_ms", json_integer((json_int_t)from), &failed);
	if (has_to)
		give(c->answer, "to_ms", json_integer((json_int_t)to), &failed);
	if (has_from || has_to) {
		give(c->detail, "from_ms", json_integer((json_int_t)from), &failed);
		give(c->detail, "to_ms", has_to ? json_integer((json_int_t)to) : json_null(), &failed);
	}
	vault_err err = start_job(k, c, j, "fetch");
	return err == VAULT_OK && failed ? VAULT_E_NOMEM : err;
}

vault_err cmd_authenticate(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "id", "purpose", NULL };
	char id[VAULT_ID_TEXT];

	if (!args_only(c->args, names))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	if (!read_purpose(c))
		return call_refuse(c, VAULT_REFUSAL_bad_purpose);
	unsigned refusal = judge_media(c);
	struct export_job *j = refusal == VAULT_REFUSAL_none ? new_job(k, c, JOB_AUTHENTICATE) : NULL;
	if (j == NULL)
		return refusal != VAULT_REFUSAL_none ? call_refuse(c, refusal) : VAULT_OK;
	fill_media(j, &c->item);
	vault_id_format(&c->item.id, id);
	c->answer = json_pack("{s:s}", "id", id);
	return start_job(k, c, j, "authenticate");
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(vault_id));
}

/* The rows of a metadata job: one id, or a search. */
static vault_err find_rows(struct keeper *k, struct call *c, const struct search *s, const vault_id *only,
    vault_id *ids, size_t *n)
{
	struct tree_item item;
	vault_err err;

	if (only == NULL)
		return search_run(k, s, ids, n);
	*n = 0;
	err = tree_item_get(k->tree, only, &item);
	if (err == VAULT_E_NOTFOUND || (err == VAULT_OK && (item.tenant != s->tenant || (item.flags & ITEM_DOOMED) != 0 ||
	    item.expires_s <= k->now_ms / 1000)))
		return call_refuse(c, VAULT_REFUSAL_not_found);
	if (err == VAULT_OK && (item.flags & ITEM_RESTRICTED) != 0)
		return call_refuse(c, VAULT_REFUSAL_restricted);
	if (err == VAULT_OK)
		ids[(*n)++] = *only;
	return err;
}

/* Ids into the answer, and how many into the audit entry. */
static vault_err name_rows(struct call *c, const vault_id *ids, size_t n, const char *by)
{
	json_t *list = json_array();
	char text[VAULT_ID_TEXT];
	bool failed = list == NULL;

	for (size_t i = 0; i < n && !failed; i++) {
		vault_id_format(&ids[i], text);
		failed = json_array_append_new(list, json_string(text)) != 0;
	}
	c->answer = json_pack("{s:o}", "ids", list);
	c->detail = json_pack("{s:s, s:I}", "by", by, "found", (json_int_t)n);
	if (!failed && c->detail != NULL && list != NULL)
		failed = json_object_set_new(c->detail, "recordings", json_deep_copy(list)) != 0;
	return failed || c->answer == NULL || c->detail == NULL ? VAULT_E_NOMEM : VAULT_OK;
}

vault_err cmd_read_metadata(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "tenant", "purpose", "id", "from", "to", "number", "limit", NULL };
	struct search s = { .tenant = c->policy.number };
	uint64_t limit = LIST_DEFAULT;
	bool has_id, has_from, has_to, has_limit, has_number = json_object_get(c->args, "number") != NULL;
	char number[IPC_NUMBER_MAX + 1];
	const char *text;
	size_t text_len, n = 0;
	vault_id id;

	if (!args_only(c->args, names) || !args_id(c->args, "id", &has_id, &id) ||
	    !args_time(c->args, "from", &has_from, &s.from_ms) || !args_time(c->args, "to", &has_to, &s.to_ms) ||
	    !args_number(c->args, "limit", &has_limit, &limit, EXPORT_IDS_MAX) || limit == 0 ||
	    (has_id && (has_from || has_to || has_number)) ||
	    (has_number && (!args_word(c->args, "number", 64, &text, &text_len) ||
	     !search_normalise(text, text_len, number, sizeof(number)))))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	if (!read_purpose(c))
		return call_refuse(c, VAULT_REFUSAL_bad_purpose);
	s.to_ms = has_to ? s.to_ms : LATEST_MS;
	s.number = has_number ? number : NULL;
	s.limit = (size_t)limit;
	vault_id *ids = calloc(s.limit, sizeof(*ids));
	if (ids == NULL)
		return VAULT_E_NOMEM;
	vault_err err = find_rows(k, c, &s, has_id ? &id : NULL, ids, &n);
	struct export_job *j = NULL;
	if (err == VAULT_OK && c->refusal == VAULT_REFUSAL_none)
		j = new_job(k, c, JOB_METADATA);
	if (j == NULL) {
		free(ids);
		return err;
	}
	qsort(ids, n, sizeof(*ids), compare_ids);
	j->ids = ids;                            /* handed to the job */
	j->n_ids = n;
	err = name_rows(c, ids, n, has_id ? "id" : has_number ? "number" : "period");
	if (err != VAULT_OK) {
		j->state = EXPORT_OVER;
		return err;
	}
	return start_job(k, c, j, "read.metadata");
}

vault_err cmd_shred(struct keeper *k, struct call *c)
{
	static const char *const names[] = { "id", "reason", NULL };
	struct batch_after after = { .kind = AFTER_SHRED, .tag = c->tag, .id = c->item.id };
	const char *reason;

	if (!args_only(c->args, names) || !args_word(c->args, "reason", REASON_MAX, &reason, NULL))
		return call_refuse(c, VAULT_REFUSAL_bad_command);
	if ((c->item.flags & ITEM_HELD) != 0)
		return call_refuse(c, VAULT_REFUSAL_held);
	vault_err err = tree_doom(k->tree, &c->item.id);
	if (err == VAULT_OK)
		err = batch_then(k, &after);
	if (err != VAULT_OK)
		return err;
	batch_dirty(k);
	c->deferred = true;
	/* The reason's words may name a person: the log says only that one was given. */
	c->detail = json_pack("{s:s}", "reason", "given");
	return c->detail == NULL ? VAULT_E_NOMEM : VAULT_OK;
}
