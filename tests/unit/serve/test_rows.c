/*
 * test_rows.c - rows as JSON, commands that the front completes, status, the
 * public files of the audit log, the scrub.
 */
#include "ingest/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "front/serve/audit_files.h"
#include "front/serve/rows.h"
#include "front/serve/serve.h"
#include "front/serve/status.h"
#include "front/serve/verify.h"

static vault_id record(struct lane *l, size_t samples, bool end)
{
	static struct upload kept[8];        /* live ones outlive this call */
	static size_t n;
	struct upload *u = &kept[n++ % 8];

	memset(u, 0, sizeof *u);
	uint8_t *data = make_wav(samples, &u->len);
	u->data = data;
	upload_open(u, l, NULL, CONTAINER_WAV, MEDIUM_VOICE);
	assert_true(upload_send(u, u->len, 4000));
	if (end)
		upload_end(u);
	while (!end && u->durable == 0)
		lane_turn(l);
	free(data);
	return u->id;
}

static json_t *request(const char *text)
{
	json_t *o;

	OK(json_read(text, strlen(text), 4096, &o));
	return o;
}

static size_t list(struct lane *l, const char *text, uint64_t now_ms, json_t **out)
{
	const struct rows r = { .index = l->index, .ingest = l->ingest };
	json_t *q = request(text);

	OK(rows_list(&r, q, now_ms, out));
	json_decref(q);
	return json_array_size(json_object_get(*out, "recordings"));
}

static void list_gives_what_was_acknowledged(void **state)
{
	struct lane *l = *state;
	uint64_t now = clock_wall_ms();
	json_t *out;
	char text[256], id[VAULT_ID_TEXT];
	vault_id first = record(l, 8000, true);

	(void)record(l, 16000, true);
	(void)record(l, 12000, false);
	assert_int_equal(list(l, "{\"cmd\":\"list\",\"tenant\":\"demo\",\"limit\":100}", now, &out), 3);
	const json_t *row = json_array_get(json_object_get(out, "recordings"), 0);
	vault_id_format(&first, id);
	assert_string_equal(json_str(row, "id", NULL), id);
	assert_string_equal(json_str(row, "state", NULL), "ended");
	assert_string_equal(json_str(row, "container", NULL), "wav");
	assert_int_equal(json_integer_value(json_object_get(row, "duration_ms")), 1000);
	assert_int_equal(json_integer_value(json_object_get(row, "bytes")), 16044);
	assert_false(json_is_true(json_object_get(row, "held")));
	row = json_array_get(json_object_get(out, "recordings"), 2);
	assert_string_equal(json_str(row, "state", NULL), "live");
	assert_true(json_integer_value(json_object_get(row, "bytes")) > 0);
	json_decref(out);
	assert_int_equal(list(l, "{\"tenant\":\"other\"}", now, &out), 0);
	json_decref(out);
	assert_int_equal(list(l, "{\"tenant\":\"demo\",\"state\":\"live\"}", now, &out), 1);
	json_decref(out);
	assert_int_equal(list(l, "{\"tenant\":\"demo\",\"medium\":\"video\"}", now, &out), 0);
	json_decref(out);
	/* R5: from the second of expiry nothing is shown, sweep or not. */
	assert_int_equal(list(l, "{\"tenant\":\"demo\"}", now + 2 * 86400000ull, &out), 0);
	json_decref(out);
	assert_int_equal(list(l, "{\"tenant\":\"demo\",\"limit\":2}", now, &out), 2);
	(void)snprintf(text, sizeof text, "{\"tenant\":\"demo\",\"after\":\"%s\"}", json_str(out, "next", NULL));
	json_decref(out);
	assert_int_equal(list(l, text, now, &out), 1);
	assert_null(json_object_get(out, "next"));
	json_decref(out);
}

