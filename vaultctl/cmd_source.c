/*
 * cmd_source.c - media servers that may write: add, list, revoke.
 *
 * The secret is made here, written to a file of mode 0600, and only its SHA-256
 * goes to the vault; it is never printed.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/secret.h"
#include "commands.h"
#include "file.h"
#include "options.h"
#include "output.h"
#include "session.h"
#include "source_secret.h"

#define PEM_MAX 65536u

vault_err source_secret_make(char text[SOURCE_SECRET_TEXT], char sha256[65])
{
	uint8_t *random = secret_alloc(32);
	uint8_t hash[crypto_hash_sha256_BYTES];
	if (random == NULL)
		return VAULT_E_NOMEM;
	randombytes_buf(random, 32);
	(void)snprintf(text, SOURCE_SECRET_TEXT, "vs_");
	(void)b64_encode(random, 32, B64_URL_NOPAD, text + 3, SOURCE_SECRET_TEXT - 3);
	secret_free(random);
	(void)crypto_hash_sha256(hash, (const unsigned char *)text, strlen(text));
	hex_encode(hash, sizeof(hash), sha256);
	return VAULT_OK;
}

/* SHA-256 of the DER form of the first certificate of a PEM file. */
static int certificate_hash(const char *path, char sha256[65])
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
	static char pem[PEM_MAX + 1];
	static uint8_t der[PEM_MAX];
	uint8_t hash[crypto_hash_sha256_BYTES];
	size_t n = 0, used = 0, got = 0;
	vault_err err = file_read(path, pem, PEM_MAX, &n);
	if (err != VAULT_OK)
		return ctl_fail(CTL_LOCAL, "cannot read %s: %s", path, vault_strerror(err));
	pem[n] = '\0';
	char *from = strstr(pem, begin), *to = from == NULL ? NULL : strstr(from, end);
	if (to == NULL)
		return ctl_fail(CTL_LOCAL, "%s holds no PEM certificate", path);
	from += strlen(begin);
	for (const char *p = from; p < to; p++) {
		if (strchr("\r\n \t", *p) == NULL)
			from[used++] = *p;
	}
	err = b64_decode(from, used, B64_STD_PAD, der, sizeof(der), &got);
	if (err != VAULT_OK || got == 0)
		return ctl_fail(CTL_LOCAL, "%s holds no PEM certificate", path);
	(void)crypto_hash_sha256(hash, der, got);
	hex_encode(hash, sizeof(hash), sha256);
	return CTL_OK;
}

static json_t *list_of(const struct text_list *l)
{
	json_t *a = json_array();
	for (size_t i = 0; i < l->n; i++)
		(void)json_array_append_new(a, json_string(l->item[i]));
	return a;
}

static int check_lists(struct ctl *c, struct text_list *tenants, struct text_list *media)
{
	if (tenants->n == 0) {
		const char *own = session_tenant(c, NULL);
		if (own == NULL)
			return CTL_USAGE;
		tenants->item[tenants->n++] = own;
	}
	for (size_t i = 0; i < tenants->n; i++) {
		if (session_tenant(c, tenants->item[i]) == NULL)
			return CTL_USAGE;
	}
	if (media->n == 0) {
		media->item[media->n++] = "voice";
		media->item[media->n++] = "video";
	}
	for (size_t i = 0; i < media->n; i++) {
		if (strcmp(media->item[i], "voice") != 0 && strcmp(media->item[i], "video") != 0)
			return ctl_fail(CTL_USAGE, "a medium is voice or video");
	}
	return CTL_OK;
}

/* The secret is on disk before the vault knows its hash, so it cannot get lost in between. */
static int make_secret(const char *out, json_t *args)
{
	char sha256[65];
	char *text = secret_alloc(SOURCE_SECRET_TEXT);
	vault_err err = text == NULL ? VAULT_E_NOMEM : source_secret_make(text, sha256);
	int code = err == VAULT_OK ? file_create_secret(out, text)
	                           : ctl_fail(CTL_LOCAL, "cannot make a secret: %s", vault_strerror(err));
	secret_free(text);
	if (code == CTL_OK)
		args_set(args, "secret_sha256", sha256);
	return code;
}

