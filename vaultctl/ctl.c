/*
 * ctl.c - the words every command speaks: one line for a failure, and what is
 * nice to know.
 */
#include "ctl.h"

#include <stdarg.h>
#include <stdio.h>

#include "output.h"

int ctl_fail(int code, const char *fmt, ...)
{
	va_list ap;
	(void)fflush(stdout);
	(void)fprintf(stderr, "%svaultctl:%s ", output_red(stderr), output_plain(stderr));
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return code;
}

int ctl_fail_local(const char *what, vault_err err)
{
	return ctl_fail(CTL_LOCAL, "%s: %s", what, vault_strerror(err));
}

void ctl_say(const struct ctl *c, const char *fmt, ...)
{
	va_list ap;
	if (c->quiet || c->json)
		return;
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
}
