/*
 * regressed(signal, by=, alpha=): did it get worse after this deployment? The whole judgement, for the engine and for the bench.
 *
 *   prepare     valid points, logs for latency, large = bad        fewer than 30 before: tier C, unknown
 *   look        is it significant?   tier A: detectors against pseudo-deployments of the history
 *                                    tier B: group-sequential test on means, or exact counts with spending
 *   effect      at least `by` and `floor`, and still so in the last samples
 *   guards      began before? went away? the same on other days?
 *
 * A pure function of what it is given: it keeps nothing between looks, so a takeover or a replay says the same. It is asked again
 * at every new sample with all samples so far. Missing samples are never good and never bad: they are no looks.
 */
#ifndef SW_STATS_REGRESS_H
#define SW_STATS_REGRESS_H

#include "shipwatch/mem.h"
#include "stats/calibrate.h"
#include "stats/guards.h"

enum sw_regress_truth { SW_REGRESS_FALSE, SW_REGRESS_TRUE, SW_REGRESS_UNKNOWN }; /* in the order of the rules' sw_truth */

enum sw_regress_kind {
	SW_REGRESS_LATENCY, /* > 0, compared as logs: effects are ratios; values <= 0 are missing (an empty histogram says 0) */
	SW_REGRESS_PLAIN,   /* compared as they are */
	SW_REGRESS_COUNTS,  /* bad of all requests a step */
};

/* Why not simply true or false. */
enum sw_regress_why {
	SW_REGRESS_EVIDENCE,     /* true: worse; false: nothing seen that is worse */
	SW_REGRESS_EARLY,        /* unknown: fewer than SW_LOOK_FIRST valid samples yet */
	SW_REGRESS_BASELINE,     /* unknown: fewer than SW_BASELINE_LEAST valid points before (tier C) */
	SW_REGRESS_TRAFFIC,      /* unknown: not enough requests to tell; see detectable */
	SW_REGRESS_UNCALIBRATED, /* unknown: tier A was asked for by name and there is no calibration */
	SW_REGRESS_SMALL,        /* false: significant, but less than by or floor */
	SW_REGRESS_UNSTEADY,     /* false: significant and large enough, but not in each of the last samples: not yet */
	SW_REGRESS_TRANSIENT,    /* false: it was significant, and went away */
	SW_REGRESS_CONTROL,      /* false: the same clock window of earlier days shows the same */
	SW_REGRESS_PRE_EXISTING, /* unknown: it began before the deployment */
};
const char *sw_regress_why_name(enum sw_regress_why w); /* "evidence", "not enough traffic" … */

/* The least effect. */
enum sw_by_kind {
	SW_BY_SHARE,  /* 0.2: 20 % more (where down is bad: less; there 1 and above are the factor 1 + share) */
	SW_BY_FACTOR, /* 2: twice as much (or half) */
	SW_BY_POINTS, /* 0.02: so much more in the signal's unit: 2pp of a ratio */
};
struct sw_by {
	enum sw_by_kind kind;
	double value; /* >= 0; not finite or negative: 0 */
};

enum sw_regress_tier { SW_REGRESS_AUTO, SW_REGRESS_A, SW_REGRESS_B }; /* test="auto", "rank", "sequential" */

struct sw_regress {
	enum sw_regress_kind kind;
	enum sw_regress_tier tier;
	bool down;               /* bad: down. Counts: `x` and `y` count the good ones, a fall of their share is bad */
	/*
	 * Raw values in the signal's unit; NaN, infinite, above 1e100 (counts: 1e12 a step): missing. x: the baseline in time order, its last point the last before
	 * the rollout began; the last SW_BASELINE_MAX are used. y: since the deployment, in time order; the first SW_LOOKS_MAX valid
	 * ones. COUNTS: bad requests a step, and all of them in x_all, y_all.
	 */
	const double *x, *y;
	const double *x_all, *y_all;
	size_t m, n;
	size_t looks;            /* K of the watch: how many samples it will see; 0: 20 */
	struct sw_by by;
	double floor;            /* least absolute rise, the signal's unit; counts: of the rate */
	double alpha;            /* this rule's share of the deployment's budget; outside (0, 0.5): SW_ALPHA */
	double overlap;          /* rate window / step; below 1 or not finite: 1 */
	const struct sw_calibration *calibration; /* of this signal, kind and direction; NULL: none. Another kind counts as none */
	double requests;         /* served since the deployment; negative or NaN: not known */
	double requests_least;   /* min_requests; 0: no condition */
	/*
	 * Raw values of the same clock window of earlier days; NULL: no control. Not for counts. Their y[i] is of the time of day of
	 * our y[i], so that what is compared is of the same minutes as what was seen.
	 */
	const struct sw_guard_day *days;
	size_t n_days;
};

struct sw_regress_saw {
	enum sw_regress_truth truth;
	enum sw_regress_why why;
	char tier;               /* 'A', 'B', 'C' */
	size_t looks;            /* valid samples used */
	double before, after;    /* levels in the signal's unit (counts: rates): trimmed means; NaN: not known */
	double effect;           /* after / before, by Hodges-Lehmann (counts: of the rates); NaN: not known or before <= 0 */
	double effect_low, effect_high; /* its two-sided 95 % interval, as if samples were independent */
	double rise;             /* after - before by the same estimate, the signal's unit; negative is a fall */
	double p;                /* one-sided, valid at any look; NaN: not known */
	double alpha;            /* what it is compared with */
	double detectable;       /* the ratio after/before that would be found in 80 % of the cases; NaN: not known */
	bool significant;        /* p <= alpha at this look or an earlier one */
	size_t days;             /* earlier days the control compared with; 0: it was not asked, or there were too few */
	double daily;            /* what it is on those days at this time: after/before as effect (median); NaN: not known */
};

/* Never fails; a is for scratch (about 20 KB), the caller resets it. */
void sw_regress(const struct sw_regress *in, struct sw_arena *a, struct sw_regress_saw *ret);

/*
 * What sw_calibrate wants to be given for a signal of this kind: logs, negated where small is bad. NaN where it is no valid value.
 * For counts where down is bad, the bad ones are all - good: sw_regress_value of (good, all) says so; else it returns v.
 */
double sw_regress_value(enum sw_regress_kind kind, bool down, double v, double all);

/* scale_least for sw_calibrate: 1 % of the level. median: of the transformed history. */
double sw_regress_scale_least(enum sw_regress_kind kind, double median);

#endif
