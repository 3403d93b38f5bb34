/*
 * shim.c - a preloaded library that stands between a program and its disk.
 *
 * Counts every call that changes a file (write, pwrite, writev, pwritev, fsync,
 * fdatasync, msync, ftruncate, rename, unlink, fallocate, open with O_CREAT) on regular files and
 * directories of one part of the vault, and at the N-th one:
 *   VAULT_SHIM_KILL=N   ends the process before the call, as kill -9 would
 *   VAULT_SHIM_TEAR=N   lets half of a write through, then ends the process
 *   VAULT_SHIM_SHORT=N  lets half of a write through and says so, as write(2) may
 *   VAULT_SHIM_FAIL=N   fails it with VAULT_SHIM_ERRNO (default EIO)
 *   VAULT_SHIM_FAIL_FROM=N  fails it and every later one
 *   VAULT_SHIM_DELAY_MS=M   every sync takes M more milliseconds
 * VAULT_SHIM_PART names the program (vault-keeper, vault-front, ...); others
 * are left alone. VAULT_SHIM_COUNTER names a file of 16 bytes: the number of
 * calls so far, so that a harness knows how far N can go, and an errno with which
 * every call fails as long as it is not zero (a disk that fills up and empties).
 * Environment is read and files are opened before any sandbox.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static bool active;
static unsigned long kill_at, tear_at, short_at, fail_at, fail_from, delay_ms;
static int fail_errno = EIO;
static _Atomic uint64_t local[2];
static _Atomic uint64_t *count = &local[0];      /* calls so far; behind it the errno of the moment */

static unsigned long number(const char *name)
{
	const char *text = getenv(name);
	return text == NULL ? 0 : strtoul(text, NULL, 10);
}

__attribute__((constructor)) static void shim_start(void)
{
	const char *part = getenv("VAULT_SHIM_PART");
	if (part == NULL || strcmp(part, program_invocation_short_name) != 0)
		return;
	kill_at = number("VAULT_SHIM_KILL");
	tear_at = number("VAULT_SHIM_TEAR");
	short_at = number("VAULT_SHIM_SHORT");
	fail_at = number("VAULT_SHIM_FAIL");
	fail_from = number("VAULT_SHIM_FAIL_FROM");
	delay_ms = number("VAULT_SHIM_DELAY_MS");
	if (number("VAULT_SHIM_ERRNO") != 0)
		fail_errno = (int)number("VAULT_SHIM_ERRNO");
	const char *path = getenv("VAULT_SHIM_COUNTER");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		void *p = mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED)
			count = p;
		(void)close(fd);
	}
	active = true;
}

static bool is_file(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

enum verdict { GO, FAIL, TEAR, SHORTEN };

/* The next call's number, and what becomes of it. */
static enum verdict step(void)
{
	uint64_t n = atomic_fetch_add(count, 1) + 1;
	if (n == kill_at)
		_exit(137);
	if (n == tear_at)
		return TEAR;
	if (n == short_at)
		return SHORTEN;
	int now = (int)atomic_load(count + 1);
	if (now != 0) {
		errno = now;
		return FAIL;
	}
	if (n == fail_at || (fail_from != 0 && n >= fail_from)) {
		errno = fail_errno;
		return FAIL;
	}
	return GO;
}

static void slow(void)
{
	if (delay_ms == 0)
		return;
	struct timespec t = {.tv_sec = (time_t)(delay_ms / 1000), .tv_nsec = (long)(delay_ms % 1000) * 1000000};
	(void)nanosleep(&t, NULL);
}

#define REAL(type, name, ...) \
	static type (*real)(__VA_ARGS__); \
	if (real == NULL) \
		*(void **)(&real) = dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *p, size_t n)
{
	REAL(ssize_t, "write", int, const void *, size_t);
	if (active && is_file(fd)) {
		enum verdict v = step();
		if (v == TEAR) {
			(void)real(fd, p, n / 2);
			_exit(137);
		}
		if (v == FAIL)
			return -1;
		if (v == SHORTEN)
			n = (n + 1) / 2;
	}
	return real(fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
	if (active && is_file(fd)) {
		enum verdict v = step();
		if (v == TEAR) {
			(void)real(fd, p, n / 2, at);
			_exit(137);
		}
		if (v == FAIL)
			return -1;
		if (v == SHORTEN)
			n = (n + 1) / 2;
	}
	return real(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return pwrite(fd, p, n, at);
}

/* Vectors are torn after their first half of elements. */
ssize_t writev(int fd, const struct iovec *v, int n)
{
	REAL(ssize_t, "writev", int, const struct iovec *, int);
	if (active && is_file(fd)) {
		enum verdict w = step();
		if (w == TEAR) {
			(void)real(fd, v, n > 1 ? n / 2 : n);
			_exit(137);
		}
		if (w == FAIL)
			return -1;
		if (w == SHORTEN)
			n = (n + 1) / 2;
	}
	return real(fd, v, n);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
	if (active && is_file(fd)) {
		enum verdict w = step();
		if (w == TEAR) {
			(void)real(fd, v, n > 1 ? n / 2 : n, at);
			_exit(137);
		}
		if (w == FAIL)
			return -1;
		if (w == SHORTEN)
			n = (n + 1) / 2;
	}
	return real(fd, v, n, at);
}

ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t at)
{
	return pwritev(fd, v, n, at);
}

#define SYNC(name) \
	int name(int fd) \
	{ \
		REAL(int, #name, int); \
		if (active && is_file(fd)) { \
			slow(); \
			if (step() == FAIL) \
				return -1; \
		} \
		return real(fd); \
	}
SYNC(fsync)
SYNC(fdatasync)

int msync(void *p, size_t n, int flags)
{
	REAL(int, "msync", void *, size_t, int);
	if (active) {
		slow();
		if (step() == FAIL)
			return -1;
	}
	return real(p, n, flags);
}

int ftruncate(int fd, off_t n)
{
	REAL(int, "ftruncate", int, off_t);
	if (active && is_file(fd) && step() == FAIL)
		return -1;
	return real(fd, n);
}

int ftruncate64(int fd, off_t n)
{
	return ftruncate(fd, n);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
	REAL(int, "fallocate", int, int, off_t, off_t);
	if (active && is_file(fd) && step() == FAIL)
		return -1;
	return real(fd, mode, at, n);
}

int fallocate64(int fd, int mode, off_t at, off_t n)
{
	return fallocate(fd, mode, at, n);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	REAL(int, "renameat", int, const char *, int, const char *);
	if (active && step() == FAIL)
		return -1;
	return real(from_dir, from, to_dir, to);
}

int unlinkat(int dir, const char *path, int flags)
{
	REAL(int, "unlinkat", int, const char *, int);
	if (active && step() == FAIL)
		return -1;
	return real(dir, path, flags);
}

int openat(int dir, const char *path, int flags, ...)
{
	REAL(int, "openat", int, const char *, int, ...);
	va_list args;
	va_start(args, flags);
	mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (active && (flags & O_CREAT) != 0 && step() == FAIL)
		return -1;
	return real(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	return openat(dir, path, flags, mode);
}
