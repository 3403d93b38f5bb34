/*
 * main.c - vaultctl: the table of commands, the general help, and the frame
 * every command runs in. Nothing secret is ever taken from the command line.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "base/clock.h"
#include "base/secret.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "session.h"

#define TIMES "TIME is UTC: 2026-11-23, 2026-11-23T20:55 or with seconds and a zone."

static const struct command_entry commands[] = {
    {"key new", "[--passphrase] -o FILE [--role ROLE]", "make a private key and the public line to be enrolled by",
	NULL, cmd_key_new},
    {"key show", "[FILE]", "print kid, public key, age recipient and public line of a key", NULL, cmd_key_show},
    {"key identity", "[FILE] -o FILE", "write the age identity of a key, for age -d", NULL, cmd_key_identity},
    {"profile add", "NAME (--url URL [--ca FILE] [--pin PIN] | --socket PATH) [--key FILE] [--tenant TENANT]",
	"keep how a vault is reached, and pin its id and audit key", NULL, cmd_profile_add},
    {"profile list", "", "list the profiles", NULL, cmd_profile_list},
    {"profile use", "NAME", "choose the profile that is used when nobody says otherwise", NULL, cmd_profile_use},
    {"tenant add", "TENANT", "add a controller", "Role: operator.", cmd_tenant_add},
    {"tenant list", "", "list tenants with subscriptions and retention", "Roles: operator, dpo.", cmd_tenant_list},
    {"tenant show", "[TENANT]", "show a tenant's policy and keys", "Roles: operator, contact, dpo.", cmd_tenant_show},
    {"subscribe", "[TENANT] voice|video... [--from TIME] [--until TIME]", "let a medium of a tenant be recorded",
	"Role: operator. " TIMES, cmd_subscribe},
    {"unsubscribe", "[TENANT] voice|video... [--at TIME]", "end a subscription; what was recorded is kept",
	"Roles: operator, contact. " TIMES, cmd_unsubscribe},
    {"retention set", "[TENANT] voice|video KEEP", "set how long recordings are kept",
	"Role: contact. KEEP is an ISO 8601 duration: P90D, P6M, P1Y, PT20S. A shorter one reaches recordings that "
	"exist;\n"
	"a longer one does not.",
	cmd_retention_set},
    {"retention show", "[TENANT]", "show how long recordings are kept", "Roles: operator, contact, dpo.",
	cmd_retention_show},
    {"purpose", "PURPOSE... [--tenant TENANT]", "set the purposes recordings may be read for",
	"Role: contact. The list replaces the one before.", cmd_purpose},
    {"schema", "[NAME...] [--tenant TENANT]", "declare up to four metadata fields of the tenant's own",
	"Role: contact. The list replaces the one before; no name clears it.", cmd_schema},
    {"basis", "consent|other [--tenant TENANT]", "require a consent reference of every stream, or not",
	"Role: contact.", cmd_basis},
    {"principal add", "FILE.pub|LINE [--tenant TENANT] [--role ROLE]", "enrol a person by his public line",
	"Roles: operator, dpo; two people. LINE is what vaultctl key show prints last.", cmd_principal_add},
    {"principal list", "", "list enrolled people", "Roles: operator, dpo, auditor.", cmd_principal_list},
    {"principal revoke", "KID", "end a person's rights", "Roles: operator, dpo; two people.", cmd_principal_revoke},
    {"source add", "[--tenant A,B] [--media LIST] (-o FILE | --certificate FILE)", "let a media server write",
	"Role: operator. The secret is made here; the vault gets its SHA-256 only.", cmd_source_add},
    {"source list", "", "list media servers", "Roles: operator, dpo.", cmd_source_list},
    {"source revoke", "NUMBER", "stop a media server from writing", "Role: operator.", cmd_source_revoke},
    {"pending", "", "list what waits for a second person", "Roles: operator, dpo.", cmd_pending},
    {"approve", "SHA256", "be the second person for a waiting command",
	"Roles: operator, dpo. At least 8 hex digits; nobody approves his own.", cmd_approve},
    {"list", "[TENANT] [--from TIME] [--to TIME] [--personal --purpose P]", "list recordings",
	"Roles: operator, contact, dpo; personal fields: contact. " TIMES, cmd_list},
    {"show", "ID [--personal --purpose P]", "show one recording",
	"Roles: operator, contact, dpo; personal fields: contact, sealed to his key and opened here.", cmd_show},
    {"fetch", "ID -o FILE --purpose P [--format F] [--from T] [--to T] [--sealed]", "get a recording",
	"Role: contact. It comes sealed to your key and is opened here. FILE (mode 0600) appears only when everything\n"
	"has come and verified; an older FILE is replaced then.",
	cmd_fetch},
    {"shred", "ID --reason TEXT [--yes]", "destroy a recording for good, before its time", "Role: contact.", cmd_shred},
    {"keys", "[status]", "show the state of the key hierarchy", "Roles: operator, dpo, auditor.", cmd_keys_status},
    {"rotate tenant", "[TENANT]", "draw a new tenant key", "Role: operator.", cmd_rotate_tenant},
    {"rotate root", "", "draw a new root key and overwrite the old one", "Role: operator.", cmd_rotate_root},
    {"status", "", "show how the vault is and which protections are on", "Roles: all.", cmd_status},
    {"audit verify", "[--dir DIR] [--vkey KEY]", "verify the audit log over HTTP or from its files",
	"Needs no key. Checks the checkpoint's signature, computes the root again, compares with what was last seen "
	"(over\n"
	"HTTP), and checks every entry and tile file (from files).",
	cmd_audit_verify},
    {"audit show", "[--last N | --first N]", "show entries of the audit log",
	"Roles: auditor, dpo. --json prints one entry a line.", cmd_audit_show},
    {"verify", "--media DIR | --online | ID --purpose P", "look whether recordings are sound",
	"--media reads every frame's checksum and needs no key; --online lets the vault do so (operator, dpo); ID has "
	"an\n"
	"exporter open every chunk under its keys (contact).",
	cmd_verify},
    {"clock confirm", "", "confirm the vault's clock after a jump", "Roles: operator, dpo; two people.",
	cmd_clock_confirm},
    {"index rebuild", "[--config FILE]", "build the index again from the volumes (vault stopped)", NULL,
	cmd_index_rebuild},
    {"demo-setup", "DIR", "set up the tenants and people of vaultd --dev DIR", NULL, cmd_demo_setup},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_general_help(void)
{
	(void)puts("usage: vaultctl [GLOBAL OPTIONS] COMMAND ...\n"
	           "The hand tool of a recording vault's contacts, operators, officers and auditors.\n\nCommands:");
	for (size_t i = 0; i < COMMANDS; i++)
		(void)printf("  %-17s %s\n", commands[i].name, commands[i].help);
	(void)puts("\nGlobal options (anywhere on the line):");
	options_print_global(stdout);
	(void)puts(
	    "\nExit codes: 0 done, 1 refused by the vault, 2 usage, 3 cannot reach the vault, 4 verification failed,\n"
	    "5 waiting for a second person, 6 a local file or the terminal.\n"
	    "vaultctl COMMAND --help explains one command; vaultctl(1) has examples.");
}

/* Two words before one; *used gets how many words named it. */
static const struct command_entry *find(int argc, char **argv, int *used)
{
	for (int words = 2; words >= 1; words--) {
		char name[64];
		if (words > argc)
			continue;
		int n = snprintf(name, sizeof(name), "%s%s%s", argv[0], words == 2 ? " " : "", words == 2 ? argv[1] : "");
		for (size_t i = 0; n > 0 && (size_t)n < sizeof(name) && i < COMMANDS; i++) {
			if (strcmp(commands[i].name, name) == 0) {
				*used = words;
				return &commands[i];
			}
		}
	}
	return NULL;
}

