/*
 * cmd_fetch.c - a recording, or a part of it, opened here with the contact's key.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "export.h"
#include "options.h"
#include "output.h"
#include "recording.h"
#include "session.h"
#include "text.h"

struct fetch_options {
	const char *out, *purpose, *format, *from, *to;
	bool sealed;
};

static int set_media_time(json_t *args, const char *name, const char *option, const char *given)
{
	uint64_t ms;
	if (given == NULL)
		return CTL_OK;
	if (text_media_ms(given, &ms) != VAULT_OK)
		return ctl_fail(CTL_USAGE, "--%s is a time in the recording: 90, 1:30 or 0:01:30.5", option);
	return json_object_set_new(args, name, json_integer((json_int_t)ms)) < 0
		   ? ctl_fail_local("memory", VAULT_E_NOMEM)
		   : CTL_OK;
}

static int check(const struct fetch_options *o)
{
	if (o->out == NULL)
		return ctl_fail(CTL_USAGE, "where should it go? Use -o FILE, or -o - for a pipe");
	if (o->purpose == NULL)
		return ctl_fail(CTL_USAGE,
		    "what for? Use --purpose with one of the tenant's purposes (vaultctl tenant show lists them)");
	if (o->format != NULL && strcmp(o->format, "as-stored") != 0 && strcmp(o->format, "wav") != 0 &&
	    strcmp(o->format, "ogg") != 0)
		return ctl_fail(CTL_USAGE, "a format is as-stored, wav or ogg");
	return CTL_OK;
}

static int make_args(const char *id, const struct fetch_options *o, json_t **out)
{
	uint64_t from = 0, to = UINT64_MAX;
	*out = ARGS("{s:s, s:s}", "id", id, "purpose", o->purpose);
	if (*out == NULL)
		return ctl_fail_local("memory", VAULT_E_NOMEM);
	args_set(*out, "format", o->format);
	int code = set_media_time(*out, "from_ms", "from", o->from);
	if (code == CTL_OK)
		code = set_media_time(*out, "to_ms", "to", o->to);
	if (code == CTL_OK && o->from != NULL && o->to != NULL && text_media_ms(o->from, &from) == VAULT_OK &&
	    text_media_ms(o->to, &to) == VAULT_OK && from >= to)
		code = ctl_fail(CTL_USAGE, "--to is not behind --from");
	return code;
}

static int transfer(struct ctl *c, json_t *args, const struct fetch_options *o)
{
	struct export *e = NULL;
	const struct export_target target = {.path = o->out};
	uint64_t bytes = 0;
	int code = session_key(c);
	if (code == CTL_OK)
		code = export_new(&e, c->key, &target, o->sealed, !c->quiet && !c->json);
	if (code != CTL_OK)
		return code;
	code = session_stream(c, "fetch", json_incref(args), export_write, export_begin, e);
	code = export_finish(e, code, &bytes);
	if (code != CTL_OK || strcmp(o->out, "-") == 0)
		return code;
	if (c->json) {
		json_t *facts = json_pack("{s:s, s:I, s:b}", "file", o->out, "bytes", (json_int_t)bytes, "sealed", o->sealed);
		code = facts == NULL ? ctl_fail_local("memory", VAULT_E_NOMEM) : output_json(facts);
		json_decref(facts);
	} else {
		char size[TEXT_MAX];
		text_size(bytes, size);
		ctl_say(c, "%s: %s, %s\n", o->out, size,
		    o->sealed ? "complete, still sealed to your key" : "complete and verified");
	}
	return code;
}

int cmd_fetch(struct ctl *c, int argc, char **argv)
{
	struct fetch_options o = {0};
	json_t *args = NULL;
	const struct option_spec specs[] = {
	    {"output", 'o', OPTION_TEXT, &o.out, "FILE", "the result; - is standard output"},
	    {"purpose", 0, OPTION_TEXT, &o.purpose, "P", "one of the tenant's purposes; it is logged"},
	    {"format", 0, OPTION_TEXT, &o.format, "F", "as-stored, wav or ogg (as-stored)"},
	    {"from", 0, OPTION_TEXT, &o.from, "T", "begin here: seconds, mm:ss or hh:mm:ss"},
	    {"to", 0, OPTION_TEXT, &o.to, "T", "end here"},
	    {"sealed", 0, OPTION_FLAG, &o.sealed, NULL, "keep the age file as it comes (age -d opens it)"},
	};
	int code = options_parse(c, specs, 6, &argc, argv, 1, 1);
	if (code != CTL_GO_ON)
		return code;
	code = check(&o);
	if (code == CTL_OK)
		code = recording_id_check(argv[0]);
	if (code == CTL_OK)
		code = make_args(argv[0], &o, &args);
	if (code == CTL_OK)
		code = transfer(c, args, &o);
	json_decref(args);
	return code;
}
