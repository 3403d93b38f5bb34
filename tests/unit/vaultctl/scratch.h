/*
 * scratch.h - directories of a test's own, removed when the program ends.
 */
#ifndef TEST_VAULTCTL_SCRATCH_H
#define TEST_VAULTCTL_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

static inline void scratch_remove(const char *dir)
{
	(void)nftw(dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* dir has at least 64 bytes. 0, or -1. */
static inline int scratch_make(char *dir)
{
	(void)snprintf(dir, 64, "/tmp/vaultctl-test.XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

#endif
