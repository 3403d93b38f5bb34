/*
 * fuzz_frame.c - a volume file of any content: header, frames, payloads, resync.
 *
 * The input is the file behind a valid volume header, so that the scanner is
 * reached at once. Where a header's checksum would stop the fuzzer it is made
 * right: a frame at a multiple of 64 whose magic and last byte ask for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/wire.h"
#include "format/scan.h"
#include "planted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
	if (!ok)
		abort();
}

/* Headers that end with eight 0xff bytes get their checksum, so mutations of the fields survive. */
static void mend(uint8_t *p, size_t n)
{
	for (size_t at = 0; at + FRAME_HEADER_BYTES <= n; at += FRAME_ALIGN) {
		if (load_le32(p + at) != FRAME_MAGIC || load_le64(p + at + 56) != UINT64_MAX)
			continue;
		uint32_t length = load_le32(p + at + 32);
		if (length <= n - at - FRAME_HEADER_BYTES && load_le64(p + at + 48) == UINT64_MAX)
			store_le64(p + at + 48, frame_hash(p + at + FRAME_HEADER_BYTES, length));
		store_le64(p + at + 56, frame_hash(p + at, 56));
	}
}

static void payloads(const struct frame *f, const uint8_t *p)
{
	struct segment_open open;
	struct segment_end end;
	struct manifest m;
	struct gap gap;

	if (p == NULL)
		return;
	if (segment_open_decode(&open, p, f->length) == VAULT_OK) {
		uint8_t again[SEGMENT_OPEN_BYTES];
		segment_open_encode(&open, again);
		require(memcmp(again, p, sizeof again) == 0);
	}
	if (segment_end_decode(&end, p, f->length) == VAULT_OK) {
		uint8_t again[SEGMENT_END_BYTES];
		segment_end_encode(&end, again);
		require(memcmp(again, p, sizeof again) == 0);
	}
	if (manifest_decode(&m, p, f->length) == VAULT_OK)
		require((m.flags & ~MANIFEST_TRUNCATED) == 0);
	if (gap_decode(&gap, p, f->length) == VAULT_OK)
		require(gap.from_us <= gap.to_us);
	PLANTED(f->type == FRAME_GAP && gap_decode(&gap, p, f->length) == VAULT_OK && gap.reason > 8);
}

static void walk(int fd, uint64_t size, bool check)
{
	struct volume_scan *s;
	struct frame f;
	uint64_t at, last = 0;
	const uint8_t *p;

	if (volume_scan_new(&s, fd, check) != VAULT_OK)
		return;
	for (;;) {
		vault_err err = volume_scan_next(s, &f, &at, &p);
		if (err == VAULT_E_EOF)
			break;
		if (err == VAULT_OK) {
			require(at % FRAME_ALIGN == 0 && at > last && at + frame_span(f.length) <= size);
			require(f.type != FRAME_ROW);
			require(!check || p == NULL || frame_payload_intact(&f, p));
			payloads(&f, p);
			last = at;
		} else if (volume_scan_resync(s, false, &at) != VAULT_OK) {
			break;
		}
	}
	volume_scan_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct volume_header h = { .version = VOLUME_VERSION, .number = 1 };
	uint8_t header[VOLUME_HEADER_BYTES];
	int fd = memfd_create("volume", MFD_CLOEXEC);
	uint8_t *copy = malloc(n + 1);

	if (fd < 0 || copy == NULL || volume_header_encode(&h, header) != VAULT_OK)
		abort();
	if (n > 0)
		memcpy(copy, data, n);
	mend(copy, n);
	if (n >= VOLUME_HEADER_BYTES)
		(void)volume_header_decode(&h, data);
	require(pwrite(fd, header, sizeof header, 0) == (ssize_t)sizeof header);
	require(pwrite(fd, copy, n, VOLUME_HEADER_BYTES) == (ssize_t)n);
	walk(fd, VOLUME_HEADER_BYTES + n, true);
	walk(fd, VOLUME_HEADER_BYTES + n, false);
	free(copy);
	(void)close(fd);
	return 0;
}
