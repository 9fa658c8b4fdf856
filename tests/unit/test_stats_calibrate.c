/* Calibration on pseudo-deployments: which windows, what level, limits and p-values, bytes and broken bytes. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stats/calibrate.h"
#include "stats/normal.h"
#include "stats/order.h"

#define HISTORY 5760

static uint64_t seed;

static double noise(void)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return sw_normal_upper(((double)(seed >> 40) + 0.5) / 16777216.0);
}

static void fill(double *x, size_t n, double keep)
{
	double e = noise();

	for (size_t i = 0; i < n; i++) {
		x[i] = 0.15 * e;
		e = keep * e + sqrt(1 - keep * keep) * noise();
	}
}

static const struct sw_calibrate_ask usual = { .m = 120, .looks = 20, .scale_least = 0.01 };

/* ---- which windows ---- */

static void test_windows(void **state)
{
	static const struct {
		const char *name;
		size_t n, m, looks, bad_from, bad_to; /* excluded, or with missing = 1 / every 2nd / all of these NaN */
		int missing;                          /* 0: excluded */
		int want, windows;
	} cases[] = {
		{ "24 h", 5760, 120, 20, 0, 0, 0, 0, 282 },
		{ "just enough, every K/2", 120 + 20 + 99 * 10, 120, 20, 0, 0, 0, 0, 100 },
		{ "one point less", 120 + 20 + 99 * 10 - 1, 120, 20, 0, 0, 0, SW_CALIBRATE_E_FEW, 0 },
		{ "nothing", 0, 120, 20, 0, 0, 0, SW_CALIBRATE_E_FEW, 0 },
		{ "shorter than a window", 139, 120, 20, 0, 0, 0, SW_CALIBRATE_E_FEW, 0 },
		{ "a slow watch", 5760, 120, 60, 0, 0, 0, 0, 187 },
		{ "7 d at 15 s: at most 300", 40320, 120, 20, 0, 0, 0, 0, 300 },
		{ "a deployment in the middle", 5760, 120, 20, 3000, 3010, 0, 0, 275 },
		{ "the first half excluded", 5760, 120, 20, 0, 2880, 0, 0, 138 },
		{ "all excluded", 5760, 120, 20, 0, 5760, 0, SW_CALIBRATE_E_FEW, 0 },
		{ "all missing", 5760, 120, 20, 0, 5760, 1, SW_CALIBRATE_E_FEW, 0 },
		{ "every second missing: too few looks", 5760, 120, 20, 0, 5760, 2, SW_CALIBRATE_E_FEW, 0 },
		{ "every fifth missing", 5760, 120, 20, 0, 5760, 5, 0, 282 },
		{ "an outage of an hour", 5760, 120, 20, 2000, 2240, 1, 0, 267 },
		{ "smallest", 2000, SW_BASELINE_LEAST, SW_LOOK_FIRST, 0, 0, 0, 0, 281 },
		{ "largest", 40320, SW_BASELINE_MAX, SW_LOOKS_MAX, 0, 0, 0, 0, 300 },
	};
	double *x = calloc(40320, sizeof *x);
	bool *excluded = calloc(40320, sizeof *excluded);
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t c = 0; c < SW_COUNT(cases); c++) {
		struct sw_history h = { .x = x, .excluded = cases[c].missing ? NULL : excluded, .n = cases[c].n };
		struct sw_calibrate_ask ask = usual;
		struct sw_calibration cal;
		int r;

		fill(x, cases[c].n, 0.5);
		memset(excluded, 0, 40320);
		for (size_t i = cases[c].bad_from; i < cases[c].bad_to; i++)
			if (cases[c].missing == 0)
				excluded[i] = true;
			else if (i % (size_t)cases[c].missing == 0)
				x[i] = i % 7 ? NAN : INFINITY;
		ask.m = cases[c].m;
		ask.looks = cases[c].looks;
		r = sw_calibrate(&h, &ask, &a, &cal);
		if (r != cases[c].want || (r == 0 && cal.n != cases[c].windows))
			fail_msg("%s: %d with %d windows, want %d with %d", cases[c].name, r, r == 0 ? cal.n : 0, cases[c].want, cases[c].windows);
		sw_arena_reset(&a);
	}
	sw_arena_fini(&a);
	free(excluded);
	free(x);
}

