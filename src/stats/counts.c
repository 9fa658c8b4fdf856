/* Error rates from counts: exact tests, over-dispersion, what can be seen at all. */
#include "stats/counts.h"

#include <math.h>

#include "stats/normal.h"

#define EXACT_MOST 1e9      /* above, the normal */
#define COUNT_MOST 1e15
#define BLOCK_EXPECTED 5    /* Pearson's statistic wants about that many in a cell */
#define BLOCKS_LEAST 4
#define HALVINGS 60         /* of an interval: to the last bit that matters */

static double whole(double v)
{
	return v > 0 ? fmin(floor(v + 0.5), COUNT_MOST) : 0;
}

/* log of C(n, k) p^k (1-p)^(n-k) */
static double binomial_log(double k, double n, double p)
{
	int sign;

	return lgamma_r(n + 1, &sign) - lgamma_r(k + 1, &sign) - lgamma_r(n - k + 1, &sign) + (k > 0 ? k * log(p) : 0) +
	       (n > k ? (n - k) * log1p(-p) : 0);
}

/* From the term at k away from the mean until nothing is added; up: k, k+1, … else k, k-1, … */
static double binomial_sum(double k, double n, double p, bool up)
{
	double term = exp(binomial_log(k, n, p)), sum = term, odds = p / (1 - p);

	while (up ? k < n : k > 0) {
		term *= up ? (n - k) / (k + 1) * odds : k / (n - k + 1) / odds;
		k += up ? 1 : -1;
		sum += term;
		if (term < sum * 1e-17)
			break;
	}
	return fmin(sum, 1);
}

double sw_binomial_tail(double k, double n, double p)
{
	if (isnan(k) || isnan(n) || isnan(p))
		return NAN;
	if (k <= 0 || p >= 1)
		return k <= n || k <= 0 ? 1 : 0;
	if (k > n || p <= 0)
		return 0;
	if (n > EXACT_MOST)
		return sw_normal_tail((k - 0.5 - n * p) / sqrt(n * p * (1 - p)));
	return k > n * p ? binomial_sum(k, n, p, true) : 1 - binomial_sum(k - 1, n, p, false);
}

double sw_counts_p(const struct sw_counts *c, double times, double phi)
{
	double after = whole(c->bad_after), all = after + whole(c->bad_before), p;

	if (!(c->all_after > 0) || !(c->all_before > 0) || !(times > 0))
		return 1;
	p = sw_binomial_tail(after, all, times * c->all_after / (times * c->all_after + c->all_before));
	if (!(phi > 1) || p <= 0 || p >= 1)
		return isnan(p) ? 1 : p;
	return sw_normal_tail(sw_normal_upper(p) / sqrt(phi));
}

double sw_counts_ratio(const struct sw_counts *c)
{
	if (!(c->all_after > 0) || !(c->all_before > 0))
		return NAN;
	return (fmax(c->bad_after, 0) + 0.5) / (c->all_after + 0.5) / ((fmax(c->bad_before, 0) + 0.5) / (c->all_before + 0.5));
}

/* The p in 0..1 at which P(X >= k) is `want`; the tail grows with p. */
static double binomial_share(double k, double n, double want)
{
	double low = 0, high = 1;

	for (int i = 0; i < HALVINGS; i++) {
		double mid = (low + high) / 2;

		if (sw_binomial_tail(k, n, mid) < want)
			low = mid;
		else
			high = mid;
	}
	return (low + high) / 2;
}

void sw_counts_interval(const struct sw_counts *c, double alpha, double *ret_low, double *ret_high)
{
	double after = whole(c->bad_after), all = after + whole(c->bad_before), low, high, requests;

	*ret_low = 0;
	*ret_high = INFINITY;
	if (!(c->all_after > 0) || !(c->all_before > 0) || all == 0 || !isfinite(c->all_before / c->all_after))
		return;
	requests = c->all_before / c->all_after;
	low = after > 0 ? binomial_share(after, all, alpha / 2) : 0;
	high = after < all ? binomial_share(after + 1, all, 1 - alpha / 2) : 1;
	*ret_low = low < 1 ? low / (1 - low) * requests : INFINITY;
	*ret_high = high < 1 ? high / (1 - high) * requests : INFINITY;
}

