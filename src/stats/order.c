/* Order statistics of small arrays. */
#include "stats/order.h"

#include <math.h>
#include <string.h>

#define SMALL 64        /* trimmed_of */
#define MAD_TO_SIGMA 1.4826

size_t sw_order_valid(const double *in, size_t n, double *out)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (isfinite(in[i]))
			out[k++] = in[i];
	return k;
}

/* Shell's sort with the gaps of Ciura 2001: a few hundred values, without calls and memory. */
void sw_order_sort(double *x, size_t n)
{
	static const size_t gaps[] = { 701, 301, 132, 57, 23, 10, 4, 1 };

	for (size_t g = 0; g < SW_COUNT(gaps); g++)
		for (size_t gap = gaps[g], i = gap; i < n; i++) {
			double v = x[i];
			size_t j = i;

			for (; j >= gap && x[j - gap] > v; j -= gap)
				x[j] = x[j - gap];
			x[j] = v;
		}
}

double sw_order_median(const double *sorted, size_t n)
{
	if (n == 0)
		return NAN;
	return n % 2 ? sorted[n / 2] : sorted[n / 2 - 1] / 2 + sorted[n / 2] / 2;
}

double sw_order_quantile(const double *sorted, size_t n, double q)
{
	double at;
	size_t i;

	if (n == 0 || isnan(q))
		return NAN;
	at = (double)(n - 1) * (q < 0 ? 0 : q > 1 ? 1 : q);
	i = (size_t)at;
	if (i + 1 >= n)
		return sorted[n - 1];
	return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

double sw_order_trimmed(const double *sorted, size_t n, double share)
{
	size_t cut = (size_t)(share * (double)n);
	double sum = 0;

	if (n == 0)
		return NAN;
	SW_ASSERT(share >= 0 && 2 * cut < n);
	for (size_t i = cut; i < n - cut; i++)
		sum += sorted[i];
	return sum / (double)(n - 2 * cut);
}

double sw_order_trimmed_of(const double *x, size_t n, double share)
{
	double copy[SMALL];

	SW_ASSERT(n <= SMALL);
	if (n)
		memcpy(copy, x, n * sizeof *x);
	sw_order_sort(copy, n);
	return sw_order_trimmed(copy, n, share);
}

void sw_order_scale(double *x, size_t n, double *ret_median, double *ret_scale)
{
	double median;

	sw_order_sort(x, n);
	median = sw_order_median(x, n);
	for (size_t i = 0; i < n; i++)
		x[i] = fabs(x[i] - median);
	sw_order_sort(x, n);
	*ret_median = median;
	*ret_scale = MAD_TO_SIGMA * sw_order_median(x, n);
}
