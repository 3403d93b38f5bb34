/*
 * volume_file.h - the names and the birth of volume files.
 */
#ifndef VAULT_FRONT_STORE_VOLUME_FILE_H
#define VAULT_FRONT_STORE_VOLUME_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>

#define VOLUME_NAME 64u

/* lane<k>-<number>.vol */
void volume_name(char out[VOLUME_NAME], uint32_t lane, uint64_t number);
/* Only the exact name that volume_name makes. */
bool volume_name_parse(const char *name, uint32_t *lane, uint64_t *number);
/*
 * A new file with its header, durable together with its directory entry before
 * this returns. *number: in, the number to try; out, the number taken (the next
 * free one). Nothing is left behind on failure where that can be helped.
 */
VAULT_NODISCARD vault_err volume_create(int media_fd, uint32_t lane, uint64_t *number, const vault_id *vault, int *fd);
/* pwrite of everything, EINTR and short writes continued. */
VAULT_NODISCARD vault_err write_all_at(int fd, const void *p, size_t n, uint64_t offset);

#endif
