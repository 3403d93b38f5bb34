/*
 * message.h - what the processes say to each other (docs/PROTOCOL.md).
 *
 * Links are SOCK_SEQPACKET socket pairs made by the supervisor: one message is
 * one packet of at most IPC_MAX bytes. Packet: u16 type, u16 zero, u32 length
 * of the body, u64 tag, body. The tag of a request comes back in its answer.
 *
 * One list gives the type, direction and the exact bounds of the body:
 * X(NAME, number, link, direction, min, max). A packet outside its bounds, of an
 * unknown type or in the wrong direction is refused before its body is read.
 * Field layouts are the *_encode/_decode functions below, one struct each.
 */
#ifndef VAULT_IPC_MESSAGE_H
#define VAULT_IPC_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vault/error.h>
#include <vault/id.h>
#include "crypto/aead.h"
#include "crypto/kdf.h"

#define IPC_MAX 65536u
#define IPC_HEADER 16u
#define IPC_BODY_MAX (IPC_MAX - IPC_HEADER)

enum ipc_link { LINK_FRONT, LINK_SUPERVISOR, LINK_EXPORTER };   /* the keeper's three kinds of link */
enum ipc_dir { TO_KEEPER, FROM_KEEPER };

#define IPC_MESSAGES(X) \
	/* front asks */ \
	X(ADMIT,        1, LINK_FRONT, TO_KEEPER, 4, 164) \
	X(ADMITTED,     2, LINK_FRONT, FROM_KEEPER, 12, 64) \
	X(OPEN,         3, LINK_FRONT, TO_KEEPER, 10, 12288) \
	X(OPENED,       4, LINK_FRONT, FROM_KEEPER, 4, 12288) \
	X(SEGMENT,      5, LINK_FRONT, TO_KEEPER, 24, 24) \
	X(GRANT,        6, LINK_FRONT, FROM_KEEPER, 4, 160) \
	X(CLOSE,        7, LINK_FRONT, TO_KEEPER, 40, 40) \
	X(CLOSED,       8, LINK_FRONT, FROM_KEEPER, 12, 12) \
	X(COMMAND,      9, LINK_FRONT, TO_KEEPER, 8, 17000) \
	X(ANSWER,      10, LINK_FRONT, FROM_KEEPER, 8, IPC_BODY_MAX) \
	X(SOURCE,      11, LINK_FRONT, TO_KEEPER, 2, 130) \
	X(SOURCE_IS,   12, LINK_FRONT, FROM_KEEPER, 8, 8) \
	X(RECONCILE,   13, LINK_FRONT, TO_KEEPER, 20, 32004) \
	X(RECONCILED,  14, LINK_FRONT, FROM_KEEPER, 4, 32004) \
	X(RELEASED,    15, LINK_FRONT, TO_KEEPER, 20, 20) \
	X(NOTE,        16, LINK_FRONT, TO_KEEPER, 8, 128) \
	X(JOB_FAILED,  17, LINK_FRONT, TO_KEEPER, 12, 12) \
	/* keeper pushes to the front */ \
	X(STOP,        20, LINK_FRONT, FROM_KEEPER, 28, 28) \
	X(SHREDDED,    21, LINK_FRONT, FROM_KEEPER, 36, 32020) \
	X(JOB_DONE,    22, LINK_FRONT, FROM_KEEPER, 16, 16) \
	X(ROW_CHANGED, 23, LINK_FRONT, FROM_KEEPER, 44, 44) \
	/* supervisor and keeper */ \
	X(CONFIGURE,   30, LINK_SUPERVISOR, TO_KEEPER, 16, 8192) \
	X(READY,       31, LINK_SUPERVISOR, FROM_KEEPER, 32, 512) \
	X(FAILED,      32, LINK_SUPERVISOR, FROM_KEEPER, 2, 1024) \
	X(SPAWN,       33, LINK_SUPERVISOR, FROM_KEEPER, 8, 8) \
	X(SPAWNED,     34, LINK_SUPERVISOR, TO_KEEPER, 12, 12) /* carries the exporter's key link */ \
	X(EXITED,      35, LINK_SUPERVISOR, TO_KEEPER, 12, 12) \
	X(FINISH,      36, LINK_SUPERVISOR, TO_KEEPER, 0, 0) \
	/* keeper and exporter */ \
	X(JOB,         40, LINK_EXPORTER, FROM_KEEPER, 64, 4096) \
	X(WANT_KEY,    41, LINK_EXPORTER, TO_KEEPER, 68, 68) \
	X(KEY,         42, LINK_EXPORTER, FROM_KEEPER, 4, 68) \
	X(WANT_META,   43, LINK_EXPORTER, TO_KEEPER, 32, 32) \
	X(META_KEY,    44, LINK_EXPORTER, FROM_KEEPER, 4, 36) \
	X(JOB_RESULT,  45, LINK_EXPORTER, TO_KEEPER, 28, 28)

