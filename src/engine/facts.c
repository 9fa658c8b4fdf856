/* What an expression may ask: fields of the event or deployment, readings of the place's series, lists of files. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/place.h"
#include "engine/step.h"

static void facts_str(struct sw_value *v, const char *s)
{
	if (s)
		*v = (struct sw_value){ .type = SW_V_STRING, .str = s };
	else
		*v = (struct sw_value){ .type = SW_V_NULL };
}

static void facts_num(struct sw_value *v, enum sw_vtype type, double num, bool known)
{
	if (known)
		*v = (struct sw_value){ .type = type, .num = num };
	else
		*v = (struct sw_value){ .type = type, .reading = SW_R_ABSENT };
}

static void facts_bool(struct sw_value *v, bool b)
{
	*v = (struct sw_value){ .type = SW_V_BOOL, .b = b };
}

static void facts_list(struct facts *f, const char *const *list, size_t n, struct sw_value *ret)
{
	struct sw_value *items = SW_ARENA_ARRAY(f->s->a, struct sw_value, n ? n : 1);

	for (size_t i = 0; i < n; i++)
		facts_str(&items[i], list[i]);
	*ret = (struct sw_value){ .type = SW_V_LIST, .items = items, .n = n };
}

static void facts_labels(struct facts *f, const char *key, struct sw_value *ret)
{
	for (size_t i = 0; i < f->ev->n_labels; i++) {
		if (sw_streq(f->ev->labels[i].name, key)) {
			facts_str(ret, f->ev->labels[i].value);
			return;
		}
	}
	for (size_t i = 0; f->place && i < f->place->n_labels; i++) {
		if (sw_streq(f->place->labels[i].name, key)) {
			facts_str(ret, f->place->labels[i].value);
			return;
		}
	}
	facts_str(ret, NULL);
}

static void facts_metrics(struct facts *f, const char *key, struct sw_value *ret)
{
	for (size_t i = 0; i < f->ev->n_metrics; i++) {
		if (sw_streq(f->ev->metrics[i].name, key)) {
			facts_num(ret, SW_V_NUMBER, f->ev->metrics[i].value, true);
			return;
		}
	}
	facts_num(ret, SW_V_NUMBER, 0, false);
}

static void facts_limits(struct facts *f, const char *key, struct sw_value *ret)
{
	for (size_t i = 0; f->place && i < f->place->n_limits; i++) {
		if (sw_streq(f->place->limits[i].name, key)) {
			facts_num(ret, (enum sw_vtype)f->place->limits[i].type, f->place->limits[i].value, true);
			return;
		}
	}
	facts_num(ret, SW_V_NUMBER, 0, false);
}

static void facts_commits(struct facts *f, struct sw_value *ret)
{
	const char **titles = SW_ARENA_ARRAY(f->s->a, const char *, f->ev->n_commits + 1);

	for (size_t i = 0; i < f->ev->n_commits; i++)
		titles[i] = f->ev->commits[i].title;
	facts_list(f, titles, f->ev->n_commits, ret);
}

/* Fields of the deployment under watch, and of what ran here before. */
static void facts_deployment(struct facts *f, enum sw_field_id id, struct sw_value *ret)
{
	const struct deployment *d = f->dep;

	if (!d) {
		facts_str(ret, NULL);
		return;
	}
	if (id == SW_F_DEPLOYMENT_SHA)
		facts_str(ret, d->ev.sha ? d->ev.sha : d->ev.short_sha);
	else if (id == SW_F_DEPLOYMENT_VERSION)
		facts_str(ret, d->ev.version);
	else if (id == SW_F_DEPLOYMENT_IS_ROLLBACK)
		facts_bool(ret, d->is_rollback);
	else if (id == SW_F_DEPLOYMENT_IS_REDEPLOY)
		facts_bool(ret, d->is_redeploy);
	else if (id == SW_F_PREVIOUS_SHA)
		facts_str(ret, d->prev_sha);
	else
		facts_str(ret, d->prev_verdict);
}

