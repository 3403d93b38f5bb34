/*
 * test_process.c - the program vault-keeper itself: descriptors, CONFIGURE,
 * sandbox, READY, FINISH, and the refusals at start (R33).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/sign.h"
#include "ipc/message.h"
#include "sandbox/sandbox.h"
#include "token/jws.h"

struct process {
	pid_t pid;
	int front, supervisor;
};

static char dir[64];
static struct sign_key *key;
static uint8_t packet[IPC_MAX];

static int group_setup(void **state)
{
	static const char *const names[] = { "keys", "root", "audit" };
	char path[128];

	(void)state;
	assert_int_equal(secret_setup(), VAULT_OK);
	memcpy(dir, "/tmp/vault-process-XXXXXX", 26);
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	key = secret_alloc(sizeof(*key));
	assert_non_null(key);
	assert_int_equal(sign_key_new(key), VAULT_OK);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int group_teardown(void **state)
{
	(void)state;
	secret_free(key);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int open_dir(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void start(struct process *p)
{
	int front[2], supervisor[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, front), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, supervisor), 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0) {
		/* Out of the way first, so that no dup2 overwrites one that is still needed. */
		const int from[] = { front[0], supervisor[0], open_dir("keys"), open_dir("root"), open_dir("audit") };
		int high[5];
		for (int i = 0; i < 5; i++)
			high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 50);
		for (int i = 0; i < 5; i++)
			if (high[i] < 0 || dup2(high[i], 3 + i) < 0)
				_exit(97);
		execl(KEEPER_PROGRAM, "vault-keeper", (char *)NULL);
		_exit(98);
	}
	assert_int_equal(close(front[0]), 0);
	assert_int_equal(close(supervisor[0]), 0);
	p->front = front[1];
	p->supervisor = supervisor[1];
}

static struct ipc_packet configure(struct process *p, const char *pass)
{
	static struct ipc_configure c;
	struct ipc_packet got;
	size_t n;

	c = (struct ipc_configure){ .create = 1, .sweep_s = 1, .root_ok_cow = 1, .origin = "vault.example/process" };
	memcpy(c.first_operator, key->pub, 32);
	memcpy(c.first_age, key->age_pub, 32);
	c.pass_len = (uint16_t)strlen(pass);
	memcpy(c.pass, pass, c.pass_len);
	n = ipc_configure_encode(packet, 0, &c);
	assert_int_equal(ipc_send(p->supervisor, packet, n, NULL), VAULT_OK);
	assert_int_equal(ipc_recv(p->supervisor, packet, &n, NULL), VAULT_OK);
	assert_int_equal(ipc_parse(&got, packet, n, LINK_SUPERVISOR, FROM_KEEPER), VAULT_OK);
	return got;
}

static int finish(struct process *p)
{
	int status = 0;

	(void)close(p->front);
	(void)close(p->supervisor);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	return status;
}

static void ask_status(struct process *p, const vault_id *vault)
{
	struct ipc_packet got;
	struct ipc_answer answer;
	json_t *args = json_object();
	char *token;
	size_t n;

	assert_int_equal(jws_sign(key, vault, "status", args, clock_wall_ms() / 1000, 60, &token), VAULT_OK);
	const struct ipc_command m = { .token = token, .token_len = (uint32_t)strlen(token) };
	n = ipc_command_encode(packet, 5, &m);
	assert_int_equal(ipc_send(p->front, packet, n, NULL), VAULT_OK);
	assert_int_equal(ipc_recv(p->front, packet, &n, NULL), VAULT_OK);
	assert_int_equal(ipc_parse(&got, packet, n, LINK_FRONT, FROM_KEEPER), VAULT_OK);
	assert_int_equal(ipc_answer_decode(&answer, &got), VAULT_OK);
	assert_int_equal(answer.status, 200);
	assert_non_null(memmem(answer.json, answer.json_len, "seccomp", 7));
	free(token);
	json_decref(args);
}

static void test_life_of_the_process(void **state)
{
	const uint32_t needed = PROTECT_NO_NEW_PRIVS | PROTECT_UNDUMPABLE | PROTECT_NO_CORE | PROTECT_LANDLOCK | PROTECT_SECCOMP;
	struct process p, second;
	struct ipc_packet got;
	struct ipc_ready ready;

	(void)state;
	start(&p);
	got = configure(&p, "a passphrase");
	assert_int_equal(got.type, IPC_READY);
	assert_int_equal(ipc_ready_decode(&ready, &got), VAULT_OK);
	assert_int_equal(ready.fresh, 1);
	assert_int_equal(ready.protections & needed, needed);
	ask_status(&p, &ready.vault);
	/* A second keeper on the same directories is turned away. */
	start(&second);
	got = configure(&second, "a passphrase");
	assert_int_equal(got.type, IPC_FAILED);
	assert_true(WIFEXITED(finish(&second)));
	/* The first goes on. */
	ask_status(&p, &ready.vault);
	size_t n = ipc_seal(packet, IPC_FINISH, 0, 0);
	assert_int_equal(ipc_send(p.supervisor, packet, n, NULL), VAULT_OK);
	ask_status(&p, &ready.vault);
	int status = finish(&p);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_wrong_passphrase_is_refused(void **state)
{
	struct process p;
	struct ipc_packet got;
	char text[1024];

	(void)state;
	start(&p);
	got = configure(&p, "another passphrase");
	assert_int_equal(got.type, IPC_FAILED);
	assert_int_equal(ipc_failed_decode(&got, text), VAULT_OK);
	assert_true(strlen(text) > 10);
	int status = finish(&p);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	start(&p);
	got = configure(&p, "a passphrase");
	assert_int_equal(got.type, IPC_READY);
	(void)finish(&p);
}

/* R35: entries were taken from the log while the vault was down. */
static void test_r35_shortened_log_is_refused(void **state)
{
	struct process p;
	struct ipc_packet got;
	char text[1024], path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/audit/journal", dir);
	assert_int_equal(truncate(path, 10), 0);
	start(&p);
	got = configure(&p, "a passphrase");
	assert_int_equal(got.type, IPC_FAILED);
	assert_int_equal(ipc_failed_decode(&got, text), VAULT_OK);
	assert_non_null(strstr(text, "shorter"));
	(void)finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_the_process),
		cmocka_unit_test(test_wrong_passphrase_is_refused),
		cmocka_unit_test(test_r35_shortened_log_is_refused),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
