/*
 * Sources that went silent (`silent_after`): one warning when a source was not heard of for so long, one line when it is back.
 *
 * Every worker hears only a part, so the time of the last delivery is kept in Redis (list of one below heard:<source>), noted at
 * most every ten seconds, and read again before anyone is warned.
 */
#include <errno.h>
#include <string.h>

#include "shipwatch/clock.h"
#include "worker/inner.h"

#define LOG "worker/quiet"
#define NOTE_EVERY (10 * SW_SECOND)

struct quiet {
	struct quiet *next;
	struct worker *w;
	char *source;
	sw_dur after;
	sw_ms last, noted;          /* last: since start if nothing was heard */
	bool silent, asking, gone;  /* gone: no longer configured, freed when the answer came */
};

static void quiet_free(struct quiet *q)
{
	free(q->source);
	free(q);
}

static struct quiet *quiet_find(const struct worker *w, const char *source)
{
	for (struct quiet *q = w->quiets; q; q = q->next)
		if (strcmp(q->source, source) == 0)
			return q;
	return NULL;
}

void sw_quiet_setup(struct worker *w)
{
	const struct sw_config *c = w->setup->cfg;
	struct quiet *old = w->quiets, *q, *next, *list = NULL;

	for (size_t i = 0; i < c->n_sources; i++) {
		struct quiet *was = quiet_find(w, c->sources[i].name);

		if (!c->sources[i].silent_after)
			continue;
		q = sw_calloc(1, sizeof *q);
		q->w = w;
		q->source = sw_strdup(c->sources[i].name);
		q->after = c->sources[i].silent_after;
		q->last = was ? was->last : sw_clock_wall();
		q->silent = was && was->silent;
		q->next = list;
		list = q;
	}
	w->quiets = list;
	for (q = old; q; q = next) {
		next = q->next;
		q->gone = true;
		if (!q->asking)
			quiet_free(q);
	}
}

bool sw_quiet_heard(struct worker *w, const char *source, sw_ms at)
{
	struct quiet *q = quiet_find(w, source);

	if (!q)
		return false;
	if (q->silent)
		SW_INFO(LOG, "source %s is heard again", source);
	q->silent = false;
	q->last = SW_MAX(q->last, at);
	if (at - q->noted < NOTE_EVERY)
		return false;
	q->noted = at;
	return true;
}

static void quiet_loaded(void *arg, int r, const struct sw_loaded *ld)
{
	struct quiet *q = arg;
	const struct sw_jnode *first;
	struct sw_arena a = { 0 };
	struct sw_jnode *n;
	sw_ms now;

	q->asking = false;
	if (q->gone) {
		quiet_free(q);
		return;
	}
	if (r < 0)
		return;
	if (ld->keeps[0] && sw_jtree_parse(&a, ld->keeps[0], strlen(ld->keeps[0]), 16, &n, NULL) == 0) {
		first = n->child;
		if (first && first->type == SW_J_NUMBER)
			q->last = SW_MAX(q->last, first->i);
	}
	sw_arena_fini(&a);
	now = ld->now;
	if (now - q->last > q->after && !q->silent) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		sw_dur_print((now - q->last) / SW_MINUTE * SW_MINUTE, &b);
		SW_WARN(LOG, "source %s is silent: nothing was heard of it for %s; is its hook still on?", q->source, sw_buf_str(&b));
		q->silent = true;
	}
	sw_meters_silent(q->w, q->source, q->silent);
}

void sw_quiet_tick(struct worker *w)
{
	sw_ms now = sw_bus_now(w->bus);

	for (struct quiet *q = w->quiets; q; q = q->next) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf key = SW_BUF_INIT;
		const char *keeps[2] = { NULL, NULL };

		if (q->asking || !now || now - q->last <= q->after) {
			if (!q->asking && now)
				sw_meters_silent(w, q->source, false);
			continue;
		}
		sw_buf_printf(&key, "heard:%s", q->source);
		keeps[0] = sw_buf_str(&key);
		q->asking = true;
		/* any aggregate will do: only the kept value is wanted */
		sw_bus_load(w->bus, &(struct sw_load){ .aggregate = "line:heard", .keeps = keeps }, quiet_loaded, q);
	}
}

void sw_quiet_fini(struct worker *w)
{
	struct quiet *q, *next;

	for (q = w->quiets; q; q = next) {
		next = q->next;
		quiet_free(q);
	}
	w->quiets = NULL;
}
