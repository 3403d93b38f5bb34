/*
 * sandbox.c - gives up, step by step, everything a part does not need.
 *
 * Called once, on the only thread. A step that fails is not repaired: its bit
 * stays out of *on, the caller refuses to run or the configuration names the
 * exception.
 */
#include "sandbox/steps.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

static bool step_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static bool step_undumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static bool step_no_core(void)
{
	const struct rlimit zero = { 0, 0 };

	return setrlimit(RLIMIT_CORE, &zero) == 0;
}

/* True when the process now runs under its own user for good. */
static bool step_own_user(const struct sandbox *s)
{
	if (s->uid == 0 || geteuid() != 0)
		return false;
	if (setgroups(0, NULL) != 0 || setresgid(s->gid, s->gid, s->gid) != 0 || setresuid(s->uid, s->uid, s->uid) != 0)
		return false;
	return setuid(0) != 0;            /* there must be no way back */
}

static uint32_t report(const struct sandbox *s, uint32_t bit, const char *step, vault_err err)
{
	if (err == VAULT_OK)
		return bit;
	log_warn("event=sandbox_step_missing part=%s step=%s error=%d", s->part, step, (int)err);
	return 0;
}

vault_err sandbox_enter(const struct sandbox *s, uint32_t *on)
{
	*on = 0;
	if (s->part == NULL || (s->n_dirs > 0 && s->dirs == NULL) || s->syscalls == NULL || s->n_syscalls == 0)
		return VAULT_E_INVAL;
	if (step_no_new_privs())
		*on |= PROTECT_NO_NEW_PRIVS;
	if (step_no_core())
		*on |= PROTECT_NO_CORE;
	if (step_own_user(s))
		*on |= PROTECT_OWN_USER;
	/* After the user: changing it makes a process dumpable again. */
	if (step_undumpable())
		*on |= PROTECT_UNDUMPABLE;
	*on |= report(s, PROTECT_LANDLOCK, "landlock", landlock_enter(s));
	*on |= report(s, PROTECT_SECCOMP, "seccomp", seccomp_enter(s));
	return VAULT_OK;
}

void sandbox_describe(uint32_t bits, char *out, size_t cap)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} words[] = {
		{ PROTECT_NO_NEW_PRIVS, "no-new-privs" }, { PROTECT_UNDUMPABLE, "undumpable" },
		{ PROTECT_NO_CORE, "no-core" }, { PROTECT_OWN_USER, "own-user" },
		{ PROTECT_LANDLOCK, "landlock" }, { PROTECT_SECCOMP, "seccomp" },
	};
	size_t used = 0;

	if (cap == 0)
		return;
	out[0] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].word);
		if ((bits & words[i].bit) == 0)
			continue;
		if (used + n + 2 > cap)
			return;
		if (used > 0)
			out[used++] = ' ';
		memcpy(out + used, words[i].word, n + 1);
		used += n;
	}
}
