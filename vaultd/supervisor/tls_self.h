/*
 * tls_self.h - a self-signed server certificate for development.
 */
#ifndef VAULT_SUPERVISOR_TLS_SELF_H
#define VAULT_SUPERVISOR_TLS_SELF_H

#include <vault/error.h>

/* P-256, valid ten years, for localhost, 127.0.0.1 and ::1. Files are made with O_EXCL; the key 0600. */
VAULT_NODISCARD vault_err tls_self_make(const char *certificate_path, const char *key_path);

#endif
