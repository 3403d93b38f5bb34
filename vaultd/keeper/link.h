/*
 * link.h - one packet link of the keeper with its send queue.
 *
 * Packets are queued and sent when the socket takes them (poll's POLLOUT).
 * Queued packets may hold keys: they are wiped when they leave or are dropped.
 */
#ifndef VAULT_KEEPER_LINK_H
#define VAULT_KEEPER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include "ipc/message.h"

struct link_packet {
	struct link_packet *next;
	size_t n;
	uint8_t bytes[];
};

struct link {
	int fd;                          /* -1: gone */
	enum ipc_link kind;
	uint64_t job;                    /* exporter links: whose */
	struct link_packet *head, **tail;
	size_t queued;                   /* bytes in the queue, at most LINK_QUEUE_MAX */
	bool broken;                     /* the peer is gone or the queue overflowed */
};

#define LINK_QUEUE_MAX (32u * 1024 * 1024)
#define LINK_WAIT_MS 2000            /* for a full queue to the front to move, before it is given up */

void link_init(struct link *l, int fd, enum ipc_link kind);
/* Closes the descriptor, wipes and drops the queue. Safe to repeat. */
void link_close(struct link *l);
/*
 * Copies the packet behind the queue. A full queue to the front is waited for while it moves: one command may change
 * more rows than the queue holds, and the front always reads. VAULT_E_FULL marks the link as broken.
 */
VAULT_NODISCARD vault_err link_queue(struct link *l, const uint8_t *packet, size_t n);
/* Sends what the socket takes; a peer that is gone marks the link as broken. */
void link_flush(struct link *l);
bool link_waiting(const struct link *l);     /* something is queued */

#endif
