/*
 * Signals for expressions: the newest reading, windows since the deployment, what was before it, and regressed().
 *
 * Nothing reaches before the deployment but through the baseline. What is not there yet because it is too early (`delay`, fewer
 * looks than a test needs) is told apart from what is missing: early looks do not count against a watch.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/baseline.h"
#include "engine/place.h"
#include "engine/runs.h"
#include "stats/regress.h"

#define STALE_LEAST  (30 * SW_SECOND)
#define BEFORE_LEAST 3              /* readings of a signal without a past of its own (health, reports) */
#define FLAPS_LEAST  4

static const struct sw_signal_def *measure_def(const struct facts *f, const char *signal)
{
	return sw_rules_signal(f->rules, signal);
}

/*
 * A failing health answer counts as absent until the first good answer of the new version or the grace time, whichever is
 * first; latencies are left out for the rule's delay (rules.md 3.1).
 */
static enum sw_reading measure_reading(struct facts *f, const struct sw_signal_def *def, const struct sw_sample *x)
{
	const struct watch *w = f->watch;

	if (!w || x->reading != SW_R_OK)
		return x->reading;
	if (sw_streq(def->name, "health") && x->value < 0.5 && x->at < w->grace_until && (!w->good_at || x->at < w->good_at))
		return SW_R_ABSENT;
	if (def->latency && x->at < w->from + f->delay) {
		f->early = true;
		return SW_R_ABSENT;
	}
	return SW_R_OK;
}

/* ---- windows ---- */

static int measure_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double measure_quantile(double *v, size_t n, double q)
{
	double at = q * (double)(n - 1);
	size_t i = (size_t)at;

	qsort(v, n, sizeof *v, measure_by_value);
	return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[i];
}

static double measure_stddev(const double *v, size_t n)
{
	double mean = 0, sum = 0;

	for (size_t i = 0; i < n; i++)
		mean += v[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		sum += (v[i] - mean) * (v[i] - mean);
	return n > 1 ? sqrt(sum / (double)(n - 1)) : 0;
}

static double measure_window(enum sw_window w, double *v, const sw_ms *at, size_t n)
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
	case SW_W_P50: return measure_quantile(v, n, 0.5);
	case SW_W_P95: return measure_quantile(v, n, 0.95);
	case SW_W_STDDEV: return measure_stddev(v, n);
	case SW_W_COUNT: return (double)n;
	case SW_W_RATE: return at[n - 1] > at[0] ? (v[n - 1] - v[0]) * 1000 / (double)(at[n - 1] - at[0]) : 0;
	case SW_W_SUM: return round(sum * 1e6) / 1e6; /* counts are scaled to a step: six sixths are one */
	case SW_W_LAST: return v[n - 1];
	}
	return 0;
}

/* The version that answers is a text, the newest one that did. */
static void measure_part(const struct facts *f, const struct series *sr, struct sw_value *ret, sw_ms *ret_at)
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

/* What comes by itself (reports, alarms) does not grow stale. */
static bool measure_stale(const struct facts *f, const struct sw_signal_def *def, const struct sw_sample *x)
{
	sw_dur every = f->watch ? f->watch->every : 0;

	if (def->report || def->alarm)
		return false;
	if (sw_streq(def->name, "health") && f->place)
		every = SW_MAX(every, f->watch ? f->place->health.every : f->place->health.background);
	return f->s->now - x->at > SW_MAX(3 * every, STALE_LEAST);
}

static struct sw_value element_number(const struct sw_jnode *x, enum sw_vtype type)
{
	if (!x || x->type != SW_J_NUMBER)
		return (struct sw_value){ .type = type, .reading = SW_R_ABSENT };
	return (struct sw_value){ .type = type, .num = x->d };
}

