/* The normal distribution: area, tail and quantile. */
#ifndef SW_STATS_NORMAL_H
#define SW_STATS_NORMAL_H

/* P(Z <= z) and P(Z > z), 0..1, both accurate in their small tail (libm's erfc). NaN in, NaN out. */
double sw_normal_cdf(double z);
double sw_normal_tail(double z);

/*
 * The z with P(Z > z) = p; p = 0 gives +infinity, p = 1 -infinity, outside 0..1 NaN. About 15 digits: the rational approximation
 * 26.2.23 of Abramowitz & Stegun 1964 (error 4.5e-4), then Halley's steps on erfc.
 */
double sw_normal_upper(double p);

#endif
