/*
 * command_front.h - COMMAND packets.
 */
#ifndef VAULT_KEEPER_COMMAND_FRONT_H
#define VAULT_KEEPER_COMMAND_FRONT_H

#include <jansson.h>

#include <vault/error.h>
#include "ipc/message.h"

struct keeper;
struct call;

/* Verifies and runs one command, and stages its answer. Inside a batch. */
VAULT_NODISCARD vault_err command_handle(struct keeper *k, const struct ipc_packet *p);
/* Stages an answer. json is borrowed. */
VAULT_NODISCARD vault_err command_answer(struct keeper *k, uint64_t tag, uint16_t status, uint16_t kind,
    const json_t *json);
VAULT_NODISCARD vault_err command_refuse(struct keeper *k, uint64_t tag, unsigned refusal);
/* Runs the handler, logs the outcome. For command_handle and approve. */
VAULT_NODISCARD vault_err command_run(struct keeper *k, struct call *c);
/* One signature is enough for this call? *alone tells. */
VAULT_NODISCARD vault_err command_alone(struct keeper *k, const struct call *c, bool *alone);

#endif
