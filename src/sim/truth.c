/* Replay: the places of a recording, and which of its deployments were bad. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/place.h"
#include "sim/replay.h"

#define PLACES_MAX  1000
#define ROLLED_BACK SW_HOUR /* taken back so soon: it was bad */

/* ---- places ---- */

struct making {
	struct sw_arena *a;
	struct sw_places places;
};

static const char *last_part(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

static struct sw_place *making_place(struct making *m, const char *service, const char *environment)
{
	struct sw_place *p;

	for (size_t i = 0; i < m->places.n; i++) {
		p = &m->places.items[i];
		if (sw_streq(p->service, service) &&
		    (sw_streq(p->environment, environment) || sw_streq(p->tier, sw_place_tier(environment))))
			return p;
	}
	if (m->places.n == PLACES_MAX)
		return NULL;
	p = &m->places.items[m->places.n++];
	p->service = sw_arena_strdup(m->a, service);
	p->environment = sw_arena_strdup(m->a, environment);
	p->tier = sw_place_tier(p->environment);
	p->repos = SW_ARENA_ARRAY(m->a, const char *, 4);
	p->repos[0] = p->service;
	p->repos[1] = sw_arena_printf(m->a, "**/%s", service);
	p->rollback = "rollback";
	p->rollbacks_30m = 1;
	p->rollbacks_24h = 3;
	p->health = (struct sw_health_conf){ .every = 10 * SW_SECOND, .timeout = 2 * SW_SECOND, .grace = SW_MINUTE, .background = SW_MINUTE,
	                                     .status_min = 200, .status_max = 299 };
	p->prometheus = (struct sw_measure_conf){ .labels = "", .window = SW_MINUTE, .timeout = 10 * SW_SECOND };
	p->scrape = (struct sw_measure_conf){ .labels = "", .window = SW_MINUTE, .timeout = 5 * SW_SECOND, .background = SW_MINUTE };
	return p;
}

static struct sw_place *making_named(struct making *m, const char *place)
{
	const char *slash = strchr(place, '/');

	return making_place(m, sw_arena_strndup(m->a, place, (size_t)(slash - place)), slash + 1);
}

static void making_event(struct making *m, const struct rec_event *e)
{
	struct sw_arena a = { 0 };
	struct sw_event ev;
	struct sw_place *p = NULL;

	if (sw_recording_event(e, &a, &ev)) {
		const char *service = ev.service ? ev.service : last_part(ev.repo);

		if (e->place)
			p = making_named(m, e->place);
		else if (service && *service && ev.environment && *ev.environment)
			p = making_place(m, service, ev.environment);
	}
	/* the recorder knew better than names whose it is */
	if (p && e->place && ev.repo && !sw_streq(last_part(ev.repo), p->service) && !p->repos[2])
		p->repos[2] = sw_arena_strdup(m->a, ev.repo);
	if (p && e->place && ev.environment && !p->n_matches && !sw_streq(sw_place_tier(ev.environment), p->tier)) {
		p->matches = SW_ARENA_NEW(m->a, struct sw_match);
		p->matches[0].environment = sw_arena_strdup(m->a, ev.environment);
		p->n_matches = 1;
	}
	sw_arena_fini(&a);
}

struct sw_places sw_replay_places(const struct recording *rec, struct sw_arena *a)
{
	struct making m = { .a = a, .places.items = SW_ARENA_ARRAY(a, struct sw_place, PLACES_MAX) };

	for (size_t i = 0; i < rec->n_series; i++) {
		const struct rec_series *s = &rec->series[i];
		struct sw_place *p = making_named(&m, s->place);

		if (!p)
			continue;
		if (sw_streq(s->source, "health"))
			p->health.url = "http://recorded/health";
		else if (sw_streq(s->source, "scrape"))
			p->scrape.url = "http://recorded/metrics";
		else if (sw_streq(s->source, "prometheus"))
			p->prometheus.url = "http://recorded/prometheus";
		if (sw_streq(s->source, "health"))
			for (size_t k = 0; k < s->n && !p->health.version; k++)
				p->health.version = s->items[k].value > 0.5 && s->items[k].text ? "/commit" : NULL;
	}
	for (size_t i = 0; i < rec->n_labels; i++)
		(void)making_named(&m, rec->labels[i].place);
	for (size_t i = 0; i < rec->n_events; i++)
		making_event(&m, &rec->events[i]);
	return m.places;
}

/* ---- truth ---- */

static const char *event_sha(const struct sw_event *ev)
{
	return ev->sha ? ev->sha : ev->short_sha;
}

static void truth_add(struct replay_truth *t, struct replay_deployment d)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->items = sw_realloc(t->items, t->cap * sizeof *t->items);
	}
	t->items[t->n++] = d;
}

