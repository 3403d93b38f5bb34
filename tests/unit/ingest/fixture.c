#include "ingest/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"

#define TENANT "demo"

/* ---- the played keeper ---- */

struct known *keeper_known(struct keeper *k, const vault_id *id)
{
	for (size_t i = 0; i < k->n_known; i++) {
		if (vault_id_equal(&k->known[i].id, id))
			return &k->known[i];
	}
	return NULL;
}

static void answer(struct keeper *k, const uint8_t *packet, size_t n)
{
	assert_true(n > 0);
	OK(ipc_send(k->fd, packet, n, NULL));
}

static void on_admit(struct keeper *k, const struct ipc_packet *p)
{
	static uint8_t out[IPC_MAX];
	struct ipc_admit m;
	struct ipc_admitted a = { .source = 7, .media = k->subscribed };

	OK(ipc_admit_decode(&m, p));
	k->admits++;
	if ((m.media & ~k->subscribed) != 0 || k->subscribed == 0)
		a = (struct ipc_admitted){ .refusal = VAULT_REFUSAL_not_subscribed };
	answer(k, out, ipc_admitted_encode(out, p->tag, &a));
}

static void on_open(struct keeper *k, const struct ipc_packet *p)
{
	static uint8_t out[IPC_MAX];
	static struct ipc_open m;
	static struct ipc_opened o;

	OK(ipc_open_decode(&m, p));
	memset(&o, 0, sizeof o);
	k->opens++;
	for (size_t i = 0; i < k->n_known && m.name[0] != '\0'; i++) {
		if (strcmp(k->known[i].name, m.name) != 0)
			continue;
		o.existing = 1;
		o.ended = k->known[i].closed;
		o.id = k->known[i].id;
		o.source = 7;
		answer(k, out, ipc_opened_encode(out, p->tag, &o));
		return;
	}
	if ((m.media & ~k->subscribed) != 0) {
		o.refusal = VAULT_REFUSAL_not_subscribed;
		answer(k, out, ipc_opened_encode(out, p->tag, &o));
		return;
	}
	assert_true(k->n_known < RECORDINGS_MAX);
	struct known *r = &k->known[k->n_known++];
	memset(r, 0, sizeof *r);
	r->id = vault_id_new(clock_wall_ms());
	r->media = m.media;
	memcpy(r->tenant, m.tenant, sizeof r->tenant);
	memcpy(r->name, m.name, sizeof r->name);
	memcpy(r->meta, m.meta, m.meta_len);
	memcpy(r->caller, m.caller, sizeof r->caller);
	randombytes_buf(r->key, sizeof r->key);
	o.id = r->id;
	o.source = 7;
	o.policy = 3;
	o.start_ms = vault_id_time_ms(&r->id);
	o.expires_s = o.start_ms / 1000 + 86400;
	o.until_ms = k->until_ms;
	o.sealed_len = (uint16_t)(m.meta_len + METADATA_OVERHEAD);
	OK(metadata_seal(o.sealed, m.meta, m.meta_len, r->key, r->tenant, &r->id));
	answer(k, out, ipc_opened_encode(out, p->tag, &o));
}

static void on_segment(struct keeper *k, const struct ipc_packet *p)
{
	static uint8_t out[IPC_MAX];
	struct ipc_segment m;
	struct ipc_grant g = { .refusal = k->refuse_grants };

	OK(ipc_segment_decode(&m, p));
	k->segments++;
	struct known *r = keeper_known(k, &m.id);
	assert_non_null(r);
	assert_false(r->closed);
	if (g.refusal == 0) {
		g.id = m.id;
		g.segment = r->segments++;
		g.start_us = m.start_us;
		randombytes_buf(g.salt, sizeof g.salt);
		OK(kdf_segment(&g.key, r->key, g.salt, r->tenant, &m.id, g.segment, g.start_us));
	}
	answer(k, out, ipc_grant_encode(out, p->tag, &g));
}