enum ipc_type {
#define X(name, number, link, dir, min, max) IPC_##name = (number),
	IPC_MESSAGES(X)
#undef X
};

struct ipc_packet {
	uint16_t type;
	uint64_t tag;
	const uint8_t *body;         /* view into the packet */
	size_t body_len;
};

const char *ipc_type_name(uint16_t type);
/* Checks header, type, link, direction and bounds. VAULT_E_PROTO on any breach. */
VAULT_NODISCARD vault_err ipc_parse(struct ipc_packet *p, const uint8_t *packet, size_t n, enum ipc_link link,
    enum ipc_dir dir);
/* Writes a header for a body that begins at packet + IPC_HEADER. Returns the packet's length. */
size_t ipc_seal(uint8_t *packet, uint16_t type, uint64_t tag, size_t body_len);
/*
 * Blocking and non-blocking ends. send is one packet or an error (VAULT_E_AGAIN
 * when full); recv gives VAULT_E_EOF when the peer is gone. *fd_io: a descriptor
 * to pass, or received (-1 when none); pass NULL where none is expected (a
 * descriptor that comes anyway is closed).
 */
VAULT_NODISCARD vault_err ipc_send(int fd, const uint8_t *packet, size_t n, const int *pass_fd);
VAULT_NODISCARD vault_err ipc_recv(int fd, uint8_t packet[IPC_MAX], size_t *n, int *passed_fd);

#define MEDIUM_VOICE 1u
#define MEDIUM_VIDEO 2u

/* How a source proves itself. Exactly one of them. */
enum cred_kind {
	CRED_NONE = 0,
	CRED_SECRET = 1,             /* bytes of the bearer secret */
	CRED_CERT = 2                /* SHA-256 of the client certificate */
};
struct ipc_cred {
	uint8_t kind;
	uint8_t len;                 /* secret: 1..128; cert: 32 */
	uint8_t data[128];
};

/* ADMIT: may this source write this medium for this tenant? No state is made. */
struct ipc_admit {
	char tenant[VAULT_TENANT_MAX + 1];
	struct ipc_cred cred;
	uint8_t media;               /* declared; 0 = not known yet */
};
struct ipc_admitted {
	uint32_t refusal;            /* vault_refusal */
	uint32_t source;             /* source number, when refusal is none */
	uint8_t media;               /* media that are subscribed and have a retention */
	uint8_t consent;             /* 1: a consent reference is required */
	uint16_t tags_len;           /* declared extra metadata fields, comma separated */
	char tags[40];
};

#define IPC_NUMBER_MAX 40u
#define IPC_NAME_MAX 255u
/* OPEN: start a recording. media is what the probe found. */
struct ipc_open {
	char tenant[VAULT_TENANT_MAX + 1];
	struct ipc_cred cred;
	uint8_t media;
	uint8_t consent_given;
	char caller[IPC_NUMBER_MAX + 1];     /* digits with optional +; empty when absent or withheld */
	char callee[IPC_NUMBER_MAX + 1];
	char name[IPC_NAME_MAX + 1];         /* the sender's name of the upload; may be empty */
	uint16_t meta_len;                   /* JSON of the personal fields and the tracks, sealed by the keeper */
	uint8_t meta[METADATA_MAX];
};
struct ipc_opened {
	uint32_t refusal;
	uint8_t existing;            /* 1: name was used before; only id, ended and source are set */
	uint8_t ended;
	uint32_t source;
	vault_id id;
	uint64_t start_ms;
	uint64_t expires_s;
	uint64_t until_ms;           /* the subscription's end, 0 when open */
	uint32_t policy;             /* policy version */
	uint16_t sealed_len;
	uint8_t sealed[METADATA_MAX + METADATA_OVERHEAD];
};
struct ipc_segment { vault_id id; uint64_t start_us; };
struct ipc_grant {
	uint32_t refusal;
	vault_id id;
	uint32_t segment;
	uint64_t start_us;
	uint8_t salt[SEGMENT_SALT_BYTES];
	struct segment_key key;
};
#define CLOSE_TRUNCATED 1u
#define CLOSE_VOID 2u            /* nothing was stored: the recording's key is dropped unused */
struct ipc_close { vault_id id; uint32_t flags; uint32_t segments; uint64_t bytes; uint64_t duration_us; };
struct ipc_closed { uint32_t refusal; uint64_t expires_s; };
/* COMMAND: u8 listener (0 unix, 1 https), u8[3] zero, u32 len, token. */
struct ipc_command { uint8_t listener; const char *token; uint32_t token_len; };
/*
 * ANSWER: u16 status (HTTP), u16 kind, u32 len, JSON text.
 * kind ANSWER_FINAL: the JSON is the answer. ANSWER_SERVE: authorised, the front
 * completes it from its index or files; the JSON holds {"cmd",...} normalised.
 * ANSWER_JOB: an exporter comes; JSON {"cmd","job","tenant",...} tells what to feed it.
 */
