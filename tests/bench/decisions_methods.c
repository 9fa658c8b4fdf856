/* Those who judge: ours in its tiers, and what others do, each polled at every sample. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "decisions.h"
#include "stats/normal.h"
#include "stats/order.h"
#include "stats/regress.h"

#define KAYENTA_CONFIDENCE 0.98
#define KAYENTA_TOLERANCE 0.25
#define FIXED_CHECKS 3
#define LOOK_LEAST 4 /* all wait for as many samples as ours */

/* ---- ours ---- */

static enum sw_regress_kind kind_of(const struct deployment *d)
{
	return d->history_all ? SW_REGRESS_COUNTS : d->plain ? SW_REGRESS_PLAIN : SW_REGRESS_LATENCY;
}

void deployment_calibrate(struct deployment *d, struct sw_calibration *cal, struct sw_arena *a)
{
	enum sw_regress_kind kind = kind_of(d);
	double *t = SW_ARENA_ARRAY(a, double, d->n_history);
	struct sw_history h = { .x = t, .all = d->history_all, .excluded = d->excluded, .n = d->n_history };
	struct sw_calibrate_ask ask = { .m = BASELINE, .looks = LOOKS, .scale_least = sw_regress_scale_least(kind, d->fixed) };

	for (size_t i = 0; i < d->n_history; i++)
		t[i] = sw_regress_value(kind, false, d->history[i], d->history_all ? d->history_all[i] : 0);
	d->calibration = cal;
	d->calibrated = sw_calibrate(&h, &ask, a, cal) == 0;
}

static struct sw_regress_saw ours(const struct deployment *d, size_t k, enum sw_regress_tier tier, struct sw_arena *a)
{
	size_t from = d->n_history - BASELINE;
	struct sw_regress in = {
		.kind = kind_of(d), .tier = tier, .x = d->history + from, .m = BASELINE,
		.y = d->y, .n = k, .x_all = d->history_all ? d->history_all + from : NULL, .y_all = d->y_all, .looks = LOOKS,
		.by = { SW_BY_SHARE, SW_BY_LATENCY }, .floor = d->floor, .alpha = SW_ALPHA, .overlap = d->overlap,
		.calibration = d->calibrated ? d->calibration : NULL, .requests = -1,
	};
	struct sw_regress_saw saw;

	if (d->history_all) {
		in.by = (struct sw_by){ SW_BY_FACTOR, SW_BY_ERRORS };
		in.floor = SW_FLOOR_ERRORS;
	}
	sw_regress(&in, a, &saw);
	return saw;
}

#define TIER_A_ASKED 1
#define TIER_A_TRUE 2
#define TIER_A_SIGNIFICANT 4

static unsigned tier_a(struct deployment *d, size_t k, struct sw_arena *a)
{
	if (!d->tier_a[k]) {
		struct sw_regress_saw saw = ours(d, k, SW_REGRESS_A, a);

		d->tier_a[k] = (unsigned char)(TIER_A_ASKED | (saw.truth == SW_REGRESS_TRUE ? TIER_A_TRUE : 0) | (saw.significant ? TIER_A_SIGNIFICANT : 0));
	}
	return d->tier_a[k];
}

static bool alarm_a(struct deployment *d, size_t k, struct sw_arena *a)
{
	return tier_a(d, k, a) & TIER_A_TRUE;
}

static bool alarm_a_alone(struct deployment *d, size_t k, struct sw_arena *a)
{
	return tier_a(d, k, a) & TIER_A_SIGNIFICANT;
}

static bool alarm_b(struct deployment *d, size_t k, struct sw_arena *a)
{
	return ours(d, k, SW_REGRESS_B, a).truth == SW_REGRESS_TRUE;
}

/* ---- others ---- */

/* Ratios, where the deployment has counts. */
static double value_before(const struct deployment *d, size_t i)
{
	return d->history_all ? (d->history_all[i] > 0 ? d->history[i] / d->history_all[i] : NAN) : d->history[i];
}

