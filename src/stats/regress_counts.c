/* regressed() of an error rate: counts, not ratios. */
#include <math.h>

#include "stats/counts.h"
#include "stats/cusum.h"
#include "stats/regress_inner.h"
#include "stats/sequential.h"

struct steps {
	double bad[SW_BASELINE_MAX], all[SW_BASELINE_MAX]; /* valid ones, in time order */
	size_t n;
};

struct counts {
	const struct regress_ask *q;
	struct steps before, after;
	struct sw_counts whole;   /* all steps before and after */
	struct sw_counts window;  /* all before; after: the part the effect is of */
	double rate;              /* before */
	double required;          /* least rise of the rate */
	struct sw_detect_counts detect;
	struct sw_calibration_limits limits;
};

static void steps_take(struct steps *s, const struct sw_regress *in, const double *v, const double *all, size_t from, size_t n, size_t most)
{
	for (size_t i = from; i < n && s->n < most; i++) {
		double bad = sw_regress_value(in->kind, in->down, v[i], all[i]);

		if (!isfinite(bad))
			continue;
		s->all[s->n] = all[i];
		s->bad[s->n++] = fmin(bad, all[i]);
	}
}

static void steps_sum(const struct steps *s, size_t from, size_t to, double *ret_bad, double *ret_all)
{
	*ret_bad = *ret_all = 0;
	for (size_t i = from; i < to; i++) {
		*ret_bad += s->bad[i];
		*ret_all += s->all[i];
	}
}

static double steps_rate(const struct steps *s, size_t from, size_t to)
{
	double bad, all;

	steps_sum(s, from, to, &bad, &all);
	return all > 0 ? bad / all : 0;
}

/*
 * Tier A: the likelihood ratio against pseudo-deployments. And the exact test besides, at alpha: where errors never happen, the
 * history says that one is extraordinary, and it is; but it is not yet a rate.
 */
static void counts_calibrated(struct counts *c, struct sw_regress_saw *ret)
{
	const struct sw_calibration *cal = c->q->in->calibration;
	enum sw_detector which = SW_DETECT_RANK_ALL;
	size_t looks = SW_MIN(c->after.n, (size_t)cal->looks);
	double most = -INFINITY, seen[SW_DETECTORS];

	sw_calibration_limits(cal, c->q->alpha, &c->limits);
	sw_detect_counts_begin(&c->detect, c->whole.bad_before, c->whole.all_before);
	for (size_t k = 1; k <= looks; k++) {
		sw_detect_counts_add(&c->detect, c->after.bad[k - 1], c->after.all[k - 1], seen);
		if (k >= SW_LOOK_FIRST)
			most = fmax(most, sw_calibration_joint(&c->limits, seen, &which));
	}
	if (which != SW_DETECT_RANK_ALL || looks < c->after.n)
		steps_sum(&c->after, c->after.n - SW_MIN(c->after.n, (size_t)SW_RECENT), c->after.n, &c->window.bad_after, &c->window.all_after);
	ret->p = fmax(sw_calibration_p(&c->limits, most), sw_counts_p(&c->window, 1, 1));
	ret->significant = most > c->limits.theta && sw_counts_p(&c->window, 1, 1) <= c->q->alpha;
}

/*
 * Tier B: the exact test at each look, alpha spent as Pocock does over the looks of the watch (calendar time, Lan & DeMets 1989:
 * how much traffic will come is not known before). p: the alpha at which this look would have been significant.
 */
static void counts_sequential(struct counts *c, struct sw_regress_saw *ret)
{
	double phi = sw_counts_phi(c->before.bad, c->before.all, c->before.n), spent = 0, p = 1;
	size_t last = SW_MIN(c->after.n, c->q->looks);

	for (size_t k = SW_LOOK_FIRST; k <= last; k++) {
		double to = sw_spend(SW_SPEND_POCOCK, c->q->alpha, (double)k / (double)c->q->looks), share = (to - spent) / c->q->alpha;
		struct sw_counts look = c->whole;

		steps_sum(&c->after, 0, k, &look.bad_after, &look.all_after);
		p = fmin(p, sw_counts_p(&look, 1, phi) / share);
		spent = to;
	}
	ret->p = fmin(p, 1);
	ret->significant = p <= c->q->alpha;
}

static void counts_effect(struct counts *c, struct sw_regress_saw *ret)
{
	double rate = c->window.all_after > 0 ? c->window.bad_after / c->window.all_after : 0;

	ret->before = c->rate;
	ret->after = rate;
	ret->rise = rate - c->rate;
	ret->effect = sw_counts_ratio(&c->window);
	sw_counts_interval(&c->window, REGRESS_INTERVAL, &ret->effect_low, &ret->effect_high);
}