static void on_close(struct keeper *k, const struct ipc_packet *p)
{
	static uint8_t out[IPC_MAX];
	struct ipc_closed c = { 0 };
	struct ipc_close m;

	OK(ipc_close_decode(&m, p));
	k->closes++;
	struct known *r = keeper_known(k, &m.id);
	assert_non_null(r);
	assert_false(r->closed);
	if ((m.flags & CLOSE_VOID) != 0) {
		assert_true(m.bytes == 0 && m.segments == 0);
		r->gone = true;
	}
	r->closed = true;
	r->close = m;
	c.expires_s = k->closed_expires_s != 0 ? k->closed_expires_s : vault_id_time_ms(&m.id) / 1000 + 86400;
	answer(k, out, ipc_closed_encode(out, p->tag, &c));
}

static void on_reconcile(struct keeper *k, const struct ipc_packet *p)
{
	static uint8_t out[IPC_MAX];
	static struct ipc_reconciled_row rows[RECONCILE_MAX];
	const uint8_t *ids;
	uint32_t n;

	OK(ipc_reconcile_decode(p, &ids, &n));
	k->reconciles++;
	for (uint32_t i = 0; i < n; i++) {
		vault_id id;
		memcpy(id.b, ids + (size_t)i * VAULT_ID_BYTES, VAULT_ID_BYTES);
		const struct known *r = keeper_known(k, &id);
		rows[i] = (struct ipc_reconciled_row){ 0 };
		if (r == NULL || r->gone)
			continue;
		rows[i].known = 1;
		rows[i].ended = r->closed;
		rows[i].expires_s = vault_id_time_ms(&id) / 1000 + 86400;
	}
	answer(k, out, ipc_reconciled_encode(out, p->tag, rows, n));
}

static void on_question(struct keeper *k, const uint8_t *packet, size_t n)
{
	struct ipc_packet p;
	struct ipc_note note;

	OK(ipc_parse(&p, packet, n, LINK_FRONT, TO_KEEPER));
	switch (p.type) {
	case IPC_ADMIT:
		on_admit(k, &p);
		break;
	case IPC_OPEN:
		on_open(k, &p);
		break;
	case IPC_SEGMENT:
		if (k->hold_grants) {
			assert_int_equal(k->held_len, 0);
			memcpy(k->held, packet, n);
			k->held_len = n;
		} else {
			on_segment(k, &p);
		}
		break;
	case IPC_CLOSE:
		on_close(k, &p);
		break;
	case IPC_RECONCILE:
		on_reconcile(k, &p);
		break;
	case IPC_NOTE:
		OK(ipc_note_decode(&note, &p));
		assert_int_equal(note.count, 1);
		k->notes++;
		k->last_note = note.refusal;
		break;
	case IPC_RELEASED:
		k->released++;
		break;
	case IPC_JOB_FAILED:
		k->job_failed++;
		break;
	default:
		fail_msg("the keeper was sent type %u", (unsigned)p.type);
	}
}

static void on_keeper(uv_poll_t *poll, int status, int events)
{
	static uint8_t packet[IPC_MAX];
	struct keeper *k = poll->data;
	size_t n;

	assert_int_equal(status, 0);
	(void)events;
	while (ipc_recv(k->fd, packet, &n, NULL) == VAULT_OK)
		on_question(k, packet, n);
}

void keeper_release(struct lane *l)
{
	struct keeper *k = &l->keeper;

	k->hold_grants = false;
	if (k->held_len > 0)
		on_question(k, k->held, k->held_len);
	k->held_len = 0;
}

void keeper_push(struct lane *l, const uint8_t *packet, size_t n)
{
	answer(&l->keeper, packet, n);
}

void keeper_stop(struct lane *l, const vault_id *id, unsigned refusal, uint64_t at_ms)
{
	static uint8_t out[IPC_MAX];
	struct ipc_stop m = { .id = *id, .refusal = refusal, .at_ms = at_ms };

	answer(&l->keeper, out, ipc_stop_encode(out, 0, &m));
}

/* ---- the lane ---- */

static void on_push(void *arg, const struct ipc_packet *p)
{
	struct lane *l = arg;
	struct ipc_stop stop;

	if (p == NULL) {
		l->link_gone = true;
		return;
	}
	if (p->type == IPC_STOP) {
		OK(ipc_stop_decode(&stop, p));
		ingest_stop(l->ingest, &stop);
	} else {
		assert_non_null(l->push);
		l->push(l->push_arg, p);
	}
}

