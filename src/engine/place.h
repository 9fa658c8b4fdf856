/*
 * The state of one place: what was deployed here, who watches it, what is being done about it. JSON in Redis, this struct in a
 * step; at most 16 KB, the oldest deployments go first.
 */
#ifndef SW_ENGINE_PLACE_H
#define SW_ENGINE_PLACE_H

#include "engine/step.h"

#define PLACE_DEPLOYMENTS 20
#define PLACE_WATCHES     64
#define PLACE_SERIES      8
#define PLACE_SAMPLES     64
#define PLACE_ACTS        8
#define PLACE_SHAS        20
#define PLACE_BYTES       16384

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
	bool acted;                /* a rollback was decided for it, whatever became of it */
	int good;                  /* -1 open, 0 no, 1 yes */
};

enum watch_state { WATCH_WAITING, WATCH_WATCHING, WATCH_FOLLOWING, WATCH_DONE };

struct watch {
	const char *id, *dep, *rule, *hash;
	enum watch_state state;
	sw_ms opened, from, until, grace_until, good_at;
	sw_ms last_at, last_eval;
	sw_ms fail_at;
	sw_ms tilt;                /* we were asleep: no verdict before a reading newer than this; 0: awake */
	int64_t total, known;
	bool last_known;
	int calm;                  /* following: checks in a row that were false */
	struct sw_hold holds[SW_HOLDS_MAX];
	size_t n_holds;
	const char *verdict, *reason; /* NULL while open */
	bool fired;                /* its alert was told */
};

enum act_state { ACT_PROPOSED, ACT_POSTPONED, ACT_STARTED, ACT_DONE, ACT_FAILED, ACT_UNKNOWN, ACT_SKIPPED, ACT_VERIFIED, ACT_INEFFECTIVE };

struct act {
	const char *id, *action, *dep, *watch, *rule, *hash;
	enum act_state state;
	bool rollback;
	sw_ms proposed, due, deadline, started; /* due: next try to begin; deadline: of the state */
	sw_ms refused_since;
	const char *why;
};

struct series {
	const char *name;
	size_t n;
	struct sw_sample s[PLACE_SAMPLES]; /* oldest first */
};

struct place_state {
	const char *service, *environment;
	const struct sw_place *conf;     /* NULL: the configuration knows it no more */
	struct deployment deps[PLACE_DEPLOYMENTS + 1];
	size_t n_deps;                   /* oldest first, in the host's order */
	struct watch watches[PLACE_WATCHES];
	size_t n_watches;
	struct act acts[PLACE_ACTS];
	size_t n_acts;
	struct series series[PLACE_SERIES];
	size_t n_series;
	const char *good[PLACE_SHAS], *bad[PLACE_SHAS];
	size_t n_good, n_bad;
	sw_ms rollbacks[8];              /* starts in the last 24 h */
	size_t n_rollbacks;
	const char *hold_by, *hold_why;
	sw_ms probe_due, tick_due;
	bool failing;                    /* in recent-fails */
	bool changed;
};

/* place.c */
void sw_place_read(struct step *s, struct place_state *p);
void sw_place_write(struct step *s, struct place_state *p);
struct deployment *sw_place_dep(struct place_state *p, const char *id);
struct watch *sw_place_watch(struct place_state *p, const char *id);
struct act *sw_place_act(struct place_state *p, const char *id);
/* The deployment that runs here: the newest success by the host's order. NULL: none known. */
struct deployment *sw_place_running(struct place_state *p);
bool sw_place_has(const char *const *list, size_t n, const char *sha);
void sw_place_remember(const char **list, size_t *n, const char *sha);
/* Carries out what a rule says besides alerting: rollback, run, hold, label. w NULL: decided by the event alone. */
void sw_place_then(struct step *s, struct place_state *p, struct deployment *d, struct watch *w, const struct sw_rule *rule,
                struct sw_alert *al);
const char *sw_place_scope(struct step *s, const struct place_state *p); /* "web/prod" */

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
void sw_watch_samples(struct step *s, struct place_state *p, const struct sw_jnode *msg);
void sw_watch_tick(struct step *s, struct place_state *p, sw_ms *next);
void sw_watch_end(struct step *s, struct place_state *p, struct watch *w, const char *verdict, const char *reason);
void sw_watch_superseded(struct step *s, struct place_state *p, const struct deployment *newer);
/* How often the place wants to be probed now; 0: not at all. */
sw_dur sw_watch_rhythm(struct step *s, const struct place_state *p);
struct sw_rules *sw_watch_rules(struct step *s, const struct watch *w, const struct sw_rule **rule);
void sw_watch_settle(struct step *s, struct place_state *p, struct deployment *d);

/* act.c */
/* Decides about an action of a failed watch; al tells in the firing message what will be. */
void sw_act_propose(struct step *s, struct place_state *p, struct deployment *d, struct watch *w, const struct sw_rule *rule,
                 const struct sw_then *then, struct sw_alert *al);
void sw_act_go(struct step *s, struct place_state *p, const struct sw_jnode *msg);
void sw_act_result(struct step *s, struct place_state *p, const struct sw_jnode *msg);
void sw_act_tick(struct step *s, struct place_state *p, sw_ms *next);
/* The watch it was decided for saw the condition end. */
void sw_act_recovered(struct step *s, struct place_state *p, const struct watch *w);
void sw_act_cancel(struct step *s, struct place_state *p, const char *dep, const char *why);
/* Why an action is dropped: a newer deployment, with who it was where that is known. */
const char *sw_act_newer(struct step *s, const struct deployment *newer);
const char *sw_act_state_name(enum act_state st);

#endif
