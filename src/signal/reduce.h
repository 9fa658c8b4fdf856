/* From the series of an answer to what a signal is: one number with its count, or the elements of a list. */
#ifndef SW_SIGNAL_REDUCE_H
#define SW_SIGNAL_REDUCE_H

#include "shipwatch/err.h"
#include "shipwatch/sample.h"
#include "signal/answer.h"

/* What the series of a union are marked with. */
#define SW_MARK_VALUE "value"
#define SW_MARK_BAD   "bad"
#define SW_MARK_ALL   "all"

struct sw_level {
	enum sw_reading reading;
	double value, count; /* count 0: not known */
	const char *text;    /* why there is none; or the elements */
};

/*
 * What the answer says of moment i. gaps: a series without a number there is not there (a past). scale: counts of a
 * window times this are counts of a step. Several series where one is wanted are an error; of counts, which are added
 * up, only where the query says so (SINGLE is said nowhere, so they must be one each).
 */
void sw_reduce_value(const struct sw_query *q, const struct sw_answer *an, size_t i, bool gaps, double scale,
                     struct sw_arena *a, struct sw_level *ret);
/* The elements of a list: at most SW_ELEMENTS_MAX, most requests first; medians over the n moments. */
void sw_reduce_list(const struct sw_query *q, const struct sw_answer *an, size_t n, double scale, struct sw_arena *a,
                    struct sw_level *ret);

#endif
