/* Replay: the recording in a world, deployments in play in worlds of their own, and what each rule made of them. */
#include "sim/replay.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/place.h"

#define BEFORE     (7 * SW_DAY) /* played before `since`, so that what ran is known */
#define ASKED_MAX  (5 * SW_MINUTE)
#define AFTER      (2 * SW_MINUTE) /* a deployment in play is followed so long behind its longest watch */
#define NEAR       (3 * SW_HOUR) /* an action is begun so long behind its deployment at most */
#define CALM       (30 * SW_MINUTE) /* a moment is quiet when nothing was deployed so long before */

const char *const sw_replay_decisions[] = { "not watched", "pass", "inconclusive", "alert", "rollback" };

void sw_replay_wilson(size_t k, size_t n, double *lo, double *hi)
{
	const double z = 1.959964;
	double p, d, mid, half;

	*lo = 0;
	*hi = 1;
	if (!n)
		return;
	p = (double)k / (double)n;
	d = 1 + z * z / (double)n;
	mid = (p + z * z / (2 * (double)n)) / d;
	half = z * sqrt(p * (1 - p) / (double)n + z * z / (4 * (double)n * (double)n)) / d;
	*lo = k == 0 ? 0 : SW_MAX(mid - half, 0);
	*hi = k == n ? 1 : SW_MIN(mid + half, 1);
}

/* ---- recorded samples answer ---- */

struct answering {
	const struct recording *rec;
	struct sw_map asked; /* "place\nsignal" → when it was asked last */
};

/* The rhythm of the question: a sample within one and a half of it is the answer. */
static sw_dur answer_step(struct answering *an, const char *place, const char *what, sw_dur step, sw_ms at, struct sw_arena *a)
{
	const char *key = sw_arena_printf(a, "%s\n%s", place, what);
	sw_ms last = (sw_ms)(intptr_t)sw_map_get(&an->asked, key);

	(void)sw_map_set(&an->asked, key, (void *)(intptr_t)at);
	return SW_MAX(step, last ? SW_MIN(at - last, ASKED_MAX) : 0);
}

static void answer_one(struct answering *an, const char *place, const char *signal, sw_dur step, sw_ms at, struct sw_samples *out)
{
	const struct rec_sample *x;
	struct sw_sample *s;

	step = answer_step(an, place, signal, SW_MAX(step, SW_SECOND), at, out->a);
	x = sw_recording_at(sw_recording_series(an->rec, place, signal), at, step + step / 2);
	s = sw_samples_add(out, sw_arena_strdup(out->a, signal), x ? x->at : at, x ? (enum sw_reading)x->reading : SW_R_ABSENT, x ? x->value : 0);
	if (s && x) {
		s->count = x->count;
		s->text = x->text;
	}
}

static sw_dur answer_probe(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_samples *out)
{
	struct answering *an = arg;

	if (!io->n_queries)
		answer_one(an, place, io->source, 10 * SW_SECOND, at, out);
	for (size_t i = 0; i < io->n_queries; i++)
		answer_one(an, place, io->queries[i].signal, io->queries[i].step, at, out);
	/* what was not recorded of a probe is silence, as it was then */
	if (!io->n_queries && out->items[0].reading == SW_R_ABSENT)
		return -1;
	return 1;
}

static int answer_past(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_arena *a, struct sw_past *ret, const char **why)
{
	struct answering *an = arg;
	const char *signal = io->n_queries ? io->queries[0].signal : io->source;
	const struct rec_series *s = sw_recording_series(an->rec, place, signal);
	sw_dur step = io->n_queries && io->queries[0].step > 0 ? io->queries[0].step : 15 * SW_SECOND;
	bool counted = false;

	(void)at;
	if (!s) {
		*why = "nothing of it was recorded";
		return -ENOENT;
	}
	*ret = (struct sw_past){ .from = io->past->from, .step = step };
	ret->n = io->past->to < io->past->from ? 0 : (size_t)SW_MIN((io->past->to - io->past->from) / step + 1, (sw_ms)SW_PAST_MAX);
	ret->value = SW_ARENA_ARRAY(a, double, ret->n + 1);
	ret->count = SW_ARENA_ARRAY(a, double, ret->n + 1);
	for (size_t i = 0; i < ret->n; i++) {
		const struct rec_sample *x = sw_recording_at(s, ret->from + (sw_ms)i * step, step + step / 2);
		bool ok = x && x->reading == SW_R_OK;

		ret->value[i] = ok ? x->value : NAN;
		ret->count[i] = ok ? (double)x->count : 0;
		counted |= ret->count[i] > 0;
		if (ok && x->text && x->text[0] == '[')
			ret->elements = x->text;
	}
	if (!counted)
		ret->count = NULL;
	return 0;
}