/* [["GET /a",p95,requests,errors],…] (sample.h) as a list of records. */
static void elements_read(const char *text, struct sw_arena *a, struct sw_value *ret)
{
	struct sw_jnode *list;
	struct sw_value *items;

	ret->reading = SW_R_ERROR;
	if (!text || sw_jtree_parse(a, text, strlen(text), 1000, &list, NULL) < 0 || list->type != SW_J_ARRAY)
		return;
	items = SW_ARENA_ARRAY(a, struct sw_value, SW_ELEMENTS_MAX);
	*ret = (struct sw_value){ .type = SW_V_LIST, .items = items };
	for (const struct sw_jnode *x = list->child; x && ret->n < SW_ELEMENTS_MAX; x = x->next) {
		const struct sw_jnode *p95 = x->child ? x->child->next : NULL, *requests = p95 ? p95->next : NULL;
		struct sw_value *f = SW_ARENA_ARRAY(a, struct sw_value, SW_EL_COUNT);

		if (!x->child || x->child->type != SW_J_STRING)
			continue;
		f[SW_EL_NAME] = (struct sw_value){ .type = SW_V_STRING, .str = x->child->text };
		f[SW_EL_P95] = element_number(p95, SW_V_DURATION);
		f[SW_EL_REQUESTS] = element_number(requests, SW_V_NUMBER);
		f[SW_EL_ERRORS] = element_number(requests ? requests->next : NULL, SW_V_NUMBER);
		items[ret->n++] = (struct sw_value){ .type = SW_V_RECORD, .items = f, .n = SW_EL_COUNT };
	}
}

static void measure_last(struct facts *f, const struct sw_signal_def *def, const struct sw_sample *x, struct sw_value *ret)
{
	ret->reading = measure_reading(f, def, x);
	if (ret->reading == SW_R_OK && measure_stale(f, def, x))
		ret->reading = SW_R_STALE;
	ret->num = x->value;
	ret->b = x->value > 0.5;
	if (def->type == SW_V_LIST && ret->reading == SW_R_OK)
		elements_read(x->text, f->s->a, ret);
}

static void measure_signal(void *arg, const char *signal, const char *part, enum sw_window win, sw_dur window, struct sw_value *ret,
                           sw_ms *ret_at)
{
	struct facts *f = arg;
	const struct sw_signal_def *def = measure_def(f, signal);
	const struct series *sr = f->state ? sw_readings_find(f->state, signal) : NULL;
	double v[PLACE_SAMPLES];
	sw_ms at[PLACE_SAMPLES], from = f->watch ? f->watch->opened : 0;
	size_t n = 0;

	*ret = (struct sw_value){ .type = def ? def->type : SW_V_NUMBER, .reading = SW_R_ABSENT };
	*ret_at = 0;
	if (!def || !sr || !sr->n || sr->s[sr->n - 1].at < from)
		return; /* a window never reaches before the deployment */
	if (part) {
		measure_part(f, sr, ret, ret_at);
		return;
	}
	*ret_at = sr->s[sr->n - 1].at;
	if (win == SW_W_LAST && window == 0) {
		measure_last(f, def, &sr->s[sr->n - 1], ret);
		return;
	}
	for (size_t i = 0; i < sr->n; i++) {
		const struct sw_sample *x = &sr->s[i];

		if (x->at < from || x->at <= f->s->now - window || measure_reading(f, def, x) != SW_R_OK)
			continue;
		at[n] = x->at;
		v[n++] = x->value;
	}
	if (!n && win != SW_W_COUNT) {
		ret->reading = SW_R_TOO_FEW;
		return;
	}
	ret->type = win == SW_W_COUNT || def->type == SW_V_BOOL ? SW_V_NUMBER : def->type;
	ret->reading = SW_R_OK;
	ret->num = n ? measure_window(win, v, at, n) : 0;
	if (f->watch && (win == SW_W_SUM || win == SW_W_COUNT) && f->s->now - from < window)
		ret->least = f->early = true; /* the window is not full yet */
}

/* ---- before ---- */

