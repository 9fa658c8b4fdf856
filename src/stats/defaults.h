/* The numbers behind "did it get worse", each with its reason. docs/statistics.md has them in a table. */
#ifndef SW_STATS_DEFAULTS_H
#define SW_STATS_DEFAULTS_H

/* Looks: a look is a valid sample after the deployment; the k-th valid sample is look k. */
#define SW_LOOK_FIRST 4     /* fewer samples decide nothing: the least n at which a rank test can reach 1 % against a long baseline */
#define SW_LOOKS_MAX 60     /* 60 m at 1 m, 15 m at 15 s; a longer watch takes a longer step */
#define SW_RECENT 8         /* "the last": 2 m at 15 s, so that a step in the middle of the window is not diluted by what was before it */

/* Baseline: 30 m at 15 s are 120. */
#define SW_BASELINE_LEAST 30   /* valid points; below, the mean of the baseline itself is as uncertain as that of the window */
#define SW_BASELINE_MAX 480    /* 2 h at 15 s: a longer one is no longer "just before" */

/* Pseudo-deployments of tier A. 24 h at 15 s, K = 20 give 281. */
#define SW_PSEUDO_LEAST 100    /* below, 1 % is an extrapolation: tier B */
#define SW_PSEUDO_SAME_HOUR 60 /* of the same hour are better than more of other hours */
#define SW_PSEUDO_MAX 300      /* resolves 0.33 %; 12 bytes each are kept */

#define SW_TRIM 0.25        /* of the trimmed means: two of eight samples may be wild on each side */
#define SW_WINSOR 0.05      /* tier B */
#define SW_LAGS 12          /* tier B, autocorrelations: 3 m at 15 s; rates over [1m] overlap for 4 */

#define SW_ALPHA 0.01       /* budget of a deployment for rollbacks: at most one false rollback in 100 healthy deployments */
#define SW_BY_LATENCY 0.10  /* least slow-down: smaller ones are real at times, but nobody would take a release back for them */
#define SW_FLOOR_LATENCY 0.020 /* s */
#define SW_BY_ERRORS 2.0    /* least factor of an error rate */
#define SW_FLOOR_ERRORS 0.005  /* and 0.5 points */
#define SW_REQUESTS_LEAST 200  /* 2 errors more are a percent of them */
#define SW_ERRORS_TO_TELL 10   /* expected bad requests after; below, a doubling is found in less than half of the cases */
#define SW_POWER 0.80       /* "detectable": found at least so often */

#define SW_GUARD_POINTS 20  /* of the baseline, looked at for a change before the deployment: 5 m at 15 s */
#define SW_GUARD_STEPS 2    /* a change at most so many steps before may be the deployment's own beginning */
#define SW_GUARD_PASSING 2  /* a usual height before is no beginning once the rise after has lasted so many times as long */
#define SW_GUARD_AGAIN 4    /* samples tested again: still there? */
#define SW_GUARD_DAYS 3     /* least days for a control: their median needs a middle */

#endif
