/*
 * fixture.c - see fixture.h.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sodium.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "crypto/age.h"
#include "token/jws.h"

static int open_dir(const char *base, const char *name)
{
	char path[128];

	assert_true(snprintf(path, sizeof(path), "%s/%s", base, name) < (int)sizeof(path));
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void make_links(struct fixture *f)
{
	int a[2], b[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, b), 0);
	link_init(&f->k->front, a[0], LINK_FRONT);
	link_init(&f->k->supervisor, b[0], LINK_SUPERVISOR);
	f->front = a[1];
	f->supervisor = b[1];
}

vault_err fixture_start(struct fixture *f, const char **why)
{
	struct keeper_options o = { .keys_fd = f->keys_fd, .root_fd = f->root_fd, .audit_fd = f->audit_fd,
		.configure = &f->configure };
	bool fresh;
	vault_err err = keeper_open(&f->k, &o, &fresh, why);

	if (err == VAULT_OK)
		make_links(f);
	return err;
}

/* One clock file for all fixtures of the process: it is opened once and for all. */
static void use_clock(struct fixture *f)
{
	static int clock_fd = -1;

#ifdef VAULT_TEST_HOOKS
	char path[] = "/tmp/vault-keeper-clock-XXXXXX";

	if (clock_fd < 0) {
		clock_fd = mkstemp(path);
		assert_true(clock_fd >= 0);
		assert_int_equal(setenv("VAULT_TEST_CLOCK", path, 1), 0);
		assert_int_equal(setenv("VAULT_TEST_CLOCK_TRUST", "1", 1), 0);
		clock_init();
		assert_int_equal(unlink(path), 0);
	}
#endif
	f->clock_fd = clock_fd;
	if (clock_fd >= 0)
		fixture_clock(f, 0);
}

bool fixture_has_clock(const struct fixture *f)
{
	return f->clock_fd >= 0;
}

void fixture_clock(struct fixture *f, int64_t seconds)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%lld\n", (long long)seconds);

	assert_int_equal(ftruncate(f->clock_fd, 0), 0);
	assert_int_equal(pwrite(f->clock_fd, text, (size_t)n, 0), n);
}

struct fixture *fixture_bare(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *why = "";

	assert_non_null(f);
	assert_int_equal(secret_setup(), VAULT_OK);
	memcpy(f->dir, "/tmp/vault-keeper-XXXXXX", 25);
	assert_non_null(mkdtemp(f->dir));
	use_clock(f);
	f->keys_fd = open_dir(f->dir, "keys");
	f->root_fd = open_dir(f->dir, "root");
	f->audit_fd = open_dir(f->dir, "audit");
	for (int i = 0; i < PEOPLE; i++) {
		f->key[i] = secret_alloc(sizeof(*f->key[i]));
		assert_non_null(f->key[i]);
		assert_int_equal(sign_key_new(f->key[i]), VAULT_OK);
		vault_kid_of(f->key[i]->pub, f->kid[i]);
	}
	f->configure = (struct ipc_configure){ .create = 1, .sweep_s = 1, .root_ok_cow = 1 };
	memcpy(f->configure.first_operator, f->key[OPERATOR]->pub, 32);
	memcpy(f->configure.first_age, f->key[OPERATOR]->age_pub, 32);
	strncpy(f->configure.origin, "vault.example/test", sizeof(f->configure.origin) - 1);
	vault_err err = fixture_start(f, &why);
	if (err != VAULT_OK)
		fail_msg("keeper_open: %d %s", (int)err, why);
	return f;
}

static void stop(struct fixture *f)
{
	assert_int_equal(close(f->front), 0);
	assert_int_equal(close(f->supervisor), 0);
	keeper_close(f->k);
	f->k = NULL;
	f->pushes = 0;
	f->shredded_len = 0;
}

void fixture_kill(struct fixture *f)
{
	f->k->fatal = true;               /* keeper_close then writes nothing */
	stop(f);
}

