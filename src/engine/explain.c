/* Explanations: the state of a place is read as a step reads it, then time is run once more over the kept readings. */
#include "engine/explain.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/place.h"
#include "shipwatch/err.h"

struct explain {
	struct step s;
	struct sw_step out;
	struct place_state p;
	struct watch *w;
	struct deployment *d;
	const struct sw_rule *rule;
	struct sw_rules *rules;
};

static bool explain_open(struct explain *x, const struct sw_engine *e, const struct sw_step_in *in, const char *watch, struct sw_arena *a)
{
	bool lost;

	memset(x, 0, sizeof *x);
	x->out.a = a;
	x->s = (struct step){ .e = e, .in = in, .a = a, .out = &x->out, .now = in->now };
	sw_place_read(&x->s, &x->p);
	x->w = sw_place_watch(&x->p, watch);
	x->d = x->w ? sw_place_dep(&x->p, x->w->dep) : NULL;
	if (!x->d)
		return false;
	x->rules = sw_step_rules(&x->s, x->w->hash, &lost);
	x->rule = x->rules ? sw_rules_find(x->rules, x->w->rule) : NULL;
	return true;
}

const char *const *sw_explain_keys(const struct sw_engine *e, const struct sw_step_in *in, const char *watch, struct sw_arena *a,
                                   const char *const **ret_rings)
{
	struct explain *x = SW_ARENA_NEW(a, struct explain);
	const char **keys, **rings;
	size_t n = 0, m = 0;

	if (!explain_open(x, e, in, watch, a))
		return NULL;
	keys = SW_ARENA_ARRAY(a, const char *, PLACE_PASTS + 2);
	rings = SW_ARENA_ARRAY(a, const char *, PLACE_SERIES + 1);
	keys[n++] = sw_arena_printf(a, "rules:%s", x->w->hash);
	for (size_t i = 0; i < x->p.n_pasts; i++)
		if (sw_streq(x->p.pasts[i].dep, x->w->dep) && x->p.pasts[i].step == x->w->every && x->p.pasts[i].state == PAST_KNOWN)
			keys[n++] = sw_probe_past_key(&x->s, &x->p.pasts[i]);
	for (size_t i = 0; i < x->p.n_series; i++)
		rings[m++] = sw_arena_printf(a, "%s:%s", x->w->dep, x->p.series[i].name);
	*ret_rings = rings;
	return keys;
}

/* ---- signals ---- */

