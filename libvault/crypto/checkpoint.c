/*
 * checkpoint.c - C2SP tlog-checkpoint texts in C2SP signed notes.
 *
 * Pure, any thread. The note may come from anywhere: everything is bounded and
 * only the canonical form is taken.
 */
#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "crypto/merkle.h"

#define NOTE_MAX 16384u
#define SIGNATURE_LINES_MAX 16u
#define NAME_MAX_BYTES 255u
#define KEY_ID 4u
#define ALG_ED25519 0x01u
#define SIG_START "\xe2\x80\x94 "      /* U+2014 and a space */
#define SIG_START_LEN 4u
#define SIG_BLOB (KEY_ID + SIGN_BYTES)
#define SIG_BLOB_TEXT 128u             /* base64 of SIG_BLOB with NUL, and some */

static_assert((SIG_BLOB + 2) / 3 * 4 < SIG_BLOB_TEXT, "base64 of a signature fits");

/* A key name: no space, no plus, no control character, not empty. */
static bool name_ok(const char *name, size_t n)
{
	if (n < 1 || n > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] <= 0x20 || name[i] == '+' || name[i] == 0x7f)
			return false;
	return true;
}

static bool line_ok(const char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20)
			return false;
	return n > 0;
}

static void key_id(uint8_t out[KEY_ID], const char *name, size_t name_len, const uint8_t pub[SIGN_PUB_BYTES])
{
	static const uint8_t between[2] = {'\n', ALG_ED25519};
	crypto_hash_sha256_state state;
	uint8_t hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const uint8_t *)name, name_len);
	crypto_hash_sha256_update(&state, between, sizeof(between));
	crypto_hash_sha256_update(&state, pub, SIGN_PUB_BYTES);
	crypto_hash_sha256_final(&state, hash);
	memcpy(out, hash, KEY_ID);
}

vault_err checkpoint_text(const char *origin, uint64_t size, const uint8_t root[MERKLE_HASH], char *out, size_t cap,
    size_t *len)
{
	char root64[48];
	int n;

	if (!line_ok(origin, strlen(origin)) || strlen(origin) > NAME_MAX_BYTES)
		return VAULT_E_INVAL;
	(void)b64_encode(root, MERKLE_HASH, B64_STD_PAD, root64, sizeof(root64));
	n = snprintf(out, cap, "%s\n%llu\n%s\n", origin, (unsigned long long)size, root64);
	if (n < 0 || (size_t)n >= cap)
		return VAULT_E_RANGE;
	*len = (size_t)n;
	return VAULT_OK;
}

vault_err checkpoint_sign(const char *text, size_t text_len, const char *name, const struct sign_key *key, char *out,
    size_t cap, size_t *len)
{
	uint8_t blob[SIG_BLOB];
	char blob64[SIG_BLOB_TEXT];
	vault_err err;
	int n;

	if (text_len < 1 || text_len > CHECKPOINT_MAX || text[text_len - 1] != '\n' || !name_ok(name, strlen(name)))
		return VAULT_E_INVAL;
	key_id(blob, name, strlen(name), key->pub);
	err = sign_make(blob + KEY_ID, text, text_len, key);
	if (err)
		return err;
	(void)b64_encode(blob, sizeof(blob), B64_STD_PAD, blob64, sizeof(blob64));
	n = snprintf(out, cap, "%.*s\n" SIG_START "%s %s\n", (int)text_len, text, name, blob64);
	if (n < 0 || (size_t)n >= cap)
		return VAULT_E_RANGE;
	*len = (size_t)n;
	return VAULT_OK;
}

/* The next line without its newline; NULL when there is none or it does not end. */
static const char *take_line(const char **p, const char *end, size_t *n)
{
	const char *start = *p;
	const char *newline = start < end ? memchr(start, '\n', (size_t)(end - start)) : NULL;

	if (!newline)
		return NULL;
	*n = (size_t)(newline - start);
	*p = newline + 1;
	return start;
}

