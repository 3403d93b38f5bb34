/*
 * progress.c - see progress.h.
 */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "text.h"

#define BAR 30u
#define REDRAW_MS 100u

void progress_start(struct progress *p, const char *what, uint64_t total, bool wanted)
{
	*p = (struct progress){.what = what, .total = total, .shown = wanted && isatty(STDERR_FILENO)};
	p->started_ms = clock_mono_ms();
}

static void draw(const struct progress *p, uint64_t now_ms)
{
	char done[TEXT_MAX], rate[TEXT_MAX], total[TEXT_MAX], bar[BAR + 1];
	const uint64_t passed = now_ms - p->started_ms;
	text_size(p->done, done);
	text_size(passed > 0 ? (uint64_t)((double)p->done * 1000.0 / (double)passed) : 0, rate);
	if (p->total == 0) {
		(void)fprintf(stderr, "\r%s  %s  %s/s\033[K", p->what, done, rate);
		return;
	}
	const uint64_t most = p->done < p->total ? p->done : p->total;
	const double share = (double)most / (double)p->total;
	const size_t full = (size_t)(share * BAR);
	memset(bar, '.', BAR);
	memset(bar, '#', full);
	bar[BAR] = '\0';
	text_size(p->total, total);
	(void)fprintf(stderr, "\r%s [%s] %3.0f%%  %s of %s  %s/s\033[K", p->what, bar, share * 100, done, total, rate);
}

void progress_set(struct progress *p, uint64_t done)
{
	p->done = done;
	if (!p->shown)
		return;
	const uint64_t now = clock_mono_ms();
	if (p->last_ms != 0 && now - p->last_ms < REDRAW_MS)
		return;
	p->last_ms = now;
	draw(p, now);
}

void progress_end(struct progress *p)
{
	if (p->shown && p->last_ms != 0)
		(void)fprintf(stderr, "\r\033[K");
	p->shown = false;
}
