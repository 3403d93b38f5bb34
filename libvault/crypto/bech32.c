/*
 * bech32.c - Bech32 (BIP 173), without its Bitcoin parts.
 *
 * Pure, any thread. May carry an age identity: locals are wiped.
 */
#include <stdbool.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/bech32.h"

#define CHECKSUM 6u

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static uint32_t polymod_step(uint32_t check, uint8_t value)
{
	static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
	uint32_t top = check >> 25;

	check = (check & 0x1ffffff) << 5 ^ value;
	for (unsigned i = 0; i < 5; i++)
		if (top >> i & 1)
			check ^= generator[i];
	return check;
}

static uint32_t polymod_hrp(const char *hrp, size_t n)
{
	uint32_t check = 1;

	for (size_t i = 0; i < n; i++)
		check = polymod_step(check, (uint8_t)hrp[i] >> 5);
	check = polymod_step(check, 0);
	for (size_t i = 0; i < n; i++)
		check = polymod_step(check, (uint8_t)hrp[i] & 31);
	return check;
}

vault_err bech32_encode(const char *hrp, const uint8_t *data, size_t n, char *out, size_t cap)
{
	size_t hrp_len = strlen(hrp), groups, at;
	uint32_t check, bits = 0;
	unsigned n_bits = 0;

	if (hrp_len < 1 || hrp_len > BECH32_MAX || n > BECH32_MAX)
		return VAULT_E_RANGE;
	groups = (n * 8 + 4) / 5;
	if (hrp_len + 1 + groups + CHECKSUM > BECH32_MAX || hrp_len + 1 + groups + CHECKSUM >= cap)
		return VAULT_E_RANGE;
	memcpy(out, hrp, hrp_len);
	out[hrp_len] = '1';
	at = hrp_len + 1;
	check = polymod_hrp(hrp, hrp_len);
	for (size_t i = 0, g = 0; g < groups; g++) {
		uint8_t value;

		if (n_bits < 5) {
			bits = bits << 8 | (i < n ? data[i] : 0u);
			i++;
			n_bits += 8;
		}
		n_bits -= 5;
		value = (uint8_t)(bits >> n_bits & 31);
		bits &= (1u << n_bits) - 1;
		check = polymod_step(check, value);
		out[at++] = alphabet[value];
	}
	for (unsigned i = 0; i < CHECKSUM; i++)
		check = polymod_step(check, 0);
	check ^= 1;
	for (unsigned i = 0; i < CHECKSUM; i++)
		out[at++] = alphabet[check >> (5 * (5 - i)) & 31];
	out[at] = '\0';
	secret_wipe(&bits, sizeof(bits));
	return VAULT_OK;
}

/* Lower-case copy of text; false for a character or a mixture of cases that Bech32 does not have. */
static bool fold_case(const char *text, size_t len, char lower[BECH32_MAX])
{
	bool has_lower = false, has_upper = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c < 33 || c > 126)
			return false;
		if (c >= 'a' && c <= 'z')
			has_lower = true;
		if (c >= 'A' && c <= 'Z') {
			has_upper = true;
			c = (char)(c - 'A' + 'a');
		}
		lower[i] = c;
	}
	return !(has_lower && has_upper);
}

static vault_err decode_groups(const char *text, size_t groups, uint8_t *data, size_t cap, size_t *n)
{
	uint32_t bits = 0;
	unsigned n_bits = 0;
	size_t got = 0;
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < groups && !err; i++) {
		bits = (bits << 5 | (uint32_t)(strchr(alphabet, text[i]) - alphabet)) & 0xfff;
		n_bits += 5;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		if (got == cap)
			err = VAULT_E_RANGE;
		else
			data[got++] = (uint8_t)(bits >> n_bits);
	}
	/* What is left over is padding: less than a group, and zero. */
	if (!err && (n_bits >= 5 || (bits & ((1u << n_bits) - 1)) != 0))
		err = VAULT_E_INVAL;
	secret_wipe(&bits, sizeof(bits));
	*n = got;
	return err;
}

vault_err bech32_decode(const char *text, size_t len, char hrp[BECH32_MAX], uint8_t *data, size_t cap, size_t *n)
{
	char lower[BECH32_MAX];
	size_t hrp_len = 0;
	uint32_t check;
	vault_err err = VAULT_E_INVAL;

	*n = 0;
	if (len > BECH32_MAX || !fold_case(text, len, lower))
		goto out;
	for (size_t i = 0; i < len; i++)
		if (lower[i] == '1')
			hrp_len = i;
	if (hrp_len < 1 || len - hrp_len - 1 < CHECKSUM)
		goto out;
	check = polymod_hrp(lower, hrp_len);
	for (size_t i = hrp_len + 1; i < len; i++) {
		const char *at = strchr(alphabet, lower[i]);

		if (!at)
			goto out;
		check = polymod_step(check, (uint8_t)(at - alphabet));
	}
	if (check != 1)
		goto out;
	err = decode_groups(lower + hrp_len + 1, len - hrp_len - 1 - CHECKSUM, data, cap, n);
	if (!err) {
		memcpy(hrp, lower, hrp_len);
		hrp[hrp_len] = '\0';
	}
out:
	secret_wipe(lower, sizeof(lower));
	return err;
}
