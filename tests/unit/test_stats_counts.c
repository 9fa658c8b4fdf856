/* Exact counts and their power, spending and sequential tests, cumulative sums. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/counts.h"
#include "stats/cusum.h"
#include "stats/sequential.h"

static void near(const char *what, double got, double want, double within)
{
	if (!(fabs(got - want) <= within * fmax(1, fabs(want))) && !(isnan(got) && isnan(want)) && got != want)
		fail_msg("%s: %.15g, want %.15g", what, got, want);
}

static void test_binomial(void **state)
{
	/* by exact fractions */
	static const struct { double k, n, p, want; } cases[] = {
		{ 6, 20, 0.1, 0.011253134164509 }, { 1, 10, 0.01, 0.09561792499119551 }, { 10, 10, 0.5, 0.0009765625 },
		{ 3, 100, 0.02, 0.323314377648221 }, { 40, 300, 0.1, 0.03780398144356121 }, { 0, 10, 0.5, 1 }, { 11, 10, 0.5, 0 },
		{ 1, 10, 0, 0 }, { 10, 10, 1, 1 }, { 11, 10, 1, 0 }, { 0, 0, 0.5, 1 }, { 1, 0, 0.5, 0 }, { NAN, 1, 0.5, NAN },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++)
		near("tail", sw_binomial_tail(cases[i].k, cases[i].n, cases[i].p), cases[i].want, 1e-12);
	/* large ones: the exact sum and the normal meet */
	near("at the limit", sw_binomial_tail(5e8 + 20000, 1e9, 0.5), sw_binomial_tail(5e8 + 20000 + 0.5, 1e9 + 1, 0.5), 1e-4);
}

static void test_rates(void **state)
{
	static const struct { struct sw_counts c; double times, phi, p; } cases[] = {
		{ { 3, 300, 0, 1800 }, 1, 1, 0.0029154518950437317 },       /* nothing before */
		{ { 9, 300, 18, 1800 }, 1, 1, 0.010129354164162387 },
		{ { 9, 300, 18, 1800 }, 2, 1, 0.2140502318877075 },         /* more than doubled? */
		{ { 60, 3000, 180, 18000 }, 1, 1, 8.241226279568636e-06 },
		{ { 0, 300, 5, 1800 }, 1, 1, 1 },
		{ { 0, 300, 0, 1800 }, 1, 1, 1 },
		{ { 5, 0, 5, 1800 }, 1, 1, 1 },                             /* no requests */
		{ { 5, 300, 5, 0 }, 1, 1, 1 },
		{ { NAN, 300, 5, 1800 }, 1, 1, 1 }, { { 3, NAN, 5, 1800 }, 1, 1, 1 }, { { -5, 300, -5, 1800 }, 1, 1, 1 },
		{ { 9.4, 300, 17.6, 1800 }, 1, 1, 0.010129354164162387 },   /* rounded */
		{ { 9, 300, 18, 1800 }, 1, 4, 0.1228 },                     /* z 2.321 halved */
	};
	double low, high;
	struct sw_counts c = { 10, 100, 90, 100 };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++)
		near("p", sw_counts_p(&cases[i].c, cases[i].times, cases[i].phi), cases[i].p, cases[i].phi > 1 ? 1e-3 : 1e-12);
	sw_counts_interval(&c, 0.05, &low, &high); /* 10 of 100: 0.0490 to 0.1762 (Clopper & Pearson) */
	near("low", low / (1 + low), 0.0490, 1e-4);
	near("high", high / (1 + high), 0.1762, 1e-4);
	c = (struct sw_counts){ 0, 100, 0, 100 };
	sw_counts_interval(&c, 0.05, &low, &high);
	assert_true(low == 0 && isinf(high));
	near("ratio at none", sw_counts_ratio(&c), 1, 1e-12);
	c = (struct sw_counts){ 3, 100, 0, 1000 };
	sw_counts_interval(&c, 0.05, &low, &high);
	assert_true(low > 1 && isinf(high) && sw_counts_ratio(&c) > 20 && isfinite(sw_counts_ratio(&c)));
	assert_true(isnan(sw_counts_ratio(&(struct sw_counts){ 1, 0, 1, 1 })));
}

/*
 * Power of one look, 30 min before and 5 min after, alpha 1 %: the table of docs/statistics.md, which was simulated: its first two
 * rows are the same Poisson counts, and differ by 2 points.
 */
