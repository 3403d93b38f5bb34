/*
 * cmd_shred.c - early erasure of one recording. There is no way back, so a
 * person is asked, and a script says --yes.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "recording.h"
#include "session.h"

static int confirm(struct ctl *c, const char *id)
{
	char line[16] = "";
	json_t *rows = json_array(), *row = NULL;
	if (!isatty(STDIN_FILENO)) {
		json_decref(rows);
		return ctl_fail(CTL_USAGE, "shredding cannot be undone; say --yes when nobody is there to ask");
	}
	int code = session_command(c, "show", ARGS("{s:s}", "id", id), &row);
	if (code == CTL_OK && json_array_append(rows, row) == 0)
		code = recording_table(rows, false);
	json_decref(row);
	json_decref(rows);
	if (code != CTL_OK)
		return code;
	(void)printf("\nIts key will be destroyed. Nobody can bring it back. Type yes to go on: ");
	(void)fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL || strcmp(line, "yes\n") != 0)
		return ctl_fail(CTL_USAGE, "nothing was shredded");
	return CTL_OK;
}

int cmd_shred(struct ctl *c, int argc, char **argv)
{
	const char *reason = NULL;
	bool yes = false;
	const struct option_spec specs[] = {
	    {"reason", 0, OPTION_TEXT, &reason, "TEXT", "why, in up to 200 characters; it is logged: no names or numbers"},
	    {"yes", 'y', OPTION_FLAG, &yes, NULL, "do not ask"},
	};
	int code = options_parse(c, specs, 2, &argc, argv, 1, 1);
	if (code != CTL_GO_ON)
		return code;
	if (reason == NULL)
		return ctl_fail(CTL_USAGE, "why? Use --reason TEXT");
	code = recording_id_check(argv[0]);
	if (code == CTL_OK && !yes)
		code = confirm(c, argv[0]);
	if (code != CTL_OK)
		return code;
	return session_print(c, "shred", ARGS("{s:s, s:s}", "id", argv[0], "reason", reason),
	    "%s is shredded: its key is destroyed, and opening it was tried and failed.", argv[0]);
}
