/* regressed(): stories of deployments, what is missing, guards, limits; true, false or unknown, and why. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stats/normal.h"
#include "stats/regress.h"

#define HISTORY 5760
#define BASE 120
#define AFTER 60

static uint64_t seed;

static double uniform(void)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return ((double)(seed >> 40) + 0.5) / 16777216.0;
}

/* 24 h of a signal of level 0.3 and 60 samples after; log-normal, 5 %. Calibrated for both directions. */
struct world {
	double x[HISTORY + AFTER];
	struct sw_calibration up, down, plain;
};

static void calibrate(const double *x, enum sw_regress_kind kind, bool down, struct sw_calibration *ret)
{
	static double t[HISTORY];
	struct sw_history h = { .x = t, .n = HISTORY };
	struct sw_calibrate_ask ask = { .m = BASE, .looks = 20, .scale_least = sw_regress_scale_least(kind, 0.3) };
	struct sw_arena a = { 0 };

	for (size_t i = 0; i < HISTORY; i++)
		t[i] = sw_regress_value(kind, down, x[i], 0);
	assert_int_equal(sw_calibrate(&h, &ask, &a, ret), 0);
	sw_arena_fini(&a);
}

static struct world *world(void)
{
	static struct world w;

	if (w.up.n)
		return &w;
	seed = 42;
	for (size_t i = 0; i < HISTORY + AFTER; i++)
		w.x[i] = 0.3 * exp(0.05 * sw_normal_upper(uniform()));
	calibrate(w.x, SW_REGRESS_LATENCY, false, &w.up);
	calibrate(w.x, SW_REGRESS_LATENCY, true, &w.down);
	calibrate(w.x, SW_REGRESS_PLAIN, false, &w.plain);
	return &w;
}

static const char *truth_name(enum sw_regress_truth t)
{
	return t == SW_REGRESS_TRUE ? "true" : t == SW_REGRESS_FALSE ? "false" : "unknown";
}

static void check(const char *name, const struct sw_regress_saw *saw, enum sw_regress_truth truth, enum sw_regress_why why)
{
	if (saw->truth != truth || saw->why != why)
		fail_msg("%s: %s (%s), tier %c, effect %g, p %g; want %s (%s)", name, truth_name(saw->truth), sw_regress_why_name(saw->why), saw->tier,
		         saw->effect, saw->p, truth_name(truth), sw_regress_why_name(why));
}

#define MISSING NAN

