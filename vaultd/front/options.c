/*
 * options.c - see options.h. Blocking, before the loop runs. The supervisor is
 * trusted, and checked all the same.
 */
#include "front/options.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/secret.h"

#define OPTIONS_JSON_MAX 16384u
#define FIRST_LISTENER_FD 8u

/* One packet. A lone zero byte is "none". */
static vault_err receive(int fd, uint8_t *out, size_t cap, size_t *n)
{
	ssize_t got;

	do {
		got = recv(fd, out, cap, MSG_TRUNC);
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got == 0 ? VAULT_E_EOF : VAULT_E_IO;
	if ((size_t)got > cap)
		return VAULT_E_RANGE;
	*n = got == 1 && out[0] == 0 ? 0 : (size_t)got;
	return VAULT_OK;
}

static vault_err read_number(const json_t *o, const char *name, uint64_t least, uint64_t most, uint64_t *out)
{
	vault_err err = json_u64(o, name, out);

	if (err != VAULT_OK)
		return err;
	return *out < least || *out > most ? VAULT_E_RANGE : VAULT_OK;
}

static vault_err read_u32(const json_t *o, const char *name, uint64_t least, uint32_t most, uint32_t *out)
{
	uint64_t v = 0;
	vault_err err = read_number(o, name, least, most, &v);

	*out = (uint32_t)v;
	return err;
}

static vault_err read_listener(const json_t *o, struct option_listener *l)
{
	static const char *const kinds[] = { "https", "unix", "ops" };
	const char *kind = json_str(o, "kind", NULL);
	uint64_t fd = 0;

	if (kind == NULL || read_number(o, "fd", FIRST_LISTENER_FD, 1024, &fd) != VAULT_OK)
		return VAULT_E_INVAL;
	l->fd = (int)fd;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i], kind) == 0) {
			l->kind = (enum listener_kind)i;
			return VAULT_OK;
		}
	}
	return VAULT_E_INVAL;
}

static vault_err read_listeners(const json_t *o, struct front_options *out)
{
	const json_t *list = json_object_get(o, "listeners");

	if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > OPTIONS_LISTENERS_MAX)
		return VAULT_E_INVAL;
	for (size_t i = 0; i < json_array_size(list); i++) {
		vault_err err = read_listener(json_array_get(list, i), &out->listener[i]);
		if (err != VAULT_OK)
			return err;
	}
	out->n_listeners = json_array_size(list);
	return VAULT_OK;
}

static vault_err read_identity(const json_t *o, struct front_options *out)
{
	size_t id_len = 0, origin_len = 0, pub_len = 0, n = 0;
	const char *id = json_str(o, "vault", &id_len);
	const char *origin = json_str(o, "origin", &origin_len);
	const char *pub = json_str(o, "audit_pub", &pub_len);
	vault_err err;

	if (id == NULL || origin == NULL || pub == NULL || origin_len == 0 || origin_len >= sizeof(out->origin))
		return VAULT_E_INVAL;
	memcpy(out->origin, origin, origin_len + 1);
	err = vault_id_parse(id, id_len, &out->vault);
	if (err == VAULT_OK)
		err = hex_decode(pub, pub_len, out->audit_pub, sizeof(out->audit_pub), &n);
	return err == VAULT_OK && n != sizeof(out->audit_pub) ? VAULT_E_INVAL : err;
}

static vault_err read_limits(const json_t *o, struct front_options *out)
{
	uint32_t lanes;
	vault_err err = read_u32(o, "lanes", 1, 1, &lanes);

	if (err == VAULT_OK)
		err = read_u32(o, "keeper_protections", 0, UINT32_MAX, &out->keeper_protections);
	if (err == VAULT_OK)
		err = read_u32(o, "commit_ms", 1, 1000, &out->commit_ms);
	if (err == VAULT_OK)
		err = read_number(o, "volume_size", 1024 * 1024, 1ull << 40, &out->volume_size);
	if (err == VAULT_OK)
		err = read_u32(o, "max_streams", 1, 1000000, &out->max_streams);
	if (err == VAULT_OK)
		err = read_u32(o, "body_timeout_s", 1, 86400, &out->body_timeout_s);
	if (err == VAULT_OK)
		err = read_u32(o, "header_timeout_s", 1, 3600, &out->header_timeout_s);
	if (err == VAULT_OK)
		err = read_u32(o, "grace_ms", 0, 600000, &out->grace_ms);
	out->sandbox_optional = json_is_true(json_object_get(o, "sandbox_optional"));
	return err;
}

static vault_err read_json(struct front_options *o, int fd)
{
	char text[OPTIONS_JSON_MAX];
	size_t n = 0;
	json_t *json = NULL;
	vault_err err = receive(fd, (uint8_t *)text, sizeof(text), &n);

	if (err == VAULT_OK)
		err = json_read(text, n, sizeof(text), &json);
	if (err == VAULT_OK)
		err = read_identity(json, o);
	if (err == VAULT_OK)
		err = read_listeners(json, o);
	if (err == VAULT_OK)
		err = read_limits(json, o);
	json_decref(json);
	return err;
}

static vault_err read_pem(int fd, uint8_t **out, size_t *n)
{
	vault_err err;

	*out = secret_alloc(PEM_MAX);
	if (*out == NULL)
		return VAULT_E_NOMEM;
	err = receive(fd, *out, PEM_MAX, n);
	if (err != VAULT_OK)
		*n = 0;
	return err;
}

vault_err options_read(struct front_options *o, int fd, const char **why)
{
	vault_err err;

	memset(o, 0, sizeof(*o));
	*why = "the front cannot read its options; vaultd and vault-front are of different versions";
	err = read_json(o, fd);
	if (err != VAULT_OK)
		return err;
	*why = "the front cannot read the certificate or key from vaultd, or may not lock memory (LimitMEMLOCK)";
	err = read_pem(fd, &o->chain, &o->chain_len);
	if (err == VAULT_OK)
		err = read_pem(fd, &o->key, &o->key_len);
	if (err == VAULT_OK)
		err = read_pem(fd, &o->client_ca, &o->client_ca_len);
	if (err != VAULT_OK)
		options_forget_pem(o);
	return err;
}

void options_forget_pem(struct front_options *o)
{
	secret_free(o->chain);
	secret_free(o->key);
	secret_free(o->client_ca);
	o->chain = o->key = o->client_ca = NULL;
	o->chain_len = o->key_len = o->client_ca_len = 0;
}
