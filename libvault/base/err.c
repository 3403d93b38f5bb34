/*
 * err.c - words for errors and refusals, and the one map from errno.
 *
 * Static tables only; any thread. Nothing here ever prints or allocates.
 */
#include <errno.h>
#include <stddef.h>

#include <vault/error.h>

const char *vault_strerror(vault_err err)
{
	switch (err) {
	case VAULT_OK: return "no error";
	case VAULT_E_NOMEM: return "out of memory";
	case VAULT_E_INVAL: return "value not allowed";
	case VAULT_E_IO: return "input or output failed";
	case VAULT_E_FULL: return "no space left";
	case VAULT_E_CORRUPT: return "stored data is corrupt";
	case VAULT_E_AUTH: return "does not verify";
	case VAULT_E_NOTFOUND: return "not found";
	case VAULT_E_EXISTS: return "exists already";
	case VAULT_E_DENIED: return "not allowed";
	case VAULT_E_RANGE: return "beyond a limit";
	case VAULT_E_SHORT: return "input ends too early";
	case VAULT_E_UNSUPPORTED: return "not supported";
	case VAULT_E_STATE: return "not possible in this state";
	case VAULT_E_TIMEOUT: return "timed out";
	case VAULT_E_AGAIN: return "would block";
	case VAULT_E_EXPIRED: return "expired";
	case VAULT_E_BUSY: return "busy";
	case VAULT_E_PROTO: return "peer broke the protocol";
	case VAULT_E_EOF: return "end of input";
	}
	return "unknown error";
}

vault_err vault_err_from_errno(int errnum)
{
	switch (errnum) {
	case 0:
		return VAULT_OK;
	case ENOMEM:
		return VAULT_E_NOMEM;
	case EINVAL:
	case ENAMETOOLONG:
	case EBADF:
		return VAULT_E_INVAL;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return VAULT_E_FULL;
	case ENOENT:
	case ENOTDIR:
	case ESRCH:
		return VAULT_E_NOTFOUND;
	case EEXIST:
	case ENOTEMPTY:
		return VAULT_E_EXISTS;
	case EACCES:
	case EPERM:
	case EROFS:
	case ELOOP:
		return VAULT_E_DENIED;
	case ERANGE:
	case EOVERFLOW:
	case EMSGSIZE:
		return VAULT_E_RANGE;
	case ENOSYS:
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
		return VAULT_E_UNSUPPORTED;
	case ETIMEDOUT:
		return VAULT_E_TIMEOUT;
	case EAGAIN:
	case EINTR:
		return VAULT_E_AGAIN;
	case EBUSY:
	case EADDRINUSE:
		return VAULT_E_BUSY;
	case EPIPE:
	case ECONNRESET:
		return VAULT_E_EOF;
	default:
		return VAULT_E_IO;
	}
}

struct refusal {
	unsigned number;
	const char *name;
	int status;
	const char *sentence;
};

static const struct refusal refusals[] = {
#define X(name, number, status, sentence) {number, #name, status, sentence},
	VAULT_REFUSALS(X)
#undef X
};

static const struct refusal *refusal_find(unsigned number)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].number == number)
			return &refusals[i];
	return refusal_find(VAULT_REFUSAL_internal);
}

const char *vault_refusal_name(unsigned refusal)
{
	return refusal_find(refusal)->name;
}

int vault_refusal_status(unsigned refusal)
{
	return refusal_find(refusal)->status;
}

const char *vault_refusal_sentence(unsigned refusal)
{
	return refusal_find(refusal)->sentence;
}
