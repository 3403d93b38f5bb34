/*
 * demo.h - the people, tenants and profiles of a demo vault (vaultd --dev).
 */
#ifndef VAULTCTL_DEMO_H
#define VAULTCTL_DEMO_H

#include "ctl.h"

enum demo_person {
	DEMO_OPERATOR,
	DEMO_OPERATOR2,
	DEMO_DPO,
	DEMO_AUDITOR,
	DEMO_CONTACT,
	DEMO_BRIEF_CONTACT,
	DEMO_PEOPLE
};

struct demo_role {
	const char *name;                /* of the key file and the profile */
	const char *role;
	const char *tenant;              /* contacts only */
	bool remote;                     /* comes over https, as he would in earnest */
};

struct demo {
	char dir[PATH_MAX];              /* DIR itself, resolved */
	char socket[PATH_MAX];
	char key[DEMO_PEOPLE][PATH_MAX];
	struct ctl who[DEMO_PEOPLE];     /* a session each */
};

const struct demo_role *demo_role(enum demo_person person);
/* Writes the profiles below DIR/demo/profiles; facts is the vault's GET /v1/vault. Exit code. */
int demo_write_profiles(const struct demo *d, const json_t *facts);

#endif