static bool parse_size(const char *line, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n < 1 || n > 19 || (n > 1 && line[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (line[i] < '0' || line[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(line[i] - '0');
	}
	*out = v;
	return true;
}

static bool parse_text(const char *text, size_t text_len, uint64_t *size, uint8_t root[MERKLE_HASH])
{
	const char *p = text, *end = text + text_len, *line;
	size_t n, got;

	line = take_line(&p, end, &n);
	if (!line || !line_ok(line, n))
		return false;
	line = take_line(&p, end, &n);
	if (!line || !parse_size(line, n, size))
		return false;
	line = take_line(&p, end, &n);
	if (!line || b64_decode(line, n, B64_STD_PAD, root, MERKLE_HASH, &got) != VAULT_OK || got != MERKLE_HASH)
		return false;
	while (p < end) {
		line = take_line(&p, end, &n);
		if (!line || !line_ok(line, n))
			return false;
	}
	return true;
}

/*
 * One signature line. *mine tells whether it is of the wanted name and key id;
 * then sig holds its signature. Lines of other keys are well-formed and ignored.
 */
static bool parse_signature(const char *line, size_t n, const char *name, const uint8_t id[KEY_ID],
    uint8_t sig[SIGN_BYTES], bool *mine)
{
	uint8_t blob[1024];
	const char *space;
	size_t name_len, got;

	*mine = false;
	if (n <= SIG_START_LEN || memcmp(line, SIG_START, SIG_START_LEN) != 0)
		return false;
	line += SIG_START_LEN;
	n -= SIG_START_LEN;
	space = memchr(line, ' ', n);
	if (!space)
		return false;
	name_len = (size_t)(space - line);
	if (!name_ok(line, name_len) ||
	    b64_decode(space + 1, n - name_len - 1, B64_STD_PAD, blob, sizeof(blob), &got) != VAULT_OK || got <= KEY_ID)
		return false;
	if (name_len != strlen(name) || memcmp(line, name, name_len) != 0 || memcmp(blob, id, KEY_ID) != 0)
		return true;
	if (got != SIG_BLOB)
		return false;
	memcpy(sig, blob + KEY_ID, SIGN_BYTES);
	*mine = true;
	return true;
}

/* Length of the signed text: up to and with the newline before the last blank line. */
static size_t signed_length(const char *note, size_t n)
{
	for (size_t i = n; i >= 2; i--)
		if (note[i - 1] == '\n' && note[i - 2] == '\n')
			return i - 1;
	return 0;
}

vault_err checkpoint_verify(const char *note, size_t n, const char *name, const uint8_t pub[SIGN_PUB_BYTES],
    uint64_t *size, uint8_t root[MERKLE_HASH])
{
	uint8_t id[KEY_ID], sig[SIGN_BYTES], got_root[MERKLE_HASH];
	const char *p, *end, *line;
	size_t text_len, line_len, lines = 0;
	uint64_t got_size;
	bool verified = false;

	if (n > NOTE_MAX)
		return VAULT_E_RANGE;
	text_len = signed_length(note, n);
	if (text_len == 0 || text_len > CHECKPOINT_MAX || !parse_text(note, text_len, &got_size, got_root))
		return VAULT_E_CORRUPT;
	key_id(id, name, strlen(name), pub);
	p = note + text_len + 1;
	end = note + n;
	while (p < end) {
		bool mine;

		line = take_line(&p, end, &line_len);
		if (!line || ++lines > SIGNATURE_LINES_MAX || !parse_signature(line, line_len, name, id, sig, &mine))
			return VAULT_E_CORRUPT;
		if (!mine)
			continue;
		if (verified || sign_check(sig, note, text_len, pub) != VAULT_OK)
			return VAULT_E_AUTH;
		verified = true;
	}
	if (!verified)
		return VAULT_E_AUTH;
	*size = got_size;
	memcpy(root, got_root, MERKLE_HASH);
	return VAULT_OK;
}

vault_err checkpoint_vkey(const char *name, const uint8_t pub[SIGN_PUB_BYTES], char *out, size_t cap)
{
	uint8_t id[KEY_ID], key[1 + SIGN_PUB_BYTES];
	char id_hex[2 * KEY_ID + 1], key64[48];
	int n;

	if (!name_ok(name, strlen(name)))
		return VAULT_E_INVAL;
	key_id(id, name, strlen(name), pub);
	hex_encode(id, sizeof(id), id_hex);
	key[0] = ALG_ED25519;
	memcpy(key + 1, pub, SIGN_PUB_BYTES);
	(void)b64_encode(key, sizeof(key), B64_STD_PAD, key64, sizeof(key64));
	n = snprintf(out, cap, "%s+%s+%s", name, id_hex, key64);
	return n > 0 && (size_t)n < cap ? VAULT_OK : VAULT_E_RANGE;
}

vault_err checkpoint_vkey_parse(const char *vkey, size_t n, char *name, size_t name_cap, uint8_t pub[SIGN_PUB_BYTES])
{
	const char *plus = memchr(vkey, '+', n);
	uint8_t id[KEY_ID], want[KEY_ID], key[1 + SIGN_PUB_BYTES];
	size_t name_len, left, got;

	if (!plus)
		return VAULT_E_INVAL;
	name_len = (size_t)(plus - vkey);
	left = n - name_len - 1;
	if (!name_ok(vkey, name_len) || left <= 2 * KEY_ID + 1 || plus[1 + 2 * KEY_ID] != '+')
		return VAULT_E_INVAL;
	if (name_len >= name_cap)
		return VAULT_E_RANGE;
	if (hex_decode(plus + 1, 2 * KEY_ID, id, sizeof(id), &got) != VAULT_OK ||
	    b64_decode(plus + 2 + 2 * KEY_ID, left - 2 * KEY_ID - 1, B64_STD_PAD, key, sizeof(key), &got) != VAULT_OK ||
	    got != sizeof(key))
		return VAULT_E_INVAL;
	if (key[0] != ALG_ED25519)
		return VAULT_E_UNSUPPORTED;
	key_id(want, vkey, name_len, key + 1);
	if (memcmp(id, want, KEY_ID) != 0)
		return VAULT_E_AUTH;
	memcpy(name, vkey, name_len);
	name[name_len] = '\0';
	memcpy(pub, key + 1, SIGN_PUB_BYTES);
	return VAULT_OK;
}
