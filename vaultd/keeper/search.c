/*
 * search.c - see search.h.
 */
#include "keeper/search.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "keeper/keeper.h"

struct walk {
	struct keeper *k;
	const struct search *s;
	uint8_t token[TOKEN_BYTES];
	vault_id *ids;
	size_t n;
};

static bool prefix(const char **text, size_t *n, const char *word)
{
	size_t len = strlen(word);

	if (*n < len || strncasecmp(*text, word, len) != 0)
		return false;
	*text += len;
	*n -= len;
	return true;
}

bool search_normalise(const char *text, size_t n, char *out, size_t cap)
{
	size_t used = 0, digits = 0;

	(void)(prefix(&text, &n, "tel:") || prefix(&text, &n, "sips:") || prefix(&text, &n, "sip:"));
	for (size_t i = 0; i < n && text[i] != '@' && text[i] != ';'; i++) {
		char c = text[i];
		if (c == ' ' || c == '.' || c == '-' || c == '(' || c == ')' || c == '[' || c == ']')
			continue;
		if (!((c >= '0' && c <= '9') || (c == '+' && used == 0)) || used + 1 >= cap)
			return false;
		out[used++] = c;
		digits += c != '+';
	}
	out[used] = '\0';
	return digits >= 1 && digits <= 39;
}

static vault_err match_number(struct walk *w, const struct tree_item *item, bool *match)
{
	struct tree_secret *secret = &w->k->room->item;
	struct tree_item opened;
	vault_err err = tree_item_open(w->k->tree, &item->id, &opened, secret);

	*match = err == VAULT_OK && (sodium_memcmp(secret->caller, w->token, TOKEN_BYTES) == 0 ||
	    sodium_memcmp(secret->callee, w->token, TOKEN_BYTES) == 0);
	secret_wipe(secret, sizeof(*secret));
	return err == VAULT_E_NOTFOUND ? VAULT_OK : err;
}

static vault_err visit(void *arg, const struct tree_item *item)
{
	struct walk *w = arg;
	bool match = true;

	if ((item->flags & (ITEM_DOOMED | ITEM_RESTRICTED)) != 0 || item->expires_s <= w->k->now_ms / 1000 ||
	    vault_id_time_ms(&item->id) >= w->s->to_ms)
		return VAULT_OK;
	if (w->s->number != NULL) {
		vault_err err = match_number(w, item, &match);
		if (err != VAULT_OK)
			return err;
	}
	if (!match)
		return VAULT_OK;
	w->ids[w->n++] = item->id;
	return w->n == w->s->limit ? VAULT_E_EOF : VAULT_OK;
}

vault_err search_run(struct keeper *k, const struct search *s, vault_id *ids, size_t *n)
{
	struct walk w = { .k = k, .s = s, .ids = ids };
	vault_err err = VAULT_OK;

	*n = 0;
	if (s->limit == 0)
		return VAULT_E_INVAL;
	if (s->number != NULL)
		err = tree_token(k->tree, s->tenant, "number", s->number, w.token);
	if (err == VAULT_OK)
		err = tree_items(k->tree, s->tenant, s->from_ms, s->to_ms, visit, &w);
	secret_wipe(w.token, sizeof(w.token));
	*n = w.n;
	return err == VAULT_E_EOF ? VAULT_OK : err;
}
