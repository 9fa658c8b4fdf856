/*
 * Rules: a file of YAML becomes rules with compiled expressions; an expression with readings becomes true, false or unknown.
 *
 * Everything is decided at load: names, types, units, which signals a rule needs, what one evaluation costs. Evaluating
 * allocates only from the arena given, does no I/O, reads no clock.
 */
#ifndef SW_RULES_RULES_H
#define SW_RULES_RULES_H

#include "base/map.h"
#include "base/yaml.h"
#include "rules/value.h"
#include "shipwatch/alert.h"
#include "shipwatch/event.h"
#include "shipwatch/mem.h"

/* ---- expressions ---- */

struct sw_expr; /* compiled, immutable, lives in the arena it was compiled in */

/* A field of an event or deployment (rules.md 1.2 "Fields"). path "metrics.bundle" → id FIELD_METRICS, key "bundle". */
enum sw_field_id {
	SW_F_KIND, SW_F_SOURCE, SW_F_REPO, SW_F_SERVICE, SW_F_ENV, SW_F_TIER, SW_F_REF, SW_F_BRANCH, SW_F_TAG, SW_F_SHA, SW_F_BEFORE,
	SW_F_STATUS, SW_F_USER, SW_F_AUTHOR, SW_F_URL, SW_F_JOB_NAME, SW_F_JOB_DURATION, SW_F_PIPELINE_ID, SW_F_PIPELINE_SOURCE,
	SW_F_EXIT_CODE, SW_F_DURATION, SW_F_COVERAGE, SW_F_METRICS, SW_F_LABELS, SW_F_COMMITS, SW_F_STARTED, SW_F_AT,
	SW_F_DEPLOYMENT_SHA, SW_F_DEPLOYMENT_VERSION, SW_F_DEPLOYMENT_IS_ROLLBACK, SW_F_DEPLOYMENT_IS_REDEPLOY,
	SW_F_PREVIOUS_SHA, SW_F_PREVIOUS_VERDICT, SW_F_BAD_SHAS, SW_F_LIMITS, SW_F_COUNT
};

/* What a window over a signal asks for: avg(m, 5m) … ; LAST with dur 0 is the bare signal. */
enum sw_window { SW_W_LAST, SW_W_AVG, SW_W_MAX, SW_W_MIN, SW_W_P50, SW_W_P95, SW_W_STDDEV, SW_W_COUNT, SW_W_RATE, SW_W_SUM };

/*
 * Where an evaluation gets its facts. The engine implements it.
 * signal: ret->reading tells why there is none; *ret_at is the time of the newest reading (0: none), which is how holds see
 * that a check is new. Result strings live as long as the evaluation.
 */
enum sw_about { SW_ABOUT_FLAPS, SW_ABOUT_SOURCE, SW_ABOUT_FLAKY };

/* regressed(m, by=20%, alpha=1%, baseline=30m, test="auto") */
enum sw_regress_test { SW_TEST_AUTO, SW_TEST_RANK, SW_TEST_SEQUENTIAL };
struct sw_regressed_ask {
	const char *signal;
	double by;             /* least effect: 0.2 = 20 % worse, 1 = twice (0.5: half, where less is worse); by_points: an absolute difference (2pp). 0: the default */
	bool by_points;
	double alpha;          /* 0: the rule's share of its budget */
	sw_dur baseline;       /* 0: the default */
	enum sw_regress_test test;
};
struct sw_regressed_saw {
	struct sw_value now, before;  /* level after and before */
	double effect, p;      /* ratio after / before; p-value; NaN: not known */
	const char *why;       /* one line, told as it is: what was found, or why nothing can be said; NULL: effect and p are told */
	sw_ms at;              /* newest reading used; 0: none */
};

