/*
 * test_ipc.c - every message there and back, every truncation refused, exact
 * bounds, descriptors that nobody asked for closed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/message.h"

static uint8_t packet[IPC_MAX];

static const struct {
	uint16_t type;
	enum ipc_link link;
	enum ipc_dir dir;
	size_t min, max;
} messages[] = {
#define X(name, number, link, dir, min, max) { number, link, dir, min, max },
	IPC_MESSAGES(X)
#undef X
};

#define MESSAGES (sizeof(messages) / sizeof(messages[0]))

static struct ipc_packet parsed(size_t n, enum ipc_link link, enum ipc_dir dir)
{
	struct ipc_packet p;

	assert_true(n > 0);
	assert_int_equal(ipc_parse(&p, packet, n, link, dir), VAULT_OK);
	assert_int_equal(p.tag, 42);
	return p;
}

/*
 * Encodes in, decodes into out, encodes out again: the same bytes. Then every
 * shorter body and one byte more must be refused.
 */
#define ROUND_TRIP(name, body_type, link, value) do { \
	static struct body_type in, out; \
	static uint8_t first[IPC_MAX]; \
	in = (struct body_type)value; \
	size_t n = ipc_##name##_encode(packet, 42, &in); \
	memcpy(first, packet, n); \
	struct ipc_packet p = parsed(n, link, p_dir(first)); \
	p.body = first + IPC_HEADER; \
	assert_int_equal(ipc_##name##_decode(&out, &p), VAULT_OK); \
	struct ipc_packet shorter = p; \
	shorter.body = first + IPC_HEADER; \
	for (shorter.body_len = 0; shorter.body_len < p.body_len; shorter.body_len++) { \
		static struct body_type other; \
		assert_int_not_equal(ipc_##name##_decode(&other, &shorter), VAULT_OK); \
	} \
	first[n] = 0; \
	shorter.body_len = p.body_len + 1; \
	static struct body_type longer; \
	assert_int_not_equal(ipc_##name##_decode(&longer, &shorter), VAULT_OK); \
	shorter.body_len = p.body_len; \
	shorter.type = (uint16_t)(p.type + 1); \
	assert_int_equal(ipc_##name##_decode(&longer, &shorter), VAULT_E_PROTO); \
	assert_int_equal(ipc_##name##_encode(packet, 42, &out), n); \
	assert_memory_equal(packet, first, n); \
} while (0)

static enum ipc_dir p_dir(const uint8_t *bytes)
{
	uint16_t type = (uint16_t)(bytes[0] | bytes[1] << 8);

	for (size_t i = 0; i < MESSAGES; i++)
		if (messages[i].type == type)
			return messages[i].dir;
	fail();
	return TO_KEEPER;
}

#define V(...) { __VA_ARGS__ }

static void test_front_messages(void **state)
{
	static const char token[] = "a.b.c", json[] = "{}";

	(void)state;
	ROUND_TRIP(admit, ipc_admit, LINK_FRONT, V(.tenant = "alpha", .media = 3, .cred = { .kind = CRED_SECRET, .len = 4, .data = "abcd" }));
	ROUND_TRIP(admit, ipc_admit, LINK_FRONT, V(.tenant = "a", .cred = { .kind = CRED_NONE }));
	ROUND_TRIP(admitted, ipc_admitted, LINK_FRONT, V(.refusal = 0, .source = 9, .media = 1, .consent = 1, .tags_len = 3, .tags = "a,b"));
	ROUND_TRIP(open, ipc_open, LINK_FRONT, V(.tenant = "alpha", .cred = { .kind = CRED_CERT, .len = 32 }, .media = 1, .consent_given = 1,
	    .caller = "+31201", .callee = "0", .name = "call.ogg", .meta_len = 2, .meta = "{}"));
	ROUND_TRIP(opened, ipc_opened, LINK_FRONT, V(.existing = 1, .ended = 1, .source = 1, .id = { { 1, 2 } }, .start_ms = 5, .expires_s = 6,
	    .until_ms = 7, .policy = 8, .sealed_len = 40));
	ROUND_TRIP(opened, ipc_opened, LINK_FRONT, V(.refusal = 1));
	ROUND_TRIP(segment, ipc_segment, LINK_FRONT, V(.id = { { 3 } }, .start_us = 77));
	ROUND_TRIP(grant, ipc_grant, LINK_FRONT, V(.id = { { 4 } }, .segment = 2, .start_us = 3, .salt = { 1 }, .key = { { 2 }, { 3 } }));
	ROUND_TRIP(grant, ipc_grant, LINK_FRONT, V(.refusal = 8));
	ROUND_TRIP(close, ipc_close, LINK_FRONT, V(.id = { { 5 } }, .flags = 1, .segments = 2, .bytes = 3, .duration_us = 4));
	ROUND_TRIP(closed, ipc_closed, LINK_FRONT, V(.refusal = 0, .expires_s = 4));
	ROUND_TRIP(command, ipc_command, LINK_FRONT, V(.listener = 1, .token = token, .token_len = 5));
	ROUND_TRIP(answer, ipc_answer, LINK_FRONT, V(.status = 200, .kind = ANSWER_JOB, .json = json, .json_len = 2));
	ROUND_TRIP(source, ipc_cred, LINK_FRONT, V(.kind = CRED_SECRET, .len = 1, .data = "x"));
	ROUND_TRIP(source_is, ipc_source_is, LINK_FRONT, V(.refusal = 0, .source = 4));
	ROUND_TRIP(note, ipc_note, LINK_FRONT, V(.refusal = 25, .count = 3, .tenant = "alpha"));
	ROUND_TRIP(stop, ipc_stop, LINK_FRONT, V(.id = { { 6 } }, .refusal = 31, .at_ms = 9));
	ROUND_TRIP(job_done, ipc_job_done, LINK_FRONT, V(.job = 7, .refusal = 21));
	ROUND_TRIP(job_failed, ipc_job_done, LINK_FRONT, V(.job = 7, .refusal = 21));
	ROUND_TRIP(row_changed, ipc_row_changed, LINK_FRONT, V(.id = { { 7 } }, .expires_s = 1, .policy = 2, .flags = 3));
	ROUND_TRIP(released, ipc_released, LINK_FRONT, V(.batch = { { 8 } }, .n = 3));
}

static void test_setup_and_export_messages(void **state)
{
	(void)state;
	ROUND_TRIP(configure, ipc_configure, LINK_SUPERVISOR, V(.create = 1, .sweep_s = 60, .pass_len = 3, .pass = "abc", .origin = "o/x"));
	ROUND_TRIP(ready, ipc_ready, LINK_SUPERVISOR, V(.vault = { { 1 } }, .protections = 63, .fresh = 1, .message = "hello"));
	ROUND_TRIP(spawned, ipc_exporter, LINK_SUPERVISOR, V(.job = 1, .status = 2));
	ROUND_TRIP(exited, ipc_exporter, LINK_SUPERVISOR, V(.job = 1, .status = 2));
	ROUND_TRIP(job, ipc_job, LINK_EXPORTER, V(.job = 3, .mode = JOB_MEDIA, .format = FORMAT_OGG, .ended = 1, .tenant = "alpha", .segments = 4,
	    .bytes = 5, .from_us = 6, .to_us = UINT64_MAX, .recipients = 2, .recipient = { { 1 }, { 2 } }));
	ROUND_TRIP(want_key, ipc_want_key, LINK_EXPORTER, V(.job = 1, .id = { { 2 } }, .segment = 3, .start_us = 4, .salt = { 5 }));
	ROUND_TRIP(key, ipc_key, LINK_EXPORTER, V(.key = { { 1 }, { 2 } }));
	ROUND_TRIP(key, ipc_key, LINK_EXPORTER, V(.refusal = 7));
	ROUND_TRIP(want_meta, ipc_want_meta, LINK_EXPORTER, V(.id = { { 2 } }, .salt = { 5 }));
	ROUND_TRIP(meta_key, ipc_meta_key, LINK_EXPORTER, V(.key = { 1 }));
	ROUND_TRIP(job_result, ipc_job_result, LINK_EXPORTER, V(.job = 1, .refusal = 0, .items = 2, .bytes = 3));
}

static void test_lists(void **state)
{
	static vault_id ids[RECONCILE_MAX + 1];
	static struct ipc_reconciled_row rows[RECONCILE_MAX], row;
	const uint8_t *view;
	uint32_t n;

	(void)state;
	for (uint32_t i = 0; i < RECONCILE_MAX; i++) {
		ids[i].b[0] = (uint8_t)i;
		rows[i].expires_s = i;
		rows[i].known = i % 2;
	}
	assert_int_equal(ipc_reconcile_encode(packet, 42, ids, RECONCILE_MAX + 1), 0);
	assert_int_equal(ipc_reconcile_encode(packet, 42, ids, 0), 0);
	struct ipc_packet p = parsed(ipc_reconcile_encode(packet, 42, ids, RECONCILE_MAX), LINK_FRONT, TO_KEEPER);
	assert_int_equal(ipc_reconcile_decode(&p, &view, &n), VAULT_OK);
	assert_int_equal(n, RECONCILE_MAX);
	assert_memory_equal(view, ids, sizeof(vault_id) * n);
	p.body_len--;
	assert_int_equal(ipc_reconcile_decode(&p, &view, &n), VAULT_E_PROTO);
	p = parsed(ipc_reconciled_encode(packet, 42, rows, RECONCILE_MAX), LINK_FRONT, FROM_KEEPER);
	assert_int_equal(ipc_reconciled_row(&p, RECONCILE_MAX - 1, &row), VAULT_OK);
	assert_int_equal(row.expires_s, RECONCILE_MAX - 1);
	assert_int_equal(ipc_reconciled_row(&p, RECONCILE_MAX, &row), VAULT_E_RANGE);
	/* A count that says more than there is. */
	packet[IPC_HEADER] = 0xff;
	packet[IPC_HEADER + 1] = 0xff;
	assert_int_equal(ipc_reconciled_row(&p, 0, &row), VAULT_E_PROTO);
	const struct ipc_shredded full = { .n = SHREDDED_MAX, .ids = ids[0].b };
	struct ipc_shredded got;
	p = parsed(ipc_shredded_encode(packet, 42, &full), LINK_FRONT, FROM_KEEPER);
	assert_int_equal(ipc_shredded_decode(&got, &p), VAULT_OK);
	assert_int_equal(got.n, SHREDDED_MAX);
	const struct ipc_shredded none = { .n = 0, .ids = ids[0].b };
	assert_int_equal(ipc_shredded_encode(packet, 42, &none), 0);
}

static void test_texts(void **state)
{
	char text[1024];
	uint64_t job;

	(void)state;
	struct ipc_packet p = parsed(ipc_failed_encode(packet, 42, "It failed."), LINK_SUPERVISOR, FROM_KEEPER);
	assert_int_equal(ipc_failed_decode(&p, text), VAULT_OK);
	assert_string_equal(text, "It failed.");
	packet[IPC_HEADER + 4] = 0;
	assert_int_equal(ipc_failed_decode(&p, text), VAULT_E_PROTO);
	p = parsed(ipc_spawn_encode(packet, 42, 99), LINK_SUPERVISOR, FROM_KEEPER);
	assert_int_equal(ipc_spawn_decode(&p, &job), VAULT_OK);
	assert_int_equal(job, 99);
}

static void test_fields_beyond_their_limits(void **state)
{
	static struct ipc_open open_it;
	struct ipc_admit admit = { .cred = { .kind = CRED_SECRET, .len = 0 } };
	struct ipc_packet p;

	(void)state;
	assert_int_equal(ipc_admit_encode(packet, 1, &admit), 0);
	admit.cred = (struct ipc_cred){ .kind = CRED_CERT, .len = 31 };
	assert_int_equal(ipc_admit_encode(packet, 1, &admit), 0);
	admit.cred = (struct ipc_cred){ .kind = 9 };
	assert_int_equal(ipc_admit_encode(packet, 1, &admit), 0);
	admit.cred = (struct ipc_cred){ .kind = CRED_NONE };
	memset(admit.tenant, 'a', sizeof(admit.tenant));
	assert_int_equal(ipc_admit_encode(packet, 1, &admit), 0);
	open_it.meta_len = METADATA_MAX + 1;
	assert_int_equal(ipc_open_encode(packet, 1, &open_it), 0);
	/* A NUL inside a name. */
	open_it.meta_len = 0;
	memcpy(open_it.name, "ab", 3);
	size_t n = ipc_open_encode(packet, 1, &open_it);
	assert_int_equal(ipc_parse(&p, packet, n, LINK_FRONT, TO_KEEPER), VAULT_OK);
	uint8_t *found = memmem(packet, n, "ab", 2);
	assert_non_null(found);
	found[0] = 0;
	assert_int_equal(ipc_open_decode(&open_it, &p), VAULT_E_PROTO);
}

static void test_bounds_and_directions(void **state)
{
	struct ipc_packet p;

	(void)state;
	memset(packet, 0, sizeof(packet));
	for (size_t i = 0; i < MESSAGES; i++) {
		for (int link = LINK_FRONT; link <= LINK_EXPORTER; link++) {
			for (int dir = TO_KEEPER; dir <= FROM_KEEPER; dir++) {
				bool right = link == (int)messages[i].link && dir == (int)messages[i].dir;
				size_t n = ipc_seal(packet, messages[i].type, 1, messages[i].max);
				assert_int_equal(n, IPC_HEADER + messages[i].max);
				assert_int_equal(ipc_parse(&p, packet, n, (enum ipc_link)link, (enum ipc_dir)dir),
				    right ? VAULT_OK : VAULT_E_PROTO);
			}
		}
		assert_int_equal(ipc_seal(packet, messages[i].type, 1, messages[i].max + 1), 0);
		if (messages[i].min > 0)
			assert_int_equal(ipc_seal(packet, messages[i].type, 1, messages[i].min - 1), 0);
		size_t n = ipc_seal(packet, messages[i].type, 1, messages[i].min);
		assert_int_equal(ipc_parse(&p, packet, n + 1, messages[i].link, messages[i].dir), VAULT_E_PROTO);
		assert_int_equal(ipc_parse(&p, packet, IPC_HEADER - 1, messages[i].link, messages[i].dir), VAULT_E_PROTO);
		packet[2] = 1;
		assert_int_equal(ipc_parse(&p, packet, n, messages[i].link, messages[i].dir), VAULT_E_PROTO);
		packet[2] = 0;
		assert_string_not_equal(ipc_type_name(messages[i].type), "unknown");
	}
	assert_string_equal(ipc_type_name(999), "unknown");
	assert_int_equal(ipc_seal(packet, 999, 1, 0), 0);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_transport(void **state)
{
	int pair[2], passed = -1, extra;
	uint8_t *got = malloc(IPC_MAX);
	size_t n;

	(void)state;
	assert_non_null(got);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(ipc_recv(pair[0], got, &n, NULL), VAULT_E_AGAIN);
	size_t len = ipc_spawn_encode(packet, 1, 2);
	extra = open("/dev/null", O_RDONLY);
	assert_true(extra >= 0);
	int before = open_descriptors();
	assert_int_equal(ipc_send(pair[1], packet, len, &extra), VAULT_OK);
	assert_int_equal(ipc_recv(pair[0], got, &n, &passed), VAULT_OK);
	assert_int_equal(n, len);
	assert_true(passed >= 0);
	assert_int_equal(close(passed), 0);
	/* Sent to someone who expects none: closed. */
	assert_int_equal(ipc_send(pair[1], packet, len, &extra), VAULT_OK);
	assert_int_equal(ipc_recv(pair[0], got, &n, NULL), VAULT_OK);
	assert_int_equal(open_descriptors(), before);
	vault_err err;
	while ((err = ipc_send(pair[1], packet, len, NULL)) == VAULT_OK)
		continue;
	assert_int_equal(err, VAULT_E_AGAIN);
	while (ipc_recv(pair[0], got, &n, NULL) == VAULT_OK)
		continue;
	assert_int_equal(close(pair[1]), 0);
	assert_int_equal(ipc_recv(pair[0], got, &n, NULL), VAULT_E_EOF);
	assert_int_equal(ipc_send(pair[0], packet, len, NULL), VAULT_E_EOF);
	assert_int_equal(ipc_send(pair[0], packet, 3, NULL), VAULT_E_RANGE);
	assert_int_equal(close(pair[0]), 0);
	assert_int_equal(close(extra), 0);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_front_messages), cmocka_unit_test(test_setup_and_export_messages),
		cmocka_unit_test(test_lists), cmocka_unit_test(test_texts), cmocka_unit_test(test_fields_beyond_their_limits),
		cmocka_unit_test(test_bounds_and_directions), cmocka_unit_test(test_transport),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