/* The median over all times of the baseline at which the window is inside it. NaN: too few. */
static double before_points(struct sw_arena *a, const double *value, const sw_ms *at, size_t n, enum sw_window win, sw_dur window, size_t least)
{
	double *v = SW_ARENA_ARRAY(a, double, n + 1), *all = SW_ARENA_ARRAY(a, double, n + 1), ret = NAN;
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		size_t from = i + 1, k = 0;

		if (!isfinite(value[i]) || at[i] - at[0] < window)
			continue;
		while (from > 0 && at[from - 1] > at[i] - window)
			from--;
		for (size_t j = window ? from : i; j <= i; j++)
			if (isfinite(value[j]))
				v[k++] = value[j];
		all[m++] = measure_window(win, v, at + (window ? from : i), k);
	}
	if (m && m >= (window ? 1 : least))
		ret = measure_quantile(all, m, 0.5);
	return ret;
}

/*
 * Reports and alarms: what was heard; else, and for health, what the series of the place has from before. Health is what it was
 * last: failing when its last readings all failed since what ran here before was deployed; how it was while an earlier release was ill says nothing.
 */
static double before_series(const struct facts *f, const struct sw_signal_def *def, enum sw_window win, sw_dur window)
{
	const struct series *sr = sw_readings_find(f->state, def->name);
	const struct deployment *d = f->dep;
	sw_ms until = d->started ? d->started : f->watch->opened, since = 0, at[PLACE_SAMPLES];
	double v[PLACE_SAMPLES], last = 0;
	size_t n = 0;

	if (sw_heard_before(f->state, d, def, until, v))
		return v[0];
	for (size_t i = 0; def->type == SW_V_BOOL && i < f->state->n_deps && &f->state->deps[i] != d; i++)
		if (f->state->deps[i].counted)
			since = f->state->deps[i].finished;
	for (size_t i = 0; sr && i < sr->n && sr->s[i].at < until; i++) {
		if (sr->s[i].reading != SW_R_OK || sr->s[i].at < since)
			continue;
		at[n] = sr->s[i].at;
		v[n++] = sr->s[i].value;
	}
	if (n < BEFORE_LEAST || def->type != SW_V_BOOL || win != SW_W_LAST)
		return n ? before_points(f->s->a, v, at, n, win, window, BEFORE_LEAST) : NAN;
	for (size_t i = n - BEFORE_LEAST; i < n; i++)
		last = SW_MAX(last, v[i]);
	return last;
}

static double before_baseline(struct facts *f, const struct sw_signal_def *def, enum sw_window win, sw_dur window, struct sw_value *ret)
{
	const char *why;
	const struct baseline *b = sw_probe_baseline(f->s, f->state, f->dep->id, def->name, f->watch->every, &why);
	double r;
	sw_ms *at;

	if (!b)
		return NAN;
	if (def->type == SW_V_LIST) {
		if (b->elements) {
			ret->reading = SW_R_OK;
			elements_read(b->elements, f->s->a, ret);
		}
		return NAN;
	}
	at = SW_ARENA_ARRAY(f->s->a, sw_ms, b->n + 1);
	for (size_t i = 0; i < b->n; i++)
		at[i] = b->from + (sw_ms)i * b->step;
	ret->reading = SW_R_TOO_FEW;
	r = b->valid < BASELINE_VALID ? NAN : before_points(f->s->a, b->value, at, b->n, win, window, BASELINE_VALID);
	return r;
}

static void measure_before(void *arg, const char *signal, enum sw_window win, sw_dur window, struct sw_value *ret)
{
	struct facts *f = arg;
	const struct sw_signal_def *def = measure_def(f, signal);
	double v;

	*ret = (struct sw_value){ .type = def ? def->type : SW_V_NUMBER, .reading = SW_R_ABSENT };
	if (!def || !f->watch || !f->dep || !f->state)
		return;
	if (sw_probe_has_past(f->state, f->dep->id, signal, f->watch->every))
		v = before_baseline(f, def, win, window, ret);
	else
		v = before_series(f, def, win, window);
	if (!isfinite(v))
		return;
	ret->type = win == SW_W_COUNT || (def->type == SW_V_BOOL && win != SW_W_LAST) ? SW_V_NUMBER : def->type;
	ret->reading = SW_R_OK;
	ret->num = v;
	ret->b = v > 0.5;
}

