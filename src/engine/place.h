/*
 * The state of one place: what was deployed here, who watches it, what is being done about it. JSON in Redis, this struct in a
 * step; about 16 KB at most with ten rules, under 64 KB with PLACE_WATCHES of them.
 */
#ifndef SW_ENGINE_PLACE_H
#define SW_ENGINE_PLACE_H

#include "engine/heard.h"
#include "engine/step.h"

#define PLACE_DEPLOYMENTS 20
#define PLACE_WATCHES     64
#define PLACE_SERIES      12
#define PLACE_SOURCES     4
#define PLACE_PASTS       24
#define PLACE_SAMPLES     64
#define PLACE_ACTS        8
#define PLACE_SHAS        20
#define PLACE_SAMPLES_LEAST 32  /* of a signal stay, however large the state */
#define PLACE_BYTES       16384 /* above it, deployments that nobody watches go first, then readings; watches are never dropped */

struct deployment {
	const char *id;
	struct sw_event ev;        /* folded from all facts; status and times in the fields below */
	int rank_of_ev;            /* which kind of fact filled ev: a better one overwrites */
	const char *origin;        /* host/repository its ids belong to */
	const char *d, *j, *p, *r; /* host's deployment id, job id, pipeline[.attempt], report id; NULL: not known */
	enum sw_status status;
	sw_ms status_at;           /* by the host */
	sw_ms seen;                /* first heard of */
	sw_ms started, finished;   /* 0: not known, not yet */
	bool is_rollback, is_redeploy, concurrent;
	bool told_started, told_stuck, told_done, told_inconclusive;
	bool counted;              /* was the newest success when it succeeded: it runs here since */
	const char *prev_sha, *prev_version, *prev_verdict; /* what ran here before */
	const char *rollback_of;   /* action that this deployment answers */
	bool retargeted;           /* sha is what that action asked for; the host names the commit its pipeline is of */
	bool acted;                /* a rollback was decided for it, whatever became of it */
	int good;                  /* -1 open, 0 no, 1 yes */
	bool said;                 /* a person said so: no watch says otherwise */
};

enum watch_state { WATCH_WAITING, WATCH_WATCHING, WATCH_FOLLOWING, WATCH_DONE };

struct watch {
	const char *id, *dep, *rule, *hash;
	enum watch_state state;
	sw_dur every;              /* its rhythm: what the rule says, else the signals' own, at most 60 looks */
	sw_ms opened, from, until, grace_until, good_at;
	sw_ms last_at, last_eval;
	sw_ms looked;              /* when its condition was evaluated last */
	bool asked;                /* the reference was asked: look at every message */
	sw_ms fail_at;
	sw_ms tilt;                /* we were asleep: no verdict before a reading newer than this; 0: awake */
	int64_t total, known, early; /* checks; of them those that said something; besides, those that came too early */
	double requests, counted;  /* served since it began, by the signal requests and by the counts of error_rate; negative: not known */
	bool last_known;
	bool transient;            /* it was significant, and went away */
	sw_ms ended;               /* when it was done; 0: it is not */
	int calm;                  /* following: checks in a row that were false */
	struct sw_hold holds[SW_HOLDS_MAX];
	size_t n_holds;
	const char *verdict, *reason; /* NULL while open */
	bool fired;                /* its alert was told */
};

enum act_state { ACT_PROPOSED, ACT_ASKING, ACT_POSTPONED, ACT_STARTED, ACT_DONE, ACT_FAILED, ACT_UNKNOWN, ACT_SKIPPED, ACT_VERIFIED, ACT_INEFFECTIVE };

struct act {
	const char *id, *action, *dep, *watch, *rule, *hash;
	enum act_state state;
	bool rollback;
	sw_ms proposed, due, deadline, started; /* due: next try to begin; deadline: of the state */
	sw_ms refused_since;
	const char *why;
	const char *target;                     /* last good sha as it was told to the target; NULL: none */
	const char *offer;                      /* deployment that is gone back to though nobody verified it, once a person approves; NULL: none */
	/* asking (ask.c) */
	sw_ms asked;                            /* 0: nobody was asked */
	bool proceed;                           /* silence means yes */
	const char *ask_why, *saw;              /* why people are asked though the rule does not (NULL: it does); what the rule saw */
	bool approved;                          /* by a person */
	const char *decided_by, *decision;      /* who decided; by which request (NULL: not by the page) */
	sw_ms decided_at;
	const char *run_j, *run_p, *run_d;      /* what the host said it began: job, pipeline, its deployment; NULL: not said */
};

