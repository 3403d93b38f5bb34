/*
 * fake_ingest.h - stands in for ingest and the keeper behind the PUT adapter:
 * answers as the test says, remembers what it was given.
 */
#ifndef TEST_HTTP_FAKE_INGEST_H
#define TEST_HTTP_FAKE_INGEST_H

#include "front/adapter/front.h"

struct fake {
	/* what it will do */
	unsigned refuse_admit;
	const char *tags;
	uint8_t consent;
	bool hold_admit;             /* answer only with fake_admit */
	bool busy;                   /* too much waits for the keeper already */
	vault_err open_err, write_err;
	size_t credit;
	/* what it saw */
	size_t admits, cancels, opens, writes, ends, aborts, detached, asks;
	unsigned abort_refusal;
	struct ipc_admit admit;
	struct ingest_start start;
	size_t bytes;
	struct ipc_note note;        /* the last one */
};
extern struct fake fake;

void fake_reset(void);
/* Gives the admit answer that is due. */
void fake_admit(void);
void fake_ended(bool existing, bool truncated);
void fake_failed(unsigned refusal);
/* Is a stream open, with somebody listening? */
bool fake_attached(void);

#endif
