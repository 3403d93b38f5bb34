/*
 * test_sandbox.c - a forbidden system call kills the sandboxed process, an
 * allowed one does not, and files outside the given directories are out of reach.
 *
 * Every case runs in a child that enters a real sandbox.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox.h"
#include "sandbox/steps.h"

typedef const int *(*list_fn)(size_t *n);
typedef int (*action_fn)(int dir_fd);

struct part {
	const char *name;
	list_fn list;
};
static const struct part keeper = { "keeper", sandbox_keeper_syscalls };
static const struct part exporter = { "exporter", sandbox_exporter_syscalls };
static const struct part front = { "front", sandbox_front_syscalls };

/* Runs action in a sandboxed child; the wait status comes back. */
static int run(const struct part *part, action_fn action, uint32_t *bits)
{
	char path[] = "/tmp/vault-sandbox-XXXXXX";
	int report[2];
	uint32_t on = 0;
	int status = 0;

	assert_non_null(mkdtemp(path));
	assert_int_equal(pipe(report), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct sandbox_dir dirs[] = { { .fd = dir, .write = true } };
		struct sandbox s = { .part = part->name, .dirs = dirs, .n_dirs = 1 };
		s.syscalls = part->list(&s.n_syscalls);
		if (sandbox_enter(&s, &on) != VAULT_OK)
			_exit(99);
		if (write(report[1], &on, sizeof(on)) != sizeof(on))
			_exit(98);
		syscall(SYS_exit_group, action(dir));
	}
	assert_int_equal(close(report[1]), 0);
	assert_int_equal(read(report[0], &on, sizeof(on)), sizeof(on));
	assert_int_equal(close(report[0]), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
	if (bits != NULL)
		*bits = on;
	return status;
}

#ifndef SANDBOX_SANITIZED
static pid_t this_test;         /* this test's own process, for its children */
#endif

static int do_nothing(int dir)
{
	(void)dir;
	return 0;
}

static int do_socket(int dir)
{
	(void)dir;
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) >= 0 ? 1 : 2;
}

static int do_connect(int dir)
{
	struct sockaddr address = { .sa_family = AF_UNSPEC };

	return syscall(SYS_connect, dir, &address, sizeof(address)) == 0 ? 1 : 2;
}

static int do_execve(int dir)
{
	char *argv[] = { NULL };

	(void)dir;
	return (int)syscall(SYS_execve, "/bin/true", argv, argv) == 0 ? 1 : 2;
}

static int do_fork(int dir)
{
	(void)dir;
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0) >= 0 ? 1 : 2;
}

static int do_ptrace(int dir)
{
	(void)dir;
	return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0 ? 1 : 2;
}

static int do_kill(int dir)
{
	(void)dir;
	return syscall(SYS_kill, 1, 0) == 0 ? 1 : 2;
}

static int do_bind(int dir)
{
	return syscall(SYS_bind, dir, NULL, 0) == 0 ? 1 : 2;
}

