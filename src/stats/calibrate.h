/*
 * Tier A: how large do the detectors grow when nothing was deployed?
 *
 * The history of the signal is cut into pseudo-deployments: m points "before", K points "after", as if a deployment had been
 * there. Each gives, per detector, the largest value over its looks. A real deployment that did nothing is one more of them, so
 * its largest value is among the top alpha of all only in alpha of the cases: looking many times, autocorrelation, heavy tails
 * and several detectors are all inside (a permutation argument; conformal prediction says the same, Vovk et al. 2005). What it
 * needs is that the deployment's window is like those of the history; the same hour of the day is, when there is enough of it.
 *
 * What is kept does not depend on alpha, because a rule's share of the budget is known only when it is judged.
 */
#ifndef SW_STATS_CALIBRATE_H
#define SW_STATS_CALIBRATE_H

#include "shipwatch/buf.h"
#include "shipwatch/mem.h"
#include "stats/detect.h"

enum sw_calibration_kind { SW_CALIBRATION_VALUES, SW_CALIBRATION_COUNTS };

/*
 * x: n points at a fixed step, oldest first, already transformed (logs for latency; negated where small is bad), NaN: missing.
 * For counts: bad requests of each step, with all requests in `all`. excluded: points near a real deployment, or NULL; no
 * window touches one. The history is the caller's.
 */
struct sw_history {
	const double *x;
	const double *all;      /* NULL: values, not counts */
	const bool *excluded;
	size_t n;
	sw_ms first_at;         /* time of x[0]; used for the same hour only */
	sw_dur step;            /* 0: times are not known */
};

struct sw_calibrate_ask {
	size_t m;               /* SW_BASELINE_LEAST..SW_BASELINE_MAX points before */
	size_t looks;           /* K: SW_LOOK_FIRST..SW_LOOKS_MAX points after */
	double scale_least;     /* of the trimmed mean, in units of x (> 0): a constant signal has scale 0. 0.01 on logs is 1 % */
	sw_ms at;               /* the deployment; 0: the same hour is not looked for */
	int tz_offset_s;        /* local time - UTC; what hour and weekday it is */
};

struct sw_calibration {
	enum sw_calibration_kind kind;
	bool same_hour;         /* from windows of the same hour and kind of day */
	uint16_t m, looks, n;   /* n: pseudo-deployments */
	float centre[SW_LOOKS_MAX], scale[SW_LOOKS_MAX]; /* of the trimmed mean's difference at look k: [k-1]; scale > 0 */
	float most[SW_DETECTORS][SW_PSEUDO_MAX];         /* largest over the looks from SW_LOOK_FIRST on */
	/* how high the signal often is by itself just before: the median of the last SW_GUARD_AGAIN points before, minus the trimmed
	 * mean of the baseline, which one in two hundred pseudo-deployments exceeds; >= 0; values only */
	float usual_before;
};

#define SW_CALIBRATE_E_FEW 1 /* fewer than SW_PSEUDO_LEAST windows (SW_PSEUDO_SAME_HOUR of the same hour): use tier B */

/*
 * Windows start every K points (every K/2 when that gives too few, which overlap; further apart when it gives more than SW_PSEUDO_MAX). A window
 * is left out when it touches an excluded point, when less than half or less than SW_BASELINE_LEAST of its m points are there, or
 * when more than a quarter of its K are missing: its few looks would look too harmless. Missing samples are skipped: look k is the
 * k-th valid one, as for a real deployment. Windows starting in the hour before and after the deployment's time of day, on days
 * of the same kind (Monday to Friday; Saturday and Sunday), are used alone when there are SW_PSEUDO_SAME_HOUR or more of them
 * from at least SW_GUARD_DAYS days.
 * Return: 0 and *ret; SW_CALIBRATE_E_FEW. Scratch comes from a; the caller resets it.
 * Cost: windows * (m log m + K log m), about 5 ms for m = 120, K = 20, 281 windows.
 */
SW_CHECKED int sw_calibrate(const struct sw_history *h, const struct sw_calibrate_ask *ask, struct sw_arena *a, struct sw_calibration *ret);

/* What one false-alarm share alpha means: a quantile q per detector, and theta for the largest of detector/q. */
struct sw_calibration_limits {
	double alpha;
	double q[SW_DETECTORS];
	double theta;
	double joint[SW_PSEUDO_MAX]; /* of the pseudo-deployments, ascending */
	size_t n;
};
/*
 * q: the ceil((1 - alpha)(n+1))-th smallest, at least the normal quantile of alpha, which only binds where the signal never moved;
 * theta: the same of the joint values. Where alpha < 1/(n+1) the rank does not exist: theta is then extrapolated from the largest
 * tenth of them as a power law (Hill 1975), never below the largest seen. 0 < alpha < 0.5.
 */
void sw_calibration_limits(const struct sw_calibration *c, double alpha, struct sw_calibration_limits *ret);

/* Raw detector values of look k (1..looks) of a real deployment, made comparable: the mean gets centre and scale of that look. */
void sw_calibration_standardise(const struct sw_calibration *c, size_t look, double values[SW_DETECTORS]);

/* max_j c_j/q_j; *ret_which (may be NULL): the detector that gave it. */
double sw_calibration_joint(const struct sw_calibration_limits *l, const double c[SW_DETECTORS], enum sw_detector *ret_which);

/* (1 + number of pseudo-deployments with at least that much) / (n + 1), in (0, 1]; beyond the largest, by the same power law. */
double sw_calibration_p(const struct sw_calibration_limits *l, double joint);

/*
 * To bytes and back, for keeping it: "SWC", format 1, kind, same hour, m, looks, n (16 bit), then 32-bit floats (of values: usual_before, centres and scales), all little-endian;
 * about 12 bytes a pseudo-deployment. read: any bytes; 0 and *ret, -EPROTONOSUPPORT: another format, -EBADMSG: not what was written
 * (a length, a count out of range, a value that is not finite, a scale not above 0).
 */
void sw_calibration_write(const struct sw_calibration *c, struct sw_buf *out);
SW_CHECKED int sw_calibration_read(const void *p, size_t n, struct sw_calibration *ret);

#endif