/* ---- regressed() ---- */

/* The readings since the deployment, one per step of the watch: the last of each; NaN: missing. Return: how many steps. */
static size_t after_points(struct facts *f, const struct sw_signal_def *def, double *v, double *count, size_t most)
{
	const struct series *sr = sw_readings_find(f->state, def->name);
	sw_ms from = f->watch->from + (def->latency ? f->delay : 0);
	size_t n = 0;

	for (size_t i = 0; i < most; i++)
		v[i] = count[i] = NAN;
	for (size_t i = 0; sr && i < sr->n; i++) {
		const struct sw_sample *x = &sr->s[i];
		size_t k = x->at < from ? most : (size_t)((x->at - from) / f->watch->every);

		if (k >= most)
			continue;
		n = SW_MAX(n, k + 1);
		v[k] = measure_reading(f, def, x) == SW_R_OK ? x->value : NAN;
		count[k] = x->reading == SW_R_OK ? x->count : NAN;
	}
	return n;
}

/* Is the newest reading one, and not an old one? What is too early counts as current. */
static bool after_current(const struct facts *f, const struct sw_signal_def *def)
{
	const struct series *sr = sw_readings_find(f->state, def->name);
	const struct sw_sample *x = sr && sr->n ? &sr->s[sr->n - 1] : NULL;

	return x && x->reading == SW_R_OK && !measure_stale(f, def, x);
}

static const struct sw_calibration *after_calibration(struct facts *f, const struct baseline *b, size_t looks)
{
	struct sw_calibration *c = SW_ARENA_NEW(f->s->a, struct sw_calibration);

	for (size_t i = 0; i < b->n_cals; i++)
		if (b->cals[i].looks == looks && sw_calibration_read(b->cals[i].bytes, b->cals[i].n, c) == 0)
			return c;
	return NULL;
}

/* Earlier days, their y on the grid of ours: reading k is of from + k * step or a little later. */
static size_t after_days(const struct facts *f, const struct sw_signal_def *def, const struct baseline *b, struct sw_guard_day *ret)
{
	sw_ms from = f->watch->from + (def->latency ? f->delay : 0);
	size_t skip = from > b->day_after ? (size_t)((from - b->day_after + b->step - 1) / b->step) : 0;

	for (size_t i = 0; i < b->n_days; i++) {
		const struct baseline_day *d = &b->days[i];
		size_t past = SW_MIN(skip, d->n);

		ret[i] = (struct sw_guard_day){ .x = d->x, .y = d->y + past, .m = d->m, .n = d->n - past };
	}
	return b->n_days;
}

static void counts_of(const double *share, const double *all, size_t n, double *bad)
{
	for (size_t i = 0; i < n; i++)
		bad[i] = share[i] * all[i];
}

static struct sw_by after_by(const struct sw_signal_def *def, const struct sw_regressed_ask *ask)
{
	if (ask->by_points)
		return (struct sw_by){ SW_BY_POINTS, ask->by };
	if (ask->by > 0)
		return (struct sw_by){ SW_BY_SHARE, ask->by };
	return def->latency ? (struct sw_by){ SW_BY_SHARE, SW_BY_LATENCY } : (struct sw_by){ SW_BY_FACTOR, SW_BY_ERRORS };
}

