/*
 * policy.h - what a tenant subscribed to, how long it is kept, who may ask why.
 *
 * One JSON row per tenant; every change makes the next version. Reads and
 * writes need an open transaction.
 */
#ifndef VAULT_KEEPER_POLICY_H
#define VAULT_KEEPER_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "base/clock.h"
#include "keeper/rows.h"

#define POLICY_PURPOSES 32u
#define POLICY_WORD 33u          /* characters of a purpose or tag name, with NUL */
#define POLICY_TAGS 4u
#define POLICY_TAGS_TEXT 40u
#define POLICY_MEDIA 2u          /* index 0 voice, 1 video */
#define POLICY_KEEP 40u

struct policy_medium {
	bool subscribed;
	uint64_t from_ms, until_ms;  /* until 0: open */
	bool kept;                   /* a retention is set */
	char keep[POLICY_KEEP];      /* as given, ISO 8601 */
	struct duration duration;
};

struct policy {
	char tenant[VAULT_TENANT_MAX + 1];
	uint32_t number;             /* in the key tree */
	uint32_t version;
	bool consent;
	struct policy_medium medium[POLICY_MEDIA];
	size_t n_purposes, n_tags;
	char purpose[POLICY_PURPOSES][POLICY_WORD];
	char tag[POLICY_TAGS][POLICY_WORD];
};

extern const char *const policy_medium_name[POLICY_MEDIA];
/* Index of "voice" or "video"; -1 for anything else. */
int policy_medium_index(const char *name);

/* VAULT_E_NOTFOUND: no such tenant. */
VAULT_NODISCARD vault_err policy_load(struct rows *rows, const char *tenant, struct policy *p);
/* Writes p as the next version. */
VAULT_NODISCARD vault_err policy_save(struct rows *rows, struct policy *p);
/* The n-th tenant behind after; VAULT_E_EOF at the end. */
VAULT_NODISCARD vault_err policy_next(struct rows *rows, const char *after, struct policy *p);

bool policy_word_valid(const char *text, size_t n);
bool policy_purpose_listed(const struct policy *p, const char *purpose);
/* Subscribed at this moment? */
bool policy_open_at(const struct policy_medium *m, uint64_t now_ms);
/* May these media (mask; 0 = any of allowed) be recorded now? *usable: the media that may. */
unsigned policy_judge(const struct policy *p, uint8_t media, uint8_t allowed, uint64_t now_ms, uint8_t *usable);
/* Earliest end of the subscriptions of media; 0: none ends. */
uint64_t policy_until(const struct policy *p, uint8_t media);
/* Start plus the shortest retention of media. VAULT_E_NOTFOUND when one has none. */
VAULT_NODISCARD vault_err policy_expiry(const struct policy *p, uint8_t media, uint64_t start_ms, uint64_t *expires_s);
/* "a,b" into out (POLICY_TAGS_TEXT); returns its length. */
size_t policy_tags_text(const struct policy *p, char out[POLICY_TAGS_TEXT]);

/* RFC 3339 string, null for 0. New reference. */
json_t *time_json(uint64_t ms);

/* Parts of answers: new references, NULL when memory is short. */
json_t *policy_subscriptions_json(const struct policy *p);
json_t *policy_retention_json(const struct policy *p);
json_t *policy_words_json(const char (*words)[POLICY_WORD], size_t n);

#endif
