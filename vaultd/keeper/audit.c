/*
 * audit.c - builds entries and ties the log to the key store. See audit.h.
 */
#include "keeper/audit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/wire.h"
#include "token/command.h"

static const char state_key[] = "audit";
static const char seed_name[] = "audit";

#define STATE_BYTES (8u + MERKLE_HASH)
#define STAGED_MAX (64u * 1024 * 1024)
#define PUBLISH_MS 1000u

static vault_err load_state(struct audit *a, uint64_t *size, uint8_t root[MERKLE_HASH])
{
	const uint8_t *value;
	size_t n;
	vault_err err = rows_get(a->rows, ROWS_META, state_key, sizeof(state_key) - 1, &value, &n);

	*size = 0;
	memset(root, 0, MERKLE_HASH);
	if (err == VAULT_E_NOTFOUND)
		return VAULT_OK;
	if (err != VAULT_OK)
		return err;
	if (n != STATE_BYTES)
		return VAULT_E_CORRUPT;
	*size = load_le64(value);
	memcpy(root, value + 8, MERKLE_HASH);
	return VAULT_OK;
}

/* The Ed25519 seed and, behind it, an X25519 secret that nothing uses. */
static vault_err load_key(struct audit *a, bool fresh)
{
	uint8_t *seed = secret_alloc(64);
	vault_err err;

	if (seed == NULL)
		return VAULT_E_NOMEM;
	err = tree_root_secret_get(a->rows->tree, seed_name, seed, 64);
	if (err == VAULT_E_NOTFOUND && fresh) {
		randombytes_buf(seed, 64);
		err = tree_root_secret_put(a->rows->tree, seed_name, seed, 64);
	}
	if (err == VAULT_OK)
		err = sign_key_from_seed(a->key, seed, seed + 32);
	secret_free(seed);
	return err;
}

vault_err audit_open(struct audit *a, int dir_fd, const char *origin, struct rows *rows, const char **why)
{
	uint8_t root[MERKLE_HASH];
	uint64_t size = 0;

	*a = (struct audit){ .rows = rows };
	*why = "The audit log's signing key cannot be opened.";
	buf_init(&a->staged, STAGED_MAX);
	size_t n = strnlen(origin, sizeof(a->origin));
	if (n == 0 || n >= sizeof(a->origin))
		return VAULT_E_INVAL;
	memcpy(a->origin, origin, n + 1);
	a->key = secret_alloc(sizeof(*a->key));
	if (a->key == NULL)
		return VAULT_E_NOMEM;
	vault_err err = tree_begin(rows->tree);
	if (err != VAULT_OK)
		return err;
	err = load_state(a, &size, root);
	if (err == VAULT_OK)
		err = load_key(a, size == 0);
	if (err != VAULT_OK) {
		tree_abort(rows->tree);
		return err;
	}
	err = tree_commit(rows->tree);
	return err != VAULT_OK ? err : audit_log_open(&a->log, dir_fd, size, root, why);
}

void audit_close(struct audit *a)
{
	audit_log_close(a->log);
	a->log = NULL;
	secret_free(a->key);
	a->key = NULL;
	buf_free(&a->staged);
}

/* Sets a member; remembers a failure, so that one check at the end suffices. */
static void set(json_t *object, const char *name, json_t *value, bool *failed)
{
	if (value == NULL || json_object_set_new(object, name, value) != 0)
		*failed = true;
}

static json_t *actor_json(const struct audit_actor *actor, bool *failed)
{
	json_t *who = json_object();
	char token[65];

	if (who == NULL)
		return NULL;
	set(who, "id", json_string(actor->kid), failed);
	if (actor->role != 0)
		set(who, "role", json_string(role_name(actor->role)), failed);
	set(who, "requestor", json_true(), failed);
	set(who, "network", json_string(actor->listener == 0 ? "unix" : "https"), failed);
	if (actor->approver[0] != '\0')
		set(who, "approver", json_string(actor->approver), failed);
	hex_encode(actor->token, sizeof(actor->token), token);
	set(who, "token", json_string(token), failed);
	return who;
}

