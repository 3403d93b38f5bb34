/*
 * make_volume.c - writes a volume through the store and says what is in it.
 *
 *   make_volume DIR     DIR/lane0-1.vol, and on standard output JSON: keys and expectations
 *
 * Keys, ids, salts and media are fixed; only the volume's creation time and the
 * metadata's salt change.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/base64.h"
#include "base/secret.h"
#include "crypto/aead.h"
#include "front/index/index.h"
#include "front/store/store.h"

#define TENANT "demo"
#define VAULT_TEXT "0198c0de-0000-7000-8000-0000000000aa"
#define METADATA "{\"caller\":\"+31201234567\",\"direction\":\"inbound\"}"

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "make_volume: %s failed\n", what);
	exit(1);
}

#define MUST(expression) must((expression) == VAULT_OK, #expression)

struct recording {
	vault_id id;
	uint8_t key[KEY_BYTES];
	struct store_lane *lane;
	struct store_stream *st;
	uint32_t segment;
	EVP_MD_CTX *sha;             /* of the media given, not the store's own */
	uint64_t bytes;
	struct extent open, end;
	struct manifest manifest;
	size_t pending;
};

static void on_done(void *arg, const struct store_done *d)
{
	struct recording *r = arg;

	MUST(d->err);
	r->pending--;
	if (d->op == STORE_OPEN)
		r->open = d->where;
	r->end = d->where;
	if (d->op == STORE_RECORDING_END)
		r->manifest = *d->manifest;
}

static void begin(struct recording *r, struct store_lane *lane, const char *id, uint8_t number)
{
	struct index_row row = { .tenant = TENANT, .media = 1, .container = 2, .n_tracks = 1,
		.track[0] = { .medium = 1, .codec = 1, .channels = 1, .rate = 8000 }, .source = 1, .policy = 1,
		.start_ms = 1764000000000, .expires_s = 1771776000 };
	uint8_t sealed[sizeof METADATA - 1 + METADATA_OVERHEAD];
	char *clear;
	size_t len;

	memset(r, 0, sizeof *r);
	MUST(vault_id_parse(id, strlen(id), &r->id));
	for (size_t i = 0; i < KEY_BYTES; i++)
		r->key[i] = (uint8_t)(number * 32 + i);
	r->lane = lane;
	r->sha = EVP_MD_CTX_new();
	must(r->sha != NULL && EVP_DigestInit_ex(r->sha, EVP_sha256(), NULL) == 1, "sha256");
	MUST(index_row_to_clear(&row, &clear, &len));
	MUST(metadata_seal(sealed, METADATA, sizeof METADATA - 1, r->key, TENANT, &r->id));
	MUST(store_stream_new(&r->st, lane, &r->id, on_done, r));
	MUST(store_open(r->st, clear, len, sealed, sizeof sealed));
	r->pending++;
	free(clear);
}

static void segment(struct recording *r, uint64_t start_us)
{
	uint8_t salt[SEGMENT_SALT_BYTES];
	struct segment_key key;

	memset(salt, (int)(0x50 + r->segment), sizeof salt);
	MUST(kdf_segment(&key, r->key, salt, TENANT, &r->id, r->segment, start_us));
	MUST(store_segment_open(r->st, r->segment, start_us, salt, &key));
	r->segment++;
	r->pending++;
	secret_wipe(&key, sizeof key);
}

static void chunk(struct recording *r, uint64_t media_us, size_t n)
{
	uint8_t *data = store_buffer(r->lane, n);

	must(data != NULL, "store_buffer");
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(r->bytes + i * 7);
	must(EVP_DigestUpdate(r->sha, data, n) == 1, "sha256");
	r->bytes += n;
	MUST(store_chunk(r->st, 0, media_us, data, n));
	r->pending++;
}

static json_t *hex(const void *p, size_t n)
{
	char text[65];

	hex_encode(p, n, text);
	return json_string(text);
}

