/* Headers, small payloads and the scanner: round trips, exact bytes, and refusal of everything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/wire.h"
#include "format/scan.h"

#define OK(expression) assert_int_equal((expression), VAULT_OK)

static const struct frame sample = { .type = FRAME_CHUNK, .flags = FRAME_FLAG_BATCH, .track = 0x0102,
	.id = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } }, .segment = 0x11121314, .chunk = 0x21222324,
	.length = 0x1234, .media_us = 0x4142434445464748, .payload_hash = 0x5152535455565758 };

static void frame_bytes_are_where_the_format_says(void **state)
{
	static const uint8_t want[FRAME_HEADER_BYTES - 8] = { 'V', 'F', 'R', 'M', 3, 0x80, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9,
		10, 11, 12, 13, 14, 15, 16, 0x14, 0x13, 0x12, 0x11, 0x24, 0x23, 0x22, 0x21, 0x34, 0x12, 0, 0, 0, 0, 0, 0,
		0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41, 0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51 };
	uint8_t header[FRAME_HEADER_BYTES], ad[FRAME_AD_BYTES];
	struct frame f;

	(void)state;
	frame_encode(&sample, header);
	assert_memory_equal(header, want, sizeof want);
	frame_ad(&sample, ad);
	assert_memory_equal(ad, want, sizeof ad);
	OK(frame_decode(&f, header));
	assert_int_equal(f.type, sample.type);
	assert_int_equal(f.track, sample.track);
	assert_true(vault_id_equal(&f.id, &sample.id));
	assert_int_equal(f.segment, sample.segment);
	assert_int_equal(f.chunk, sample.chunk);
	assert_int_equal(f.length, sample.length);
	assert_int_equal(f.media_us, sample.media_us);
	assert_int_equal(f.payload_hash, sample.payload_hash);
}

static void r34_every_flipped_header_bit_is_refused(void **state)
{
	uint8_t header[FRAME_HEADER_BYTES];
	struct frame f;

	(void)state;
	frame_encode(&sample, header);
	for (size_t bit = 0; bit < 8 * sizeof header; bit++) {
		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(frame_decode(&f, header), VAULT_E_CORRUPT);
		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	OK(frame_decode(&f, header));
}

static vault_err decode_with(uint8_t type, uint8_t flags, uint32_t length)
{
	struct frame f = sample, out;
	uint8_t header[FRAME_HEADER_BYTES];

	f.type = type;
	f.flags = flags;
	f.length = length;
	frame_encode(&f, header);
	return frame_decode(&out, header);
}

static void types_flags_and_lengths_are_closed(void **state)
{
	uint8_t header[FRAME_HEADER_BYTES];
	struct frame f;

	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		bool known = (type >= 1 && type <= 7) || type == FRAME_ROW;
		assert_int_equal(decode_with((uint8_t)type, 0, 0), known ? VAULT_OK : VAULT_E_CORRUPT);
	}
	for (unsigned flags = 0; flags < 256; flags++) {
		assert_int_equal(decode_with(FRAME_RECORDING_END, (uint8_t)flags, 0),
		    (flags & 0x7e) == 0 ? VAULT_OK : VAULT_E_CORRUPT);
		assert_int_equal(decode_with(FRAME_CHUNK, (uint8_t)flags, 0),
		    (flags & 0x7f) == 0 ? VAULT_OK : VAULT_E_CORRUPT);
	}
	OK(decode_with(FRAME_CHUNK, 0, FRAME_PAYLOAD_MAX));
	assert_int_equal(decode_with(FRAME_CHUNK, 0, FRAME_PAYLOAD_MAX + 1), VAULT_E_CORRUPT);
	OK(decode_with(FRAME_FREE, 0, FRAME_FREE_MAX));
	assert_int_equal(decode_with(FRAME_FREE, 0, FRAME_FREE_MAX + 1), VAULT_E_CORRUPT);
	/* The zero field, with a checksum that holds. */
	frame_encode(&sample, header);
	header[36] = 1;
	store_le64(header + 56, frame_hash(header, 56));
	assert_int_equal(frame_decode(&f, header), VAULT_E_CORRUPT);
	assert_int_equal(frame_span(0), 64);
	assert_int_equal(frame_span(1), 128);
	assert_int_equal(frame_span(64), 128);
	assert_int_equal(frame_span(UINT32_MAX), 64 + 0x100000000ull);
}

static void volume_header_round_trip(void **state)
{
	struct volume_header h = { .version = 1, .lane = 3, .number = 77, .created_ms = 1234567890123 }, out;
	uint8_t header[VOLUME_HEADER_BYTES];

	(void)state;
	h.vault = sample.id;
	OK(volume_header_encode(&h, header));
	OK(volume_header_decode(&out, header));
	assert_memory_equal(&out, &h, sizeof h);
	for (size_t i = 0; i < sizeof header; i++) {
		header[i] ^= 0x10;
		assert_int_equal(volume_header_decode(&out, header), VAULT_E_CORRUPT);
		header[i] ^= 0x10;
	}
	h.version = 2;
	OK(volume_header_encode(&h, header));
	assert_int_equal(volume_header_decode(&out, header), VAULT_E_UNSUPPORTED);
}