/* The deployment that runs at a place before number i. */
static struct replay_deployment *truth_running(struct replay_truth *t, size_t i)
{
	for (size_t k = i; k-- > 0;)
		if (sw_streq(t->items[k].place, t->items[i].place))
			return &t->items[k];
	return NULL;
}

static bool truth_was_here(const struct replay_truth *t, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (sw_streq(t->items[k].place, t->items[i].place) && sw_sha_equal(t->items[k].sha, t->items[i].sha))
			return true;
	return false;
}

/* Several facts tell of one deployment: the same commit again without another between them is the same one, or changes nothing. */
static void truth_event(const struct recording *rec, const struct sw_places *places, size_t i, struct sw_map *running, struct sw_arena *keep,
                        struct replay_truth *t)
{
	struct sw_arena a = { 0 };
	struct sw_claimed claims[32];
	struct sw_event ev;
	size_t n = 0;

	if (sw_recording_event(&rec->events[i], &a, &ev) && ev.status == SW_ST_SUCCESS && event_sha(&ev))
		n = sw_places_claim(places, &ev, &a, claims, SW_COUNT(claims));
	for (size_t k = 0; k < n; k++) {
		const char *place = sw_arena_printf(&a, "%s/%s", claims[k].place->service, claims[k].place->environment);
		const char *sha = sw_map_get(running, place);

		if (sw_streq(ev.env_action, "stop") || sw_sha_equal(sha, event_sha(&ev)))
			continue;
		sha = sw_arena_strdup(keep, event_sha(&ev));
		(void)sw_map_set(running, place, (void *)(uintptr_t)sha);
		truth_add(t, (struct replay_deployment){ .place = sw_arena_strdup(keep, place), .sha = sha,
		                                         .at = ev.finished_at ? ev.finished_at : ev.at ? ev.at : rec->events[i].at, .event = i });
	}
	sw_arena_fini(&a);
}

static void truth_label(const struct recording *rec, struct replay_deployment *d)
{
	for (size_t i = rec->n_labels; i-- > 0;) {
		const struct rec_label *l = &rec->labels[i];

		if (!sw_streq(l->place, d->place) || !sw_sha_equal(l->sha, d->sha))
			continue;
		d->bad = !l->good;
		d->known = REPLAY_LABELLED;
		return;
	}
}

void sw_replay_truth(const struct recording *rec, const struct sw_places *places, sw_ms since, struct replay_truth *ret)
{
	struct recording *owner = (struct recording *)(uintptr_t)rec; /* its arena keeps names as long as the rest */
	struct sw_map running = SW_MAP_INIT;
	size_t n = 0;

	*ret = (struct replay_truth){ 0 };
	for (size_t i = 0; i < rec->n_events; i++)
		truth_event(rec, places, i, &running, &owner->a, ret);
	sw_map_fini(&running);
	for (size_t i = 0; i < ret->n; i++) {
		struct replay_deployment *d = &ret->items[i], *before = truth_running(ret, i);

		d->is_rollback = before && truth_was_here(ret, i);
		if (d->is_rollback && d->at - before->at <= ROLLED_BACK) {
			before->bad = true;
			before->known = REPLAY_ROLLED_BACK;
		}
	}
	for (size_t i = 0; i < ret->n; i++)
		truth_label(rec, &ret->items[i]);
	for (size_t i = 0; i < ret->n; i++)
		if (ret->items[i].at >= since)
			ret->items[n++] = ret->items[i];
	ret->n = n;
	for (size_t i = 0; i < n; i++) {
		ret->bad += ret->items[i].bad;
		ret->labelled += ret->items[i].known == REPLAY_LABELLED;
		ret->rolled_back += ret->items[i].known == REPLAY_ROLLED_BACK;
	}
}
