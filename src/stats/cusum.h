/*
 * Cumulative sums: is the probe failing, and when did a change begin?
 *
 * Page 1954 with the increments of Wald 1945. Probes fail now and then (p0) or mostly (p1): each answer moves S by the log of how
 * much likelier it is under p1, never below 0, and S at the limit is "failing". With the defaults a failure is +3.91, a good
 * answer -0.68, the limit 9.16: three failures in a row, or fail-ok-fail-fail. "3 in a row" is a special case of it.
 */
#ifndef SW_STATS_CUSUM_H
#define SW_STATS_CUSUM_H

#include "shipwatch/base.h"

#define SW_CUSUM_P0 0.01     /* share of failed probes of a healthy service: a lost packet, a collection pause */
#define SW_CUSUM_P1 0.5      /* of an ill one: half of its instances down behind a balancer */
#define SW_CUSUM_ALPHA 1e-4  /* wrong "failing" per start from 0 */
#define SW_CUSUM_BETA 0.05

struct sw_cusum {
	double fail, ok; /* what an answer adds: > 0, < 0 */
	double limit;
};
/* 0 < p0 < p1 < 1, 0 < alpha, beta < 0.5: ln(p1/p0), ln((1-p1)/(1-p0)), ln((1-beta)/alpha). */
struct sw_cusum sw_cusum_make(double p0, double p1, double alpha, double beta);
struct sw_cusum sw_cusum_default(void);

/*
 * The sum after one more answer; begins at 0. Kept at most at the limit, so that an hour of failures is not an hour of good
 * answers away from health: the first good answer ends "failing". A slow answer above its limit of time is a failure; no answer
 * to judge (the prober itself failed) is no step.
 */
double sw_cusum_step(const struct sw_cusum *c, double s, bool failed);
bool sw_cusum_failing(const struct sw_cusum *c, double s);

/* The sum over readings, oldest first: 1 good, 0 failed, anything else no reading. NaN counts as none. */
double sw_cusum_over(const struct sw_cusum *c, const double *readings, size_t n);

/*
 * Where the mean of v[0..n) rose: the i (1..n-1) at which sum_{j<i} (mean - v_j) is largest, v[i] being the first of the new
 * level. n when it rises nowhere (n < 2, all equal, falling). Finite values.
 */
size_t sw_change_point(const double *v, size_t n);

#endif
