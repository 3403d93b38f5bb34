/*
 * test_gone.c - what the keeper forgot disappears here: rows at once, space
 * soon, also after a crash in between (R5, R6).
 */
#include "ingest/fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "front/serve/gone.h"
#include "front/serve/rows.h"

struct test {
	struct lane *l;
	struct gone *g;
	vault_id ids[8];
	size_t n;
	uint8_t *data;
	size_t len;
	struct upload live;
};

static void on_push(void *arg, const struct ipc_packet *p)
{
	struct test *t = arg;

	if (p->type == IPC_SHREDDED)
		gone_shredded(t->g, p);
	else if (p->type == IPC_ROW_CHANGED)
		gone_row_changed(t->g, p);
}

static void begin(struct test *t, struct lane *l)
{
	memset(t, 0, sizeof *t);
	t->l = l;
	l->push = on_push;
	l->push_arg = t;
	const struct gone_options o = { .loop = &l->loop, .keeper = l->link, .index = l->index, .ingest = l->ingest,
		.volumes = l->volumes };
	OK(gone_new(&t->g, &o));
	t->data = make_wav(60000, &t->len);
}

static void end(struct test *t)
{
	gone_close(t->g);
	for (int i = 0; i < 10; i++)
		(void)uv_run(&t->l->loop, UV_RUN_NOWAIT);
	free(t->data);
}

static void record(struct test *t)
{
	struct upload u = { .data = t->data, .len = t->len };

	upload_open(&u, t->l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
	upload_all(&u, 4000);
	assert_false(u.failed);
	t->ids[t->n++] = u.id;
}

static void shred(struct test *t, const vault_id *ids, size_t n)
{
	static uint8_t out[IPC_MAX];
	const struct ipc_shredded m = { .batch = { { 9 } }, .n = (uint32_t)n, .ids = (const uint8_t *)ids };

	for (size_t i = 0; i < n; i++) {
		struct known *k = keeper_known(&t->l->keeper, &ids[i]);
		if (k != NULL)
			k->gone = true;
	}
	keeper_push(t->l, out, ipc_shredded_encode(out, 0, &m));
}

static void wait_released(struct test *t, size_t n)
{
	while (t->l->keeper.released < n)
		lane_turn(t->l);
}

static size_t frames_of(struct lane *l, const vault_id *id)
{
	struct opened o;

	recording_read(l, id, &o);
	size_t n = (size_t)o.has_open + o.chunks + o.ended;
	opened_free(&o);
	return n;
}

static void shredded_recordings_give_their_space_back_R5(void **state)
{
	struct test t;
	struct index_row row;

	begin(&t, *state);
	for (int i = 0; i < 4; i++)
		record(&t);
	shred(&t, t.ids, 2);                 /* one of them may not be in the index yet */
	wait_released(&t, 1);
	assert_int_equal(gone_dropped(t.g), 2);
	assert_true(gone_freed_bytes(t.g) >= 2 * t.len);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(index_get(t.l->index, &t.ids[i], &row), i < 2 ? VAULT_E_NOTFOUND : VAULT_OK);
		assert_true((frames_of(t.l, &t.ids[i]) > 0) == (i >= 2));
	}
	shred(&t, t.ids, 2);                 /* repeated after a start: nothing left to do, and said so */
	wait_released(&t, 2);
	end(&t);
}

static void a_shredded_recording_is_hidden_at_once_R5(void **state)
{
	struct test t;
	struct index_row row;
	static uint8_t out[IPC_MAX];
	struct ipc_packet p;

	begin(&t, *state);
	record(&t);
	const struct rows rows = { .index = t.l->index, .ingest = t.l->ingest };
	OK(rows_get(&rows, &t.ids[0], clock_wall_ms(), &row));
	const struct ipc_shredded m = { .batch = { { 1 } }, .n = 1, .ids = t.ids[0].b };
	size_t n = ipc_shredded_encode(out, 0, &m);
	OK(ipc_parse(&p, out, n, LINK_FRONT, FROM_KEEPER));
	gone_shredded(t.g, &p);
	assert_int_equal(rows_get(&rows, &t.ids[0], clock_wall_ms(), &row), VAULT_E_NOTFOUND);
	wait_released(&t, 1);
	end(&t);
}

