/*
 * key_file.c - a principal's private key on disk; the format is in sign.h.
 *
 * Creates, never overwrites. The secret is in guarded memory and in wiped
 * buffers only; the descriptor is checked, not the path, so nothing changes
 * between check and read.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/secret.h"
#include "crypto/aead.h"
#include "crypto/sign.h"

#define KEY_FILE_MAX 4096u
#define COMMENT_MAX 200u
#define TAG_PLAIN "VAULT-KEY-1"
#define TAG_LOCKED "VAULT-KEY-1-ARGON2ID"
#define PAIR_BYTES 64u              /* Ed25519 seed || X25519 secret */
#define LOCKED_BYTES (PAIR_BYTES + WRAP_OVERHEAD)

/* Work for the pass phrase. A file may ask for other values within the bounds. */
#define OPS_DEFAULT crypto_pwhash_OPSLIMIT_MODERATE
#define MEM_DEFAULT crypto_pwhash_MEMLIMIT_MODERATE
#define OPS_MAX 64u
#define MEM_MAX (1024ull * 1024 * 1024)

/* Guarded working memory of one load or save. */
struct work {
	uint8_t pair[PAIR_BYTES];
	uint8_t wrap_key[KEY_BYTES];
};

static vault_err derive(uint8_t out[KEY_BYTES], const char *pass, size_t pass_len,
    const uint8_t salt[crypto_pwhash_SALTBYTES], unsigned long long ops, size_t mem)
{
	if (crypto_pwhash(out, KEY_BYTES, pass, pass_len, salt, ops, mem, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return VAULT_E_NOMEM;
	return VAULT_OK;
}

static vault_err append_base64(struct buf *b, const void *p, size_t n)
{
	size_t size = b64_encoded_size(n, B64_STD_PAD);
	uint8_t *room;
	vault_err err = buf_reserve(b, size, &room);

	if (!err)
		buf_commit(b, b64_encode(p, n, B64_STD_PAD, (char *)room, size));
	return err;
}

static vault_err format_plain(struct buf *text, const struct work *work)
{
	vault_err err = buf_printf(text, TAG_PLAIN " ");

	if (!err)
		err = append_base64(text, work->pair, PAIR_BYTES);
	return err;
}

static vault_err format_locked(struct buf *text, struct work *work, const char *pass, size_t pass_len)
{
	uint8_t salt[crypto_pwhash_SALTBYTES], locked[LOCKED_BYTES];
	vault_err err;

	randombytes_buf(salt, sizeof(salt));
	err = derive(work->wrap_key, pass, pass_len, salt, OPS_DEFAULT, MEM_DEFAULT);
	if (!err)
		err = aead_wrap(locked, work->pair, PAIR_BYTES, TAG_PLAIN, strlen(TAG_PLAIN), work->wrap_key);
	if (!err)
		err = buf_printf(text, TAG_LOCKED " %llu %llu ", (unsigned long long)OPS_DEFAULT,
		    (unsigned long long)MEM_DEFAULT);
	if (!err)
		err = append_base64(text, salt, sizeof(salt));
	if (!err)
		err = buf_append(text, " ", 1);
	if (!err)
		err = append_base64(text, locked, sizeof(locked));
	return err;
}

static bool comment_ok(const char *comment)
{
	size_t n = strlen(comment);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)comment[i] < 0x20 || comment[i] == 0x7f)
			return false;
	return n <= COMMENT_MAX;
}

static vault_err format_file(struct buf *text, const struct sign_key *key, const char *comment, const char *pass,
    size_t pass_len)
{
	struct work *work = secret_alloc(sizeof(*work));
	char kid[VAULT_KID_TEXT];
	vault_err err;

	if (!work)
		return VAULT_E_NOMEM;
	memcpy(work->pair, key->secret, 32);
	memcpy(work->pair + 32, key->age_secret, 32);
	vault_kid_of(key->pub, kid);
	err = buf_printf(text, "# vault key %s %s\n", kid, comment);
	if (!err)
		err = pass ? format_locked(text, work, pass, pass_len) : format_plain(text, work);
	if (!err)
		err = buf_append(text, "\n", 1);
	secret_free(work);
	return err;
}

static vault_err sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	vault_err err = VAULT_OK;
	int fd;

	if (!parent)
		return VAULT_E_NOMEM;
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	if (fd < 0)
		return vault_err_from_errno(errno);
	if (fsync(fd) != 0)
		err = vault_err_from_errno(errno);
	(void)close(fd);     /* nothing was written through it */
	return err;
}

static vault_err write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k < 0 ? vault_err_from_errno(errno) : VAULT_E_IO;
		p += k;
		n -= (size_t)k;
	}
	return VAULT_OK;
}

static vault_err create_file(const char *path, const struct buf *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	vault_err err;

	if (fd < 0)
		return vault_err_from_errno(errno);
	err = write_all(fd, text->data, text->len);
	if (!err && fsync(fd) != 0)
		err = vault_err_from_errno(errno);
	if (close(fd) != 0 && !err)
		err = vault_err_from_errno(errno);
	if (!err)
		err = sync_parent(path);
	if (err)
		(void)unlink(path);     /* half a key is worse than none; the error is told already */
	return err;
}

vault_err sign_key_save(const struct sign_key *key, const char *path, const char *comment, const char *pass,
    size_t pass_len)
{
	struct buf text;
	vault_err err;

	if (!comment_ok(comment))
		return VAULT_E_INVAL;
	buf_init_secret(&text, KEY_FILE_MAX);
	err = format_file(&text, key, comment, pass, pass_len);
	if (!err)
		err = create_file(path, &text);
	buf_free(&text);
	return err;
}

