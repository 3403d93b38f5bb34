/*
 * test_command.c - the command table: numbers, names, roles (R4, R32).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "token/command.h"

static void table_is_consistent(void **state)
{
	size_t n;
	const struct command_info *list = command_list(&n);

	(void)state;
	assert_int_equal(n, 31);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(list[i].id, i + 1);
		assert_ptr_equal(command_by_name(list[i].name), &list[i]);
		assert_ptr_equal(command_by_id(list[i].id), &list[i]);
		assert_true(list[i].roles != 0 && list[i].roles < 16);
		assert_true(list[i].people == 1 || list[i].people == 2);
		assert_true(strlen(list[i].name) < 32);
	}
	assert_null(command_by_name("nothing"));
	assert_null(command_by_name(""));
	assert_null(command_by_name(NULL));
	assert_null(command_by_id(COMMAND_NONE));
	assert_null(command_by_id((enum command_id)32));
}

/* What the requirements say of single cells. */
static void R4_R32_separated_duties(void **state)
{
	static const enum command_id content[] = {
		COMMAND_FETCH, COMMAND_READ_METADATA, COMMAND_AUTHENTICATE, COMMAND_SHRED,
	};
	static const enum command_id rotation[] = {COMMAND_ROTATE_TENANT, COMMAND_ROTATE_ROOT};

	(void)state;
	assert_int_equal(command_by_id(COMMAND_RETENTION_SET)->roles, VAULT_ROLE_CONTACT);
	for (size_t i = 0; i < sizeof(content) / sizeof(content[0]); i++)
		assert_int_equal(command_by_id(content[i])->roles, VAULT_ROLE_CONTACT);
	for (size_t i = 0; i < sizeof(rotation) / sizeof(rotation[0]); i++)
		assert_false(command_by_id(rotation[i])->roles & VAULT_ROLE_CONTACT);
	assert_int_equal(command_by_id(COMMAND_PRINCIPAL_ADD)->people, 2);
	assert_int_equal(command_by_id(COMMAND_CLOCK_CONFIRM)->people, 2);
}

static void roles_have_names(void **state)
{
	(void)state;
	for (unsigned role = 1; role <= 8; role *= 2)
		assert_int_equal(role_by_name(role_name(role)), role);
	assert_string_equal(role_name(VAULT_ROLE_DPO), "dpo");
	assert_int_equal(role_by_name("root"), 0);
	assert_int_equal(role_by_name(role_name(3)), 0);
	assert_int_equal(role_by_name(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_consistent),
		cmocka_unit_test(R4_R32_separated_duties),
		cmocka_unit_test(roles_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
