/*
 * history.c - see history.h.
 */
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"
#include "faults.h"

#define NOW_MS (HISTORY_NOW_S * 1000u)
#define DAY 86400u

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "oracle: %s\n", what);
	abort();
}

static void complain(struct history *h, const char *what, const vault_id *id)
{
	char text[VAULT_ID_TEXT] = "";

	if (id != NULL)
		vault_id_format(id, text);
	if (h->failures++ < 5)
		(void)fprintf(stderr, "oracle: seed %llu: %s %s\n", (unsigned long long)h->start, what, text);
}

uint64_t history_random(struct history *h, uint64_t below)
{
	h->seed ^= h->seed << 13;
	h->seed ^= h->seed >> 7;
	h->seed ^= h->seed << 17;
	return h->seed % below;
}

static void open_tree(struct history *h)
{
	vault_err err = tree_dir_open(&h->dir, &h->t);

	if (err == VAULT_OK)
		return;
	(void)fprintf(stderr, "oracle: does not open: %d %s\n", err, h->dir.why);
	abort();
}

void history_start(struct history *h, uint64_t seed, bool mutant)
{
	static const char *const names[HISTORY_TENANTS] = {"acme", "beta", "gamma"};

	memset(h, 0, sizeof(*h));
	h->start = seed;
	h->seed = seed * 0x9e3779b97f4a7c15u + 1;
	h->mutant = mutant;
	h->m = mmap(NULL, sizeof(*h->m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(h->m != MAP_FAILED, "mmap");
	h->m->now_s = HISTORY_NOW_S;
	tree_dir_make(&h->dir);
	open_tree(h);
	h->a = attacker_new(tree_vault_id(h->t));
	must(tree_begin(h->t) == VAULT_OK, "begin");
	for (unsigned i = 0; i < HISTORY_TENANTS; i++)
		must(tree_tenant_add(h->t, names[i], &h->m->tenants[i]) == VAULT_OK, "tenant");
	must(tree_commit(h->t) == VAULT_OK, "commit");
	history_copy(h);
}

void history_end(struct history *h)
{
	tree_close(h->t);
	attacker_free(h->a);
	tree_dir_remove(&h->dir);
	(void)munmap(h->m, sizeof(*h->m));
}

void history_copy(struct history *h)
{
	size_t n;
	uint8_t *data = tree_dir_read(h->dir.keys_fd, "data.mdb", &n);

	if (data != NULL)
		attacker_copy(h->a, data, n);
	free(data);
}

/* The id's time is the item's place in the model. */
static struct known *known_of(struct history *h, const vault_id *id)
{
	uint64_t i = vault_id_time_ms(id) - NOW_MS;

	must(i < h->m->items && vault_id_equal(&h->m->known[i].id, id), "an item that nobody made");
	return &h->m->known[i];
}

/* A committed item that is there and not doomed, or NULL. */
static struct known *pick(struct history *h)
{
	for (unsigned tries = 0; tries < 50 && h->m->items != 0; tries++) {
		struct known *k = &h->m->known[history_random(h, h->m->items)];
		if (k->fate == FATE_LIVING && (k->last.flags & ITEM_DOOMED) == 0)
			return k;
	}
	return NULL;
}

/* Few days, so that buckets fill, empty and meet again. */
static uint64_t some_expiry(struct history *h)
{
	return h->m->now_s + history_random(h, 6 * DAY) + 10;
}

static vault_err do_add(struct history *h)
{
	uint64_t n = 1 + history_random(h, 12);
	struct tree_secret *s = secret_alloc(sizeof(*s));
	vault_err err = VAULT_OK;

	must(s != NULL, "secret_alloc");
	for (uint64_t i = 0; i < n && err == VAULT_OK && h->m->items < HISTORY_ITEMS; i++) {
		struct known *k = &h->m->known[h->m->items];
		k->last = (struct tree_item){.id = vault_id_new(NOW_MS + h->m->items),
		    .tenant = h->m->tenants[history_random(h, HISTORY_TENANTS)], .expires_s = some_expiry(h)};
		k->id = k->last.id;
		h->m->items++;
		err = tree_item_add(h->t, &k->last, s);
		memcpy(k->key, s->key, KEY_BYTES);
	}
	secret_free(s);
	return err;
}

static vault_err do_move(struct history *h)
{
	vault_err err = VAULT_OK;

	for (uint64_t n = 1 + history_random(h, 4); n > 0 && err == VAULT_OK; n--) {
		struct known *k = pick(h);
		if (k != NULL)
			err = tree_item_move(h->t, &k->id, some_expiry(h));
	}
	return err;
}

static vault_err do_hold(struct history *h)
{
	struct known *k = pick(h);
	struct tree_item item;
	vault_err err;

	if (k == NULL || (err = tree_item_get(h->t, &k->id, &item)) == VAULT_E_NOTFOUND)
		return VAULT_OK;
	if (err != VAULT_OK)
		return err;
	item.flags ^= ITEM_HELD;
	item.bytes++;
	return tree_item_update(h->t, &item);
}

static vault_err do_void(struct history *h)
{
	struct known *k = pick(h);

	if (k == NULL)
		return VAULT_OK;
	k->voiding = true;
	return tree_item_void(h->t, &k->id);
}

static vault_err do_doom(struct history *h)
{
	struct known *k = pick(h);
	vault_err err = k != NULL ? tree_doom(h->t, &k->id) : VAULT_OK;

	return err == VAULT_E_DENIED ? VAULT_OK : err;
}

static vault_err do_forget(struct history *h)
{
	struct forget_result r;
	vault_err err = tree_forget(h->t, h->m->now_s, NULL, NULL, &r);

	if (err == VAULT_OK && r.checked != r.items)
		complain(h, "a pass checked less than it forgot", NULL);
	if (err == VAULT_E_AUTH && h->mutant)
		err = VAULT_OK;
	return err == VAULT_E_NOTFOUND ? VAULT_OK : err;
}

static vault_err do_in_txn(struct history *h, enum history_op op)
{
	vault_err (*const ops[OP_COUNT])(struct history *) = {[OP_ADD] = do_add, [OP_MOVE] = do_move,
		[OP_DOOM] = do_doom, [OP_HOLD] = do_hold, [OP_VOID] = do_void};
	vault_err err = tree_begin(h->t);

	if (err == VAULT_OK && (err = ops[op](h)) == VAULT_OK)
		return tree_commit(h->t);
	tree_abort(h->t);
	return err;
}

static vault_err run(struct history *h, enum history_op op)
{
	switch (op) {
	case OP_TIME:
		h->m->now_s += history_random(h, DAY / 2);
		return VAULT_OK;
	case OP_FORGET:
		return do_forget(h);
	case OP_TENANT:
		return tree_rotate_tenant(h->t, h->m->tenants[history_random(h, HISTORY_TENANTS)]);
	case OP_ROOT:
		return tree_rotate_root(h->t);
	default:
		return do_in_txn(h, op);
	}
}

void history_do(struct history *h, enum history_op op)
{
	vault_err err = run(h, op);

	if (err != VAULT_OK) {
		(void)fprintf(stderr, "oracle: operation %d: error %d\n", op, err);
		complain(h, "an operation failed", NULL);
	}
	h->passes += op == OP_FORGET;
	history_copy(h);
	history_look(h, op == OP_FORGET);
}

bool history_crash(struct history *h, enum history_op op, unsigned n, int mode)
{
	int status;

	tree_close(h->t);
	h->t = NULL;
	pid_t pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0) {
		open_tree(h);
		faults_arm(n, (enum fault_mode)mode, h->seed);
		vault_err err = run(h, op);
		faults_disarm();
		_exit(err == VAULT_OK ? 0 : 1);
	}
	(void)history_random(h, 2);          /* the child drew from its own copy of the seed */
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "child");
	bool lived = WEXITSTATUS(status) == 0;
	if (!lived && WEXITSTATUS(status) != FAULT_EXIT)
		complain(h, "an operation in a child failed", NULL);
	h->crashes += !lived;
	history_copy(h);
	open_tree(h);
	history_copy(h);
	history_look(h, lived && op == OP_FORGET);
	return lived;
}

