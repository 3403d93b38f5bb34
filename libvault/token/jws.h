/*
 * jws.h - signed commands: JWS compact serialisation (RFC 7515), Ed25519
 * (RFC 8037 "EdDSA"; RFC 9864 "Ed25519" is accepted as well).
 *
 * Header: exactly {"alg","kid","typ":"vault-command+jwt"}; jwk, jku, x5u, crit
 * and every unknown member are refused. kid is the signer's key id (id.h).
 * Payload: {"iss","aud","iat","nbf","exp","jti","cmd","args"}, nothing else.
 *   iss = kid; aud = vault id text; iat, nbf, exp Unix seconds;
 *   exp - iat <= 900; jti 16..64 of [A-Za-z0-9_-]; args an object.
 * Parsing is split in two, so that the key is looked up between the halves and
 * nothing of the payload is trusted before the signature holds.
 */
#ifndef VAULT_TOKEN_JWS_H
#define VAULT_TOKEN_JWS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "crypto/sign.h"

#define JWS_MAX 16384u
#define JWS_LIFE_MAX 900u
#define JWS_SKEW 60u                /* seconds of clock difference allowed for nbf and iat */

struct jws {
	char kid[VAULT_KID_TEXT];       /* from the header: only a look-up key until verified */
	const char *payload64;          /* views into the token */
	size_t payload64_len;
	size_t signed_len;              /* header64 '.' payload64 */
	uint8_t sig[SIGN_BYTES];
};

struct command {
	char iss[VAULT_KID_TEXT];
	char aud[VAULT_ID_TEXT];
	uint64_t iat, nbf, exp;
	char jti[65];
	char cmd[32];
	json_t *args;                   /* owned */
	uint8_t payload_sha256[32];     /* of the decoded payload: what a second person approves */
	uint8_t token_sha256[32];       /* of the whole token: what the audit log names */
};

/* First half: header and shape. token must stay alive while j is used. */
VAULT_NODISCARD vault_err jws_parse(struct jws *j, const char *token, size_t n);
/* Second half: signature by pub, payload schema, iss == kid. Times and audience are the caller's. */
VAULT_NODISCARD vault_err jws_verify(const struct jws *j, const char *token, size_t n,
    const uint8_t pub[SIGN_PUB_BYTES], struct command *out);
void command_free(struct command *c);
/* OK, VAULT_E_EXPIRED (outside nbf..exp with JWS_SKEW, or life too long) or VAULT_E_DENIED (audience). */
VAULT_NODISCARD vault_err command_check_time(const struct command *c, const vault_id *vault, uint64_t now_s);

/* Signs {cmd, args} with a fresh jti; args is borrowed. Caller frees *token with free(). */
VAULT_NODISCARD vault_err jws_sign(const struct sign_key *key, const vault_id *vault, const char *cmd,
    const json_t *args, uint64_t now_s, uint32_t life_s, char **token);

#endif
