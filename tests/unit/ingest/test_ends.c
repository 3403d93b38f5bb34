/*
 * test_ends.c - recordings that end otherwise: refused, cut off, stopped,
 * paused, failed, drained.
 */
#include "ingest/fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"

static void check_prefix(struct lane *l, const struct upload *u, struct opened *o)
{
	recording_read(l, &u->id, o);
	assert_true(o->n <= u->at);
	assert_true(o->n >= u->durable);
	assert_memory_equal(o->bytes, u->data, o->n);
	assert_true(o->ended && o->truncated);
	const struct known *k = keeper_known(&l->keeper, &u->id);
	assert_true(k->closed && k->close.flags == CLOSE_TRUNCATED);
	assert_int_equal(k->close.bytes, o->n);
	assert_int_equal(k->close.segments, o->segments);
	assert_int_equal(u->failed_bytes, o->n);
}

static void begin_wav(struct upload *u, struct lane *l, uint8_t **data, size_t samples)
{
	*data = make_wav(samples, &u->len);
	u->data = *data;
	upload_open(u, l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
}

static void a_lost_sender_leaves_what_came(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	struct opened o;
	struct index_row row;
	uint8_t *data;

	begin_wav(&u, l, &data, 50000);
	assert_true(upload_send(&u, 60001, 1000));
	while (!u.opened)
		lane_turn(l);
	ingest_abort(u.st, VAULT_REFUSAL_body_timeout);
	assert_int_equal(ingest_write(u.st, 0, 0, data, 1), VAULT_E_STATE);
	lane_run_until(l, &u.over);
	assert_true(u.failed && u.refusal == VAULT_REFUSAL_body_timeout);
	check_prefix(l, &u, &o);
	assert_int_equal(o.n, 60001);        /* what had come is kept, not only what was durable */
	assert_true(o.sealed_end && (o.manifest.flags & MANIFEST_TRUNCATED) != 0);
	OK(ingest_index_flush(l->ingest, NULL));
	OK(index_get(l->index, &u.id, &row));
	assert_int_equal(row.state, ROW_TRUNCATED);
	opened_free(&o);
	free(data);
}

static void an_adapter_may_leave(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	uint8_t *data;

	begin_wav(&u, l, &data, 5000);
	assert_true(upload_send(&u, 5000, 1000));
	ingest_attach(u.st, NULL, NULL);
	ingest_abort(u.st, VAULT_REFUSAL_length_mismatch);
	while (ingest_streams(l->ingest) > 0)
		lane_turn(l);
	assert_false(u.over);
	assert_int_equal(l->keeper.closes, 1);
	free(data);
}

/* R1, R2: refused before anything is stored, one entry for the audit log. */
static void unsubscribed_media_store_nothing_R1_R2(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	struct volume_ref *refs;
	uint64_t rows;
	size_t n;
	uint8_t *data = sample("talk.webm", &u.len);

	l->keeper.subscribed = MEDIUM_VOICE;
	u.data = data;
	upload_open(&u, l, NULL, CONTAINER_NONE, 0);
	(void)upload_send(&u, u.len, 1000);
	lane_run_until(l, &u.over);
	assert_true(u.failed && u.refusal == VAULT_REFUSAL_not_subscribed);
	assert_int_equal(l->keeper.opens, 1);        /* the keeper's refusal is the entry */
	assert_int_equal(l->keeper.notes, 0);
	assert_int_equal(l->keeper.closes, 0);
	OK(index_count(l->index, &rows));
	assert_int_equal(rows, 0);
	OK(volume_set_list(l->volumes, &refs, &n));
	assert_int_equal(n, 0);
	free(refs);
	free(data);
}

static void refuse_one(struct lane *l, const char *file, size_t cut, uint8_t container, uint8_t media, unsigned refusal)
{
	struct upload u = { 0 };
	size_t opens = l->keeper.opens, notes = l->keeper.notes;
	uint8_t *data = sample(file, &u.len);

	u.data = data;
	if (cut > 0)
		u.len = cut;
	upload_open(&u, l, NULL, container, media);
	if (upload_send(&u, u.len, 100) && !u.over)
		ingest_end(u.st);
	lane_run_until(l, &u.over);
	assert_true(u.failed);
	assert_int_equal(u.refusal, refusal);
	assert_int_equal(u.failed_bytes, 0);
	while (l->keeper.notes == notes)
		lane_turn(l);
	assert_int_equal(l->keeper.opens, opens);
	assert_int_equal(l->keeper.notes, notes + 1);
	assert_int_equal(l->keeper.last_note, refusal);
	free(data);
}

static void lies_and_unknown_bytes_are_refused(void **state)
{
	struct lane *l = *state;

	refuse_one(l, "speech.ogg", 0, CONTAINER_WAV, MEDIUM_VOICE, VAULT_REFUSAL_media_mismatch);
	refuse_one(l, "talk.webm", 0, CONTAINER_WEBM, MEDIUM_VOICE, VAULT_REFUSAL_media_mismatch);
	refuse_one(l, "voice.webm", 0, CONTAINER_WEBM, MEDIUM_VIDEO, VAULT_REFUSAL_media_mismatch);
	refuse_one(l, "volume-1.json", 0, CONTAINER_NONE, 0, VAULT_REFUSAL_unsupported_media);
	refuse_one(l, "speech.wav", 20, CONTAINER_NONE, 0, VAULT_REFUSAL_truncated_media);
	refuse_one(l, "talk.webm", 5, CONTAINER_NONE, 0, VAULT_REFUSAL_truncated_media);
}

static void a_second_medium_in_mid_stream_is_refused_R2(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	struct opened o;
	size_t n, video;
	uint8_t *voice = sample("voice.webm", &n), *both = sample("talk.webm", &video);
	/* A second Matroska file behind the first: its tracks are new. */
	uint8_t *data = malloc(n + video);

	assert_non_null(data);
	memcpy(data, voice, n);
	memcpy(data + n, both, video);
	u.data = data;
	u.len = n + video;
	l->keeper.subscribed = MEDIUM_VOICE;
	upload_open(&u, l, NULL, CONTAINER_NONE, 0);
	if (upload_send(&u, u.len, 500) && !u.over)
		ingest_end(u.st);
	lane_run_until(l, &u.over);
	recording_read(l, &u.id, &o);
	/* Either the probe saw the new track, or it gave the rest up as damaged and no more than bytes were kept. */
	if (u.failed) {
		assert_int_equal(u.refusal, VAULT_REFUSAL_not_subscribed);
		assert_true(o.truncated && o.n < u.len);
		assert_int_equal(l->keeper.notes, 1);
	}
	opened_free(&o);
	free(voice);
	free(both);
	free(data);
}

static void a_refused_first_key_voids_the_recording(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	uint64_t rows;
	uint8_t *data;

	l->keeper.refuse_grants = VAULT_REFUSAL_subscription_ended;
	begin_wav(&u, l, &data, 5000);
	assert_true(upload_send(&u, 5000, 1000));
	lane_run_until(l, &u.over);
	assert_true(u.failed && u.refusal == VAULT_REFUSAL_subscription_ended);
	assert_true(l->keeper.known[0].closed && l->keeper.known[0].close.flags == CLOSE_VOID);
	OK(ingest_index_flush(l->ingest, NULL));
	OK(index_count(l->index, &rows));
	assert_int_equal(rows, 0);
	free(data);
}

static void a_refused_later_key_keeps_what_came_R3(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	struct opened o;
	uint8_t *data;

	l->o.segment_bytes = 32 * 1024;
	lane_restart(l);
	begin_wav(&u, l, &data, 200000);
	assert_true(upload_send(&u, 8000, 1000));
	while (u.durable == 0)
		lane_turn(l);
	l->keeper.refuse_grants = VAULT_REFUSAL_retention_ended;
	(void)upload_send(&u, u.len, 1000);
	lane_run_until(l, &u.over);
	assert_true(u.failed && u.refusal == VAULT_REFUSAL_retention_ended);
	check_prefix(l, &u, &o);
	assert_true(o.n > 8000 && o.n < u.len);
	opened_free(&o);
	free(data);
}

/* R3: stopped at that instant, what came before is kept, the sender is told. */
static void a_stop_ends_the_stream_R3(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	struct opened o;
	uint8_t *data;

	begin_wav(&u, l, &data, 50000);
	assert_true(upload_send(&u, 30000, 1000));
	while (u.durable == 0)
		lane_turn(l);
	keeper_stop(l, &u.id, VAULT_REFUSAL_subscription_ended, clock_wall_ms());
	lane_run_until(l, &u.over);
	assert_true(u.failed && u.refusal == VAULT_REFUSAL_subscription_ended);
	check_prefix(l, &u, &o);
	assert_int_equal(o.n, 30000);
	assert_int_equal(o.gaps, 1);
	assert_int_equal(o.gap_reason, GAP_REFUSED);
	assert_true(o.sealed_end);
	opened_free(&o);
	free(data);
}

static void bytes_behind_the_subscription_are_refused_R3(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	struct opened o;
	uint8_t *data;

	l->keeper.until_ms = clock_wall_ms() + 150;
	begin_wav(&u, l, &data, 5000);
	assert_true(upload_send(&u, 5000, 1000));
	while (!u.over && clock_wall_ms() < l->keeper.until_ms)
		lane_turn(l);
	if (!u.over)
		assert_int_equal(ingest_write(u.st, 0, 0, data, 1), VAULT_E_STATE);
	lane_run_until(l, &u.over);
	assert_true(u.failed && u.refusal == VAULT_REFUSAL_subscription_ended);
	check_prefix(l, &u, &o);
	assert_int_equal(o.n, 5000);
	opened_free(&o);
	free(data);
}

/* R41 */
static void nothing_of_a_pause_is_stored_R41(void **state)
{
	static const char marker[] = "4111-1111-1111-1111-CARD";
	struct lane *l = *state;
	struct upload u = { 0 };
	struct opened o;
	struct index_row row;
	uint8_t *data;

	begin_wav(&u, l, &data, 50000);
	memcpy(data + 40000, marker, sizeof marker);
	assert_true(upload_send(&u, 32044, 1000));
	OK(ingest_pause(u.st));
	assert_int_equal(ingest_pause(u.st), VAULT_E_STATE);
	assert_true(upload_send(&u, 16000, 1000));
	OK(ingest_resume(u.st));
	upload_all(&u, 1000);
	assert_false(u.failed);
	assert_int_equal(u.result.bytes, u.len - 16000);
	recording_read(l, &u.id, &o);
	assert_int_equal(o.n, u.len - 16000);
	assert_memory_equal(o.bytes, data, 32044);
	assert_memory_equal(o.bytes + 32044, data + 48044, u.len - 48044);
	assert_null(memmem(o.bytes, o.n, marker, sizeof marker - 1));
	assert_int_equal(o.gaps, 1);
	assert_true(o.gap_from == 2000000 && o.gap_to == 3000000 && o.gap_reason == GAP_PAUSED);
	assert_false(lane_holds(l, marker));
	OK(ingest_index_flush(l->ingest, NULL));
	OK(index_get(l->index, &u.id, &row));
	assert_true(row.gap_us == 1000000);
	/* The gap counts in time: what follows lies behind it. */
	assert_true(row.duration_us == 6250000);
	opened_free(&o);
	free(data);
}

static void a_pause_before_the_key_and_no_resume_R41(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	struct opened o;
	uint8_t *data;

	l->keeper.hold_grants = true;
	begin_wav(&u, l, &data, 20000);
	assert_true(upload_send(&u, 10000, 1000));
	OK(ingest_pause(u.st));
	assert_true(upload_send(&u, 20000, 1000));
	while (l->keeper.held_len == 0)
		lane_turn(l);
	ingest_end(u.st);
	keeper_release(l);
	lane_run_until(l, &u.over);
	assert_false(u.failed);
	recording_read(l, &u.id, &o);
	assert_int_equal(o.n, 10000);
	assert_int_equal(o.gaps, 1);
	opened_free(&o);
	free(data);
}

/* P1: a crash keeps what was said to be durable. */
static void a_crash_keeps_what_was_durable_R35(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	struct opened o;
	struct index_row row;
	uint8_t *data;

	begin_wav(&u, l, &data, 50000);
	assert_true(upload_send(&u, 40000, 1000));
	while (u.durable < 30000)
		lane_turn(l);
	lane_crash(l);
	recording_read(l, &u.id, &o);
	assert_true(o.n >= u.durable);
	assert_memory_equal(o.bytes, data, o.n);
	OK(index_get(l->index, &u.id, &row));
	assert_int_equal(row.state, ROW_TRUNCATED);
	assert_int_equal(row.bytes, o.n);
	opened_free(&o);
	free(data);
}

static void a_full_disk_keeps_what_was_durable(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	struct opened o;
	struct rlimit before, small;
	uint8_t *data;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	begin_wav(&u, l, &data, 600000);
	assert_true(upload_send(&u, 60000, 1000));
	while (u.durable < 40000)
		lane_turn(l);
	(void)signal(SIGXFSZ, SIG_IGN);
	small = before;
	small.rlim_cur = 100 * 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	(void)upload_send(&u, u.len, 4000);
	lane_run_until(l, &u.over);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(u.failed);
	assert_true(u.refusal == VAULT_REFUSAL_disk_full || u.refusal == VAULT_REFUSAL_internal);
	recording_read(l, &u.id, &o);
	assert_true(o.n >= u.durable);
	assert_memory_equal(o.bytes, data, o.n < u.at ? o.n : u.at);
	const struct known *k = keeper_known(&l->keeper, &u.id);
	assert_true(k->closed && k->close.flags == CLOSE_TRUNCATED);
	assert_true(k->close.bytes >= u.durable && k->close.bytes <= o.n);
	assert_int_equal(u.failed_bytes, k->close.bytes);
	opened_free(&o);
	free(data);
}

static bool drained;

static void on_drained(void *arg)
{
	(void)arg;
	drained = true;
}

static void a_drain_ends_what_runs(void **state)
{
	struct lane *l = *state;
	struct upload u[5] = { 0 };
	struct opened o;
	struct index_row row;
	struct ingest_start start = { .tenant = "demo" };
	const struct ingest_callbacks none = { 0 };
	struct ingest_stream *st;
	uint8_t *data[5];

	drained = false;
	for (size_t i = 0; i < 5; i++) {
		begin_wav(&u[i], l, &data[i], 20000);
		assert_true(upload_send(&u[i], 20000, 1000));
	}
	ingest_drain(l->ingest, 50, on_drained, NULL);
	assert_int_equal(ingest_open(l->ingest, &start, &none, NULL, &st), VAULT_E_STATE);
	upload_all(&u[0], 1000);             /* within the grace, or cut off by it */
	lane_run_until(l, &drained);
	for (size_t i = 1; i < 5; i++) {
		assert_true(u[i].over && u[i].failed && u[i].refusal == VAULT_REFUSAL_unavailable);
		check_prefix(l, &u[i], &o);
		OK(index_get(l->index, &u[i].id, &row));     /* flushed */
		assert_int_equal(row.state, ROW_TRUNCATED);
		opened_free(&o);
		free(data[i]);
	}
	free(data[0]);
}

static void an_idle_drain_ends_at_once(void **state)
{
	struct lane *l = *state;

	drained = false;
	ingest_drain(l->ingest, 60000, on_drained, NULL);
	lane_run_until(l, &drained);
}

static void a_lost_keeper_fails_every_stream(void **state)
{
	struct lane *l = *state;
	struct upload u = { 0 };
	uint8_t *data;

	l->keeper.hold_grants = true;
	begin_wav(&u, l, &data, 5000);
	assert_true(upload_send(&u, 5000, 1000));
	while (l->keeper.held_len == 0)
		lane_turn(l);
	(void)uv_poll_stop(&l->keeper.poll);
	assert_int_equal(shutdown(l->keeper.fd, SHUT_RDWR), 0);
	lane_run_until(l, &u.over);
	assert_true(u.failed && u.refusal == VAULT_REFUSAL_unavailable);
	lane_run_until(l, &l->link_gone);
	free(data);
}

static unsigned admit_refusal;
static size_t admit_calls;

static void on_admitted(void *arg, const struct ipc_admitted *a)
{
	(void)arg;
	admit_refusal = a->refusal;
	admit_calls++;
}

static void admission_is_a_question(void **state)
{
	struct lane *l = *state;
	struct ipc_admit m = { .tenant = "demo", .cred = { .kind = CRED_SECRET, .len = 1, .data = "x" }, .media = MEDIUM_VIDEO };
	struct ingest_ticket ticket, cancelled;

	admit_calls = 0;
	l->keeper.subscribed = MEDIUM_VOICE;
	OK(ingest_admit(l->ingest, &m, on_admitted, NULL, &cancelled));
	ingest_admit_cancel(l->ingest, cancelled);
	OK(ingest_admit(l->ingest, &m, on_admitted, NULL, &ticket));
	while (admit_calls == 0)
		lane_turn(l);
	assert_int_equal(admit_refusal, VAULT_REFUSAL_not_subscribed);
	assert_int_equal(admit_calls, 1);
	assert_int_equal(l->keeper.admits, 2);
}

static void streams_are_bounded_P10(void **state)
{
	struct lane *l = *state;
	struct upload u[3] = { 0 };
	struct ingest_start start = { .tenant = "demo" };
	const struct ingest_callbacks none = { 0 };
	struct ingest_stream *st;
	uint8_t byte[100] = { 0 };

	l->o.max_streams = 2;
	lane_restart(l);
	upload_open(&u[0], l, NULL, CONTAINER_NONE, 0);
	upload_open(&u[1], l, NULL, CONTAINER_NONE, 0);
	assert_int_equal(ingest_open(l->ingest, &start, &none, NULL, &st), VAULT_E_BUSY);
	size_t credit = ingest_credit(u[0].st);
	assert_true(credit > 0 && credit <= PROBE_DECIDE_MAX + 1);
	assert_int_equal(ingest_write(u[0].st, 1, 0, byte, 1), VAULT_E_INVAL);
	assert_int_equal(ingest_write(u[0].st, 0, 0, byte, PROBE_DECIDE_MAX + 2), VAULT_E_RANGE);
	ingest_abort(u[0].st, VAULT_REFUSAL_body_timeout);
	lane_run_until(l, &u[0].over);
	assert_true(u[0].failed && u[0].failed_bytes == 0);
	upload_open(&u[2], l, NULL, CONTAINER_NONE, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lane_setup, lane_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_lost_sender_leaves_what_came),
		T(an_adapter_may_leave),
		T(unsubscribed_media_store_nothing_R1_R2),
		T(lies_and_unknown_bytes_are_refused),
		T(a_second_medium_in_mid_stream_is_refused_R2),
		T(a_refused_first_key_voids_the_recording),
		T(a_refused_later_key_keeps_what_came_R3),
		T(a_stop_ends_the_stream_R3),
		T(bytes_behind_the_subscription_are_refused_R3),
		T(nothing_of_a_pause_is_stored_R41),
		T(a_pause_before_the_key_and_no_resume_R41),
		T(a_crash_keeps_what_was_durable_R35),
		T(a_full_disk_keeps_what_was_durable),
		T(a_drain_ends_what_runs),
		T(an_idle_drain_ends_at_once),
		T(a_lost_keeper_fails_every_stream),
		T(admission_is_a_question),
		T(streams_are_bounded_P10),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