static vault_err see(void *arg, const struct tree_item *item)
{
	struct history *h = arg;
	struct known *k = known_of(h, &item->id);

	k->present = true;
	if (k->fate == FATE_FORGOTTEN || k->fate == FATE_VOIDED)
		complain(h, "a forgotten item is back in the tree", &k->id);
	k->fate = FATE_LIVING;
	k->last = *item;
	return VAULT_OK;
}

static void look_living(struct history *h, const struct known *k, struct tree_secret *s)
{
	struct tree_item item;
	vault_err err = tree_item_open(h->t, &k->id, &item, s);

	if ((k->last.flags & ITEM_DOOMED) != 0) {
		if (err != VAULT_E_NOTFOUND)
			complain(h, "a doomed item was handed out", &k->id);
	} else if (err != VAULT_OK || memcmp(s->key, k->key, KEY_BYTES) != 0) {
		complain(h, "a living item does not open", &k->id);
	}
}

static void look_missing(struct history *h, struct known *k)
{
	bool due = k->last.expires_s <= h->m->now_s && (k->last.flags & ITEM_HELD) == 0;

	if (k->voiding) {
		k->fate = FATE_VOIDED;
		return;
	}
	if (!due && (k->last.flags & ITEM_DOOMED) == 0)
		complain(h, "an item was lost", &k->id);
	k->fate = FATE_FORGOTTEN;
}

void history_look(struct history *h, bool passed)
{
	struct tree_secret *s = secret_alloc(sizeof(*s));

	must(s != NULL, "secret_alloc");
	for (uint32_t i = 0; i < h->m->items; i++)
		h->m->known[i].present = false;
	must(tree_items(h->t, 0, 0, UINT64_MAX, see, h) == VAULT_OK, "items");
	for (uint32_t i = 0; i < h->m->items; i++) {
		struct known *k = &h->m->known[i];
		if (k->present)
			look_living(h, k, s);
		else if (k->fate == FATE_LIVING)
			look_missing(h, k);
		if (k->present)
			k->voiding = false;
		if (passed && k->fate == FATE_VOIDED)
			k->fate = FATE_FORGOTTEN;
	}
	secret_free(s);
}

static void opened(void *arg, const vault_id *id, const uint8_t key[KEY_BYTES])
{
	struct history *h = arg;
	struct known *k = known_of(h, id);

	k->opened = true;
	if (memcmp(k->key, key, KEY_BYTES) != 0)
		complain(h, "a chain gave another key", id);
}

void history_attack(struct history *h)
{
	size_t n;
	uint8_t *slots = tree_dir_read(h->dir.root_fd, "slots", &n);

	must(slots != NULL, "slots");
	for (uint32_t i = 0; i < h->m->items; i++)
		h->m->known[i].opened = false;
	attacker_try(h->a, slots, n, opened, h);
	free(slots);
	for (uint32_t i = 0; i < h->m->items; i++) {
		const struct known *k = &h->m->known[i];
		if (k->fate == FATE_FORGOTTEN && k->opened && h->revived++ < 3 && !h->mutant)
			complain(h, "a forgotten item opened", &k->id);
		/* The attacker is only worth something if he can open what is not forgotten. */
		if (k->fate == FATE_LIVING && !k->opened)
			complain(h, "the attacker missed a living item", &k->id);
	}
}
