/*
 * planted.h - a bug on purpose, to show that a harness would find a real one.
 *
 * PLANTED(condition) stands in a harness behind the parser it drives and looks at
 * what was decoded, at a value that no seed has. In the second program of every
 * harness (VAULT_PLANTED) it ends the run with a mark that fuzz/run-planted looks
 * for; in the harness itself it is nothing.
 */
#ifndef VAULT_FUZZ_PLANTED_H
#define VAULT_FUZZ_PLANTED_H

#ifdef VAULT_PLANTED
#include <stdio.h>

#define PLANTED(condition) \
	do { \
		if (condition) { \
			(void)fputs("planted bug reached\n", stderr); \
			__builtin_trap(); \
		} \
	} while (0)
#else
#define PLANTED(condition) ((void)(0 && (condition)))
#endif

#endif
