#include "store/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/secret.h"
#include "front/index/db.h"
#include "front/store/volume_file.h"

#define TENANT "demo"
#define GAP_US 500u

uint64_t fixture_random(struct fixture *f, uint64_t below)
{
	f->seed = f->seed * 6364136223846793005u + 1442695040888963407u;
	return (f->seed >> 33) % below;
}

void fixture_open_lane(struct fixture *f, uint64_t next_volume)
{
	OK(store_lane_new(&f->lane, &f->loop, &f->o, next_volume));
}

int fixture_setup(void **state)
{
	OK(secret_setup());
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/vault-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	f->vault = vault_id_new(clock_wall_ms());
	f->seed = 42;
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->o = (struct store_options){ .media_fd = f->fd, .lane = 0, .vault = f->vault, .volume_size = VOLUME_SIZE_DEFAULT,
		.commit_ms = 2, .commit_bytes = 64 * 1024 };
	fixture_open_lane(f, 1);
	*state = f;
	return 0;
}

void rows_equal(const struct index_row *a, const struct index_row *b)
{
	uint8_t x[ROW_BYTES_MAX], y[ROW_BYTES_MAX];
	size_t n, m;

	assert_true(vault_id_equal(&a->id, &b->id));
	OK(row_encode(a, x, &n));
	OK(row_encode(b, y, &m));
	assert_int_equal(n, m);
	assert_memory_equal(x, y, n);
}

void remove_tree(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	(void)rmdir(dir);
}

void fixture_settle(struct fixture *f)
{
	while (f->pending > 0)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
}

void fixture_close_lane(struct fixture *f)
{
	if (f->lane == NULL)
		return;
	store_lane_close(f->lane);
	f->lane = NULL;
	for (size_t i = 0; i < f->n_rec; i++) {
		store_stream_free(f->rec[i]->st);
		f->rec[i]->st = NULL;
	}
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	fixture_close_lane(f);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	for (size_t i = 0; i < f->n_rec; i++) {
		for (size_t k = 0; k < f->rec[i]->n_segments; k++)
			index_segment_free(&f->rec[i]->segments[k]);
		free(f->rec[i]->given);
		free(f->rec[i]);
	}
	free(f->log);
	close(f->fd);
	remove_tree(f->dir);
	free(f);
	return 0;
}

/* ---- what an index writer does with completions ---- */

static void keep(struct rec *r, const struct store_done *d)
{
	struct index_segment *s;

	if (d->op == STORE_OPEN) {
		r->row.open = d->where;
		return;
	}
	if (d->op == STORE_SEGMENT_OPEN || r->n_segments == 0) {
		assert_true(r->n_segments < SEGMENTS_MAX);
		r->segments[r->n_segments++] = (struct index_segment){ .segment = d->segment, .start_us = d->media_us,
			.stream_offset = d->bytes };
	}
	s = &r->segments[r->n_segments - 1];
	OK(index_segment_add(s, &d->where));
	if (d->op == STORE_SEGMENT_OPEN)
		r->row.segments = d->segment + 1;
	r->row.bytes = d->bytes;
	if (d->op == STORE_GAP)
		r->row.gap_us += GAP_US;
	else if (d->media_us > r->row.duration_us)
		r->row.duration_us = d->media_us;
	if (d->op == STORE_RECORDING_END) {
		r->row.state = (d->manifest->flags & MANIFEST_TRUNCATED) != 0 ? ROW_TRUNCATED : ROW_ENDED;
		r->row.duration_us = d->manifest->duration_us;
		r->row.gap_us = d->manifest->gap_us;
	}
}

