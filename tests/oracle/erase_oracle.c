/*
 * erase_oracle.c - promise P2, "shredded is gone", put to the test (R5, R6).
 *
 *   erase_oracle run [SEED [STEPS [HISTORIES]]]   random lives with crashes
 *   erase_oracle crash [SEED]        every operation, killed at each of its writes, in four ways
 *   erase_oracle full [SEED]         a full disk stops taking in, not forgetting
 *   erase_oracle mutants [SEED]      each step of forgetting left out once: the oracle must notice
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "faults.h"
#include "history.h"
#include "keeper/key_hooks.h"

/* Weighted towards taking in and moving, with enough passes to forget it all. */
static enum history_op draw_op(struct history *h)
{
	static const enum history_op weights[] = {OP_ADD, OP_ADD, OP_ADD, OP_ADD, OP_MOVE, OP_MOVE, OP_MOVE, OP_DOOM,
	    OP_DOOM, OP_HOLD, OP_HOLD, OP_VOID, OP_TIME, OP_TIME, OP_FORGET, OP_FORGET, OP_FORGET, OP_TENANT, OP_ROOT};

	return weights[history_random(h, sizeof(weights) / sizeof(weights[0]))];
}

static void live(struct history *h, unsigned steps)
{
	for (unsigned i = 0; i < steps && h->m->items + 16 < HISTORY_ITEMS && h->failures == 0; i++) {
		enum history_op op = draw_op(h);
		if (op != OP_TIME && history_random(h, 4) == 0) {
			unsigned n = 1 + (unsigned)history_random(h, 14);
			(void)history_crash(h, op, n, (int)history_random(h, FAULT_MODES));
			history_attack(h);
		} else {
			history_do(h, op);
			if (op == OP_FORGET)
				history_attack(h);
		}
		if (h->mutant && h->revived != 0)
			return;
	}
	history_do(h, OP_FORGET);
	history_attack(h);
}

static unsigned forgotten(const struct history *h)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < h->m->items; i++)
		n += h->m->known[i].fate == FATE_FORGOTTEN;
	return n;
}

static int run_histories(uint64_t seed, unsigned steps, unsigned histories)
{
	struct history h;
	size_t rows[3];

	for (unsigned i = 0; i < histories; i++) {
		history_start(&h, seed + i, false);
		live(&h, steps);
		attacker_counts(h.a, rows);
		(void)printf("seed %llu: %u items, %u forgotten, %u passes, %u crashes; copies of %zu tenant keys, "
		    "%zu bucket keys, %zu sealed items; %u revived\n", (unsigned long long)(seed + i), h.m->items, forgotten(&h), h.passes,
		    h.crashes, rows[0], rows[1], rows[2], h.revived);
		bool bad = h.failures != 0 || h.revived != 0;
		/* A life in which nothing was forgotten or nothing crashed proves nothing. */
		if (steps >= 100 && (forgotten(&h) < 10 || h.crashes < 5)) {
			(void)fprintf(stderr, "oracle: too little happened\n");
			bad = true;
		}
		history_end(&h);
		if (bad)
			return 1;
	}
	return 0;
}

static int run_crash(uint64_t seed)
{
	static const char *const names[OP_COUNT] = {"add", "move", "doom", "hold", "void", "time", "forget", "rotate tenant",
	    "rotate root"};
	struct history h;
	unsigned points = 0, bad = 0;

	for (int op = 0; op < OP_COUNT; op++) {
		if (op == OP_TIME)
			continue;
		unsigned most = 0;
		for (int mode = 0; mode < FAULT_MODES; mode++) {
			/* A draw may find nothing to do: only several lives in a row say that n is beyond the last write. */
			unsigned lives = 0;
			history_start(&h, seed + (uint64_t)op, false);
			for (unsigned n = 1; lives < 6 && n < 500 && h.failures == 0;) {
				history_do(&h, OP_ADD);
				history_do(&h, OP_MOVE);
				history_do(&h, OP_DOOM);
				history_do(&h, OP_HOLD);
				bool lived = history_crash(&h, (enum history_op)op, n, mode);
				history_do(&h, OP_FORGET);
				history_attack(&h);
				lives = lived ? lives + 1 : 0;
				n += !lived;
				points += !lived;
				most = n > most ? n : most;
			}
			bad += h.failures != 0 || h.revived != 0 || lives < 6;
			history_end(&h);
		}
		(void)printf("%s: %u writes and syncs\n", names[op], most - 1);
		if (most < 4) {
			(void)fprintf(stderr, "oracle: an operation with so few writes was not seen\n");
			bad++;
		}
	}
	(void)printf("%u crash points\n", points);
	return bad == 0 ? 0 : 1;
}

