/*
 * fuzz_metadata.c - what a sender says about a recording.
 *
 * The input is a JSON object, or lines of name=value. Whatever is accepted must
 * come out as canonical JSON within METADATA_MAX, with numbers of digits only,
 * and without any number once it was said to be withheld.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "front/ingest/metadata.h"
#include "planted.h"

#define TAGS "ticket,order-no"

static void need(int what)
{
	if (!what)
		abort();
}

static void check_number(const char *number)
{
	size_t i = number[0] == '+';

	for (; number[i] != '\0'; i++)
		need(number[i] >= '0' && number[i] <= '9');
	need(i <= IPC_NUMBER_MAX);
}

static void check_out(const struct ingest_metadata *m)
{
	static struct ipc_open o;
	struct probe_result media = { .container = CONTAINER_OGG, .media = MEDIUM_VOICE, .n_tracks = PROBE_TRACKS };
	json_t *value;
	size_t len;

	memset(&o, 0, sizeof o);
	if (metadata_finish(m, &media, &o) != VAULT_OK)
		return;
	need(json_read((const char *)o.meta, o.meta_len, METADATA_MAX, &value) == VAULT_OK);
	char *again = json_write(value, &len);
	need(again != NULL && len == o.meta_len && memcmp(again, o.meta, len) == 0);
	free(again);
	check_number(o.caller);
	check_number(o.callee);
	need(!json_is_true(json_object_get(value, "caller_withheld")) ||
	    (o.caller[0] == '\0' && json_object_get(value, "caller") == NULL));
	need(!json_is_true(json_object_get(value, "callee_withheld")) ||
	    (o.callee[0] == '\0' && json_object_get(value, "callee") == NULL));
	PLANTED(strlen(o.caller) % 8 != 0);
	json_decref(value);
}

static void set_lines(struct ingest_metadata *m, const char *p, size_t n)
{
	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t line = end != NULL ? (size_t)(end - p) : n;
		const char *equal = memchr(p, '=', line);
		if (equal != NULL)
			(void)!metadata_set(m, p, (size_t)(equal - p), equal + 1, line - (size_t)(equal - p) - 1, TAGS);
		p += line;
		n -= line;
		if (n > 0) {
			p++;
			n--;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ingest_metadata *m, *copy;

	need(metadata_new(&m) == VAULT_OK);
	if (n > 0 && data[0] == '{')
		(void)!metadata_json(m, (const char *)data, n, TAGS);
	else
		set_lines(m, (const char *)data, n);
	check_out(m);
	need(metadata_copy(&copy, m) == VAULT_OK);
	check_out(copy);
	metadata_free(copy);
	metadata_free(m);
	return 0;
}
