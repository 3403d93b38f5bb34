/*
 * scan.c - walk a volume's frames without any key.
 *
 * Owns a read window over the file; the descriptor stays the caller's. One
 * thread at a time. Never writes, never trusts a length before its header's
 * checksum holds and the frame lies inside the file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/scan.h"

#define READ_AHEAD ((size_t)256 * 1024)    /* with payloads: many frames a read */
#define READ_HEADER 4096u           /* headers alone: one block */

struct volume_scan {
	int fd;
	bool check;
	uint64_t size;               /* of the file, at the start */
	uint64_t at;                 /* where the next frame begins */
	struct volume_header header;
	struct frame last;           /* what volume_scan_next gave; valid while have_last */
	uint64_t last_at;
	bool have_last;
	uint8_t *window;             /* bytes [window_at, window_at + window_len) of the file */
	size_t window_cap;
	size_t window_len;
	uint64_t window_at;
};

static vault_err window_grow(struct volume_scan *s, size_t need)
{
	if (need <= s->window_cap)
		return VAULT_OK;
	uint8_t *p = realloc(s->window, need);
	if (p == NULL)
		return VAULT_E_NOMEM;
	s->window = p;
	s->window_cap = need;
	return VAULT_OK;
}

/* A view of n bytes at off (inside the file); reads ahead up to ahead bytes. */
static vault_err view(struct volume_scan *s, uint64_t off, size_t n, size_t ahead, const uint8_t **out)
{
	if (off > s->size || n > s->size - off)
		return VAULT_E_SHORT;
	if (off >= s->window_at && off - s->window_at <= s->window_len && n <= s->window_len - (off - s->window_at)) {
		*out = s->window + (off - s->window_at);
		return VAULT_OK;
	}
	size_t want = n > ahead ? n : ahead;
	if (want > s->size - off)
		want = (size_t)(s->size - off);
	vault_err err = window_grow(s, want);
	if (err != VAULT_OK)
		return err;
	s->window_at = off;
	s->window_len = 0;
	while (s->window_len < want) {
		ssize_t k = pread(s->fd, s->window + s->window_len, want - s->window_len, (off_t)(off + s->window_len));
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return VAULT_E_IO;
		if (k == 0)
			break;
		s->window_len += (size_t)k;
	}
	if (s->window_len < n)
		return VAULT_E_SHORT;
	*out = s->window;
	return VAULT_OK;
}

vault_err volume_scan_new(struct volume_scan **out, int fd, bool check_payload)
{
	struct stat sb;
	const uint8_t *p;

	*out = NULL;
	if (fstat(fd, &sb) != 0)
		return VAULT_E_IO;
	struct volume_scan *s = calloc(1, sizeof *s);
	if (s == NULL)
		return VAULT_E_NOMEM;
	s->fd = fd;
	s->check = check_payload;
	s->size = sb.st_size > 0 ? (uint64_t)sb.st_size : 0;
	vault_err err = view(s, 0, VOLUME_HEADER_BYTES, READ_HEADER, &p);
	if (err == VAULT_OK)
		err = volume_header_decode(&s->header, p);
	if (err != VAULT_OK) {
		volume_scan_free(s);
		return err;
	}
	s->at = VOLUME_HEADER_BYTES;
	*out = s;
	return VAULT_OK;
}

void volume_scan_free(struct volume_scan *s)
{
	if (s == NULL)
		return;
	free(s->window);
	free(s);
}

void volume_scan_seek(struct volume_scan *s, uint64_t offset)
{
	s->at = offset < VOLUME_HEADER_BYTES ? VOLUME_HEADER_BYTES : offset;
	s->have_last = false;
}

const struct volume_header *volume_scan_header(const struct volume_scan *s)
{
	return &s->header;
}

uint64_t volume_scan_size(const struct volume_scan *s)
{
	return s->size;
}

void volume_scan_check(struct volume_scan *s, bool check_payload)
{
	s->check = check_payload;
}

/* The whole frame at off, which lies inside the file. Hashes the payload when check is set. */
static vault_err frame_at(struct volume_scan *s, uint64_t off, bool check, size_t ahead, struct frame *f)
{
	const uint8_t *p;

	vault_err err = view(s, off, FRAME_HEADER_BYTES, ahead, &p);
	if (err != VAULT_OK)
		return err;
	err = frame_decode(f, p);
	if (err != VAULT_OK)
		return err;
	if (f->type == FRAME_ROW)
		return VAULT_E_CORRUPT;
	if (frame_span(f->length) > s->size - off)
		return VAULT_E_SHORT;
	if (!check || f->type == FRAME_FREE)
		return VAULT_OK;
	err = view(s, off, FRAME_HEADER_BYTES + f->length, ahead, &p);
	if (err != VAULT_OK)
		return err;
	return frame_payload_intact(f, p + FRAME_HEADER_BYTES) ? VAULT_OK : VAULT_E_CORRUPT;
}

vault_err volume_scan_payload(struct volume_scan *s, const uint8_t **payload)
{
	const uint8_t *p;

	*payload = NULL;
	if (!s->have_last)
		return VAULT_E_STATE;
	if (s->last.length > FRAME_PAYLOAD_MAX)
		return VAULT_OK;
	vault_err err = view(s, s->last_at, FRAME_HEADER_BYTES + s->last.length, READ_HEADER, &p);
	if (err == VAULT_OK)
		*payload = p + FRAME_HEADER_BYTES;
	return err;
}

vault_err volume_scan_next(struct volume_scan *s, struct frame *f, uint64_t *offset, const uint8_t **payload)
{
	bool whole = s->check || payload != NULL;

	*offset = s->at;
	s->have_last = false;
	if (payload != NULL)
		*payload = NULL;
	if (s->at >= s->size)
		return s->at == s->size ? VAULT_E_EOF : VAULT_E_SHORT;
	vault_err err = frame_at(s, s->at, s->check, whole ? READ_AHEAD : READ_HEADER, f);
	if (err != VAULT_OK)
		return err;
	s->last = *f;
	s->last_at = s->at;
	s->have_last = true;
	if (payload != NULL) {
		err = volume_scan_payload(s, payload);
		if (err != VAULT_OK)
			return err;
	}
	s->at += frame_span(f->length);
	return VAULT_OK;
}

vault_err volume_scan_resync(struct volume_scan *s, bool batch_only, uint64_t *offset)
{
	/* Frames are aligned to FRAME_ALIGN in the file: VOLUME_HEADER_BYTES is a multiple of it. */
	uint64_t off = s->at / FRAME_ALIGN * FRAME_ALIGN + FRAME_ALIGN;
	struct frame f;

	s->have_last = false;
	while (off < s->size && s->size - off >= FRAME_HEADER_BYTES) {
		vault_err err = frame_at(s, off, true, READ_AHEAD, &f);
		if (err == VAULT_OK && (!batch_only || (f.flags & FRAME_FLAG_BATCH) != 0)) {
			s->at = off;
			*offset = off;
			return VAULT_OK;
		}
		if (err == VAULT_E_IO || err == VAULT_E_NOMEM)
			return err;
		off += err == VAULT_OK ? frame_span(f.length) : FRAME_ALIGN;
	}
	return VAULT_E_EOF;
}