static void test_power(void **state)
{
	static const struct { double rps, rate, want[3]; } rows[] = {
		{ 1, 0.01, { 14, 48, 92 } }, { 10, 0.001, { 13, 50, 93 } }, { 10, 0.01, { 97, 100, 100 } }, { 1, 0.001, { 0, 2, 9 } },
	};
	static const double times[3] = { 2, 3, 5 };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++)
		for (size_t j = 0; j < 3; j++) {
			double got = 100 * sw_counts_power(rows[i].rate, rows[i].rps * 1800, rows[i].rps * 300, times[j], 0.01);

			if (fabs(got - rows[i].want[j]) > 2.1)
				fail_msg("%g rps %g x%g: %.1f %%, want %.0f %%", rows[i].rps, rows[i].rate, times[j], got, rows[i].want[j]);
		}
	/* what is said to be detectable is found in 80 % of the cases */
	near("detectable", sw_counts_power(0.01, 18000, 3000, sw_counts_detectable(180, 18000, 3000, 0.01) / 0.01, 0.01), 0.8, 0.03);
	assert_true(sw_counts_detectable(18, 1800, 300, 0.01) > 3.5 * 0.01 && sw_counts_detectable(18, 1800, 300, 0.01) < 5 * 0.01);
	near("nothing could be", sw_counts_detectable(0, 10, 1, 0.01), 1, 0);
	near("no requests", sw_counts_detectable(0, 0, 0, 0.01), 1, 0);
	assert_true(sw_counts_detectable(0, 18000, 3000, 0.01) < 0.003);
	assert_true(sw_counts_detectable(5e8, 1e12, 1e9, 0.01) < 5.2e-4);
}

static void test_dispersion(void **state)
{
	double bad[120], all[120], wild[120];

	(void)state;
	for (size_t i = 0; i < 120; i++) {
		all[i] = 150;
		bad[i] = (double)(i % 4);           /* evener than chance: 1 */
		wild[i] = i % 30 < 15 ? 0 : 6;      /* in heaps */
	}
	near("even", sw_counts_phi(bad, all, 120), 1, 0);
	assert_true(sw_counts_phi(wild, all, 120) > 4);
	near("too few errors", sw_counts_phi(bad, all, 4), 1, 0);
	wild[3] = NAN;
	all[4] = 0;
	assert_true(sw_counts_phi(wild, all, 120) > 4);
	for (size_t i = 0; i < 120; i++)
		wild[i] = all[i];
	near("all bad", sw_counts_phi(wild, all, 120), 1, 0);
	near("none", sw_counts_phi(wild, all, 0), 1, 0);
}

static void test_spending(void **state)
{
	(void)state;
	near("OF .2", sw_spend(SW_SPEND_OBRIEN_FLEMING, 0.05, 0.2), 1.1726446842441618e-05, 1e-12);
	near("OF .5", sw_spend(SW_SPEND_OBRIEN_FLEMING, 0.05, 0.5), 0.005574596680784527, 1e-12);
	near("P .5", sw_spend(SW_SPEND_POCOCK, 0.05, 0.5), 0.031005725347913876, 1e-12);
	for (int how = SW_SPEND_OBRIEN_FLEMING; how <= SW_SPEND_POCOCK; how++) {
		double last = 0;

		near("nothing at first", sw_spend((enum sw_spend)how, 0.01, 0), 0, 0);
		near("NaN", sw_spend((enum sw_spend)how, 0.01, NAN), 0, 0);
		near("all at the end", sw_spend((enum sw_spend)how, 0.01, 1), 0.01, 1e-15);
		near("no more later", sw_spend((enum sw_spend)how, 0.01, 7), 0.01, 1e-15);
		for (double t = 0.05; t <= 1; t += 0.05) {
			assert_true(sw_spend((enum sw_spend)how, 0.01, t) >= last);
			last = sw_spend((enum sw_spend)how, 0.01, t);
		}
	}
}

