/* Order statistics of small arrays: what is left of a sample when single wild values shall not decide. */
#ifndef SW_STATS_ORDER_H
#define SW_STATS_ORDER_H

#include "shipwatch/base.h"

/* The finite values of in[0..n), in their order, to out (room for n; may be in itself). Returns how many. */
size_t sw_order_valid(const double *in, size_t n, double *out);

/* Ascending. No NaN among them. */
void sw_order_sort(double *x, size_t n);

/* Of sorted values; NaN when there are none. quantile: q in 0..1, linear between neighbours (Hyndman & Fan 1996, type 7). */
double sw_order_median(const double *sorted, size_t n);
double sw_order_quantile(const double *sorted, size_t n, double q);

/* The mean without the floor(n * share) smallest and as many largest; share in 0..0.5 exclusive. */
double sw_order_trimmed(const double *sorted, size_t n, double share);

/* The trimmed mean of at most 64 values in any order. */
double sw_order_trimmed_of(const double *x, size_t n, double share);

/* Median and 1.4826 x median of absolute deviations (sigma, if the values were normal) of x, which is left sorted otherwise. */
void sw_order_scale(double *x, size_t n, double *ret_median, double *ret_scale);

#endif