static json_t *object_json(const struct audit_event *e, bool *failed)
{
	json_t *object = json_object();
	char text[VAULT_ID_TEXT];

	if (object == NULL)
		return NULL;
	set(object, "type", json_string(e->object), failed);
	if (e->id != NULL) {
		vault_id_format(e->id, text);
		set(object, "id", json_string(text), failed);
	}
	if (e->life != NULL)
		set(object, "life", json_string(e->life), failed);
	return object;
}

static json_t *event_json(const struct audit_event *e, uint64_t now_ms)
{
	json_t *entry = json_object();
	char time[CLOCK_TEXT], id[VAULT_ID_TEXT], action[2] = { e->action, '\0' };
	bool failed = false;

	if (entry == NULL)
		return NULL;
	vault_id event_id = vault_id_new(now_ms);
	vault_id_format(&event_id, id);
	clock_format(now_ms, time);
	set(entry, "v", json_integer(1), &failed);
	set(entry, "id", json_string(id), &failed);
	set(entry, "time", json_string(time), &failed);
	set(entry, "event", json_string(e->event), &failed);
	set(entry, "action", json_string(action), &failed);
	set(entry, "outcome", json_string(e->failed ? "failed" : e->refusal != 0 ? "refused" : "ok"), &failed);
	if (e->refusal != 0)
		set(entry, "refusal", json_string(vault_refusal_name(e->refusal)), &failed);
	if (e->actor != NULL)
		set(entry, "user", actor_json(e->actor, &failed), &failed);
	if (e->source != 0)
		set(entry, "source", json_integer(e->source), &failed);
	if (e->tenant != NULL && e->tenant[0] != '\0')
		set(entry, "tenant", json_string(e->tenant), &failed);
	if (e->object != NULL)
		set(entry, "object", object_json(e, &failed), &failed);
	if (e->purpose != NULL)
		set(entry, "purpose", json_string(e->purpose), &failed);
	if (e->policy != 0)
		set(entry, "policy", json_integer(e->policy), &failed);
	if (e->detail != NULL)
		set(entry, "detail", json_incref(e->detail), &failed);
	if (failed) {
		json_decref(entry);
		return NULL;
	}
	return entry;
}

vault_err audit_stage(struct audit *a, const struct audit_event *e, uint64_t now_ms)
{
	json_t *entry = event_json(e, now_ms);
	vault_err err = VAULT_OK;
	uint8_t length[2];
	size_t n = 0;

	json_decref(e->detail);
	if (entry == NULL)
		return VAULT_E_NOMEM;
	char *text = json_write(entry, &n);
	json_decref(entry);
	if (text == NULL)
		return VAULT_E_NOMEM;
	if (n == 0 || n > AUDIT_ENTRY_MAX)
		err = VAULT_E_RANGE;
	store_be16(length, (uint16_t)n);
	if (err == VAULT_OK)
		err = buf_append(&a->staged, length, sizeof(length));
	if (err == VAULT_OK)
		err = buf_append(&a->staged, text, n);
	free(text);
	return err;
}

bool audit_staged(const struct audit *a)
{
	return a->staged.len > 0;
}

void audit_discard(struct audit *a)
{
	buf_clear(&a->staged);
}

vault_err audit_append(struct audit *a)
{
	uint8_t state[STATE_BYTES];

	if (a->staged.len == 0)
		return VAULT_OK;
	vault_err err = audit_log_append(a->log, a->staged.data, a->staged.len);
	buf_clear(&a->staged);
	if (err != VAULT_OK)
		return err;
	store_le64(state, audit_log_size(a->log));
	audit_log_root(a->log, state + 8);
	return rows_put(a->rows, ROWS_META, state_key, sizeof(state_key) - 1, state, sizeof(state));
}

bool audit_publish_due(const struct audit *a)
{
	return !audit_log_is_published(a->log);
}

void audit_publish(struct audit *a, uint64_t mono_ms, bool always)
{
	if (!audit_publish_due(a) || (!always && mono_ms < a->published_ms + PUBLISH_MS))
		return;
	a->published_ms = mono_ms;
	vault_err err = audit_log_publish(a->log, a->origin, a->key);
	if (err != VAULT_OK)
		log_error("event=checkpoint_failed error=%d", (int)err);
}
