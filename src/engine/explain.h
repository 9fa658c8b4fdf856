/* Why a watch ended as it did: its condition again at each reading, from what was kept. Pure; decides nothing. */
#ifndef SW_ENGINE_EXPLAIN_H
#define SW_ENGINE_EXPLAIN_H

#include "engine/baseline.h"

#define SW_EXPLAIN_ROWS 500

struct sw_explain_row { sw_ms at; struct sw_judged j; };
/* A signal of the rule: its readings since the deployment, and what it was before (printed; NULL: not known). */
struct sw_explain_signal {
	const char *name, *before;
	const struct sw_signal_def *def;
	struct sw_sample *samples;        /* oldest first; those before the deployment too, where the place has them */
	size_t n;
	size_t baseline, valid, history;  /* points of the baseline, of them read; readings of the whole past; 0: no past */
	unsigned pseudo;                  /* pseudo-deployments it is calibrated with; 0: none */
	size_t n_days;                    /* earlier days whose minutes are known, and those: for a control */
	const struct baseline_day *days;
	sw_ms day_after;
	const double *points;             /* of the baseline, NaN: missing */
	sw_ms points_from;
	sw_dur points_step;
};

struct sw_explanation {
	const char *service, *environment, *deployment, *sha, *version, *user, *rule, *cond, *verdict, *reason, *state, *hash;
	sw_ms opened, from, until, ended, started, finished;
	sw_dur every, grace;
	struct sw_explain_signal *signals;
	size_t n_signals;
	struct sw_explain_row *rows;
	size_t n_rows;
};

/* Keys that `snaps` has to hold: rules text, baselines; and rings, "<deployment>:<signal>". NULL-ended; NULL: no such watch. */
const char *const *sw_explain_keys(const struct sw_engine *e, const struct sw_step_in *in, const char *watch, struct sw_arena *a,
                                   const char *const **ret_rings);
struct sw_explain_ring { const char *name; const void *bytes; size_t n; };
/*
 * The watch of a place whose state is in->state. rings: those of sw_explain_keys that there are. Return: 0, or -ENOENT with err (no
 * such watch, or its rules are gone).
 */
SW_CHECKED int sw_engine_explain(const struct sw_engine *e, const struct sw_step_in *in, const char *watch, const struct sw_explain_ring *rings,
                                 size_t n_rings, struct sw_arena *a, struct sw_explanation *ret, struct sw_err *err);

#endif