/* When there are enough windows of the same hour and kind of day. */
static void test_same_hour(void **state)
{
	static const struct {
		const char *name;
		size_t days;
		int hour, tz_offset_s, weekday; /* of the deployment, UTC; 0: Sunday */
		bool same;
	} cases[] = {
		{ "a working day, 14 d", 14, 12, 0, 3, true },
		{ "a working day, 7 d", 7, 12, 0, 3, true },
		{ "two working days are too few", 2, 12, 0, 5, false },
		{ "a Sunday has three before it in 14 d", 14, 12, 0, 0, true },
		{ "a Sunday after a week has one Saturday and one Sunday", 7, 12, 0, 0, false },
		{ "Sunday evening here is Monday there", 7, 20, 8 * 3600, 0, true },
		{ "midnight", 14, 0, 0, 3, true },
	};
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t c = 0; c < SW_COUNT(cases); c++) {
		/* 1970-01-04 was a Sunday; any whole number of weeks later too */
		sw_ms at = 3 * SW_DAY + 2800 * 7 * SW_DAY + cases[c].weekday * SW_DAY + cases[c].hour * SW_HOUR;
		size_t n = cases[c].days * 5760;
		double *x = calloc(n, sizeof *x);
		struct sw_history h = { .x = x, .n = n, .first_at = at - (sw_ms)n * 15 * SW_SECOND, .step = 15 * SW_SECOND };
		struct sw_calibrate_ask ask = usual;
		struct sw_calibration cal;

		fill(x, n, 0);
		ask.at = at;
		ask.tz_offset_s = cases[c].tz_offset_s;
		assert_int_equal(sw_calibrate(&h, &ask, &a, &cal), 0);
		if (cal.same_hour != cases[c].same)
			fail_msg("%s: same hour %d, %d windows", cases[c].name, cal.same_hour, cal.n);
		assert_true(cal.n >= (cal.same_hour ? SW_PSEUDO_SAME_HOUR : SW_PSEUDO_LEAST));
		free(x);
		sw_arena_reset(&a);
	}
	sw_arena_fini(&a);
}

/* A service that doubles every day at nine: calibrated on the whole day this is news, on the same hour it is not. */
static void test_same_hour_helps(void **state)
{
	sw_ms at = 3 * SW_DAY + 2800 * 7 * SW_DAY + 3 * SW_DAY + 9 * SW_HOUR; /* a Wednesday at nine */
	size_t n = 10 * 5760;
	double *x = calloc(n, sizeof *x);
	struct sw_history h = { .x = x, .n = n, .first_at = at - (sw_ms)n * 15 * SW_SECOND, .step = 15 * SW_SECOND };
	struct sw_calibrate_ask ask = usual;
	struct sw_calibration whole, same;
	struct sw_calibration_limits l;
	struct sw_arena a = { 0 };

	(void)state;
	fill(x, n, 0);
	for (size_t i = 0; i < n; i++)
		if ((h.first_at + (sw_ms)i * h.step) % SW_DAY / SW_HOUR >= 9)
			x[i] += log(2);
	assert_int_equal(sw_calibrate(&h, &ask, &a, &whole), 0);
	ask.at = at;
	assert_int_equal(sw_calibrate(&h, &ask, &a, &same), 0);
	assert_true(same.same_hour && !whole.same_hour);
	/* one start in twenty of the same two hours jumps, one in three hundred of the day */
	sw_calibration_limits(&same, 0.04, &l);
	assert_true(l.q[SW_DETECT_MEAN_RECENT] > 8);
	sw_calibration_limits(&whole, 0.04, &l);
	assert_true(l.q[SW_DETECT_MEAN_RECENT] < 5);
	sw_arena_fini(&a);
	free(x);
}

/* ---- level ---- */

/* The largest standardised values of one real window of K samples after h. */
static double joint_of(const double *x, const struct sw_calibration *cal, const struct sw_calibration_limits *l)
{
	double sorted[120], c[SW_DETECTORS], most = -INFINITY;
	struct sw_detect d;

	memcpy(sorted, x + HISTORY - 120, sizeof sorted);
	sw_order_sort(sorted, 120);
	sw_detect_begin(&d, sorted, 120);
	for (size_t k = 1; k <= 20; k++) {
		sw_detect_add(&d, x[HISTORY + k - 1], c);
		sw_calibration_standardise(cal, k, c);
		if (k >= SW_LOOK_FIRST)
			most = fmax(most, sw_calibration_joint(l, c, NULL));
	}
	return most;
}

