/*
 * What a Prometheus answered: the JSON of /api/v1/query and /api/v1/query_range as series of numbers, or why it is no
 * answer.
 *
 * The bytes are read in one pass; only the numbers on the grid and two texts a series are kept.
 */
#ifndef SW_SIGNAL_ANSWER_H
#define SW_SIGNAL_ANSWER_H

#include "shipwatch/job.h"
#include "shipwatch/mem.h"
#include "shipwatch/sample.h"

/* Which label says what a series of a union is: "value", "bad" or "all" (prometheus.c). */
#define SW_MARK "shipwatch"

/* Moments wanted: from, from + step, … ; n 1 and step 0: one, whenever it is of. */
struct sw_grid {
	sw_ms from;
	sw_dur step;
	size_t n;
};

struct sw_series {
	const char *mark;    /* "" where there is none */
	const char *element; /* what a person calls it in a list: "GET /cart" */
	double *v;           /* on the grid; NaN: nothing there, or not a number */
};

struct sw_answer {
	const struct sw_series *items;
	size_t n;
};

#define SW_SERIES_MAX 2000
#define SW_CELLS_MAX  ((size_t)1 << 20) /* series times moments */

/*
 * Return: 0 and *ret (maybe none); with err, one line without a secret: -EIO when they did not answer as they should,
 * or only in part; -EBADMSG when the question is wrong and asking again is in vain.
 */
SW_CHECKED int sw_answer_read(const struct sw_result *res, const struct sw_grid *grid, struct sw_arena *a,
                              struct sw_answer *ret, struct sw_err *err);

#endif
