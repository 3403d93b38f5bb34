/*
 * key_hooks.h - deliberate faults for the erase oracle's own test.
 *
 * A build with VAULT_TEST_HOOKS can leave out one step of forgetting, so that
 * the oracle is seen to catch it. In any other build KEY_MUTANT is the constant
 * false and nothing of this remains.
 */
#ifndef VAULT_KEEPER_KEY_HOOKS_H
#define VAULT_KEEPER_KEY_HOOKS_H

#include <stdbool.h>

enum key_mutant {
	MUTANT_NONE,
	MUTANT_NO_BUCKET_KEY,       /* step 1: survivors stay under the old bucket key */
	MUTANT_NO_TENANT_KEY,       /* step 2: the tenant key stays */
	MUTANT_NO_ROOT_KEY,         /* step 3: the root key stays */
	MUTANT_NO_OVERWRITE,        /* step 3: the old root key is not overwritten */
	MUTANT_NO_REKEY_FLAG,       /* a bucket with a stale sealed copy is not remembered */
	MUTANT_MOVE_INTO_OLD,       /* a moved item goes into a bucket that was there before */
	MUTANT_COUNT
};

#ifdef VAULT_TEST_HOOKS
extern enum key_mutant key_test_mutant;
#define KEY_MUTANT(m) (key_test_mutant == (m))
#else
#define KEY_MUTANT(m) false
#endif

#endif