/* Healthy windows are called significant at 10 % in about 10 % of the cases, whatever the dependence. */
static void test_level(void **state)
{
	static const double keeps[] = { 0, 0.9 };
	static double x[HISTORY + 20];
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t c = 0; c < SW_COUNT(keeps); c++) {
		int alarms = 0, by_p = 0;

		seed = 5 + c;
		for (int i = 0; i < 120; i++) {
			struct sw_history h = { .x = x, .n = HISTORY };
			struct sw_calibration_limits l;
			struct sw_calibration cal;
			double j;

			fill(x, SW_COUNT(x), keeps[c]);
			assert_int_equal(sw_calibrate(&h, &usual, &a, &cal), 0);
			sw_calibration_limits(&cal, 0.1, &l);
			j = joint_of(x, &cal, &l);
			alarms += j > l.theta;
			by_p += sw_calibration_p(&l, j) <= 0.1;
			sw_arena_reset(&a);
		}
		if (alarms < 4 || alarms > 23 || alarms != by_p)
			fail_msg("keeps %g: %d of 120 significant at 10 %%, %d by their p", keeps[c], alarms, by_p);
	}
	sw_arena_fini(&a);
}

/* Adding a constant changes nothing but rounding; the same again is the same to the last bit. */
static void test_invariant(void **state)
{
	static double x[HISTORY], moved[HISTORY];
	struct sw_history h = { .x = x, .n = HISTORY };
	struct sw_calibration one, again, other;
	struct sw_arena a = { 0 };

	(void)state;
	seed = 11;
	fill(x, HISTORY, 0.75);
	for (size_t i = 0; i < HISTORY; i++)
		moved[i] = x[i] + 8;
	assert_int_equal(sw_calibrate(&h, &usual, &a, &one), 0);
	sw_arena_reset(&a);
	assert_int_equal(sw_calibrate(&h, &usual, &a, &again), 0);
	assert_memory_equal(&one, &again, sizeof one);
	h.x = moved;
	assert_int_equal(sw_calibrate(&h, &usual, &a, &other), 0);
	for (size_t j = 0; j < SW_DETECTORS; j++)
		for (size_t p = 0; p < one.n; p++)
			assert_true(fabsf(one.most[j][p] - other.most[j][p]) < 1e-4F);
	sw_arena_fini(&a);
}

/* ---- limits ---- */

static void test_limits(void **state)
{
	static double x[HISTORY];
	struct sw_history h = { .x = x, .n = HISTORY };
	struct sw_calibration cal;
	struct sw_calibration_limits l;
	struct sw_arena a = { 0 };

	(void)state;
	seed = 3;
	fill(x, HISTORY, 0.5);
	assert_int_equal(sw_calibrate(&h, &usual, &a, &cal), 0);
	for (double alpha = 0.3; alpha > 1e-6; alpha /= 1.7) {
		size_t beyond = 0;

		sw_calibration_limits(&cal, alpha, &l);
		assert_true(isfinite(l.theta) && l.theta > 0);
		for (size_t p = 0; p < l.n; p++)
			beyond += l.joint[p] > l.theta;
		assert_true((double)beyond <= alpha * (double)(l.n + 1) && (double)beyond >= alpha * (double)(l.n + 1) - 2);
		/* p falls from 1, and is at most alpha just above theta, more than alpha just below */
		assert_true(sw_calibration_p(&l, -INFINITY) == 1);
		assert_true(sw_calibration_p(&l, l.theta * 1.0001) <= alpha * 1.0001);
		assert_true(sw_calibration_p(&l, l.theta * 0.9999) > alpha * 0.9999);
		assert_true(sw_calibration_p(&l, 1e9) < 1e-4 && sw_calibration_p(&l, INFINITY) >= 0);
	}
	/* a signal that never moved: limits are those of a normal value, not 0 */
	memset(x, 0, sizeof x);
	assert_int_equal(sw_calibrate(&h, &usual, &a, &cal), 0);
	sw_calibration_limits(&cal, 0.01, &l);
	for (int j = 0; j < SW_DETECTORS; j++)
		assert_true(l.q[j] == sw_normal_upper(0.01));
	assert_true(l.theta > 0 && isfinite(l.theta));
	/* huge values are clipped to what a float holds */
	for (size_t i = 0; i < HISTORY; i++)
		x[i] = i % 977 == 0 ? 1e300 : i % 13 == 0 ? -1e300 : 0;
	assert_int_equal(sw_calibrate(&h, &usual, &a, &cal), 0);
	sw_calibration_limits(&cal, 0.01, &l);
	assert_true(isfinite(l.theta));
	sw_arena_fini(&a);
}

