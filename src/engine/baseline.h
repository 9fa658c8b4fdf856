/*
 * What a signal was before a deployment: made once from its past, outside of a step, and handed to the place in a message.
 *
 * The place keeps it below {sw}: as "past:<deployment>:<signal>", written once; every later step reads it as a snapshot. So the past
 * is asked for once per deployment and signal, whoever watches, and a takeover judges by the same numbers.
 */
#ifndef SW_ENGINE_BASELINE_H
#define SW_ENGINE_BASELINE_H

#include "base/json.h"
#include "engine/engine.h"
#include "shipwatch/sample.h"
#include "stats/regress.h"

#define BASELINE_POINTS 240     /* of the baseline, kept as they are */
#define BASELINE_VALID  30      /* fewer readings: no baseline (rules.md 3.1) */
#define BASELINE_CALS   3       /* calibrations of one signal: watches of so many lengths */
#define BASELINE_TTL    (3 * SW_DAY)
#define BASELINE_BYTES  ((size_t)24 * 1024) /* of a record; days that do not fit are left out */
#define BASELINE_DAY_X  16      /* of an earlier day: medians of so many parts of the time before, */
#define BASELINE_DAY_Y  60      /* and points after as they are, as many as a watch has looks */
#define BASELINE_DAY_LEAST 4    /* readings after; fewer (or fewer than BASELINE_VALID before): the day is left out */

struct baseline_cal { unsigned looks; const void *bytes; size_t n; };

/* The same clock window of an earlier day: y[i] is of day_after + i * step, so many days before. */
struct baseline_day {
	unsigned back;
	double *x, *y;               /* oldest first, in the signal's unit; NaN: missing or left out */
	size_t m, n;
};

struct baseline {
	sw_ms from;
	sw_dur step;
	size_t n;                    /* points, oldest first; NaN: missing or left out */
	double *value, *count;       /* count NULL: not known */
	size_t valid;                /* of them not missing */
	size_t history, holes;       /* readings of the whole past; times of other deployments that were left out */
	const char *elements;        /* of a list */
	struct baseline_cal cals[BASELINE_CALS];
	size_t n_cals;
	sw_ms day_after;
	struct baseline_day days[SW_PAST_DAYS];
	size_t n_days;
};

/*
 * Earlier days are asked for when the past itself is there: not of counts (they have no control) and not without a baseline, of
 * which nothing can be said anyway.
 */
bool sw_baseline_days_wanted(const struct sw_past *past, const struct sw_past_ask *ask);
/*
 * The message to the place about a past; in the arena. what is made of it is said by ask; past and days are changed (holes become
 * NaN). days: of day 1, 2 … ask->n_days, n 0 where nothing is known; NULL: none was asked for. Days with too few readings are left
 * out. Pure, a few milliseconds where calibrations are wanted.
 */
const char *sw_baseline_message(const char *deployment, const char *signal, struct sw_past *past, struct sw_past *days,
                                const struct sw_past_ask *ask, struct sw_arena *a);
/* There is none: why; again: it may be asked once more later. */
const char *sw_baseline_missing(const char *deployment, const char *signal, sw_dur step, const char *why, bool again, struct sw_arena *a);
/* Readings of a ring (sw_step_ring's 16 bytes each) at equal steps; several rings one after the other, oldest first. */
void sw_baseline_of_ring(const void *ring, size_t n, sw_ms from, sw_ms to, sw_dur step, struct sw_arena *a, struct sw_past *past);
/* How a signal is compared; counted: its readings say of how many requests they speak. */
enum sw_regress_kind sw_baseline_kind(bool latency, bool counted);
/* The record in such a message, or in the snapshot made of it. False: it is none. */
bool sw_baseline_read(const struct sw_jnode *rec, struct sw_arena *a, struct baseline *ret);

#endif