struct series {
	const char *name;
	size_t n;
	struct sw_sample s[PLACE_SAMPLES]; /* oldest first */
	const char *digits[PLACE_SAMPLES], *counts[PLACE_SAMPLES]; /* value and count as they stand in the state; NULL: new */
};

/* A source that this place is asked at. */
struct source_state {
	const char *name;                /* "health", "prometheus", "scrape", "reference" */
	sw_ms due;                       /* next question; 0: none. Its timer is "probe:<name>" */
	sw_ms planned;                   /* due as the step found it: what the timer is set to */
	sw_ms heard;                     /* last answer; 0: none yet */
	enum sw_reading reading;         /* of that answer: OK when any of it could be read */
	double value;                    /* reference: 1 reached */
	const char *memory;              /* what it wants to be handed again, or NULL */
};

/* What is known of the time before a deployment, of one signal at one step (baseline.h). */
enum past_state { PAST_ASKED, PAST_KNOWN, PAST_MISSING };
struct past {
	const char *dep, *signal;
	sw_dur step;
	enum past_state state;
	sw_ms due;                       /* ASKED: the answer is late by then */
	int tries;
	const char *why;                 /* MISSING */
};

/* Of the arrays only the elements in use are written: a step touches a tenth of what there is room for. */
struct place_state {
	const char *service, *environment;
	const struct sw_place *conf;     /* NULL: the configuration knows it no more */
	size_t n_deps, n_watches, n_acts, n_series, n_good, n_bad, n_rollbacks, n_sources, n_pasts;
	const char *hold_by, *hold_why;
	sw_ms tick_due;
	const char *failing;             /* as what it stands in recent-fails; NULL: it does not fail */
	struct heard heard;              /* signals nobody is asked for */
	struct deployment deps[PLACE_DEPLOYMENTS + 1]; /* oldest first, in the host's order; from here on not zeroed */
	struct watch watches[PLACE_WATCHES];
	struct act acts[PLACE_ACTS];
	struct series series[PLACE_SERIES];
	const char *good[PLACE_SHAS], *bad[PLACE_SHAS];
	sw_ms rollbacks[8];              /* starts in the last 24 h */
	struct source_state sources[PLACE_SOURCES];
	struct past pasts[PLACE_PASTS];
};

/* state.c: from JSON and to JSON */
void sw_place_read(struct step *s, struct place_state *p);
void sw_place_write(struct step *s, struct place_state *p);
void sw_place_write_dep(const struct deployment *d, bool whole, struct sw_jw *w); /* not whole: what identity, order and the next message need */
void sw_place_write_watch(const struct watch *x, bool holds, struct sw_jw *w);
void sw_place_write_act(const struct act *x, struct sw_jw *w);
const char *sw_act_state_name(enum act_state st);

/* readings.c: the newest readings of a signal */
struct series *sw_readings_of(struct place_state *p, const char *signal); /* made if it is new; NULL: too many */
const struct series *sw_readings_find(const struct place_state *p, const char *signal);
/* In order of time; one that is there is left. A full one forgets where it is densest, the newest 48 stay as they are. */
bool sw_readings_add(struct series *sr, const struct sw_sample *x); /* false: it was there, or is too old */
/* Only the newest n stay; false: there are no more. */
bool sw_readings_keep(struct series *sr, size_t n);
void sw_readings_read(const struct sw_jnode *n, struct series *sr);
void sw_readings_write(const struct series *sr, struct sw_jw *w);

/* place.c */
struct deployment *sw_place_dep(struct place_state *p, const char *id);
struct watch *sw_place_watch(struct place_state *p, const char *id);
struct act *sw_place_act(struct place_state *p, const char *id);
/* The deployment that runs here: the newest success by the host's order. NULL: none known. */
struct deployment *sw_place_running(struct place_state *p);
bool sw_place_has(const char *const *list, size_t n, const char *sha);
void sw_place_remember(const char **list, size_t *n, const char *sha);
void sw_place_forget(const char **list, size_t *n, const char *sha);
/* Carries out what a rule says besides alerting: rollback, run, hold, label. w NULL: decided by the event alone. */
void sw_place_then(struct step *s, struct place_state *p, struct deployment *d, struct watch *w, const struct sw_rule *rule,
                struct sw_alert *al);
const char *sw_place_scope(struct step *s, const struct place_state *p); /* "web/prod" */
/* The ring of a signal while that deployment runs; dep NULL: before the first one that is known. */
const char *sw_place_ring(struct step *s, const struct place_state *p, const char *dep, const char *signal);

