/*
 * attack_exporters.c - the pool under attack: no descriptors left for a new
 * spare, and an exporter that will not end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/message.h"
#include "supervisor/exporters.h"

static pid_t sleeper(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid)
{
	int status;

	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* The job is served and the vault goes on, though no further spare can be started now. */
static void test_no_descriptors_for_a_spare(void **state)
{
	const struct part_user nobody = { .own = false };
	struct exporters x;
	struct rlimit old, tight;
	int keeper[2], front[2], data[2], key[2];

	(void)state;
	exporters_init(&x, -1, &nobody);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, front), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, key), 0);
	pid_t pid = sleeper();
	x.slot[0] = (struct exporter_slot){ .pid = pid, .data_fd = data[0], .key_fd = key[0] };
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	vault_err err = exporters_spawn(&x, 7, keeper[0], front[0]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(err, VAULT_OK);
	assert_int_equal(x.slot[0].job, 7);
	assert_int_equal(exporters_running(&x), 1);
	end(pid);
	for (int i = 0; i < 2; i++) {
		(void)close(keeper[i]);
		(void)close(front[i]);
	}
	(void)close(data[1]);
	(void)close(key[1]);
}

/* Killed when it outlived every job, not before; a spare may wait for ever. */
static void test_an_exporter_that_does_not_end(void **state)
{
	const struct part_user nobody = { .own = false };
	struct exporters x;
	uint64_t now = clock_mono_ms();
	int status = 0;

	(void)state;
	exporters_init(&x, -1, &nobody);
	pid_t old = sleeper(), spare = sleeper();
	x.slot[0] = (struct exporter_slot){ .pid = old, .job = 1, .since_ms = now, .data_fd = -1, .key_fd = -1 };
	x.slot[1] = (struct exporter_slot){ .pid = spare, .data_fd = -1, .key_fd = -1 };
	exporters_expire(&x, now + EXPORTER_LIFE_MS - 1);
	assert_int_equal(waitpid(old, &status, WNOHANG), 0);
	exporters_expire(&x, now + EXPORTER_LIFE_MS);
	assert_int_equal(waitpid(old, &status, 0), old);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(waitpid(spare, &status, WNOHANG), 0);
	end(spare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_descriptors_for_a_spare),
		cmocka_unit_test(test_an_exporter_that_does_not_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