static void a_live_recording_is_ended_and_forgotten(void **state)
{
	struct test t;
	struct index_row row;
	uint64_t rows;

	begin(&t, *state);
	t.live.data = t.data;
	t.live.len = t.len;
	upload_open(&t.live, t.l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
	assert_true(upload_send(&t.live, 50000, 4000));
	while (t.live.durable == 0)
		lane_turn(t.l);
	shred(&t, &t.live.id, 1);
	lane_run_until(t.l, &t.live.over);
	assert_true(t.live.failed && t.live.refusal == VAULT_REFUSAL_retention_ended);
	wait_released(&t, 1);
	assert_int_equal(ingest_live(t.l->ingest, &t.live.id, &row), VAULT_E_NOTFOUND);
	OK(ingest_index_flush(t.l->ingest, NULL));
	OK(index_count(t.l->index, &rows));
	assert_int_equal(rows, 0);
	assert_int_equal(frames_of(t.l, &t.live.id), 0);
	end(&t);
}

static void changes_reach_rows_and_notes(void **state)
{
	static uint8_t out[IPC_MAX];
	struct test t;
	struct index_row row;
	const struct rows *rows;

	begin(&t, *state);
	const struct rows r = { .index = t.l->index, .ingest = t.l->ingest };
	rows = &r;
	record(&t);
	OK(ingest_index_flush(t.l->ingest, NULL));
	record(&t);
	for (size_t i = 0; i < 2; i++) {
		const struct ipc_row_changed m = { .id = t.ids[i], .expires_s = 4000000000u + i, .policy = 9,
			.flags = ROW_HELD };
		keeper_push(t.l, out, ipc_row_changed_encode(out, 0, &m));
	}
	for (size_t i = 0; i < 2; i++) {
		do {
			lane_turn(t.l);
			OK(rows_get(rows, &t.ids[i], clock_wall_ms(), &row));
		} while (row.expires_s != 4000000000u + i);
		assert_true(row.policy == 9 && row.flags == ROW_HELD && row.state == ROW_ENDED);
	}
	end(&t);
}

/* P8, R6: what the keeper does not know any more goes; what it changed is followed; what it has not heard is told. */
static void reconcile_follows_the_keeper(void **state)
{
	struct test t;
	struct index_row row;

	begin(&t, *state);
	for (int i = 0; i < 3; i++)
		record(&t);
	OK(ingest_index_flush(t.l->ingest, NULL));
	keeper_known(&t.l->keeper, &t.ids[0])->gone = true;
	keeper_known(&t.l->keeper, &t.ids[1])->closed = false;
	OK(index_get(t.l->index, &t.ids[2], &row));
	row.expires_s = 5;
	row.flags = ROW_RESTRICTED;
	OK(index_begin(t.l->index));
	OK(index_put(t.l->index, &row));
	OK(index_commit(t.l->index));
	size_t closes = t.l->keeper.closes;
	OK(gone_reconcile(t.g));
	while (gone_dropped(t.g) < 1 || t.l->keeper.closes == closes || t.l->keeper.reconciles < 1)
		lane_turn(t.l);
	assert_int_equal(index_get(t.l->index, &t.ids[0], &row), VAULT_E_NOTFOUND);
	assert_int_equal(frames_of(t.l, &t.ids[0]), 0);
	const struct known *k = keeper_known(&t.l->keeper, &t.ids[1]);
	assert_true(k->closed && k->close.flags == 0 && k->close.bytes == t.len);
	OK(index_get(t.l->index, &t.ids[2], &row));
	assert_true(row.expires_s > 5 && row.flags == 0);
	assert_int_equal(t.l->keeper.released, 0);   /* no batch of the keeper's */
	end(&t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lane_setup, lane_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(shredded_recordings_give_their_space_back_R5),
		T(a_shredded_recording_is_hidden_at_once_R5),
		T(a_live_recording_is_ended_and_forgotten),
		T(changes_reach_rows_and_notes),
		T(reconcile_follows_the_keeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
