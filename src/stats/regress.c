/* regressed(): did it get worse after this deployment? What all kinds share, and values (latency and plain ones). */
#include "stats/regress.h"

#include <math.h>
#include <string.h>

#include "stats/order.h"
#include "stats/regress_inner.h"
#include "stats/sequential.h"

#define SCALE_SHARE 0.01   /* a signal that never moves is taken to move by a percent */
#define SCALE_NOTHING 1e-9
#define VALUE_MOST 1e100   /* sums and differences stay finite; a larger value is no measurement */
#define COUNT_MOST 1e12
#define TAU_LATENCY 0.1823 /* log 1.2: the changes tier B looks for */

const char *sw_regress_why_name(enum sw_regress_why w)
{
	switch (w) {
	case SW_REGRESS_EVIDENCE:
		return "evidence";
	case SW_REGRESS_EARLY:
		return "too few samples yet";
	case SW_REGRESS_BASELINE:
		return "too few points before the deployment";
	case SW_REGRESS_TRAFFIC:
		return "not enough traffic to tell";
	case SW_REGRESS_UNCALIBRATED:
		return "not enough history for a rank test";
	case SW_REGRESS_SMALL:
		return "smaller than asked for";
	case SW_REGRESS_UNSTEADY:
		return "not in each of the last samples";
	case SW_REGRESS_TRANSIENT:
		return "went away";
	case SW_REGRESS_CONTROL:
		return "as on other days";
	case SW_REGRESS_PRE_EXISTING:
		return "began before the deployment";
	}
	return "?";
}

double sw_regress_value(enum sw_regress_kind kind, bool down, double v, double all)
{
	if (!(fabs(v) <= VALUE_MOST))
		return NAN;
	switch (kind) {
	case SW_REGRESS_LATENCY:
		return !(v > 0) ? NAN : down ? -log(v) : log(v);
	case SW_REGRESS_PLAIN:
		return down ? -v : v;
	case SW_REGRESS_COUNTS:
		if (v < 0 || v > COUNT_MOST || !(all >= 0 && all <= COUNT_MOST))
			return NAN;
		return down ? fmax(0, all - v) : v;
	}
	return NAN;
}

double sw_regress_scale_least(enum sw_regress_kind kind, double median)
{
	if (kind == SW_REGRESS_LATENCY || kind == SW_REGRESS_COUNTS)
		return SCALE_SHARE;
	return isfinite(median) ? fmax(SCALE_SHARE * fabs(median), SCALE_NOTHING) : SCALE_NOTHING;
}

static double regress_fall(double factor, double level)
{
	return (1 - 1 / factor) * level;
}

double regress_least_rise(const struct regress_ask *q, double level)
{
	bool falls = q->in->down && q->in->kind != SW_REGRESS_COUNTS; /* of counts where down is bad, the bad ones rise */
	double rise = 0;

	switch (q->in->by.kind) {
	case SW_BY_SHARE:
		/* nothing falls by all of itself: there "100 % worse" is half */
		rise = falls && q->by >= 1 ? regress_fall(1 + q->by, level) : q->by * level;
		break;
	case SW_BY_FACTOR:
		rise = q->by <= 1 ? 0 : falls ? regress_fall(q->by, level) : (q->by - 1) * level;
		break;
	case SW_BY_POINTS:
		rise = q->by;
		break;
	}
	return fmax(rise, q->floor);
}

void sw_regress(const struct sw_regress *in, struct sw_arena *a, struct sw_regress_saw *ret)
{
	struct regress_ask q = { .in = in, .a = a };

	q.looks = SW_MIN(in->looks ? in->looks : REGRESS_LOOKS, (size_t)SW_LOOKS_MAX);
	q.looks = SW_MAX(q.looks, (size_t)SW_LOOK_FIRST);
	q.alpha = in->alpha > 0 && in->alpha < 0.5 ? in->alpha : SW_ALPHA;
	q.overlap = in->overlap > 1 && isfinite(in->overlap) ? in->overlap : 1;
	q.by = in->by.value > 0 && isfinite(in->by.value) ? in->by.value : 0;
	q.floor = in->floor > 0 && isfinite(in->floor) ? in->floor : 0;
	*ret = (struct sw_regress_saw){ .truth = SW_REGRESS_UNKNOWN, .tier = 'C', .before = NAN, .after = NAN, .effect = NAN,
		                        .effect_low = NAN, .effect_high = NAN, .rise = NAN, .p = NAN, .alpha = q.alpha, .detectable = NAN, .daily = NAN };
	if (in->kind == SW_REGRESS_COUNTS)
		regress_counts(&q, ret);
	else
		regress_values(&q, ret);
}

