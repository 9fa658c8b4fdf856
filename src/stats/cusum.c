/* Cumulative sums: is the probe failing, and when did a change begin? */
#include "stats/cusum.h"

#include <math.h>

struct sw_cusum sw_cusum_make(double p0, double p1, double alpha, double beta)
{
	SW_ASSERT(p0 > 0 && p0 < p1 && p1 < 1 && alpha > 0 && alpha < 0.5 && beta > 0 && beta < 0.5);
	return (struct sw_cusum){ .fail = log(p1 / p0), .ok = log((1 - p1) / (1 - p0)), .limit = log((1 - beta) / alpha) };
}

struct sw_cusum sw_cusum_default(void)
{
	return sw_cusum_make(SW_CUSUM_P0, SW_CUSUM_P1, SW_CUSUM_ALPHA, SW_CUSUM_BETA);
}

double sw_cusum_step(const struct sw_cusum *c, double s, bool failed)
{
	s += failed ? c->fail : c->ok;
	return !(s > 0) ? 0 : s > c->limit ? c->limit : s;
}

bool sw_cusum_failing(const struct sw_cusum *c, double s)
{
	return s >= c->limit;
}

double sw_cusum_over(const struct sw_cusum *c, const double *readings, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		if (readings[i] == 0 || readings[i] == 1)
			s = sw_cusum_step(c, s, readings[i] == 0);
	return s;
}

size_t sw_change_point(const double *v, size_t n)
{
	double mean = 0, sum = 0, best = 0;
	size_t at = n;

	for (size_t i = 0; i < n; i++)
		mean += v[i] / (double)n;
	for (size_t i = 1; i < n; i++) {
		sum += mean - v[i - 1];
		if (sum > best + 1e-12 * fabs(mean)) {
			best = sum;
			at = i;
		}
	}
	return at;
}