/* ---- what came of it ---- */

struct judging {
	const struct replay_ask *ask;
	const struct replay_truth *truth;
	struct replay *r;
	sw_ms start;
};

static struct replay_rule *judging_rule(struct judging *j, const char *name)
{
	for (size_t i = 0; i < j->r->n_rules; i++)
		if (sw_streq(j->r->rules[i].name, name))
			return &j->r->rules[i];
	return NULL;
}

/* The deployment of the truth that an entry is about: same place, same commit, nearest in time. */
static size_t judging_deployment(const struct judging *j, const struct sim_entry *e)
{
	size_t ret = SIZE_MAX;
	sw_ms best = INT64_MAX, at = j->start + (e->what == SIM_ACTION ? e->at : e->deployed);

	for (size_t i = 0; i < j->truth->n; i++) {
		const struct replay_deployment *d = &j->truth->items[i];
		sw_ms far = d->at > at ? d->at - at : at - d->at;

		if (sw_streq(d->place, e->place) && sw_sha_equal(d->sha, e->sha) && far < best && far <= NEAR) {
			best = far;
			ret = i;
		}
	}
	return ret;
}

static bool entry_fires(const struct replay_rule *rule, const struct sim_entry *e)
{
	if (e->what != SIM_VERDICT)
		return false;
	return rule->labels ? sw_streq(e->verdict, "pass") && sw_streq(e->reason, "evidence") : sw_streq(e->verdict, "fail");
}

static void detect_add(struct replay_rule *rule, sw_dur after)
{
	size_t i = rule->n_detect++;

	rule->detect = sw_realloc(rule->detect, rule->n_detect * sizeof *rule->detect);
	for (; i > 0 && rule->detect[i - 1] > after; i--)
		rule->detect[i] = rule->detect[i - 1];
	rule->detect[i] = after;
}

static void outcome_raise(struct judging *j, size_t i, enum replay_decision decision, const char *rule, sw_dur after)
{
	struct replay_outcome *o = &j->r->outcomes[i];

	if (rule && !*o->rules)
		o->after = after;
	if (rule)
		o->rules = sw_arena_printf(&j->r->a, "%s%s%s", o->rules, *o->rules ? ", " : "", rule);
	o->decision = SW_MAX(o->decision, decision);
}

static void judge_verdict(struct judging *j, struct replay_rule *rule, const struct sim_entry *e, size_t i)
{
	const struct replay_deployment *d = &j->truth->items[i];
	sw_dur after = SW_MAX(e->at - e->deployed, 0);

	if (!entry_fires(rule, e)) {
		*(d->bad ? &rule->bad_quiet : &rule->good_quiet) += 1;
		if (!rule->labels)
			outcome_raise(j, i, sw_streq(e->verdict, "pass") ? REPLAY_PASS : REPLAY_INCONCLUSIVE, NULL, 0);
		return;
	}
	rule->fires++;
	*(d->bad ? &rule->bad_fired : &rule->good_fired) += 1;
	if (rule->labels)
		return;
	if (d->bad)
		detect_add(rule, after);
	outcome_raise(j, i, REPLAY_ALERT, rule->name, after);
}

static void judge_log(struct judging *j, const struct sim_world *w)
{
	for (size_t k = 0; k < w->n_log; k++) {
		const struct sim_entry *e = &w->log[k];
		struct replay_rule *rule = e->rule ? judging_rule(j, e->rule) : NULL;
		size_t i = e->sha ? judging_deployment(j, e) : SIZE_MAX;

		if (!rule)
			continue;
		if (e->what == SIM_ALERT && !rule->watches && sw_streq(e->news, "firing") && j->start + e->at >= j->ask->since)
			rule->fires++;
		if (i == SIZE_MAX)
			continue;
		if (e->what == SIM_OPEN)
			rule->seen++;
		else if (e->what == SIM_VERDICT)
			judge_verdict(j, rule, e, i);
		else if (e->what == SIM_ACTION) {
			rule->rollbacks++;
			outcome_raise(j, i, REPLAY_ROLLBACK, NULL, 0);
		}
	}
}

