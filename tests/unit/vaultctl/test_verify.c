/*
 * test_verify.c - the scrub of a media directory finds every kind of damage and
 * forgives only an unfinished end of a lane's newest volume.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vault/format.h>

#include "base/secret.h"
#include "commands.h"
#include "file.h"
#include "scratch.h"

#define FRAMES 5u
#define PAYLOAD 1000u
#define SPAN 1088u                  /* frame_span(PAYLOAD) */
#define SIZE (VOLUME_HEADER_BYTES + FRAMES * SPAN)

struct media {
	char dir[64];
	uint8_t volume[SIZE];
};

static int setup(void **state)
{
	struct media *m = calloc(1, sizeof(*m));
	struct volume_header h = {.version = VOLUME_VERSION, .number = 1, .created_ms = 1};
	h.vault = vault_id_new(1);
	if (m == NULL || scratch_make(m->dir) != 0 || volume_header_encode(&h, m->volume) != VAULT_OK ||
	    frame_span(PAYLOAD) != SPAN)
		return -1;
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint8_t *at = m->volume + VOLUME_HEADER_BYTES + i * SPAN;
		memset(at + FRAME_HEADER_BYTES, (int)i + 1, PAYLOAD);
		struct frame f = {.type = FRAME_CHUNK, .id = vault_id_new(2), .chunk = i, .length = PAYLOAD,
		    .payload_hash = frame_hash(at + FRAME_HEADER_BYTES, PAYLOAD)};
		frame_encode(&f, at);
	}
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct media *m = *state;
	scratch_remove(m->dir);
	free(m);
	return 0;
}

static void put(const struct media *m, const char *name, size_t n)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", m->dir, name);
	assert_int_equal(file_replace(path, m->volume, n, 0600), VAULT_OK);
}

static int verify(const struct media *m)
{
	static const struct command_entry entry = {"verify", "", "", NULL, cmd_verify};
	struct ctl c = {.entry = &entry, .quiet = true, .pass_fd = PASS_FD_NONE};
	char option[] = "--media", dir[64];
	char *argv[] = {option, dir};
	memcpy(dir, m->dir, sizeof(dir));
	return cmd_verify(&c, 2, argv);
}

static void sound(void **state)
{
	struct media *m = *state;
	put(m, "lane0-1.vol", SIZE);
	put(m, "lane0-2.vol", SIZE);
	put(m, "README", 10);
	assert_int_equal(verify(m), CTL_OK);
}

/* One bit anywhere: volume header, frame header, payload, of the first, a middle and the last frame. */
static void damaged(void **state)
{
	struct media *m = *state;
	const size_t places[] = {0, 100, VOLUME_HEADER_BYTES + 10, VOLUME_HEADER_BYTES + 200,
	    VOLUME_HEADER_BYTES + 2 * SPAN + 33, VOLUME_HEADER_BYTES + 2 * SPAN + 999,
	    VOLUME_HEADER_BYTES + 3 * SPAN + 1063, VOLUME_HEADER_BYTES + 4 * SPAN + 64};
	put(m, "lane0-2.vol", SIZE);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		m->volume[places[i]] ^= 1;
		put(m, "lane0-1.vol", SIZE);
		assert_int_equal(verify(m), CTL_UNVERIFIED);
		m->volume[places[i]] ^= 1;
	}
}

static void only_the_newest_may_be_unfinished(void **state)
{
	struct media *m = *state;
	put(m, "lane0-9.vol", SIZE);
	put(m, "lane0-10.vol", SIZE - 500);
	assert_int_equal(verify(m), CTL_OK);
	put(m, "lane0-9.vol", SIZE - 500);
	assert_int_equal(verify(m), CTL_UNVERIFIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(sound, setup, teardown),
	    cmocka_unit_test_setup_teardown(damaged, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_the_newest_may_be_unfinished, setup, teardown)};
	if (secret_setup() != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
