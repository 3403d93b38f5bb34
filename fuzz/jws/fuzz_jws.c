/*
 * fuzz_jws.c - signed commands. The data is taken as a token; and, because no
 * fuzzer finds a signature, as "header NUL payload" that is signed here with a
 * fixed key, so that the payload's checks are reached.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/secret.h"
#include "planted.h"
#include "token/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct sign_key *key;
static char kid[VAULT_KID_TEXT];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t seed[32] = {0x5e, 0xed};

	(void)argc;
	(void)argv;
	if (secret_setup() != VAULT_OK || !(key = secret_alloc(sizeof(*key))) ||
	    sign_key_from_seed(key, seed, seed) != VAULT_OK)
		abort();
	vault_kid_of(key->pub, kid);
	return 0;
}

static void check(const char *token, size_t n)
{
	static const vault_id vault;
	struct command c;
	struct jws j;

	if (jws_parse(&j, token, n) != VAULT_OK || jws_verify(&j, token, n, key->pub, &c) != VAULT_OK)
		return;
	/* The contract of an accepted command. */
	if (strcmp(c.iss, j.kid) != 0 || !json_is_object(c.args) || strlen(c.jti) < 16 || c.cmd[0] == '\0')
		abort();
	(void)command_check_time(&c, &vault, c.iat);
	if (command_check_time(&c, &vault, c.exp) == VAULT_OK)
		abort();
	PLANTED((c.exp - c.iat) % 20 != 0);
	command_free(&c);
}

static size_t append_base64(const uint8_t *p, size_t n, char *out, size_t cap)
{
	return b64_encode(p, n, B64_URL_NOPAD, out, cap);
}

/* An empty header stands for the right one. */
static void sign_and_check(const uint8_t *header, size_t header_n, const uint8_t *payload, size_t payload_n)
{
	static char token[2 * JWS_MAX];
	char right[128] = "{\"alg\":\"EdDSA\",\"typ\":\"vault-command+jwt\",\"kid\":\"";
	uint8_t sig[SIGN_BYTES];
	size_t n, at;

	if (header_n == 0) {
		at = strlen(right);
		memcpy(right + at, kid, sizeof(kid) - 1);
		memcpy(right + at + sizeof(kid) - 1, "\"}", 3);
		header = (const uint8_t *)right;
		header_n = strlen(right);
	}
	if (header_n > JWS_MAX / 2 || payload_n > JWS_MAX / 2)
		return;
	n = append_base64(header, header_n, token, sizeof(token));
	token[n++] = '.';
	n += append_base64(payload, payload_n, token + n, sizeof(token) - n);
	if (sign_make(sig, token, n, key) != VAULT_OK)
		abort();
	token[n++] = '.';
	n += append_base64(sig, sizeof(sig), token + n, sizeof(token) - n);
	check(token, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *split = size > 0 ? memchr(data, 0, size) : NULL;

	check((const char *)data, size);
	if (split)
		sign_and_check(data, (size_t)(split - data), split + 1, size - (size_t)(split - data) - 1);
	return 0;
}
