/* Tier B: group-sequential tests on means. */
#include "stats/sequential.h"

#include <math.h>
#include <string.h>

#include "stats/normal.h"
#include "stats/order.h"

/* E min(|Z|, z(0.05))^2 of a normal Z: what winsorising at 5 % leaves of the variance. */
#define WINSOR_VARIANCE 0.8313

double sw_spend(enum sw_spend how, double alpha, double t)
{
	if (!(t > 0))
		return 0;
	if (t >= 1)
		return alpha;
	switch (how) {
	case SW_SPEND_OBRIEN_FLEMING:
		return 2 * sw_normal_tail(sw_normal_upper(alpha / 2) / sqrt(t));
	case SW_SPEND_POCOCK:
		return alpha * log1p(expm1(1) * t);
	}
	return 0;
}

/* Mean of the finite values; how many in *ret_n. */
static double mean_of(const double *x, size_t n, size_t *ret_n)
{
	double sum = 0;

	*ret_n = 0;
	for (size_t i = 0; i < n; i++)
		if (isfinite(x[i])) {
			sum += x[i];
			++*ret_n;
		}
	return *ret_n ? sum / (double)*ret_n : NAN;
}

/* Mean product of deviations h apart, over the pairs that are there. */
static double covariance(const double *x, size_t n, size_t h, double mean)
{
	double sum = 0;
	size_t pairs = 0;

	for (size_t i = 0; i + h < n; i++)
		if (isfinite(x[i]) && isfinite(x[i + h])) {
			sum += (x[i] - mean) * (x[i + h] - mean);
			pairs++;
		}
	return pairs ? sum / (double)pairs : 0;
}

double sw_vif(const double *x, size_t n, size_t lags, double least)
{
	size_t valid;
	double mean = mean_of(x, n, &valid), var = covariance(x, n, 0, mean), vif = 1;

	least = isfinite(least) && least > 1 ? least : 1;
	if (valid < 2 || !(var > 0) || !isfinite(var))
		return least;
	for (size_t h = 1; h <= lags && h < n; h++) {
		double r = covariance(x, n, h, mean) / var;

		r = r > 1 ? 1 : r < -1 ? -1 : r;
		r += (1 + 3 * r) / (double)valid;
		vif += 2 * (1 - (double)h / (double)(lags + 1)) * r;
	}
	return fmax(least, fmin(fmax(vif, 1), fmax(1, (double)valid / 4)));
}

/* Clamps values in time order (NaN stays) to their own 5 % and 95 % points; sorted: the finite ones, sorted. */
static void winsorise(double *x, size_t n, const double *sorted, size_t valid)
{
	size_t cut = (size_t)(SW_WINSOR * (double)valid);

	if (valid == 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (isfinite(x[i]))
			x[i] = fmin(fmax(x[i], sorted[cut]), sorted[valid - 1 - cut]);
}

void sw_sequential_begin(struct sw_sequential *s, const double *x, size_t n, size_t lags, double vif_least, double *scratch)
{
	double sorted[SW_BASELINE_MAX];
	size_t valid;

	SW_ASSERT(n <= SW_BASELINE_MAX);
	valid = sw_order_valid(x, n, sorted);
	sw_order_sort(sorted, valid);
	memcpy(scratch, x, n * sizeof *x);
	winsorise(scratch, n, sorted, valid);
	s->mean = mean_of(scratch, n, &s->m);
	s->var = s->m > 1 ? covariance(scratch, n, 0, s->mean) * (double)s->m / (double)(s->m - 1) / WINSOR_VARIANCE : 0;
	s->vif = sw_vif(scratch, n, lags, vif_least);
}

struct sw_sequential_look sw_sequential_look(const struct sw_sequential *s, const double *y, size_t k)
{
	double clamped[SW_LOOKS_MAX], sorted[SW_LOOKS_MAX], v;
	struct sw_sequential_look ret;
	size_t n;

	SW_ASSERT(k >= 1 && k <= SW_LOOKS_MAX && s->m > 1);
	memcpy(clamped, y, k * sizeof *y);
	memcpy(sorted, y, k * sizeof *y);
	sw_order_sort(sorted, k);
	winsorise(clamped, k, sorted, k);
	v = s->var * s->vif * (1 / (double)k + 1 / (double)s->m);
	ret.d = mean_of(clamped, k, &n) - s->mean;
	if (ret.d > 0)
		ret.d = fmax(0, fmin(ret.d, sw_order_median(sorted, k) - s->mean));
	ret.info = v > 0 ? 1 / v : INFINITY;
	ret.z = ret.d == 0 ? 0 : ret.d * sqrt(ret.info);
	return ret;
}

double sw_msprt_log(const struct sw_sequential_look *l, double tau)
{
	double grown = tau * tau * l->info;

	if (l->d == 0 || !(tau > 0))
		return 0;
	if (!isfinite(grown) || !isfinite(l->z))
		return INFINITY; /* a constant baseline, and a difference */
	/* S^2 = z^2 I */
	return -0.5 * log1p(grown) + l->z * l->z * (grown / (1 + grown)) / 2;
}

double sw_msprt_p(const struct sw_sequential_look *l, double tau)
{
	if (!(l->d > 0))
		return 1;
	return fmin(1, 0.5 * exp(-sw_msprt_log(l, tau)));
}

double sw_msprt_detectable(double info, double tau, double alpha, double power)
{
	double grown = tau * tau * info, z;

	if (!isfinite(grown))
		return 0;
	if (!(grown > 0))
		return INFINITY;
	z = sqrt(2 * (1 + grown) / grown * (log(0.5 / alpha) + 0.5 * log1p(grown)));
	return (z + sw_normal_upper(1 - power)) / sqrt(info);
}
