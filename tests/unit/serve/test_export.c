/*
 * test_export.c - an exporter is fed what its job needs and its bytes are
 * relayed; it is played by the test over a real socket pair.
 */
#include "ingest/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vault/format.h>
#include "base/clock.h"
#include "base/json.h"
#include "front/serve/export.h"

#define JOB 18446744073709551557ull

struct client {
	bool over, ok, refused;
	unsigned refusal;
	uint8_t *got;
	size_t n;
	struct export *hold;         /* holds at the first data */
};

static void on_data(void *arg, const uint8_t *p, size_t n)
{
	struct client *c = arg;

	assert_false(c->over);
	c->got = realloc(c->got, c->n + n);
	assert_non_null(c->got);
	memcpy(c->got + c->n, p, n);
	c->n += n;
	if (c->hold != NULL)
		export_hold(c->hold, true);
}

static void on_end(void *arg, bool ok)
{
	struct client *c = arg;

	assert_false(c->over);
	c->over = true;
	c->ok = ok;
}

static void on_refused(void *arg, unsigned refusal)
{
	struct client *c = arg;

	assert_false(c->over);
	assert_int_equal(c->n, 0);
	c->over = c->refused = true;
	c->refusal = refusal;
}

static const struct export_consumer consumer = { on_data, on_end, on_refused };

struct test {
	struct lane *l;
	struct export_hub *hub;
	struct client c;
	struct export *e;
	int fd;                      /* the exporter's end */
	uint8_t *fed;
	size_t n_fed;
	vault_id id;
	struct upload u;
};

static void begin(struct test *t, struct lane *l, size_t samples)
{
	memset(t, 0, sizeof *t);
	t->l = l;
	t->fd = -1;
	l->o.segment_bytes = 64 * 1024;
	lane_restart(l);
	const struct export_options o = { .loop = &l->loop, .keeper = l->link, .volumes = l->volumes,
		.rows = { .index = l->index, .ingest = l->ingest }, .wait_ms = 600 };
	OK(export_hub_new(&t->hub, &o));
	uint8_t *data = make_wav(samples, &t->u.len);
	t->u.data = data;
	upload_open(&t->u, l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
	upload_all(&t->u, 4000);
	t->id = t->u.id;
	free(data);
}

static void end(struct test *t)
{
	export_hub_close(t->hub);
	for (int i = 0; i < 50; i++) {
		(void)uv_run(&t->l->loop, UV_RUN_NOWAIT);
		(void)usleep(500);
	}
	if (t->fd >= 0)
		(void)close(t->fd);
	free(t->c.got);
	free(t->fed);
}

static vault_err start(struct test *t, const char *more)
{
	char text[512], id[VAULT_ID_TEXT];

	vault_id_format(&t->id, id);
	int n = snprintf(text, sizeof text, "{\"cmd\":\"fetch\",\"job\":\"%llu\",\"tenant\":\"demo\",\"id\":\"%s\","
	    "\"format\":\"as-stored\"%s}", JOB, id, more);
	return export_start(t->hub, text, (size_t)n, &consumer, &t->c, &t->e);
}

static void give_socket(struct test *t)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	t->fd = pair[1];
	export_socket(t->hub, JOB, pair[0]);
}

static void job_done(struct test *t, unsigned refusal)
{
	const struct ipc_job_done m = { .job = JOB, .refusal = refusal };

	export_done(t->hub, &m);
}

/* Reads what the exporter is fed until its input ends. */
static void drain_feed(struct test *t)
{
	uint8_t block[65536];

	for (;;) {
		ssize_t n = read(t->fd, block, sizeof block);
		if (n == 0)
			return;
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			(void)uv_run(&t->l->loop, UV_RUN_NOWAIT);
			continue;
		}
		t->fed = realloc(t->fed, t->n_fed + (size_t)n);
		assert_non_null(t->fed);
		memcpy(t->fed + t->n_fed, block, (size_t)n);
		t->n_fed += (size_t)n;
	}
}

static void answer(struct test *t, const char *text, bool close_too)
{
	assert_int_equal(write(t->fd, text, strlen(text)), (ssize_t)strlen(text));
	if (close_too) {
		(void)close(t->fd);
		t->fd = -1;
	}
}

struct seen {
	size_t frames, opens, segments, chunks, ends, rows, recording_ends;
	uint32_t first, last;        /* segments behind number 0 */
	uint64_t offset;             /* of the last ROW frame */
};

static struct seen look(const struct test *t)
{
	struct seen s = { 0 };
	struct frame f;