static void test_sequential(void **state)
{
	double x[120], rough[120], scratch[120], y[20], p, last;
	struct sw_sequential s;
	struct sw_sequential_look l;

	(void)state;
	for (size_t i = 0; i < 120; i++) {
		x[i] = i % 2 ? 1 : -1;                   /* alternates: less than independent, so 1 */
		rough[i] = i % 40 < 20 ? -1 : 1;         /* stays long */
	}
	near("alternating", sw_vif(x, 120, SW_LAGS, 1), 1, 0);
	near("overlap", sw_vif(x, 120, SW_LAGS, 4), 4, 0);
	assert_true(sw_vif(rough, 120, SW_LAGS, 1) > 7 && sw_vif(rough, 120, SW_LAGS, 1) <= 30);
	near("NaN least", sw_vif(x, 120, SW_LAGS, NAN), 1, 0);
	near("nothing", sw_vif(x, 0, SW_LAGS, 1), 1, 0);
	sw_sequential_begin(&s, x, 120, SW_LAGS, 1, scratch);
	near("mean", s.mean, 0, 1e-15);
	near("var", s.var, 120.0 / 119 / 0.8313, 1e-12);
	last = 1;
	for (size_t k = 1; k <= 20; k++) {
		y[k - 1] = 3;
		l = sw_sequential_look(&s, y, k);
		near("d", l.d, 3, 1e-12);
		near("info", l.info, 1 / (s.var * (1.0 / (double)k + 1.0 / 120)), 1e-12);
		p = sw_msprt_p(&l, 1);
		assert_true(p < last);
		last = p;
	}
	/* (1 + tau^2 I)^(-1/2) exp(tau^2 S^2 / (2 (1 + tau^2 I))) */
	near("ratio", sw_msprt_log(&l, 1), -0.5 * log(1 + l.info) + l.d * l.info * l.d * l.info / (2 * (1 + l.info)), 1e-9);
	for (size_t k = 0; k < 20; k++)
		y[k] = k < 9 ? 9 : 0;                    /* a burst of less than half */
	l = sw_sequential_look(&s, y, 20);
	near("no step", l.d, 0, 1e-12);
	near("p", sw_msprt_p(&l, 1), 1, 0);
	y[0] = -9;
	l = sw_sequential_look(&s, y, 1);
	assert_true(l.d < 0);
	near("better is not worse", sw_msprt_p(&l, 1), 1, 0);
	for (size_t i = 0; i < 120; i++)
		x[i] = i % 3 ? 5 : NAN;
	sw_sequential_begin(&s, x, 120, SW_LAGS, 1, scratch);
	l = sw_sequential_look(&s, (double[]){ 5, 5, 5, 5 }, 4);
	near("constant, no change", sw_msprt_p(&l, 1), 1, 0);
	l = sw_sequential_look(&s, (double[]){ 6, 6, 6, 6 }, 4);
	near("constant, a change", sw_msprt_p(&l, 1), 0, 0);
	near("detectable in what never moves", sw_msprt_detectable(INFINITY, 1, 0.01, 0.8), 0, 0);
	near("never", sw_msprt_detectable(0, 1, 0.01, 0.8), INFINITY, 0);
}

/* f failed, o good, . no reading; capital: failing from here on. */
static void test_cusum(void **state)
{
	static const struct { const char *readings; bool failing; } cases[] = {
		{ "fff", true }, { "ff", false }, { "foff", true }, { "foof", false }, { "f.f.f", true }, { "....", false }, { "", false },
		{ "oooooooofff", true }, { "fofof", true }, { "foooofoooof", false }, { "fffo", false }, { "fffof", true }, { "ffffffffffo", false },
		{ "ooooooooooooff", false },
	};
	struct sw_cusum c = sw_cusum_default();
	double readings[32];

	(void)state;
	near("failure", c.fail, 3.912023005428146, 1e-12);
	near("good", c.ok, -0.6830968447064439, 1e-12);
	near("limit", c.limit, 9.159047077588632, 1e-12);
	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		size_t n = 0;

		for (const char *p = cases[i].readings; *p; p++)
			readings[n++] = *p == 'f' ? 0 : *p == 'o' ? 1 : NAN;
		if (sw_cusum_failing(&c, sw_cusum_over(&c, readings, n)) != cases[i].failing)
			fail_msg("%s: want %s", cases[i].readings, cases[i].failing ? "failing" : "not failing");
	}
}

static void test_change_point(void **state)
{
	static const struct { double v[8]; size_t n, at; } cases[] = {
		{ { 1, 1, 1, 5, 5, 5, 5, 5 }, 8, 3 }, { { 5, 1, 1, 1, 1, 5, 5, 5 }, 8, 5 }, { { 1, 1, 1, 1, 1, 1, 1, 9 }, 8, 7 },
		{ { 0, 9, 9, 9, 9, 9, 9, 9 }, 8, 1 }, { { 5, 5, 5, 5 }, 4, 4 }, { { 9, 5, 1 }, 3, 3 }, { { 1 }, 1, 1 }, { { 0 }, 0, 0 },
		{ { 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1 }, 7, 7 },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++)
		if (sw_change_point(cases[i].v, cases[i].n) != cases[i].at)
			fail_msg("case %zu: %zu, want %zu", i, sw_change_point(cases[i].v, cases[i].n), cases[i].at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binomial), cmocka_unit_test(test_rates), cmocka_unit_test(test_power), cmocka_unit_test(test_dispersion),
		cmocka_unit_test(test_spending), cmocka_unit_test(test_sequential), cmocka_unit_test(test_cusum), cmocka_unit_test(test_change_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