static json_t *describe(struct recording *r, bool sealed_end)
{
	uint8_t sha[32];
	char id[VAULT_ID_TEXT];
	json_t *o = json_object();

	vault_id_format(&r->id, id);
	must(EVP_DigestFinal_ex(r->sha, sha, NULL) == 1, "sha256");
	EVP_MD_CTX_free(r->sha);
	int bad = json_object_set_new(o, "id", json_string(id));
	bad |= json_object_set_new(o, "key", hex(r->key, KEY_BYTES));
	bad |= json_object_set_new(o, "metadata", json_string(METADATA));
	bad |= json_object_set_new(o, "bytes", json_integer((json_int_t)r->bytes));
	bad |= json_object_set_new(o, "sha256", hex(sha, sizeof sha));
	bad |= json_object_set_new(o, "segments", json_integer(r->segment));
	bad |= json_object_set_new(o, "duration_us", json_integer((json_int_t)r->manifest.duration_us));
	bad |= json_object_set_new(o, "gap_us", json_integer((json_int_t)r->manifest.gap_us));
	bad |= json_object_set_new(o, "truncated", json_boolean(r->manifest.flags & MANIFEST_TRUNCATED));
	bad |= json_object_set_new(o, "sealed_end", json_boolean(sealed_end));
	must(bad == 0, "json");
	return o;
}

static void settle(uv_loop_t *loop, struct recording *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		while (r[i].pending > 0)
			(void)uv_run(loop, UV_RUN_ONCE);
	}
}

static void write_all(uv_loop_t *loop, struct store_lane *lane, struct recording r[4])
{
	begin(&r[0], lane, "0198c0de-0001-7000-8000-000000000001", 1);
	begin(&r[1], lane, "0198c0de-0002-7000-8000-000000000002", 2);
	begin(&r[2], lane, "0198c0de-0003-7000-8000-000000000003", 3);
	begin(&r[3], lane, "0198c0de-0004-7000-8000-000000000004", 4);
	for (int i = 0; i < 4; i++)
		segment(&r[i], 0);
	chunk(&r[0], 0, 1);
	chunk(&r[1], 0, 1600);
	chunk(&r[0], 20000, 1599);
	chunk(&r[2], 0, 500);
	MUST(store_gap(r[0].st, 220000, 720000, 1));
	r[0].pending++;
	settle(loop, r, 4);                  /* a batch ends here */
	MUST(store_segment_end(r[0].st, 720000));
	r[0].pending++;
	segment(&r[0], 720000);
	chunk(&r[0], 720000, 3000);
	chunk(&r[1], 100000, 64);
	MUST(store_segment_end(r[0].st, 907500));
	MUST(store_recording_end(r[0].st, false, 907500));
	r[0].pending += 2;
	MUST(store_segment_end(r[1].st, 104000));
	MUST(store_recording_end(r[1].st, true, 104000));
	r[1].pending += 2;
	chunk(&r[3], 0, 5000);
	settle(loop, r, 4);
}

int main(int argc, char **argv)
{
	struct recording r[4];
	struct store_lane *lane;
	struct volume_set *v;
	vault_id vault;
	uv_loop_t loop;
	uint64_t freed;

	must(argc == 2, "usage: make_volume DIR");
	MUST(secret_setup());
	MUST(vault_id_parse(VAULT_TEXT, strlen(VAULT_TEXT), &vault));
	int dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(dir >= 0, "open");
	must(uv_loop_init(&loop) == 0, "uv_loop_init");
	struct store_options o = { .media_fd = dir, .vault = vault, .volume_size = VOLUME_SIZE_DEFAULT, .commit_ms = 100,
		.commit_bytes = 65536 };
	MUST(store_lane_new(&lane, &loop, &o, 1));
	write_all(&loop, lane, r);
	store_lane_close(lane);
	for (int i = 0; i < 4; i++)
		store_stream_free(r[i].st);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&loop) == 0, "uv_loop_close");

	/* The fourth is forgotten: its open frame and its last chunk become free. */
	MUST(volume_set_open(&v, dir, &vault));
	struct extent gone[] = { r[3].open, r[3].end };
	MUST(volume_set_release(v, 0, gone, 2, &freed));
	volume_set_close(v);
	EVP_MD_CTX_free(r[3].sha);

	json_t *all = json_object(), *list = json_array();
	int bad = json_array_append_new(list, describe(&r[0], true));
	bad |= json_array_append_new(list, describe(&r[1], true));
	bad |= json_array_append_new(list, describe(&r[2], false));
	bad |= json_object_set_new(all, "vault", json_string(VAULT_TEXT));
	bad |= json_object_set_new(all, "free_bytes", json_integer((json_int_t)freed));
	bad |= json_object_set_new(all, "recordings", list);
	must(bad == 0 && json_dumpf(all, stdout, JSON_INDENT(1) | JSON_SORT_KEYS) == 0, "json");
	(void)puts("");
	json_decref(all);
	must(close(dir) == 0, "close");
	return 0;
}
