/*
 * verify.c - see verify.h.
 */
#include "front/serve/verify.h"

#include <stdlib.h>

#include "base/log.h"
#include "format/scan.h"

struct verify {
	uv_work_t work;
	struct volume_set *volumes;
	verify_fn fn;
	void *arg;
	int stop;                        /* read by the worker */
	vault_err err;
	struct verify_result result;
};

static vault_err scrub_volume(struct volume_set *volumes, const struct volume_ref *ref, const int *stop,
    struct verify_result *r)
{
	struct volume_scan *scan = NULL;
	struct frame f;
	uint64_t offset = 0;
	int fd = -1;
	vault_err err = volume_set_fd(volumes, ref->lane, ref->number, &fd);
	if (err == VAULT_E_NOTFOUND)     /* it was given back meanwhile */
		return VAULT_OK;
	if (err == VAULT_OK)
		err = volume_scan_new(&scan, fd, true);
	if (err != VAULT_OK) {
		r->damaged++;
		return err == VAULT_E_NOMEM ? err : VAULT_OK;
	}
	r->volumes++;
	while (__atomic_load_n(stop, __ATOMIC_RELAXED) == 0) {
		err = volume_scan_next(scan, &f, &offset, NULL);
		if (err != VAULT_OK)
			break;
		r->frames++;
		r->bytes += frame_span(f.length);
	}
	/* The newest volume may grow while it is read: an unfinished tail is not damage. */
	if (err != VAULT_OK && err != VAULT_E_EOF && err != VAULT_E_SHORT) {
		log_warn("event=volume_damaged lane=%u volume=%llu offset=%llu", ref->lane, (unsigned long long)ref->number,
		    (unsigned long long)offset);
		r->damaged++;
	}
	volume_scan_free(scan);
	return VAULT_OK;
}

vault_err verify_run(struct volume_set *volumes, const int *stop, struct verify_result *r)
{
	struct volume_ref *refs = NULL;
	size_t n = 0;
	*r = (struct verify_result){0};
	vault_err err = volume_set_list(volumes, &refs, &n);
	for (size_t i = 0; err == VAULT_OK && i < n; i++)
		err = scrub_volume(volumes, &refs[i], stop, r);
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
