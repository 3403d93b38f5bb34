/*
 * limits.c - what this machine allows, measured where it runs: AEAD, SHA-256,
 * append and sync (through the page cache and past it), LMDB commits and gets,
 * one key wrap. Prints one line each:
 * name, value, unit, CPU seconds per GB where it moves bytes.
 *
 * limits [DIRECTORY]: files are made below it (default ".") and removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crypto/aead.h"
#include "front/store/chunk_seal.h"

#define MIB (1024u * 1024u)

static double now(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage u;
	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "limits: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void bytes_line(const char *name, double bytes, double seconds, double cpu_s)
{
	(void)printf("%-34s %8.2f GB/s  %6.3f CPU s/GB\n", name, bytes / seconds / 1e9, cpu_s / (bytes / 1e9));
}

static void measure_aead(size_t chunk)
{
	uint8_t key[KEY_BYTES] = {1};
	uint8_t ad[48] = {2};
	uint8_t *in = calloc(1, chunk), *out = calloc(1, chunk + AEAD_TAG_BYTES);
	char name[64];
	if (in == NULL || out == NULL)
		die("memory");
	double t = now(), c = cpu(), bytes = 0;
	for (uint64_t i = 0; now() - t < 0.7; i++) {
		for (unsigned k = 0; k < 16; k++) {
			if (aead_seal_chunk(out, in, chunk, ad, sizeof(ad), i * 16 + k, AEAD_CHUNK, key) != VAULT_OK)
				die("seal");
		}
		bytes += 16.0 * (double)chunk;
	}
	(void)snprintf(name, sizeof(name), "seal, chunks of %zu", chunk);
	bytes_line(name, bytes, now() - t, cpu() - c);
	free(in);
	free(out);
}

/* The front's own implementation. */
static void measure_front_seal(size_t chunk)
{
	uint8_t key[KEY_BYTES] = {1};
	uint8_t ad[48] = {2};
	uint8_t *in = calloc(1, chunk), *out = calloc(1, chunk + AEAD_TAG_BYTES);
	struct chunk_sealer *sealer = chunk_sealer_new();
	char name[64];
	if (in == NULL || out == NULL || sealer == NULL)
		die("memory");
	double t = now(), c = cpu(), bytes = 0;
	for (uint64_t i = 0; now() - t < 0.7; i++) {
		if (chunk_seal(sealer, out, in, chunk, ad, sizeof(ad), i, AEAD_CHUNK, key) != VAULT_OK)
			die("seal");
		bytes += (double)chunk;
	}
	(void)snprintf(name, sizeof(name), "seal (OpenSSL), chunks of %zu", chunk);
	bytes_line(name, bytes, now() - t, cpu() - c);
	chunk_sealer_free(sealer);
	free(in);
	free(out);
}