/* Samples [from, to) after the deployment (negative: before) times factor, then a second change; n samples have come. */
static void test_stories(void **state)
{
	static const struct {
		const char *name;
		int from, to, n, from2, to2;
		double factor, factor2;
		bool down;
		struct sw_by by;
		double floor;
		enum sw_regress_truth truth;
		enum sw_regress_why why;
		bool a_only; /* tier B says something else, and may */
	} cases[] = {
		{ "healthy", 0, 0, 20, 0, 0, 1, 1, false, { SW_BY_SHARE, 0.2 }, 0.02, SW_REGRESS_FALSE, SW_REGRESS_EVIDENCE, false },
		{ "no sample", 0, 0, 0, 0, 0, 1, 1, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_UNKNOWN, SW_REGRESS_EARLY, false },
		{ "three samples", 0, 60, 3, 0, 0, 9, 1, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_UNKNOWN, SW_REGRESS_EARLY, false },
		{ "twice, fourth sample", 0, 60, 4, 0, 0, 2, 1, false, { SW_BY_SHARE, 0.2 }, 0.02, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, false },
		{ "twice, after the window", 0, 60, 60, 0, 0, 2, 1, false, { SW_BY_SHARE, 0.2 }, 0.02, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, false },
		{ "half is better", 0, 60, 20, 0, 0, 0.5, 1, false, { SW_BY_SHARE, 0.2 }, 0.02, SW_REGRESS_FALSE, SW_REGRESS_EVIDENCE, false },
		{ "half where down is bad", 0, 60, 20, 0, 0, 0.5, 1, true, { SW_BY_SHARE, 0.2 }, 0.02, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, false },
		{ "twice where down is bad", 0, 60, 20, 0, 0, 2, 1, true, { SW_BY_SHARE, 0.2 }, 0.02, SW_REGRESS_FALSE, SW_REGRESS_EVIDENCE, false },
		{ "10 % of 20 %", 0, 60, 20, 0, 0, 1.1, 1, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_FALSE, SW_REGRESS_SMALL, false },
		{ "a factor of 3", 0, 60, 20, 0, 0, 2.5, 1, false, { SW_BY_FACTOR, 3 }, 0, SW_REGRESS_FALSE, SW_REGRESS_SMALL, false },
		{ "a factor of 2", 0, 60, 20, 0, 0, 2.5, 1, false, { SW_BY_FACTOR, 2 }, 0, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, false },
		{ "100 ms", 0, 60, 20, 0, 0, 1.6, 1, false, { SW_BY_POINTS, 0.1 }, 0, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, false },
		{ "not 300 ms", 0, 60, 20, 0, 0, 1.6, 1, false, { SW_BY_POINTS, 0.3 }, 0, SW_REGRESS_FALSE, SW_REGRESS_SMALL, false },
		{ "below the floor", 0, 60, 20, 0, 0, 1.6, 1, false, { SW_BY_SHARE, 0.2 }, 0.25, SW_REGRESS_FALSE, SW_REGRESS_SMALL, false },
		{ "down by 100 % is half", 0, 60, 20, 0, 0, 0.45, 1, true, { SW_BY_SHARE, 1 }, 0, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, false },
		{ "not a third", 0, 60, 20, 0, 0, 0.45, 1, true, { SW_BY_SHARE, 2 }, 0, SW_REGRESS_FALSE, SW_REGRESS_SMALL, false },
		{ "down by more points than there are", 0, 60, 20, 0, 0, 0.01, 1, true, { SW_BY_POINTS, 0.31 }, 0, SW_REGRESS_FALSE, SW_REGRESS_SMALL, false },
		{ "down to a third", 0, 60, 20, 0, 0, 0.3, 1, true, { SW_BY_FACTOR, 3 }, 0, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, false },
		{ "went away", 0, 8, 16, 0, 0, 2, 1, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_FALSE, SW_REGRESS_TRANSIENT, true },
		{ "the last is good", 0, 60, 12, 11, 12, 2, 0.5, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_FALSE, SW_REGRESS_UNSTEADY, false },
		{ "late", 8, 60, 20, 0, 0, 2, 1, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, true },
		{ "from 10 samples before", -10, 60, 20, 0, 0, 2, 1, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_UNKNOWN, SW_REGRESS_PRE_EXISTING, false },
		{ "from 3 samples before", -3, 60, 8, 0, 0, 2, 1, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_UNKNOWN, SW_REGRESS_PRE_EXISTING, false },
		{ "from 2 samples before", -2, 60, 20, 0, 0, 2, 1, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, false },
		{ "from 40 samples before", -40, 60, 20, 0, 0, 2, 1, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_UNKNOWN, SW_REGRESS_PRE_EXISTING, true },
		{ "a burst before, then a step", -14, -8, 20, 0, 60, 2, 2, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, false },
		{ "ill before, worse after", -40, 60, 20, 0, 60, 1.3, 2, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, true },
		{ "every second sample missing", 0, 60, 20, 0, -2, 2, MISSING, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE, false },
		{ "all missing", 0, 60, 20, 0, 60, 2, MISSING, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_UNKNOWN, SW_REGRESS_EARLY, false },
		{ "missing from the third on", 0, 60, 20, 3, 60, 2, MISSING, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_UNKNOWN, SW_REGRESS_EARLY, false },
		{ "infinite is missing", 0, 60, 20, 0, 60, 2, INFINITY, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_UNKNOWN, SW_REGRESS_EARLY, false },
		{ "zero is missing", 0, 60, 20, 0, 60, 2, 0, false, { SW_BY_SHARE, 0.2 }, 0, SW_REGRESS_UNKNOWN, SW_REGRESS_EARLY, false },
	};
	struct world *w = world();
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t c = 0; c < SW_COUNT(cases); c++) {
		double x[BASE + AFTER];
		struct sw_regress in = { .kind = SW_REGRESS_LATENCY, .down = cases[c].down, .x = x, .m = BASE, .y = x + BASE, .n = (size_t)cases[c].n, .looks = 20,
			                 .by = cases[c].by, .floor = cases[c].floor, .requests = -1,
			                 .calibration = cases[c].down ? &w->down : &w->up };
		struct sw_regress_saw saw;

		memcpy(x, w->x + HISTORY - BASE, sizeof x);
		for (int i = cases[c].from; i < cases[c].to; i++)
			x[BASE + i] *= cases[c].factor;
		for (int i = cases[c].from2; i < (cases[c].to2 == -2 ? AFTER : cases[c].to2); i += cases[c].to2 == -2 ? 2 : 1)
			x[BASE + i] *= cases[c].factor2;
		sw_regress(&in, &a, &saw);
		check(cases[c].name, &saw, cases[c].truth, cases[c].why);
		if (saw.why != SW_REGRESS_EARLY)
			assert_true(saw.tier == 'A' && saw.p > 0 && saw.p <= 1 && saw.effect > 0 && saw.effect_low <= saw.effect && saw.effect <= saw.effect_high);
		in.calibration = NULL;
		sw_regress(&in, &a, &saw);
		if (!cases[c].a_only)
			check(cases[c].name, &saw, cases[c].truth, cases[c].why);
		assert_int_equal(saw.tier, 'B');
		sw_arena_reset(&a);
	}
	sw_arena_fini(&a);
}