struct sw_facts {
	void *arg;
	void (*field)(void *arg, enum sw_field_id id, const char *key, struct sw_value *ret);
	void (*signal)(void *arg, const char *signal, const char *part /* "version" of health.version, or NULL */, enum sw_window w,
	               sw_dur window, struct sw_value *ret, sw_ms *ret_at);
	/* changed("glob"): unknown when the list of files was cut or is not known */
	enum sw_truth (*changed)(void *arg, const char *glob);
	/* deploys(24h), failing_services(10m): numbers */
	void (*count)(void *arg, const char *func, sw_dur window, struct sw_value *ret);
	/*
	 * What signal() would have told before the deployment: the median over the baseline of the same window. Not ok where there is
	 * no baseline; relative limits use max(baseline, floor of the signal), which the evaluation does, not this.
	 */
	void (*signal_before)(void *arg, const char *signal, enum sw_window w, sw_dur window, struct sw_value *ret);
	/* The same of a field: the median of the last 20 of the same job on the main branch. */
	void (*field_before)(void *arg, enum sw_field_id id, const char *key, struct sw_value *ret);
	/* regressed(…): unknown with the reason in *ret */
	enum sw_truth (*regressed)(void *arg, const struct sw_regressed_ask *ask, struct sw_regressed_saw *ret);
	/* flaps(signal): ratio; signal_source("prometheus"): true, or a reading that is not ok; flaky("job"): bool */
	void (*about)(void *arg, enum sw_about what, const char *name, struct sw_value *ret, sw_ms *ret_at);
	sw_ms now;
	int tz_offset_s;       /* for within(windows.…) */
	bool gap_resets;       /* an unknown check ends what held so far (`for_gap: reset`) */
};

/* Memory of one `for`: kept by the owner of the watch (or of the line) between evaluations; zero = new. */
struct sw_hold {
	sw_ms last_at;        /* newest reading counted */
	sw_ms since;          /* true without a break since; 0: not true */
	sw_ms gap;            /* unknown since; 0: no gap */
	uint32_t valid;       /* how many valid checks are in bits, at most 32 */
	uint32_t bits;        /* newest in bit 0; 1 = true */
};
#define SW_HOLDS_MAX 16   /* `for` in one expression */

/* What each comparison saw, for messages and explanations; in order of the text. */
struct sw_saw {
	const char *text;     /* source text of the comparison with its `for` */
	const char *part;     /* without it: where one `for` is about several comparisons they differ in this */
	enum sw_truth truth;
	const char *value, *limit; /* printed, or NULL */
	const char *before;   /* what the value was before the deployment, printed, or NULL */
	const char *note;     /* regressed(): effect and p in words, or NULL */
	/* for a curve: */
	const char *signal;   /* whose value it is; NULL: of none, or of something made of several */
	const char *op;       /* ">"; NULL: no comparison with a limit */
	double value_num, limit_num, before_num; /* in the signal's base unit; NaN: not known, or no number */
};

struct sw_judged {
	enum sw_truth truth;
	struct sw_saw *saw;   /* in the arena */
	size_t n_saw;
};

/*
 * Evaluates at facts->now. holds: n_holds entries (sw_expr_holds), updated: a `for` counts a check when a signal inside it has
 * a reading newer than the last counted (for expressions over fields only: each call is one check).
 * Calling twice with the same readings and now changes nothing more.
 */
void sw_expr_eval(const struct sw_expr *e, const struct sw_facts *facts, struct sw_hold *holds, struct sw_arena *a,
                  struct sw_judged *ret);
/*
 * The same question about the time before the deployment: signals are what signal_before tells, `for` is its inner condition,
 * regressed() is false. True: it held already, so the deployment did not cause it.
 */
enum sw_truth sw_expr_before(const struct sw_expr *e, const struct sw_facts *facts, struct sw_arena *a);
size_t sw_expr_holds(const struct sw_expr *e);
/* The calls of regressed() in it, NULL-ended; what they need calibrated. */
const struct sw_regressed_ask *const *sw_expr_regressed(const struct sw_expr *e);
bool sw_expr_needs_baseline(const struct sw_expr *e, const char *signal); /* `baseline` or delta(…, baseline) of that signal */
/*
 * The comparisons with `baseline` in plain words, NULL-ended, in a: "error_rate > 3 x max(baseline, 0.1%)".
 */