/* ---- playing ---- */

static int play_recording(const struct replay_ask *ask, const struct sw_engine *e, struct judging *j, struct sw_err *err)
{
	const struct recording *rec = ask->rec;
	struct answering an = { .rec = rec };
	struct sw_arena log = { 0 };
	struct sim_world w;
	int r = 0;

	j->start = SW_MAX(rec->first, ask->since - BEFORE) - SW_SECOND;
	sw_sim_world_init(&w, e, &log, j->start);
	w.outside = (struct sim_outside){ .arg = &an, .probe = answer_probe, .past = answer_past };
	sw_sim_wake(&w);
	for (size_t i = 0; i < rec->n_events && r == 0; i++) {
		struct sw_arena a = { 0 };
		struct sw_event ev;

		if (rec->events[i].at < j->start)
			continue;
		r = sw_sim_run(&w, rec->events[i].at - 1, false, err);
		w.now = SW_MAX(w.now, rec->events[i].at);
		if (r == 0 && sw_recording_event(&rec->events[i], &a, &ev))
			sw_sim_event(&w, &ev);
		sw_arena_fini(&a);
		if (ask->progress)
			ask->progress(ask->arg, w.now, 0);
	}
	if (r == 0)
		r = sw_sim_run(&w, rec->last + SW_MINUTE, false, err);
	if (r == 0)
		judge_log(j, &w);
	j->r->steps += w.steps;
	sw_sim_world_fini(&w);
	sw_map_fini(&an.asked);
	sw_arena_fini(&log);
	return r;
}

static sw_dur longest_watch(const struct sw_rules *rules)
{
	sw_dur ret = 0;

	for (size_t i = 0; i < rules->n; i++)
		if (rules->items[i].watches)
			ret = SW_MAX(ret, rules->items[i].watch_for);
	return ret;
}

/* The recorded success of a deployment as if it were made again at `at`. */
static bool pseudo_event(const struct replay_ask *ask, size_t event, sw_ms at, struct sw_arena *a, struct sw_event *ev)
{
	if (!sw_recording_event(&ask->rec->events[event], a, ev))
		return false;
	ev->at = ev->received = ev->created_at = ev->started_at = ev->finished_at = at;
	ev->deployment_id = "pseudo";
	ev->job_id = ev->pipeline_id = ev->report_id = ev->ci_run_id = ev->ci_run_alias = "pseudo";
	return true;
}

static int play_pseudo(const struct replay_ask *ask, const struct sw_engine *e, struct judging *j, size_t event, sw_ms at, struct sw_err *err)
{
	struct answering an = { .rec = ask->rec };
	struct sw_arena log = { 0 };
	struct sim_world w;
	struct sw_event ev;
	int r = 0;

	sw_sim_world_init(&w, e, &log, at - SW_MINUTE);
	w.outside = (struct sim_outside){ .arg = &an, .probe = answer_probe, .past = answer_past };
	sw_sim_wake(&w);
	if (pseudo_event(ask, event, at, &log, &ev)) {
		r = sw_sim_run(&w, at - 1, false, err);
		w.now = at;
		sw_sim_event(&w, &ev);
		if (r == 0)
			r = sw_sim_run(&w, at + longest_watch(ask->rules) + AFTER, false, err);
	}
	for (size_t i = 0; i < w.n_log && r == 0; i++) {
		struct replay_rule *rule = w.log[i].rule ? judging_rule(j, w.log[i].rule) : NULL;

		if (rule && w.log[i].what == SIM_OPEN)
			rule->pseudo++;
		else if (rule && w.log[i].what == SIM_VERDICT)
			rule->pseudo_fired += entry_fires(rule, &w.log[i]);
	}
	j->r->steps += w.steps;
	sw_sim_world_fini(&w);
	sw_map_fini(&an.asked);
	sw_arena_fini(&log);
	return r;
}

/* Nothing was deployed near it, and its health did not fail. */
static bool moment_quiet(const struct replay_ask *ask, const struct replay_truth *t, const char *place, sw_ms at, sw_dur watch)
{
	const struct rec_series *health = sw_recording_series(ask->rec, place, "health");

	for (size_t i = 0; i < t->n; i++)
		if (sw_streq(t->items[i].place, place) && t->items[i].at > at - CALM && t->items[i].at < at + watch + AFTER)
			return false;
	for (size_t i = 0; health && i < health->n; i++)
		if (health->items[i].at >= at - watch && health->items[i].at <= at + watch && health->items[i].reading == SW_R_OK &&
		    health->items[i].value < 0.5)
			return false;
	return true;
}