/* ---- values ---- */

struct values {
	const struct regress_ask *q;
	double x[SW_BASELINE_MAX], sorted[SW_BASELINE_MAX]; /* transformed, valid; in time order, and sorted */
	double gaps[SW_BASELINE_MAX];                       /* with the missing ones, for autocorrelation */
	double y[SW_LOOKS_MAX];
	size_t at[SW_LOOKS_MAX];  /* which of the samples it was, missing ones counted */
	size_t m, n, n_gaps;
	double centre;            /* trimmed mean of the baseline */
	double required;          /* least rise, transformed units */
	double peak;              /* largest rise of the last samples' mean at any look */
	const double *window;     /* the part of y the effect is of */
	size_t n_window;
	struct sw_detect detect;
	struct sw_calibration_limits limits;
	double scratch[SW_BASELINE_MAX];
};

static void values_take(struct values *v)
{
	const struct sw_regress *in = v->q->in;
	size_t from = in->m > SW_BASELINE_MAX ? in->m - SW_BASELINE_MAX : 0;

	for (size_t i = from; i < in->m; i++)
		v->gaps[v->n_gaps++] = sw_regress_value(in->kind, in->down, in->x[i], 0);
	v->m = sw_order_valid(v->gaps, v->n_gaps, v->x);
	memcpy(v->sorted, v->x, v->m * sizeof *v->x);
	sw_order_sort(v->sorted, v->m);
	for (size_t i = 0; i < in->n && v->n < SW_LOOKS_MAX; i++) {
		double t = sw_regress_value(in->kind, in->down, in->y[i], 0);

		if (!isfinite(t))
			continue;
		v->at[v->n] = i;
		v->y[v->n++] = t;
	}
}

/* A transformed value in the signal's unit. */
static double values_raw(const struct values *v, double t)
{
	const struct sw_regress *in = v->q->in;

	t = in->down ? -t : t;
	return in->kind == SW_REGRESS_LATENCY ? exp(t) : t;
}

/* The least rise at the baseline's level, in transformed units. */
static double values_required(const struct values *v)
{
	double level = fabs(values_raw(v, v->centre)), rise = regress_least_rise(v->q, level), share;

	if (v->q->in->kind != SW_REGRESS_LATENCY)
		return rise;
	share = rise / level;
	if (!v->q->in->down)
		return log1p(share);
	return share < 1 ? -log1p(-share) : INFINITY;
}

static void values_effect(struct values *v, struct sw_regress_saw *ret)
{
	double last[SW_LOOKS_MAX], base = values_raw(v, v->centre);
	struct sw_shift s;

	memcpy(last, v->window, v->n_window * sizeof *last);
	sw_order_sort(last, v->n_window);
	s = sw_rank_shift(v->sorted, v->m, last, v->n_window, REGRESS_INTERVAL);
	ret->before = base;
	ret->after = values_raw(v, sw_order_trimmed(last, v->n_window, SW_TRIM));
	if (v->q->in->kind == SW_REGRESS_LATENCY) {
		ret->effect = exp(v->q->in->down ? -s.shift : s.shift);
		ret->effect_low = exp(v->q->in->down ? -s.high : s.low);
		ret->effect_high = exp(v->q->in->down ? -s.low : s.high);
		ret->rise = base * (ret->effect - 1);
		return;
	}
	ret->rise = v->q->in->down ? -s.shift : s.shift;
	if (base > 0) {
		ret->effect = 1 + ret->rise / base;
		ret->effect_low = 1 + (v->q->in->down ? -s.high : s.low) / base;
		ret->effect_high = 1 + (v->q->in->down ? -s.low : s.high) / base;
	}
}