	for (size_t at = 0; at < t->n_fed; at += (size_t)frame_span(f.length)) {
		assert_true(t->n_fed - at >= FRAME_HEADER_BYTES);
		OK(frame_decode(&f, t->fed + at));
		assert_true(t->n_fed - at >= frame_span(f.length));
		s.frames++;
		s.opens += f.type == FRAME_RECORDING_OPEN;
		s.chunks += f.type == FRAME_CHUNK;
		s.ends += f.type == FRAME_SEGMENT_END;
		s.recording_ends += f.type == FRAME_RECORDING_END;
		if (f.type == FRAME_SEGMENT_OPEN) {
			s.segments++;
			if (f.segment > 0 && s.first == 0)
				s.first = f.segment;
			s.last = f.segment;
		}
		if (f.type == FRAME_ROW) {
			json_t *o;
			s.rows++;
			OK(json_read((const char *)t->fed + at + FRAME_HEADER_BYTES, f.length, 16384, &o));
			(void)!json_u64(o, "stream_offset", &s.offset);
			json_decref(o);
		}
	}
	return s;
}

static void a_recording_is_fed_whole(void **state)
{
	struct test t;
	struct index_row row;

	begin(&t, *state, 400000);
	OK(start(&t, ""));
	give_socket(&t);
	drain_feed(&t);
	struct seen s = look(&t);
	OK(index_get(t.l->index, &t.id, &row));
	assert_true(s.opens == 1 && s.recording_ends == 1 && s.rows == 0);
	assert_int_equal(s.segments, row.segments);
	assert_int_equal(s.ends, row.segments);
	answer(&t, "age bytes", true);
	job_done(&t, VAULT_REFUSAL_none);
	lane_run_until(t.l, &t.c.over);
	assert_true(t.c.ok && t.c.n == 9 && memcmp(t.c.got, "age bytes", 9) == 0);
	assert_int_equal(export_running(t.hub), 0);
	end(&t);
}

/* 400,000 samples are 50 s; a segment of 64 KiB is about 4 s. */
static void a_range_leaves_segments_out(void **state)
{
	struct test t;

	begin(&t, *state, 400000);
	give_socket(&t);                     /* before its job: either order */
	OK(start(&t, ",\"from_ms\":30000,\"to_ms\":33000"));
	lane_turn(t.l);
	drain_feed(&t);
	struct seen s = look(&t);
	assert_int_equal(s.opens, 1);
	assert_int_equal(s.rows, 1);
	assert_true(s.first >= 4 && s.last > s.first && s.segments < 8);
	assert_true(s.offset > 0 && s.offset <= 30 * 16000 + 44);
	assert_int_equal(s.recording_ends, 0);
	answer(&t, "x", true);
	job_done(&t, VAULT_REFUSAL_none);
	lane_run_until(t.l, &t.c.over);
	assert_true(t.c.ok);
	end(&t);
}

static void rows_are_fed_with_their_open_frames(void **state)
{
	struct test t;
	char text[512], id[VAULT_ID_TEXT];

	begin(&t, *state, 8000);
	vault_id_format(&t.id, id);
	int n = snprintf(text, sizeof text, "{\"cmd\":\"read.metadata\",\"job\":\"%llu\",\"tenant\":\"demo\",\"ids\":[\"%s\","
	    "\"0198c0de-0000-7000-8000-0000000000aa\"]}", JOB, id);
	OK(export_start(t.hub, text, (size_t)n, &consumer, &t.c, &t.e));
	give_socket(&t);
	drain_feed(&t);
	struct seen s = look(&t);
	assert_true(s.frames == 2 && s.rows == 1 && s.opens == 1);
	answer(&t, "x", true);
	job_done(&t, VAULT_REFUSAL_none);
	lane_run_until(t.l, &t.c.over);
	end(&t);
}

static void a_broken_export_is_not_an_end(void **state)
{
	struct test t;

	begin(&t, *state, 8000);
	OK(start(&t, ""));
	give_socket(&t);
	drain_feed(&t);
	answer(&t, "half", true);
	for (int i = 0; i < 20; i++)
		(void)uv_run(&t.l->loop, UV_RUN_NOWAIT);
	assert_false(t.c.over);              /* the keeper's word is missing */
	job_done(&t, VAULT_REFUSAL_internal);
	lane_run_until(t.l, &t.c.over);
	assert_true(!t.c.ok && !t.c.refused && t.c.n == 4);
	end(&t);
}