static bool step_valid(const double *bad, const double *all, size_t i)
{
	return isfinite(bad[i]) && isfinite(all[i]) && all[i] > 0 && bad[i] >= 0;
}

double sw_counts_phi(const double *bad, const double *all, size_t n)
{
	double sum_bad = 0, sum_all = 0, rate, block_bad = 0, block_all = 0, x2 = 0;
	size_t blocks = 0;

	for (size_t i = 0; i < n; i++)
		if (step_valid(bad, all, i)) {
			sum_bad += bad[i];
			sum_all += all[i];
		}
	if (!(sum_bad > 0) || !(sum_bad < sum_all) || !isfinite(sum_all))
		return 1;
	rate = sum_bad / sum_all;
	for (size_t i = 0; i < n; i++) {
		if (!step_valid(bad, all, i))
			continue;
		block_bad += bad[i];
		block_all += all[i];
		if (block_all * rate < BLOCK_EXPECTED)
			continue;
		x2 += (block_bad - block_all * rate) * (block_bad - block_all * rate) / (block_all * rate * (1 - rate));
		blocks++;
		block_bad = block_all = 0;
	}
	if (blocks < BLOCKS_LEAST || !isfinite(x2))
		return 1;
	return fmax(1, x2 / (double)(blocks - 1));
}

/* Poisson P(X >= k). */
static double poisson_tail(double k, double mean)
{
	double term = exp(-mean), sum = 0;

	if (!(mean > 0))
		return k <= 0;
	if (mean > 500)
		return sw_normal_tail((k - 0.5 - mean) / sqrt(mean));
	for (double i = 0; i < k; i++) {
		sum += term;
		term *= mean / (i + 1);
	}
	return fmax(0, 1 - sum);
}

/* The least E1 >= from that is significant given E0; more than all_after when none is. */
static double least_bad(double bad_before, double all_before, double all_after, double alpha, double from)
{
	struct sw_counts c = { from, all_after, bad_before, all_before };
	double step = fmax(1, floor(sqrt(bad_before * all_after / all_before + 1))), not_yet = from - 1;

	while (c.bad_after <= all_after && sw_counts_p(&c, 1, 1) > alpha) {
		not_yet = c.bad_after;
		c.bad_after += step;
	}
	while (c.bad_after - not_yet > 1) {
		double mid = floor((c.bad_after + not_yet) / 2), high = c.bad_after;

		c.bad_after = mid;
		if (sw_counts_p(&c, 1, 1) > alpha) {
			not_yet = mid;
			c.bad_after = high;
		}
	}
	return c.bad_after;
}

double sw_counts_power(double rate_before, double all_before, double all_after, double times, double alpha)
{
	double mean = rate_before * all_before, after = rate_before * times * all_after, power = 0, term = exp(-mean), need = 0;
	double most = mean + 10 * sqrt(mean + 1) + 10;

	if (mean > 500) { /* the count before is as good as known */
		need = least_bad(floor(mean + 0.5), all_before, all_after, alpha, 0);
		return poisson_tail(need, after);
	}
	for (double e = 0; e <= most; e++) {
		need = least_bad(e, all_before, all_after, alpha, need);
		power += term * poisson_tail(need, after);
		term *= mean / (e + 1);
	}
	return power;
}

double sw_counts_detectable(double bad_before, double all_before, double all_after, double alpha)
{
	double need, low, high;

	bad_before = whole(bad_before);
	all_after = fmin(all_after, EXACT_MOST);
	if (!(all_before > 0) || !(all_after >= 1) || bad_before > EXACT_MOST || !isfinite(all_before))
		return 1;
	need = least_bad(bad_before, all_before, all_after, alpha, floor(bad_before * (all_after / all_before)));
	low = 0;
	high = all_after;
	if (need > all_after || poisson_tail(need, high) < SW_POWER)
		return 1;
	for (int i = 0; i < HALVINGS; i++) {
		double mid = (low + high) / 2;

		if (poisson_tail(need, mid) < SW_POWER)
			low = mid;
		else
			high = mid;
	}
	return high / all_after;
}
