/* Is it the deployment? What is asked once the numbers say "worse". */
#include "stats/guards.h"

#include <math.h>
#include <string.h>

#include "stats/cusum.h"
#include "stats/order.h"

/* Median of a few values in any order. */
static double median_of(const double *x, size_t n)
{
	double copy[SW_BASELINE_MAX];

	SW_ASSERT(n <= SW_BASELINE_MAX);
	if (n)
		memcpy(copy, x, n * sizeof *x);
	sw_order_sort(copy, n);
	return sw_order_median(copy, n);
}

bool sw_guard_pre_existing(const double *x, size_t m, const double *y, size_t n, double rise, double usual)
{
	double joined[SW_GUARD_POINTS + SW_LOOKS_MAX], before;
	const double *tail = x + m - SW_MIN(m, (size_t)SW_GUARD_POINTS);
	size_t at, recent = SW_MIN(n, (size_t)SW_RECENT);

	SW_ASSERT(n <= SW_LOOKS_MAX && m <= SW_BASELINE_MAX);
	if (m < 2 * SW_GUARD_POINTS || n == 0)
		return false;
	before = median_of(x, m - SW_GUARD_POINTS);
	if (median_of(y + n - recent, recent) - median_of(tail, SW_GUARD_POINTS) < rise / 2)
		return true;
	memcpy(joined, tail, SW_GUARD_POINTS * sizeof *x);
	memcpy(joined + SW_GUARD_POINTS, y, n * sizeof *y);
	at = sw_change_point(joined, SW_GUARD_POINTS + n);
	if (at + SW_GUARD_STEPS >= SW_GUARD_POINTS)
		return false;
	if (rise / 2 <= usual && n >= SW_GUARD_PASSING * (SW_GUARD_POINTS - at))
		return false;
	return median_of(tail + at, SW_GUARD_POINTS - at) - before >= rise / 2 &&
	       median_of(tail + SW_GUARD_POINTS - SW_GUARD_AGAIN, SW_GUARD_AGAIN) - before >= rise / 2;
}

bool sw_guard_transient(const double *y, size_t n, double centre, double required)
{
	size_t again = SW_MIN(n, (size_t)SW_GUARD_AGAIN);

	return again > 0 && median_of(y + n - again, again) - centre < required / 2;
}

double sw_guard_control(double rise, const struct sw_guard_day *days, size_t n_days, double *scratch, size_t *ret_days)
{
	double rises[SW_GUARD_DAYS_MAX];
	size_t n = 0;

	for (size_t d = 0; d < n_days && n < SW_GUARD_DAYS_MAX; d++) {
		size_t valid = sw_order_valid(days[d].x, days[d].m, scratch);
		double before;

		if (valid < SW_LOOK_FIRST)
			continue;
		sw_order_sort(scratch, valid);
		before = sw_order_median(scratch, valid);
		valid = sw_order_valid(days[d].y, days[d].n, scratch);
		if (valid < SW_LOOK_FIRST)
			continue;
		sw_order_sort(scratch, valid);
		rises[n++] = sw_order_median(scratch, valid) - before;
	}
	*ret_days = n < SW_GUARD_DAYS ? 0 : n;
	if (n < SW_GUARD_DAYS)
		return rise;
	sw_order_sort(rises, n);
	return rise - sw_order_median(rises, n);
}