/* The last 20 steps before had it already, or the change point lies there. */
static bool counts_pre_existing(const struct counts *c, double rise)
{
	double v[SW_GUARD_POINTS + SW_LOOKS_MAX], after;
	size_t n = 0, at, first = c->before.n - SW_MIN(c->before.n, (size_t)SW_GUARD_POINTS);

	if (c->before.n < 2 * SW_GUARD_POINTS)
		return false;
	after = c->window.bad_after / c->window.all_after;
	if (after - steps_rate(&c->before, first, c->before.n) < rise / 2)
		return true;
	/* square roots: a count's spread does not depend on its size then */
	for (size_t i = first; i < c->before.n; i++)
		v[n++] = sqrt((c->before.bad[i] + 0.375) / (c->before.all[i] + 0.75));
	for (size_t i = 0; i < c->after.n; i++)
		v[n++] = sqrt((c->after.bad[i] + 0.375) / (c->after.all[i] + 0.75));
	at = sw_change_point(v, n);
	return at + SW_GUARD_STEPS < SW_GUARD_POINTS &&
	       steps_rate(&c->before, first + at, c->before.n) - steps_rate(&c->before, 0, first) >= rise / 2;
}

/* The largest rise of the last steps' rate at any look. */
static double counts_peak(const struct counts *c)
{
	double peak = -INFINITY;

	for (size_t k = SW_LOOK_FIRST; k <= c->after.n; k++)
		peak = fmax(peak, steps_rate(&c->after, k - SW_MIN(k, (size_t)SW_RECENT), k) - c->rate);
	return peak;
}

static void counts_judge(struct counts *c, struct sw_regress_saw *ret)
{
	double again = steps_rate(&c->after, c->after.n - SW_GUARD_AGAIN, c->after.n) - c->rate;

	if (!ret->significant)
		regress_end(ret, SW_REGRESS_FALSE, SW_REGRESS_EVIDENCE);
	else if (!(counts_peak(c) >= c->required))
		regress_end(ret, SW_REGRESS_FALSE, SW_REGRESS_SMALL);
	else if (!(again >= c->required / 2 && again > 0))
		regress_end(ret, SW_REGRESS_FALSE, SW_REGRESS_TRANSIENT);
	else if (!(ret->rise >= c->required))
		regress_end(ret, SW_REGRESS_FALSE, SW_REGRESS_SMALL);
	else if (counts_pre_existing(c, ret->rise))
		regress_end(ret, SW_REGRESS_UNKNOWN, SW_REGRESS_PRE_EXISTING);
	else
		regress_end(ret, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
}

/* What the whole window could show, at the traffic so far; and whether that is enough for what the rule asks. */
static bool counts_can_tell(const struct counts *c, struct sw_regress_saw *ret)
{
	double all = c->whole.all_after * fmax(1, (double)c->q->looks / (double)c->after.n), rate;

	rate = sw_counts_detectable(c->whole.bad_before, c->whole.all_before, all, c->q->alpha);
	ret->detectable = c->rate > 0 ? rate / c->rate : INFINITY;
	return rate <= c->rate + c->required || all * c->rate >= SW_ERRORS_TO_TELL;
}

void regress_counts(const struct regress_ask *q, struct sw_regress_saw *ret)
{
	const struct sw_regress *in = q->in;
	struct counts *c = SW_ARENA_NEW(q->a, struct counts);
	bool calibrated = in->calibration && in->calibration->kind == SW_CALIBRATION_COUNTS, enough;

	c->q = q;
	steps_take(&c->before, in, in->x, in->x_all, in->m > SW_BASELINE_MAX ? in->m - SW_BASELINE_MAX : 0, in->m, SW_BASELINE_MAX);
	steps_take(&c->after, in, in->y, in->y_all, 0, in->n, SW_LOOKS_MAX);
	steps_sum(&c->before, 0, c->before.n, &c->whole.bad_before, &c->whole.all_before);
	steps_sum(&c->after, 0, c->after.n, &c->whole.bad_after, &c->whole.all_after);
	ret->looks = c->after.n;
	if (c->before.n < SW_BASELINE_LEAST || !(c->whole.all_before > 0)) {
		regress_end(ret, SW_REGRESS_UNKNOWN, SW_REGRESS_BASELINE);
		return;
	}
	c->window = c->whole;
	c->rate = ret->before = c->whole.bad_before / c->whole.all_before;
	c->required = regress_least_rise(q, c->rate);
	ret->tier = calibrated && in->tier != SW_REGRESS_B ? 'A' : 'B';
	if (in->tier == SW_REGRESS_A && !calibrated) {
		regress_end(ret, SW_REGRESS_UNKNOWN, SW_REGRESS_UNCALIBRATED);
		return;
	}
	if (c->after.n < SW_LOOK_FIRST || !(c->whole.all_after > 0)) {
		regress_end(ret, SW_REGRESS_UNKNOWN, c->after.n < SW_LOOK_FIRST ? SW_REGRESS_EARLY : SW_REGRESS_TRAFFIC);
		return;
	}
	if (ret->tier == 'A')
		counts_calibrated(c, ret);
	else
		counts_sequential(c, ret);
	counts_effect(c, ret);
	enough = counts_can_tell(c, ret) && !(c->whole.all_after < in->requests_least) && !(in->requests >= 0 && in->requests < in->requests_least);
	counts_judge(c, ret);
	/* few requests: what is seen is not a rate yet; enough of them, and worse: true whatever a smaller change would have needed */
	if (!enough && (ret->truth == SW_REGRESS_FALSE || c->whole.all_after < in->requests_least))
		regress_end(ret, SW_REGRESS_UNKNOWN, SW_REGRESS_TRAFFIC);
}