static void test_counts(void **state)
{
	static double bad[HISTORY], all[HISTORY];
	struct sw_history h = { .x = bad, .all = all, .n = HISTORY };
	struct sw_calibration cal;
	struct sw_calibration_limits l;
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < HISTORY; i++) {
		all[i] = i == 9 ? NAN : 150;
		bad[i] = i == 8 ? -1 : 0;
	}
	assert_int_equal(sw_calibrate(&h, &usual, &a, &cal), 0);
	assert_int_equal(cal.kind, SW_CALIBRATION_COUNTS);
	sw_calibration_limits(&cal, 0.01, &l);
	assert_true(isfinite(l.theta) && l.q[0] > 2);
	/* 2 sum E ln(E/expected) of 9 in 300 and 18 in 1800 */
	assert_true(fabs(sw_detect_root(9, 300, 18, 1800) - sqrt(2 * (9 * log(9 / (27.0 / 7)) + 18 * log(18 / (27.0 * 6 / 7))))) < 1e-12);
	assert_true(sw_detect_root(0, 300, 18, 1800) < -2);
	assert_true(sw_detect_root(0, 300, 0, 1800) == 0 && sw_detect_root(5, 0, 5, 10) == 0 && sw_detect_root(3, 300, 0, 1800) > 2.5);
	sw_arena_fini(&a);
}

/* ---- bytes ---- */

static void make(struct sw_calibration *cal, bool counts)
{
	static double x[HISTORY], all[HISTORY];
	struct sw_history h = { .x = x, .all = counts ? all : NULL, .n = HISTORY };
	struct sw_arena a = { 0 };

	seed = 17;
	fill(x, HISTORY, 0.5);
	for (size_t i = 0; i < HISTORY && counts; i++) {
		all[i] = 100;
		x[i] = floor(fabs(x[i]) * 20);
	}
	assert_int_equal(sw_calibrate(&h, &usual, &a, cal), 0);
	sw_arena_fini(&a);
}

static bool sane(const struct sw_calibration *c)
{
	struct sw_calibration_limits l;

	if (c->n < 2 || c->n > SW_PSEUDO_MAX || c->looks < SW_LOOK_FIRST || c->looks > SW_LOOKS_MAX)
		return false;
	for (size_t k = 0; k < c->looks; k++)
		if (!(c->scale[k] > 0) || !isfinite(c->centre[k]))
			return false;
	sw_calibration_limits(c, 0.01, &l);
	return isfinite(l.theta) && l.theta > 0 && sw_calibration_p(&l, 1) > 0;
}

static void test_bytes(void **state)
{
	(void)state;
	for (int counts = 0; counts < 2; counts++) {
		struct sw_calibration cal, got;
		struct sw_buf b = SW_BUF_INIT, again = SW_BUF_INIT;

		make(&cal, counts);
		sw_calibration_write(&cal, &b);
		assert_int_equal(b.n, 12 + 4 * (counts ? 2 * 282 : 1 + 40 + 3 * 282));
		assert_int_equal(sw_calibration_read(b.p, b.n, &got), 0);
		assert_true(got.kind == cal.kind && got.n == cal.n && got.m == cal.m && got.looks == cal.looks);
		sw_calibration_write(&got, &again);
		assert_int_equal(again.n, b.n);
		assert_memory_equal(again.p, b.p, b.n);
		for (size_t n = 0; n < b.n; n++)
			assert_int_equal(sw_calibration_read(b.p, n, &got), -EBADMSG);
		sw_buf_putc(&b, 0);
		assert_int_equal(sw_calibration_read(b.p, b.n, &got), -EBADMSG);
		b.p[3] = 2;
		assert_int_equal(sw_calibration_read(b.p, b.n - 1, &got), -EPROTONOSUPPORT);
		sw_buf_fini(&b);
		sw_buf_fini(&again);
	}
}

/* Every bit of it turned over, one at a time: refused, or something that can be judged with. */
static void test_bits(void **state)
{
	struct sw_calibration cal, got;
	struct sw_buf b = SW_BUF_INIT;
	size_t taken = 0;

	(void)state;
	make(&cal, false);
	sw_calibration_write(&cal, &b);
	for (size_t bit = 0; bit < 8 * b.n; bit++) {
		b.p[bit / 8] ^= (char)(1 << bit % 8);
		if (sw_calibration_read(b.p, b.n, &got) == 0) {
			taken++;
			if (bit % 5 == 0 || bit < 2000)
				assert_true(sane(&got));
		}
		b.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_true(taken > 0 && taken < 8 * b.n);
	sw_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows), cmocka_unit_test(test_same_hour), cmocka_unit_test(test_same_hour_helps), cmocka_unit_test(test_level),
		cmocka_unit_test(test_invariant), cmocka_unit_test(test_limits), cmocka_unit_test(test_counts), cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
