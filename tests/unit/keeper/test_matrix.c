/*
 * test_matrix.c - every role against every command (R32), made from the command
 * list: who may not sign is refused, who may is not, and a contact reaches
 * nothing of another tenant.
 */
#include "fixture.h"

#include <string.h>

#include "keeper/call.h"

static int setup(void **state)
{
	struct fixture *f = fixture_new();

	fixture_subscribe(f, "P90D");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static json_t *args_for(struct fixture *f, const struct command_info *info, const char *tenant, const vault_id *id)
{
	char text[VAULT_ID_TEXT];

	vault_id_format(id, text);
	switch (info->id) {
	case COMMAND_TENANT_ADD: return json_pack("{s:s}", "tenant", "alpha");
	case COMMAND_SUBSCRIBE:
	case COMMAND_UNSUBSCRIBE: return json_pack("{s:s, s:s}", "tenant", tenant, "medium", "voice");
	case COMMAND_RETENTION_SET:
		return json_pack("{s:s, s:s, s:s}", "tenant", tenant, "medium", "voice", "keep", "P90D");
	case COMMAND_PRINCIPAL_ADD: return fixture_principal(f, STRANGER, "auditor", NULL);
	case COMMAND_PRINCIPAL_REVOKE: return json_pack("{s:s}", "kid", f->kid[AUDITOR]);
	case COMMAND_SOURCE_ADD:
		return json_pack("{s:[s], s:[s], s:s}", "tenants", "alpha", "media", "voice", "secret_sha256",
		    "0000000000000000000000000000000000000000000000000000000000000000");
	case COMMAND_SOURCE_REVOKE: return json_pack("{s:i}", "source", 99);
	case COMMAND_SHOW: return json_pack("{s:s}", "id", text);
	case COMMAND_FETCH:
	case COMMAND_AUTHENTICATE: return json_pack("{s:s, s:s}", "id", text, "purpose", "complaint");
	case COMMAND_SHRED: return json_pack("{s:s, s:s}", "id", text, "reason", "matrix");
	case COMMAND_READ_METADATA: return json_pack("{s:s, s:s}", "tenant", tenant, "purpose", "complaint");
	case COMMAND_APPROVE:
		return json_pack("{s:s}", "sha256", "0000000000000000000000000000000000000000000000000000000000000000");
	case COMMAND_AUDIT_READ: return json_pack("{s:i, s:i}", "first", 0, "count", 10);
	case COMMAND_PURPOSE_SET: return json_pack("{s:s, s:[s]}", "tenant", tenant, "purposes", "complaint");
	case COMMAND_SCHEMA_SET: return json_pack("{s:s, s:[]}", "tenant", tenant, "tags");
	case COMMAND_BASIS_SET: return json_pack("{s:s, s:b}", "tenant", tenant, "consent", 0);
	default: break;
	}
	return info->scope == SCOPE_TENANT ? json_pack("{s:s}", "tenant", tenant) : json_object();
}

/* Statuses that mean: allowed by role, whatever came of it. */
static bool let_through(unsigned status, const char *refusal)
{
	return status == 200 || status == 202 || strcmp(refusal, "exists") == 0 || strcmp(refusal, "not_found") == 0;
}

static void check_cell(struct fixture *f, const struct command_info *info, enum person who, unsigned role)
{
	json_t *json = NULL;
	vault_id id = fixture_recording(f, "+31201234567");
	unsigned status = fixture_command(f, who, info->name, args_for(f, info, "alpha", &id), &json);
	const char *refusal = fixture_refusal(json);
	bool allowed = (info->roles & role) != 0;

	if (allowed && !let_through(status, refusal))
		fail_msg("%s by %s: %u %s, but is allowed", info->name, role_name(role), status, refusal);
	if (!allowed && (status != 403 || strcmp(refusal, "forbidden") != 0))
		fail_msg("%s by %s: %u %s, but is not allowed", info->name, role_name(role), status, refusal);
	if (allowed && info->scope == SCOPE_RECORDING && status != 200)
		fail_msg("%s by %s: %u %s", info->name, role_name(role), status, refusal);
	json_decref(json);
	export_free_all(&f->k->exports);
}

static void test_r32_every_cell(void **state)
{
	static const struct {
		enum person who;
		unsigned role;
	} people[] = {
		{ OPERATOR, VAULT_ROLE_OPERATOR }, { DPO, VAULT_ROLE_DPO }, { AUDITOR, VAULT_ROLE_AUDITOR },
		{ CONTACT, VAULT_ROLE_CONTACT },
	};
	struct fixture *f = *state;
	size_t n;
	const struct command_info *list = command_list(&n);

	for (size_t i = 0; i < n; i++) {
		assert_non_null(command_row(list[i].id));
		for (size_t j = 0; j < sizeof(people) / sizeof(people[0]); j++) {
			check_cell(f, &list[i], people[j].who, people[j].role);
			if (list[i].id == COMMAND_UNSUBSCRIBE)
				fixture_ok(f, OPERATOR, "subscribe", json_pack("{s:s, s:s}", "tenant", "alpha", "medium", "voice"));
		}
	}
}

/* R20: a foreign contact, an unknown key and a revoked one get the same answer to every command. */
static void test_r20_strangers_are_alike(void **state)
{
	struct fixture *f = *state;
	vault_id id = fixture_recording(f, NULL);
	size_t n;
	const struct command_info *list = command_list(&n);

	for (size_t i = 0; i < n; i++) {
		json_t *foreign = NULL, *unknown = NULL;
		if (list[i].scope == SCOPE_VAULT || (list[i].roles & VAULT_ROLE_CONTACT) == 0)
			continue;
		unsigned a = fixture_command(f, CONTACT_B, list[i].name, args_for(f, &list[i], "alpha", &id), &foreign);
		unsigned b = fixture_command(f, STRANGER, list[i].name, args_for(f, &list[i], "alpha", &id), &unknown);
		assert_int_equal(a, b);
		assert_true(a == 403 || a == 404);
		assert_true(json_equal(foreign, unknown));
		json_decref(foreign);
		json_decref(unknown);
	}
}

static void test_r20_revoked_contact_is_a_stranger(void **state)
{
	struct fixture *f = *state;
	vault_id id = fixture_recording(f, NULL);
	json_t *revoked = NULL, *unknown = NULL;
	const struct command_info *fetch = command_by_id(COMMAND_FETCH), *show = command_by_id(COMMAND_TENANT_SHOW);

	assert_int_equal(fixture_pair(f, OPERATOR, DPO, "principal.revoke", json_pack("{s:s}", "kid", f->kid[CONTACT]), NULL), 200);
	unsigned a = fixture_command(f, CONTACT, "fetch", args_for(f, fetch, "alpha", &id), &revoked);
	unsigned b = fixture_command(f, STRANGER, "fetch", args_for(f, fetch, "alpha", &id), &unknown);
	assert_int_equal(a, 404);
	assert_int_equal(a, b);
	assert_true(json_equal(revoked, unknown));
	json_decref(revoked);
	json_decref(unknown);
	assert_int_equal(fixture_command(f, CONTACT, "tenant.show", args_for(f, show, "alpha", &id), NULL), 403);
	/* A revoked key does not come back. */
	assert_int_equal(fixture_command(f, OPERATOR, "principal.add", fixture_principal(f, CONTACT, "contact", "alpha"), NULL), 409);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_r32_every_cell, setup, teardown),
		cmocka_unit_test_setup_teardown(test_r20_strangers_are_alike, setup, teardown),
		cmocka_unit_test_setup_teardown(test_r20_revoked_contact_is_a_stranger, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
