/*
 * sandbox_exporter.c - every system call the exporter may make. It
 * reads, writes, computes and ends; there is no file and no socket to be made.
 */
#include <seccomp.h>

#include "sandbox/sandbox.h"

static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(close),
	SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock),
	SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(brk),
	SCMP_SYS(getrandom), SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

const int *sandbox_exporter_syscalls(size_t *n)
{
	*n = sizeof(calls) / sizeof(calls[0]);
	return calls;
}
