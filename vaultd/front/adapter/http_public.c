/*
 * http_public.c - what anybody may read: who this vault is, the audit log's
 * checkpoint and tiles; and, on the local listeners only, its health.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "crypto/merkle.h"
#include "front/adapter/front.h"
#include "front/serve/audit_files.h"

#define METRICS_MAX (64u * 1024)
#define AUDIT_PREFIX "/v1/audit/"

void http_vault(struct front *f, struct exchange *x, const struct http_target *t)
{
	char id[VAULT_ID_TEXT], vkey[256];
	json_t *o = NULL;
	char *text = NULL;
	size_t n = 0;

	(void)t;
	vault_id_format(&f->vault, id);
	if (checkpoint_vkey(f->origin, f->audit_pub, vkey, sizeof(vkey)) == VAULT_OK)
		o = json_pack("{s:s, s:s, s:s, s:s}", "vault", id, "audit_key", vkey, "origin", f->origin, "version",
		    VAULT_VERSION);
	if (o != NULL)
		text = json_write(o, &n);
	if (text == NULL)
		exchange_problem(x, VAULT_REFUSAL_internal, NULL);
	else
		exchange_json(x, 200, NULL, text, n);
	free(text);
	json_decref(o);
}

void http_audit(struct front *f, struct exchange *x, const struct http_target *t)
{
	uint8_t file[AUDIT_FILE_MAX];
	const struct http_request *r = x->request;
	size_t path_len = r->target_len - (t->query != NULL ? t->query_len + 1 : 0);
	size_t prefix = sizeof(AUDIT_PREFIX) - 1, n = 0;
	bool immutable = false;

	/* The router matched the first two segments; nothing but the rest is a file's name. */
	if (path_len <= prefix || audit_file_read(f->audit_fd, r->target + prefix, path_len - prefix, file, &n,
	    &immutable) != VAULT_OK) {
		exchange_problem(x, VAULT_REFUSAL_not_found, NULL);
		return;
	}
	const struct exchange_answer a = { .status = 200, .body = file, .n = n,
		.type = t->n == 3 ? "text/plain; charset=utf-8" : "application/octet-stream",
		.fields = immutable ? "Cache-Control: public, max-age=31536000, immutable\r\n"
		                    : "Cache-Control: no-cache\r\n" };
	exchange_answer(x, &a);
}

static void answer_text(struct exchange *x, const char *type, const void *text, size_t n)
{
	const struct exchange_answer a = { .status = 200, .type = type, .body = text, .n = n };

	exchange_answer(x, &a);
}

void http_health(struct front *f, struct exchange *x, const struct http_target *t)
{
	(void)f;
	(void)t;
	answer_text(x, "text/plain", "ok\n", 3);
}

void http_ready(struct front *f, struct exchange *x, const struct http_target *t)
{
	(void)t;
	if (f->ready)
		answer_text(x, "text/plain", "ready\n", 6);
	else
		exchange_problem(x, VAULT_REFUSAL_unavailable, NULL);
}

void http_metrics(struct front *f, struct exchange *x, const struct http_target *t)
{
	struct status_numbers n;
	struct buf text;

	(void)t;
	memset(&n, 0, sizeof(n));
	f->numbers(f->numbers_arg, &n);
	buf_init(&text, METRICS_MAX);
	if (status_metrics(&n, &text) == VAULT_OK)
		answer_text(x, "text/plain; version=0.0.4", text.data, text.len);
	else
		exchange_problem(x, VAULT_REFUSAL_internal, NULL);
	buf_free(&text);
}