/* deployment.c: folding facts into deployments and what follows from each change */
int sw_deployment_fact(struct step *s, struct place_state *p, const struct sw_jnode *msg);
/* <0: a is older. By the host's order, never by arrival alone. */
int sw_deployment_compare(const struct deployment *a, const struct deployment *b);
bool sw_sha_equal(const char *a, const char *b); /* one may be a prefix of at least 7 */
/* Deadlines: stuck. Next one into *next. */
void sw_deployment_tick(struct step *s, struct place_state *p, sw_ms *next);
/* Rules set off by a trigger about this deployment. */
void sw_deployment_trigger(struct step *s, struct place_state *p, struct deployment *d, enum sw_trigger_kind kind);

/* watch.c */
void sw_watch_open(struct step *s, struct place_state *p, struct deployment *d, const struct sw_rule *rule);
void sw_watch_tick(struct step *s, struct place_state *p, sw_ms *next);
void sw_watch_end(struct step *s, struct place_state *p, struct watch *w, const char *verdict, const char *reason);
void sw_watch_superseded(struct step *s, struct place_state *p, const struct deployment *newer);
struct sw_rules *sw_watch_rules(struct step *s, const struct watch *w, const struct sw_rule **rule);
/* The rule of a watch from the set at hand, for what need not be exact; NULL: none. *ret_rules (may be NULL): its set. */
const struct sw_rule *sw_watch_rule_near(struct step *s, const struct watch *w, struct sw_rules **ret_rules);
void sw_watch_settle(struct step *s, struct place_state *p, struct deployment *d);

/* probe.c: what is asked, when */
/* Where this signal is asked at this place: "health", "prometheus", "scrape"; NULL: nowhere, or it comes by itself. */
const char *sw_probe_source(const struct sw_place *conf, const struct sw_signal_def *def);
struct source_state *sw_probe_state(struct place_state *p, const char *source); /* made if it is new; NULL: too many */
/* The rhythm of a rule's watch at this place. */
sw_dur sw_probe_every(const struct sw_place *conf, const struct sw_rules *rules, const struct sw_rule *rule);
/* How often the place wants this source to be asked now; 0: not at all. */
sw_dur sw_probe_rhythm(struct step *s, struct place_state *p, const char *source);
void sw_probe_timer(struct step *s, struct place_state *p, const char *source, sw_ms due);
/* At the end of a step: timers of all sources, pasts that are wanted. */
void sw_probe_plan(struct step *s, struct place_state *p, sw_ms *next);
/* Is our own network fine? True or false when it was asked within the last 10 s; else asks, and unknown. */
enum sw_truth sw_probe_reference(struct step *s, struct place_state *p);
void sw_probe_past(struct step *s, struct place_state *p, const struct sw_jnode *msg);
/* Key of a past, below {sw}:. */
const char *sw_probe_past_key(struct step *s, const struct past *x);
/* Is anything known, or asked, of the past of that signal? */
bool sw_probe_has_past(const struct place_state *p, const char *dep, const char *signal, sw_dur step);
/* The baseline of a deployment; NULL: not (yet) known, *ret_why says why (or it was noted as a need). */
const struct baseline *sw_probe_baseline(struct step *s, const struct place_state *p, const char *dep, const char *signal, sw_dur step,
                                         const char **ret_why);

/* samples.c */
void sw_place_samples(struct step *s, struct place_state *p, const struct sw_jnode *msg);
/*
 * How many services of a tier (NULL: any) began to fail within so long; `but` is not counted (NULL: all are). unwatched: only those
 * that were not being watched when it began, so that no deployment of theirs explains it.
 */
size_t sw_fails_count(const struct step *s, const char *tier, const char *but, bool unwatched, sw_dur within);

/* judge.c: is it the deployment? */
enum judge_guard { JUDGE_GO, JUDGE_WAIT /* the reference was asked */, JUDGE_PRE_EXISTING, JUDGE_COMMON_CAUSE, JUDGE_OWN_NETWORK };
enum judge_guard sw_judge_guard(struct step *s, struct place_state *p, const struct deployment *d, const struct sw_rule *rule,
                                const struct sw_facts *facts);
bool sw_judge_common(const struct step *s, const struct place_state *p);  /* other services fail, and no deployment of theirs explains it */
bool sw_judge_outage(struct step *s, const struct place_state *p, const struct watch *w); /* a source of the rule did not answer last time */
double sw_judge_requests(const struct watch *w); /* served since it began; negative: not known */

/* measure.c: signals for expressions */
struct facts;
void sw_measure_fill(struct facts *f, struct sw_facts *ret);

/* act.c */
/* Decides about an action of a failed watch; al tells in the firing message what will be. */
void sw_act_propose(struct step *s, struct place_state *p, struct deployment *d, struct watch *w, const struct sw_rule *rule,
                 const struct sw_then *then, struct sw_alert *al);