/* A rise in transformed units as a ratio after/before. */
static double values_ratio(const struct values *v, double rise)
{
	const struct sw_regress *in = v->q->in;
	double base = values_raw(v, v->centre);

	rise = in->down ? -rise : rise;
	if (in->kind == SW_REGRESS_LATENCY)
		return exp(rise);
	return base > 0 ? 1 + rise / base : NAN;
}

/* Tier A: the joint value of each look; significant once it was beyond theta, because theta is about the largest over the watch. */
static void values_calibrated(struct values *v, struct sw_regress_saw *ret)
{
	const struct sw_calibration *c = v->q->in->calibration;
	enum sw_detector which = SW_DETECT_RANK_ALL;
	double most = -INFINITY, seen[SW_DETECTORS];
	size_t looks = SW_MIN(v->n, (size_t)c->looks), recent = SW_MIN(v->n, (size_t)SW_RECENT);

	ret->tier = 'A';
	sw_calibration_limits(c, v->q->alpha, &v->limits);
	sw_detect_begin(&v->detect, v->sorted, v->m);
	for (size_t k = 1; k <= looks; k++) {
		sw_detect_add(&v->detect, v->y[k - 1], seen);
		sw_calibration_standardise(c, k, seen);
		if (k >= SW_LOOK_FIRST)
			most = fmax(most, sw_calibration_joint(&v->limits, seen, &which));
	}
	ret->p = sw_calibration_p(&v->limits, most);
	ret->significant = most > v->limits.theta;
	ret->detectable = values_ratio(v, (double)c->centre[looks - 1] + (double)c->scale[looks - 1] *
	                               (v->limits.theta * v->limits.q[SW_DETECT_MEAN_RECENT] + 0.84));
	/* the effect of the samples that the leading detector looks at */
	if (which != SW_DETECT_RANK_ALL || looks < v->n) {
		v->window = v->y + v->n - recent;
		v->n_window = recent;
	}
}

/* Tier B: the mixture ratio, which also stands when the watch is extended. */
static void values_sequential(struct values *v, struct sw_regress_saw *ret)
{
	struct sw_sequential s;
	struct sw_sequential_look l = { 0 };
	double tau = TAU_LATENCY, p = 1;

	ret->tier = 'B';
	sw_sequential_begin(&s, v->gaps, v->n_gaps, SW_LAGS, v->q->overlap, v->scratch);
	if (v->q->in->kind != SW_REGRESS_LATENCY)
		tau = isfinite(v->required) && v->required > 0 ? v->required : sqrt(s.var);
	for (size_t k = SW_LOOK_FIRST; k <= v->n; k++) {
		l = sw_sequential_look(&s, v->y, k);
		p = fmin(p, sw_msprt_p(&l, tau));
	}
	ret->p = p;
	ret->significant = p <= v->q->alpha;
	ret->detectable = values_ratio(v, sw_msprt_detectable(l.info, tau, v->q->alpha, SW_POWER));
}

static double values_peak(const struct values *v)
{
	double peak = -INFINITY;

	for (size_t k = SW_LOOK_FIRST; k <= v->n; k++) {
		size_t recent = SW_MIN(k, (size_t)SW_RECENT);

		peak = fmax(peak, sw_order_trimmed_of(v->y + k - recent, recent, SW_TRIM) - v->centre);
	}
	return peak;
}

static bool values_steady(const struct values *v)
{
	for (size_t i = v->n - REGRESS_STEADY; i < v->n; i++)
		if (!(v->y[i] - v->centre >= v->required))
			return false;
	return true;
}

/*
 * The rise that stays after the same minutes of other days, with the scale the window has. Of their y only the minutes that the
 * effect is of: what begins there later, or was over by then, says nothing about it.
 */