static const char *after_words(struct facts *f, const struct sw_regress_saw *saw)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	if (saw->why != SW_REGRESS_EVIDENCE)
		sw_buf_printf(&b, "%s; ", sw_regress_why_name(saw->why));
	if (isfinite(saw->effect))
		sw_buf_printf(&b, "%.3gx (%.3g to %.3g), ", saw->effect, saw->effect_low, saw->effect_high);
	if (isfinite(saw->p))
		sw_buf_printf(&b, "p %.2g of %.2g, ", saw->p, saw->alpha);
	if (saw->why == SW_REGRESS_CONTROL && isfinite(saw->daily))
		sw_buf_printf(&b, "on %zu earlier days at this time: %+.3g %%, ", saw->days, (saw->daily - 1) * 100);
	if (saw->why == SW_REGRESS_TRAFFIC && isfinite(saw->detectable))
		sw_buf_printf(&b, "%.3gx would be seen, ", saw->detectable);
	sw_buf_printf(&b, "%zu looks, tier %c", saw->looks, saw->tier);
	ret = sw_arena_strdup(f->s->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

static enum sw_truth after_truth(struct facts *f, const struct sw_regress_saw *saw)
{
	if (saw->why == SW_REGRESS_EARLY)
		f->early = true;
	else if (saw->why == SW_REGRESS_PRE_EXISTING)
		f->veto = "pre-existing";
	else if (saw->why == SW_REGRESS_TRANSIENT)
		f->veto = "transient";
	return saw->truth == SW_REGRESS_TRUE ? SW_TRUE : saw->truth == SW_REGRESS_FALSE ? SW_FALSE : SW_UNKNOWN;
}

static void after_saw(const struct sw_signal_def *def, const struct sw_regress_saw *saw, struct sw_regressed_saw *ret)
{
	ret->now = (struct sw_value){ .type = def->type, .num = saw->after, .reading = isfinite(saw->after) ? SW_R_OK : SW_R_TOO_FEW };
	ret->before = (struct sw_value){ .type = def->type, .num = saw->before, .reading = isfinite(saw->before) ? SW_R_OK : SW_R_TOO_FEW };
	ret->effect = saw->effect;
	ret->p = saw->p;
}

static enum sw_truth measure_regressed(void *arg, const struct sw_regressed_ask *ask, struct sw_regressed_saw *ret)
{
	static const enum sw_regress_tier tiers[] = { SW_REGRESS_AUTO, SW_REGRESS_A, SW_REGRESS_B };
	struct facts *f = arg;
	const struct sw_signal_def *def = measure_def(f, ask->signal);
	double y[PLACE_SAMPLES], y_all[PLACE_SAMPLES], y_bad[PLACE_SAMPLES], *x_bad;
	const struct baseline *b;
	struct sw_guard_day days[SW_PAST_DAYS];
	struct sw_regress_saw saw;
	struct sw_regress in;
	size_t m;

	*ret = (struct sw_regressed_saw){ .effect = NAN, .p = NAN };
	ret->now.reading = ret->before.reading = SW_R_ABSENT;
	if (!def || !f->watch || !f->dep || !f->state || !f->rule)
		return SW_UNKNOWN;
	if (sw_readings_find(f->state, ask->signal) && sw_readings_find(f->state, ask->signal)->n)
		ret->at = sw_readings_find(f->state, ask->signal)->s[sw_readings_find(f->state, ask->signal)->n - 1].at;
	b = sw_probe_baseline(f->s, f->state, f->dep->id, def->name, f->watch->every, &ret->why);
	if (!b)
		return SW_UNKNOWN;
	if (!after_current(f, def)) {
		ret->why = "there is no current reading";
		return SW_UNKNOWN;
	}
	in = (struct sw_regress){
		.kind = sw_baseline_kind(def->latency, b->count != NULL), .tier = tiers[ask->test],
		.down = def->query.bad_down, .y = y, .by = after_by(def, ask),
		.floor = ask->by > 0 || b->count == NULL ? def->floor : SW_MAX(def->floor, SW_FLOOR_ERRORS), .alpha = ask->alpha > 0 ? ask->alpha : f->rule->alpha,
		.overlap = f->place && f->place->prometheus.window ? (double)f->place->prometheus.window / (double)f->watch->every : 1,
		.looks = (size_t)SW_MIN(f->rule->watch_for / f->watch->every, (sw_dur)SW_LOOKS_MAX), .requests = f->requests,
		.requests_least = (double)f->rule->min_requests };
	m = ask->baseline ? (size_t)SW_MIN((sw_dur)b->n, ask->baseline / b->step) : b->n;
	in.x = b->value + (b->n - m);
	in.m = m;
	in.n = after_points(f, def, y, y_all, PLACE_SAMPLES);
	if (in.kind == SW_REGRESS_COUNTS) {
		x_bad = SW_ARENA_ARRAY(f->s->a, double, m + 1);
		counts_of(in.x, b->count + (b->n - m), m, x_bad);
		counts_of(y, y_all, in.n, y_bad);
		in.x = x_bad;
		in.x_all = b->count + (b->n - m);
		in.y = y_bad;
		in.y_all = y_all;
	} else {
		in.days = days;
		in.n_days = after_days(f, def, b, days);
	}
	in.calibration = after_calibration(f, b, in.looks);
	sw_regress(&in, f->s->a, &saw);
	after_saw(def, &saw, ret);
	ret->why = after_words(f, &saw);
	return after_truth(f, &saw);
}

/* ---- about signals and sources ---- */

/* The share of readings that differ from the one before. */
static void about_flaps(const struct facts *f, const char *signal, struct sw_value *ret, sw_ms *ret_at)
{
	const struct series *sr = f->state ? sw_readings_find(f->state, signal) : NULL;
	size_t n = 0, changes = 0;
	bool last = false;

	*ret = (struct sw_value){ .type = SW_V_RATIO, .reading = SW_R_TOO_FEW };
	for (size_t i = 0; sr && i < sr->n; i++) {
		const struct sw_sample *x = &sr->s[i];

		if (x->reading != SW_R_OK || (f->watch && x->at < f->watch->opened))
			continue;
		changes += n && (x->value > 0.5) != last;
		last = x->value > 0.5;
		n++;
		*ret_at = x->at;
	}
	if (n < FLAPS_LEAST)
		return;
	ret->reading = SW_R_OK;
	ret->num = (double)changes / (double)(n - 1);
}

static void about_source(const struct facts *f, const char *name, struct sw_value *ret, sw_ms *ret_at)
{
	*ret = (struct sw_value){ .type = SW_V_BOOL, .b = true, .reading = SW_R_ABSENT };
	for (size_t i = 0; f->state && i < f->state->n_sources; i++) {
		const struct source_state *x = &f->state->sources[i];

		if (!sw_streq(x->name, name) || !x->heard || (f->watch && x->heard < f->watch->opened))
			continue;
		ret->reading = x->reading;
		*ret_at = x->heard;
		if (f->watch && f->s->now - x->heard > SW_MAX(3 * f->watch->every, STALE_LEAST))
			ret->reading = SW_R_STALE;
	}
}

static void measure_about(void *arg, enum sw_about what, const char *name, struct sw_value *ret, sw_ms *ret_at)
{
	struct facts *f = arg;

	*ret_at = 0;
	switch (what) {
	case SW_ABOUT_FLAPS: about_flaps(f, name, ret, ret_at); break;
	case SW_ABOUT_SOURCE: about_source(f, name, ret, ret_at); break;
	case SW_ABOUT_FLAKY: *ret = (struct sw_value){ .type = SW_V_BOOL, .b = sw_runs_flaky(f, name) }; break;
	}
}

void sw_measure_fill(struct facts *f, struct sw_facts *ret)
{
	(void)f;
	ret->signal = measure_signal;
	ret->signal_before = measure_before;
	ret->regressed = measure_regressed;
	ret->about = measure_about;
}