static void test_says(void **state)
{
	struct world *w = world();
	double y[20];
	struct sw_regress in = { .kind = SW_REGRESS_LATENCY, .x = w->x + HISTORY - BASE, .m = BASE, .y = y, .n = 20, .by = { SW_BY_SHARE, 0.2 }, .requests = -1,
		                 .calibration = &w->up };
	struct sw_regress_saw saw;
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < 20; i++)
		y[i] = 1.5 * w->x[HISTORY + i];
	sw_regress(&in, &a, &saw);
	assert_true(fabs(saw.before - 0.3) < 0.01 && fabs(saw.after - 0.45) < 0.02 && fabs(saw.effect - 1.5) < 0.05 && fabs(saw.rise - 0.15) < 0.02);
	assert_true(saw.effect_low > 1.4 && saw.effect_high < 1.6 && saw.looks == 20 && saw.alpha == SW_ALPHA && saw.p <= 0.01 && saw.significant);
	assert_true(saw.detectable > 1.03 && saw.detectable < 1.15);
	in.calibration = NULL;
	sw_regress(&in, &a, &saw);
	assert_true(saw.detectable > 1.03 && saw.detectable < 1.2 && saw.p < 1e-6);
	/* the same, said about a plain number: differences */
	in.kind = SW_REGRESS_PLAIN;
	in.calibration = &w->plain;
	sw_regress(&in, &a, &saw);
	check("plain", &saw, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
	assert_true(fabs(saw.effect - 1.5) < 0.05 && fabs(saw.rise - 0.15) < 0.02);
	sw_arena_fini(&a);
}

