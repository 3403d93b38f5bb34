/*
 * lmdb_err.h - the one place where LMDB's errors become ours, for the keeper's
 * tree and the front's index. Inline, so that a static analyser sees that
 * nothing but MDB_SUCCESS is VAULT_OK.
 */
#ifndef VAULT_LMDB_ERR_H
#define VAULT_LMDB_ERR_H

#include <lmdb.h>

#include <vault/error.h>

VAULT_NODISCARD static inline vault_err lmdb_err(int rc)
{
	vault_err err;

	switch (rc) {
	case MDB_SUCCESS:
		return VAULT_OK;
	case MDB_NOTFOUND:
		return VAULT_E_NOTFOUND;
	case MDB_KEYEXIST:
		return VAULT_E_EXISTS;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
	case MDB_DBS_FULL:
		return VAULT_E_FULL;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_PANIC:
		return VAULT_E_CORRUPT;
	case MDB_BAD_VALSIZE:
	case MDB_BAD_DBI:
		return VAULT_E_INVAL;
	default:
		err = rc > 0 ? vault_err_from_errno(rc) : VAULT_E_IO;
		return err != VAULT_OK ? err : VAULT_E_IO;
	}
}

#endif
