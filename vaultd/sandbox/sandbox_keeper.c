/*
 * sandbox_keeper.c - every system call the keeper may make. Files of
 * its three directories, packets on inherited links, memory, time. No call that
 * makes a socket, a process or a thread is here.
 */
#include <seccomp.h>

#include "sandbox/sandbox.h"

static const int calls[] = {
	/* packets on links that exist already */
	SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(close),
	/* files */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(preadv), SCMP_SYS(pwritev),
	SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(openat), SCMP_SYS(unlinkat), SCMP_SYS(renameat), SCMP_SYS(renameat2),
	SCMP_SYS(mkdirat), SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(lseek),
	SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fadvise64), SCMP_SYS(fcntl), SCMP_SYS(flock), SCMP_SYS(fdatasync),
	SCMP_SYS(fsync), SCMP_SYS(msync), SCMP_SYS(getdents64), SCMP_SYS(fchdir), SCMP_SYS(fchmod),
	/* memory */
	SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock),
	SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(brk),
	/* time, randomness, waiting, ending */
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(clock_nanosleep), SCMP_SYS(getrandom), SCMP_SYS(futex),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

const int *sandbox_keeper_syscalls(size_t *n)
{
	*n = sizeof(calls) / sizeof(calls[0]);
	return calls;
}
