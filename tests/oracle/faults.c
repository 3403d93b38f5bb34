/*
 * faults.c - see faults.h. One thread.
 *
 * The power-cut model keeps what each unsynced write replaced, and puts it back
 * when the process dies. A descriptor with O_DSYNC (LMDB's meta pages) needs no
 * sync.
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define UNDO_MAX 4096u

struct undo {
	int fd;
	ino_t ino;
	off_t at;
	size_t n;
	uint8_t *old;
};

static struct {
	bool armed;
	unsigned left;
	enum fault_mode mode;
	uint64_t seed;
	struct undo undo[UNDO_MAX];
	unsigned undos;
	size_t disk;                 /* free bytes; see faults_disk */
} state = {.disk = SIZE_MAX};

static ssize_t real_pwrite(int fd, const void *p, size_t n, off_t at)
{
	return syscall(SYS_pwrite64, fd, p, n, at);
}

void faults_arm(unsigned n, enum fault_mode mode, uint64_t seed)
{
	state.armed = true;
	state.left = n;
	state.mode = mode;
	state.seed = seed;
	state.undos = 0;
}

void faults_disarm(void)
{
	state.armed = false;
}

void faults_disk(size_t bytes)
{
	state.disk = bytes;
}

/* Takes the space by which a file grows when it reaches to end. */
static bool disk_take(int fd, off_t end)
{
	struct stat st;

	if (state.disk == SIZE_MAX || fstat(fd, &st) != 0 || end <= st.st_size)
		return true;
	size_t grow = (size_t)(end - st.st_size);
	if (grow > state.disk) {
		errno = ENOSPC;
		return false;
	}
	state.disk -= grow;
	return true;
}

static bool chance(void)
{
	state.seed = state.seed * 6364136223846793005u + 1442695040888963407u;
	return (state.seed >> 40) % 2 == 0;
}

static void die(void)
{
	if (state.mode == FAULT_POWER || state.mode == FAULT_POWER_SOME) {
		for (unsigned i = state.undos; i-- > 0;) {
			const struct undo *u = &state.undo[i];
			if (state.mode == FAULT_POWER || chance())
				(void)real_pwrite(u->fd, u->old, u->n, u->at);
		}
	}
	_exit(FAULT_EXIT);
}

/* Counts one call; true when it is the last one. */
static bool last_call(void)
{
	if (!state.armed || --state.left != 0)
		return false;
	if (state.mode != FAULT_TORN)
		die();
	return true;
}

static void remember(int fd, size_t n, off_t at)
{
	struct stat st;

	if (!state.armed || fcntl(fd, F_GETFL) < 0 || (fcntl(fd, F_GETFL) & O_DSYNC) != 0 || fstat(fd, &st) != 0 ||
	    !S_ISREG(st.st_mode))
		return;
	if (state.undos == UNDO_MAX)
		abort();
	struct undo *u = &state.undo[state.undos++];
	*u = (struct undo){.fd = fd, .ino = st.st_ino, .at = at, .n = n, .old = calloc(1, n + 1)};
	if (u->old == NULL)
		abort();
	/* LMDB's descriptor can be read; a part beyond the end was zeros or nothing. */
	(void)syscall(SYS_pread64, fd, u->old, n, at);
}

static void synced(int fd)
{
	struct stat st;
	unsigned kept = 0;

	if (!state.armed || fstat(fd, &st) != 0)
		return;
	for (unsigned i = 0; i < state.undos; i++) {
		if (state.undo[i].ino == st.st_ino)
			free(state.undo[i].old);
		else
			state.undo[kept++] = state.undo[i];
	}
	state.undos = kept;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (last_call()) {
		(void)real_pwrite(fd, p, n / 2, at);
		die();
	}
	if (!disk_take(fd, at + (off_t)n))
		return -1;
	remember(fd, n, at);
	return real_pwrite(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at);
ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return pwrite(fd, p, n, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
	if (fd <= 2)
		return syscall(SYS_write, fd, p, n);
	if (last_call()) {
		(void)syscall(SYS_write, fd, p, n / 2);
		die();
	}
	return syscall(SYS_write, fd, p, n);
}

ssize_t writev(int fd, const struct iovec *v, int count)
{
	size_t n = 0;

	for (int i = 0; i < count; i++)
		n += v[i].iov_len;
	if (last_call()) {
		(void)syscall(SYS_writev, fd, v, count / 2);
		die();
	}
	off_t at = lseek(fd, 0, SEEK_CUR);
	if (!disk_take(fd, at + (off_t)n))
		return -1;
	remember(fd, n, at);
	return syscall(SYS_writev, fd, v, count);
}

int ftruncate(int fd, off_t n)
{
	struct stat st;

	if (last_call())
		die();
	if (state.disk != SIZE_MAX && fstat(fd, &st) == 0 && st.st_size > n)
		state.disk += (size_t)(st.st_size - n);
	return (int)syscall(SYS_ftruncate, fd, n);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
	if (last_call())
		die();
	if (!disk_take(fd, at + n))
		return -1;
	return (int)syscall(SYS_fallocate, fd, mode, at, n);
}

int fsync(int fd)
{
	if (last_call())
		die();
	int rc = (int)syscall(SYS_fsync, fd);
	synced(fd);
	return rc;
}

int fdatasync(int fd)
{
	if (last_call())
		die();
	int rc = (int)syscall(SYS_fdatasync, fd);
	synced(fd);
	return rc;
}