static void facts_field(void *arg, enum sw_field_id id, const char *key, struct sw_value *ret)
{
	struct facts *f = arg;
	const struct sw_event *ev = f->ev;

	switch (id) {
	case SW_F_KIND: facts_str(ret, sw_kind_name(ev->kind)); break;
	case SW_F_SOURCE: facts_str(ret, ev->source); break;
	case SW_F_REPO: facts_str(ret, ev->repo); break;
	case SW_F_SERVICE: facts_str(ret, f->service); break;
	case SW_F_ENV: facts_str(ret, f->place ? f->place->environment : ev->environment); break;
	case SW_F_TIER: facts_str(ret, f->place ? f->place->tier : NULL); break;
	case SW_F_REF: facts_str(ret, ev->ref); break;
	case SW_F_BRANCH: facts_str(ret, ev->branch); break;
	case SW_F_TAG: facts_str(ret, ev->tag); break;
	case SW_F_SHA: facts_str(ret, ev->sha ? ev->sha : ev->short_sha); break;
	case SW_F_BEFORE: facts_str(ret, ev->before); break;
	case SW_F_STATUS: facts_str(ret, ev->status == SW_ST_NONE ? NULL : sw_status_name(ev->status)); break;
	case SW_F_USER: facts_str(ret, ev->user); break;
	case SW_F_AUTHOR: facts_str(ret, ev->author); break;
	case SW_F_URL: facts_str(ret, ev->url); break;
	case SW_F_JOB_NAME: facts_str(ret, ev->job_name); break;
	case SW_F_JOB_DURATION:
	case SW_F_DURATION: facts_num(ret, SW_V_DURATION, ev->duration_ms / 1000, ev->duration_ms >= 0); break;
	case SW_F_PIPELINE_ID: facts_str(ret, ev->pipeline_id); break;
	case SW_F_PIPELINE_SOURCE: facts_str(ret, ev->pipeline_source); break;
	case SW_F_EXIT_CODE: facts_num(ret, SW_V_NUMBER, ev->exit_code, ev->exit_code >= 0); break;
	case SW_F_COVERAGE: facts_num(ret, SW_V_RATIO, ev->coverage, ev->coverage >= 0); break;
	case SW_F_METRICS: facts_metrics(f, key, ret); break;
	case SW_F_LABELS: facts_labels(f, key, ret); break;
	case SW_F_COMMITS: facts_commits(f, ret); break;
	case SW_F_STARTED: facts_num(ret, SW_V_TIME, (double)ev->started_at / 1000, ev->started_at > 0); break;
	case SW_F_AT: facts_num(ret, SW_V_TIME, (double)ev->at / 1000, ev->at > 0); break;
	case SW_F_DEPLOYMENT_SHA:
	case SW_F_DEPLOYMENT_VERSION:
	case SW_F_DEPLOYMENT_IS_ROLLBACK:
	case SW_F_DEPLOYMENT_IS_REDEPLOY:
	case SW_F_PREVIOUS_SHA:
	case SW_F_PREVIOUS_VERDICT: facts_deployment(f, id, ret); break;
	case SW_F_BAD_SHAS: facts_list(f, f->state ? f->state->bad : NULL, f->state ? f->state->n_bad : 0, ret); break;
	case SW_F_LIMITS: facts_limits(f, key, ret); break;
	case SW_F_COUNT: facts_str(ret, NULL); break;
	}
}

/*
 * A failing health answer counts as absent until the first good answer of the new version or the grace time, whichever is
 * first (rules.md 3.1).
 */
static enum sw_reading facts_reading(const struct facts *f, const char *signal, const struct sw_sample *x)
{
	const struct watch *w = f->watch;

	if (w && sw_streq(signal, "health") && x->reading == SW_R_OK && x->value < 0.5 && x->at < w->grace_until &&
	    (!w->good_at || x->at < w->good_at))
		return SW_R_ABSENT;
	return x->reading;
}

