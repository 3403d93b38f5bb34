/*
 * verify.c - see verify.h.
 */
#include "front/serve/verify.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "format/scan.h"

#define RECHECKS 3u
#define RECHECK_US 20000u

struct verify {
	uv_work_t work;
	struct volume_set *volumes;
	verify_fn fn;
	void *arg;
	int stop;                        /* read by the worker */
	vault_err err;
	struct verify_result result;
};

/* Does the place check now? A release, or a write that was under way, may have changed it while it was read. */
static bool checks_now(int fd, uint64_t offset)
{
	struct volume_scan *again = NULL;
	struct frame f;
	uint64_t at;
	bool ok = false;

	if (volume_scan_new(&again, fd, true) == VAULT_OK) {
		volume_scan_seek(again, offset);
		ok = volume_scan_next(again, &f, &at, NULL) == VAULT_OK;
	}
	volume_scan_free(again);
	return ok;
}

static void report(const struct volume_ref *ref, uint64_t offset, struct verify_result *r)
{
	log_warn("event=volume_damaged lane=%u volume=%llu offset=%llu", ref->lane, (unsigned long long)ref->number,
	    (unsigned long long)offset);
	r->damaged++;
}

/* Behind a place that does not check. VAULT_E_EOF: nothing whole follows. */
static vault_err pass_damage(struct volume_scan *scan, int fd, const struct volume_ref *ref, bool newest,
    uint64_t offset, struct verify_result *r)
{
	uint64_t next;

	for (unsigned i = 0; i < RECHECKS; i++) {
		if (checks_now(fd, offset)) {
			volume_scan_seek(scan, offset);
			return VAULT_OK;
		}
		(void)usleep(RECHECK_US);
	}
	vault_err err = volume_scan_resync(scan, false, &next);
	/* Without anything behind it in the newest volume: the end that is being written. */
	if (err == VAULT_OK || (err == VAULT_E_EOF && !newest))
		report(ref, offset, r);
	return err;
}

static vault_err scrub_frames(struct volume_scan *scan, int fd, const struct volume_ref *ref, bool newest,
    const int *stop, struct verify_result *r)
{
	while (__atomic_load_n(stop, __ATOMIC_RELAXED) == 0) {
		struct frame f;
		uint64_t offset = 0;
		vault_err err = volume_scan_next(scan, &f, &offset, NULL);
		if (err == VAULT_OK) {
			r->frames++;
			r->bytes += frame_span(f.length);
			continue;
		}
		if (err == VAULT_E_CORRUPT || err == VAULT_E_SHORT)
			err = pass_damage(scan, fd, ref, newest, offset, r);
		if (err != VAULT_OK)
			return err == VAULT_E_EOF ? VAULT_OK : err;
	}
	return VAULT_OK;
}

static vault_err scrub_volume(struct volume_set *volumes, const struct volume_ref *ref, bool newest, const int *stop,
    struct verify_result *r)
{
	struct volume_scan *scan = NULL;
	int fd = -1;
	vault_err err = volume_set_fd(volumes, ref->lane, ref->number, &fd);

	if (err == VAULT_E_NOTFOUND)         /* it was given back meanwhile */
		return VAULT_OK;
	if (err == VAULT_OK)
		err = volume_scan_new(&scan, fd, true);
	if (err == VAULT_E_CORRUPT || err == VAULT_E_SHORT || err == VAULT_E_UNSUPPORTED) {
		report(ref, 0, r);
		return VAULT_OK;
	}
	if (err != VAULT_OK)
		return err;
	r->volumes++;
	err = scrub_frames(scan, fd, ref, newest, stop, r);
	volume_scan_free(scan);
	return err;
}

vault_err verify_run(struct volume_set *volumes, const int *stop, struct verify_result *r)
{
	struct volume_ref *refs = NULL;
	size_t n = 0;
	*r = (struct verify_result){0};
	vault_err err = volume_set_list(volumes, &refs, &n);
	for (size_t i = 0; err == VAULT_OK && i < n; i++)
		err = scrub_volume(volumes, &refs[i], i + 1 == n || refs[i + 1].lane != refs[i].lane, stop, r);
	free(refs);
	return err;
}

static void do_verify(uv_work_t *work)
{
	struct verify *v = work->data;
	v->err = verify_run(v->volumes, &v->stop, &v->result);
}

static void after_verify(uv_work_t *work, int status)
{
	struct verify *v = work->data;
	if (v->fn != NULL)
		v->fn(v->arg, status < 0 ? VAULT_E_STATE : v->err, &v->result);
	free(v);
}

vault_err verify_start(struct verify **out, uv_loop_t *loop, struct volume_set *volumes, verify_fn fn, void *arg)
{
	struct verify *v = calloc(1, sizeof(*v));
	if (v == NULL)
		return VAULT_E_NOMEM;
	v->volumes = volumes;
	v->fn = fn;
	v->arg = arg;
	v->work.data = v;
	if (uv_queue_work(loop, &v->work, do_verify, after_verify) < 0) {
		free(v);
		return VAULT_E_NOMEM;
	}
	*out = v;
	return VAULT_OK;
}

void verify_cancel(struct verify *v)
{
	v->fn = NULL;
	__atomic_store_n(&v->stop, 1, __ATOMIC_RELAXED);
}
