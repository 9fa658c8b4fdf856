/* Normal quantiles, order statistics, the rank sum test: published values, properties, the incremental form against the plain one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stats/normal.h"
#include "stats/order.h"
#include "stats/rank.h"

static void near(const char *what, double got, double want, double within)
{
	if (!(fabs(got - want) <= within * fmax(1, fabs(want))) && !(isnan(got) && isnan(want)) && got != want)
		fail_msg("%s: %.15g, want %.15g", what, got, want);
}

/* A row of numbers that looks random, the same in every run. */
static double noise(uint64_t *state)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (double)(*state >> 40) / 16777216.0;
}

static void test_normal(void **state)
{
	static const struct { double p, z; } cases[] = {
		{ 0.5, 0 }, { 0.025, 1.959963984540054 }, { 0.01, 2.326347874040841 }, { 0.001, 3.090232306167813 },
		{ 1e-10, 6.361340902404056 }, { 0.975, -1.959963984540054 }, { 0, INFINITY }, { 1, -INFINITY }, { -0.1, NAN }, { 1.1, NAN }, { NAN, NAN },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++)
		near("quantile", sw_normal_upper(cases[i].p), cases[i].z, 1e-12);
	for (double p = 1e-300; p < 1; p *= 3)
		near("and back", sw_normal_tail(sw_normal_upper(p)) / p, 1, 1e-9);
	near("cdf", sw_normal_cdf(1.96), 0.9750021048517795, 1e-14);
	near("far tail", sw_normal_tail(10) / 7.61985302416053e-24, 1, 1e-10);
}

static void test_order(void **state)
{
	double x[] = { 3, NAN, 1, INFINITY, 2, -INFINITY, 10 }, many[200], median, scale;
	uint64_t s = 1;
	size_t n = sw_order_valid(x, SW_COUNT(x), x);

	(void)state;
	assert_int_equal(n, 4);
	sw_order_sort(x, n);
	near("median", sw_order_median(x, n), 2.5, 0);
	near("quantile", sw_order_quantile(x, n, 0.25), 1.75, 1e-15);
	near("largest", sw_order_quantile(x, n, 1), 10, 0);
	near("trimmed", sw_order_trimmed(x, n, 0.25), 2.5, 0);
	near("not trimmed", sw_order_trimmed(x, n, 0), 4, 0);
	near("of one", sw_order_trimmed(x, 1, 0.25), 1, 0);
	assert_true(isnan(sw_order_median(x, 0)) && isnan(sw_order_quantile(x, 0, 0.5)) && isnan(sw_order_trimmed(x, 0, 0.25)));
	sw_order_scale(x, n, &median, &scale);
	near("scale", scale, 1.4826, 1e-15);
	for (n = 0; n <= SW_COUNT(many); n++) {
		for (size_t i = 0; i < n; i++)
			many[i] = floor(noise(&s) * 50);
		sw_order_sort(many, n);
		for (size_t i = 1; i < n; i++)
			assert_true(many[i - 1] <= many[i]);
	}
}

