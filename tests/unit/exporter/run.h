/*
 * run.h - the real vault-exporter between a test's keeper and a test's front.
 */
#ifndef VAULT_TEST_RUN_H
#define VAULT_TEST_RUN_H

#include "recording.h"

struct run {
	/* in */
	const struct ipc_job *job;               /* NULL: the key link closes without one */
	const struct recording *keys[4];         /* whose keys the keeper gives, by id */
	size_t n_keys;
	unsigned refuse_after;                   /* so many keys, then refusal */
	unsigned refusal;
	bool hang_up;                            /* instead of a refusal: close the link */
	const struct buf *stream;
	const uint8_t *identity;                 /* opens the output */
	/* out */
	int exit_code;                           /* 128 + signal when killed */
	bool told;                               /* a JOB_RESULT came */
	struct ipc_job_result result;
	struct buf plain;                        /* what the age stream holds so far */
	bool complete;                           /* it has its last chunk */
};

void run_exporter(struct run *run);
void run_free(struct run *run);

#endif
