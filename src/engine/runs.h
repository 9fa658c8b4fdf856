/* The last runs of a job of a repository. */
#ifndef SW_ENGINE_RUNS_H
#define SW_ENGINE_RUNS_H

#include "engine/step.h"

#define SW_RUNS_METRICS 20 /* numbers of a report kept for comparison */

/* What is to be kept of this event: pushed on the left of a list. False: nothing. */
bool sw_runs_note(const struct sw_event *ev, struct sw_arena *a, const char **ret_key, const char **ret_value);
/* Did this job end in both ways on one commit? What is not known is not flaky: an alert too much is better than one too few. */
bool sw_runs_flaky(struct facts *f, const char *job);
void sw_runs_fill(struct sw_facts *ret);

#endif