static void small_payloads(void **state)
{
	struct segment_open o = { .cipher = 1, .start_us = 5, .salt = { 6 }, .commit = { 7 } }, o2;
	struct segment_end e = { .chunks = 1, .bytes = 2, .end_us = 3 }, e2;
	struct manifest m = { .segments = 1, .flags = 1, .bytes = 2, .duration_us = 3, .gap_us = 4, .sha256 = { 5 } }, m2;
	struct gap g = { .from_us = 1, .to_us = 2, .reason = 3 }, g2;
	uint8_t p[128];

	(void)state;
	segment_open_encode(&o, p);
	OK(segment_open_decode(&o2, p, SEGMENT_OPEN_BYTES));
	assert_memory_equal(o2.salt, o.salt, 32);
	assert_memory_equal(o2.commit, o.commit, 32);
	assert_int_equal(o2.start_us, 5);
	assert_int_equal(segment_open_decode(&o2, p, SEGMENT_OPEN_BYTES - 1), VAULT_E_CORRUPT);
	p[3] = 1;
	assert_int_equal(segment_open_decode(&o2, p, SEGMENT_OPEN_BYTES), VAULT_E_CORRUPT);
	p[3] = 0;
	p[0] = 2;
	assert_int_equal(segment_open_decode(&o2, p, SEGMENT_OPEN_BYTES), VAULT_E_UNSUPPORTED);

	segment_end_encode(&e, p);
	OK(segment_end_decode(&e2, p, SEGMENT_END_BYTES));
	assert_true(e2.chunks == e.chunks && e2.bytes == e.bytes && e2.end_us == e.end_us);
	assert_int_equal(segment_end_decode(&e2, p, SEGMENT_END_BYTES + 1), VAULT_E_CORRUPT);

	manifest_encode(&m, p);
	OK(manifest_decode(&m2, p, MANIFEST_BYTES));
	assert_memory_equal(&m2, &m, sizeof m);
	p[4] = 2;
	assert_int_equal(manifest_decode(&m2, p, MANIFEST_BYTES), VAULT_E_CORRUPT);

	gap_encode(&g, p);
	OK(gap_decode(&g2, p, GAP_BYTES));
	assert_int_equal(g2.to_us, 2);
	p[20] = 1;
	assert_int_equal(gap_decode(&g2, p, GAP_BYTES), VAULT_E_CORRUPT);
	g.to_us = 0;
	gap_encode(&g, p);
	assert_int_equal(gap_decode(&g2, p, GAP_BYTES), VAULT_E_CORRUPT);
}

/* ---- scanning ---- */

static int temp_file(void)
{
	char name[] = "/tmp/vault-format-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(unlink(name), 0);
	return fd;
}

static uint64_t append(int fd, uint8_t type, uint8_t flags, uint32_t length)
{
	uint64_t at = (uint64_t)lseek(fd, 0, SEEK_END);
	uint8_t *p = calloc(1, (size_t)frame_span(length));
	struct frame f = { .type = type, .flags = flags, .length = length };

	assert_non_null(p);
	memset(p + FRAME_HEADER_BYTES, type, length);
	f.payload_hash = frame_hash(p + FRAME_HEADER_BYTES, length);
	frame_encode(&f, p);
	assert_int_equal(write(fd, p, (size_t)frame_span(length)), (ssize_t)frame_span(length));
	free(p);
	return at;
}

static int new_volume(void)
{
	struct volume_header h = { .version = 1, .number = 1 };
	uint8_t header[VOLUME_HEADER_BYTES];
	int fd = temp_file();

	OK(volume_header_encode(&h, header));
	assert_int_equal(write(fd, header, sizeof header), (ssize_t)sizeof header);
	return fd;
}

static void flip(int fd, uint64_t at)
{
	uint8_t b;

	assert_int_equal(pread(fd, &b, 1, (off_t)at), 1);
	b ^= 1;
	assert_int_equal(pwrite(fd, &b, 1, (off_t)at), 1);
}

static void scan_walks_payloads_of_every_size(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 63, 64, 65, 4095, 300000, FRAME_PAYLOAD_MAX, 10 };
	struct volume_scan *s;
	struct frame f;
	uint64_t at, want = VOLUME_HEADER_BYTES;
	const uint8_t *p;
	int fd = new_volume();

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
		(void)append(fd, FRAME_CHUNK, 0, lengths[i]);
	for (int check = 0; check < 2; check++) {
		want = VOLUME_HEADER_BYTES;
		OK(volume_scan_new(&s, fd, check));
		for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
			OK(volume_scan_next(s, &f, &at, check ? &p : NULL));
			assert_int_equal(at, want);
			assert_int_equal(f.length, lengths[i]);
			if (!check)
				OK(volume_scan_payload(s, &p));
			assert_true(frame_payload_intact(&f, p));
			want += frame_span(f.length);
		}
		assert_int_equal(volume_scan_next(s, &f, &at, NULL), VAULT_E_EOF);
		volume_scan_free(s);
	}
	close(fd);
}

