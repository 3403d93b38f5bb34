/*
 * jws.c - signed commands: parse, verify, sign. The rules are in jws.h.
 *
 * Pure, any thread. Nothing of the payload is read before the signature holds,
 * and the key and algorithm come from the caller, never from the token.
 */
#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "token/jws.h"

#define HEADER_MAX 256u
#define TYP "vault-command+jwt"
#define JTI_MIN 16u
#define JTI_MAX 64u
#define JTI_RANDOM 18u                  /* bytes; 24 characters */
#define TIME_MAX 253402300799ull        /* 9999-12-31T23:59:59Z */
#define SIG_TEXT 86u                    /* base64url of SIGN_BYTES */

static_assert(JTI_RANDOM % 3 == 0 && JTI_RANDOM / 3 * 4 <= JTI_MAX, "a jti fits its field");

/* Copies a string member of bounded length into a fixed field; false when it is not one. */
static bool copy_member(const json_t *object, const char *key, char *out, size_t cap)
{
	size_t len;
	const char *text = json_str(object, key, &len);

	if (!text || len >= cap)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

static bool member_is(const json_t *object, const char *key, const char *want)
{
	const char *text = json_str(object, key, NULL);

	return text && strcmp(text, want) == 0;
}

static bool kid_ok(const char *kid)
{
	for (size_t i = 0; i < VAULT_KID_TEXT - 1; i++)
		if (!((kid[i] >= '0' && kid[i] <= '9') || (kid[i] >= 'a' && kid[i] <= 'f')))
			return false;
	return kid[VAULT_KID_TEXT - 1] == '\0';
}

static vault_err parse_header(struct jws *j, const char *header64, size_t n)
{
	static const char *const names[] = {"alg", "kid", "typ", NULL};
	char text[HEADER_MAX];
	json_t *header;
	size_t len;
	vault_err err = b64_decode(header64, n, B64_URL_NOPAD, text, sizeof(text), &len);

	if (!err)
		err = json_read(text, len, sizeof(text), &header);
	if (err)
		return err == VAULT_E_NOMEM ? err : VAULT_E_INVAL;
	/* Three members, all from the list, none twice: exactly these. */
	if (json_only(header, names) != VAULT_OK || json_object_size(header) != 3 || !member_is(header, "typ", TYP) ||
	    !(member_is(header, "alg", "EdDSA") || member_is(header, "alg", "Ed25519")) ||
	    !copy_member(header, "kid", j->kid, sizeof(j->kid)) || !kid_ok(j->kid))
		err = VAULT_E_INVAL;
	json_decref(header);
	return err;
}

vault_err jws_parse(struct jws *j, const char *token, size_t n)
{
	const char *dot, *dot2, *end = token + n;
	size_t got;

	memset(j, 0, sizeof(*j));
	if (n > JWS_MAX)
		return VAULT_E_RANGE;
	dot = n > 0 ? memchr(token, '.', n) : NULL;
	dot2 = dot ? memchr(dot + 1, '.', (size_t)(end - dot - 1)) : NULL;
	/* A third dot is no base64url and fails below. */
	if (!dot2)
		return VAULT_E_INVAL;
	j->payload64 = dot + 1;
	j->payload64_len = (size_t)(dot2 - dot - 1);
	j->signed_len = (size_t)(dot2 - token);
	if ((size_t)(end - dot2 - 1) != SIG_TEXT ||
	    b64_decode(dot2 + 1, SIG_TEXT, B64_URL_NOPAD, j->sig, sizeof(j->sig), &got) != VAULT_OK ||
	    got != sizeof(j->sig))
		return VAULT_E_INVAL;
	return parse_header(j, token, (size_t)(dot - token));
}

static bool jti_ok(const char *jti)
{
	size_t n = strlen(jti);

	return n >= JTI_MIN &&
	    strspn(jti, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static bool time_member(const json_t *payload, const char *key, uint64_t *out)
{
	return json_u64(payload, key, out) == VAULT_OK && *out <= TIME_MAX;
}

static vault_err read_payload(const struct jws *j, const json_t *payload, struct command *out)
{
	static const char *const names[] = {"iss", "aud", "iat", "nbf", "exp", "jti", "cmd", "args", NULL};
	json_t *args = json_object_get(payload, "args");
	vault_id aud;

	if (json_only(payload, names) != VAULT_OK || json_object_size(payload) != 8 || !json_is_object(args))
		return VAULT_E_INVAL;
	if (!copy_member(payload, "iss", out->iss, sizeof(out->iss)) ||
	    !copy_member(payload, "aud", out->aud, sizeof(out->aud)) ||
	    !copy_member(payload, "jti", out->jti, sizeof(out->jti)) ||
	    !copy_member(payload, "cmd", out->cmd, sizeof(out->cmd)) ||
	    !time_member(payload, "iat", &out->iat) || !time_member(payload, "nbf", &out->nbf) ||
	    !time_member(payload, "exp", &out->exp))
		return VAULT_E_INVAL;
	if (strcmp(out->iss, j->kid) != 0 || vault_id_parse(out->aud, strlen(out->aud), &aud) != VAULT_OK ||
	    !jti_ok(out->jti) || out->cmd[0] == '\0')
		return VAULT_E_INVAL;
	out->args = json_incref(args);
	return VAULT_OK;
}

vault_err jws_verify(const struct jws *j, const char *token, size_t n, const uint8_t pub[SIGN_PUB_BYTES],
    struct command *out)
{
	uint8_t *text;
	json_t *payload = NULL;
	size_t cap = j->payload64_len, len = 0;
	vault_err err;

	memset(out, 0, sizeof(*out));
	err = sign_check(j->sig, token, j->signed_len, pub);
	if (err)
		return err;
	text = malloc(cap + 1);
	if (!text)
		return VAULT_E_NOMEM;
	err = b64_decode(j->payload64, j->payload64_len, B64_URL_NOPAD, text, cap, &len);
	if (!err)
		err = json_read((const char *)text, len, JWS_MAX, &payload);
	if (!err)
		err = read_payload(j, payload, out);
	if (!err) {
		crypto_hash_sha256(out->payload_sha256, text, len);
		crypto_hash_sha256(out->token_sha256, (const uint8_t *)token, n);
	}
	json_decref(payload);
	free(text);
	if (err)
		command_free(out);
	return err == VAULT_OK || err == VAULT_E_NOMEM ? err : VAULT_E_INVAL;
}

void command_free(struct command *c)
{
	json_decref(c->args);
	memset(c, 0, sizeof(*c));
}

vault_err command_check_time(const struct command *c, const vault_id *vault, uint64_t now_s)
{
	char aud[VAULT_ID_TEXT];

	vault_id_format(vault, aud);
	if (strcmp(aud, c->aud) != 0)
		return VAULT_E_DENIED;
	if (c->exp <= c->iat || c->exp - c->iat > JWS_LIFE_MAX)
		return VAULT_E_EXPIRED;
	/* The skew is for a signer whose clock is ahead; nothing lives beyond exp, where its jti is forgotten. */
	if (c->iat > now_s + JWS_SKEW || c->nbf > now_s + JWS_SKEW || now_s >= c->exp)
		return VAULT_E_EXPIRED;
	return VAULT_OK;
}

/* Base64url of what value is written as; caller frees. *text_len without NUL. */
static char *encode_json(const json_t *value, size_t *text_len)
{
	size_t len, cap;
	char *json = json_write(value, &len), *text;

	if (!json)
		return NULL;
	cap = b64_encoded_size(len, B64_URL_NOPAD);
	text = malloc(cap);
	if (text)
		*text_len = b64_encode(json, len, B64_URL_NOPAD, text, cap);
	free(json);
	return text;
}

static json_t *make_payload(const char *kid, const vault_id *vault, const char *cmd, const json_t *args,
    uint64_t now_s, uint32_t life_s)
{
	uint8_t random[JTI_RANDOM];
	char jti[JTI_MAX + 1], aud[VAULT_ID_TEXT];
	json_t *own_args = args ? json_deep_copy(args) : json_object();

	if (!own_args)
		return NULL;
	vault_id_format(vault, aud);
	randombytes_buf(random, sizeof(random));
	(void)b64_encode(random, sizeof(random), B64_URL_NOPAD, jti, sizeof(jti));
	/* "o" takes the reference over, also when packing fails. */
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:o}", "iss", kid, "aud", aud, "iat", (json_int_t)now_s,
	    "nbf", (json_int_t)now_s, "exp", (json_int_t)now_s + (json_int_t)life_s, "jti", jti, "cmd", cmd, "args", own_args);
}

static vault_err join_and_sign(const struct sign_key *key, const char *header64, size_t header_len,
    const char *payload64, size_t payload_len, char **token)
{
	size_t signed_len = header_len + 1 + payload_len;
	uint8_t sig[SIGN_BYTES];
	vault_err err;
	char *text;

	if (signed_len + 1 + SIG_TEXT > JWS_MAX)
		return VAULT_E_RANGE;
	text = malloc(signed_len + 1 + SIG_TEXT + 1);
	if (!text)
		return VAULT_E_NOMEM;
	memcpy(text, header64, header_len);
	text[header_len] = '.';
	memcpy(text + header_len + 1, payload64, payload_len);
	err = sign_make(sig, text, signed_len, key);
	if (err) {
		free(text);
		return err;
	}
	text[signed_len] = '.';
	(void)b64_encode(sig, sizeof(sig), B64_URL_NOPAD, text + signed_len + 1, SIG_TEXT + 1);
	*token = text;
	return VAULT_OK;
}

vault_err jws_sign(const struct sign_key *key, const vault_id *vault, const char *cmd, const json_t *args,
    uint64_t now_s, uint32_t life_s, char **token)
{
	char kid[VAULT_KID_TEXT];
	json_t *header, *payload;
	char *header64 = NULL, *payload64 = NULL;
	size_t header_len = 0, payload_len = 0;
	vault_err err = VAULT_E_NOMEM;

	*token = NULL;
	if (life_s < 1 || life_s > JWS_LIFE_MAX || now_s > TIME_MAX - JWS_LIFE_MAX ||
	    strlen(cmd) >= sizeof(((struct command *)0)->cmd) || (args && !json_is_object(args)))
		return VAULT_E_INVAL;
	vault_kid_of(key->pub, kid);
	header = json_pack("{s:s, s:s, s:s}", "alg", "EdDSA", "kid", kid, "typ", TYP);
	payload = make_payload(kid, vault, cmd, args, now_s, life_s);
	if (header && payload) {
		header64 = encode_json(header, &header_len);
		payload64 = encode_json(payload, &payload_len);
	}
	if (header64 && payload64)
		err = join_and_sign(key, header64, header_len, payload64, payload_len, token);
	free(header64);
	free(payload64);
	json_decref(header);
	json_decref(payload);
	return err;
}