static int sample_by_time(const void *a, const void *b)
{
	const struct sw_sample *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* The series of the place and what only the ring still has. */
static void signal_samples(struct explain *x, const char *name, const struct sw_explain_ring *rings, size_t n_rings, struct sw_explain_signal *g)
{
	const struct series *sr = sw_readings_find(&x->p, name);
	const char *ring = sw_arena_printf(x->s.a, "%s:%s", x->w->dep, name);
	size_t room = sr ? sr->n : 0, n = 0;

	for (size_t i = 0; i < n_rings; i++)
		if (sw_streq(rings[i].name, ring))
			room += rings[i].n / 16;
	g->samples = SW_ARENA_ARRAY(x->s.a, struct sw_sample, room + 1);
	for (size_t i = 0; sr && i < sr->n; i++)
		g->samples[n++] = sr->s[i];
	for (size_t i = 0; i < n_rings; i++)
		for (size_t k = 0; sw_streq(rings[i].name, ring) && k + 16 <= rings[i].n; k += 16) {
			struct sw_sample y = sw_ring_sample((const unsigned char *)rings[i].bytes + k, name);
			bool known = false;

			for (size_t j = 0; sr && j < sr->n; j++)
				known |= sr->s[j].at == y.at;
			if (!known)
				g->samples[n++] = y;
		}
	qsort(g->samples, n, sizeof *g->samples, sample_by_time);
	g->n = n;
}

static void signal_before(struct explain *x, struct facts *f, struct sw_explain_signal *g)
{
	struct sw_buf b = SW_BUF_INIT;
	const struct baseline *base;
	struct sw_facts facts;
	struct sw_value v;
	const char *why;

	sw_facts_fill(f, &facts);
	facts.signal_before(f, g->name, SW_W_LAST, 0, &v);
	if (v.reading == SW_R_OK && v.type != SW_V_LIST) {
		sw_value_print(&v, &b);
		g->before = sw_arena_strdup(x->s.a, sw_buf_str(&b));
		sw_buf_fini(&b);
	}
	base = sw_probe_baseline(&x->s, &x->p, x->w->dep, g->name, x->w->every, &why);
	if (!base)
		return;
	g->baseline = base->n;
	g->valid = base->valid;
	g->history = base->history;
	g->points = base->value;
	g->points_from = base->from;
	g->points_step = base->step;
	g->days = base->days;
	g->n_days = base->n_days;
	g->day_after = base->day_after;
	for (size_t i = 0; i < base->n_cals; i++) {
		struct sw_calibration *c = SW_ARENA_NEW(x->s.a, struct sw_calibration);

		if (sw_calibration_read(base->cals[i].bytes, base->cals[i].n, c) == 0)
			g->pseudo = SW_MAX(g->pseudo, (unsigned)c->n);
	}
}

/* ---- time once more ---- */

/* Series as they were at that moment. */
static void series_at(struct explain *x, const struct sw_explanation *ret, sw_ms at)
{
	x->p.n_series = 0;
	for (size_t i = 0; i < ret->n_signals; i++) {
		const struct sw_explain_signal *g = &ret->signals[i];
		struct series *sr = sw_readings_of(&x->p, g->name);

		for (size_t k = 0; sr && k < g->n && g->samples[k].at <= at; k++)
			sw_readings_add(sr, &g->samples[k]);
	}
}

static sw_ms next_reading(const struct sw_explanation *ret, sw_ms after)
{
	sw_ms at = 0;

	for (size_t i = 0; i < ret->n_signals; i++)
		for (size_t k = 0; k < ret->signals[i].n; k++)
			if (ret->signals[i].samples[k].at > after && (!at || ret->signals[i].samples[k].at < at))
				at = ret->signals[i].samples[k].at;
	return at;
}

static void explain_rows(struct explain *x, struct facts *f, struct sw_explanation *ret)
{
	sw_ms end = x->w->ended ? x->w->ended : x->s.in->now, at = x->w->opened - 1;

	memset(x->w->holds, 0, sizeof x->w->holds);
	ret->rows = SW_ARENA_ARRAY(x->s.a, struct sw_explain_row, SW_EXPLAIN_ROWS);
	while (ret->n_rows < SW_EXPLAIN_ROWS && (at = next_reading(ret, at)) && at <= end) {
		struct sw_explain_row *row = &ret->rows[ret->n_rows++];
		struct sw_facts facts;

		series_at(x, ret, at);
		x->s.now = at;
		f->veto = NULL;
		sw_facts_fill(f, &facts);
		facts.gap_resets = x->rule->gap_resets;
		row->at = at;
		sw_expr_eval(x->rule->cond, &facts, x->w->holds, x->s.a, &row->j);
	}
}

static void explain_head(const struct explain *x, struct sw_explanation *ret)
{
	static const char *const states[] = { "waiting", "watching", "following", "done" };

	*ret = (struct sw_explanation){
		.service = x->p.service, .environment = x->p.environment, .deployment = x->d->id,
		.sha = x->d->ev.sha ? x->d->ev.sha : x->d->ev.short_sha, .version = x->d->ev.version, .user = x->d->ev.user,
		.rule = x->w->rule, .cond = x->rule->cond ? sw_expr_text(x->rule->cond) : NULL, .verdict = x->w->verdict, .reason = x->w->reason,
		.state = states[x->w->state], .hash = x->w->hash, .opened = x->w->opened, .from = x->w->from, .until = x->w->until,
		.ended = x->w->fail_at ? x->w->fail_at : x->w->ended, .started = x->d->started, .finished = x->d->finished, .every = x->w->every,
		.grace = x->w->grace_until - x->w->opened };
}

int sw_engine_explain(const struct sw_engine *e, const struct sw_step_in *in, const char *watch, const struct sw_explain_ring *rings,
                      size_t n_rings, struct sw_arena *a, struct sw_explanation *ret, struct sw_err *err)
{
	struct explain *x = SW_ARENA_NEW(a, struct explain);
	struct facts f;
	size_t n = 0;

	if (!explain_open(x, e, in, watch, a))
		return sw_err_set(err, ENOENT, "there is no watch \"%.40s\"", watch);
	if (!x->rule || !x->rule->cond)
		return sw_err_set(err, ENOENT, "the rules that watch %.40s was opened with are not there any more", watch);
	explain_head(x, ret);
	f = (struct facts){ .s = &x->s, .ev = &x->d->ev, .place = x->p.conf, .service = x->p.service, .state = &x->p, .dep = x->d, .watch = x->w,
	                    .rules = x->rules, .rule = x->rule, .delay = x->rule->delay, .requests = sw_judge_requests(x->w) };
	while (x->rule->signals && x->rule->signals[n])
		n++;
	ret->signals = SW_ARENA_ARRAY(a, struct sw_explain_signal, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct sw_explain_signal *g = &ret->signals[ret->n_signals++];

		*g = (struct sw_explain_signal){ .name = x->rule->signals[i], .def = sw_rules_signal(x->rules, x->rule->signals[i]) };
		signal_samples(x, g->name, rings, n_rings, g);
		signal_before(x, &f, g);
	}
	explain_rows(x, &f, ret);
	return 0;
}
