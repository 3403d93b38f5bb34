/*
 * convert.c - chooses the way through: unchanged, the WAV converter or the Ogg
 * converter.
 *
 * One owner, one thread (the exporter). Does no I/O and keeps no key.
 */
#include "media/convert.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "ipc/message.h"
#include "media/convert_parts.h"
#include "media/intake.h"

struct convert {
	struct convert_options o;
	bool unchanged;
	vault_err failed;            /* the first error, given back ever after */
	enum container kind;         /* NONE until told by the first bytes */
	uint8_t head[CONTAINER_HEAD];
	size_t n_head;
	struct wav_convert *wav;     /* at most one of the two */
	struct ogg_convert *ogg;
};

uint64_t units_of_us(uint64_t us, uint64_t rate)
{
	return add_saturating(mul_saturating(us / 1000000u, rate), mul_saturating(us % 1000000u, rate) / 1000000u);
}

static vault_err choose(struct convert *c, enum container kind)
{
	c->kind = kind;
	if (kind == CONTAINER_WAV)
		return wav_convert_new(&c->wav, &c->o);
	if (kind == CONTAINER_OGG)
		return ogg_convert_new(&c->ogg, &c->o);
	return VAULT_E_UNSUPPORTED;
}

vault_err convert_new(struct convert **out, const struct convert_options *o)
{
	struct convert *c = calloc(1, sizeof(*c));
	vault_err err = VAULT_OK;

	*out = NULL;
	if (c == NULL)
		return VAULT_E_NOMEM;
	c->o = *o;
	c->unchanged = o->format == FORMAT_AS_STORED && o->from_us == 0 && o->to_us == UINT64_MAX;
	if (o->format > FORMAT_OGG || o->from_us > o->to_us)
		err = VAULT_E_INVAL;
	else if (!c->unchanged && o->container != CONTAINER_NONE)
		err = choose(c, o->container);
	if (err != VAULT_OK) {
		convert_free(c);
		return err;
	}
	*out = c;
	return VAULT_OK;
}

static vault_err hand_on(struct convert *c, const uint8_t *data, size_t n)
{
	return c->wav != NULL ? wav_convert_write(c->wav, data, n) : ogg_convert_write(c->ogg, data, n);
}

static vault_err write_some(struct convert *c, const uint8_t *data, size_t n)
{
	vault_err err;

	if (c->unchanged)
		return n > 0 ? c->o.sink(c->o.arg, data, n) : VAULT_OK;
	if (c->kind == CONTAINER_NONE) {
		size_t k = sizeof(c->head) - c->n_head;
		if (k > n)
			k = n;
		if (k > 0)
			memcpy(c->head + c->n_head, data, k);
		c->n_head += k;
		if (c->n_head < sizeof(c->head))
			return VAULT_OK;
		err = choose(c, container_of_head(c->head, c->n_head));
		if (err == VAULT_OK)
			err = hand_on(c, c->head, c->n_head);
		if (err != VAULT_OK)
			return err;
		data += k;
		n -= k;
	}
	return hand_on(c, data, n);
}

vault_err convert_write(struct convert *c, const uint8_t *data, size_t n)
{
	if (c->failed == VAULT_OK)
		c->failed = write_some(c, data, n);
	return c->failed;
}

vault_err convert_jump(struct convert *c, uint64_t stream_offset)
{
	if (c->failed != VAULT_OK)
		return c->failed;
	if (c->wav != NULL)
		c->failed = wav_convert_jump(c->wav, stream_offset);
	else
		c->failed = c->ogg != NULL ? ogg_convert_jump(c->ogg) : VAULT_E_STATE;
	return c->failed;
}

vault_err convert_offset_at(const struct convert *c, uint64_t at_us, uint64_t *stream_offset)
{
	*stream_offset = 0;
	return c->wav != NULL ? wav_convert_offset_at(c->wav, at_us, stream_offset) : VAULT_E_UNSUPPORTED;
}

vault_err convert_finish(struct convert *c)
{
	if (c->failed != VAULT_OK || c->unchanged)
		return c->failed;
	if (c->wav != NULL)
		c->failed = wav_convert_finish(c->wav);
	else
		c->failed = c->ogg != NULL ? ogg_convert_finish(c->ogg) : VAULT_E_SHORT;
	return c->failed;
}

void convert_free(struct convert *c)
{
	if (c == NULL)
		return;
	wav_convert_free(c->wav);
	ogg_convert_free(c->ogg);
	secret_wipe(c, sizeof(*c));
	free(c);
}
