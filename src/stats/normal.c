/* The normal distribution: area, tail and quantile. */
#include "stats/normal.h"

#include <math.h>

double sw_normal_cdf(double z)
{
	return 0.5 * erfc(-z / M_SQRT2);
}

double sw_normal_tail(double z)
{
	return 0.5 * erfc(z / M_SQRT2);
}

double sw_normal_upper(double p)
{
	double t, z;

	if (isnan(p) || p < 0 || p > 1)
		return NAN;
	if (p == 0)
		return INFINITY;
	if (p > 0.5)
		return -sw_normal_upper(1 - p);
	t = sqrt(-2 * log(p));
	z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
	for (int i = 0; i < 3; i++) {
		double density = exp(-z * z / 2) / sqrt(2 * M_PI);
		double off = density > 0 ? (sw_normal_tail(z) - p) / density : 0;

		z += off / (1 - z * off / 2);
	}
	return z;
}
