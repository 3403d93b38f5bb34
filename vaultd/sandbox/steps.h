/*
 * steps.h - the two long steps of sandbox_enter; private to vaultd/sandbox.
 */
#ifndef VAULT_SANDBOX_STEPS_H
#define VAULT_SANDBOX_STEPS_H

#include "sandbox/sandbox.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif

/* Only the given directories, with what the running kernel's ABI can forbid. VAULT_E_UNSUPPORTED: no Landlock. */
VAULT_NODISCARD vault_err landlock_enter(const struct sandbox *s);
/* The allow-list, for all threads; anything else kills the process. */
VAULT_NODISCARD vault_err seccomp_enter(const struct sandbox *s);

#endif
