/*
 * The three detectors of tier A, look by look: ranks of all samples after, ranks of the last 8, trimmed mean of the last 8.
 *
 * Ranks alone saturate: when all n samples after lie above all m before, z is sqrt(3mn/(N+1)) whether they are a little or ten
 * times larger. So a magnitude stands beside them. The same code sees pseudo-deployments and the real one: that is what makes
 * them comparable.
 */
#ifndef SW_STATS_DETECT_H
#define SW_STATS_DETECT_H

#include "stats/defaults.h"
#include "stats/rank.h"

enum sw_detector { SW_DETECT_RANK_ALL, SW_DETECT_RANK_RECENT, SW_DETECT_MEAN_RECENT, SW_DETECTORS };

struct sw_detect {
	struct sw_rank all, recent;
	double centre; /* trimmed mean of the baseline */
	size_t looks;
};
/* sorted_x: m > 0 finite values, the caller's, sorted, must outlive d. */
void sw_detect_begin(struct sw_detect *d, const double *sorted_x, size_t m);
/* The next sample, finite; at most SW_LOOKS_MAX. c: z, z and a difference in the units of x, not yet divided by its scale. */
void sw_detect_add(struct sw_detect *d, double y, double c[SW_DETECTORS]);

/*
 * The same for counts: signed root of the likelihood ratio of "one rate" against "two", for all steps after and for the last 8.
 * sign(E1/N1 - E0/N0) sqrt(2 sum E ln(E/expected)), about a normal z (Wilks 1938), defined also at no errors at all.
 * The third is 0.
 */
struct sw_detect_counts {
	double bad_before, all_before;
	double bad[SW_LOOKS_MAX], all[SW_LOOKS_MAX];
	double bad_after, all_after;
	size_t looks;
};
void sw_detect_counts_begin(struct sw_detect_counts *d, double bad_before, double all_before);
void sw_detect_counts_add(struct sw_detect_counts *d, double bad, double all, double c[SW_DETECTORS]);

/* sign sqrt(2 log likelihood ratio) itself; 0 when there is nothing to compare. */
double sw_detect_root(double bad_after, double all_after, double bad_before, double all_before);

#endif
