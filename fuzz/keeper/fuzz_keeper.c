/*
 * fuzz_keeper.c - packets of a front that says anything, into a real keeper.
 *
 * The input is a row of packets: u8 type, u8 id, u16le body length, body. The id
 * byte puts a stored (1) or a live (2) recording's id at the body's start. No
 * answer may hold the stored recording's key.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/secret.h"
#include "keeper/keeper.h"
#include "keeper/loop.h"
#include "keeper/policy.h"
#include "keeper/source.h"
#include "planted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define PACKETS_MAX 16

static struct keeper *k;
static int front = -1;
static vault_id stored, live;
static uint8_t stored_key[KEY_BYTES];

static void need(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "set-up failed: %s\n", what);
		abort();
	}
}

static int make_dir(const char *base, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	need(mkdir(path, 0700) == 0, "mkdir");
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A tenant with both media and a source with the secret "s". */
static vault_err add_tenant(struct keeper *keeper, void *arg)
{
	struct policy p = { .tenant = "alpha" };
	struct source s = { .media = 3, .has_secret = true, .n_tenants = 1, .tenant = { "alpha" } };
	vault_err err = tree_tenant_add(keeper->tree, "alpha", &p.number);

	(void)arg;
	for (size_t i = 0; i < POLICY_MEDIA; i++)
		p.medium[i] = (struct policy_medium){ .subscribed = true, .kept = true, .keep = "P1D", .duration = { .days = 1 } };
	crypto_hash_sha256(s.secret_sha256, (const uint8_t *)"s", 1);
	if (err == VAULT_OK)
		err = policy_save(&keeper->rows, &p);
	if (err == VAULT_OK)
		err = source_add(&keeper->rows, &s);
	batch_dirty(keeper);
	return err;
}

static vault_err add_item(struct keeper *keeper, void *arg)
{
	struct tree_item item = { .id = vault_id_new(keeper->now_ms), .tenant = 1, .expires_s = keeper->now_ms / 1000 + 86400,
		.policy = 1, .media = 1, .flags = ITEM_ENDED, .segments = 1, .bytes = 10, .source = 1 };
	struct live_recording *r;
	vault_err err = tree_item_add(keeper->tree, &item, &keeper->room->item);

	if (err == VAULT_OK && arg == &live) {
		err = live_add(&keeper->live, &item.id, &r);
		if (err == VAULT_OK) {
			memcpy(r->tenant, "alpha", 6);
			r->expires_s = item.expires_s;
			r->number = 1;
			r->media = 1;
		}
	}
	if (arg == &stored)
		memcpy(stored_key, keeper->room->item.key, sizeof(stored_key));
	secret_wipe(&keeper->room->item, sizeof(keeper->room->item));
	memcpy(arg, &item.id, sizeof(item.id));
	batch_dirty(keeper);
	return err;
}

/* Where it is run: after a crash the run scripts take it away. */
static char dir[] = "vault-fuzz-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_dir(void)
{
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct ipc_configure c = { .create = 1, .sweep_s = 60, .root_ok_cow = 1, .origin = "fuzz" };
	struct keeper_options o = { .configure = &c };
	const char *why = "";
	bool fresh;
	int pair[2];

	(void)argc;
	(void)argv;
	need(secret_setup() == VAULT_OK, "secrets");
	need(mkdtemp(dir) != NULL && atexit(remove_dir) == 0, "directory");
	o.keys_fd = make_dir(dir, "keys");
	o.root_fd = make_dir(dir, "root");
	o.audit_fd = make_dir(dir, "audit");
	memset(c.first_operator, 7, sizeof(c.first_operator));
	need(keeper_open(&k, &o, &fresh, &why) == VAULT_OK, why);
	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0, "links");
	link_init(&k->front, pair[0], LINK_FRONT);
	front = pair[1];
	need(batch_effect(k, add_tenant, NULL) == VAULT_OK, "tenant");
	need(batch_effect(k, add_item, &stored) == VAULT_OK, "stored");
	need(batch_effect(k, add_item, &live) == VAULT_OK, "live");
	return 0;
}

static void check_answers(void)
{
	static uint8_t packet[IPC_MAX];
	struct ipc_packet p;
	size_t n;

	while (ipc_recv(front, packet, &n, NULL) == VAULT_OK) {
		if (ipc_parse(&p, packet, n, LINK_FRONT, FROM_KEEPER) != VAULT_OK ||
		    memmem(packet, n, stored_key, sizeof(stored_key)) != NULL)
			abort();
		struct ipc_grant grant;
		if (p.type != IPC_GRANT || ipc_grant_decode(&grant, &p) != VAULT_OK || grant.refusal != 0)
			continue;
		if (vault_id_equal(&grant.id, &stored))
			abort();
		PLANTED(grant.start_us > UINT32_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int i = 0; i < PACKETS_MAX && size >= 4; i++) {
		size_t n = (size_t)data[2] | (size_t)data[3] << 8;
		uint8_t type = data[0], which = data[1];
		data += 4;
		size -= 4;
		if (n > size)
			n = size;
		uint8_t *packet = calloc(1, IPC_HEADER + n);
		if (packet == NULL)
			return 0;
		packet[0] = type;
		packet[4] = (uint8_t)n;
		packet[5] = (uint8_t)(n >> 8);
		packet[8] = 1;
		memcpy(packet + IPC_HEADER, data, n);
		if (n >= VAULT_ID_BYTES && (which == 1 || which == 2))
			memcpy(packet + IPC_HEADER, which == 1 ? stored.b : live.b, VAULT_ID_BYTES);
		data += n;
		size -= n;
		if (batch_add(k, &k->front, packet, IPC_HEADER + n, -1) != VAULT_OK)
			free(packet);
	}
	batch_run(k);
	link_flush(&k->front);
	check_answers();
	if (k->fatal)
		abort();
	return 0;
}
