/*
 * cmd_index.c - index rebuild: runs `vaultd --rebuild-index`, which has the
 * users and directories at hand. The vault must be stopped.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"

/* Beside this program, or in the sbin next to its bin. */
static int find_vaultd(char *out, size_t cap)
{
	static const char *const places[] = {"", "/../sbin"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return ctl_fail(CTL_LOCAL, "cannot tell where this program lies: %s", strerror(errno));
	self[n] = '\0';
	char *slash = strrchr(self, '/');
	if (slash != NULL)
		*slash = '\0';
	for (size_t i = 0; i < 2; i++) {
		int len = snprintf(out, cap, "%s%s/vaultd", self, places[i]);
		if (len > 0 && (size_t)len < cap && access(out, X_OK) == 0)
			return CTL_OK;
	}
	return ctl_fail(CTL_LOCAL,
	    "there is no vaultd beside %s/vaultctl; run on the vault's machine: vaultd --rebuild-index -c FILE", self);
}

int cmd_index_rebuild(struct ctl *c, int argc, char **argv)
{
	const char *config = "/etc/vault/vaultd.ini";
	char program[PATH_MAX + 32];
	const struct option_spec specs[] = {
	    {"config", 'c', OPTION_TEXT, &config, "FILE", "vaultd's configuration (/etc/vault/vaultd.ini)"},
	};
	int code = options_parse(c, specs, 1, &argc, argv, 0, 0);
	if (code == CTL_GO_ON)
		code = find_vaultd(program, sizeof(program));
	else
		return code;
	if (code != CTL_OK)
		return code;
	(void)fflush(stdout);
	(void)execl(program, "vaultd", "--rebuild-index", "-c", config, (char *)NULL);
	return ctl_fail(CTL_LOCAL, "cannot run %s: %s", program, strerror(errno));
}