static void show_knows_only_its_tenant(void **state)
{
	struct lane *l = *state;
	const struct rows r = { .index = l->index, .ingest = l->ingest };
	char id[VAULT_ID_TEXT], text[256];
	vault_id rid = record(l, 8000, true);
	json_t *q, *out;

	vault_id_format(&rid, id);
	(void)snprintf(text, sizeof text, "{\"id\":\"%s\",\"tenant\":\"demo\"}", id);
	q = request(text);
	OK(rows_show(&r, q, clock_wall_ms(), &out));
	assert_string_equal(json_str(out, "id", NULL), id);
	json_decref(out);
	assert_int_equal(rows_show(&r, q, clock_wall_ms() + 86400000ull * 2, &out), VAULT_E_NOTFOUND);
	json_decref(q);
	(void)snprintf(text, sizeof text, "{\"id\":\"%s\",\"tenant\":\"other\"}", id);
	q = request(text);
	assert_int_equal(rows_show(&r, q, clock_wall_ms(), &out), VAULT_E_NOTFOUND);
	json_decref(q);
}

static void numbers(void *arg, struct status_numbers *n)
{
	(void)arg;
	n->streams = 3;
	n->ready = true;
}

struct answer {
	bool came;
	unsigned refusal;
	json_t *json;
};

static void on_answer(void *arg, unsigned refusal, const char *json, size_t len)
{
	struct answer *a = arg;

	assert_false(a->came);
	a->came = true;
	a->refusal = refusal;
	if (json != NULL)
		OK(json_read(json, len, 65536, &a->json));
}

static struct answer ask(struct lane *l, struct serve *s, const char *text)
{
	struct answer a = { 0 };
	struct serve_call *call;

	serve_command(s, text, strlen(text), on_answer, &a, &call);
	lane_run_until(l, &a.came);
	return a;
}

static void commands_are_completed(void **state)
{
	struct lane *l = *state;
	const struct serve_options o = { .loop = &l->loop, .rows = { .index = l->index, .ingest = l->ingest },
		.volumes = l->volumes, .numbers = numbers };
	struct serve *s;
	struct answer a;

	(void)record(l, 30000, true);
	OK(serve_new(&s, &o));
	a = ask(l, s, "{\"cmd\":\"list\",\"tenant\":\"demo\",\"limit\":10}");
	assert_int_equal(a.refusal, 0);
	json_decref(a.json);
	a = ask(l, s, "{\"cmd\":\"show\",\"id\":\"0198c0de-0000-7000-8000-0000000000aa\",\"tenant\":\"demo\"}");
	assert_int_equal(a.refusal, VAULT_REFUSAL_not_found);
	a = ask(l, s, "{\"cmd\":\"status\",\"status\":{\"version\":\"1\"}}");
	assert_string_equal(json_str(a.json, "version", NULL), "1");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(a.json, "front"), "streams")), 3);
	json_decref(a.json);
	a = ask(l, s, "{\"cmd\":\"verify\"}");
	assert_int_equal(a.refusal, 0);
	assert_int_equal(json_integer_value(json_object_get(a.json, "volumes")), 1);
	assert_int_equal(json_integer_value(json_object_get(a.json, "damaged")), 0);
	assert_true(json_integer_value(json_object_get(a.json, "frames")) > 4);
	json_decref(a.json);
	a = ask(l, s, "{\"cmd\":\"launch\"}");
	assert_int_equal(a.refusal, VAULT_REFUSAL_internal);
	a = ask(l, s, "[");
	assert_int_equal(a.refusal, VAULT_REFUSAL_internal);
	/* Cancelled: nothing is called back. */
	struct answer none = { 0 };
	struct serve_call *call;
	serve_command(s, "{\"cmd\":\"verify\"}", 16, on_answer, &none, &call);
	assert_non_null(call);
	serve_close(s);
	for (int i = 0; i < 50; i++) {
		(void)uv_run(&l->loop, UV_RUN_NOWAIT);
		(void)usleep(2000);
	}
	assert_false(none.came);
}