enum answer_kind { ANSWER_FINAL = 0, ANSWER_SERVE = 1, ANSWER_JOB = 2 };
struct ipc_answer { uint16_t status; uint16_t kind; const char *json; uint32_t json_len; };
/* SOURCE: which source is this? Body as ADMIT's credential. */
struct ipc_source_is { uint32_t refusal; uint32_t source; };
/* RECONCILE: u32 n, n ids (n <= 2000). RECONCILED: u32 n, then per id the 16 bytes below. */
#define RECONCILE_MAX 2000u
struct ipc_reconciled_row { uint64_t expires_s; uint8_t known; uint8_t flags; uint8_t ended; uint8_t zero[5]; };
/* NOTE: an event the front alone saw: a refusal before the keeper was asked. */
struct ipc_note { uint32_t refusal; uint32_t count; char tenant[VAULT_TENANT_MAX + 1]; };
struct ipc_stop { vault_id id; uint32_t refusal; uint64_t at_ms; };
/* SHREDDED: batch[16], u32 n, n ids (1 <= n <= 2000). RELEASED: batch[16], u32 n. */
#define SHREDDED_MAX 2000u
/* JOB_DONE: u64 job, u32 refusal, u32 zero. JOB_FAILED: u64 job, u32 reason. */
struct ipc_job_done { uint64_t job; uint32_t refusal; };
/* ROW_CHANGED: id, u64 expires_s, u32 policy, u8 flags, u8[15] zero. */
#define ROW_HELD 1u
#define ROW_RESTRICTED 2u
struct ipc_row_changed { vault_id id; uint64_t expires_s; uint32_t policy; uint8_t flags; };

/* CONFIGURE: what the keeper must know; descriptors are inherited (see keeper/main.h). */
struct ipc_configure {
	uint8_t create;              /* 1: make a new vault when the roots are empty */
	uint8_t sweep_s;             /* sweep interval, 1..60 */
	uint8_t root_ok_cow;         /* the configuration allows a copy-on-write file system */
	uint8_t sandbox_optional;
	uint8_t first_operator[32];  /* Ed25519 public key enrolled in a new vault */
	uint8_t first_age[32];
	uint16_t pass_len;
	uint8_t pass[1024];          /* passphrase; wiped after use */
	char origin[128];            /* audit log origin */
};
struct ipc_ready {
	vault_id vault;
	uint8_t audit_pub[32];
	uint32_t protections;        /* PROTECT_* bits of sandbox.h */
	uint8_t fresh;               /* 1: the vault was made just now */
	char message[256];           /* empty, or a warning for the log */
};

