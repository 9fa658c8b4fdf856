/*
 * Are the values after larger than those before? The rank sum test of Wilcoxon 1945, Mann & Whitney 1947.
 *
 * x: m values before, y: n values after. Everything is one-sided: large means y is larger; who fears small values hands in
 * negated ones. No NaN in any array: missing values are left out by the caller. Infinities are ordinary large values here.
 */
#ifndef SW_STATS_RANK_H
#define SW_STATS_RANK_H

#include "shipwatch/base.h"

#define SW_RANK_POST_MAX 64   /* y's held at a time */
#define SW_RANK_EXACT_MAX 20  /* m and n of the exact distribution */

/*
 * U look by look: one y at a time costs a binary search in the baseline and a pass over the y's held, not a new ranking.
 * x stays the caller's, sorted, and must outlive this.
 */
struct sw_rank {
	const double *x;
	size_t m;
	double y[SW_RANK_POST_MAX]; /* oldest first */
	size_t n;
	double u;    /* pairs with y > x, half a pair for each equal one: sum of midranks of y - n(n+1)/2 */
	double ties; /* sum of t^3 - t over groups of t equal values of x and y together */
};
void sw_rank_begin(struct sw_rank *r, const double *sorted_x, size_t m);
void sw_rank_add(struct sw_rank *r, double y);  /* n < SW_RANK_POST_MAX */
void sw_rank_drop_oldest(struct sw_rank *r);    /* n > 0 */

/*
 * z = (U - mn/2 -+ 1/2) / sqrt(Var), Var = mn/12 [(N+1) - ties/(N(N-1))], N = m + n; the half towards 0 (continuity), and 0 when
 * U is within half of its mean. All values tied, or m or n 0: 0, no change is seen (noise is never added to break ties).
 */
double sw_rank_z(const struct sw_rank *r);

/* A12 = U/(mn): how often a y is larger than an x, 0..1, 0.5 = no difference (Vargha & Delaney 2000). */
double sw_rank_a12(const struct sw_rank *r);

/*
 * P(U >= u) when nothing changed, exact, for m, n <= SW_RANK_EXACT_MAX and no ties: counts by f(u; m, n) = f(u-n; m-1, n) + f(u; m, n-1)
 * of Mann & Whitney, out of C(m+n, n). Whole numbers below 2^53, so nothing is lost. m = 0 or n = 0: 1.
 */
double sw_rank_exact(size_t m, size_t n, double u);

/*
 * The shift between the two: the median of all y_j - x_i (Hodges & Lehmann 1963) and its two-sided (1 - alpha) interval, the
 * differences number C and mn+1-C, C = floor(mn/2 - z(alpha/2) sqrt(mn(N+1)/12)), at least 1. Both sorted, finite, m, n > 0. Exact order
 * statistics without holding the mn differences. On logs, exp of it is a factor.
 */
struct sw_shift {
	double shift, low, high;
};
struct sw_shift sw_rank_shift(const double *sorted_x, size_t m, const double *sorted_y, size_t n, double alpha);

#endif