/* P(U >= u): tables of Mann & Whitney 1947, and of the permeability data of Hollander & Wolfe 1973 (U = 35 of 10 and 5). */
static void test_exact(void **state)
{
	static const struct { size_t m, n; double u, p; } cases[] = {
		{ 3, 3, 9, 0.05 }, { 4, 4, 15, 0.02857142857142857 }, { 5, 5, 21, 0.047619047619047616 }, { 10, 10, 77, 0.02162852627248912 },
		{ 20, 20, 273, 0.02454516259468622 }, { 10, 5, 35, 0.1272061272061272 }, { 20, 1, 20, 0.047619047619047616 },
		{ 6, 6, 25, 0.15476190476190477 }, { 1, 1, 1, 0.5 }, { 5, 5, 0, 1 }, { 5, 5, 25.5, 0 }, { 0, 5, 0, 1 }, { 5, 0, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++)
		near("exact", sw_rank_exact(cases[i].m, cases[i].n, cases[i].u), cases[i].p, 1e-14);
	for (size_t m = 1; m <= SW_RANK_EXACT_MAX; m++) /* symmetric in m and n, and around the middle */
		for (size_t n = 1; n <= SW_RANK_EXACT_MAX; n++) {
			double u = floor((double)(m * n) * 0.7);

			near("symmetric", sw_rank_exact(m, n, u), sw_rank_exact(n, m, u), 1e-12);
			near("mirrored", 1 - sw_rank_exact(m, n, u), sw_rank_exact(m, n, (double)(m * n) - u + 1), 1e-12);
		}
}

static void begin(struct sw_rank *r, double *x, size_t m, const double *y, size_t n)
{
	sw_order_sort(x, m);
	sw_rank_begin(r, x, m);
	for (size_t i = 0; i < n; i++)
		sw_rank_add(r, y[i]);
}

static void test_published(void **state)
{
	/* 20 and 20 values with ties within each; R says two-sided p = 0.5426959774289482 with continuity correction */
	double x[] = { 310, 195, 530, 155, 530, 245, 385, 450, 465, 545, 170, 180, 125, 180, 230, 75, 430, 480, 495, 295 };
	double y[] = { 116, 171, 176, 421, 111, 326, 481, 111, 346, 441, 261, 411, 206, 521, 456, 446, 296, 51, 426, 261 };
	/* Hollander & Wolfe 1973, permeability of amnion; shift 0.305 */
	double before[] = { 1.15, 0.88, 0.90, 0.74, 1.21 };
	double after[] = { 0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46 };
	struct sw_rank r;
	struct sw_shift s;

	(void)state;
	begin(&r, x, 20, y, 20);
	near("U", r.u, 177, 0);
	near("z", sw_rank_z(&r), -0.6087412244775101, 1e-14);
	near("p", 2 * sw_normal_cdf(sw_rank_z(&r)), 0.5426959774289482, 1e-13);
	near("A12", sw_rank_a12(&r), 177.0 / 400, 1e-15);
	begin(&r, before, 5, after, 10);
	near("U", r.u, 35, 0);
	sw_order_sort(after, 10);
	s = sw_rank_shift(before, 5, after, 10, 0.05);
	near("shift", s.shift, 0.305, 1e-12);
	near("low", s.low, -0.17, 1e-12);
	near("high", s.high, 0.76, 1e-12);
}

static void test_edges(void **state)
{
	double same[] = { 5, 5, 5, 5 }, x[] = { 1, 2, 3, 4 }, huge[] = { INFINITY, 1e308, -1e308, -INFINITY };
	struct sw_rank r;
	struct sw_shift s;

	(void)state;
	begin(&r, same, 4, same, 4);
	near("all tied", sw_rank_z(&r), 0, 0);
	near("all tied", sw_rank_a12(&r), 0.5, 0);
	begin(&r, x, 4, NULL, 0);
	near("no y", sw_rank_z(&r), 0, 0);
	near("no y", sw_rank_a12(&r), 0.5, 0);
	begin(&r, x, 0, x, 4);
	near("no x", sw_rank_z(&r), 0, 0);
	begin(&r, x, 1, x, 1);
	near("one and one", sw_rank_z(&r), 0, 0);
	begin(&r, x, 4, huge, 2);
	near("infinite is large", r.u, 8, 0);
	begin(&r, x, 4, huge + 2, 2);
	near("and small", r.u, 0, 0);
	s = sw_rank_shift(x, 1, x, 1, 0.05);
	near("one pair", s.shift, 0, 0);
	s = sw_rank_shift(same, 4, x, 4, 0.05);
	near("negative", s.shift, -2.5, 0);
	assert_true(s.low <= s.shift && s.shift <= s.high);
}

/* Complete separation: z = sqrt(3mn/(N+1)) but for the continuity correction; it does not tell how far. */
static void test_saturates(void **state)
{
	double x[120], y[20];
	struct sw_rank r;

	(void)state;
	for (size_t i = 0; i < 120; i++)
		x[i] = (double)i;
	for (double far = 1000; far <= 1e9; far *= 1000) {
		for (size_t i = 0; i < 20; i++)
			y[i] = far + (double)i;
		begin(&r, x, 120, y, 20);
		near("saturated", sw_rank_z(&r), sqrt(3.0 * 120 * 20 / 141) * (1199.5 / 1200), 1e-12);
	}
}

/* U, ties and z of every window, and the shift, against the definition. Rounded values tie often. */
static void test_incremental(void **state)
{
	uint64_t s = 7;

	(void)state;
	for (int round = 0; round < 60; round++) {
		double x[40], y[30], d[1200], steps = round % 3 == 0 ? 6 : 1000;
		size_t m = 1 + (size_t)(noise(&s) * 39), n = 1 + (size_t)(noise(&s) * 29), pairs = 0;
		struct sw_rank r, w;
		struct sw_shift shift;

		for (size_t i = 0; i < m; i++)
			x[i] = floor(noise(&s) * steps) - 3;
		for (size_t i = 0; i < n; i++)
			y[i] = floor(noise(&s) * steps) - 2;
		begin(&r, x, m, NULL, 0);
		for (size_t i = 0; i < n; i++) {
			size_t from = i >= 8 ? i - 7 : 0;

			if (r.n == 8)
				sw_rank_drop_oldest(&r);
			sw_rank_add(&r, y[i]);
			begin(&w, x, m, y + from, i + 1 - from);
			near("U of the window", r.u, w.u, 0);
			near("ties of the window", r.ties, w.ties, 0);
			near("z of the window", sw_rank_z(&r), sw_rank_z(&w), 1e-12);
		}
		begin(&r, x, m, y, n);
		r.u = -r.u;
		for (size_t i = 0; i < m; i++)
			for (size_t j = 0; j < n; j++) {
				r.u += y[j] > x[i] ? 1 : y[j] == x[i] ? 0.5 : 0;
				d[pairs++] = y[j] - x[i];
			}
		near("U by pairs", r.u, 0, 0);
		sw_order_sort(d, pairs);
		sw_order_sort(y, n);
		shift = sw_rank_shift(x, m, y, n, 0.05);
		near("shift by pairs", shift.shift, sw_order_median(d, pairs), 0);
		assert_true(shift.low >= d[0] && shift.low <= shift.shift && shift.shift <= shift.high && shift.high <= d[pairs - 1]);
	}
}

/* Adding a constant to all, or any rising function, changes nothing; swapping the sides changes the sign. */
static void test_invariant(void **state)
{
	double x[25], y[12], fx[25], fy[12], z;
	struct sw_rank r;
	uint64_t s = 3;

	(void)state;
	for (size_t i = 0; i < 25; i++)
		x[i] = fx[i] = noise(&s);
	for (size_t i = 0; i < 12; i++)
		y[i] = fy[i] = noise(&s) + 0.2;
	begin(&r, fx, 25, fy, 12);
	z = sw_rank_z(&r);
	for (size_t i = 0; i < 25; i++)
		fx[i] = exp(3 * x[i]) - 100;
	for (size_t i = 0; i < 12; i++)
		fy[i] = exp(3 * y[i]) - 100;
	begin(&r, fx, 25, fy, 12);
	near("rising function", sw_rank_z(&r), z, 1e-12);
	memcpy(fy, y, sizeof y);
	begin(&r, fy, 12, x, 25);
	near("sides swapped", sw_rank_z(&r), -z, 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normal), cmocka_unit_test(test_order), cmocka_unit_test(test_exact), cmocka_unit_test(test_published),
		cmocka_unit_test(test_edges), cmocka_unit_test(test_saturates), cmocka_unit_test(test_incremental), cmocka_unit_test(test_invariant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