static void on_done(void *arg, const struct store_done *d)
{
	struct rec *r = arg;
	struct fixture *f = r->f;

	f->pending--;
	if (d->err != VAULT_OK) {
		r->errors++;
		r->last_err = d->err;
		return;
	}
	r->oks++;
	assert_true(d->bytes >= r->acked);
	r->acked = d->bytes;
	r->open_done |= d->op == STORE_OPEN;
	if (d->op == STORE_RECORDING_END) {
		r->end_done = true;
		r->manifest = *d->manifest;
	}
	keep(r, d);
	f->log = realloc(f->log, (f->n_log + 1) * sizeof *f->log);
	assert_non_null(f->log);
	if (f->n_log > 0)
		assert_true(d->where.volume > f->log[f->n_log - 1].volume ||
		    (d->where.volume == f->log[f->n_log - 1].volume && d->where.offset >= f->log[f->n_log - 1].end));
	f->log[f->n_log++] = (struct done_log){ r, d->op, d->where.volume, d->where.offset + d->where.length, d->bytes };
}

/* ---- recordings ---- */

struct rec *rec_open(struct fixture *f)
{
	static const uint8_t sealed[] = "sealed metadata";
	struct rec *r = calloc(1, sizeof *r);
	char *clear;
	size_t len;

	assert_non_null(r);
	assert_true(f->n_rec < RECS_MAX);
	f->rec[f->n_rec++] = r;
	r->f = f;
	r->id = vault_id_new(clock_wall_ms());
	randombytes_buf(r->key, sizeof r->key);
	r->row = (struct index_row){ .id = r->id, .tenant = TENANT, .media = 1, .container = 2, .n_tracks = 1,
		.track[0] = { .medium = 1, .codec = 3, .channels = 1, .rate = 8000 }, .lane = f->o.lane, .source = 7,
		.policy = 3, .start_ms = vault_id_time_ms(&r->id), .expires_s = 2000000000 };
	OK(index_row_to_clear(&r->row, &clear, &len));
	OK(store_stream_new(&r->st, f->lane, &r->id, on_done, r));
	OK(store_open(r->st, clear, len, sealed, sizeof sealed));
	free(clear);
	f->pending++;
	return r;
}

void rec_segment(struct rec *r)
{
	uint8_t salt[SEGMENT_SALT_BYTES];
	struct segment_key key;

	randombytes_buf(salt, sizeof salt);
	OK(kdf_segment(&key, r->key, salt, TENANT, &r->id, r->segment, r->n_given * 10));
	OK(store_segment_open(r->st, r->segment, r->n_given * 10, salt, &key));
	secret_wipe(&key, sizeof key);
	r->segment++;
	r->in_segment = true;
	r->f->pending++;
}

void rec_segment_end(struct rec *r)
{
	OK(store_segment_end(r->st, r->n_given * 10));
	r->in_segment = false;
	r->f->pending++;
}

void rec_chunk(struct rec *r, size_t n)
{
	uint8_t *data = store_buffer(r->f->lane, n);

	assert_non_null(data);
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)fixture_random(r->f, 256);
	r->given = realloc(r->given, r->n_given + n);
	assert_non_null(r->given);
	memcpy(r->given + r->n_given, data, n);
	r->n_given += n;
	OK(store_chunk(r->st, 0, (r->n_given - n) * 10, data, n));
	r->f->pending++;
}

void rec_end(struct rec *r, bool truncated)
{
	if (r->in_segment)
		rec_segment_end(r);
	OK(store_recording_end(r->st, truncated, r->n_given * 10));
	r->f->pending++;
}

void fixture_mix(struct fixture *f, size_t n, size_t steps, bool end)
{
	size_t first = f->n_rec;

	for (size_t i = 0; i < n; i++)
		(void)rec_open(f);
	for (size_t i = 0; i < steps; i++) {
		struct rec *r = f->rec[first + fixture_random(f, n)];
		uint64_t what = fixture_random(f, 20);
		if (!r->in_segment)
			rec_segment(r);
		if (what == 0) {
			rec_segment_end(r);
		} else if (what == 1) {
			OK(store_gap(r->st, r->n_given * 10, r->n_given * 10 + GAP_US, 1));
			f->pending++;
		} else {
			rec_chunk(r, 1 + (size_t)fixture_random(f, what == 2 ? 9000 : 600));
		}
		if (fixture_random(f, 8) == 0)
			fixture_settle(f);
	}
	for (size_t i = first; end && i < first + n; i++) {
		if (f->rec[i]->segment == 0)
			rec_segment(f->rec[i]);
		rec_end(f->rec[i], false);
	}
	fixture_settle(f);
}