static void measure_sha256(void)
{
	uint8_t *in = calloc(1, 65536), md[32];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (in == NULL || ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		die("sha256");
	double t = now(), c = cpu(), bytes = 0;
	while (now() - t < 0.7) {
		for (int k = 0; k < 16; k++)
			(void)EVP_DigestUpdate(ctx, in, 65536);
		bytes += 16.0 * 65536;
	}
	(void)EVP_DigestFinal_ex(ctx, md, NULL);
	bytes_line("SHA-256 (OpenSSL)", bytes, now() - t, cpu() - c);
	EVP_MD_CTX_free(ctx);
	free(in);
}

static void measure_append(size_t batch, size_t total, bool direct)
{
	char name[64];
	uint8_t *in = aligned_alloc(4096, batch);
	int fd = open("limits.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | (direct ? O_DIRECT : 0), 0600);
	if (direct && fd < 0 && errno == EINVAL) {
		(void)printf("%-34s not on this file system\n", "append past the page cache");
		free(in);
		return;
	}
	if (in == NULL || fd < 0)
		die("limits.tmp");
	randombytes_buf(in, batch);
	double t = now(), c = cpu();
	size_t done = 0;
	unsigned syncs = 0;
	for (; done < total && now() - t < 3; done += batch, syncs++) {
		if (pwrite(fd, in, batch, (off_t)done) != (ssize_t)batch || fdatasync(fd) < 0)
			die("append");
	}
	double s = now() - t;
	(void)snprintf(name, sizeof(name), "append%s + fdatasync, %zu KiB", direct ? " direct" : "", batch / 1024);
	bytes_line(name, (double)done, s, cpu() - c);
	(void)printf("%-34s %8.3f ms a sync\n", "", s * 1000 / syncs);
	(void)close(fd);
	(void)unlink("limits.tmp");
	free(in);
}

static void measure_lmdb(void)
{
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	MDB_dbi dbi = 0;
	const int rows = 1000000;
	if (mkdir("limits.lmdb", 0700) < 0 || mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, (size_t)1 << 32) != 0 ||
	    mdb_env_open(env, "limits.lmdb", 0, 0600) != 0)
		die("lmdb");
	double t = now();
	for (int i = 0; i < rows;) {
		if (mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_dbi_open(txn, NULL, 0, &dbi) != 0)
			die("lmdb");
		for (int k = 0; k < 1000; k++, i++) {
			uint8_t key[16] = {0}, value[100] = {0};
			for (int b = 0; b < 4; b++)
				key[b] = (uint8_t)((unsigned)i >> (24 - 8 * b));
			MDB_val mk = {.mv_size = sizeof(key), .mv_data = key}, mv = {.mv_size = sizeof(value), .mv_data = value};
			if (mdb_put(txn, dbi, &mk, &mv, 0) != 0)
				die("lmdb put");
		}
		if (mdb_txn_commit(txn) != 0)
			die("lmdb commit");
	}
	(void)printf("%-34s %8.3f ms\n", "LMDB commit of 1,000 ordered puts", (now() - t) * 1000 * 1000 / rows);
	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
		die("lmdb");
	t = now();
	for (int i = 0; i < 300000; i++) {
		uint32_t r = randombytes_uniform((uint32_t)rows);
		uint8_t key[16] = {(uint8_t)(r >> 24), (uint8_t)(r >> 16), (uint8_t)(r >> 8), (uint8_t)r};
		MDB_val mk = {.mv_size = sizeof(key), .mv_data = key}, mv;
		if (mdb_get(txn, dbi, &mk, &mv) != 0)
			die("lmdb get");
	}
	(void)printf("%-34s %8.2f M/s\n", "LMDB random get of 1,000,000 rows", 0.3 / (now() - t));
	mdb_txn_abort(txn);
	mdb_env_close(env);
	(void)unlink("limits.lmdb/data.mdb");
	(void)unlink("limits.lmdb/lock.mdb");
	(void)rmdir("limits.lmdb");
}

static void measure_wrap(void)
{
	uint8_t parent[KEY_BYTES] = {3}, secret[KEY_BYTES] = {4}, out[KEY_BYTES + WRAP_OVERHEAD];
	const int n = 200000;
	double t = now();
	for (int i = 0; i < n; i++) {
		if (aead_wrap(out, secret, sizeof(secret), "ad", 2, parent) != VAULT_OK)
			die("wrap");
	}
	(void)printf("%-34s %8.2f us\n", "wrap one key", (now() - t) * 1e6 / n);
}

int main(int argc, char **argv)
{
	if (sodium_init() < 0 || (argc > 1 && chdir(argv[1]) < 0))
		die("start");
	measure_aead(160);
	measure_aead(16384);
	measure_aead(65536);
	measure_front_seal(16384);
	measure_front_seal(262144);
	measure_sha256();
	measure_append(65536, 256u * MIB, false);
	measure_append(MIB, 1024u * MIB, false);
	measure_append(4u * MIB, 2048ull * MIB, false);
	measure_append(4u * MIB, 2048ull * MIB, true);
	measure_lmdb();
	measure_wrap();
	return 0;
}
