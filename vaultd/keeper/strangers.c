/*
 * strangers.c - see strangers.h.
 */
#include "keeper/strangers.h"

#include "base/clock.h"
#include "base/log.h"
#include "keeper/keeper.h"

bool strangers_each(struct keeper *k, uint32_t n)
{
	struct strangers *s = &k->strangers;

	if (s->each == 0 && s->counted == 0)
		s->since_ms = clock_mono_ms();
	if (s->each < STRANGERS_EACH) {
		s->each++;
		return true;
	}
	s->counted += n;
	return false;
}

static vault_err log_counted(struct keeper *k, void *arg)
{
	json_t *detail = json_pack("{s:I}", "count", (json_int_t)k->strangers.counted);
	const struct audit_event e = { .event = "strangers.refused", .action = 'E', .refusal = VAULT_REFUSAL_unauthorized,
		.detail = detail };

	(void)arg;
	return detail == NULL ? VAULT_E_NOMEM : keeper_log(k, &e);
}

void strangers_tick(struct keeper *k, uint64_t mono_ms, bool now)
{
	struct strangers *s = &k->strangers;

	if (!now && mono_ms < s->since_ms + STRANGERS_WINDOW_MS)
		return;
	if (s->counted > 0 && batch_effect(k, log_counted, NULL) != VAULT_OK) {
		log_warn("event=strangers_unlogged");
		return;                          /* kept, and tried again */
	}
	*s = (struct strangers){ .since_ms = mono_ms };
}
