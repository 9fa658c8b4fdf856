/* What the files of the judgement share. */
#ifndef SW_STATS_REGRESS_INNER_H
#define SW_STATS_REGRESS_INNER_H

#include "stats/regress.h"

#define REGRESS_LOOKS 20        /* 5 m at 15 s */
#define REGRESS_INTERVAL 0.05   /* of the effect shown */
#define REGRESS_STEADY 2        /* last samples that must each be beyond the limit */

/* Fields of `in` brought into their range. */
struct regress_ask {
	const struct sw_regress *in;
	struct sw_arena *a;
	size_t looks;
	double alpha, overlap, by, floor;
};

static inline void regress_end(struct sw_regress_saw *ret, enum sw_regress_truth truth, enum sw_regress_why why)
{
	ret->truth = truth;
	ret->why = why;
}

/* The least rise in the signal's unit at that level: the larger of by and floor. level >= 0. Infinite: cannot be. */
double regress_least_rise(const struct regress_ask *q, double level);

void regress_values(const struct regress_ask *q, struct sw_regress_saw *ret);
void regress_counts(const struct regress_ask *q, struct sw_regress_saw *ret);

#endif