const char *const *sw_expr_limits(const struct sw_expr *e, struct sw_arena *a);
unsigned sw_expr_cost(const struct sw_expr *e); /* parts visited by one evaluation, at most; bounded at load */
const char *sw_expr_text(const struct sw_expr *e);

/* ---- rules ---- */

enum sw_trigger_kind {
	SW_TR_DEPLOY_TO, SW_TR_DEPLOY_STARTED, SW_TR_DEPLOY_FAILED, SW_TR_DEPLOY_STUCK, SW_TR_DEPLOY_SUPERSEDED,
	SW_TR_PIPELINE_FAILED, SW_TR_PIPELINE_FIXED, SW_TR_PIPELINE, SW_TR_JOB, SW_TR_PUSH, SW_TR_TAG, SW_TR_RELEASE, SW_TR_MERGE,
	SW_TR_REPORT, SW_TR_ALARM, SW_TR_ROLLBACK_FINISHED,
	SW_TR_CUSTOM, /* a named expression of `triggers:`; custom_kind says which facts can set it off */
	SW_TR_COUNT
};

struct sw_trigger {
	const char *name;            /* "deploy-to-prod" */
	enum sw_trigger_kind kind;
	const char *target;          /* DEPLOY_TO: tier or environment */
	const struct sw_expr *expr;  /* CUSTOM */
};

enum sw_no_data { SW_ND_INCONCLUSIVE, SW_ND_FAIL, SW_ND_PASS, SW_ND_LAST };
enum sw_then_kind { SW_THEN_ALERT, SW_THEN_ROLLBACK, SW_THEN_RUN, SW_THEN_HOLD, SW_THEN_LABEL };

struct sw_then {
	enum sw_then_kind kind;
	const char **channels;       /* ALERT: NULL or NULL-ended */
	const char *action;          /* RUN */
	bool good;                   /* LABEL */
	sw_dur approve;              /* ROLLBACK: a person is asked first, for so long; 0: nobody is asked */
	bool proceed;                /* ROLLBACK: nobody answered: it begins; else it does not */
};
#define SW_APPROVE_LEAST SW_MINUTE
#define SW_APPROVE_MOST  SW_DAY

struct sw_rule {
	const char *name;            /* given, or made from trigger and expression; unique in a set */
	struct sw_trigger on;
	const struct sw_expr *where; /* NULL: everywhere */
	const struct sw_expr *cond;  /* NULL: always */
	bool watches;                /* needs signals: opens a watch; else decided at once by the event */
	const char **signals;        /* NULL-ended: the signals it needs */
	const char **sources;        /* NULL-ended: those it asks about by signal_source() */
	sw_dur watch_for, every, delay;  /* 5m; 0: the signal's own rhythm; 30s (latency only) */
	sw_dur after;                /* immediate rules: wait, unless undone by then */
	struct sw_then *then;
	size_t n_then;
	bool has_rollback;
	enum sw_severity severity;
	enum sw_no_data no_data;
	sw_dur no_data_last;
	bool gap_resets;             /* for_gap: reset */
	int64_t min_requests;        /* fewer since the watch began: the condition is unknown */
	double alpha;                /* share of the budget of false alarms of a deployment, for regressed() that says none */
	double weight;               /* 1 unless said */
	const char **mention;        /* NULL or NULL-ended roles: deployer, authors, oncall */
	const char *dedupe;          /* trigger name of "until X", or NULL; */
	sw_dur dedupe_for;           /* "dedupe: 1h"; 0: none */
	bool dry_run;
	sw_dur repeat;
	const char *runbook, *summary;
	const char *file;            /* where it stands */
	unsigned line;
};

/* A signal: built in, or a row of `signals:`. */
struct sw_signal_def {
	const char *name;
	enum sw_vtype type;          /* BOOL: health; LIST: endpoints */
	double floor;                /* differences below it mean nothing, and what is relative is relative to at least this; base unit */
	double most;                 /* no value is above it (ratio: 1); 0: no such bound */
	bool summed;                 /* a count per step: requests(5m) adds them up */
	bool latency;                /* the first `delay` of a watch is left out */
	const char *report;          /* metric of reports, or NULL */
	const char *alarm;           /* name of an alert of Alertmanager: 1 while it fires, or NULL */
	struct sw_query query;       /* signal, step, reduce, bad_down always; expressions where the rules say their own */
	const char *file;            /* where it stands; NULL: built in */
	unsigned line;
};