enum job_mode { JOB_MEDIA = 1, JOB_METADATA = 2, JOB_AUTHENTICATE = 3 };
enum job_format { FORMAT_AS_STORED = 0, FORMAT_WAV = 1, FORMAT_OGG = 2 };
struct ipc_job {
	uint64_t job;
	uint8_t mode;
	uint8_t format;
	uint8_t ended;               /* media: the recording ended in order; totals below must match */
	uint8_t truncated;
	char tenant[VAULT_TENANT_MAX + 1];
	vault_id id;                 /* media, authenticate: the recording; metadata: zero */
	uint32_t segments;
	uint64_t bytes;
	uint64_t from_us, to_us;     /* media range; to_us UINT64_MAX = to the end */
	uint8_t recipients;          /* 1..8 */
	uint8_t recipient[8][32];
};
/* WANT_KEY: u64 job, id, u32 segment, u64 start_us, salt[32]. */
struct ipc_want_key { uint64_t job; vault_id id; uint32_t segment; uint64_t start_us; uint8_t salt[32]; };
struct ipc_key { uint32_t refusal; struct segment_key key; };
/* WANT_META: id, salt[16]. META_KEY: u32 refusal, key[32]. */
struct ipc_want_meta { vault_id id; uint8_t salt[16]; };
struct ipc_meta_key { uint32_t refusal; uint8_t key[32]; };
/* JOB_RESULT: u64 job, u32 refusal, u32 items, u64 bytes, u32 zero. */
struct ipc_job_result { uint64_t job; uint32_t refusal; uint32_t items; uint64_t bytes; };

/*
 * Encoders write a body behind IPC_HEADER of out (capacity IPC_MAX) and return
 * the whole packet's length, 0 when a field breaks its limit. Decoders take an
 * ipc_packet of the right type and refuse anything that is not exactly one
 * well-formed body; strings are NUL-terminated in the struct and contain no NUL.
 */
#define IPC_CODEC(name, type_) \
	size_t ipc_##name##_encode(uint8_t *out, uint64_t tag, const struct type_ *m); \
	VAULT_NODISCARD vault_err ipc_##name##_decode(struct type_ *m, const struct ipc_packet *p)
IPC_CODEC(admit, ipc_admit);
IPC_CODEC(admitted, ipc_admitted);
IPC_CODEC(open, ipc_open);
IPC_CODEC(opened, ipc_opened);
IPC_CODEC(segment, ipc_segment);
IPC_CODEC(grant, ipc_grant);
IPC_CODEC(close, ipc_close);
IPC_CODEC(closed, ipc_closed);
IPC_CODEC(command, ipc_command);
IPC_CODEC(answer, ipc_answer);
IPC_CODEC(source, ipc_cred);
IPC_CODEC(source_is, ipc_source_is);
IPC_CODEC(note, ipc_note);
IPC_CODEC(stop, ipc_stop);
IPC_CODEC(job_done, ipc_job_done);
IPC_CODEC(job_failed, ipc_job_done);
IPC_CODEC(row_changed, ipc_row_changed);
IPC_CODEC(configure, ipc_configure);
IPC_CODEC(ready, ipc_ready);
IPC_CODEC(job, ipc_job);
IPC_CODEC(want_key, ipc_want_key);
IPC_CODEC(key, ipc_key);
IPC_CODEC(want_meta, ipc_want_meta);
IPC_CODEC(meta_key, ipc_meta_key);
IPC_CODEC(job_result, ipc_job_result);

/* Lists of ids: RECONCILE and SHREDDED. ids is a view of n * 16 bytes. */
size_t ipc_reconcile_encode(uint8_t *out, uint64_t tag, const vault_id *ids, uint32_t n);
VAULT_NODISCARD vault_err ipc_reconcile_decode(const struct ipc_packet *p, const uint8_t **ids, uint32_t *n);
size_t ipc_reconciled_encode(uint8_t *out, uint64_t tag, const struct ipc_reconciled_row *rows, uint32_t n);
VAULT_NODISCARD vault_err ipc_reconciled_row(const struct ipc_packet *p, uint32_t i, struct ipc_reconciled_row *row);
struct ipc_shredded { vault_id batch; uint32_t n; const uint8_t *ids; };
IPC_CODEC(shredded, ipc_shredded);
struct ipc_released { vault_id batch; uint32_t n; };
IPC_CODEC(released, ipc_released);
/* FAILED: u16 length, text for the operator. SPAWN: u64 job. SPAWNED/EXITED: u64 job, u32 status. FINISH: empty. */
size_t ipc_failed_encode(uint8_t *out, uint64_t tag, const char *text);
VAULT_NODISCARD vault_err ipc_failed_decode(const struct ipc_packet *p, char text[1024]);
struct ipc_exporter { uint64_t job; uint32_t status; };
IPC_CODEC(spawned, ipc_exporter);
IPC_CODEC(exited, ipc_exporter);
size_t ipc_spawn_encode(uint8_t *out, uint64_t tag, uint64_t job);
VAULT_NODISCARD vault_err ipc_spawn_decode(const struct ipc_packet *p, uint64_t *job);

#endif
