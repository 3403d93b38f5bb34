/*
 * keeper_link.h - the front's end of the link to the keeper (loop thread).
 *
 * Requests carry a tag; the answer's callback runs on the loop. When the link
 * breaks every waiting callback gets packet NULL, then push gets packet NULL, and
 * the process ends. Packets hold secrets: what was sent or read is wiped.
 */
#ifndef VAULT_FRONT_KEEPER_LINK_H
#define VAULT_FRONT_KEEPER_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include <vault/error.h>
#include "ipc/message.h"

struct keeper_link;

/* packet is NULL when the link is gone; its views die with the call. */
typedef void (*keeper_answer_fn)(void *arg, const struct ipc_packet *packet);
typedef void (*keeper_push_fn)(void *arg, const struct ipc_packet *packet);

VAULT_NODISCARD vault_err keeper_link_new(struct keeper_link **k, uv_loop_t *loop, int fd, keeper_push_fn push,
    void *arg);
void keeper_link_close(struct keeper_link *k);
/* packet was made by an ipc_*_encode with tag 0; the link sets the tag. fn NULL: the answer, if any, is dropped. */
VAULT_NODISCARD vault_err keeper_link_ask(struct keeper_link *k, uint8_t *packet, size_t n, keeper_answer_fn fn,
    void *arg, uint64_t *ticket);
/*
 * So much waits already that questions of clients are refused (unavailable): clients that ask and go away must not
 * fill memory while the keeper is busy. What streams and recordings need is asked all the same.
 */
bool keeper_link_busy(const struct keeper_link *k);
/* Forget the callback (its owner goes away); the answer is dropped when it comes. */
void keeper_link_cancel(struct keeper_link *k, uint64_t ticket);

#endif