/* What is asked for that is not there. */
static void test_unknown(void **state)
{
	struct world *w = world();
	double x[600], y[20];
	struct sw_regress in = { .kind = SW_REGRESS_LATENCY, .x = x, .m = 30, .y = y, .n = 20, .by = { SW_BY_SHARE, 0.2 }, .requests = -1 };
	struct sw_calibration counts = w->up;
	struct sw_regress_saw saw;
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < 600; i++)
		x[i] = w->x[i];
	for (size_t i = 0; i < 20; i++)
		y[i] = 0.9;
	sw_regress(&in, &a, &saw);
	check("30 points before", &saw, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
	in.m = 29;
	sw_regress(&in, &a, &saw);
	check("29 points before", &saw, SW_REGRESS_UNKNOWN, SW_REGRESS_BASELINE);
	assert_int_equal(saw.tier, 'C');
	in.m = 31;
	x[0] = x[1] = NAN;
	sw_regress(&in, &a, &saw);
	check("29 valid points before", &saw, SW_REGRESS_UNKNOWN, SW_REGRESS_BASELINE);
	in.m = 0;
	sw_regress(&in, &a, &saw);
	check("none before", &saw, SW_REGRESS_UNKNOWN, SW_REGRESS_BASELINE);
	in.m = 600; /* the last 480 are used */
	sw_regress(&in, &a, &saw);
	check("600 before", &saw, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
	in.tier = SW_REGRESS_A;
	sw_regress(&in, &a, &saw);
	check("ranks without history", &saw, SW_REGRESS_UNKNOWN, SW_REGRESS_UNCALIBRATED);
	counts.kind = SW_CALIBRATION_COUNTS;
	in.calibration = &counts;
	sw_regress(&in, &a, &saw);
	check("a calibration of something else", &saw, SW_REGRESS_UNKNOWN, SW_REGRESS_UNCALIBRATED);
	in.tier = SW_REGRESS_B;
	in.requests_least = 200;
	in.requests = 199;
	sw_regress(&in, &a, &saw);
	check("199 requests", &saw, SW_REGRESS_UNKNOWN, SW_REGRESS_TRAFFIC);
	in.requests = 200;
	sw_regress(&in, &a, &saw);
	check("200 requests", &saw, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
	in.requests = NAN;
	sw_regress(&in, &a, &saw);
	check("requests not known", &saw, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
	/* odd settings fall back */
	in.alpha = -1;
	in.by.value = NAN;
	in.floor = NAN;
	in.overlap = NAN;
	sw_regress(&in, &a, &saw);
	check("odd settings", &saw, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
	assert_true(saw.alpha == SW_ALPHA);
	sw_arena_fini(&a);
}

/* A service that is slow every day at this hour. */
static void test_control(void **state)
{
	struct world *w = world();
	static double days_x[5][BASE], days_y[5][20];
	double y[20];
	struct sw_guard_day days[5];
	struct sw_regress in = { .kind = SW_REGRESS_LATENCY, .x = w->x + HISTORY - BASE, .m = BASE, .y = y, .n = 20, .by = { SW_BY_SHARE, 0.2 }, .requests = -1,
		                 .calibration = &w->up, .days = days };
	struct sw_regress_saw saw;
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < 20; i++)
		y[i] = 1.5 * w->x[HISTORY + i];
	for (size_t d = 0; d < 5; d++) {
		memcpy(days_x[d], w->x + d * 500, sizeof days_x[d]);
		for (size_t i = 0; i < 20; i++)
			days_y[d][i] = (d == 4 ? 1 : 1.5) * w->x[d * 500 + BASE + i];
		days[d] = (struct sw_guard_day){ days_x[d], days_y[d], BASE, 20 };
	}
	in.n_days = 5;
	sw_regress(&in, &a, &saw);
	check("as on four of five days", &saw, SW_REGRESS_FALSE, SW_REGRESS_CONTROL);
	assert_int_equal(saw.days, 5);
	assert_true(saw.daily > 1.3 && saw.daily < 1.7);
	in.n_days = 2;
	sw_regress(&in, &a, &saw);
	check("two days are too few", &saw, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
	assert_int_equal(saw.days, 0);
	assert_true(isnan(saw.daily));
	in.n_days = 5;
	for (size_t i = 0; i < 20; i++)
		y[i] *= 2;
	sw_regress(&in, &a, &saw);
	check("more than on other days", &saw, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
	for (size_t d = 0; d < 3; d++)
		for (size_t i = 0; i < 20; i++)
			days_y[d][i] = NAN;
	sw_regress(&in, &a, &saw);
	check("days without data", &saw, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
	sw_arena_fini(&a);
}

/* Other days are compared at the minutes that the effect is of, not over their whole window. */
static void test_control_minutes(void **state)
{
	struct world *w = world();
	static double days_x[4][BASE], days_y[4][20];
	double y[20];
	struct sw_guard_day days[4];
	struct sw_regress in = { .kind = SW_REGRESS_LATENCY, .x = w->x + HISTORY - BASE, .m = BASE, .y = y, .n = 10, .by = { SW_BY_SHARE, 0.2 }, .requests = -1,
		                 .calibration = &w->up, .days = days, .n_days = 4 };
	struct sw_regress_saw saw;
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t d = 0; d < 4; d++) {
		memcpy(days_x[d], w->x + d * 500, sizeof days_x[d]);
		for (size_t i = 0; i < 20; i++)
			days_y[d][i] = (i >= 10 ? 1.6 : 1) * w->x[d * 500 + BASE + i];
		days[d] = (struct sw_guard_day){ days_x[d], days_y[d], BASE, 20 };
	}
	for (size_t i = 0; i < 20; i++)
		y[i] = 1.6 * w->x[HISTORY + i];
	sw_regress(&in, &a, &saw);
	check("on other days it begins later", &saw, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
	for (size_t i = 0; i < 10; i++) {
		y[i] /= 1.6;
		y[i] = i % 3 ? y[i] : NAN;
	}
	in.n = 20;
	sw_regress(&in, &a, &saw);
	check("on other days it begins at the same minute", &saw, SW_REGRESS_FALSE, SW_REGRESS_CONTROL);
	for (size_t d = 0; d < 4; d++)
		days[d].n = 11;
	sw_regress(&in, &a, &saw);
	check("what the other days have ends before", &saw, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE);
	sw_arena_fini(&a);
}

/* Errors a step before and after, of so many requests; tier B, and tier A over a history like the time before. */
static void test_counts(void **state)
{
	static const struct {
		const char *name;
		double requests, before, after;
		int n;
		bool down;
		double requests_least;
		struct sw_by by;
		double floor;
		enum sw_regress_truth truth;
		enum sw_regress_why why;
	} cases[] = {
		{ "healthy", 150, 1.5, 1.5, 20, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_FALSE, SW_REGRESS_EVIDENCE },
		{ "3 times, fourth sample", 150, 1.5, 6, 4, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE },
		{ "third sample", 150, 1.5, 9, 3, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_UNKNOWN, SW_REGRESS_EARLY },
		{ "5 times", 150, 1.5, 7.5, 20, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE },
		{ "below the floor", 15000, 1.5, 7.5, 20, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_FALSE, SW_REGRESS_SMALL },
		{ "half of what is asked", 1500, 15, 24, 20, false, 0, { SW_BY_FACTOR, 2 }, 0, SW_REGRESS_FALSE, SW_REGRESS_SMALL },
		{ "2pp", 150, 1.5, 6, 20, false, 0, { SW_BY_POINTS, 0.02 }, 0, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE },
		{ "none before", 150, 0, 4, 20, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE },
		{ "all bad, none before", 150, 0, 150, 4, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE },
		{ "little traffic", 3, 0.03, 0.03, 20, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_UNKNOWN, SW_REGRESS_TRAFFIC },
		{ "little traffic, all bad", 3, 0.03, 3, 20, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE },
		{ "all bad, but fewer than 200", 3, 0.03, 3, 20, false, 200, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_UNKNOWN, SW_REGRESS_TRAFFIC },
		{ "no requests any more", 150, 1.5, -1, 20, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_UNKNOWN, SW_REGRESS_TRAFFIC },
		{ "no counts any more", 150, 1.5, NAN, 20, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_UNKNOWN, SW_REGRESS_EARLY },
		{ "no requests before", 0, 0, 4, 20, false, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_UNKNOWN, SW_REGRESS_BASELINE },
		{ "good ones fall", 150, 148.5, 140, 20, true, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_TRUE, SW_REGRESS_EVIDENCE },
		{ "good ones rise", 150, 140, 149, 20, true, 0, { SW_BY_FACTOR, 2 }, 0.005, SW_REGRESS_FALSE, SW_REGRESS_EVIDENCE },
	};
	static double bad[HISTORY + 20], all[HISTORY + 20], t[HISTORY];
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t c = 0; c < SW_COUNT(cases); c++) {
		double before = 0, after = 0, requests = cases[c].requests;
		struct sw_history h = { .x = t, .all = all, .n = HISTORY };
		struct sw_calibrate_ask ask = { .m = BASE, .looks = 20, .scale_least = 0.01 };
		struct sw_regress in = { .kind = SW_REGRESS_COUNTS, .down = cases[c].down, .x = bad + HISTORY - BASE, .x_all = all + HISTORY - BASE, .m = BASE,
			                 .y = bad + HISTORY, .y_all = all + HISTORY, .n = (size_t)cases[c].n, .looks = 20, .by = cases[c].by,
			                 .floor = cases[c].floor, .requests_least = cases[c].requests_least, .requests = -1 };
		struct sw_calibration cal;
		struct sw_regress_saw saw;

		for (size_t i = 0; i < HISTORY + 20; i++) { /* whole errors, as even as can be */
			before += cases[c].before;
			after += i < HISTORY ? 0 : cases[c].after;
			all[i] = i >= HISTORY && cases[c].after < 0 ? 0 : requests;
			bad[i] = i < HISTORY ? floor(before) : cases[c].after < 0 ? 0 : isnan(cases[c].after) ? NAN : floor(after);
			before -= i < HISTORY ? bad[i] : 0;
			after -= i < HISTORY || isnan(bad[i]) ? 0 : bad[i];
			if (i < HISTORY)
				t[i] = sw_regress_value(SW_REGRESS_COUNTS, cases[c].down, bad[i], all[i]);
		}
		sw_regress(&in, &a, &saw);
		check(cases[c].name, &saw, cases[c].truth, cases[c].why);
		assert_int_equal(sw_calibrate(&h, &ask, &a, &cal), 0);
		in.calibration = &cal;
		sw_regress(&in, &a, &saw);
		check(cases[c].name, &saw, cases[c].truth, cases[c].why);
		sw_arena_reset(&a);
	}
	sw_arena_fini(&a);
}

/* "Not enough traffic to tell: only more than … would be seen." */
static void test_detectable(void **state)
{
	double bad[BASE + 20], all[BASE + 20];
	struct sw_regress in = { .kind = SW_REGRESS_COUNTS, .x = bad, .x_all = all, .m = BASE, .y = bad + BASE, .y_all = all + BASE, .n = 10, .looks = 20,
		                 .by = { SW_BY_FACTOR, 2 }, .requests = -1 };
	struct sw_regress_saw saw;
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < BASE + 20; i++) {
		all[i] = 15;
		bad[i] = i % 7 == 0;
	}
	sw_regress(&in, &a, &saw);
	check("1 rps, 1 %, twice", &saw, SW_REGRESS_UNKNOWN, SW_REGRESS_TRAFFIC);
	assert_true(saw.detectable > 3.5 && saw.detectable < 5);
	in.by.value = 6;
	sw_regress(&in, &a, &saw);
	check("1 rps, 1 %, six times", &saw, SW_REGRESS_FALSE, SW_REGRESS_EVIDENCE);
	sw_arena_fini(&a);
}

/* Every part of what came and of the settings replaced by odd numbers: an answer, and no NaN where it says true. */
static void test_odd(void **state)
{
	static const double odd[] = { 0, -0.0, 1e-320, -1e308, 1e308, INFINITY, -INFINITY, NAN, 1, 0.3, 5e15 };
	struct world *w = world();
	struct sw_arena a = { 0 };

	(void)state;
	seed = 99;
	for (int round = 0; round < 20000; round++) {
		double x[BASE], y[AFTER], x_all[BASE], y_all[AFTER];
		struct sw_regress in = { .kind = (enum sw_regress_kind)(round % 3), .tier = (enum sw_regress_tier)(round / 3 % 3), .down = round & 8, .x = x,
			                 .x_all = x_all, .m = (size_t)(uniform() * BASE), .y = y, .y_all = y_all, .n = (size_t)(uniform() * AFTER),
			                 .looks = (size_t)(uniform() * 80), .requests = -1, .calibration = round & 16 ? &w->up : NULL };
		struct sw_regress_saw saw;
		double share = uniform();

		for (size_t i = 0; i < BASE; i++) {
			x[i] = uniform() < share ? odd[(size_t)(uniform() * SW_COUNT(odd))] : uniform();
			x_all[i] = uniform() < share ? odd[(size_t)(uniform() * SW_COUNT(odd))] : 9;
		}
		for (size_t i = 0; i < AFTER; i++) {
			y[i] = uniform() < share ? odd[(size_t)(uniform() * SW_COUNT(odd))] : 2 + uniform();
			y_all[i] = uniform() < share ? odd[(size_t)(uniform() * SW_COUNT(odd))] : 9;
		}
		in.by = (struct sw_by){ (enum sw_by_kind)(round / 9 % 3), odd[(size_t)(uniform() * SW_COUNT(odd))] };
		in.floor = odd[(size_t)(uniform() * SW_COUNT(odd))];
		in.alpha = uniform() < 0.5 ? odd[(size_t)(uniform() * SW_COUNT(odd))] : uniform();
		in.overlap = odd[(size_t)(uniform() * SW_COUNT(odd))];
		sw_regress(&in, &a, &saw);
		assert_true(saw.truth <= SW_REGRESS_UNKNOWN && !(saw.p < 0) && !(saw.p > 1));
		if (saw.truth == SW_REGRESS_TRUE && !(saw.significant && saw.p <= saw.alpha && isfinite(saw.rise) && saw.looks >= SW_LOOK_FIRST))
			fail_msg("round %d: kind %d tier %c p %g alpha %g rise %g looks %zu", round, (int)in.kind, saw.tier, saw.p, saw.alpha, saw.rise, saw.looks);
		sw_arena_reset(&a);
	}
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories), cmocka_unit_test(test_says), cmocka_unit_test(test_unknown), cmocka_unit_test(test_control), cmocka_unit_test(test_control_minutes),
		cmocka_unit_test(test_counts), cmocka_unit_test(test_detectable), cmocka_unit_test(test_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