static int run_mutants(uint64_t seed)
{
	static const char *const names[MUTANT_COUNT] = {"none", "no new bucket key", "no new tenant key", "no new root key",
	    "old root key not overwritten", "stale copy not remembered", "moved item into an old bucket"};
	struct history h;
	unsigned missed = 0;

	for (int mutant = MUTANT_NONE + 1; mutant < MUTANT_COUNT; mutant++) {
		bool caught = false;
		unsigned tries = 0;
		while (!caught && tries < 12) {
			key_test_mutant = (enum key_mutant)mutant;
			history_start(&h, seed + tries, true);
			live(&h, 250);
			caught = h.revived != 0;
			history_end(&h);
			tries++;
		}
		key_test_mutant = MUTANT_NONE;
		(void)printf("%s: %s (%u histories)\n", names[mutant], caught ? "caught" : "NOT CAUGHT", tries);
		missed += !caught;
	}
	return missed == 0 ? 0 : 1;
}

/* Fills the disk, then forgets: the reserve must carry the doom and the pass. */
static int run_full(uint64_t seed)
{
	struct history h;
	struct tree_secret *s = secret_alloc(sizeof(*s));
	struct tree_item item;
	struct tree_counts before, after;
	struct forget_result r;
	unsigned bad = s == NULL;
	vault_err err = VAULT_OK;

	history_start(&h, seed, false);
	for (unsigned i = 0; i < 60; i++)
		history_do(&h, OP_ADD);
	faults_disk(0);
	for (unsigned i = 0; i < 2000 && err == VAULT_OK && bad == 0; i++) {
		item = (struct tree_item){.id = vault_id_new(i), .tenant = h.m->tenants[0],
		    .expires_s = h.m->now_s + i * 7};
		bad += tree_begin(h.t) != VAULT_OK;
		bad += tree_item_add(h.t, &item, s) != VAULT_OK;
		bad += tree_count(h.t, &before) != VAULT_OK;
		err = tree_commit(h.t);
	}
	bad += err != VAULT_E_FULL;
	bad += tree_count(h.t, &after) != VAULT_OK || after.items + 1 != before.items;
	(void)printf("full at %llu items\n", (unsigned long long)after.items);
	for (unsigned i = 0; i < 50 && bad == 0; i++) {
		bad += tree_begin(h.t) != VAULT_OK;
		err = tree_doom(h.t, &h.m->known[i].id);
		bad += err != VAULT_OK;
		bad += tree_commit(h.t) != VAULT_OK;
		err = tree_forget(h.t, 0, NULL, NULL, &r);
		bad += err != VAULT_OK || r.checked != 1;
	}
	if (bad != 0)
		(void)fprintf(stderr, "oracle: a full disk stopped an erasure: error %d\n", err);
	faults_disk(SIZE_MAX);
	secret_free(s);
	history_end(&h);
	return bad == 0 ? 0 : 1;
}

static uint64_t number(int argc, char **argv, int i, uint64_t otherwise)
{
	return i < argc ? strtoull(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "run";
	uint64_t seed = number(argc, argv, 2, 1);

	if (secret_setup() != VAULT_OK)
		return 2;
	if (strcmp(mode, "run") == 0)
		return run_histories(seed, (unsigned)number(argc, argv, 3, 250), (unsigned)number(argc, argv, 4, 4));
	if (strcmp(mode, "crash") == 0)
		return run_crash(seed);
	if (strcmp(mode, "full") == 0)
		return run_full(seed);
	if (strcmp(mode, "mutants") == 0)
		return run_mutants(seed);
	(void)fprintf(stderr, "usage: erase_oracle run [SEED [STEPS [HISTORIES]]] | crash [SEED] | full [SEED] | mutants [SEED]\n");
	return 2;
}
