/*
 * reading.c - opens what the lane stored, with the keys that the played keeper
 * gave out; looks for markers in everything below the lane's directory.
 */
#include "ingest/fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/wire.h"
#include "crypto/aead.h"
#include "format/scan.h"

struct reading {
	const struct known *known;
	struct opened *out;
	struct segment_key key;
	bool have_key;
};

static uint8_t *open_sealed(struct reading *r, const struct frame *f, const uint8_t *payload, enum aead_flag flag, size_t *n)
{
	uint8_t ad[FRAME_AD_BYTES];
	uint8_t *plain = malloc(f->length);

	assert_non_null(plain);
	assert_true(r->have_key);
	frame_ad(f, ad);
	OK(aead_open_chunk(plain, payload, f->length, ad, sizeof ad, f->chunk, flag, r->key.key));
	*n = f->length - AEAD_TAG_BYTES;
	return plain;
}

static void take_chunk(struct reading *r, const struct frame *f, const uint8_t *payload)
{
	struct opened *o = r->out;
	size_t n;
	uint8_t *plain = open_sealed(r, f, payload, AEAD_CHUNK, &n);

	o->bytes = realloc(o->bytes, o->n + n + 1);
	assert_non_null(o->bytes);
	memcpy(o->bytes + o->n, plain, n);
	o->n += n;
	o->chunks++;
	assert_true(f->media_us >= o->last_chunk_us);
	o->last_chunk_us = f->media_us;
	free(plain);
}

static void take_frame(struct reading *r, const struct frame *f, const uint8_t *payload)
{
	struct opened *o = r->out;
	struct segment_open open;
	struct segment_end end;
	struct gap gap;
	uint8_t *plain;
	size_t n;

	if (!vault_id_equal(&f->id, &r->known->id) || f->type == FRAME_FREE)
		return;
	switch (f->type) {
	case FRAME_RECORDING_OPEN:
		assert_false(o->has_open);
		o->has_open = true;
		break;
	case FRAME_SEGMENT_OPEN:
		OK(segment_open_decode(&open, payload, f->length));
		assert_int_equal(f->segment, o->segments);
		OK(kdf_segment(&r->key, r->known->key, open.salt, r->known->tenant, &f->id, f->segment, open.start_us));
		assert_memory_equal(r->key.commit, open.commit, sizeof open.commit);
		r->have_key = true;
		if (o->segments < 64)
			o->segment_start[o->segments] = open.start_us;
		o->segments++;
		break;
	case FRAME_CHUNK:
		take_chunk(r, f, payload);
		break;
	case FRAME_SEGMENT_END:
		plain = open_sealed(r, f, payload, AEAD_SEGMENT_END, &n);
		OK(segment_end_decode(&end, plain, n));
		free(plain);
		break;
	case FRAME_GAP:
		OK(gap_decode(&gap, payload, f->length));
		o->gaps++;
		o->gap_from = gap.from_us;
		o->gap_to = gap.to_us;
		o->gap_reason = gap.reason;
		break;
	case FRAME_RECORDING_END:
		assert_false(o->ended);
		o->ended = true;
		o->truncated = (f->flags & FRAME_FLAG_TRUNCATED) != 0;
		if (f->length > 0) {
			plain = open_sealed(r, f, payload, AEAD_RECORDING_END, &n);
			OK(manifest_decode(&o->manifest, plain, n));
			o->sealed_end = true;
			free(plain);
		}
		break;
	default:
		fail_msg("frame type %u", (unsigned)f->type);
	}
}

void recording_read(struct lane *l, const vault_id *id, struct opened *out)
{
	struct volume_ref *refs;
	size_t n;

	memset(out, 0, sizeof *out);
	struct reading r = { .known = keeper_known(&l->keeper, id), .out = out };
	assert_non_null(r.known);
	OK(volume_set_list(l->volumes, &refs, &n));
	for (size_t i = 0; i < n; i++) {
		struct volume_scan *scan;
		struct frame f;
		uint64_t at;
		const uint8_t *payload;
		int fd;
		OK(volume_set_fd(l->volumes, refs[i].lane, refs[i].number, &fd));
		OK(volume_scan_new(&scan, fd, true));
		while (volume_scan_next(scan, &f, &at, &payload) == VAULT_OK)
			take_frame(&r, &f, payload);
		volume_scan_free(scan);
	}
	free(refs);
}

void opened_free(struct opened *o)
{
	free(o->bytes);
	o->bytes = NULL;
}

static const char *wanted;
static bool found;

static int look_into(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	(void)ftw;
	if (type != FTW_F || sb->st_size == 0 || sb->st_size > 64 * 1024 * 1024)
		return 0;
	char *text = malloc((size_t)sb->st_size);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(text != NULL && fd >= 0);
	ssize_t n = read(fd, text, (size_t)sb->st_size);
	if (n > 0 && memmem(text, (size_t)n, wanted, strlen(wanted)) != NULL)
		found = true;
	free(text);
	(void)close(fd);
	return 0;
}

bool lane_holds(const struct lane *l, const char *marker)
{
	wanted = marker;
	found = false;
	assert_int_equal(nftw(l->dir, look_into, 8, FTW_PHYS), 0);
	return found;
}
