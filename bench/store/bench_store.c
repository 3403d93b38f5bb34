/*
 * bench_store.c - the write path without network: chunks -> SHA-256, AEAD, XXH3
 * -> batch -> pwrite -> fdatasync, beside its parts measured in the same run.
 *
 *   bench-store [DIRECTORY [MEGABYTES [STREAMS [CHUNK_KIB]]]]
 *
 * Prints GB/s and CPU seconds per GB, and the whole divided by the sum of its
 * parts. Files are made below DIRECTORY (default ".") and removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/aead.h"
#include "front/store/store.h"
#include "front/store/volume_file.h"

#define SEGMENT_BYTES ((size_t)16 * 1024 * 1024)
#define BATCH ((size_t)4 * 1024 * 1024)
#define WINDOW ((size_t)16 * 1024 * 1024)   /* queued at most, as the lane's credit would allow */

struct meter {
	double wall, cpu;
};

static struct meter meter_now(void)
{
	struct timespec t;
	struct rusage u;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	(void)getrusage(RUSAGE_SELF, &u);
	return (struct meter){ (double)t.tv_sec + (double)t.tv_nsec / 1e9,
		(double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6 };
}

static void die(const char *what)
{
	(void)fprintf(stderr, "bench-store: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Prints a line; returns CPU seconds per GB. */
static double line(const char *name, uint64_t bytes, struct meter from)
{
	struct meter to = meter_now();
	double per_gb = (to.cpu - from.cpu) / ((double)bytes / 1e9);

	(void)printf("%-36s %7.2f GB/s %7.3f CPU s/GB\n", name, (double)bytes / (to.wall - from.wall) / 1e9, per_gb);
	return per_gb;
}

/* ---- the parts ---- */

static double measure_aead(uint8_t *p, size_t chunk, uint64_t bytes)
{
	static const uint8_t key[KEY_BYTES] = { 1 }, ad[FRAME_AD_BYTES] = { 2 };
	uint8_t *out = malloc(chunk + AEAD_TAG_BYTES);
	struct meter from = meter_now();
	uint64_t n = 0;

	if (out == NULL)
		die("memory");
	for (uint64_t done = 0; done < bytes; done += chunk) {
		if (aead_seal_chunk(out, p, chunk, ad, sizeof ad, n++, AEAD_CHUNK, key) != VAULT_OK)
			die("aead_seal_chunk");
	}
	double cpu = line("  AEAD seal", bytes, from);
	free(out);
	return cpu;
}

static double measure_sha(const uint8_t *p, size_t chunk, uint64_t bytes)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sha[32];
	struct meter from = meter_now();

	if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		die("SHA-256");
	for (uint64_t done = 0; done < bytes; done += chunk) {
		if (EVP_DigestUpdate(ctx, p, chunk) != 1)
			die("SHA-256");
	}
	if (EVP_DigestFinal_ex(ctx, sha, NULL) != 1)
		die("SHA-256");
	EVP_MD_CTX_free(ctx);
	return line("  SHA-256", bytes, from);
}

static double measure_xxh3(uint8_t *p, size_t chunk, uint64_t bytes)
{
	struct meter from = meter_now();
	uint64_t sum = 0;

	for (uint64_t done = 0; done < bytes; done += chunk) {
		sum += frame_hash(p, chunk);
		p[0] = (uint8_t)sum;
	}
	return line("  XXH3", bytes, from);
}

static double measure_append(int dir, size_t batch, uint64_t bytes)
{
	uint8_t *p = aligned_alloc(4096, batch);
	int fd = openat(dir, "bench-append", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint64_t at = 0;

	if (p == NULL || fd < 0)
		die("bench-append");
	memset(p, 3, batch);
	struct meter from = meter_now();
	for (uint64_t done = 0; done < bytes; done += batch, at += batch) {
		if (write_all_at(fd, p, batch, at) != VAULT_OK || fdatasync(fd) != 0)
			die("append");
	}
	double cpu = line("  append 4 MiB + fdatasync", bytes, from);
	(void)unlinkat(dir, "bench-append", 0);
	(void)close(fd);
	free(p);
	return cpu;
}

/* ---- the whole ---- */

struct stream {
	struct store_stream *st;
	vault_id id;
	uint32_t segment;
	uint64_t in_segment;
};

static size_t failures;

static void on_done(void *arg, const struct store_done *d)
{
	(void)arg;
	failures += d->err != VAULT_OK;
}

static void next_segment(struct stream *s)
{
	uint8_t salt[SEGMENT_SALT_BYTES] = { 0 };
	struct segment_key key = { { 1 }, { 2 } };

	if ((s->segment > 0 && store_segment_end(s->st, 0) != VAULT_OK) ||
	    store_segment_open(s->st, s->segment++, 0, salt, &key) != VAULT_OK)
		die("segment");
	s->in_segment = 0;
}

static void feed(struct store_lane *lane, struct stream *s, const uint8_t *p, size_t chunk)
{
	uint8_t *data = store_buffer(lane, chunk);

	if (data == NULL)
		die("store_buffer");
	memcpy(data, p, chunk);              /* as ingest_write does */
	if (s->in_segment >= SEGMENT_BYTES)
		next_segment(s);
	if (store_chunk(s->st, 0, 0, data, chunk) != VAULT_OK)
		die("store_chunk");
	s->in_segment += chunk;
}

static double measure_store(int dir, const uint8_t *p, size_t chunk, size_t streams, uint64_t bytes)
{
	struct store_options o = { .media_fd = dir, .volume_size = VOLUME_SIZE_DEFAULT, .commit_ms = 50,
		.commit_bytes = BATCH };
	struct stream *s = calloc(streams, sizeof *s);
	struct store_lane *lane;
	uv_loop_t loop;

	if (s == NULL || uv_loop_init(&loop) != 0 || store_lane_new(&lane, &loop, &o, 1) != VAULT_OK)
		die("lane");
	for (size_t i = 0; i < streams; i++) {
		s[i].id = vault_id_new(clock_wall_ms());
		if (store_stream_new(&s[i].st, lane, &s[i].id, on_done, NULL) != VAULT_OK ||
		    store_open(s[i].st, "{}", 2, NULL, 0) != VAULT_OK)
			die("stream");
		next_segment(&s[i]);
	}
	struct meter from = meter_now();
	size_t turn = 0;
	for (uint64_t done = 0; done < bytes; done += chunk) {
		while (store_queued(lane) > WINDOW)
			(void)uv_run(&loop, UV_RUN_ONCE);
		feed(lane, &s[turn++ % streams], p, chunk);
	}
	while (store_queued(lane) > 0)
		(void)uv_run(&loop, UV_RUN_ONCE);
	double cpu = line("write path", bytes, from);
	for (size_t i = 0; i < streams; i++)
		store_stream_free(s[i].st);
	store_lane_close(lane);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&loop);
	free(s);
	return cpu;
}

static size_t number(int argc, char **argv, int i, size_t otherwise)
{
	return i < argc ? (size_t)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	char path[4096];
	uint64_t bytes = (uint64_t)number(argc, argv, 2, 2048) * 1000000;
	size_t streams = number(argc, argv, 3, 16), chunk = number(argc, argv, 4, 64) * 1024;
	uint8_t *p = malloc(chunk > 0 ? chunk : 1);

	if (p == NULL || chunk == 0 || chunk > STORE_CHUNK_MAX || streams == 0 || bytes == 0)
		die("arguments");
	if (secret_setup() != VAULT_OK)
		die("secret_setup");
	memset(p, 5, chunk);
	(void)snprintf(path, sizeof path, "%s/bench-store-XXXXXX", argc > 1 ? argv[1] : ".");
	int dir = mkdtemp(path) != NULL ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir < 0)
		die(path);
	(void)printf("%zu streams, chunks of %zu KiB, %.1f GB\n", streams, chunk / 1024, (double)bytes / 1e9);
	double parts = measure_aead(p, chunk, bytes) + measure_sha(p, chunk, bytes) + measure_xxh3(p, chunk, bytes) +
	    measure_append(dir, BATCH, bytes);
	double whole = measure_store(dir, p, chunk, streams, bytes);
	(void)printf("CPU per GB / sum of the parts (%.3f)  %.2f\n", parts, whole / parts);
	for (uint64_t k = 1; k <= bytes / 1000000000 + 8; k++) {
		char name[VOLUME_NAME];
		volume_name(name, 0, k);
		(void)unlinkat(dir, name, 0);
	}
	(void)close(dir);
	(void)rmdir(path);
	free(p);
	if (failures > 0)
		(void)fprintf(stderr, "bench-store: %zu operations failed\n", failures);
	return failures > 0;
}