/* Samples of a place: from when to when. */
static bool place_span(const struct recording *rec, const char *place, sw_ms *from, sw_ms *to)
{
	*from = INT64_MAX;
	*to = 0;
	for (size_t i = 0; i < rec->n_series; i++) {
		const struct rec_series *s = &rec->series[i];

		if (!s->n || !sw_streq(s->place, place))
			continue;
		*from = SW_MIN(*from, s->items[0].at);
		*to = SW_MAX(*to, s->items[s->n - 1].at);
	}
	return *to > *from;
}

/* The deployment that ran at a moment, else the first one of the place; SIZE_MAX: there is none. */
static size_t moment_event(const struct replay_truth *t, const char *place, sw_ms at)
{
	size_t ret = SIZE_MAX;

	for (size_t i = 0; i < t->n; i++)
		if (sw_streq(t->items[i].place, place) && (ret == SIZE_MAX || t->items[i].at <= at))
			ret = t->items[i].event;
	return ret;
}

static int pseudo_place(const struct replay_ask *ask, const struct sw_engine *e, const struct replay_truth *t, struct judging *j,
                        const char *place, struct sw_err *err)
{
	sw_dur watch = longest_watch(ask->rules), room;
	size_t done = 0;
	sw_ms from, to;
	int r = 0;

	if (!watch || !place_span(ask->rec, place, &from, &to))
		return 0;
	from = SW_MAX(from, ask->since) + CALM;
	to -= watch;
	if (to <= from)
		return 0;
	room = SW_MAX((to - from) / (sw_dur)ask->pseudo, watch);
	for (sw_ms at = from; at <= to && done < ask->pseudo && r == 0; at += room) {
		size_t event = moment_event(t, place, at);

		if (event == SIZE_MAX || !moment_quiet(ask, t, place, at, watch))
			continue;
		r = play_pseudo(ask, e, j, event, at, err);
		done++;
		if (ask->progress)
			ask->progress(ask->arg, at, done);
	}
	return r;
}

static void replay_rules(const struct sw_rules *rules, struct replay *r)
{
	r->n_rules = rules->n;
	r->rules = SW_ARENA_ARRAY(&r->a, struct replay_rule, rules->n + 1);
	for (size_t i = 0; i < rules->n; i++) {
		const struct sw_rule *rule = &rules->items[i];

		r->rules[i] = (struct replay_rule){ .name = sw_arena_strdup(&r->a, rule->name), .watches = rule->watches };
		for (size_t k = 0; k < rule->n_then && !rule->has_rollback; k++)
			r->rules[i].labels |= rule->then[k].kind == SW_THEN_LABEL && rule->then[k].good;
	}
}

int sw_replay_run(const struct replay_ask *ask, const struct replay_truth *truth, struct replay *ret, struct sw_err *err)
{
	struct judging j = { .ask = ask, .truth = truth, .r = ret };
	struct sw_arena a = { 0 };
	struct sw_engine e;
	int r;

	*ret = (struct replay){ 0 };
	replay_rules(ask->rules, ret);
	ret->outcomes = SW_ARENA_ARRAY(&ret->a, struct replay_outcome, truth->n + 1);
	for (size_t i = 0; i < truth->n; i++)
		ret->outcomes[i].rules = "";
	sw_sim_engine(&e, ask->rules, ask->places, ask->alerts, &a);
	e.tz_offset_s = ask->tz_offset_s;
	r = play_recording(ask, &e, &j, err);
	for (size_t i = 0; i < truth->n && r == 0 && ask->pseudo; i++)
		if (moment_event(truth, truth->items[i].place, 0) == truth->items[i].event) /* its first: each place once */
			r = pseudo_place(ask, &e, truth, &j, truth->items[i].place, err);
	sw_arena_fini(&a);
	if (r < 0)
		sw_replay_fini(ret);
	return r;
}

void sw_replay_fini(struct replay *r)
{
	for (size_t i = 0; i < r->n_rules; i++)
		free(r->rules[i].detect);
	sw_arena_fini(&r->a);
	*r = (struct replay){ 0 };
}
