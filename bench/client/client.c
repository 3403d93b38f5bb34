/*
 * client.c - a contact with a stop-watch: signs fetches, sends them over one warm
 * TLS connection and times the answers by its own clock. The export is received
 * and thrown away, not opened.
 *
 *   bench-client URL CA.PEM KEYFILE PURPOSE ROUNDS < IDS
 *
 * Prints, over all rounds and ids: fetches, first byte p50/p90/max in ms, the
 * bytes received and GB/s of the quickest fetch.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "token/jws.h"

#define IDS_MAX 4096u
#define ANSWER_MAX 4096u
#define TOKEN_LIFE_S 300u

struct client {
	CURL *curl;
	struct sign_key *key;
	vault_id vault;
	const char *url, *purpose;
};

struct fetched {
	double begun, first;             /* seconds; first 0: nothing came */
	uint64_t bytes;
	char text[ANSWER_MAX + 1];       /* the beginning, for a refusal or JSON */
};

static double now(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "bench-client: %s: %s\n", what, why);
	exit(1);
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct fetched *f = arg;

	n *= size;
	if (f->first == 0)
		f->first = now();
	if (f->bytes < ANSWER_MAX) {
		size_t k = ANSWER_MAX - (size_t)f->bytes < n ? ANSWER_MAX - (size_t)f->bytes : n;
		memcpy(f->text + f->bytes, p, k);
		f->text[f->bytes + k] = '\0';
	}
	f->bytes += n;
	return n;
}

/* token NULL: a GET. */
static void request(struct client *c, const char *path, const char *token, struct fetched *f)
{
	char url[1024];
	long status = 0;
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/jose");

	*f = (struct fetched){ 0 };
	(void)snprintf(url, sizeof(url), "%s%s", c->url, path);
	(void)curl_easy_setopt(c->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, f);
	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
	if (token != NULL) {
		(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
		(void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(token));
		(void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, token);
	}
	f->begun = now();
	CURLcode rc = curl_easy_perform(c->curl);
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (rc != CURLE_OK)
		die(path, curl_easy_strerror(rc));
	if (status != 200)
		die(path, f->text);
}

static void learn_vault(struct client *c)
{
	static struct fetched f;
	json_t *facts = NULL;
	size_t n = 0;

	request(c, "/v1/vault", NULL, &f);
	if (json_read(f.text, (size_t)f.bytes, ANSWER_MAX, &facts) != VAULT_OK)
		die("/v1/vault", "no JSON");
	const char *id = json_str(facts, "vault", &n);
	if (id == NULL || vault_id_parse(id, n, &c->vault) != VAULT_OK)
		die("/v1/vault", "no id");
	json_decref(facts);
}

static void fetch(struct client *c, const char *id, struct fetched *f)
{
	json_t *args = json_pack("{s:s, s:s}", "id", id, "purpose", c->purpose);
	char *token = NULL;

	if (args == NULL ||
	    jws_sign(c->key, &c->vault, "fetch", args, clock_wall_ms() / 1000, TOKEN_LIFE_S, &token) != VAULT_OK)
		die("sign", "failed");
	json_decref(args);
	request(c, "/v1/commands", token, f);
	free(token);
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static size_t read_ids(char ids[][64])
{
	size_t n = 0;

	while (n < IDS_MAX && fgets(ids[n], 64, stdin) != NULL) {
		ids[n][strcspn(ids[n], "\r\n")] = '\0';
		if (ids[n][0] != '\0')
			n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	static char ids[IDS_MAX][64];
	static struct fetched f;
	struct client c = { 0 };

	if (argc != 6) {
		(void)fprintf(stderr, "usage: bench-client URL CA.PEM KEYFILE PURPOSE ROUNDS < IDS\n");
		return 2;
	}
	clock_init();
	if (secret_setup() != VAULT_OK || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		die("start", "libraries");
	c.url = argv[1];
	c.purpose = argv[4];
	c.curl = curl_easy_init();
	c.key = secret_alloc(sizeof(*c.key));
	if (c.curl == NULL || c.key == NULL)
		die("start", "memory");
	vault_err err = sign_key_load(c.key, argv[3], NULL, 0);
	if (err != VAULT_OK)
		die(argv[3], vault_strerror(err));
	(void)curl_easy_setopt(c.curl, CURLOPT_CAINFO, argv[2]);
	(void)curl_easy_setopt(c.curl, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(c.curl, CURLOPT_BUFFERSIZE, 512L * 1024);
	learn_vault(&c);
	size_t n = read_ids(ids), rounds = strtoul(argv[5], NULL, 10), done = 0;
	double *first = calloc(n * rounds + 1, sizeof(*first)), best = 0;
	if (first == NULL || n == 0 || rounds == 0)
		die("ids", "none");
	for (size_t r = 0; r < rounds; r++) {
		for (size_t i = 0; i < n; i++) {
			fetch(&c, ids[i], &f);
			double rate = (double)f.bytes / (now() - f.begun) / 1e9;
			first[done++] = (f.first - f.begun) * 1000;
			best = rate > best ? rate : best;
		}
	}
	qsort(first, done, sizeof(*first), by_size);
	(void)printf("fetches %zu first byte p50 %.2f p90 %.2f max %.2f ms; last %llu bytes; best %.3f GB/s\n", done,
	    first[done / 2], first[done * 9 / 10], first[done - 1], (unsigned long long)f.bytes, best);
	free(first);
	secret_free(c.key);
	curl_easy_cleanup(c.curl);
	curl_global_cleanup();
	return 0;
}