struct sw_rules_list { const struct sw_rule **items; size_t n; };

/* A loaded set: immutable; pinned by its hash while a watch uses it. */
struct sw_rules {
	struct sw_rule *items;
	size_t n;
	struct sw_signal_def *signals;
	size_t n_signals;
	char hash[17];               /* 16 hex digits of SHA-256 over the canonical source */
	const char *source;          /* text from which the same set can be loaded again (sw_rules_load_source) */
	size_t source_n;
	unsigned refs;
	struct sw_map index;         /* name → rule */
	struct sw_rules_list of_all[SW_TR_COUNT]; /* by trigger, of those that no `where` ties to a service */
	struct sw_map of_service;    /* service → the same array of those it ties to it */
	const char **watched;        /* NULL-ended, distinct: signals of rules that watch */
	sw_dur watch_longest;
	struct sw_arena arena;       /* everything above but the index */
};

/* What references may name: NULL-ended lists from the configuration (NULL list: do not check). */
struct sw_rules_names {
	const char *const *channels, *const *actions, *const *people;
	const char *const *limits;   /* names in limits: of all services, for limits.<name> */
	const char *const *targets;  /* tiers and environments, for deploy-to-<target> */
};

/*
 * Loads files (paths as given stand in the diagnostics) into a new set with one reference. All mistakes of all files at once.
 * Return: 0 and *ret; -EINVAL with the mistakes in d (warnings may be there at 0 too).
 */
SW_CHECKED int sw_rules_load(const char *const *paths, const struct sw_rules_names *names, struct sw_rules **ret, struct sw_diags *d);
/* From text: one pseudo-file. Used for tests, pinned rules and the built-in safe rules. */
SW_CHECKED int sw_rules_load_text(const char *name, const char *text, size_t n, const struct sw_rules_names *names,
                                  struct sw_rules **ret, struct sw_diags *d);
/* From sw_rules.source: pinned rules read back from Redis. */
SW_CHECKED int sw_rules_load_source(const char *source, size_t n, struct sw_rules **ret, struct sw_err *err);
/* The rules that apply when `rules:` is absent: health fails, deploy failed, deploy stuck: alert only. */
extern const char sw_rules_safe[];
struct sw_rules *sw_rules_get(struct sw_rules *r);
struct sw_rules *sw_rules_put(struct sw_rules *r); /* returns NULL */
/*
 * The rules that an event of this trigger can set off at that service (NULL: none), in order; custom: those of named triggers too. The
 * others need not be asked: their trigger or their `where` says no.
 */
struct sw_rules_walk { struct sw_rules_list lists[4]; };
void sw_rules_walk(const struct sw_rules *r, enum sw_trigger_kind kind, bool custom, const char *service, struct sw_rules_walk *ret);
const struct sw_rule *sw_rules_next(struct sw_rules_walk *w); /* NULL: no more */
const struct sw_rule *sw_rules_find(const struct sw_rules *r, const char *name);
/* A row of the set's own, else what is built in; NULL: there is no such signal. r NULL: built in only. */
const struct sw_signal_def *sw_rules_signal(const struct sw_rules *r, const char *name);


/*
 * What the statistical rules of one trigger may do by chance: of its healthy deployments at most a share of alpha are taken back
 * (or told of), whatever the weights and the alpha= of the rules come to.
 */
struct sw_rules_budget { const char *trigger; bool rollback; size_t rules; double alpha; };
/* One for each trigger and class that has such rules, in order of the rules. Return: how many; *ret in a. */
size_t sw_rules_budgets(const struct sw_rules *r, struct sw_arena *a, const struct sw_rules_budget **ret);

/* One expression by itself (tests, fuzzing). */
SW_CHECKED int sw_expr_compile(struct sw_arena *a, const char *text, const struct sw_signal_def *signals, size_t n_signals,
                               const struct sw_expr **ret, struct sw_err *err);

#endif
