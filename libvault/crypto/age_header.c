/*
 * age_header.c - writing and opening the header of an age v1 file, X25519 only.
 *
 * Pure, any thread. Every derived key is wiped on every way out. Base64 and
 * line lengths are canonical or refused, as C2SP age.md demands.
 */
#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "base/base64.h"
#include "base/secret.h"
#include "crypto/age_header.h"
#include "crypto/hkdf.h"

#define VERSION_LINE "age-encryption.org/v1\n"
#define WRAP_INFO "age-encryption.org/v1/X25519"
#define MAC_MARK "---"
#define STANZA_MARK "-> "
#define BODY_COLUMNS 64u
#define BODY_BYTES (AGE_FILE_KEY + crypto_aead_chacha20poly1305_ietf_ABYTES)
#define KEY64 44u                       /* unpadded base64 of 32 bytes, with NUL */
#define MAC_BYTES crypto_auth_hmacsha256_BYTES

static_assert(BODY_BYTES == 32 && MAC_BYTES == 32, "one base64 length for share, body and MAC");

static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

/* wrap key = HKDF(shared secret, salt = ephemeral share || recipient). */
static vault_err wrap_key(uint8_t out[AGE_KEY], const uint8_t secret[32], const uint8_t peer[32],
    const uint8_t share[32], const uint8_t recipient[32])
{
	uint8_t shared[32], salt[64];
	vault_err err = VAULT_E_INVAL;

	memcpy(salt, share, 32);
	memcpy(salt + 32, recipient, 32);
	/* Fails for points of low order, whose shared secret is all zero. */
	if (crypto_scalarmult(shared, secret, peer) == 0)
		err = hkdf_sha256(out, AGE_KEY, shared, sizeof(shared), salt, sizeof(salt), WRAP_INFO, strlen(WRAP_INFO));
	secret_wipe(shared, sizeof(shared));
	return err;
}

static vault_err header_mac(uint8_t mac[MAC_BYTES], const uint8_t file_key[AGE_FILE_KEY], const uint8_t *header,
    size_t n)
{
	uint8_t key[AGE_KEY];
	vault_err err = hkdf_sha256(key, sizeof(key), file_key, AGE_FILE_KEY, NULL, 0, "header", 6);

	if (!err)
		(void)crypto_auth_hmacsha256(mac, header, n, key);
	secret_wipe(key, sizeof(key));
	return err;
}

vault_err age_payload_key(uint8_t out[AGE_KEY], const uint8_t file_key[AGE_FILE_KEY],
    const uint8_t nonce[AGE_PAYLOAD_NONCE])
{
	return hkdf_sha256(out, AGE_KEY, file_key, AGE_FILE_KEY, nonce, AGE_PAYLOAD_NONCE, "payload", 7);
}

static vault_err write_stanza(struct buf *out, const uint8_t file_key[AGE_FILE_KEY], const uint8_t recipient[32])
{
	uint8_t ephemeral[32], share[32], key[AGE_KEY], body[BODY_BYTES];
	char share64[KEY64], body64[KEY64];
	vault_err err = VAULT_E_INVAL;

	randombytes_buf(ephemeral, sizeof(ephemeral));
	if (crypto_scalarmult_base(share, ephemeral) == 0)
		err = wrap_key(key, ephemeral, recipient, share, recipient);
	if (!err) {
		(void)crypto_aead_chacha20poly1305_ietf_encrypt(body, NULL, file_key, AGE_FILE_KEY, NULL, 0, NULL,
		    zero_nonce, key);
		(void)b64_encode(share, sizeof(share), B64_STD_NOPAD, share64, sizeof(share64));
		(void)b64_encode(body, sizeof(body), B64_STD_NOPAD, body64, sizeof(body64));
		err = buf_printf(out, STANZA_MARK "X25519 %s\n%s\n", share64, body64);
	}
	secret_wipe(ephemeral, sizeof(ephemeral));
	secret_wipe(key, sizeof(key));
	return err;
}

vault_err age_header_write(struct buf *out, const uint8_t file_key[AGE_FILE_KEY], const uint8_t (*recipients)[32],
    size_t n)
{
	struct buf header;
	uint8_t mac[MAC_BYTES];
	char mac64[KEY64];
	vault_err err;

	if (n < 1 || n > AGE_RECIPIENTS_MAX)
		return VAULT_E_INVAL;
	/* Built apart: the MAC covers it from its first byte, and out is not touched when anything fails. */
	buf_init(&header, AGE_HEADER_MAX);
	err = buf_append(&header, VERSION_LINE, strlen(VERSION_LINE));
	for (size_t i = 0; i < n && !err; i++)
		err = write_stanza(&header, file_key, recipients[i]);
	if (!err)
		err = buf_append(&header, MAC_MARK, strlen(MAC_MARK));
	if (!err)
		err = header_mac(mac, file_key, header.data, header.len);
	if (!err) {
		(void)b64_encode(mac, sizeof(mac), B64_STD_NOPAD, mac64, sizeof(mac64));
		err = buf_printf(&header, " %s\n", mac64);
	}
	if (!err)
		err = buf_append(out, header.data, header.len);
	buf_free(&header);
	return err;
}

struct lines {
	const char *p;
	const char *end;
};