static const struct series *facts_series(const struct facts *f, const char *signal)
{
	for (size_t i = 0; f->state && i < f->state->n_series; i++)
		if (sw_streq(f->state->series[i].name, signal))
			return &f->state->series[i];
	return NULL;
}

static int facts_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double facts_quantile(double *v, size_t n, double q)
{
	double at = q * (double)(n - 1);
	size_t i = (size_t)at;

	qsort(v, n, sizeof *v, facts_by_value);
	return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[i];
}

static double facts_stddev(const double *v, size_t n)
{
	double mean = 0, sum = 0, x, r;

	for (size_t i = 0; i < n; i++)
		mean += v[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		sum += (v[i] - mean) * (v[i] - mean);
	x = n > 1 ? sum / (double)(n - 1) : 0;
	r = x;
	for (int i = 0; x > 0 && i < 60; i++) /* Newton: keeps libm out of the engine */
		r = 0.5 * (r + x / r);
	return r;
}

static double facts_window(enum sw_window w, double *v, const sw_ms *at, size_t n)
{
	double sum = 0, lo = v[0], hi = v[0];

	for (size_t i = 0; i < n; i++) {
		sum += v[i];
		lo = SW_MIN(lo, v[i]);
		hi = SW_MAX(hi, v[i]);
	}
	switch (w) {
	case SW_W_AVG: return sum / (double)n;
	case SW_W_MAX: return hi;
	case SW_W_MIN: return lo;
	case SW_W_P50: return facts_quantile(v, n, 0.5);
	case SW_W_P95: return facts_quantile(v, n, 0.95);
	case SW_W_STDDEV: return facts_stddev(v, n);
	case SW_W_COUNT: return (double)n;
	case SW_W_RATE: return at[n - 1] > at[0] ? (v[n - 1] - v[0]) * 1000 / (double)(at[n - 1] - at[0]) : 0;
	case SW_W_SUM: return sum;
	case SW_W_LAST: return v[n - 1];
	}
	return 0;
}

/* The version that answers is a text, the newest one that did. */
static void facts_part(const struct facts *f, const struct series *sr, struct sw_value *ret, sw_ms *ret_at)
{
	for (size_t i = sr->n; i-- > 0;) {
		const struct sw_sample *x = &sr->s[i];

		if (f->watch && x->at < f->watch->opened)
			break;
		if (x->reading == SW_R_OK && x->value > 0.5 && x->text) {
			*ret = (struct sw_value){ .type = SW_V_STRING, .str = x->text };
			*ret_at = x->at;
			return;
		}
	}
	*ret = (struct sw_value){ .type = SW_V_STRING, .reading = SW_R_ABSENT };
	*ret_at = sr->n ? sr->s[sr->n - 1].at : 0;
}

static sw_dur facts_stale_after(const struct facts *f)
{
	sw_dur every = sw_watch_rhythm(f->s, f->state);

	return SW_MAX(3 * every, 30 * SW_SECOND);
}

static enum sw_vtype facts_type(const struct facts *f, const char *signal)
{
	for (size_t i = 0; f->rules && i < f->rules->n_signals; i++)
		if (sw_streq(f->rules->signals[i].name, signal))
			return f->rules->signals[i].type;
	return SW_V_NUMBER;
}

static void facts_signal(void *arg, const char *signal, const char *part, enum sw_window win, sw_dur window, struct sw_value *ret,
                         sw_ms *ret_at)
{
	struct facts *f = arg;
	const struct series *sr = facts_series(f, signal);
	bool health = sw_streq(signal, "health");
	enum sw_vtype type = health ? SW_V_BOOL : facts_type(f, signal);
	double v[PLACE_SAMPLES];
	sw_ms at[PLACE_SAMPLES], from = f->watch ? f->watch->opened : 0;
	size_t n = 0;
	const struct sw_sample *last;

	*ret = (struct sw_value){ .type = type, .reading = SW_R_ABSENT };
	*ret_at = 0;
	if (!sr || !sr->n || sr->s[sr->n - 1].at < from)
		return; /* a window never reaches before the deployment */
	if (part) {
		facts_part(f, sr, ret, ret_at);
		return;
	}
	last = &sr->s[sr->n - 1];
	*ret_at = last->at;
	if (win == SW_W_LAST && window == 0) {
		ret->reading = facts_reading(f, signal, last);
		if (ret->reading == SW_R_OK && f->s->now - last->at > facts_stale_after(f) && health)
			ret->reading = SW_R_STALE;
		ret->num = last->value;
		ret->b = last->value > 0.5;
		return;
	}
	for (size_t i = 0; i < sr->n; i++) {
		const struct sw_sample *x = &sr->s[i];

		if (x->at < from || x->at <= f->s->now - window || facts_reading(f, signal, x) != SW_R_OK)
			continue;
		at[n] = x->at;
		v[n++] = x->value;
	}
	if (!n && win != SW_W_COUNT) {
		ret->reading = SW_R_TOO_FEW;
		return;
	}
	ret->type = win == SW_W_COUNT || health ? SW_V_NUMBER : type;
	ret->reading = SW_R_OK;
	ret->num = n ? facts_window(win, v, at, n) : 0;
}

static enum sw_truth facts_files(const struct sw_commit *commits, size_t n, bool cut, const char *glob)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < commits[i].n_files; k++)
			if (sw_glob_match(glob, commits[i].files[k], false))
				return SW_TRUE;
	return cut ? SW_UNKNOWN : SW_FALSE;
}

