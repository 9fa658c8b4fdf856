/* The three detectors of tier A, look by look. */
#include "stats/detect.h"

#include <math.h>

#include "stats/order.h"

void sw_detect_begin(struct sw_detect *d, const double *sorted_x, size_t m)
{
	sw_rank_begin(&d->all, sorted_x, m);
	sw_rank_begin(&d->recent, sorted_x, m);
	d->centre = sw_order_trimmed(sorted_x, m, SW_TRIM);
	d->looks = 0;
}

void sw_detect_add(struct sw_detect *d, double y, double c[SW_DETECTORS])
{
	SW_ASSERT(d->looks < SW_LOOKS_MAX);
	d->looks++;
	sw_rank_add(&d->all, y);
	if (d->recent.n == SW_RECENT)
		sw_rank_drop_oldest(&d->recent);
	sw_rank_add(&d->recent, y);
	c[SW_DETECT_RANK_ALL] = sw_rank_z(&d->all);
	c[SW_DETECT_RANK_RECENT] = sw_rank_z(&d->recent);
	c[SW_DETECT_MEAN_RECENT] = sw_order_trimmed_of(d->recent.y, d->recent.n, SW_TRIM) - d->centre;
}

static double root_part(double seen, double expected)
{
	return seen > 0 && expected > 0 ? seen * log(seen / expected) : 0;
}

double sw_detect_root(double bad_after, double all_after, double bad_before, double all_before)
{
	double bad = bad_after + bad_before, all = all_after + all_before, expected, sum;

	if (!(all_after > 0) || !(all_before > 0) || !(bad > 0))
		return 0;
	/* given bad in all, they fall on after and before as the requests do */
	expected = bad * (all_after / all);
	sum = root_part(bad_after, expected) + root_part(bad_before, bad - expected);
	if (!(sum > 0))
		return 0;
	return bad_after > expected ? sqrt(2 * sum) : -sqrt(2 * sum);
}

void sw_detect_counts_begin(struct sw_detect_counts *d, double bad_before, double all_before)
{
	d->bad_before = bad_before;
	d->all_before = all_before;
	d->bad_after = d->all_after = 0;
	d->looks = 0;
}

void sw_detect_counts_add(struct sw_detect_counts *d, double bad, double all, double c[SW_DETECTORS])
{
	double recent_bad = 0, recent_all = 0;

	SW_ASSERT(d->looks < SW_LOOKS_MAX);
	d->bad[d->looks] = bad;
	d->all[d->looks++] = all;
	d->bad_after += bad;
	d->all_after += all;
	for (size_t i = d->looks > SW_RECENT ? d->looks - SW_RECENT : 0; i < d->looks; i++) {
		recent_bad += d->bad[i];
		recent_all += d->all[i];
	}
	c[SW_DETECT_RANK_ALL] = sw_detect_root(d->bad_after, d->all_after, d->bad_before, d->all_before);
	c[SW_DETECT_RANK_RECENT] = sw_detect_root(recent_bad, recent_all, d->bad_before, d->all_before);
	c[SW_DETECT_MEAN_RECENT] = 0;
}
