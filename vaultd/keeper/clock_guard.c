/*
 * clock_guard.c - see clock_guard.h.
 */
#include "keeper/clock_guard.h"

#include <stdlib.h>
#include <string.h>

#include "base/wire.h"

static const char mark_key[] = "clock";

static bool guard_off(void)
{
#ifdef VAULT_TEST_HOOKS
	const char *text = getenv("VAULT_TEST_CLOCK_TRUST");

	return text != NULL && strcmp(text, "1") == 0;
#else
	return false;
#endif
}

vault_err clock_guard_start(struct clock_guard *g, struct rows *rows, uint64_t wall_ms, uint64_t mono_ms)
{
	const uint8_t *value;
	size_t n;

	*g = (struct clock_guard){ .trusted = true, .off = guard_off(), .base_wall = wall_ms, .base_mono = mono_ms };
	vault_err err = rows_get(rows, ROWS_META, mark_key, sizeof(mark_key) - 1, &value, &n);
	if (err == VAULT_E_NOTFOUND)
		return VAULT_OK;
	if (err != VAULT_OK)
		return err;
	if (n != 8)
		return VAULT_E_CORRUPT;
	uint64_t mark = load_le64(value);
	if (!g->off && (wall_ms + CLOCK_JUMP_MS < mark || wall_ms > mark + CLOCK_START_AHEAD_MS))
		g->trusted = false;
	return VAULT_OK;
}

bool clock_guard_check(struct clock_guard *g, uint64_t wall_ms, uint64_t mono_ms)
{
	uint64_t expected = g->base_wall + (mono_ms - g->base_mono);
	uint64_t apart = wall_ms > expected ? wall_ms - expected : expected - wall_ms;

	if (g->off || !g->trusted || apart <= CLOCK_JUMP_MS)
		return false;
	g->trusted = false;
	g->unlogged = true;
	return true;
}

vault_err clock_guard_save(struct clock_guard *g, struct rows *rows, uint64_t wall_ms, bool always)
{
	uint8_t mark[8];

	if (!g->trusted || (!always && wall_ms < g->saved_ms + CLOCK_SAVE_MS))
		return VAULT_OK;
	store_le64(mark, wall_ms);
	vault_err err = rows_put(rows, ROWS_META, mark_key, sizeof(mark_key) - 1, mark, sizeof(mark));
	if (err == VAULT_OK)
		g->saved_ms = wall_ms;
	return err;
}

void clock_guard_confirm(struct clock_guard *g, uint64_t wall_ms, uint64_t mono_ms)
{
	g->trusted = true;
	g->base_wall = wall_ms;
	g->base_mono = mono_ms;
	g->saved_ms = 0;
}
