/*
 * test_memory.c - buffers, wire readers and writers, guarded memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/wire.h"

static void buf_keeps_its_bound(void **state)
{
	struct buf b;
	uint8_t *room;

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_append(&b, "", 0), VAULT_OK);
	assert_int_equal(buf_append(&b, "0123456789", 10), VAULT_OK);
	assert_int_equal(buf_append(&b, "x", 1), VAULT_E_RANGE);
	assert_int_equal(buf_reserve(&b, SIZE_MAX, &room), VAULT_E_RANGE);
	assert_int_equal(b.len, 10);
	buf_consume(&b, 4);
	assert_int_equal(buf_append(&b, "abcd", 4), VAULT_OK);
	assert_memory_equal(b.data, "456789abcd", 10);
	buf_consume(&b, 10);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.off, 0);
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(buf_append(&b, "again", 5), VAULT_OK);
	buf_free(&b);
}

static void buf_printf_may_fill_it(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_int_equal(buf_printf(&b, "%d", 12345), VAULT_OK);
	assert_memory_equal(b.data, "12345", 5);
	assert_int_equal(buf_printf(&b, "%d", 6), VAULT_E_RANGE);
	assert_int_equal(b.max, 5);
	assert_int_equal(buf_append(&b, "6", 1), VAULT_E_RANGE);
	buf_free(&b);
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_printf(&b, "%s", "free"), VAULT_OK);
	assert_true(b.max == SIZE_MAX);
	buf_free(&b);
}

/* A queue of random pieces gives back what went in. */
static void buf_is_a_queue(void **state)
{
	struct buf b;
	uint8_t in = 0, out = 0;
	unsigned seed = 7;

	(void)state;
	buf_init_secret(&b, 5000);
	for (int i = 0; i < 20000; i++) {
		size_t n;

		seed = seed * 1103515245u + 12345u;
		n = (seed >> 16) % 97;
		if (seed >> 30 & 1) {
			uint8_t *room;

			if (buf_reserve(&b, n, &room) != VAULT_OK)
				continue;
			for (size_t k = 0; k < n; k++)
				room[k] = in++;
			buf_commit(&b, n);
		} else {
			n = n < b.len ? n : b.len;
			for (size_t k = 0; k < n; k++)
				assert_int_equal(b.data[k], out++);
			buf_consume(&b, n);
		}
		assert_true(b.off + b.len <= b.cap && b.len <= 5000);
	}
	buf_free(&b);
}

static void secret_buf_leaves_nothing(void **state)
{
	static const uint8_t zeros[16];
	struct buf b;

	(void)state;
	buf_init_secret(&b, 1000);
	assert_int_equal(buf_append(&b, "secretsecretsecr rest", 21), VAULT_OK);
	buf_consume(&b, 16);
	assert_memory_equal(b.data - b.off, zeros, 16);
	buf_clear(&b);
	assert_memory_equal(b.data, zeros, 16);
	assert_memory_equal(b.data + 8, zeros, 13);
	buf_free(&b);
}

static void wire_round_trip(void **state)
{
	uint8_t bytes[64];
	struct writer w;
	struct reader r;
	size_t len, n;
	uint8_t three[3];
	const uint8_t *view;

	(void)state;
	writer_init(&w, bytes, sizeof(bytes));
	write_u8(&w, 0x01);
	write_u16(&w, 0x0203);
	write_u32(&w, 0x04050607);
	write_u64(&w, 0x08090a0b0c0d0e0f);
	write_bytes(&w, "abc", 3);
	write_blob16(&w, "xy", 2);
	write_blob32(&w, "", 0);
	assert_int_equal(writer_finish(&w, &len), VAULT_OK);
	assert_int_equal(len, 26);
	assert_memory_equal(bytes, "\x01\x03\x02\x07\x06\x05\x04\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08" "abc\x02\x00xy\0\0\0\0", 26);
	reader_init(&r, bytes, len);
	assert_int_equal(read_u8(&r), 1);
	assert_int_equal(read_u16(&r), 0x0203);
	assert_int_equal(read_u32(&r), 0x04050607);
	assert_true(read_u64(&r) == 0x08090a0b0c0d0e0f);
	read_bytes(&r, three, 3);
	assert_memory_equal(three, "abc", 3);
	view = read_blob16(&r, 2, &n);
	assert_memory_equal(view, "xy", n);
	assert_int_equal(reader_finish(&r), VAULT_E_PROTO);
	assert_non_null(read_blob32(&r, 0, &n));
	assert_int_equal(reader_finish(&r), VAULT_OK);
}

static void wire_errors_stick(void **state)
{
	const uint8_t bytes[] = {0xff, 0xff, 1, 2, 3};
	uint8_t small[3], filled[2] = {9, 9};
	struct reader r;
	struct writer w;
	size_t n;

	(void)state;
	reader_init(&r, bytes, sizeof(bytes));
	assert_null(read_blob16(&r, 100, &n));
	assert_int_equal(n, 0);
	assert_int_equal(read_u8(&r), 0);
	read_bytes(&r, filled, 2);
	assert_int_equal(filled[0], 0);
	assert_int_equal(reader_finish(&r), VAULT_E_RANGE);
	reader_init(&r, bytes, sizeof(bytes));
	assert_null(read_blob16(&r, 65535, &n));
	assert_int_equal(reader_finish(&r), VAULT_E_SHORT);
	reader_init(&r, bytes, sizeof(bytes));
	assert_null(read_view(&r, SIZE_MAX));
	assert_int_equal(reader_finish(&r), VAULT_E_SHORT);
	reader_init(&r, NULL, 0);
	assert_non_null(read_view(&r, 0));
	assert_int_equal(reader_finish(&r), VAULT_OK);
	writer_init(&w, small, sizeof(small));
	write_u32(&w, 1);
	write_u8(&w, 1);
	assert_int_equal(writer_finish(&w, &n), VAULT_E_RANGE);
	assert_int_equal(n, 0);
	writer_init(&w, small, sizeof(small));
	write_blob16(&w, small, 65536);
	assert_int_equal(writer_finish(&w, &n), VAULT_E_RANGE);
}