void sw_act_go(struct step *s, struct place_state *p, const struct sw_jnode *msg);
void sw_act_result(struct step *s, struct place_state *p, const struct sw_jnode *msg);
void sw_act_tick(struct step *s, struct place_state *p, sw_ms *next);
/* The watch it was decided for saw the condition end. */
void sw_act_recovered(struct step *s, struct place_state *p, const struct watch *w);
/* What became of the action that was decided for this watch, put into an alert; nothing, when none was. */
void sw_act_became(const struct place_state *p, const struct watch *w, struct sw_alert *al);
void sw_act_cancel(struct step *s, struct place_state *p, const char *dep, const char *why);
/* What act.c and ask.c share: all guards but those only the script knows, NULL: nothing forbids it; what takes a question back; its end. */
const char *sw_act_guards(struct step *s, struct place_state *p, struct deployment *d, const struct act *x);
const char *sw_act_withdrawn(struct step *s, struct place_state *p, struct deployment *d, const struct act *x);
void sw_act_skip(struct step *s, struct place_state *p, struct act *x, const char *why);
/* Begins what nothing forbids, now or when what it waits for is over. */
void sw_act_begin(struct step *s, struct place_state *p, struct act *x, const struct deployment *d);
/* Why an action is dropped: a newer deployment, with who it was where that is known. */
const char *sw_act_newer(struct step *s, const struct deployment *newer);
/* A message about an action that is under way, as news of the alert it belongs to. */
void sw_act_news(struct step *s, struct place_state *p, const struct act *x, enum sw_alert_news what, const char *detail);

/* ask.c: a person decides */
#define SW_ASK_NAME_MAX 100 /* bytes of a name */
#define SW_ASK_SILENCE "nobody answered in time"
/* forced: why people are asked though the rule asks for nothing, NULL: it does. al: the firing message. */
void sw_ask_begin(struct step *s, struct place_state *p, const struct deployment *d, struct act *x, const struct sw_then *then,
                  const char *forced, const struct sw_alert *al);
void sw_ask_tell(struct step *s, struct place_state *p, const struct sw_jnode *msg);
void sw_ask_timer(struct step *s, struct place_state *p, const char *id, sw_ms due);
void sw_ask_decide(struct step *s, struct place_state *p, const struct sw_jnode *m, bool yes);
void sw_ask_withdraw(struct step *s, struct place_state *p, struct act *x, const char *why);
/* Another rule wants the same and asks nobody: it goes on as that rule's. */
void sw_ask_outdone(struct step *s, struct place_state *p, struct act *x, const struct act *other);
void sw_ask_tick(struct step *s, struct place_state *p, struct act *x, sw_ms *next);

/* own.c: what a rollback goes back to, and which deployment is its run */
#define SW_OWN_VERIFY_WITHIN (5 * SW_MINUTE)  /* from its end until the condition must be gone */
#define SW_OWN_RUN_WITHIN    (30 * SW_MINUTE) /* the same from its start, while a run that the host named has not ended */
/* The sha that is verified good and newest beside d's; *ret: its deployment, NULL: not known any more. NULL: none. */
const char *sw_own_good(const struct place_state *p, const struct deployment *d, const struct deployment **ret);
/* The newest other commit that ran here before d and is not known to be bad: the host's previous success. NULL: none. */
const struct deployment *sw_own_previous(const struct place_state *p, const struct deployment *d);
/* What x goes back to: what is verified good, else what it offers. *ret as above. NULL: nothing. */
const char *sw_own_target(const struct place_state *p, const struct deployment *d, const struct act *x, const struct deployment **ret);
/* The members of a decision that say where the deployment and the last good one are found at the host. */
void sw_own_write(struct step *s, const struct place_state *p, const struct deployment *d, const struct act *x, struct sw_jw *j);
/* A fact told of d: is it the run of a rollback of ours? */
void sw_own_recognise(struct step *s, struct place_state *p, struct deployment *d);
/* d ended: if it is the run of a rollback, what does that mean for it? */
void sw_own_ran(struct step *s, struct place_state *p, const struct deployment *d);
bool sw_own_succeeded(const struct place_state *p, const struct act *x); /* its run did */
/* It surely ran, whatever else is known of it: a deployment is its run, and not by time alone. */
bool sw_own_seen(struct place_state *p, const struct act *x);
#define SW_OWN_SEEN "its own run was seen"
/* x is done; msg may name the run that was begun. */
void sw_own_began(struct step *s, struct place_state *p, struct act *x, const struct sw_jnode *msg);

#endif
