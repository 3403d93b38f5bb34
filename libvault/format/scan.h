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
/* VAULT_E_CORRUPT, VAULT_E_SHORT or VAULT_E_UNSUPPORTED from volume_scan_new: the volume header is not valid. */
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
/* The payload of the frame that volume_scan_next just gave (for callers that passed NULL there). */
VAULT_NODISCARD vault_err volume_scan_payload(struct volume_scan *s, const uint8_t **payload);
/* Changes check_payload from the next frame on. */
void volume_scan_check(struct volume_scan *s, bool check_payload);
/*
 * After CORRUPT or SHORT: goes to the next offset where a whole frame with an
 * intact payload begins, so that volume_scan_next continues there. batch_only:
 * only a frame with FRAME_FLAG_BATCH counts. VAULT_E_EOF: there is none, and the
 * position is unchanged.
 */
VAULT_NODISCARD vault_err volume_scan_resync(struct volume_scan *s, bool batch_only, uint64_t *offset);
/* Size of the file when the scan began. */
uint64_t volume_scan_size(const struct volume_scan *s);
void volume_scan_free(struct volume_scan *s);

#endif
