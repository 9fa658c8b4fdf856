/*
 * Is it the deployment? What is asked once the numbers say "worse". All values are transformed: large is bad.
 */
#ifndef SW_STATS_GUARDS_H
#define SW_STATS_GUARDS_H

#include "shipwatch/base.h"
#include "stats/defaults.h"

/*
 * Temporal: had it begun before? Two questions, either is enough:
 *  - the last SW_RECENT of y are less than half of `rise` above the last SW_GUARD_POINTS of x: most of it is older than the window;
 *  - the largest CUSUM over these points and y puts the change more than SW_GUARD_STEPS before the end of x, and x was up by half
 *    of `rise` since then and in its last SW_GUARD_AGAIN: a burst that was over before the deployment is no beginning of it.
 *    Where the signal is often so high by itself (usual, of the calibration; 0: not known), a short height that happens to stand
 *    before a deployment is more likely than a beginning: there, not once y is SW_GUARD_PASSING times as long as it was.
 * rise: what is seen now, not the least that counts: a change that began before has its full height before.
 * x: m valid points in time order, y: n; fewer than 2 x SW_GUARD_POINTS of x, or no y: false, there is no "before" to compare.
 */
bool sw_guard_pre_existing(const double *x, size_t m, const double *y, size_t n, double rise, double usual);

/* Went away: the median of the last SW_GUARD_AGAIN of y is less than half of `required` above centre. */
bool sw_guard_transient(const double *y, size_t n, double centre, double required);

/* The same clock window of an earlier day. */
struct sw_guard_day {
	const double *x, *y; /* as of the deployment, NaN: missing; y: the same times of day as its samples, one for one */
	size_t m, n;
};
/*
 * Control by differences in differences: rise - median over days of (median y_d - median x_d). Days without SW_LOOK_FIRST  * points on both sides are left out; fewer than SW_GUARD_DAYS: returns rise as it is. *ret_days: how many days decided, or 0.
 * scratch: room for the longest x or y.
 */
double sw_guard_control(double rise, const struct sw_guard_day *days, size_t n_days, double *scratch, size_t *ret_days);

#define SW_GUARD_DAYS_MAX 14

#endif
