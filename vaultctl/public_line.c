/*
 * public_line.c - see public_line.h.
 */
#include "public_line.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "token/command.h"

#define TAG "VAULT-PUBLIC-1 "

vault_err public_line_of(const struct sign_key *key, const char *role, struct public_line *out)
{
	int n = snprintf(out->role, sizeof(out->role), "%s", role);
	if (n < 0 || (size_t)n >= sizeof(out->role))
		return VAULT_E_RANGE;
	(void)b64_encode(key->pub, sizeof(key->pub), B64_URL_NOPAD, out->public, sizeof(out->public));
	vault_kid_of(key->pub, out->kid);
	return age_recipient_format(key->age_pub, out->age);
}

void public_line_format(const struct public_line *p, char out[PUBLIC_LINE_MAX])
{
	(void)snprintf(out, PUBLIC_LINE_MAX, TAG "%s %s %s", p->role, p->public, p->age);
}

/* The next word of the line into out; false when there is none or it is too long. */
static int take_word(const char **p, const char *end, char *out, size_t cap)
{
	while (*p < end && **p == ' ')
		(*p)++;
	const char *begin = *p;
	while (*p < end && **p != ' ')
		(*p)++;
	const size_t n = (size_t)(*p - begin);
	if (n == 0 || n >= cap)
		return 0;
	memcpy(out, begin, n);
	out[n] = '\0';
	return 1;
}

vault_err public_line_parse(const char *text, size_t n, struct public_line *out)
{
	const char *end = text + n;
	uint8_t pub[SIGN_PUB_BYTES], age[32];
	size_t got = 0;
	for (const char *line = text; line < end;) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		if (stop == NULL)
			stop = end;
		const char *next = stop < end ? stop + 1 : end;
		while (stop > line && (stop[-1] == '\r' || stop[-1] == ' '))
			stop--;
		if ((size_t)(stop - line) <= strlen(TAG) || memcmp(line, TAG, strlen(TAG)) != 0) {
			line = next;
			continue;
		}
		const char *p = line + strlen(TAG);
		if (!take_word(&p, stop, out->role, sizeof(out->role)) ||
		    !take_word(&p, stop, out->public, sizeof(out->public)) ||
		    !take_word(&p, stop, out->age, sizeof(out->age)) || p != stop || role_by_name(out->role) == 0)
			return VAULT_E_INVAL;
		vault_err err = b64_decode(out->public, strlen(out->public), B64_URL_NOPAD, pub, sizeof(pub), &got);
		if (err == VAULT_OK && got != sizeof(pub))
			err = VAULT_E_INVAL;
		if (err == VAULT_OK)
			err = age_recipient_parse(out->age, strlen(out->age), age);
		if (err == VAULT_OK)
			vault_kid_of(pub, out->kid);
		return err;
	}
	return VAULT_E_NOTFOUND;
}
