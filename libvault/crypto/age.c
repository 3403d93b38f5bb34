/*
 * age.c - age v1 streams: keys as text, writer, reader.
 *
 * Both objects live in guarded memory and hold at most one chunk. The last
 * chunk is the only one that may be short and carries its own flag, so the
 * writer keeps a full chunk back until more comes, and the reader keeps a full
 * sealed chunk back until it knows whether it is the last. The reader never
 * gives out a byte that did not verify. One thread per object.
 */
#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "base/secret.h"
#include "base/wire.h"
#include "crypto/age.h"
#include "crypto/age_header.h"
#include "crypto/bech32.h"

#define TAG crypto_aead_chacha20poly1305_ietf_ABYTES
#define SEALED (AGE_CHUNK + TAG)
#define RECIPIENT_HRP "age"
#define IDENTITY_HRP "age-secret-key-"

/* Where the chunks of one file stand. */
struct stream {
	uint8_t key[AGE_KEY];
	uint64_t chunk;             /* number of the next chunk */
};

vault_err age_recipient_format(const uint8_t pub[32], char out[AGE_RECIPIENT_TEXT])
{
	return bech32_encode(RECIPIENT_HRP, pub, 32, out, AGE_RECIPIENT_TEXT);
}

vault_err age_identity_format(const uint8_t secret[32], char out[AGE_IDENTITY_TEXT])
{
	vault_err err = bech32_encode(IDENTITY_HRP, secret, 32, out, AGE_IDENTITY_TEXT);

	for (size_t i = 0; !err && out[i] != '\0'; i++)
		if (out[i] >= 'a' && out[i] <= 'z')
			out[i] = (char)(out[i] - 'a' + 'A');
	return err;
}

/* first is the text's own first character, which tells the case: age allows only one. */
static vault_err key_parse(const char *text, size_t n, char first, const char *want_hrp, uint8_t out[32])
{
	char hrp[BECH32_MAX];
	uint8_t key[32];
	size_t got;
	vault_err err = VAULT_E_INVAL;

	if (n > 0 && text[0] == first)
		err = bech32_decode(text, n, hrp, key, sizeof(key), &got);
	if (!err && (got != sizeof(key) || strcmp(hrp, want_hrp) != 0))
		err = VAULT_E_INVAL;
	if (!err)
		memcpy(out, key, sizeof(key));
	secret_wipe(key, sizeof(key));
	return err ? VAULT_E_INVAL : VAULT_OK;
}

vault_err age_recipient_parse(const char *text, size_t n, uint8_t pub[32])
{
	return key_parse(text, n, 'a', RECIPIENT_HRP, pub);
}

vault_err age_identity_parse(const char *text, size_t n, uint8_t secret[32])
{
	return key_parse(text, n, 'A', IDENTITY_HRP, secret);
}

static void chunk_nonce(uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES], uint64_t chunk, bool last)
{
	memset(nonce, 0, 3);
	store_be64(nonce + 3, chunk);
	nonce[11] = last ? 1 : 0;
}

static vault_err stream_seal(struct stream *s, const uint8_t *in, size_t n, bool last, struct buf *out)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	uint8_t *room;
	vault_err err = buf_reserve(out, n + TAG, &room);

	if (err)
		return err;
	chunk_nonce(nonce, s->chunk++, last);
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(room, NULL, in, n, NULL, 0, NULL, nonce, s->key);
	buf_commit(out, n + TAG);
	return VAULT_OK;
}

/* n counts the tag and is at least that. Commits to out only what verified. */
static vault_err stream_open(struct stream *s, const uint8_t *in, size_t n, bool last, struct buf *out)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	uint8_t nothing;
	uint8_t *room;
	vault_err err = buf_reserve(out, n - TAG, &room);

	if (err)
		return err;
	chunk_nonce(nonce, s->chunk, last);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(room ? room : &nothing, NULL, NULL, in, n, NULL, 0, nonce,
	    s->key) != 0)
		return VAULT_E_AUTH;
	s->chunk++;
	buf_commit(out, n - TAG);
	return VAULT_OK;
}

struct age_writer {
	struct stream stream;
	vault_err err;              /* sticky */
	bool finished;
	size_t used;                /* plaintext in held */
	uint8_t held[AGE_CHUNK];
};

static vault_err writer_start(struct age_writer *w, const uint8_t (*recipients)[32], size_t n, struct buf *out)
{
	uint8_t file_key[AGE_FILE_KEY], nonce[AGE_PAYLOAD_NONCE];
	vault_err err;

	randombytes_buf(file_key, sizeof(file_key));
	randombytes_buf(nonce, sizeof(nonce));
	err = age_payload_key(w->stream.key, file_key, nonce);
	if (!err)
		err = age_header_write(out, file_key, recipients, n);
	if (!err)
		err = buf_append(out, nonce, sizeof(nonce));
	secret_wipe(file_key, sizeof(file_key));
	return err;
}

vault_err age_writer_new(struct age_writer **w, const uint8_t (*recipients)[32], size_t n, struct buf *out)
{
	struct age_writer *new = secret_alloc(sizeof(*new));
	vault_err err;

	*w = NULL;
	if (!new)
		return VAULT_E_NOMEM;
	err = writer_start(new, recipients, n, out);
	if (err) {
		age_writer_free(new);
		return err;
	}
	*w = new;
	return VAULT_OK;
}