static void open_lane(struct lane *l)
{
	uint64_t low_volume, low_offset, next;
	struct store_options so = { .media_fd = l->media_fd, .vault = l->vault, .volume_size = VOLUME_SIZE_DEFAULT,
		.commit_ms = 2, .commit_bytes = 256 * 1024 };

	OK(index_open(&l->index, l->index_fd, &l->vault));
	OK(index_recover(l->index, l->volumes, NULL, NULL));
	OK(index_low_water(l->index, 0, &low_volume, &low_offset));
	OK(volume_set_next(l->volumes, 0, low_volume, &next));
	OK(store_lane_new(&l->store, &l->loop, &so, next));
	l->o.loop = &l->loop;
	l->o.keeper = l->link;
	l->o.store = l->store;
	l->o.index = l->index;
	OK(ingest_new(&l->ingest, &l->o));
}

int lane_setup(void **state)
{
	struct lane *l = calloc(1, sizeof *l);
	int pair[2];
	char path[96];

	OK(secret_setup());
	assert_non_null(l);
	(void)snprintf(l->dir, sizeof l->dir, "/tmp/vault-ingest-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	(void)snprintf(path, sizeof path, "%s/media", l->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	l->media_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(path, sizeof path, "%s/index", l->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	l->index_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(l->media_fd >= 0 && l->index_fd >= 0);
	l->vault = vault_id_new(clock_wall_ms());
	assert_int_equal(uv_loop_init(&l->loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	l->keeper.fd = pair[1];
	l->keeper.subscribed = MEDIUM_VOICE | MEDIUM_VIDEO;
	assert_int_equal(uv_poll_init(&l->loop, &l->keeper.poll, pair[1]), 0);
	l->keeper.poll.data = &l->keeper;
	assert_int_equal(uv_poll_start(&l->keeper.poll, UV_READABLE, on_keeper), 0);
	OK(keeper_link_new(&l->link, &l->loop, pair[0], on_push, l));
	OK(volume_set_open(&l->volumes, l->media_fd, &l->vault));
	l->o = (struct ingest_options){ .chunk_voice = 4096, .chunk_bulk = 16384, .chunk_age_ms = 1000,
		.segment_bytes = 16 * 1024 * 1024, .segment_us = 300000000, .stream_window = 256 * 1024,
		.lane_window = 4 * 1024 * 1024, .max_streams = 400 };
	open_lane(l);
	*state = l;
	return 0;
}

void lane_turn(struct lane *l)
{
	(void)uv_run(&l->loop, UV_RUN_ONCE);
}

void lane_run_until(struct lane *l, const bool *flag)
{
	while (!*flag)
		lane_turn(l);
}

static void close_lane(struct lane *l)
{
	ingest_free(l->ingest);
	l->ingest = NULL;
	store_lane_close(l->store);
	l->store = NULL;
	for (int i = 0; i < 20; i++)
		(void)uv_run(&l->loop, UV_RUN_NOWAIT);
	index_close(l->index);
	l->index = NULL;
}

void lane_restart(struct lane *l)
{
	close_lane(l);
	open_lane(l);
}

void lane_crash(struct lane *l)
{
	close_lane(l);
	open_lane(l);
}

static int remove_one(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	(void)sb;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void on_walk(uv_handle_t *h, void *arg)
{
	(void)arg;
	if (!uv_is_closing(h))
		fail_msg("a handle of type %d was left open", (int)h->type);
}

int lane_teardown(void **state)
{
	struct lane *l = *state;

	close_lane(l);
	volume_set_close(l->volumes);
	keeper_link_close(l->link);
	uv_close((uv_handle_t *)&l->keeper.poll, NULL);
	uv_walk(&l->loop, on_walk, NULL);
	(void)uv_run(&l->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&l->loop), 0);
	(void)close(l->keeper.fd);
	(void)close(l->media_fd);
	(void)close(l->index_fd);
	(void)nftw(l->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(l);
	return 0;
}

/* ---- uploads ---- */

static void up_open(void *arg, const vault_id *id)
{
	struct upload *u = arg;

	assert_false(u->opened || u->over);
	u->opened = true;
	u->id = *id;
}

static void up_credit(void *arg)
{
	struct upload *u = arg;

	assert_false(u->over);
	u->credit = true;
	u->credits++;
}

static void up_durable(void *arg, uint64_t bytes, uint64_t media_us)
{
	struct upload *u = arg;

	(void)media_us;
	assert_true(bytes > u->durable && bytes <= u->at);
	u->durable = bytes;
}

static void up_ended(void *arg, const struct ingest_result *r)
{
	struct upload *u = arg;

	assert_false(u->over);
	u->over = true;
	u->result = *r;
	u->st = NULL;
}

static void up_failed(void *arg, unsigned refusal, const vault_id *id, uint64_t durable)
{
	struct upload *u = arg;

	assert_false(u->over);
	u->over = u->failed = true;
	u->refusal = refusal;
	u->result.id = *id;
	u->failed_bytes = durable;
	u->st = NULL;
}

void upload_open(struct upload *u, struct lane *l, const char *name, uint8_t declared_container, uint8_t declared_media)
{
	static const struct ingest_callbacks cb = { .on_open = up_open, .on_credit = up_credit, .on_durable = up_durable,
		.on_ended = up_ended, .on_failed = up_failed };
	struct ingest_start start = { .tenant = TENANT, .cred = { .kind = CRED_SECRET, .len = 4, .data = "abcd" },
		.allowed_media = l->keeper.subscribed, .declared_container = declared_container,
		.declared_media = declared_media };

	if (name != NULL)
		(void)snprintf(start.name, sizeof start.name, "%s", name);
	u->l = l;
	OK(ingest_open(l->ingest, &start, &cb, u, &u->st));
}

bool upload_send(struct upload *u, size_t n, size_t slice)
{
	size_t stop = u->at + n < u->len ? u->at + n : u->len;

	while (u->at < stop) {
		if (u->over)
			return false;
		size_t k = ingest_credit(u->st);
		if (k == 0) {
			u->credit = false;
			while (!u->credit && !u->over)
				lane_turn(u->l);
			continue;
		}
		k = k < slice ? k : slice;
		k = k < stop - u->at ? k : stop - u->at;
		u->at += k;
		vault_err err = ingest_write(u->st, 0, 0, u->data + u->at - k, k);
		if (err == VAULT_E_STATE)
			return false;
		OK(err);
	}
	return true;
}

void upload_all(struct upload *u, size_t slice)
{
	assert_true(upload_send(u, u->len, slice));
	upload_end(u);
}

void upload_end(struct upload *u)
{
	ingest_end(u->st);
	assert_false(u->over);               /* never from inside a call */
	lane_run_until(u->l, &u->over);
}

/* ---- data ---- */

uint8_t *sample(const char *file, size_t *n)
{
	char path[512];
	struct stat sb;

	(void)snprintf(path, sizeof path, "%s/%s", TEST_DATA_DIR, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &sb), 0);
	uint8_t *data = malloc((size_t)sb.st_size);
	assert_non_null(data);
	assert_int_equal(read(fd, data, (size_t)sb.st_size), sb.st_size);
	(void)close(fd);
	*n = (size_t)sb.st_size;
	return data;
}

uint8_t *make_wav(size_t samples, size_t *n)
{
	static const uint8_t head[44] = { 'R', 'I', 'F', 'F', 0xff, 0xff, 0xff, 0xff, 'W', 'A', 'V', 'E', 'f', 'm', 't', ' ',
		16, 0, 0, 0, 1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x80, 0x3e, 0, 0, 2, 0, 16, 0, 'd', 'a', 't', 'a', 0xff, 0xff,
		0xff, 0xff };
	uint64_t seed = 1;

	*n = sizeof head + samples * 2;
	uint8_t *data = malloc(*n);
	assert_non_null(data);
	memcpy(data, head, sizeof head);
	for (size_t i = sizeof head; i < *n; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		data[i] = (uint8_t)(seed >> 33);
	}
	return data;
}
