/*
 * sandbox.h - what a process may do, one screen per process.
 *
 * sandbox_enter applies in order: no-new-privs, undumpable, RLIMIT_CORE 0,
 * own user (when root and uid > 0), Landlock (only the given directories),
 * seccomp allow-list (anything else kills the process). Called once, after
 * everything is open and before the first byte from a peer is read.
 */
#ifndef VAULT_SANDBOX_H
#define VAULT_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vault/error.h>

#define PROTECT_NO_NEW_PRIVS 1u
#define PROTECT_UNDUMPABLE 2u
#define PROTECT_NO_CORE 4u
#define PROTECT_OWN_USER 8u
#define PROTECT_LANDLOCK 16u
#define PROTECT_SECCOMP 32u
#define PROTECT_ALL 63u

struct sandbox_dir {
	int fd;                      /* directory */
	bool write;                  /* create, write, remove inside; else read only */
};

struct sandbox {
	const char *part;            /* "keeper", "exporter", "front" */
	uid_t uid;                   /* 0: stay */
	gid_t gid;
	const struct sandbox_dir *dirs;
	size_t n_dirs;
	const int *syscalls;         /* allow-list of syscall numbers (SCMP_SYS) */
	size_t n_syscalls;
	bool tcp;                    /* false: Landlock also forbids TCP bind and connect where the kernel can */
};

/* *on gets the PROTECT_* bits that hold. A step that fails is left out of *on; the caller decides. */
VAULT_NODISCARD vault_err sandbox_enter(const struct sandbox *s, uint32_t *on);
/* "no-new-privs undumpable ..." for status output. */
void sandbox_describe(uint32_t bits, char *out, size_t cap);

/* The allow-lists, each in its own short file: sandbox_keeper.c, sandbox_exporter.c, sandbox_front.c. */
const int *sandbox_keeper_syscalls(size_t *n);
const int *sandbox_exporter_syscalls(size_t *n);
const int *sandbox_front_syscalls(size_t *n);

#endif