/* ---- reading ---- */

struct opening {
	const struct rec *r;
	struct opened *out;
	struct segment_key key;
	bool have_key;
};

static void take_sealed(struct opening *o, const struct frame *f, const uint8_t *payload, enum aead_flag flag)
{
	uint8_t ad[FRAME_AD_BYTES];
	uint8_t *plain = malloc(f->length);

	assert_non_null(plain);
	frame_ad(f, ad);
	o->out->err = !o->have_key || f->length < AEAD_TAG_BYTES ? VAULT_E_STATE :
	    aead_open_chunk(plain, payload, f->length, ad, sizeof ad, f->chunk, flag, o->key.key);
	size_t n = f->length - AEAD_TAG_BYTES;
	if (o->out->err == VAULT_OK && flag == AEAD_CHUNK) {
		o->out->bytes = realloc(o->out->bytes, o->out->n + n);
		assert_non_null(o->out->bytes);
		memcpy(o->out->bytes + o->out->n, plain, n);
		o->out->n += n;
		o->out->chunks++;
	} else if (o->out->err == VAULT_OK && flag == AEAD_RECORDING_END) {
		o->out->sealed_end = true;
		o->out->err = manifest_decode(&o->out->manifest, plain, n);
	} else if (o->out->err == VAULT_OK) {
		struct segment_end end;
		o->out->err = segment_end_decode(&end, plain, n);
	}
	free(plain);
}

static void take_frame(struct opening *o, const struct frame *f, const uint8_t *payload)
{
	struct segment_open open;

	if (!vault_id_equal(&f->id, &o->r->id) || o->out->err != VAULT_OK)
		return;
	switch (f->type) {
	case FRAME_RECORDING_OPEN:
		o->out->has_open = true;
		break;
	case FRAME_SEGMENT_OPEN:
		OK(segment_open_decode(&open, payload, f->length));
		OK(kdf_segment(&o->key, o->r->key, open.salt, TENANT, &f->id, f->segment, open.start_us));
		assert_memory_equal(o->key.commit, open.commit, sizeof open.commit);
		o->have_key = true;
		o->out->segments++;
		break;
	case FRAME_CHUNK:
		take_sealed(o, f, payload, AEAD_CHUNK);
		break;
	case FRAME_SEGMENT_END:
		take_sealed(o, f, payload, AEAD_SEGMENT_END);
		break;
	case FRAME_RECORDING_END:
		o->out->ended = true;
		o->out->truncated = (f->flags & FRAME_FLAG_TRUNCATED) != 0;
		if (f->length > 0)
			take_sealed(o, f, payload, AEAD_RECORDING_END);
		break;
	default:
		break;
	}
}

void rec_read(const struct rec *r, int fd, struct opened *out)
{
	struct opening o = { .r = r, .out = out };
	struct volume_set *v;
	struct volume_ref *refs;
	size_t n;

	memset(out, 0, sizeof *out);
	OK(volume_set_open(&v, fd, &r->f->vault));
	OK(volume_set_list(v, &refs, &n));
	for (size_t i = 0; i < n; i++) {
		struct volume_scan *scan;
		struct frame f;
		uint64_t at;
		const uint8_t *payload;
		char name[VOLUME_NAME];
		volume_name(name, refs[i].lane, refs[i].number);
		int vfd = openat(fd, name, O_RDONLY | O_CLOEXEC);
		assert_true(vfd >= 0);
		OK(volume_scan_new(&scan, vfd, true));
		while (volume_scan_next(scan, &f, &at, &payload) == VAULT_OK)
			take_frame(&o, &f, payload);
		volume_scan_free(scan);
		close(vfd);
	}
	free(refs);
	volume_set_close(v);
	secret_wipe(&o, sizeof o);
}
