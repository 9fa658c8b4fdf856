/* Finding: places are looked through, which is quick enough for a person and needs no index that could be wrong. */
#include "cli/found.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "bus/bus.h"
#include "io/loop.h"
#include "shipwatch/clock.h"

#define PLACES    1000 /* looked through */
#define SHA_LEAST 7
#define ROUNDS    4    /* of things that are wanted to explain */
#define SNAPS     64

const char *sw_found_time(struct sw_talk *t, sw_ms at)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	sw_time_print_local(at, 0, true, &b);
	ret = sw_arena_printf(&t->a, "%s UTC", sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

const char *sw_found_dur(struct sw_talk *t, sw_dur d)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	sw_dur_print(d, &b);
	ret = sw_arena_strdup(&t->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

/* ---- finding ---- */

enum fit { FIT_NOT, FIT_PART, FIT_EXACT };
typedef enum fit (*found_fits)(const struct sw_jnode *item, const char *what);

/* A watch, or an action. */
static enum fit watch_fits(const struct sw_jnode *w, const char *id)
{
	return sw_streq(sw_jstr(w, "id"), id) ? FIT_EXACT : FIT_NOT;
}

static const char *deployment_sha(const struct sw_jnode *d)
{
	const struct sw_jnode *ev = sw_jget(d, "ev");

	return sw_jstr(ev, "sha") ? sw_jstr(ev, "sha") : sw_jstr(ev, "short_sha");
}

/* By id, or by the beginning of its commit. */
static enum fit deployment_fits(const struct sw_jnode *d, const char *what)
{
	const char *sha = deployment_sha(d);

	if (sw_streq(sw_jstr(d, "id"), what))
		return FIT_EXACT;
	return strlen(what) >= SHA_LEAST && sha && strncasecmp(sha, what, strlen(what)) == 0 ? FIT_PART : FIT_NOT;
}

/* All that fit, at most SW_FOUND_MAX; an exact one alone. Return: how many there are, or -errno. */
static int find(struct sw_talk *t, const char *list, found_fits fits, const char *what, struct sw_found *ret)
{
	struct sw_jnode only = { .type = SW_J_STRING, .text = sw_arena_printf(&t->a, "place:%s", t->place ? t->place : "") };
	struct sw_jnode one = { .type = SW_J_ARRAY, .child = &only, .n = 1 }, *names = &one, *place;
	int n = 0, r = t->place ? 0 : sw_talk_query(t, sw_arena_printf(&t->a, "aggregates place: %d", PLACES), &names);

	for (const struct sw_jnode *x = names ? names->child : NULL; x && r == 0; x = x->next) {
		const struct sw_jnode *items;

		r = sw_talk_query(t, sw_arena_printf(&t->a, "aggregate %s", x->text), &place);
		items = sw_jget(sw_jget(place, "state"), list);
		for (const struct sw_jnode *i = items ? items->child : NULL; i; i = i->next) {
			enum fit fit = fits(i, what);

			if (fit == FIT_NOT)
				continue;
			if (fit == FIT_EXACT || n < SW_FOUND_MAX)
				ret[fit == FIT_EXACT ? 0 : n] = (struct sw_found){ x->text, sw_jget(place, "state"), i };
			n++;
			if (fit == FIT_EXACT)
				return 1;
		}
	}
	return r < 0 ? r : n;
}

int sw_find_watch(struct sw_talk *t, const char *id, struct sw_found *ret)
{
	struct sw_found list[SW_FOUND_MAX];
	int n = find(t, "watches", watch_fits, id, list);

	if (n == 0)
		(void)fprintf(stderr, "shipwatch: there is no watch \"%.40s\"; `shipwatch status` names those of the last deployments\n", id);
	if (n <= 0)
		return -1;
	*ret = list[0];
	return 0;
}

int sw_find_action(struct sw_talk *t, const char *id, struct sw_found *ret)
{
	struct sw_found list[SW_FOUND_MAX];
	int n = find(t, "actions", watch_fits, id, list);

	if (n == 0)
		(void)fprintf(stderr, "shipwatch: there is no action \"%.40s\"; `shipwatch status` names those that wait for approval\n", id);
	if (n <= 0)
		return -1;
	*ret = list[0];
	return 0;
}

int sw_find_deployment(struct sw_talk *t, const char *what, struct sw_found *ret)
{
	struct sw_found list[SW_FOUND_MAX];
	int n = find(t, "deployments", deployment_fits, what, list);

	if (n == 0)
		(void)fprintf(stderr, "shipwatch: there is no deployment \"%.64s\"; want its id or %d digits of its commit\n", what, SHA_LEAST);
	if (n > 1) {
		(void)fprintf(stderr, "shipwatch: %d deployments fit \"%.64s\", say the id of one:\n", n, what);
		for (int i = 0; i < n && i < SW_FOUND_MAX; i++) {
			sw_ms at = sw_jint(list[i].item, "finished", sw_jint(list[i].item, "seen", 0));

			(void)fprintf(stderr, "  %s  %-20s %.12s  %-8s %s\n", sw_jstr(list[i].item, "id"), list[i].aggregate + strlen("place:"),
			              deployment_sha(list[i].item), sw_jstr(list[i].item, "status"), sw_found_time(t, at));
		}
	}
	if (n != 1)
		return -1;
	*ret = list[0];
	return 0;
}

/* ---- loading what an explanation needs ---- */

struct loading {
	struct sw_talk *t;
	struct sw_snapshot snaps[SNAPS];
	size_t first, n;               /* those from first on are asked for now */
	struct sw_explain_ring *rings; /* NULL: not asked for */
	size_t n_rings;
	bool done;
	int r;
	sw_ms now;
};

static void loading_loaded(void *arg, int r, const struct sw_loaded *ld)
{
	struct loading *l = arg;

	l->r = r;
	l->done = true;
	if (r < 0)
		return;
	l->now = ld->now;
	for (size_t i = l->first; i < l->n; i++)
		l->snaps[i].value = sw_arena_strdup(&l->t->a, ld->keeps[i - l->first]);
	for (size_t i = 0; i < l->n_rings; i++) {
		l->rings[i].bytes = sw_arena_memdup(&l->t->a, ld->rings[i].p, ld->rings[i].n);
		l->rings[i].n = ld->rings[i].n;
	}
}

static size_t texts_count(const char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

/* Keys, and once the rings. */
static int load(struct loading *l, const char *const *keys, const char *const *rings)
{
	const struct sw_load what = { .aggregate = "cli:none", .rings = rings, .keeps = keys };

	l->first = l->n;
	for (size_t i = 0; keys[i] && l->n < SNAPS; i++)
		l->snaps[l->n++] = (struct sw_snapshot){ .key = keys[i] };
	l->n_rings = rings ? texts_count(rings) : 0;
	if (rings)
		l->rings = SW_ARENA_ARRAY(&l->t->a, struct sw_explain_ring, l->n_rings + 1);
	for (size_t i = 0; i < l->n_rings; i++)
		l->rings[i].name = rings[i];
	l->done = false;
	sw_bus_load(l->t->bus, &what, loading_loaded, l);
	while (!l->done && l->r >= 0)
		l->r = sw_loop_turn(l->t->loop, true) < 0 ? -1 : l->r;
	if (l->r < 0)
		(void)fprintf(stderr, "shipwatch: what was kept of this watch cannot be read\n");
	return l->r;
}

static struct sw_rules *explain_pinned(void *arg, const char *hash)
{
	struct sw_rules *r = *(struct sw_rules **)arg;

	return r && sw_streq(r->hash, hash) ? r : NULL;
}

/* Explains, loads what that wants besides, and explains with it. */
static int explain_rounds(struct sw_talk *t, const struct sw_engine *e, struct sw_step_in *in, const char *id, struct loading *l,
                          struct sw_explanation *ret)
{
	size_t n_rings = l->n_rings;
	struct sw_err err = SW_ERR_INIT;

	for (int round = 0; round < ROUNDS; round++) {
		in->snaps = l->snaps;
		in->n_snaps = l->n;
		in->now = l->now;
		if (sw_engine_explain(e, in, id, l->rings, n_rings, &t->a, ret, &err) < 0) {
			(void)fprintf(stderr, "shipwatch: %s\n", err.text);
			return -1;
		}
		if (!ret->needs[0])
			return 0;
		if (load(l, ret->needs, NULL) < 0)
			return -1;
	}
	return 0;
}

int sw_find_explained(struct sw_talk *t, const char *id, struct sw_rules **ret_rules, struct sw_explanation *ret)
{
	struct sw_places none = { 0 };
	struct sw_engine e = { .places = t->cfg ? &t->cfg->places : &none, .pinned = explain_pinned, .arg = ret_rules };
	struct loading *l = SW_ARENA_NEW(&t->a, struct loading);
	struct sw_err err = SW_ERR_INIT;
	struct sw_step_in in;
	const char *const *rings, *keys[2] = { NULL };
	struct sw_found f;

	l->t = t;
	if (sw_find_watch(t, id, &f) < 0)
		return -1;
	in = (struct sw_step_in){ .aggregate = f.aggregate, .state = f.place, .now = sw_clock_wall() };
	rings = sw_explain_rings(&e, &in, id, &t->a, &keys[0]);
	if (!rings) {
		(void)fprintf(stderr, "shipwatch: the deployment of watch %.40s is not kept any more\n", id);
		return -1;
	}
	if (load(l, keys, rings) < 0)
		return -1;
	if (l->snaps[0].value && sw_rules_load_source(l->snaps[0].value, strlen(l->snaps[0].value), ret_rules, &err) < 0) {
		(void)fprintf(stderr, "shipwatch: the rules of this watch: %s\n", err.text);
		return -1;
	}
	return explain_rounds(t, &e, &in, id, l, ret);
}