int cmd_source_add(struct ctl *c, int argc, char **argv)
{
	struct text_list tenants = {0}, media = {0};
	const char *out = NULL, *certificate = NULL;
	char hash[65];
	json_t *answer = NULL;
	uint64_t number = 0;
	const struct option_spec specs[] = {
	    {"tenant", 't', OPTION_LIST, &tenants, "A,B", "tenants it may write to (the profile's)"},
	    {"media", 0, OPTION_LIST, &media, "LIST", "voice, video or both (both)"},
	    {"output", 'o', OPTION_TEXT, &out, "FILE", "makes a bearer secret and writes it here (mode 0600)"},
	    {"certificate", 0, OPTION_TEXT, &certificate, "FILE", "PEM of its TLS client certificate"},
	};
	int code = options_parse(c, specs, 4, &argc, argv, 0, 0);
	if (code != CTL_GO_ON)
		return code;
	if (out == NULL && certificate == NULL)
		return ctl_fail(CTL_USAGE,
		    "how does it prove itself? -o FILE makes a bearer secret, --certificate FILE takes its certificate");
	code = check_lists(c, &tenants, &media);
	if (code == CTL_OK && certificate != NULL)
		code = certificate_hash(certificate, hash);
	if (code == CTL_OK)
		code = session_key(c);   /* before anything is written */
	if (code != CTL_OK)
		return code;
	json_t *args = ARGS("{s:o, s:o}", "tenants", list_of(&tenants), "media", list_of(&media));
	if (certificate != NULL)
		args_set(args, "certificate_sha256", hash);
	code = out != NULL ? make_secret(out, args) : CTL_OK;
	if (code != CTL_OK) {
		json_decref(args);
		return code;
	}
	code = session_command(c, "source.add", args, &answer);
	if (code != CTL_OK && out != NULL)
		(void)unlink(out);
	else if (c->json)
		code = output_json(answer);
	else if (json_u64(answer, "source", &number) == VAULT_OK)
		ctl_say(c, "Source %llu may write.%s%s\n", (unsigned long long)number, out != NULL ? " Its secret is in " : "",
		    out != NULL ? out : "");
	json_decref(answer);
	return code;
}

static int print_sources(const json_t *rows)
{
	static const char *const names[] = {">SOURCE", "TENANTS", "MEDIA", "STATE"};
	struct table *t = table_new(names, 4);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		static const char *const members[] = {"source", "tenants", "media", "state"};
		for (size_t k = 0; k < 4; k++) {
			char text[256];
			output_value(members[k], json_object_get(json_array_get(rows, i), members[k]), text, sizeof(text));
			table_cell(t, text);
		}
	}
	return table_print(t, stdout);
}

int cmd_source_list(struct ctl *c, int argc, char **argv)
{
	int code = options_parse(c, NULL, 0, &argc, argv, 0, 0);
	if (code != CTL_GO_ON)
		return code;
	return session_print_list(c, "source.list", "sources", print_sources,
	    "No source may write. Add one with: vaultctl source add");
}

int cmd_source_revoke(struct ctl *c, int argc, char **argv)
{
	unsigned number = 0;
	char more;
	int code = options_parse(c, NULL, 0, &argc, argv, 1, 1);
	if (code != CTL_GO_ON)
		return code;
	if (strlen(argv[0]) > 9 || sscanf(argv[0], "%u%c", &number, &more) != 1)
		return ctl_fail(CTL_USAGE, "a source is a number; vaultctl source list shows them");
	return session_print(c, "source.revoke", ARGS("{s:I}", "source", (json_int_t)number),
	    "Source %u may not write any more.", number);
}