#ifndef SANDBOX_SANITIZED
static int do_openat(int dir)
{
	return syscall(SYS_openat, dir, "x", O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0 ? 1 : 2;
}
#endif

/* 0: the file inside works and the file outside is refused. */
static int do_files(int dir)
{
	int fd = openat(dir, "inside", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || unlinkat(dir, "inside", 0) != 0)
		return 1;
	if (openat(AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return 2;
	return openat(dir, "../escape", O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0 ? 3 : 0;
}

#ifndef SANDBOX_SANITIZED
/* An intruder's own code: written, then made executable. */
static int do_code(int dir)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)dir;
	return page == MAP_FAILED ? 3 : mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? 1 : 2;
}

static int do_map_code(int dir)
{
	(void)dir;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ? 1 : 2;
}

/* Keys typed into the terminal that the vault was started from. */
static int do_type(int dir)
{
	char c = 'x';

	(void)dir;
	return syscall(SYS_ioctl, 2, TIOCSTI, &c) == 0 ? 1 : 2;
}

static int do_others_limits(int dir)
{
	struct rlimit r;

	(void)dir;
	return syscall(SYS_prlimit64, this_test, RLIMIT_NOFILE, NULL, &r) == 0 ? 1 : 2;
}
#endif

static void *thread_body(void *arg)
{
	*(int *)arg = 0;
	return NULL;
}

static int do_thread(int dir)
{
	pthread_t thread;
	int result = 1;

	(void)dir;
	if (pthread_create(&thread, NULL, thread_body, &result) != 0 || pthread_join(thread, NULL) != 0)
		return 2;
	return result;
}

static void assert_killed(const struct part *part, action_fn action)
{
	int status = run(part, action, NULL);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void assert_clean(const struct part *part, action_fn action)
{
	int status = run(part, action, NULL);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_keeper_forbidden_call_kills(void **state)
{
	static const action_fn actions[] = { do_socket, do_connect, do_execve, do_fork, do_ptrace, do_kill, do_bind };

	(void)state;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		assert_killed(&keeper, actions[i]);
}

static void test_exporter_forbidden_call_kills(void **state)
{
	static const action_fn actions[] = { do_socket, do_connect, do_execve, do_fork, do_ptrace, do_kill, do_bind };

	(void)state;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		assert_killed(&exporter, actions[i]);
#ifndef SANDBOX_SANITIZED
	assert_killed(&exporter, do_openat);
#endif
}

static void test_front_forbidden_call_kills(void **state)
{
	static const action_fn actions[] = { do_socket, do_connect, do_execve, do_fork, do_ptrace, do_kill, do_bind };

	(void)state;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		assert_killed(&front, actions[i]);
}

#ifndef SANDBOX_SANITIZED
static void test_no_new_code_and_no_others(void **state)
{
	static const struct part *const parts[] = { &keeper, &front, &exporter };

	(void)state;
	this_test = getpid();
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		assert_killed(parts[i], do_code);
		assert_killed(parts[i], do_map_code);
		assert_killed(parts[i], do_type);
		assert_killed(parts[i], do_others_limits);
	}
}
#endif

static void test_allowed_calls_go_on(void **state)
{
	(void)state;
	assert_clean(&keeper, do_nothing);
	assert_clean(&exporter, do_nothing);
	assert_clean(&front, do_thread);
}

static void test_files_only_in_own_directories(void **state)
{
	uint32_t bits = 0;

	(void)state;
	(void)run(&keeper, do_nothing, &bits);
	if ((bits & PROTECT_LANDLOCK) == 0)
		skip();
	assert_clean(&keeper, do_files);
	assert_clean(&front, do_files);
}

static void test_bits_are_reported(void **state)
{
	uint32_t bits = 0;
	char text[128];

	(void)state;
	(void)run(&keeper, do_nothing, &bits);
	assert_true((bits & PROTECT_SECCOMP) != 0);
	assert_true((bits & PROTECT_NO_NEW_PRIVS) != 0);
	assert_true((bits & PROTECT_UNDUMPABLE) != 0);
	assert_true((bits & PROTECT_NO_CORE) != 0);
	assert_true((bits & PROTECT_OWN_USER) == 0);
	sandbox_describe(PROTECT_NO_NEW_PRIVS | PROTECT_SECCOMP, text, sizeof(text));
	assert_string_equal(text, "no-new-privs seccomp");
	sandbox_describe(PROTECT_ALL, text, 20);
	assert_string_equal(text, "no-new-privs");
	sandbox_describe(0, text, sizeof(text));
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeper_forbidden_call_kills),
		cmocka_unit_test(test_exporter_forbidden_call_kills),
		cmocka_unit_test(test_front_forbidden_call_kills),
#ifndef SANDBOX_SANITIZED
		cmocka_unit_test(test_no_new_code_and_no_others),
#endif
		cmocka_unit_test(test_allowed_calls_go_on),
		cmocka_unit_test(test_files_only_in_own_directories),
		cmocka_unit_test(test_bits_are_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
