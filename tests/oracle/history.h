/*
 * history.h - a random life of a key tree, watched by the attacker.
 *
 * The model knows every item that was ever there, what became of it, and its
 * key. It lives in memory shared with the forked children that crash.
 */
#ifndef VAULT_TESTS_HISTORY_H
#define VAULT_TESTS_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "attacker.h"
#include "tree_dir.h"

#define HISTORY_ITEMS 8192u
#define HISTORY_TENANTS 3u
#define HISTORY_NOW_S 1700000000ull

enum fate {
	FATE_NONE,                   /* never seen in a committed tree */
	FATE_LIVING,
	FATE_VOIDED,                 /* dropped unused: its copies may open until the next pass */
	FATE_FORGOTTEN               /* nothing may open it ever again */
};

struct known {
	vault_id id;
	enum fate fate;
	bool voiding;                /* an operation that may have dropped it has begun */
	bool present, opened;        /* scratch of one look */
	struct tree_item last;       /* as last seen */
	uint8_t key[KEY_BYTES];
};

/* Shared with children. */
struct model {
	uint64_t now_s;
	uint32_t items;
	uint32_t tenants[HISTORY_TENANTS];
	struct known known[HISTORY_ITEMS];
};

struct history {
	struct tree_dir dir;
	struct tree *t;
	struct model *m;
	struct attacker *a;
	uint64_t start;              /* the seed it began with */
	uint64_t seed;               /* the generator's state */
	bool mutant;                 /* the tree's own check is expected to object; the attacker has to, too */
	unsigned revived;            /* forgotten items that the attacker opened */
	unsigned failures;           /* anything else that must not be */
	unsigned passes, crashes;
};

void history_start(struct history *h, uint64_t seed, bool mutant);
void history_end(struct history *h);
uint64_t history_random(struct history *h, uint64_t below);

enum history_op { OP_ADD, OP_MOVE, OP_DOOM, OP_HOLD, OP_VOID, OP_TIME, OP_FORGET, OP_TENANT, OP_ROOT, OP_COUNT };
/* One operation with arguments drawn from the history's seed, on the open tree. */
void history_do(struct history *h, enum history_op op);
/* The same in a child that dies at its n-th file change; true when it lived to the end. */
bool history_crash(struct history *h, enum history_op op, unsigned n, int mode);
/* Copies all files for the attacker. */
void history_copy(struct history *h);
/* Compares the tree with the model. passed: a pass has ended, what was voided is gone for good. */
void history_look(struct history *h, bool passed);
/* Lets the attacker try: everything living must open for him, nothing forgotten may. */
void history_attack(struct history *h);

#endif
