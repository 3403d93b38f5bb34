/*
 * base64.c - strict base64 and hex on libsodium's constant-time codec.
 *
 * Pure functions, any thread. May be given secrets: nothing is kept.
 */
#include <sodium.h>
#include <stdbool.h>

#include "base/base64.h"

static int b64_variant(enum b64_kind kind)
{
	switch (kind) {
	case B64_URL_NOPAD: return sodium_base64_VARIANT_URLSAFE_NO_PADDING;
	case B64_STD_PAD: return sodium_base64_VARIANT_ORIGINAL;
	case B64_STD_NOPAD: return sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
	}
	return sodium_base64_VARIANT_ORIGINAL;
}

size_t b64_encoded_size(size_t n, enum b64_kind kind)
{
	return sodium_base64_encoded_len(n, b64_variant(kind));
}

size_t b64_encode(const void *in, size_t n, enum b64_kind kind, char *out, size_t out_cap)
{
	size_t size = b64_encoded_size(n, kind);

	if (out_cap < size) {
		if (out_cap > 0)
			out[0] = '\0';
		return 0;
	}
	(void)sodium_bin2base64(out, out_cap, in, n, b64_variant(kind));
	return size - 1;
}

/* libsodium 1.0.18 reads every byte above 127 as the character of value 63. */
static bool all_ascii(const char *in, size_t n)
{
	unsigned char any = 0;

	for (size_t i = 0; i < n; i++)
		any |= (unsigned char)in[i];
	return any < 0x80;
}

vault_err b64_decode(const char *in, size_t n, enum b64_kind kind, void *out, size_t out_cap, size_t *out_len)
{
	size_t pad = 0, most;

	*out_len = 0;
	if (kind == B64_STD_PAD) {
		if (n % 4 != 0)
			return VAULT_E_INVAL;
		while (pad < 2 && pad < n && in[n - 1 - pad] == '=')
			pad++;
	}
	most = (n - pad) / 4 * 3 + (n - pad) % 4 * 3 / 4;
	if (most > out_cap)
		return VAULT_E_RANGE;
	if (n == 0)
		return VAULT_OK;
	if (!all_ascii(in, n))
		return VAULT_E_INVAL;
	/* No ignored characters and no end pointer: everything must be canonical and be read. */
	if (sodium_base642bin(out, out_cap, in, n, NULL, out_len, NULL, b64_variant(kind)) != 0) {
		*out_len = 0;
		return VAULT_E_INVAL;
	}
	return VAULT_OK;
}

void hex_encode(const void *in, size_t n, char *out)
{
	(void)sodium_bin2hex(out, 2 * n + 1, in, n);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

vault_err hex_decode(const char *in, size_t n, void *out, size_t out_cap, size_t *out_len)
{
	uint8_t *to = out;

	*out_len = 0;
	if (n % 2 != 0)
		return VAULT_E_INVAL;
	if (n / 2 > out_cap)
		return VAULT_E_RANGE;
	for (size_t i = 0; i < n; i += 2) {
		int high = hex_value(in[i]), low = hex_value(in[i + 1]);

		if (high < 0 || low < 0)
			return VAULT_E_INVAL;
		to[i / 2] = (uint8_t)(high << 4 | low);
	}
	*out_len = n / 2;
	return VAULT_OK;
}