static const char *take_line(struct lines *in, size_t *n)
{
	const char *start = in->p;
	const char *newline = start < in->end ? memchr(start, '\n', (size_t)(in->end - start)) : NULL;

	if (!newline)
		return NULL;
	*n = (size_t)(newline - start);
	in->p = newline + 1;
	return start;
}

static bool starts_with(const char *line, size_t n, const char *mark)
{
	return n >= strlen(mark) && memcmp(line, mark, strlen(mark)) == 0;
}

/* One or more words of printable characters with single spaces between. */
static bool words_ok(const char *p, size_t n)
{
	if (n < 1 || p[0] == ' ' || p[n - 1] == ' ')
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] < 0x20 || p[i] > 0x7e || (p[i] == ' ' && p[i - 1] == ' '))
			return false;
	return true;
}

static bool key_of_text(const char *text, size_t n, uint8_t out[32])
{
	size_t got;

	return b64_decode(text, n, B64_STD_NOPAD, out, 32, &got) == VAULT_OK && got == 32;
}

/*
 * The lines of a body: full ones, then one that is shorter. Gives the last line,
 * which is the whole body when *full is 0.
 */
static const char *take_body(struct lines *in, size_t *n, size_t *full)
{
	uint8_t bytes[BODY_COLUMNS / 4 * 3];
	const char *line;

	for (*full = 0;; (*full)++) {
		size_t got;

		line = take_line(in, n);
		if (!line || *n > BODY_COLUMNS ||
		    b64_decode(line, *n, B64_STD_NOPAD, bytes, sizeof(bytes), &got) != VAULT_OK)
			return NULL;
		if (*n < BODY_COLUMNS)
			return line;
	}
}

/* What is known while the stanzas are walked. */
struct opening {
	const uint8_t *identity;
	uint8_t recipient[32];
	uint8_t file_key[AGE_FILE_KEY];
	bool opened;
	bool any_x25519;
};

static void try_stanza(struct opening *o, const uint8_t share[32], const uint8_t body[BODY_BYTES])
{
	uint8_t key[AGE_KEY];

	if (!o->opened && wrap_key(key, o->identity, share, share, o->recipient) == VAULT_OK)
		o->opened = crypto_aead_chacha20poly1305_ietf_decrypt(o->file_key, NULL, NULL, body, BODY_BYTES, NULL, 0,
		    zero_nonce, key) == 0;
	secret_wipe(key, sizeof(key));
}

/* line is what follows "-> ". */
static vault_err read_stanza(struct opening *o, struct lines *in, const char *line, size_t n)
{
	static const char type[] = "X25519 ";
	uint8_t share[32], body[BODY_BYTES];
	const char *last;
	size_t last_len, full;

	if (!words_ok(line, n))
		return VAULT_E_CORRUPT;
	last = take_body(in, &last_len, &full);
	if (!last)
		return VAULT_E_CORRUPT;
	if (n == strlen("X25519") && memcmp(line, type, n) == 0)
		return VAULT_E_CORRUPT;
	if (!starts_with(line, n, type))
		return VAULT_OK;
	o->any_x25519 = true;
	if (full != 0 || !key_of_text(line + strlen(type), n - strlen(type), share) ||
	    !key_of_text(last, last_len, body))
		return VAULT_E_CORRUPT;
	try_stanza(o, share, body);
	return VAULT_OK;
}

static vault_err check_mac(const struct opening *o, const char *header, const char *line, size_t n)
{
	uint8_t want[MAC_BYTES], got[MAC_BYTES];
	size_t mark = strlen(MAC_MARK);
	vault_err err;

	if (n <= mark || line[mark] != ' ' || !key_of_text(line + mark + 1, n - mark - 1, got))
		return VAULT_E_CORRUPT;
	if (!o->opened)
		return o->any_x25519 ? VAULT_E_AUTH : VAULT_E_UNSUPPORTED;
	err = header_mac(want, o->file_key, (const uint8_t *)header, (size_t)(line - header) + mark);
	if (!err && sodium_memcmp(want, got, sizeof(want)) != 0)
		err = VAULT_E_AUTH;
	return err;
}

static vault_err walk(struct opening *o, const char *header, size_t n)
{
	struct lines in = {header, header + n};
	size_t len;
	const char *line;

	if (!starts_with(header, n, VERSION_LINE))
		return VAULT_E_CORRUPT;
	in.p += strlen(VERSION_LINE);
	for (size_t stanzas = 0;; stanzas++) {
		vault_err err;

		line = take_line(&in, &len);
		if (!line)
			return VAULT_E_CORRUPT;
		if (starts_with(line, len, MAC_MARK))
			return stanzas > 0 && in.p == in.end ? check_mac(o, header, line, len) : VAULT_E_CORRUPT;
		if (!starts_with(line, len, STANZA_MARK))
			return VAULT_E_CORRUPT;
		err = read_stanza(o, &in, line + strlen(STANZA_MARK), len - strlen(STANZA_MARK));
		if (err)
			return err;
	}
}

vault_err age_header_open(const uint8_t *header, size_t n, const uint8_t identity[32], uint8_t file_key[AGE_FILE_KEY])
{
	struct opening o = {.identity = identity};
	vault_err err;

	if (crypto_scalarmult_base(o.recipient, identity) != 0)
		return VAULT_E_INVAL;
	err = walk(&o, (const char *)header, n);
	if (!err)
		memcpy(file_key, o.file_key, AGE_FILE_KEY);
	secret_wipe(&o, sizeof(o));
	return err;
}