void fixture_restart(struct fixture *f)
{
	const char *why = "";

	if (f->k != NULL)
		stop(f);
	vault_err err = fixture_start(f, &why);
	if (err != VAULT_OK)
		fail_msg("keeper_open: %d %s", (int)err, why);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void fixture_free(struct fixture *f)
{
	if (f->k != NULL)
		stop(f);
	for (int i = 0; i < PEOPLE; i++)
		secret_free(f->key[i]);
	(void)close(f->keys_fd);
	(void)close(f->root_fd);
	(void)close(f->audit_fd);
	if (f->clock_fd >= 0)
		fixture_clock(f, 0);
	(void)nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
}

void fixture_send(struct fixture *f, const uint8_t *packet, size_t n)
{
	assert_int_equal(ipc_send(f->front, packet, n, NULL), VAULT_OK);
}

static void keep_push(struct fixture *f, const uint8_t *packet, size_t n)
{
	struct ipc_packet p;

	assert_int_equal(ipc_parse(&p, packet, n, LINK_FRONT, FROM_KEEPER), VAULT_OK);
	if (p.type == IPC_SHREDDED) {
		memcpy(f->shredded, packet, n);
		f->shredded_len = n;
	} else if (n <= sizeof(f->push[0]) && f->pushes < 64) {
		memcpy(f->push[f->pushes], packet, n);
		f->push_len[f->pushes++] = n;
	}
}

void fixture_rounds(struct fixture *f)
{
	size_t n;

	for (int i = 0; i < 4; i++)
		assert_true(loop_round(f->k, 0));
	while (ipc_recv(f->front, f->packet, &n, NULL) == VAULT_OK)
		keep_push(f, f->packet, n);
}

bool fixture_pushed(struct fixture *f, uint16_t type, struct ipc_packet *p)
{
	if (type == IPC_SHREDDED)
		return f->shredded_len > 0 &&
		    ipc_parse(p, f->shredded, f->shredded_len, LINK_FRONT, FROM_KEEPER) == VAULT_OK;
	for (size_t i = f->pushes; i-- > 0;) {
		assert_int_equal(ipc_parse(p, f->push[i], f->push_len[i], LINK_FRONT, FROM_KEEPER), VAULT_OK);
		if (p->type == type)
			return true;
	}
	return false;
}

bool fixture_ask(struct fixture *f, size_t n, struct ipc_packet *answer)
{
	uint64_t tag = ++f->tag;

	assert_true(n >= IPC_HEADER);
	for (size_t i = 0; i < 8; i++)
		f->packet[8 + i] = (uint8_t)(tag >> (8 * i));
	fixture_send(f, f->packet, n);
	for (int round = 0; round < 4; round++) {
		size_t got;
		assert_true(loop_round(f->k, 0));
		while (ipc_recv(f->front, f->packet, &got, NULL) == VAULT_OK) {
			assert_int_equal(ipc_parse(answer, f->packet, got, LINK_FRONT, FROM_KEEPER), VAULT_OK);
			if (answer->tag == tag)
				return true;
			keep_push(f, f->packet, got);
		}
	}
	return false;
}

char *fixture_sign(struct fixture *f, enum person who, const char *cmd, json_t *args)
{
	char *token = NULL;
	json_t *empty = args == NULL ? json_object() : args;

	assert_int_equal(jws_sign(f->key[who], &f->k->vault, cmd, empty, clock_wall_ms() / 1000, 300, &token), VAULT_OK);
	json_decref(empty);
	return token;
}

unsigned fixture_token(struct fixture *f, const char *token, unsigned *kind, json_t **json)
{
	struct ipc_command m = { .listener = 1, .token = token, .token_len = (uint32_t)strlen(token) };
	struct ipc_packet p;
	struct ipc_answer a;
	json_t *got = NULL;

	assert_true(fixture_ask(f, ipc_command_encode(f->packet, 0, &m), &p));
	assert_int_equal(ipc_answer_decode(&a, &p), VAULT_OK);
	assert_int_equal(json_read(a.json, a.json_len, IPC_BODY_MAX, &got), VAULT_OK);
	if (kind != NULL)
		*kind = a.kind;
	if (json != NULL)
		*json = got;
	else
		json_decref(got);
	return a.status;
}

unsigned fixture_command(struct fixture *f, enum person who, const char *cmd, json_t *args, json_t **json)
{
	char *token = fixture_sign(f, who, cmd, args);
	unsigned status = fixture_token(f, token, NULL, json);

	free(token);
	return status;
}

unsigned fixture_pair(struct fixture *f, enum person first, enum person second, const char *cmd, json_t *args,
    json_t **json)
{
	json_t *waiting = NULL;
	unsigned status = fixture_command(f, first, cmd, args, &waiting);

	if (status != 202) {
		if (json != NULL)
			*json = waiting;
		else
			json_decref(waiting);
		return status;
	}
	json_t *approval = json_pack("{s:s}", "sha256", json_str(waiting, "pending", NULL));
	json_decref(waiting);
	return fixture_command(f, second, "approve", approval, json);
}

const char *fixture_refusal(const json_t *json)
{
	const char *name = json_str(json, "refusal", NULL);

	return name != NULL ? name : "";
}

void fixture_ok(struct fixture *f, enum person who, const char *cmd, json_t *args)
{
	json_t *json = NULL;
	unsigned status = fixture_command(f, who, cmd, args, &json);

	if (status != 200)
		fail_msg("%s: %u %s", cmd, status, fixture_refusal(json));
	json_decref(json);
}

json_t *fixture_principal(struct fixture *f, enum person who, const char *role, const char *tenant)
{
	char pub[64], age[AGE_RECIPIENT_TEXT];

	b64_encode(f->key[who]->pub, 32, B64_URL_NOPAD, pub, sizeof(pub));
	assert_int_equal(age_recipient_format(f->key[who]->age_pub, age), VAULT_OK);
	json_t *args = json_pack("{s:s, s:s, s:s}", "role", role, "public", pub, "age", age);
	if (tenant != NULL)
		json_object_set_new(args, "tenant", json_string(tenant));
	return args;
}

struct fixture *fixture_new(void)
{
	struct fixture *f = fixture_bare();

	fixture_ok(f, OPERATOR, "principal.add", fixture_principal(f, OPERATOR_2, "operator", NULL));
	fixture_ok(f, OPERATOR, "tenant.add", json_pack("{s:s}", "tenant", "alpha"));
	fixture_ok(f, OPERATOR, "tenant.add", json_pack("{s:s}", "tenant", "beta"));
	assert_int_equal(fixture_pair(f, OPERATOR, OPERATOR_2, "principal.add", fixture_principal(f, DPO, "dpo", NULL), NULL), 200);
	assert_int_equal(fixture_pair(f, OPERATOR, DPO, "principal.add", fixture_principal(f, AUDITOR, "auditor", NULL), NULL), 200);
	assert_int_equal(fixture_pair(f, OPERATOR, DPO, "principal.add", fixture_principal(f, CONTACT, "contact", "alpha"), NULL), 200);
	assert_int_equal(fixture_pair(f, DPO, OPERATOR, "principal.add", fixture_principal(f, CONTACT_B, "contact", "beta"), NULL), 200);
	return f;
}

void fixture_subscribe(struct fixture *f, const char *keep)
{
	uint8_t sha[32];
	char hex[65];

	crypto_hash_sha256(sha, (const uint8_t *)"secret-a", 8);
	hex_encode(sha, 32, hex);
	fixture_ok(f, OPERATOR, "subscribe", json_pack("{s:s, s:s}", "tenant", "alpha", "medium", "voice"));
	fixture_ok(f, CONTACT, "retention.set", json_pack("{s:s, s:s, s:s}", "tenant", "alpha", "medium", "voice", "keep", keep));
	fixture_ok(f, CONTACT, "purpose.set", json_pack("{s:s, s:[s]}", "tenant", "alpha", "purposes", "complaint"));
	fixture_ok(f, OPERATOR, "source.add", json_pack("{s:[s], s:[s, s], s:s}", "tenants", "alpha", "media", "voice", "video",
	    "secret_sha256", hex));
}

static struct ipc_cred secret_a(void)
{
	struct ipc_cred c = { .kind = CRED_SECRET, .len = 8 };

	memcpy(c.data, "secret-a", 8);
	return c;
}

void fixture_open_recording(struct fixture *f, const char *name, const char *caller, struct ipc_opened *out)
{
	struct ipc_open m = { .tenant = "alpha", .cred = secret_a(), .media = MEDIUM_VOICE };
	struct ipc_packet p;

	strncpy(m.name, name != NULL ? name : "", sizeof(m.name) - 1);
	strncpy(m.caller, caller != NULL ? caller : "", sizeof(m.caller) - 1);
	memcpy(m.meta, "{\"agent\":\"x\"}", 13);
	m.meta_len = 13;
	assert_true(fixture_ask(f, ipc_open_encode(f->packet, 0, &m), &p));
	assert_int_equal(ipc_opened_decode(out, &p), VAULT_OK);
}

void fixture_grant(struct fixture *f, const vault_id *id, uint64_t start_us, struct ipc_grant *out)
{
	const struct ipc_segment m = { .id = *id, .start_us = start_us };
	struct ipc_packet p;

	assert_true(fixture_ask(f, ipc_segment_encode(f->packet, 0, &m), &p));
	assert_int_equal(ipc_grant_decode(out, &p), VAULT_OK);
}

uint32_t fixture_close_recording(struct fixture *f, const vault_id *id, uint32_t flags, uint32_t segments, uint64_t bytes)
{
	const struct ipc_close m = { .id = *id, .flags = flags, .segments = segments, .bytes = bytes, .duration_us = 1000000 };
	struct ipc_packet p;
	struct ipc_closed out;

	assert_true(fixture_ask(f, ipc_close_encode(f->packet, 0, &m), &p));
	assert_int_equal(ipc_closed_decode(&out, &p), VAULT_OK);
	return out.refusal;
}

vault_id fixture_recording(struct fixture *f, const char *caller)
{
	struct ipc_opened opened;
	struct ipc_grant grant;

	fixture_open_recording(f, NULL, caller, &opened);
	assert_int_equal(opened.refusal, VAULT_REFUSAL_none);
	fixture_grant(f, &opened.id, 0, &grant);
	assert_int_equal(grant.refusal, VAULT_REFUSAL_none);
	assert_int_equal(fixture_close_recording(f, &opened.id, 0, 1, 1000), VAULT_REFUSAL_none);
	return opened.id;
}

uint64_t fixture_log_size(struct fixture *f)
{
	return audit_log_size(f->k->audit.log);
}

bool fixture_log_has(struct fixture *f, const char *text)
{
	struct buf all;
	bool has;

	buf_init(&all, 64u * 1024 * 1024);
	for (uint64_t i = 0; i < fixture_log_size(f); i++) {
		assert_int_equal(audit_log_read(f->k->audit.log, i, &all), VAULT_OK);
		assert_int_equal(buf_append(&all, "\n", 1), VAULT_OK);
	}
	has = memmem(all.data, all.len, text, strlen(text)) != NULL;
	buf_free(&all);
	return has;
}
