/*
 * seccomp.c - turns an allow-list into a filter that kills the process.
 *
 * No argument filters but two: clone may only make threads, and prctl may only
 * name a thread or a memory mapping. Under a sanitizer the runtime's own calls
 * are added; such builds are never released.
 */
#include "sandbox/steps.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifdef SANDBOX_SANITIZED
static const int sanitizer_syscalls[] = {
	SCMP_SYS(sigaltstack), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(openat), SCMP_SYS(open),
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(read),
	SCMP_SYS(pread64), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(mremap),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(tgkill),
	SCMP_SYS(getppid), SCMP_SYS(write), SCMP_SYS(futex), SCMP_SYS(prctl), SCMP_SYS(personality),
	SCMP_SYS(clock_gettime), SCMP_SYS(nanosleep), SCMP_SYS(getcwd), SCMP_SYS(ioctl), SCMP_SYS(dup),
	SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(process_vm_readv), SCMP_SYS(access), SCMP_SYS(uname),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(getuid), SCMP_SYS(geteuid),
};
#endif

static int add_clone(scmp_filter_ctx ctx)
{
	/* CLONE_THREAD set: a thread of this process, never a new process. */
	const struct scmp_arg_cmp cmp = { .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD,
		.datum_b = CLONE_THREAD };
	int rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &cmp);

	/* clone3 hides its flags in memory: ENOSYS makes the C library fall back to clone. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc;
}

#ifndef SANDBOX_SANITIZED
static int add_prctl(scmp_filter_ctx ctx)
{
	static const scmp_datum_t options[] = {
		PR_SET_NAME, PR_GET_DUMPABLE,
#ifdef PR_SET_VMA
		PR_SET_VMA,
#endif
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]) && rc == 0; i++) {
		const struct scmp_arg_cmp cmp = { .arg = 0, .op = SCMP_CMP_EQ, .datum_a = options[i] };
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, &cmp);
	}
	return rc;
}
#endif

#ifndef SANDBOX_SANITIZED
/* Memory becomes code only before the sandbox. */
static int add_mapping(scmp_filter_ctx ctx, int call)
{
	const struct scmp_arg_cmp cmp = { .arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0 };

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &cmp);
}

/* What a loop does to its sockets; never a terminal's input queue. */
static int add_ioctl(scmp_filter_ctx ctx)
{
	static const scmp_datum_t requests[] = { FIONBIO, FIONREAD, FIOCLEX };
	int rc = 0;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && rc == 0; i++) {
		const struct scmp_arg_cmp cmp = { .arg = 1, .op = SCMP_CMP_EQ, .datum_a = requests[i] };
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &cmp);
	}
	return rc;
}

/* Its own limits, not those of another process of the same user. */
static int add_prlimit(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp cmp = { .arg = 0, .op = SCMP_CMP_EQ, .datum_a = 0 };

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, &cmp);
}
#endif

static int add_call(scmp_filter_ctx ctx, int call)
{
	if (call == SCMP_SYS(clone))
		return add_clone(ctx);
#ifndef SANDBOX_SANITIZED
	if (call == SCMP_SYS(mmap) || call == SCMP_SYS(mprotect))
		return add_mapping(ctx, call);
	if (call == SCMP_SYS(ioctl))
		return add_ioctl(ctx);
	if (call == SCMP_SYS(prlimit64))
		return add_prlimit(ctx);
	if (call == SCMP_SYS(prctl))
		return add_prctl(ctx);
#endif
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
}

static int add_all(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = add_call(ctx, calls[i]);
		if (rc == -EEXIST)
			rc = 0;           /* named twice: allowed is allowed */
	}
	return rc;
}

vault_err seccomp_enter(const struct sandbox *s)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc;

	if (ctx == NULL)
		return VAULT_E_NOMEM;
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = add_all(ctx, s->syscalls, s->n_syscalls);
#ifdef SANDBOX_SANITIZED
	if (rc == 0)
		rc = add_all(ctx, sanitizer_syscalls, sizeof(sanitizer_syscalls) / sizeof(sanitizer_syscalls[0]));
#endif
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc == 0 ? VAULT_OK : vault_err_from_errno(-rc);
}
