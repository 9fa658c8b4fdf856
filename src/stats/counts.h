/*
 * Error rates from counts: E1 bad of N1 requests after, E0 of N0 before.
 *
 * A ratio of 1 % says nothing about how sure it is; 1 of 100 and 1,000 of 100,000 are different news. Given E0 + E1 in all, E1 is
 * binomial with share N1/(N0+N1) when the rate did not change, however small the rates (Przyborowski & Wilenski 1940). Works at
 * E0 = 0. Counts may be fractions (increase() of Prometheus interpolates); they are rounded to whole ones. Negative: as 0.
 */
#ifndef SW_STATS_COUNTS_H
#define SW_STATS_COUNTS_H

#include "shipwatch/base.h"
#include "stats/defaults.h"

/* P(X >= k), X binomial(n, p). k <= 0: 1; k > n: 0. n up to 1e9 exactly summed, O(sqrt n) terms; above, by the normal. */
double sw_binomial_tail(double k, double n, double p);

struct sw_counts {
	double bad_after, all_after, bad_before, all_before;
};

/*
 * One-sided p of "the rate after is at most `times` the rate before": P(X >= E1), X binomial(E0 + E1, g N1/(g N1 + N0)).
 * times 1: did it rise at all; 2: is it more than doubled. phi >= 1: over-dispersion, the normal quantile of p is divided by
 * sqrt(phi). No requests on either side: 1.
 */
double sw_counts_p(const struct sw_counts *c, double times, double phi);

/* Rate after / rate before with half a bad request added on both sides, so that 0 before is no infinity. NaN: no requests. */
double sw_counts_ratio(const struct sw_counts *c);

/* Two-sided (1 - alpha) interval of the ratio of rates (Clopper & Pearson 1934 on the share of E1). high may be infinite. */
void sw_counts_interval(const struct sw_counts *c, double alpha, double *ret_low, double *ret_high);

/*
 * Over-dispersion over the n steps of a baseline: Pearson's X^2/(B-1), B blocks of neighbouring steps, each with about 5 expected
 * bad ones and not less than a step; at least 1. Real errors come in bursts: phi 4 means a count is only half as sure.
 * 1 when there are fewer than 4 blocks (too few errors to tell). Steps that are not finite are left out.
 */
double sw_counts_phi(const double *bad, const double *all, size_t n);

/* Chance that one look at the end finds a rate `times` as large, at expected counts (Poisson, both sides). */
double sw_counts_power(double rate_before, double all_before, double all_after, double times, double alpha);

/*
 * The rate after that would be found with chance SW_POWER by a look at all_after requests, given what was before: the detectable
 * effect, for "not enough traffic to tell: only more than x would be seen". Rate in 0..1; 1 when not even that would be found.
 */
double sw_counts_detectable(double bad_before, double all_before, double all_after, double alpha);

#endif