/* "tenant" alone: say what goes on. */
static int unknown(const char *word)
{
	const size_t n = strlen(word);
	bool any = false;
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strncmp(commands[i].name, word, n) != 0 || commands[i].name[n] != ' ')
			continue;
		if (!any)
			(void)fprintf(stderr, "vaultctl: %s what?\n", word);
		any = true;
		(void)fprintf(stderr, "  vaultctl %s %s\n", commands[i].name, commands[i].synopsis);
	}
	return any ? CTL_USAGE : ctl_fail(CTL_USAGE, "there is no command %.40s. See: vaultctl --help", word);
}

static int run_command(struct ctl *c, int argc, char **argv)
{
	int used = 0;
	char help[] = "--help";
	char *only_help[] = {help};
	const bool wants_help = strcmp(argv[0], "help") == 0;
	if (wants_help) {
		argc--;
		argv++;
	}
	if (argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
		print_general_help();
		return CTL_OK;
	}
	c->entry = find(argc, argv, &used);
	if (c->entry == NULL)
		return unknown(argv[0]);
	if (wants_help)
		return c->entry->run(c, 1, only_help);
	return c->entry->run(c, argc - used, argv + used);
}

static void on_signal(int number)
{
	(void)number;
	api_interrupt();
}

/* A transfer ends in order on an interrupt, so that no temporary file stays behind; a second one ends at once. */
static void set_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	static struct ctl c = {.pass_fd = PASS_FD_NONE};
	int used = 0;
	bool version = false, names = false;
	clock_init();
	if (secret_setup() != VAULT_OK)
		return ctl_fail(CTL_LOCAL, "memory for keys cannot be locked; raise the limit with ulimit -l");
	set_signals();
	int code = options_parse_global(&c, argc - 1, argv + 1, &used, &version, &names);
	argc -= used + 1;
	argv += used + 1;
	if (code != CTL_GO_ON)
		return code;
	if (version) {
		(void)puts("vaultctl " VAULT_VERSION);
		return output_finish(CTL_OK);
	}
	if (names) {
		for (size_t i = 0; i < COMMANDS; i++)
			(void)puts(commands[i].name);
		return output_finish(CTL_OK);
	}
	if (argc == 0) {
		print_general_help();
		return output_finish(CTL_USAGE);
	}
	code = run_command(&c, argc, argv);
	session_close(&c);
	return output_finish(code);
}
