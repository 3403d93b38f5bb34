/*
 * progress.h - how far long work is, on standard error, only when that is a
 * terminal and the user did not ask for quiet or JSON.
 */
#ifndef VAULTCTL_PROGRESS_H
#define VAULTCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what;
	bool shown;
	uint64_t total;                  /* 0: not known */
	uint64_t done;
	uint64_t started_ms, last_ms;
};

void progress_start(struct progress *p, const char *what, uint64_t total, bool wanted);
/* Draws at most ten times a second. */
void progress_set(struct progress *p, uint64_t done);
/* Takes the line away again. */
void progress_end(struct progress *p);

#endif
