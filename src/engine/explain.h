/* Why a watch ended as it did: its condition again at each reading, from what was kept. Pure; decides nothing. */
#ifndef SW_ENGINE_EXPLAIN_H
#define SW_ENGINE_EXPLAIN_H

#include "engine/baseline.h"

#define SW_EXPLAIN_ROWS   500
#define SW_EXPLAIN_BEFORE 400 /* of them up to the verdict, the newest; the rest is what came after it */

enum sw_explain_phase { SW_EXPLAIN_GRACE, SW_EXPLAIN_WATCHING, SW_EXPLAIN_FOLLOWING };

/* One look: something had a new reading. */
struct sw_explain_row {
	sw_ms at;
	struct sw_judged j;               /* truth: after min_requests */
	enum sw_explain_phase phase;
	double requests;                  /* served by then; negative: not known */
	bool few, early;                  /* unknown for want of requests alone; it is too early to tell */
};

/* A signal of the rule: its readings since the deployment, and what it was before (printed; NULL: not known, why says why). */
struct sw_explain_signal {
	const char *name, *before, *why;
	const struct sw_signal_def *def;
	struct sw_sample *samples;        /* oldest first; those before the deployment too, where they were kept */
	size_t n;
	size_t baseline, valid, history;  /* points of the baseline, of them read; readings of the whole past; 0: no past */
	unsigned pseudo;                  /* pseudo-deployments it is calibrated with; 0: none */
	const struct baseline_day *days;  /* the same minutes of earlier days, for a control */
	size_t n_days;
	sw_ms day_after;
	const double *points, *counts;    /* of the baseline, NaN: missing; counts NULL: not known */
	const char *elements;             /* of a list */
	sw_ms points_from;
	sw_dur points_step;
};

/* What stands between a condition that holds and a verdict. */
struct sw_explain_guard {
	const char *name, *text;
	bool stopped;                     /* it decided */
};

struct sw_explain_deployment {
	const char *id, *sha, *version, *user, *branch, *tag, *status;
	sw_ms started, finished, heard;   /* 0: not known. heard: when the fact arrived */
	bool ran, is_rollback, is_redeploy;
	int good;                         /* -1 not known */
};

struct sw_explain_action {
	const char *action, *state, *why;
	bool rollback;
	/* of one that people are or were asked about; asked 0: they were not */
	sw_ms asked, until /* 0: over */, decided_at;
	bool proceeds, approved;
	const char *id, *ask_why, *decided_by; /* ask_why NULL: the rule asks; decided_by NULL: nobody did */
};

struct sw_explanation {
	const char *service, *environment, *rule, *cond, *verdict, *reason, *state, *hash;
	const char *prev_sha, *prev_version;
	const struct sw_place *place;     /* as configured; NULL: the configuration is not at hand */
	struct sw_explain_deployment *deployments; /* of the place, oldest first */
	size_t n_deployments, deployment; /* the one that was watched */
	sw_ms opened, from, until, ended, closed; /* ended: the verdict; closed: nobody looks any more; 0: not yet */
	sw_dur every, grace;
	int64_t checks, known, min_requests;
	double requests;                  /* served until it was closed; negative: not known */
	struct sw_explain_signal *signals;
	size_t n_signals;
	struct sw_explain_row *rows;
	size_t n_rows, before_rows, after_rows; /* looks before the first and after the last row that are left out */
	struct sw_explain_guard guards[6];
	size_t n_guards;
	struct sw_explain_action *actions;
	size_t n_actions;
	const char *const *needs;         /* NULL-ended: keys to load, then ask once more; what is not there has a NULL value */
};

/* Rings with the readings, "<deployment>:<signal>", NULL-ended; and the key of the rules. NULL: no such watch. */
const char *const *sw_explain_rings(const struct sw_engine *e, const struct sw_step_in *in, const char *watch, struct sw_arena *a,
                                    const char **ret_rules);
struct sw_explain_ring { const char *name; const void *bytes; size_t n; };
/*
 * The watch of a place whose state is in->state. rings: those of sw_explain_rings that there are. Return: 0, or -ENOENT with err (no
 * such watch, or its rules are gone).
 */
SW_CHECKED int sw_engine_explain(const struct sw_engine *e, const struct sw_step_in *in, const char *watch, const struct sw_explain_ring *rings,
                                 size_t n_rings, struct sw_arena *a, struct sw_explanation *ret, struct sw_err *err);

#endif
