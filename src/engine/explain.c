/*
 * Explanations: the state of a place is read as a step reads it, then time is run once more over the kept readings.
 *
 * A look is a moment at which a signal of the rule had a new reading. The one that decided is evaluated at the moment of the verdict,
 * which came a little later than its reading: so a `for 30s` is as full as it was then.
 */
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
	struct facts f;
	size_t *cursor;                /* of each signal: readings that the series have */
	bool held;                     /* the condition held, while there was no verdict */
	enum sw_truth before;          /* and did it so before the deployment? */
	const char *veto;
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

/* The one that ran here before; NULL: none known. */
static const struct deployment *explain_previous(const struct explain *x)
{
	const struct deployment *ret = NULL;

	for (size_t i = 0; i < x->p.n_deps && &x->p.deps[i] != x->d; i++)
		if (x->p.deps[i].counted)
			ret = &x->p.deps[i];
	return ret;
}

const char *const *sw_explain_rings(const struct sw_engine *e, const struct sw_step_in *in, const char *watch, struct sw_arena *a,
                                    const char **ret_rules)
{
	struct explain *x = SW_ARENA_NEW(a, struct explain);
	const struct deployment *previous;
	const char **rings;
	size_t m = 0;

	if (!explain_open(x, e, in, watch, a))
		return NULL;
	*ret_rules = sw_arena_printf(a, "rules:%s", x->w->hash);
	rings = SW_ARENA_ARRAY(a, const char *, 2 * PLACE_SERIES + 1);
	previous = explain_previous(x);
	for (size_t i = 0; i < x->p.n_series; i++) {
		rings[m++] = sw_place_ring(&x->s, &x->p, previous ? previous->id : NULL, x->p.series[i].name);
		rings[m++] = sw_place_ring(&x->s, &x->p, x->w->dep, x->p.series[i].name);
	}
	return rings;
}

/* ---- signals ---- */

