/*
 * landlock.c - file and network rules by raw system calls.
 *
 * The structures are the kernel's newest ones (ABI 6); older kernels get the
 * part they know, by ABI version. Applies to the calling thread and what it
 * starts later: call it before the first thread is made.
 */
#include "sandbox/steps.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* uapi/linux/landlock.h of newer kernels than the build machine's headers. */
struct ruleset_attr {
	uint64_t fs;
	uint64_t net;             /* ABI 4 */
	uint64_t scoped;          /* ABI 6 */
};
struct path_attr {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

#define RULE_PATH 1
#define CREATE_VERSION 1u

#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_REMOVE_DIR (1ull << 4)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_DIR (1ull << 7)
#define FS_MAKE_REG (1ull << 8)
#define FS_REFER (1ull << 13)            /* rename into another directory: the audit log files its full journal */
#define FS_TRUNCATE (1ull << 14)
#define FS_ABI_1 ((1ull << 13) - 1)
#define FS_ABI_2 FS_REFER
#define FS_ABI_3 FS_TRUNCATE
#define FS_ABI_5 (1ull << 15)
#define NET_BIND_CONNECT 3ull
#define SCOPE_ABSTRACT_UNIX_AND_SIGNAL 3ull

#define FS_READ (FS_READ_FILE | FS_READ_DIR)
#define FS_CHANGE \
	(FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE)

static long abi_version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_VERSION);
}

static vault_err add_dir(int ruleset, const struct sandbox_dir *dir, uint64_t handled)
{
	struct path_attr attr = { .fd = dir->fd, .allowed = FS_READ | (dir->write ? FS_CHANGE : 0) };

	attr.allowed &= handled;
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &attr, 0u) != 0)
		return vault_err_from_errno(errno);
	return VAULT_OK;
}

vault_err landlock_enter(const struct sandbox *s)
{
	long abi = abi_version();
	struct ruleset_attr attr = { .fs = FS_ABI_1 };
	size_t size = sizeof(attr.fs);
	vault_err err = VAULT_OK;

	if (abi < 1)
		return VAULT_E_UNSUPPORTED;
	if (abi >= 2)
		attr.fs |= FS_ABI_2;
	if (abi >= 3)
		attr.fs |= FS_ABI_3;
	if (abi >= 4) {
		size = offsetof(struct ruleset_attr, scoped);
		attr.net = s->tcp ? 0 : NET_BIND_CONNECT;
	}
	if (abi >= 5)
		attr.fs |= FS_ABI_5;
	if (abi >= 6) {
		size = sizeof(attr);
		attr.scoped = SCOPE_ABSTRACT_UNIX_AND_SIGNAL;
	}

	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0u);
	if (ruleset < 0)
		return vault_err_from_errno(errno);
	for (size_t i = 0; i < s->n_dirs && err == VAULT_OK; i++)
		err = add_dir(ruleset, &s->dirs[i], attr.fs);
	if (err == VAULT_OK && syscall(SYS_landlock_restrict_self, ruleset, 0u) != 0)
		err = vault_err_from_errno(errno);
	if (close(ruleset) != 0 && err == VAULT_OK)
		err = VAULT_E_IO;
	return err;
}