vault_err age_writer_write(struct age_writer *w, const void *p, size_t n, struct buf *out)
{
	const uint8_t *in = p;

	if (w->finished)
		return VAULT_E_STATE;
	while (n > 0 && !w->err) {
		size_t take;

		/* More is here, so what is full is not the last. Whole chunks need no copy. */
		if (w->used == AGE_CHUNK) {
			w->err = stream_seal(&w->stream, w->held, AGE_CHUNK, false, out);
			w->used = 0;
			continue;
		}
		if (w->used == 0 && n > AGE_CHUNK) {
			w->err = stream_seal(&w->stream, in, AGE_CHUNK, false, out);
			in += AGE_CHUNK;
			n -= AGE_CHUNK;
			continue;
		}
		take = AGE_CHUNK - w->used < n ? AGE_CHUNK - w->used : n;
		memcpy(w->held + w->used, in, take);
		w->used += take;
		in += take;
		n -= take;
	}
	return w->err;
}

vault_err age_writer_finish(struct age_writer *w, struct buf *out)
{
	if (w->finished)
		return VAULT_E_STATE;
	if (!w->err)
		w->err = stream_seal(&w->stream, w->held, w->used, true, out);
	w->finished = true;
	return w->err;
}

void age_writer_free(struct age_writer *w)
{
	secret_free(w);
}

enum reader_state { READ_HEADER, READ_NONCE, READ_PAYLOAD, READ_DONE };

struct age_reader {
	struct stream stream;
	vault_err err;              /* sticky */
	enum reader_state state;
	uint8_t identity[32];
	uint8_t file_key[AGE_FILE_KEY];
	size_t used;                /* bytes in held: header, nonce or sealed chunk */
	size_t line;                /* where the header's current line begins */
	uint8_t held[SEALED];
};

static_assert(AGE_HEADER_MAX <= SEALED, "a header fits the reader's buffer");

vault_err age_reader_new(struct age_reader **r, const uint8_t identity[32])
{
	struct age_reader *new = secret_alloc(sizeof(*new));

	*r = NULL;
	if (!new)
		return VAULT_E_NOMEM;
	memcpy(new->identity, identity, sizeof(new->identity));
	*r = new;
	return VAULT_OK;
}

/* Copies up to limit bytes in all into held; returns how many were taken. */
static size_t reader_hold(struct age_reader *r, const uint8_t *p, size_t n, size_t limit)
{
	size_t take = limit - r->used < n ? limit - r->used : n;

	memcpy(r->held + r->used, p, take);
	r->used += take;
	return take;
}

/* Takes up to the end of the current line; opens the header behind its last one. */
static size_t read_header(struct age_reader *r, const uint8_t *p, size_t n)
{
	const uint8_t *newline = memchr(p, '\n', n);
	size_t line_part = newline ? (size_t)(newline - p) + 1 : n;
	size_t took = reader_hold(r, p, line_part, AGE_HEADER_MAX);

	if (took < line_part) {
		r->err = VAULT_E_CORRUPT;
		return took;
	}
	if (!newline)
		return took;
	if (r->used - r->line >= 3 && memcmp(r->held + r->line, "---", 3) == 0) {
		r->err = age_header_open(r->held, r->used, r->identity, r->file_key);
		r->state = READ_NONCE;
		r->used = 0;
	} else {
		r->line = r->used;
	}
	return took;
}

static size_t read_nonce(struct age_reader *r, const uint8_t *p, size_t n)
{
	size_t took = reader_hold(r, p, n, AGE_PAYLOAD_NONCE);

	if (r->used == AGE_PAYLOAD_NONCE) {
		r->err = age_payload_key(r->stream.key, r->file_key, r->held);
		secret_wipe(r->file_key, sizeof(r->file_key));
		r->state = READ_PAYLOAD;
		r->used = 0;
	}
	return took;
}

static size_t read_payload(struct age_reader *r, const uint8_t *p, size_t n, struct buf *out)
{
	/* p holds at least one byte more: a full chunk before it is not the last. */
	if (r->used == SEALED) {
		r->err = stream_open(&r->stream, r->held, SEALED, false, out);
		r->used = 0;
		return 0;
	}
	if (r->used == 0 && n > SEALED) {
		r->err = stream_open(&r->stream, p, SEALED, false, out);
		return SEALED;
	}
	return reader_hold(r, p, n, SEALED);
}

vault_err age_reader_write(struct age_reader *r, const void *p, size_t n, struct buf *out)
{
	const uint8_t *in = p;

	if (r->state == READ_DONE)
		return VAULT_E_STATE;
	while (n > 0 && !r->err) {
		size_t took = 0;

		switch (r->state) {
		case READ_HEADER:
			took = read_header(r, in, n);
			break;
		case READ_NONCE:
			took = read_nonce(r, in, n);
			break;
		case READ_PAYLOAD:
		case READ_DONE:
			took = read_payload(r, in, n, out);
			break;
		}
		in += took;
		n -= took;
	}
	return r->err;
}

/* The rest is the last chunk, or the file was cut. */
static vault_err read_last(struct age_reader *r, struct buf *out)
{
	struct buf unused;
	vault_err err;

	if (r->state != READ_PAYLOAD || r->used < TAG)
		return VAULT_E_SHORT;
	/* Only an empty file ends with an empty chunk. */
	if (r->used == TAG && r->stream.chunk > 0)
		return VAULT_E_CORRUPT;
	err = stream_open(&r->stream, r->held, r->used, true, out);
	if (err != VAULT_E_AUTH || r->used != SEALED)
		return err;
	/* A chunk that verifies as one in the middle tells a cut from a change. */
	buf_init_secret(&unused, AGE_CHUNK);
	err = stream_open(&r->stream, r->held, r->used, false, &unused);
	buf_free(&unused);
	return err ? err : VAULT_E_SHORT;
}

vault_err age_reader_finish(struct age_reader *r, struct buf *out)
{
	if (r->state == READ_DONE)
		return VAULT_E_STATE;
	if (!r->err)
		r->err = read_last(r, out);
	r->state = READ_DONE;
	return r->err;
}

void age_reader_free(struct age_reader *r)
{
	secret_free(r);
}