static vault_err read_private(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	uint8_t *room;
	vault_err err = VAULT_OK;

	if (fd < 0)
		return vault_err_from_errno(errno);
	if (fstat(fd, &st) != 0)
		err = vault_err_from_errno(errno);
	else if (!S_ISREG(st.st_mode))
		err = VAULT_E_INVAL;
	else if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		err = VAULT_E_DENIED;
	else if (st.st_size > (off_t)KEY_FILE_MAX)
		err = VAULT_E_CORRUPT;
	while (!err) {
		ssize_t k;

		err = buf_reserve(text, text->max - text->len, &room);
		if (err || text->len == text->max)
			break;
		k = read(fd, room, text->max - text->len);
		if (k < 0 && errno != EINTR)
			err = vault_err_from_errno(errno);
		if (k == 0)
			break;
		if (k > 0)
			buf_commit(text, (size_t)k);
	}
	(void)close(fd);     /* only read from */
	return err;
}

/* The next word of a line: up to a space or the line's end. */
static const char *next_word(const char **p, const char *end, size_t *n)
{
	const char *start = *p;
	const char *space = memchr(start, ' ', (size_t)(end - start));
	const char *stop = space ? space : end;

	*n = (size_t)(stop - start);
	*p = space ? space + 1 : end;
	return start;
}

static vault_err next_base64(const char **p, const char *end, uint8_t *out, size_t want)
{
	size_t n, got;
	const char *word = next_word(p, end, &n);

	if (b64_decode(word, n, B64_STD_PAD, out, want, &got) != VAULT_OK || got != want)
		return VAULT_E_CORRUPT;
	return VAULT_OK;
}

static vault_err next_number(const char **p, const char *end, uint64_t least, uint64_t most, uint64_t *out)
{
	size_t n;
	const char *word = next_word(p, end, &n);

	*out = 0;
	if (n < 1 || n > 12 || word[0] == '0')
		return VAULT_E_CORRUPT;
	for (size_t i = 0; i < n; i++) {
		if (word[i] < '0' || word[i] > '9')
			return VAULT_E_CORRUPT;
		*out = *out * 10 + (uint64_t)(word[i] - '0');
	}
	return *out >= least && *out <= most ? VAULT_OK : VAULT_E_RANGE;
}

static vault_err parse_locked(const char *p, const char *end, struct work *work, const char *pass, size_t pass_len)
{
	uint8_t salt[crypto_pwhash_SALTBYTES], locked[LOCKED_BYTES];
	uint64_t ops, mem;
	vault_err err = next_number(&p, end, crypto_pwhash_OPSLIMIT_MIN, OPS_MAX, &ops);

	if (!err)
		err = next_number(&p, end, crypto_pwhash_MEMLIMIT_MIN, MEM_MAX, &mem);
	if (!err)
		err = next_base64(&p, end, salt, sizeof(salt));
	if (!err)
		err = next_base64(&p, end, locked, sizeof(locked));
	if (!err && p != end)
		err = VAULT_E_CORRUPT;
	if (!err && !pass)
		err = VAULT_E_STATE;
	if (!err)
		err = derive(work->wrap_key, pass, pass_len, salt, ops, (size_t)mem);
	if (!err)
		err = aead_unwrap(work->pair, locked, sizeof(locked), TAG_PLAIN, strlen(TAG_PLAIN), work->wrap_key);
	return err;
}

static vault_err parse_line(const char *p, const char *end, struct work *work, const char *pass, size_t pass_len)
{
	size_t n;
	const char *tag = next_word(&p, end, &n);
	vault_err err;

	if (n == strlen(TAG_LOCKED) && memcmp(tag, TAG_LOCKED, n) == 0)
		return parse_locked(p, end, work, pass, pass_len);
	if (n != strlen(TAG_PLAIN) || memcmp(tag, TAG_PLAIN, n) != 0)
		return VAULT_E_CORRUPT;
	err = next_base64(&p, end, work->pair, PAIR_BYTES);
	return !err && p != end ? VAULT_E_CORRUPT : err;
}

/* Comment lines, then one key line, each with its newline, and nothing behind. */
static vault_err parse_file(const struct buf *text, struct work *work, const char *pass, size_t pass_len)
{
	const char *p = (const char *)text->data, *end = p + text->len;
	const char *newline;

	while (text->len > 0 && p < end && *p == '#') {
		newline = memchr(p, '\n', (size_t)(end - p));
		p = newline ? newline + 1 : end;
	}
	newline = text->len > 0 ? memchr(p, '\n', (size_t)(end - p)) : NULL;
	if (!newline || newline + 1 != end)
		return VAULT_E_CORRUPT;
	return parse_line(p, newline, work, pass, pass_len);
}

vault_err sign_key_load(struct sign_key *out, const char *path, const char *pass, size_t pass_len)
{
	struct work *work = secret_alloc(sizeof(*work));
	struct buf text;
	vault_err err;

	if (!work)
		return VAULT_E_NOMEM;
	buf_init_secret(&text, KEY_FILE_MAX);
	err = read_private(path, &text);
	if (!err)
		err = parse_file(&text, work, pass, pass_len);
	if (!err)
		err = sign_key_from_seed(out, work->pair, work->pair + 32);
	buf_free(&text);
	secret_free(work);
	return err;
}