static enum sw_truth facts_changed(void *arg, const char *glob)
{
	struct facts *f = arg;
	struct sw_alert al = { 0 };
	struct sw_jnode *list;
	const char *text;

	if (f->ev->kind == SW_EV_PUSH)
		return facts_files(f->ev->commits, f->ev->n_commits, f->ev->files_cut, glob);
	if (!f->dep || !f->dep->prev_sha || !f->dep->ev.sha || !f->ev->repo)
		return SW_UNKNOWN;
	if (!sw_step_snap(f->s, sw_engine_pushes_key(f->s->a, f->ev->repo, f->ev->branch ? f->ev->branch : f->ev->default_branch), &text))
		return SW_UNKNOWN;
	if (!text || sw_jtree_parse(f->s->a, text, strlen(text), 100000, &list, NULL) < 0)
		return SW_UNKNOWN;
	sw_engine_commits(list, f->dep->prev_sha, f->dep->ev.sha, f->s->a, &al);
	return facts_files(al.commits, al.n_commits, al.files_cut || !al.n_commits, glob);
}

static void facts_count(void *arg, const char *func, sw_dur window, struct sw_value *ret)
{
	struct facts *f = arg;
	double n = 0;

	if (sw_streq(func, "deploys")) {
		for (size_t i = 0; f->state && i < f->state->n_deps; i++) {
			const struct deployment *d = &f->state->deps[i];

			n += d->status == SW_ST_SUCCESS && d->finished > f->s->now - window;
		}
	} else if (sw_streq(func, "failing_services")) {
		for (const struct sw_jnode *x = f->s->in->fails ? f->s->in->fails->child : NULL; x; x = x->next)
			n += x->i > f->s->now - window;
	} else {
		facts_num(ret, SW_V_NUMBER, 0, false);
		return;
	}
	facts_num(ret, SW_V_NUMBER, n, true);
}

void sw_facts_fill(struct facts *f, struct sw_facts *ret)
{
	*ret = (struct sw_facts){
		.arg = f, .field = facts_field, .signal = facts_signal, .changed = facts_changed, .count = facts_count,
		.now = f->s->now, .tz_offset_s = f->s->e->tz_offset_s,
	};
}

bool sw_facts_where(struct facts *f, const struct sw_expr *e)
{
	struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
	struct sw_judged j;
	struct sw_facts facts;

	if (!e)
		return true;
	sw_facts_fill(f, &facts);
	sw_expr_eval(e, &facts, holds, f->s->a, &j);
	return j.truth == SW_TRUE;
}
