/*
 * front.c - refusals, notes for the audit log, credentials: what every adapter
 * needs. Nothing from a request is ever logged.
 */
#include "front/adapter/front.h"

#include <string.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/secret.h"

void notes_flush(struct front *f)
{
	for (size_t i = 0; i < f->n_notes; i++) {
		size_t n = ipc_note_encode(f->packet, 0, &f->note[i]);

		if (n == 0 || keeper_link_ask(f->keeper, f->packet, n, NULL, NULL, NULL) != VAULT_OK)
			log_warn("event=note_lost refusal=%s count=%u", vault_refusal_name(f->note[i].refusal),
			    f->note[i].count);
	}
	f->n_notes = 0;
}

void note_refusal(struct front *f, unsigned refusal, const char *tenant)
{
	f->refused++;
	for (size_t i = 0; i < f->n_notes; i++) {
		if (f->note[i].refusal == refusal && strcmp(f->note[i].tenant, tenant) == 0) {
			if (f->note[i].count < UINT32_MAX)
				f->note[i].count++;
			return;
		}
	}
	if (f->n_notes == NOTES_MAX)
		notes_flush(f);
	struct ipc_note *note = &f->note[f->n_notes++];
	memset(note, 0, sizeof(*note));
	note->refusal = refusal;
	note->count = 1;
	memcpy(note->tenant, tenant, strnlen(tenant, VAULT_TENANT_MAX));
}

void front_refuse(struct front *f, struct exchange *x, unsigned refusal, const char *field, const char *tenant)
{
	note_refusal(f, refusal, tenant);
	exchange_problem(x, refusal, field);
}

unsigned front_refusal(vault_err err)
{
	switch (err) {
	case VAULT_E_NOTFOUND:
		return VAULT_REFUSAL_not_found;
	case VAULT_E_FULL:
		return VAULT_REFUSAL_disk_full;
	case VAULT_E_BUSY:
		return VAULT_REFUSAL_too_many_streams;
	case VAULT_E_NOMEM:
	case VAULT_E_AGAIN:
	case VAULT_E_STATE:
		return VAULT_REFUSAL_unavailable;
	default:
		return VAULT_REFUSAL_internal;
	}
}

unsigned refusal_by_name(const char *name)
{
	static const struct {
		const char *name;
		unsigned number;
	} all[] = {
#define X(name_, number_, status_, sentence_) { #name_, (number_) },
		VAULT_REFUSALS(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].number;
	return VAULT_REFUSAL_internal;
}

/* What follows the scheme, or NULL. */
static const char *scheme(const struct exchange *x, const char *name, size_t *len)
{
	size_t n, k = strlen(name);
	const char *value = http_request_field(x->request, "Authorization", &n);

	if (value == NULL || n <= k || !http_name_is(value, k, name) || value[k] != ' ')
		return NULL;
	while (k < n && value[k] == ' ')
		k++;
	*len = n - k;
	return value + k;
}

const char *bearer_of(const struct exchange *x, size_t *len)
{
	return scheme(x, "Bearer", len);
}

static vault_err take_secret(struct ipc_cred *cred, const char *text, size_t n)
{
	if (n == 0 || n > sizeof(cred->data))
		return VAULT_E_INVAL;
	cred->kind = CRED_SECRET;
	cred->len = (uint8_t)n;
	memcpy(cred->data, text, n);
	return VAULT_OK;
}

/* base64(user:password): the password is the secret, the user means nothing. */
static vault_err take_basic(struct ipc_cred *cred, const char *text, size_t n)
{
	char plain[512];
	size_t len = 0;
	vault_err err = b64_decode(text, n, B64_STD_PAD, plain, sizeof(plain), &len);
	const char *colon = err == VAULT_OK ? memchr(plain, ':', len) : NULL;

	err = colon == NULL ? VAULT_E_INVAL : take_secret(cred, colon + 1, len - (size_t)(colon + 1 - plain));
	secret_wipe(plain, sizeof(plain));
	return err;
}

vault_err credentials_of(const struct exchange *x, struct ipc_cred *cred)
{
	size_t n = 0;
	size_t given = http_request_count(x->request, "Authorization");
	const char *text;

	memset(cred, 0, sizeof(*cred));
	if (given > 1)
		return VAULT_E_INVAL;
	if ((text = scheme(x, "Bearer", &n)) != NULL)
		return take_secret(cred, text, n);
	if ((text = scheme(x, "Basic", &n)) != NULL)
		return take_basic(cred, text, n);
	if (given == 1)
		return VAULT_E_INVAL;
	if (!x->peer->has_cert)
		return VAULT_E_NOTFOUND;
	cred->kind = CRED_CERT;
	cred->len = sizeof(x->peer->cert_sha256);
	memcpy(cred->data, x->peer->cert_sha256, sizeof(x->peer->cert_sha256));
	return VAULT_OK;
}