static void flip(struct lane *l, uint64_t offset)
{
	uint8_t b;
	int fd = openat(l->media_fd, "lane0-1.vol", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &b, 1, (off_t)offset), 1);
	b ^= 1;
	assert_int_equal(pwrite(fd, &b, 1, (off_t)offset), 1);
	(void)close(fd);
}

static void the_scrub_counts_every_damaged_place(void **state)
{
	struct lane *l = *state;
	struct verify_result r;
	struct index_row row;
	int stop = 0;
	vault_id a = record(l, 30000, true), b = record(l, 30000, true);

	(void)record(l, 30000, true);
	OK(verify_run(l->volumes, &stop, &r));
	assert_int_equal(r.damaged, 0);
	uint64_t whole = r.frames;
	OK(ingest_index_flush(l->ingest, NULL));
	OK(index_get(l->index, &a, &row));
	flip(l, row.open.offset + 70);
	OK(index_get(l->index, &b, &row));
	flip(l, row.open.offset + 70);
	OK(verify_run(l->volumes, &stop, &r));
	assert_int_equal(r.damaged, 2);
	assert_int_equal(r.frames, whole - 2);
	stop = 1;
	OK(verify_run(l->volumes, &stop, &r));
	assert_int_equal(r.frames, 0);
}

static void metrics_are_text(void **state)
{
	struct status_numbers n = { .streams = 12, .full = true };
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	OK(status_metrics(&n, &b));
	OK(buf_append(&b, "", 1));
	assert_non_null(strstr((const char *)b.data, "\nvault_streams 12\n"));
	assert_non_null(strstr((const char *)b.data, "\nvault_disk_full 1\n"));
	buf_free(&b);
}

static void put_file(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

/* The public part only, one spelling each, nothing else of the file system. */
static void audit_files_are_public_ones_only(void **state)
{
	static const char *const none[] = { "", "journal", "tile/entries/000", "tile/0/../journal", "tile/0/000/", "../secret",
		"tile/0/0", "tile/0/001", "tile/00/000", "tile/0/x000/000", "tile/0/000.p/0", "tile/0/000.p/256",
		"tile/0/000.p/05", "/etc/passwd", "tile/-1/000", "checkpoint/", "tile/0/x001", "tile/11/000", "tile/0/+00" };
	struct lane *l = *state;
	uint8_t out[AUDIT_FILE_MAX];
	char dir[160];
	size_t n;
	bool immutable;

	(void)snprintf(dir, sizeof dir, "%s/audit", l->dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(fd, "tile", 0700), 0);
	assert_int_equal(mkdirat(fd, "tile/0", 0700), 0);
	assert_int_equal(mkdirat(fd, "tile/entries", 0700), 0);
	assert_int_equal(mkdirat(fd, "tile/0/000.p", 0700), 0);
	put_file(fd, "checkpoint", "note");
	put_file(fd, "journal", "entries");
	put_file(fd, "tile/0/000", "hashes");
	put_file(fd, "tile/0/000.p/5", "some");
	put_file(fd, "tile/entries/000", "entries");
	OK(audit_file_read(fd, "checkpoint", 10, out, &n, &immutable));
	assert_true(n == 4 && !immutable);
	OK(audit_file_read(fd, "tile/0/000", 10, out, &n, &immutable));
	assert_true(n == 6 && immutable);
	OK(audit_file_read(fd, "tile/0/000.p/5", 14, out, &n, &immutable));
	assert_true(n == 4 && !immutable);
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_int_equal(audit_file_read(fd, none[i], strlen(none[i]), out, &n, &immutable), VAULT_E_NOTFOUND);
	assert_int_equal(audit_file_read(fd, "tile/0/000\0x", 12, out, &n, &immutable), VAULT_E_NOTFOUND);
	(void)close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lane_setup, lane_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(list_gives_what_was_acknowledged),
		T(show_knows_only_its_tenant),
		T(commands_are_completed),
		T(the_scrub_counts_every_damaged_place),
		T(metrics_are_text),
		T(audit_files_are_public_ones_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