static void fixed_width_both_orders(void **state)
{
	uint8_t b[8];

	(void)state;
	store_be64(b, 0x0102030405060708);
	assert_memory_equal(b, "\1\2\3\4\5\6\7\10", 8);
	assert_true(load_be64(b) == 0x0102030405060708 && load_le64(b) == 0x0807060504030201);
	store_be32(b, 0xfffefdfc);
	assert_true(load_be32(b) == 0xfffefdfc && load_le32(b) == 0xfcfdfeff);
	store_be16(b, 0xfffe);
	assert_true(load_be16(b) == 0xfffe && load_le16(b) == 0xfeff);
	store_le64(b, 0xf102030405060708);
	assert_true(load_le64(b) == 0xf102030405060708);
}

static void process_keeps_secrets(void **state)
{
	struct rlimit core;
	uint8_t *p = secret_alloc(100);

	(void)state;
	assert_non_null(p);
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	secret_free(p);
	secret_free(NULL);
	secret_wipe(NULL, 0);
	assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
	assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
	assert_int_equal(core.rlim_max, 0);
}

/* Memory that cannot be locked is not given out. */
static void unlocked_memory_is_an_error(void **state)
{
	struct rlimit lock, none;
	void *p;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &lock), 0);
	none = lock;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	p = secret_alloc(32);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &lock), 0);
	/* Only root (CAP_IPC_LOCK) has no limit. */
	if (geteuid() != 0)
		assert_null(p);
	secret_free(p);
}

static void errors_have_words(void **state)
{
	(void)state;
	for (int e = VAULT_E_EOF; e <= 0; e++)
		assert_string_not_equal(vault_strerror((vault_err)e), "unknown error");
	assert_string_equal(vault_strerror((vault_err)-1000), "unknown error");
	assert_int_equal(vault_err_from_errno(0), VAULT_OK);
	assert_int_equal(vault_err_from_errno(ENOSPC), VAULT_E_FULL);
	assert_int_equal(vault_err_from_errno(EDQUOT), VAULT_E_FULL);
	assert_int_equal(vault_err_from_errno(ENOMEM), VAULT_E_NOMEM);
	assert_int_equal(vault_err_from_errno(EIO), VAULT_E_IO);
	assert_int_equal(vault_err_from_errno(EEXIST), VAULT_E_EXISTS);
}

static void refusals_are_stable(void **state)
{
	(void)state;
	assert_string_equal(vault_refusal_name(1), "not_subscribed");
	assert_int_equal(vault_refusal_status(1), 403);
	assert_string_equal(vault_refusal_name(VAULT_REFUSAL_disk_full), "disk_full");
	assert_int_equal(vault_refusal_status(VAULT_REFUSAL_disk_full), 507);
	assert_string_equal(vault_refusal_name(9999), "internal");
	assert_int_equal(vault_refusal_status(9999), 500);
	for (unsigned i = 0; i <= VAULT_REFUSAL_in_use; i++)
		assert_true(strlen(vault_refusal_sentence(i)) > 5);
}

/* The limit itself still fits; one byte more is VAULT_E_RANGE, not a cut. */
static void buf_reads_to_the_end(void **state)
{
	(void)state;
	for (size_t max = 4; max <= 6; max++) {
		struct buf b;
		int fd[2];

		assert_int_equal(pipe(fd), 0);
		assert_int_equal(write(fd[1], "vault", 5), 5);
		assert_int_equal(close(fd[1]), 0);
		buf_init(&b, max);
		assert_int_equal(buf_read_fd(&b, fd[0]), max < 5 ? VAULT_E_RANGE : VAULT_OK);
		assert_int_equal(b.len, max < 5 ? 4 : 5);
		assert_memory_equal(b.data, "vault", b.len);
		buf_free(&b);
		assert_int_equal(buf_read_fd(&b, -1), vault_err_from_errno(EBADF));
		buf_free(&b);
		assert_int_equal(close(fd[0]), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf_reads_to_the_end),
		cmocka_unit_test(buf_keeps_its_bound),
		cmocka_unit_test(buf_printf_may_fill_it),
		cmocka_unit_test(buf_is_a_queue),
		cmocka_unit_test(secret_buf_leaves_nothing),
		cmocka_unit_test(wire_round_trip),
		cmocka_unit_test(wire_errors_stick),
		cmocka_unit_test(fixed_width_both_orders),
		cmocka_unit_test(process_keeps_secrets),
		cmocka_unit_test(unlocked_memory_is_an_error),
		cmocka_unit_test(errors_have_words),
		cmocka_unit_test(refusals_are_stable),
	};

	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
