/* One value of a signal at one time, or why there is none; many of them from before a deployment; and how a signal is asked. */
#ifndef SHIPWATCH_SAMPLE_H
#define SHIPWATCH_SAMPLE_H

#include "shipwatch/base.h"
#include "shipwatch/mem.h"

/* rules.md 1.1 semantics 3 */
enum sw_reading { SW_R_OK, SW_R_ABSENT, SW_R_NAN, SW_R_STALE, SW_R_ERROR, SW_R_TOO_FEW };
const char *sw_reading_name(enum sw_reading r); /* "ok", "absent" … */
enum sw_reading sw_reading_parse(const char *s); /* SW_R_ERROR for what is no such word, NULL included */

struct sw_sample {
	const char *signal;     /* "health" */
	sw_ms at;
	enum sw_reading reading;
	double value;           /* in the signal's base unit (s, ratio, bytes, 1/s, count); health: 1 healthy, 0 failing */
	double count;           /* of how many requests the value speaks (error rates: all of the step); 0: that is not known */
	const char *text;       /* a text value such as the version that answered; or why it failed, for people. Of a list (endpoints):
	                           its elements as JSON, [["GET /a",p95,requests,errors],…], most requests first, at most SW_ELEMENTS_MAX */
};

#define SW_ELEMENTS_MAX 20

/* memory: what a source wants to be handed with its next question (counters of a scrape); NULL: nothing. */
#define SW_MEMORY_MAX 4096
#define SW_SAMPLES_MAX 64
struct sw_samples { struct sw_arena *a; struct sw_sample items[SW_SAMPLES_MAX]; size_t n; const char *memory; };
/* NULL when full. */
struct sw_sample *sw_samples_add(struct sw_samples *s, const char *signal, sw_ms at, enum sw_reading r, double value);

/* The past of one signal at equal steps: value[i] is of from + i * step; NaN: missing there. */
#define SW_PAST_MAX 11000 /* what Prometheus gives in one range query */
struct sw_past {
	sw_ms from;
	sw_dur step;
	size_t n;
	double *value;
	double *count;          /* as sw_sample.count; NULL: not known */
	const char *elements;   /* of a list: medians over the time asked, as sw_sample.text; else NULL */
};

/* Several series where one is wanted (rules.md 1.1, 6). ANY: the worst of them. */
enum sw_reduce { SW_REDUCE_SINGLE, SW_REDUCE_MAX, SW_REDUCE_SUM, SW_REDUCE_AVG, SW_REDUCE_ANY };

/* How one signal is asked from a source of measurements; an expression that is NULL comes from the place's preset. */
struct sw_query {
	const char *signal;     /* "http_latency_p95" */
	enum sw_reduce reduce;
	bool bad_down;          /* lower is worse */
	bool list;              /* endpoints: elements told apart by a label */
	const char *prometheus; /* PromQL of the value, with $labels, $window and $step in it */
	const char *bad, *all;  /* PromQL of counts in a $window: the value is bad / all, its count all */
	const char *scrape;     /* what is read out of an exposition: "quantile(0.95, http_request_duration_seconds)" */
	sw_dur step;            /* rhythm of the question; points of a past are so far apart */
};

#endif