static double value_after(const struct deployment *d, size_t i)
{
	return d->history_all ? (d->y_all[i] > 0 ? d->y[i] / d->y_all[i] : NAN) : d->y[i];
}

struct sides {
	double x[BASELINE], y[LOOKS];
	size_t m, n;
};

static void sides_take(struct sides *s, const struct deployment *d, size_t k)
{
	s->m = s->n = 0;
	for (size_t i = d->n_history - BASELINE; i < d->n_history; i++)
		if (isfinite(value_before(d, i)))
			s->x[s->m++] = value_before(d, i);
	for (size_t i = 0; i < k; i++)
		if (isfinite(value_after(d, i)))
			s->y[s->n++] = value_after(d, i);
}

static bool alarm_rank(struct deployment *d, size_t k, struct sw_arena *a)
{
	struct sides s;
	struct sw_rank r;

	(void)a;
	sides_take(&s, d, k);
	if (s.n < LOOK_LEAST)
		return false;
	sw_order_sort(s.x, s.m);
	sw_rank_begin(&r, s.x, s.m);
	for (size_t i = 0; i < s.n; i++)
		sw_rank_add(&r, s.y[i]);
	return sw_rank_z(&r) > sw_normal_upper(0.05);
}

/*
 * What the classifier of Spinnaker Kayenta's NetflixACAJudge does for a metric whose increase is bad: the two-sided 98 % interval
 * of the Hodges-Lehmann shift (experiment - control); "High" when its lower end is above 0.25 x |shift|. It is made to be asked
 * once, with control and experiment side by side; here, as people do, with the time before as control, at every sample.
 */
static bool alarm_kayenta(struct deployment *d, size_t k, struct sw_arena *a)
{
	struct sides s;
	struct sw_shift shift;

	(void)a;
	sides_take(&s, d, k);
	if (s.n < LOOK_LEAST || s.m == 0)
		return false;
	sw_order_sort(s.x, s.m);
	sw_order_sort(s.y, s.n);
	shift = sw_rank_shift(s.x, s.m, s.y, s.n, 1 - KAYENTA_CONFIDENCE);
	return shift.low > KAYENTA_TOLERANCE * fabs(shift.shift);
}

static bool alarm_fixed(struct deployment *d, size_t k, struct sw_arena *a)
{
	struct sides s;

	(void)a;
	sides_take(&s, d, k);
	if (s.n < LOOK_LEAST)
		return false;
	for (size_t i = s.n - FIXED_CHECKS; i < s.n; i++)
		if (!(s.y[i] > d->fixed))
			return false;
	return true;
}

static bool alarm_sigma(struct deployment *d, size_t k, struct sw_arena *a)
{
	double mean = 0, var = 0;
	struct sides s;

	(void)a;
	sides_take(&s, d, k);
	if (s.n < LOOK_LEAST || s.m < 2)
		return false;
	for (size_t i = 0; i < s.m; i++)
		mean += s.x[i] / (double)s.m;
	for (size_t i = 0; i < s.m; i++)
		var += (s.x[i] - mean) * (s.x[i] - mean) / (double)(s.m - 1);
	return s.y[s.n - 1] > mean + 3 * sqrt(var);
}

const struct method methods[] = {
	{ "ours, tier A", "regressed(): calibrated on 24 h, alpha 1 %, by 10 % and 20 ms (errors: 2x and 0.5pp)", alarm_a },
	{ "  significance alone", "tier A without least effect, persistence and guards: the level itself", alarm_a_alone },
	{ "ours, tier B", "the same without history: mixture ratio on means (errors: exact counts)", alarm_b },
	{ "rank test 5 %", "one-sided Mann-Whitney at 5 % at every sample", alarm_rank },
	{ "Kayenta-like", "98 % interval of the shift above a quarter of the shift, at every sample", alarm_kayenta },
	{ "fixed limit", "1.5 x the median of 24 h (errors: 2 x) in 3 samples in a row", alarm_fixed },
	{ "3 sigma", "one sample above mean + 3 standard deviations of 30 min", alarm_sigma },
};
const size_t n_methods = SW_COUNT(methods);
