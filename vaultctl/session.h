/*
 * session.h - one vault, one signer: finds the profile, loads the key, signs
 * commands and sends them. Everything is opened on first use.
 *
 * All functions return an exit code and have explained a failure already.
 */
#ifndef VAULTCTL_SESSION_H
#define VAULTCTL_SESSION_H

#include "api.h"
#include "ctl.h"

/* The profile with the command line's options laid over it; no connection yet. */
int session_open(struct ctl *c);
void session_close(struct ctl *c);
/* session_open, and c->api is ready. */
int session_connect(struct ctl *c);
/* The signer's key, asking for its passphrase when it has one. c->key afterwards. */
int session_key(struct ctl *c);
/* The vault's id: the profile's, else what the vault says itself. c->vault afterwards. */
int session_vault(struct ctl *c);
/* GET /v1/vault; new reference. */
int session_vault_facts(struct ctl *c, json_t **facts);
/*
 * Signs cmd with args (args is taken over, NULL is an empty object) and sends
 * it. *answer: new reference. CTL_PENDING: answered 202; the way to approve it
 * was printed, *answer is set too.
 */
int session_command(struct ctl *c, const char *cmd, json_t *args, json_t **answer);
/*
 * The same without a word about refusals and approvals: CTL_PENDING with the
 * answer, or CTL_REFUSED with the problem's name in title. For demo-setup.
 */
int session_try(struct ctl *c, const char *cmd, json_t *args, json_t **answer, char title[64]);
/* The same for a command that makes the vault work for long. */
int session_slow_command(struct ctl *c, const char *cmd, json_t *args, json_t **answer);
/* The same, and prints the answer: JSON with --json, else the sentence (printf) or, with none, a sheet. */
int session_print(struct ctl *c, const char *cmd, json_t *args, const char *sentence, ...)
    __attribute__((format(printf, 4, 5)));
/* A command answered by an age stream. */
int session_stream(struct ctl *c, const char *cmd, json_t *args, api_stream_fn stream,
    void (*begin)(void *arg, uint64_t length), void *arg);
/*
 * Walks a paged list: calls cmd with args and, page by page, "after", and
 * appends the items of member to items until there is no next or most is
 * reached (0: all; else args may take a "limit"). *next: new reference to the
 * cursor where it stopped, or NULL at the end.
 */
int session_pages(struct ctl *c, const char *cmd, const json_t *args, const char *member, size_t most, json_t *items,
    json_t **next);
/*
 * Prints a whole paged list: {member: [...]} with --json, else what print makes
 * of the array, or the sentence none when it is empty.
 */
int session_print_list(struct ctl *c, const char *cmd, const char *member, int (*print)(const json_t *rows),
    const char *none);
/* The tenant: given, else the profile's. NULL after explaining that there is none. */
const char *session_tenant(struct ctl *c, const char *given);
/* A command whose one, optional argument is the tenant: parses it. CTL_GO_ON, or the code to end with. */
int session_tenant_only(struct ctl *c, int argc, char **argv, const char **tenant);

/* json_pack for arguments: NULL becomes an explained CTL_LOCAL in session_command. */
#define ARGS(...) json_pack(__VA_ARGS__)
/* A string member unless value is NULL. */
void args_set(json_t *args, const char *name, const char *value);

#endif
