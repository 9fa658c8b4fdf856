/*
 * Signals nobody is asked for: what alarms and the numbers of reports told of a place. Part of the place's state; read at the
 * rhythm of the watches that need it.
 */
#ifndef SW_ENGINE_HEARD_H
#define SW_ENGINE_HEARD_H

#include "base/json.h"
#include "engine/step.h"

#define HEARD_ALARMS  24
#define HEARD_NUMBERS 16
#define HEARD_FOR     SW_DAY /* a firing alarm of which nothing was heard for so long is not known any more */

struct heard {
	struct heard_alarm {
		const char *name, *id;   /* the alert's name; which of them: its fingerprint */
		sw_ms start, at;         /* when it began; when we were told last */
		bool firing;
	} alarms[HEARD_ALARMS];
	size_t n_alarms;
	sw_ms cut_at;                /* a firing alarm had to be forgotten then; 0: never */
	struct heard_number {
		const char *name;        /* of the metric */
		const char *sha, *run;   /* of which build; NULL: it did not say */
		double value;
		sw_ms at;
	} numbers[HEARD_NUMBERS];
	size_t n_numbers;
	sw_ms read_at;               /* last reading */
	bool news;                   /* in this step: something changed */
};

struct place_state;

void sw_heard_read(const struct sw_jnode *node, struct heard *h);
/* A member "heard"; nothing when nothing was heard. */
void sw_heard_write(const struct heard *h, struct sw_jw *w);
/* A message `told`, or a `fact` (of which only a report with numbers says anything here). */
void sw_heard_take(struct step *s, struct place_state *p, const struct sw_jnode *msg);
/* Readings for the watches that need them, as samples; the next time into *next. Before sw_watch_tick. */
void sw_heard_tick(struct step *s, struct place_state *p, sw_ms *next);
/*
 * What it was before a deployment whose rollout began at `until`: an alarm of that name fired then (1) or not (0), the number of the
 * build that ran before. False: that is not known.
 */
struct deployment;
bool sw_heard_before(const struct place_state *p, const struct deployment *d, const struct sw_signal_def *def, sw_ms until, double *ret);
/* Nothing but `told` came: a place that does not exist is not made by that. */
bool sw_heard_only(const struct sw_step_in *in);

#endif
