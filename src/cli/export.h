/* A watch as a rule test: what the parts of the file are made of. Only export.c and export_series.c include this. */
#ifndef SW_CLI_EXPORT_H
#define SW_CLI_EXPORT_H

#include "cli/found.h"
#include "sim/sim.h"

#define STATE_NODES  100000
#define AFTER        (2 * SW_MINUTE)    /* the play goes on for */

struct export {
	struct sw_talk *t;
	const struct sw_explanation *x;
	const struct sw_rules *rules;
	const struct sw_rule *rule;
	const struct sw_explain_deployment *d;
	struct sw_buf b;
	sw_ms start, began, heard, end;         /* of the test, the rollout; when its end was heard; the verdict */
	sw_dur step, shift;                     /* of what happens: see sw_export_grid */
	bool filled;                            /* some history is noise */
};

/* Lays the grid: step, shift and start. */
void sw_export_grid(struct export *e);
/* The parts history, series and probes. */
void sw_export_series(struct export *e);
/* How often a signal was asked for between the two. */
sw_dur sw_export_rhythm(struct export *e, const struct sw_explain_signal *g, sw_ms from, sw_ms until);
/* When the watch of the deployment before had ended. */
sw_ms sw_export_previous_end(const struct export *e);
static inline bool sw_export_health(const struct sw_explain_signal *g) { return g->def && g->def->type == SW_V_BOOL; }

#endif
