/*
 * scan.h - walk the frames of a volume file without any key.
 *
 * Used by recovery, by the index rebuild and by vaultctl verify. Reads with
 * pread in large blocks; no length is trusted before its header's checksum
 * holds and the frame lies inside the file.
 */
#ifndef VAULT_FORMAT_SCAN_H
#define VAULT_FORMAT_SCAN_H

#include <stdbool.h>

#include <vault/format.h>

struct volume_scan;

/* fd stays the caller's. check_payload: compare payload hashes too (reads every byte). */
VAULT_NODISCARD vault_err volume_scan_new(struct volume_scan **s, int fd, bool check_payload);
/* Start at an absolute offset that a frame is known to begin at (default: behind the volume header). */
void volume_scan_seek(struct volume_scan *s, uint64_t offset);
const struct volume_header *volume_scan_header(const struct volume_scan *s);
/*
 * Next frame and its offset. VAULT_E_EOF: clean end. VAULT_E_CORRUPT or
 * VAULT_E_SHORT: no whole frame begins at *offset (a torn tail when nothing
 * valid follows). payload, when not NULL, is a view valid until the next call;
 * for frames longer than FRAME_PAYLOAD_MAX (FRAME_FREE) it is NULL.
 */
VAULT_NODISCARD vault_err volume_scan_next(struct volume_scan *s, struct frame *f, uint64_t *offset,
    const uint8_t **payload);
void volume_scan_free(struct volume_scan *s);

#endif
