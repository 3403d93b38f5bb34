/*
 * error.h - the one error enumeration of the vault.
 *
 * Every function that can fail returns a vault_err (0 or negative). Foreign
 * errors (errno, LMDB, OpenSSL) are mapped once, where the library is called.
 * VAULT_REFUSALS are the answers that a client may see: stable names that are
 * part of the HTTP interface (docs/HTTP.md) and of the audit log.
 */
#ifndef VAULT_ERROR_H
#define VAULT_ERROR_H

#define VAULT_NODISCARD __attribute__((warn_unused_result))

typedef enum vault_err {
	VAULT_OK = 0,
	VAULT_E_NOMEM = -1,       /* allocation failed */
	VAULT_E_INVAL = -2,       /* argument or value not allowed */
	VAULT_E_IO = -3,          /* read, write or sync failed */
	VAULT_E_FULL = -4,        /* no space on the device or in the quota */
	VAULT_E_CORRUPT = -5,     /* stored data breaks its own format */
	VAULT_E_AUTH = -6,        /* tag or signature does not verify */
	VAULT_E_NOTFOUND = -7,
	VAULT_E_EXISTS = -8,
	VAULT_E_DENIED = -9,      /* known, but not allowed */
	VAULT_E_RANGE = -10,      /* length, count or time beyond its limit */
	VAULT_E_SHORT = -11,      /* input ends too early; more may come */
	VAULT_E_UNSUPPORTED = -12,
	VAULT_E_STATE = -13,      /* not possible in this state */
	VAULT_E_TIMEOUT = -14,
	VAULT_E_AGAIN = -15,      /* would block */
	VAULT_E_EXPIRED = -16,
	VAULT_E_BUSY = -17,
	VAULT_E_PROTO = -18,      /* peer broke the protocol */
	VAULT_E_EOF = -19         /* orderly end of input */
} vault_err;

/* A short English phrase, never NULL, static storage. */
const char *vault_strerror(vault_err err);

/* The vault_err for an errno value (ENOSPC/EDQUOT -> FULL, ENOMEM -> NOMEM, ...). */
vault_err vault_err_from_errno(int errnum);

/*
 * X(name, number, http_status, sentence)
 * The number travels between the processes and never changes; the sentence
 * says what to do and never contains anything from the request.
 */
#define VAULT_REFUSALS(X) \
	X(none, 0, 200, "No refusal.") \
	X(not_subscribed, 1, 403, \
	    "The tenant has no subscription for this medium. Its operator adds one with: vaultctl subscribe.") \
	X(no_retention, 2, 403, \
	    "No retention is set for this medium. A contact of the tenant sets one with: vaultctl retention set.") \
	X(consent_required, 3, 403, \
	    "This tenant records on consent. Send the consent reference in the metadata field consent.") \
	X(unknown_field, 4, 400, "A metadata field is not in the schema. Remove it, or have the tenant declare it.") \
	X(bad_metadata, 5, 400, "The metadata cannot be read. See docs/HTTP.md for its fields and limits.") \
	X(unauthorized, 6, 401, "Send the source's bearer secret, Basic credentials or client certificate.") \
	X(forbidden, 7, 403, "This key may not do this.") \
	X(not_found, 8, 404, "There is no such thing here.") \
	X(quota_exceeded, 9, 507, "The tenant's quota is used up.") \
	X(disk_full, 10, 507, "The vault's disk is full. Try again when there is room.") \
	X(unsupported_media, 11, 415, "The medium cannot be recognised. Send Ogg, WAV, WebM/Matroska or MP4.") \
	X(media_mismatch, 12, 415, "The Content-Type names another medium than the body holds.") \
	X(too_many_streams, 13, 503, "Too many streams are open. Try again later.") \
	X(restricted, 14, 423, "The recording is restricted. Its controller lifts the restriction first.") \
	X(held, 15, 423, "A legal hold keeps this recording. It is lifted first.") \
	X(replayed, 16, 409, "This signed command was used before. Sign a new one.") \
	X(bad_token, 17, 401, "The signed command does not verify. Check the key, the audience and the clock.") \
	X(bad_command, 18, 400, "The command or its arguments cannot be read. See docs/HTTP.md.") \
	X(bad_purpose, 19, 403, "The purpose is missing or not on the tenant's list.") \
	X(pending_approval, 20, 202, "Waiting for a second person. Approve with: vaultctl approve.") \
	X(internal, 21, 500, "The vault failed. Its log says more.") \
	X(unavailable, 22, 503, "The vault is not ready. Try again later.") \
	X(headers_too_large, 23, 431, "The request header is larger than 32 KiB.") \
	X(body_timeout, 24, 408, "The request came too slowly.") \
	X(bad_request, 25, 400, "The request breaks HTTP.") \
	X(length_mismatch, 26, 400, "The body is not as long as Content-Length says.") \
	X(range_not_supported, 27, 416, "Content-Range is not taken here. Send the whole stream in one request.") \
	X(method_not_allowed, 28, 405, "This resource does not take this method.") \
	X(bad_name, 29, 400, "The name is empty, too long, not UTF-8 or holds a path.") \
	X(retention_ended, 30, 403, "The retention of this stream ended while it was running.") \
	X(subscription_ended, 31, 403, "The subscription ended. What came before is kept.") \
	X(format_unsupported, 32, 406, "This recording cannot be given in that format. Fetch it as-stored.") \
	X(body_too_large, 33, 413, "The body is larger than this resource takes.") \
	X(exists, 34, 409, "It exists already.") \
	X(truncated_media, 35, 422, "The container ends before its first track is described.") \
	X(clock_uncertain, 36, 503, "The vault's clock jumped. Two people confirm the time first.") \
	X(in_use, 37, 409, "It is still being recorded. End the stream first.")

typedef enum vault_refusal {
#define X(name, number, status, sentence) VAULT_REFUSAL_##name = (number),
	VAULT_REFUSALS(X)
#undef X
} vault_refusal;

/* Name ("not_subscribed"), HTTP status and sentence; unknown numbers read as internal. */
const char *vault_refusal_name(unsigned refusal);
int vault_refusal_status(unsigned refusal);
const char *vault_refusal_sentence(unsigned refusal);

#endif
