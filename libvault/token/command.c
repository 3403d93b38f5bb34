/*
 * command.c - the table of signed commands and the names of the roles.
 *
 * Static tables only; any thread.
 */
#include <string.h>

#include "token/command.h"

static const struct command_info commands[] = {
#define X(id, name, number, roles, scope, people) {COMMAND_##id, name, roles, scope, people},
	VAULT_COMMANDS(X)
#undef X
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct {
	unsigned role;
	const char *name;
} roles[] = {
	{VAULT_ROLE_OPERATOR, "operator"},
	{VAULT_ROLE_CONTACT, "contact"},
	{VAULT_ROLE_DPO, "dpo"},
	{VAULT_ROLE_AUDITOR, "auditor"},
};

#define ROLES (sizeof(roles) / sizeof(roles[0]))

const struct command_info *command_by_name(const char *name)
{
	for (size_t i = 0; name && i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const struct command_info *command_by_id(enum command_id id)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].id == id)
			return &commands[i];
	return NULL;
}

const struct command_info *command_list(size_t *n)
{
	*n = COMMANDS;
	return commands;
}

const char *role_name(unsigned role)
{
	for (size_t i = 0; i < ROLES; i++)
		if (roles[i].role == role)
			return roles[i].name;
	return "none";
}

unsigned role_by_name(const char *name)
{
	for (size_t i = 0; name && i < ROLES; i++)
		if (strcmp(roles[i].name, name) == 0)
			return roles[i].role;
	return 0;
}