static void scan_finds_damage_and_goes_on(void **state)
{
	struct volume_scan *s;
	struct frame f;
	uint64_t at, found;
	int fd = new_volume();

	(void)state;
	uint64_t a = append(fd, FRAME_CHUNK, FRAME_FLAG_BATCH, 1000);
	uint64_t b = append(fd, FRAME_CHUNK, 0, 2000);
	uint64_t c = append(fd, FRAME_CHUNK, 0, 3000);
	uint64_t d = append(fd, FRAME_CHUNK, FRAME_FLAG_BATCH, 100);
	flip(fd, b + FRAME_HEADER_BYTES + 7);
	OK(volume_scan_new(&s, fd, true));
	OK(volume_scan_next(s, &f, &at, NULL));
	assert_int_equal(at, a);
	assert_int_equal(volume_scan_next(s, &f, &at, NULL), VAULT_E_CORRUPT);
	assert_int_equal(at, b);
	OK(volume_scan_resync(s, false, &found));
	assert_int_equal(found, c);
	volume_scan_seek(s, b);
	OK(volume_scan_resync(s, true, &found));
	assert_int_equal(found, d);
	OK(volume_scan_next(s, &f, &at, NULL));
	assert_int_equal(volume_scan_resync(s, true, &found), VAULT_E_EOF);
	volume_scan_check(s, false);
	volume_scan_seek(s, b);
	OK(volume_scan_next(s, &f, &at, NULL));      /* headers alone do not see it */
	volume_scan_free(s);
	close(fd);
}

static void scan_never_trusts_a_length(void **state)
{
	struct volume_scan *s;
	struct frame f;
	uint64_t at;
	const uint8_t *p;
	int fd = new_volume();

	(void)state;
	uint64_t a = append(fd, FRAME_CHUNK, 0, 5000);
	assert_int_equal(ftruncate(fd, (off_t)(a + 5000)), 0);
	OK(volume_scan_new(&s, fd, false));
	assert_int_equal(volume_scan_next(s, &f, &at, NULL), VAULT_E_SHORT);
	volume_scan_free(s);
	assert_int_equal(ftruncate(fd, (off_t)(a + 10)), 0);
	OK(volume_scan_new(&s, fd, false));
	assert_int_equal(volume_scan_next(s, &f, &at, NULL), VAULT_E_SHORT);
	volume_scan_free(s);
	assert_int_equal(ftruncate(fd, (off_t)a), 0);
	(void)append(fd, FRAME_ROW, 0, 10);          /* a row is never in a volume */
	OK(volume_scan_new(&s, fd, false));
	assert_int_equal(volume_scan_next(s, &f, &at, NULL), VAULT_E_CORRUPT);
	assert_int_equal(volume_scan_payload(s, &p), VAULT_E_STATE);
	volume_scan_free(s);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_int_equal(volume_scan_new(&s, fd, false), VAULT_E_SHORT);
	assert_null(s);
	close(fd);
}

static void a_long_free_frame_needs_no_memory(void **state)
{
	struct frame f = { .type = FRAME_FREE, .length = 900u * 1024 * 1024 };
	uint8_t header[FRAME_HEADER_BYTES];
	struct volume_scan *s;
	uint64_t at;
	const uint8_t *p;
	int fd = new_volume();

	(void)state;
	frame_encode(&f, header);
	assert_int_equal(pwrite(fd, header, sizeof header, VOLUME_HEADER_BYTES), (ssize_t)sizeof header);
	assert_int_equal(ftruncate(fd, (off_t)(VOLUME_HEADER_BYTES + frame_span(f.length))), 0);
	(void)append(fd, FRAME_GAP, 0, 24);
	OK(volume_scan_new(&s, fd, true));
	OK(volume_scan_next(s, &f, &at, &p));
	assert_null(p);
	OK(volume_scan_next(s, &f, &at, &p));
	assert_int_equal(f.type, FRAME_GAP);
	assert_int_equal(volume_scan_next(s, &f, &at, &p), VAULT_E_EOF);
	volume_scan_free(s);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_bytes_are_where_the_format_says),
		cmocka_unit_test(r34_every_flipped_header_bit_is_refused),
		cmocka_unit_test(types_flags_and_lengths_are_closed),
		cmocka_unit_test(volume_header_round_trip),
		cmocka_unit_test(small_payloads),
		cmocka_unit_test(scan_walks_payloads_of_every_size),
		cmocka_unit_test(scan_finds_damage_and_goes_on),
		cmocka_unit_test(scan_never_trusts_a_length),
		cmocka_unit_test(a_long_free_frame_needs_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
