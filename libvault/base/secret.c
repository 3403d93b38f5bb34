/*
 * secret.c - guarded, locked memory for keys and the process settings around it.
 *
 * Every allocation takes whole pages; keep many small secrets in one block.
 */
#include <jansson.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/secret.h"

/* The lock limit as high as this account may have it; too low shows in secret_alloc. */
static void raise_lock_limit(void)
{
	struct rlimit lock;

	if (getrlimit(RLIMIT_MEMLOCK, &lock) != 0 || lock.rlim_cur == lock.rlim_max)
		return;
	lock.rlim_cur = lock.rlim_max;
	(void)setrlimit(RLIMIT_MEMLOCK, &lock);
}

vault_err secret_setup(void)
{
	const struct rlimit no_core = {0, 0};
	size_t seed;

	if (sodium_init() < 0)
		return VAULT_E_UNSUPPORTED;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0)
		return VAULT_E_DENIED;
	raise_lock_limit();
	/* Seeded here, because jansson would open /dev/urandom at its first object: too late in a sandbox. */
	randombytes_buf(&seed, sizeof(seed));
	json_object_seed(seed | 1);
	return VAULT_OK;
}

void *secret_alloc(size_t n)
{
	void *p = sodium_malloc(n);

	if (!p)
		return NULL;
	/* sodium_malloc locks as well but does not tell whether it could. */
	if (sodium_mlock(p, n) != 0) {
		sodium_free(p);
		return NULL;
	}
	sodium_memzero(p, n);
	return p;
}

void secret_free(void *p)
{
	sodium_free(p);
}

void secret_wipe(void *p, size_t n)
{
	if (n > 0)
		sodium_memzero(p, n);
}