static int sample_by_time(const void *a, const void *b)
{
	const struct sw_sample *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static size_t ring_samples(const struct series *sr, const struct sw_explain_ring *ring, const char *name, struct sw_sample *to)
{
	size_t n = 0;

	for (size_t k = 0; k + 16 <= ring->n; k += 16) {
		struct sw_sample y = sw_ring_sample((const unsigned char *)ring->bytes + k, name);
		bool known = false;

		for (size_t j = 0; sr && j < sr->n; j++)
			known |= sr->s[j].at == y.at;
		if (!known)
			to[n++] = y;
	}
	return n;
}

/* The series of the place and what only the rings still have. */
static void signal_samples(struct explain *x, const struct sw_explain_ring *rings, size_t n_rings, struct sw_explain_signal *g)
{
	const struct series *sr = sw_readings_find(&x->p, g->name);
	const struct deployment *previous = explain_previous(x);
	const char *names[] = { sw_place_ring(&x->s, &x->p, previous ? previous->id : NULL, g->name),
		                sw_place_ring(&x->s, &x->p, x->w->dep, g->name) };
	size_t room = sr ? sr->n : 0;

	for (size_t i = 0; i < n_rings; i++)
		room += sw_streq(rings[i].name, names[0]) || sw_streq(rings[i].name, names[1]) ? rings[i].n / 16 : 0;
	g->samples = SW_ARENA_ARRAY(x->s.a, struct sw_sample, room + 1);
	for (size_t i = 0; sr && i < sr->n; i++)
		g->samples[g->n++] = sr->s[i];
	for (size_t i = 0; i < n_rings; i++)
		if (sw_streq(rings[i].name, names[0]) || sw_streq(rings[i].name, names[1]))
			g->n += ring_samples(sr, &rings[i], g->name, g->samples + g->n);
	qsort(g->samples, g->n, sizeof *g->samples, sample_by_time);
}

static void signal_calibrations(struct explain *x, const struct baseline *base, struct sw_explain_signal *g)
{
	for (size_t i = 0; i < base->n_cals; i++) {
		struct sw_calibration *c = SW_ARENA_NEW(x->s.a, struct sw_calibration);

		if (sw_calibration_read(base->cals[i].bytes, base->cals[i].n, c) == 0)
			g->pseudo = SW_MAX(g->pseudo, (unsigned)c->n);
	}
}

static void signal_before(struct explain *x, struct sw_explain_signal *g)
{
	const struct baseline *base;
	struct sw_facts facts;
	struct sw_value v;

	sw_facts_fill(&x->f, &facts);
	facts.signal_before(&x->f, g->name, SW_W_LAST, 0, &v);
	if (v.reading == SW_R_OK && v.type != SW_V_LIST) {
		struct sw_buf b = SW_BUF_INIT;

		if (v.type == SW_V_BOOL)
			sw_buf_cat(&b, v.b ? "healthy" : "failing");
		else
			sw_value_print(&v, &b);
		g->before = sw_arena_strdup(x->s.a, sw_buf_str(&b));
		sw_buf_fini(&b);
	}
	if (!sw_probe_has_past(&x->p, x->w->dep, g->name, x->w->every)) {
		g->why = "too few readings";
		return;
	}
	base = sw_probe_baseline(&x->s, &x->p, x->w->dep, g->name, x->w->every, &g->why);
	if (!base)
		return;
	g->why = base->valid < BASELINE_VALID ? sw_arena_printf(x->s.a, "%zu of the %d readings that it takes", base->valid, BASELINE_VALID) : NULL;
	g->baseline = base->n;
	g->valid = base->valid;
	g->history = base->history;
	g->points = base->value;
	g->counts = base->count;
	g->elements = base->elements;
	g->points_from = base->from;
	g->points_step = base->step;
	g->days = base->days;
	g->n_days = base->n_days;
	g->day_after = base->day_after;
	signal_calibrations(x, base, g);
}

/* ---- time once more ---- */

/* What came up to that moment, into the series as the steps put it there, and into the requests served. */
static void series_until(struct explain *x, const struct sw_explanation *ret, sw_ms at)
{
	for (size_t i = 0; i < ret->n_signals; i++) {
		const struct sw_explain_signal *g = &ret->signals[i];
		struct series *sr = sw_readings_of(&x->p, g->name);

		for (; x->cursor[i] < g->n && g->samples[x->cursor[i]].at <= at; x->cursor[i]++) {
			const struct sw_sample *y = &g->samples[x->cursor[i]];

			if (sr)
				(void)sw_readings_add(sr, y);
			if (y->reading != SW_R_OK || y->at < x->w->from || sw_streq(g->name, "health"))
				continue;
			if (sw_streq(g->name, "requests"))
				x->w->requests = SW_MAX(x->w->requests, 0) + y->value;
			else if (y->count > 0)
				x->w->counted = SW_MAX(x->w->counted, 0) + y->count;
		}
	}
}

/* The next reading that the series do not have; 0: none. */
static sw_ms series_next(const struct explain *x, const struct sw_explanation *ret)
{
	sw_ms at = 0;

	for (size_t i = 0; i < ret->n_signals; i++)
		if (x->cursor[i] < ret->signals[i].n && (!at || ret->signals[i].samples[x->cursor[i]].at < at))
			at = ret->signals[i].samples[x->cursor[i]].at;
	return at;
}

static enum sw_explain_phase row_phase(const struct watch *w, sw_ms at)
{
	if (w->fail_at && at > w->fail_at)
		return SW_EXPLAIN_FOLLOWING;
	return at < w->grace_until && !(w->good_at && at >= w->good_at) ? SW_EXPLAIN_GRACE : SW_EXPLAIN_WATCHING;
}

/* As watch_look does it. */
static void explain_look(struct explain *x, sw_ms at, sw_ms now, struct sw_explain_row *row)
{
	struct sw_facts facts;

	x->s.now = now;
	x->f.veto = NULL;
	x->f.early = false;
	x->f.requests = sw_judge_requests(x->w);
	sw_facts_fill(&x->f, &facts);
	facts.gap_resets = x->rule->gap_resets;
	*row = (struct sw_explain_row){ .at = at, .phase = row_phase(x->w, at), .requests = x->f.requests };
	sw_expr_eval(x->rule->cond, &facts, x->w->holds, x->s.a, &row->j);
	row->early = x->f.early && row->j.truth == SW_UNKNOWN;
	if (row->j.truth != SW_FALSE && x->rule->min_requests && x->f.requests < (double)x->rule->min_requests) {
		row->few = true;
		row->j.truth = SW_UNKNOWN;
	}
	if (x->f.veto)
		x->veto = x->f.veto;
	if (row->j.truth == SW_TRUE && row->phase != SW_EXPLAIN_FOLLOWING) {
		x->held = true;
		x->before = sw_expr_before(x->rule->cond, &facts, x->s.a);
	}
}

/* Looks from the opening to the end: how many up to the verdict, how many in all. */
static size_t explain_count(struct explain *x, const struct sw_explanation *ret, sw_ms end, size_t *ret_before)
{
	size_t *cursor = SW_ARENA_ARRAY(x->s.a, size_t, ret->n_signals + 1), n = 0;
	sw_ms at;

	memcpy(cursor, x->cursor, ret->n_signals * sizeof *cursor);
	*ret_before = 0;
	while ((at = series_next(x, ret)) && at <= end) {
		for (size_t i = 0; i < ret->n_signals; i++)
			while (x->cursor[i] < ret->signals[i].n && ret->signals[i].samples[x->cursor[i]].at <= at)
				x->cursor[i]++;
		*ret_before += !ret->ended || at <= ret->ended;
		n++;
	}
	memcpy(x->cursor, cursor, ret->n_signals * sizeof *cursor);
	return n;
}

static void explain_rows(struct explain *x, struct sw_explanation *ret)
{
	sw_ms end = x->w->ended ? x->w->ended : x->s.in->now, at, next;
	size_t before, n = explain_count(x, ret, end, &before);

	memset(x->w->holds, 0, sizeof x->w->holds);
	x->w->requests = x->w->counted = -1;
	ret->before_rows = before > SW_EXPLAIN_BEFORE && n > SW_EXPLAIN_ROWS ? SW_MIN(before - SW_EXPLAIN_BEFORE, n - SW_EXPLAIN_ROWS) : 0;
	ret->rows = SW_ARENA_ARRAY(x->s.a, struct sw_explain_row, SW_MIN(n, (size_t)SW_EXPLAIN_ROWS) + 1);
	for (size_t i = 0; i < n; i++) {
		struct sw_explain_row row;

		at = series_next(x, ret);
		series_until(x, ret, at);
		next = series_next(x, ret);
		explain_look(x, at, at <= ret->ended && (!next || next > ret->ended) && x->w->fail_at ? ret->ended : at, &row);
		if (i >= ret->before_rows && ret->n_rows < SW_EXPLAIN_ROWS)
			ret->rows[ret->n_rows++] = row;
	}
	ret->after_rows = n - ret->before_rows - ret->n_rows;
}

/* ---- what decided besides the condition ---- */

static void guard_add(struct sw_explanation *ret, const char *name, bool stopped, const char *text)
{
	if (ret->n_guards < SW_COUNT(ret->guards))
		ret->guards[ret->n_guards++] = (struct sw_explain_guard){ name, text, stopped };
}

static void guard_before(const struct explain *x, struct sw_explanation *ret)
{
	bool stopped = sw_streq(x->w->reason, "pre-existing");

	if (stopped && sw_streq(x->veto, "pre-existing") && x->before != SW_TRUE)
		guard_add(ret, "before", true, "it began before the deployment, says regressed()");
	else if (stopped)
		guard_add(ret, "before", true, "it was so before the deployment already");
	else if (x->d->is_rollback)
		guard_add(ret, "before", false, "not asked: this deployment is a rollback");
	else
		guard_add(ret, "before", false, x->before == SW_FALSE ? "it was not so before the deployment" : "how it was before the deployment is not known");
}

static void guard_network(const struct explain *x, struct sw_explanation *ret)
{
	const struct source_state *src = NULL;

	for (size_t i = 0; i < x->p.n_sources; i++)
		if (sw_streq(x->p.sources[i].name, "reference"))
			src = &x->p.sources[i];
	if (x->w->fail_at)
		guard_add(ret, "own network", false, src && src->heard ? "the reference address answered" : "not asked: there is no `reference:`");
	else if (x->w->tilt && src && src->heard && src->reading == SW_R_OK && src->value < 0.5)
		guard_add(ret, "own network", true, "the reference address does not answer either: no verdict before it does");
	else if (x->w->tilt)
		guard_add(ret, "asleep", true, "the worker was not there for a while: no verdict before a fresh look");
}

static void explain_guards(struct explain *x, struct sw_explanation *ret)
{
	bool fail = x->w->fail_at && sw_streq(x->w->reason, "evidence"), common = sw_streq(x->w->reason, "common-cause");
	struct sw_arena *a = x->s.a;

	if (x->rule->min_requests)
		guard_add(ret, "traffic", ret->requests < (double)x->rule->min_requests && (!x->w->verdict || sw_streq(x->w->reason, "no-data")),
		          ret->requests < 0 ? sw_arena_printf(a, "how many requests there were is not known; it takes %lld", (long long)x->rule->min_requests)
		                            : sw_arena_printf(a, "%.0f requests; it takes %lld", ret->requests, (long long)x->rule->min_requests));
	if (x->held || fail || common || sw_streq(x->w->reason, "pre-existing"))
		guard_before(x, ret);
	if (common)
		guard_add(ret, "others", true, "other services of the tier failed at the same time, and no deployment of theirs explains it");
	else if (fail && !x->d->is_rollback)
		guard_add(ret, "others", false, "no two other services of the tier failed at the same time");
	if (sw_streq(x->w->reason, "transient"))
		guard_add(ret, "transient", true, "it was worse for a while and went away: a pass, with a warning");
	guard_network(x, ret);
	if (sw_streq(x->w->reason, "no-data"))
		guard_add(ret, "data", true, sw_arena_printf(a, "%lld of %lld checks said something; it takes 80 %% and the last", (long long)x->w->known,
		                                             (long long)x->w->total));
}

/* ---- all of it ---- */

static const char *dep_sha(const struct deployment *d)
{
	return d->ev.sha ? d->ev.sha : d->ev.short_sha;
}

static void explain_deployments(struct explain *x, struct sw_explanation *ret)
{
	ret->deployments = SW_ARENA_ARRAY(x->s.a, struct sw_explain_deployment, x->p.n_deps + 1);
	for (size_t i = 0; i < x->p.n_deps; i++) {
		const struct deployment *d = &x->p.deps[i];

		if (d == x->d)
			ret->deployment = ret->n_deployments;
		ret->deployments[ret->n_deployments++] = (struct sw_explain_deployment){
			.id = d->id, .sha = dep_sha(d), .version = d->ev.version, .user = d->ev.user, .branch = d->ev.branch, .tag = d->ev.tag, .status = sw_status_name(d->status),
			.started = d->started, .finished = d->finished, .heard = d->ev.received, .ran = d->counted, .is_rollback = d->is_rollback,
			.is_redeploy = d->is_redeploy, .good = d->good };
	}
}

static void explain_action(const struct act *a, struct sw_explain_action *ret)
{
	*ret = (struct sw_explain_action){
		.action = a->action, .state = sw_act_state_name(a->state), .why = a->why, .rollback = a->rollback, .asked = a->asked,
		.until = a->state == ACT_ASKING ? a->deadline : 0, .decided_at = a->decided_at, .proceeds = a->proceed, .approved = a->approved,
		.id = a->id, .ask_why = a->ask_why, .decided_by = a->decided_by };
}

static void explain_actions(struct explain *x, struct sw_explanation *ret)
{
	ret->actions = SW_ARENA_ARRAY(x->s.a, struct sw_explain_action, x->p.n_acts + 1);
	for (size_t i = 0; i < x->p.n_acts; i++)
		if (sw_streq(x->p.acts[i].watch, x->w->id))
			explain_action(&x->p.acts[i], &ret->actions[ret->n_actions++]);
}

static void explain_head(struct explain *x, struct sw_explanation *ret)
{
	static const char *const states[] = { "waiting", "watching", "following", "done" };
	const struct watch *w = x->w;

	*ret = (struct sw_explanation){
		.service = x->p.service, .environment = x->p.environment, .place = x->p.conf, .prev_sha = x->d->prev_sha, .prev_version = x->d->prev_version,
		.rule = w->rule, .cond = sw_expr_text(x->rule->cond), .verdict = w->verdict, .reason = w->reason, .state = states[w->state], .hash = w->hash,
		.opened = w->opened, .from = w->from, .until = w->until, .ended = w->fail_at ? w->fail_at : w->ended, .closed = w->ended, .every = w->every,
		.grace = w->grace_until - w->opened, .checks = w->total, .known = w->known, .min_requests = x->rule->min_requests,
		.requests = sw_judge_requests(w) };
	explain_deployments(x, ret);
	explain_actions(x, ret);
}

static void explain_signals(struct explain *x, const struct sw_explain_ring *rings, size_t n_rings, struct sw_explanation *ret)
{
	size_t n = 0;

	while (x->rule->signals && x->rule->signals[n])
		n++;
	ret->signals = SW_ARENA_ARRAY(x->s.a, struct sw_explain_signal, n + 1);
	x->cursor = SW_ARENA_ARRAY(x->s.a, size_t, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct sw_explain_signal *g = &ret->signals[ret->n_signals++];

		*g = (struct sw_explain_signal){ .name = x->rule->signals[i], .def = sw_rules_signal(x->rules, x->rule->signals[i]) };
		signal_samples(x, rings, n_rings, g);
	}
	x->p.n_series = 0;
	series_until(x, ret, x->w->opened - 1);
	for (size_t i = 0; i < n; i++)
		signal_before(x, &ret->signals[i]);
}

int sw_engine_explain(const struct sw_engine *e, const struct sw_step_in *in, const char *watch, const struct sw_explain_ring *rings,
                      size_t n_rings, struct sw_arena *a, struct sw_explanation *ret, struct sw_err *err)
{
	struct explain *x = SW_ARENA_NEW(a, struct explain);
	const char **needs;

	if (!explain_open(x, e, in, watch, a))
		return sw_err_set(err, ENOENT, "there is no watch \"%.40s\"", watch);
	if (!x->rule || !x->rule->cond)
		return sw_err_set(err, ENOENT, "the rules that watch %.40s was opened with are not there any more", watch);
	explain_head(x, ret);
	x->f = (struct facts){ .s = &x->s, .ev = &x->d->ev, .place = x->p.conf, .service = x->p.service, .state = &x->p, .dep = x->d, .watch = x->w,
	                       .rules = x->rules, .rule = x->rule, .delay = x->rule->delay };
	explain_signals(x, rings, n_rings, ret);
	explain_rows(x, ret);
	explain_guards(x, ret);
	needs = SW_ARENA_ARRAY(a, const char *, x->out.n_needs + 1);
	memcpy(needs, x->out.needs, x->out.n_needs * sizeof *needs);
	ret->needs = needs;
	return 0;
}
