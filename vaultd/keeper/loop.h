/*
 * loop.h - the keeper's poll(2) loop.
 */
#ifndef VAULT_KEEPER_LOOP_H
#define VAULT_KEEPER_LOOP_H

#include <stdbool.h>

#include "keeper/keeper.h"

#define LOOP_FINISH_MS 30000u       /* how long the front may still close its streams after FINISH */

/*
 * One round: waits at most wait_ms for packets, runs them as one batch, then
 * the timers. false: the keeper should stop.
 */
bool loop_round(struct keeper *k, int wait_ms);
/* Until the front or the supervisor ends. 0: an orderly stop. */
int loop_run(struct keeper *k);

#endif
