/*
 * format.h - the volume file, as docs/FORMAT.md specifies it.
 *
 * A volume is a 4 KiB header and then frames, each a 64-byte header, a payload
 * and zero padding up to the next multiple of 64. All integers little-endian.
 */
#ifndef VAULT_FORMAT_H
#define VAULT_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>

#define VOLUME_HEADER_BYTES 4096u
#define VOLUME_MAGIC "VAULTVOL"         /* 8 bytes */
#define VOLUME_VERSION 1u
#define VOLUME_SIZE_DEFAULT (1024ull * 1024 * 1024)

/*
 * Volume header: magic[8] u32 version u32 lane u64 number vault_id[16]
 * u64 created_ms, zeros, u64 XXH3-64 of bytes 0..4087 at 4088.
 */
struct volume_header {
	uint32_t version;
	uint32_t lane;
	uint64_t number;
	vault_id vault;
	uint64_t created_ms;
};
VAULT_NODISCARD vault_err volume_header_encode(const struct volume_header *h, uint8_t out[VOLUME_HEADER_BYTES]);
/* VAULT_E_CORRUPT: magic or checksum; VAULT_E_UNSUPPORTED: version. */
VAULT_NODISCARD vault_err volume_header_decode(struct volume_header *h, const uint8_t in[VOLUME_HEADER_BYTES]);

#define FRAME_HEADER_BYTES 64u
#define FRAME_AD_BYTES 48u              /* header bytes 0..47 are associated data */
#define FRAME_ALIGN 64u
#define FRAME_MAGIC 0x4d524656u         /* "VFRM" */
#define FRAME_PAYLOAD_MAX (4u * 1024 * 1024)
#define FRAME_FREE_MAX (1024u * 1024 * 1024)

enum frame_type {
	FRAME_RECORDING_OPEN = 1,       /* u32 n, clear JSON; u32 n, sealed metadata blob */
	FRAME_SEGMENT_OPEN = 2,         /* struct segment_open */
	FRAME_CHUNK = 3,                /* AEAD(bytes), flag 0 */
	FRAME_SEGMENT_END = 4,          /* AEAD(struct segment_end), flag 1 */
	FRAME_RECORDING_END = 5,        /* AEAD(struct manifest), flag 2; empty when FRAME_FLAG_TRUNCATED */
	FRAME_GAP = 6,                  /* u64 from_us, u64 to_us, u8 reason: media time not stored */
	FRAME_FREE = 7,                 /* forgotten space; payload is zeros or a hole, may be up to 1 GiB long */
	FRAME_ROW = 128                 /* never in a volume: JSON index row, between front and exporter only */
};

#define FRAME_FLAG_TRUNCATED 0x01u      /* recording end: the sender was lost */
#define FRAME_FLAG_BATCH 0x80u          /* first frame of a batch: all before it was durable when it was written */

/*
 * Frame header, 64 bytes:
 *  0 u32 magic   4 u8 type   5 u8 flags   6 u16 track   8 id[16]   24 u32 segment
 * 28 u32 chunk  32 u32 length (payload)  36 u32 zero   40 u64 media time (us)
 * 48 u64 XXH3-64 of the payload   56 u64 XXH3-64 of bytes 0..55
 */
struct frame {
	uint8_t type;
	uint8_t flags;
	uint16_t track;
	vault_id id;
	uint32_t segment;
	uint32_t chunk;
	uint32_t length;
	uint64_t media_us;
	uint64_t payload_hash;
};

/* Bytes a frame with this payload length takes in a volume. */
static inline uint64_t frame_span(uint32_t length)
{
	return FRAME_HEADER_BYTES + (((uint64_t)length + FRAME_ALIGN - 1) / FRAME_ALIGN) * FRAME_ALIGN;
}

/* Writes bytes 0..47, the associated data; seal with it, then call frame_encode. */
void frame_ad(const struct frame *f, uint8_t out[FRAME_AD_BYTES]);
void frame_encode(const struct frame *f, uint8_t out[FRAME_HEADER_BYTES]);
/* VAULT_E_CORRUPT unless magic, checksum, type, flags, zero field and length limit hold. FRAME_ROW is accepted. */
VAULT_NODISCARD vault_err frame_decode(struct frame *f, const uint8_t in[FRAME_HEADER_BYTES]);
uint64_t frame_hash(const void *payload, size_t n);
/* Does the payload fit its header's hash? FRAME_FREE has none and always fits. */
bool frame_payload_intact(const struct frame *f, const uint8_t *payload);

#define CIPHER_CHACHA20_POLY1305 1u
#define SEGMENT_OPEN_BYTES 80u
/* u16 cipher, u16 zero, u32 zero, u64 start_us, salt[32], commit[32] */
struct segment_open {
	uint16_t cipher;
	uint64_t start_us;
	uint8_t salt[32];
	uint8_t commit[32];
};
void segment_open_encode(const struct segment_open *s, uint8_t out[SEGMENT_OPEN_BYTES]);
VAULT_NODISCARD vault_err segment_open_decode(struct segment_open *s, const uint8_t *in, size_t n);

#define SEGMENT_END_BYTES 24u
/* u32 chunks, u32 zero, u64 bytes (plaintext of this segment), u64 end_us */
struct segment_end {
	uint32_t chunks;
	uint64_t bytes;
	uint64_t end_us;
};
void segment_end_encode(const struct segment_end *s, uint8_t out[SEGMENT_END_BYTES]);
VAULT_NODISCARD vault_err segment_end_decode(struct segment_end *s, const uint8_t *in, size_t n);

#define GAP_BYTES 24u
enum gap_reason {
	GAP_PAUSED = 1,                 /* the source paused: nothing between was stored */
	GAP_REFUSED = 2                 /* of no length: what came from here on was refused */
};
/* u64 from_us, u64 to_us, u8 reason, 7 zero bytes */
struct gap {
	uint64_t from_us;
	uint64_t to_us;              /* >= from_us */
	uint8_t reason;
};
void gap_encode(const struct gap *g, uint8_t out[GAP_BYTES]);
VAULT_NODISCARD vault_err gap_decode(struct gap *g, const uint8_t *in, size_t n);

#define MANIFEST_TRUNCATED 0x01u        /* flags: the sender was lost */
#define MANIFEST_BYTES 64u
/* u32 segments, u32 flags, u64 bytes, u64 duration_us, u64 gap_us, sha256[32] of all plaintext bytes */
struct manifest {
	uint32_t segments;
	uint32_t flags;
	uint64_t bytes;
	uint64_t duration_us;
	uint64_t gap_us;
	uint8_t sha256[32];
};
void manifest_encode(const struct manifest *m, uint8_t out[MANIFEST_BYTES]);
VAULT_NODISCARD vault_err manifest_decode(struct manifest *m, const uint8_t *in, size_t n);

static_assert(FRAME_HEADER_BYTES % FRAME_ALIGN == 0, "headers stay inside one sector");

#endif