static double values_controlled(struct values *v, double rise, struct sw_regress_saw *ret)
{
	const struct sw_regress *in = v->q->in;
	size_t n = SW_MIN(in->n_days, (size_t)SW_GUARD_DAYS_MAX), from = v->at[v->window - v->y];
	size_t to = SW_MIN(v->at[v->n - 1] + 1, from + SW_BASELINE_MAX);
	struct sw_guard_day *days = SW_ARENA_ARRAY(v->q->a, struct sw_guard_day, n);
	double left;

	for (size_t d = 0; d < n; d++) {
		size_t m = SW_MIN(in->days[d].m, (size_t)SW_BASELINE_MAX), k = SW_MIN(in->days[d].n, to);
		double *x = SW_ARENA_ARRAY(v->q->a, double, m + 1), *y = SW_ARENA_ARRAY(v->q->a, double, SW_BASELINE_MAX);

		for (size_t i = 0; i < m; i++)
			x[i] = sw_regress_value(in->kind, in->down, in->days[d].x[i], 0);
		for (size_t i = from; i < k; i++)
			y[i - from] = sw_regress_value(in->kind, in->down, in->days[d].y[i], 0);
		days[d] = (struct sw_guard_day){ .x = x, .y = y, .m = m, .n = k > from ? k - from : 0 };
	}
	left = sw_guard_control(rise, days, n, v->scratch, &ret->days);
	if (ret->days)
		ret->daily = values_ratio(v, rise - left);
	return left;
}

/* The rise by Hodges-Lehmann, transformed: large is bad. */
static double values_rise(const struct values *v, const struct sw_regress_saw *ret)
{
	if (v->q->in->kind == SW_REGRESS_LATENCY)
		return v->q->in->down ? -log(ret->effect) : log(ret->effect);
	return v->q->in->down ? -ret->rise : ret->rise;
}

static void values_judge(struct values *v, struct sw_regress_saw *ret)
{
	double rise = values_rise(v, ret);

	if (!ret->significant)
		regress_end(ret, SW_REGRESS_FALSE, SW_REGRESS_EVIDENCE);
	else if (v->peak < v->required)
		regress_end(ret, SW_REGRESS_FALSE, SW_REGRESS_SMALL);
	else if (sw_guard_transient(v->y, v->n, v->centre, v->required))
		regress_end(ret, SW_REGRESS_FALSE, SW_REGRESS_TRANSIENT);
	else if (!(rise > 0 && rise >= v->required))
		regress_end(ret, SW_REGRESS_FALSE, SW_REGRESS_SMALL);
	else if (!values_steady(v))
		regress_end(ret, SW_REGRESS_FALSE, SW_REGRESS_UNSTEADY);
	else if (sw_guard_pre_existing(v->x, v->m, v->y, v->n, rise, ret->tier == 'A' ? (double)v->q->in->calibration->usual_before : 0))
		regress_end(ret, SW_REGRESS_UNKNOWN, SW_REGRESS_PRE_EXISTING);
	else if (v->q->in->n_days && !(values_controlled(v, rise, ret) >= v->required))
		regress_end(ret, SW_REGRESS_FALSE, SW_REGRESS_CONTROL);
	else
		regress_end(ret, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
}

void regress_values(const struct regress_ask *q, struct sw_regress_saw *ret)
{
	const struct sw_regress *in = q->in;
	struct values *v = SW_ARENA_NEW(q->a, struct values);
	bool calibrated = in->calibration && in->calibration->kind == SW_CALIBRATION_VALUES;

	v->q = q;
	values_take(v);
	ret->looks = v->n;
	if (v->m < SW_BASELINE_LEAST) {
		regress_end(ret, SW_REGRESS_UNKNOWN, SW_REGRESS_BASELINE);
		return;
	}
	v->centre = sw_order_trimmed(v->sorted, v->m, SW_TRIM);
	v->required = values_required(v);
	ret->before = values_raw(v, v->centre);
	ret->tier = calibrated && in->tier != SW_REGRESS_B ? 'A' : 'B';
	if (in->tier == SW_REGRESS_A && !calibrated) {
		regress_end(ret, SW_REGRESS_UNKNOWN, SW_REGRESS_UNCALIBRATED);
		return;
	}
	if (v->n < SW_LOOK_FIRST) {
		regress_end(ret, SW_REGRESS_UNKNOWN, SW_REGRESS_EARLY);
		return;
	}
	v->window = v->y;
	v->n_window = v->n;
	if (ret->tier == 'A')
		values_calibrated(v, ret);
	else
		values_sequential(v, ret);
	values_effect(v, ret);
	v->peak = values_peak(v);
	if (in->requests >= 0 && in->requests < in->requests_least)
		regress_end(ret, SW_REGRESS_UNKNOWN, SW_REGRESS_TRAFFIC);
	else
		values_judge(v, ret);
}