static void a_refusal_comes_before_the_first_byte(void **state)
{
	struct test t;

	begin(&t, *state, 8000);
	OK(start(&t, ""));
	give_socket(&t);
	drain_feed(&t);
	(void)close(t.fd);
	t.fd = -1;
	job_done(&t, VAULT_REFUSAL_format_unsupported);
	lane_run_until(t.l, &t.c.over);
	assert_true(t.c.refused && t.c.refusal == VAULT_REFUSAL_format_unsupported);
	end(&t);
}

static void without_an_exporter_the_client_is_told(void **state)
{
	struct test t;

	begin(&t, *state, 8000);
	OK(start(&t, ""));
	lane_run_until(t.l, &t.c.over);      /* nobody comes */
	assert_true(t.c.refused && t.c.refusal == VAULT_REFUSAL_unavailable);
	while (t.l->keeper.job_failed == 0)
		lane_turn(t.l);
	memset(&t.c, 0, sizeof t.c);
	OK(start(&t, ""));
	export_socket(t.hub, JOB, -1);
	lane_run_until(t.l, &t.c.over);
	assert_true(t.c.refused);
	end(&t);
}

static void another_tenants_recording_is_not_found(void **state)
{
	struct test t;
	char text[512], id[VAULT_ID_TEXT];

	begin(&t, *state, 8000);
	vault_id_format(&t.id, id);
	int n = snprintf(text, sizeof text, "{\"job\":\"5\",\"tenant\":\"other\",\"id\":\"%s\",\"format\":\"wav\"}", id);
	assert_int_equal(export_start(t.hub, text, (size_t)n, &consumer, &t.c, &t.e), VAULT_E_NOTFOUND);
	while (t.l->keeper.job_failed == 0)
		lane_turn(t.l);
	assert_int_equal(export_start(t.hub, "{}", 2, &consumer, &t.c, &t.e), VAULT_E_INVAL);
	assert_int_equal(export_start(t.hub, "{\"job\":\"x\"}", 11, &consumer, &t.c, &t.e), VAULT_E_INVAL);
	assert_int_equal(export_running(t.hub), 0);
	end(&t);
}

/* Back-pressure: a client that does not read is not buffered for. */
static void a_held_client_gets_no_more(void **state)
{
	struct test t;
	char *block = malloc(4u << 20);
	size_t given = 0;

	assert_non_null(block);
	memset(block, 'a', 4u << 20);
	begin(&t, *state, 8000);
	OK(start(&t, ""));
	t.c.hold = t.e;
	give_socket(&t);
	drain_feed(&t);
	for (int i = 0; i < 200; i++) {
		ssize_t n = write(t.fd, block + given, (4u << 20) - given);
		if (n > 0)
			given += (size_t)n;
		(void)uv_run(&t.l->loop, UV_RUN_NOWAIT);
	}
	assert_true(given < 4u << 20);
	assert_true(t.c.n > 0 && t.c.n <= 2 * 65536);
	t.c.hold = NULL;
	export_hold(t.e, false);
	while (given < 4u << 20) {
		ssize_t n = write(t.fd, block + given, (4u << 20) - given);
		if (n > 0)
			given += (size_t)n;
		(void)uv_run(&t.l->loop, UV_RUN_NOWAIT);
	}
	(void)close(t.fd);
	t.fd = -1;
	job_done(&t, VAULT_REFUSAL_none);
	lane_run_until(t.l, &t.c.over);
	assert_true(t.c.ok && t.c.n == 4u << 20);
	free(block);
	end(&t);
}

static void cancelled_at_any_time(void **state)
{
	struct test t;
	uint8_t byte;

	begin(&t, *state, 400000);
	for (int when = 0; when < 12; when++) {
		OK(start(&t, ""));
		give_socket(&t);
		for (int i = 0; i < when; i++) {
			(void)uv_run(&t.l->loop, UV_RUN_NOWAIT);
			(void)usleep(300);
		}
		export_cancel(t.e);
		while (export_running(t.hub) > 0)
			(void)uv_run(&t.l->loop, UV_RUN_NOWAIT);
		/* The exporter sees that nobody is there. */
		while (read(t.fd, &byte, 1) > 0)
			;
		(void)close(t.fd);
		t.fd = -1;
	}
	assert_false(t.c.over);
	assert_int_equal(t.c.n, 0);
	end(&t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lane_setup, lane_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_recording_is_fed_whole),
		T(a_range_leaves_segments_out),
		T(rows_are_fed_with_their_open_frames),
		T(a_broken_export_is_not_an_end),
		T(a_refusal_comes_before_the_first_byte),
		T(without_an_exporter_the_client_is_told),
		T(another_tenants_recording_is_not_found),
		T(a_held_client_gets_no_more),
		T(cancelled_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
