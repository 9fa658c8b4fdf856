/*
 * What sources told: readings into the series and rings of a place, the clock of its watches, and whether its service is failing.
 *
 * Which places fail now is known to all (state.md: recent-fails), as "<tier>|<mark><service>|<environment>"; the mark "~" says that
 * the place was being watched when it began, so that its own deployment may be the cause.
 */
#include <string.h>

#include "base/str.h"
#include "engine/place.h"

#define FAILING_CHECKS 3

/* Does what answers name the deployed version? Either may be the short form. */
static bool version_fits(const struct deployment *d, const char *text)
{
	return text && (sw_sha_equal(text, d->ev.sha ? d->ev.sha : d->ev.short_sha) || (d->ev.version && sw_streq(text, d->ev.version)));
}

/* The first good answer (of the new version, where that is asked) ends the grace time. */
static void samples_clock(struct place_state *p, struct watch *w, const struct sw_sample *x)
{
	const struct deployment *d = sw_place_dep(p, w->dep);
	bool versioned = p->conf && p->conf->health.version;

	if (w->good_at || !d || x->at < w->opened || x->reading != SW_R_OK || x->value < 0.5)
		return;
	if (versioned && !version_fits(d, x->text))
		return;
	w->good_at = x->at;
	if (versioned && w->state == WATCH_WAITING) { /* the clock starts when the new version answers */
		w->until += x->at - w->from;
		w->from = x->at;
	}
	if (w->state == WATCH_WAITING)
		w->state = WATCH_WATCHING;
}

static void samples_failing(struct step *s, struct place_state *p)
{
	const struct series *sr = sw_readings_find(p, "health");
	bool bad = sr && sr->n >= FAILING_CHECKS, watched = false;

	for (size_t i = 0; bad && i < FAILING_CHECKS; i++)
		bad = sr->s[sr->n - 1 - i].reading == SW_R_OK && sr->s[sr->n - 1 - i].value < 0.5;
	if (bad == (p->failing != NULL))
		return;
	for (size_t i = 0; i < p->n_watches; i++)
		watched |= p->watches[i].state != WATCH_DONE;
	if (bad) {
		p->failing = sw_arena_printf(s->a, "%s|%s%s|%s", p->conf && p->conf->tier ? p->conf->tier : p->environment, watched ? "~" : "",
		                             p->service, p->environment);
		s->out->fails_add = p->failing;
	} else {
		s->out->fails_del = SW_TAKE(p->failing);
	}
}

size_t sw_fails_count(const struct step *s, const char *tier, const char *but, bool unwatched, sw_dur within)
{
	const char *seen[64];
	size_t n = 0, len = tier ? strlen(tier) : 0;

	for (const struct sw_jnode *x = s->in->fails ? s->in->fails->child : NULL; x && n < SW_COUNT(seen); x = x->next) {
		const char *service = strchr(x->key, '|'), *name;
		bool known = false;

		if (!service || x->i <= s->now - within || (tier && ((size_t)(service - x->key) != len || strncmp(x->key, tier, len) != 0)))
			continue;
		service++;
		if (*service == '~' && unwatched)
			continue;
		service += *service == '~';
		name = sw_arena_strndup(s->a, service, strcspn(service, "|"));
		for (size_t i = 0; i < n; i++)
			known |= strcmp(seen[i], name) == 0;
		if (!known && !(but && strcmp(but, name) == 0))
			seen[n++] = name;
	}
	return n;
}

/* Traffic is counted as it comes: the series forgets. */
static void samples_requests(struct watch *w, const struct sw_sample *x)
{
	if (sw_streq(x->signal, "requests"))
		w->requests = SW_MAX(w->requests, 0) + x->value;
	else if (x->count > 0)
		w->counted = SW_MAX(w->counted, 0) + x->count;
}

static void samples_one(struct step *s, struct place_state *p, const char *dep, const struct sw_jnode *n)
{
	struct sw_sample x = { .signal = sw_jstr(n, "signal"), .at = sw_jint(n, "at", 0), .reading = sw_reading_parse(sw_jstr(n, "r")),
	                       .value = sw_jnum(n, "v", 0), .count = sw_jnum(n, "n", 0), .text = sw_jstr(n, "text") };
	struct series *sr = x.signal ? sw_readings_of(p, x.signal) : NULL;

	if (!sr || x.at <= 0 || x.at > s->now + SW_MINUTE)
		return;
	if (!sw_readings_add(sr, &x))
		return;
	sw_step_ring(s, sw_place_ring(s, p, dep, x.signal), &x);
	for (size_t i = 0; i < p->n_watches; i++) {
		if (p->watches[i].state == WATCH_DONE)
			continue;
		if (sw_streq(x.signal, "health"))
			samples_clock(p, &p->watches[i], &x);
		else if (x.reading == SW_R_OK && x.at >= p->watches[i].from)
			samples_requests(&p->watches[i], &x);
	}
}

/* What it says of the source itself: an answer without a value is an answer. */
static void samples_source(struct step *s, struct source_state *src, const struct sw_jnode *msg)
{
	const struct sw_jnode *items = sw_jget(msg, "items");

	src->heard = s->now;
	src->reading = SW_R_ERROR;
	for (const struct sw_jnode *n = items ? items->child : NULL; n; n = n->next) {
		if (sw_reading_parse(sw_jstr(n, "r")) != SW_R_ERROR)
			src->reading = SW_R_OK;
		src->value = sw_jnum(n, "v", 0);
	}
	if (sw_jstr(msg, "mem"))
		src->memory = sw_jstr(msg, "mem");
}

void sw_place_samples(struct step *s, struct place_state *p, const struct sw_jnode *msg)
{
	const struct deployment *run = sw_place_running(p);
	const char *dep = sw_jstr(msg, "dep") ? sw_jstr(msg, "dep") : run ? run->id : NULL, *src = sw_jstr(msg, "src");
	struct source_state *state = src ? sw_probe_state(p, src) : NULL;
	const struct sw_jnode *items = sw_jget(msg, "items");

	if (state)
		samples_source(s, state, msg);
	if (sw_streq(src, "reference"))
		return;
	for (const struct sw_jnode *n = items ? items->child : NULL; n; n = n->next)
		samples_one(s, p, dep, n);
	samples_failing(s, p);
}
