/*
 * The engine: step(rules, aggregate, snapshots, inputs, now) → aggregate', decisions. Pure: no clock, no I/O, no random number.
 *
 * Invariants
 *  1. Same inputs, same decisions, same ids. Nothing depends on a pointer, on hash order or on who calls.
 *  2. A step changes exactly one aggregate. What it wants of another it tells it (a message in the same commit).
 *  3. Facts about one deployment may come doubled and in any order: what is decided in the end is the same.
 *  4. Missing is never read as good and never as bad.
 *  5. A decision is committed before anything is sent; what is sent has an id made from the decision.
 *
 * Six kinds of aggregates, named by what stands before the colon:
 *   place:<service>/<environment>   deployments, watches, the action     place.c deployment.c watch.c act.c ask.c own.c
 *   line:<source>/<repo>/<ref>      runs of one line of development      line.c
 *   alert:<id>                      one alert's life and its deliveries  alert.c
 *   channel:<name>                  what waits for a channel, can it be used  channel.c waiting.c
 *   flap:<id>                       how often one service, environment and rule changes  flap.c
 *   silences:all                    what people do not want to hear      silences.c
 *
 * Messages (JSON, member "t"):
 *   fact {how, ev}            an event that concerns this aggregate                       from intake
 *   timer {name, due}         a timer came due; stale if due is not what the state says   from the bus
 *   told {ev}                 an alarm, or a report of no deployment: signals nobody is asked for (heard.c)  from intake
 *   wake {}                   a place of the configuration: see that it is probed         from workers at start
 *   samples {src, dep, items, mem}   what a probe found                                   from I/O
 *   past {dep, signal, rec}   what was before a deployment, or why that is not known {why, again}   from I/O
 *   acted {act, class, …}     what became of an action                                    from I/O
 *   news {…}                  another step wants people told                              to alert:
 *   calls {calls}             a hundredth more of the calls of a month                     to channel:
 *   wait {…}, probed {…}      a message of an alert waits for a channel, and what became of a probe (channel.h)  to channel:
 *   merged, counted, free, probe, back, expired {ch, d}   how it goes on with one that waited  to alert:
 *   change {fires, news}      an alert fires or is resolved                                  to flap:
 *   send {ch}                 begin the next delivery of this channel                     to itself
 *   sent {ch, n, class, …}    what became of it                                           from I/O
 *   go {act}                  begin the action                                            to itself
 *   ask {act}                 tell people that they are asked about it                    to itself
 *   cmd {do, …, who}          an operator: cancel, hold, release, label, approve, refuse, ack, silence, end  from the CLI, the approval page
 */
#ifndef SW_ENGINE_ENGINE_H
#define SW_ENGINE_ENGINE_H

#include "base/json.h"
#include "model/maintenance.h"
#include "model/place.h"
#include "rules/rules.h"
#include "shipwatch/alert.h"
#include "shipwatch/base.h"
#include "shipwatch/mem.h"

struct sw_engine_channel {
	const char *name, *fallback;   /* fallback NULL: none */
	const char *credential;        /* a digest, not the secret */
	int pace_count;
	sw_dur pace_per;
	int digest_above;              /* more than so many a minute become one message; 0: never */
	int quota;                     /* calls of a month; 0: no matter */
	bool program;                  /* nobody reads it: each alert as it is */
};

struct sw_engine_action {
	const char *name;
	bool dry_run;
	sw_dur timeout;                /* after which its outcome is unknown */
	bool needs_good;               /* chooses what is deployed: a verified good deployment has to be known */
};

/* What the engine knows of the configuration: borrowed, immutable during a step. */
struct sw_engine {
	const struct sw_places *places;
	struct sw_rules *rules;                                          /* in force */
	struct sw_rules *(*pinned)(void *arg, const char *hash);         /* borrowed; NULL: not at hand, the step asks for it */
	const char *(*kept)(void *arg, const char *key);                 /* what is written once ("past:…"), borrowed; NULL likewise */
	void *arg;
	const struct sw_engine_channel *channels;
	size_t n_channels;
	const struct sw_engine_action *actions;
	size_t n_actions;
	const char *const *alerts;     /* default channels, NULL-ended */
	const char *log_url;           /* with {ci_run_id}; NULL: none */
	const char *public_url;        /* of the dashboard, for links in messages; NULL: there is none */
	bool reference;                /* an address tells whether our own network is down */
	const struct sw_maintenance *maintenance; /* windows of the configuration */
	size_t n_maintenance;
	int tz_offset_s;
	sw_dur stuck_after;            /* 20 min unless set */
};

struct sw_snapshot {
	const char *key, *value;       /* what was asked by a need, or NULL value: it does not exist */
};

struct sw_step_in {
	const char *aggregate;
	const struct sw_jnode *state;  /* NULL: new */
	const struct sw_jnode *const *msgs;
	const char *const *texts;   /* msgs as they came, for the journal; NULL: written anew from msgs */
	size_t n_msgs;
	const struct sw_snapshot *snaps;
	size_t n_snaps;
	const struct sw_jnode *fails;  /* services failing now: name → since */
	const char *hold;              /* everything is on hold: why; NULL: it is not */
	const char *refused;           /* this very step was refused by a guard: why; it must not begin again now */
	sw_dur refused_wait;
	sw_ms now;
};

enum sw_io_kind { SW_IO_PROBE, SW_IO_PAST, SW_IO_DELIVER, SW_IO_ACT };

/* Something to do after the commit. */
struct sw_io {
	enum sw_io_kind kind;
	/* PROBE, PAST: what is asked of which source ("health", "prometheus", "scrape", "reference"); comes back in `samples`, `past` */
	const char *source, *deployment, *sha, *version;
	const struct sw_query *queries;
	size_t n_queries;
	const char *memory;            /* PROBE: what the source left with its last answer, or NULL */
	/* PAST: one query, from..to, and the same of earlier days; where the source keeps none: the readings of these rings, oldest first */
	const struct sw_past_ask *past;
	/* DELIVER */
	const char *channel;
	int64_t seq;                   /* which try; comes back in `sent` */
	enum sw_size_step { SW_IO_FULL, SW_IO_HALF, SW_IO_LINE } size;
	const char *alert_json;        /* sw_alert_read */
	const char *const *roles;      /* who to mention, NULL-ended or NULL */
	bool repeat;
	/* ACT */
	const char *action, *act_id, *act_json;
};

/* A time before a deployment, and what is to be made of it (engine/baseline.h). */
struct sw_past_ask {
	sw_ms from, to;                /* ends included, in steps of the query's step */
	sw_ms baseline_from;           /* the baseline is what lies from there to `to` */
	const sw_ms (*holes)[2];       /* times of other deployments: not part of baseline or history */
	size_t n_holes;
	const unsigned *looks;         /* calibrations wanted: this many readings after the deployment; none: 0 */
	size_t n_looks;
	bool logs;                     /* work on logarithms (latencies) */
	bool bad_down;
	int tz_offset_s;
	const char *const *rings;      /* NULL-ended */
	/*
	 * The same clock window of earlier days, for the control of regressed(): of day k = 1..n_days what lies from day_from to day_to
	 * less k times 24 h, in the same steps; from day_after on it is compared with what came after the deployment. 0: none.
	 */
	unsigned n_days;
	sw_ms day_from, day_after, day_to;
};
#define SW_PAST_DAYS 7

enum sw_note_level { SW_NOTE_DEBUG, SW_NOTE_INFO, SW_NOTE_WARN, SW_NOTE_ERROR };
struct sw_note { enum sw_note_level level; const char *text, *ci_run_id, *watch_id; };

/* Counters for /metrics. */
enum sw_tally { SW_TALLY_VERDICT, SW_TALLY_FIRED, SW_TALLY_ACTION, SW_TALLY_DEPLOYMENT };
struct sw_tallied { enum sw_tally what; const char *label; };

struct sw_step_timer { const char *name; sw_ms due; };
struct sw_step_tell { const char *aggregate, *msg; };
struct sw_step_ring { const char *ring; unsigned char bytes[16]; };

/* Written once, below {sw}:. value NULL: random digits that the worker makes, for a step has none. */
struct sw_step_keep { const char *key, *value; sw_dur ttl; };

#define SW_STEP_MAX 128

/* What was decided; everything in the arena handed in. Of the arrays at its end only the elements in use are written. */
struct sw_step {
	struct sw_arena *a;
	const char *state;             /* new JSON; NULL: unchanged */
	size_t state_n;
	sw_dur ttl;                    /* of the aggregate; 0: for ever */
	size_t n_timers, n_tells, n_rings, n_ios, n_keeps, n_needs, n_notes, n_tallies;
	const char *fails_add, *fails_del;
	struct sw_rules *pin;          /* keep the text of these rules */
	const char *start_action, *start_place;
	const char *pace_credential;
	int pace_count;
	sw_dur pace_per;
	int pace_calm, pace_month;     /* bus.h */
	const char *hold_credential;
	sw_ms hold_until;
	int64_t calls;                 /* set by the host when this is committed: calls of the paced credential in its month; 0: not counted */
	const char *dead_reason, *dead_body; /* a message that could not be delivered, or a parked state */
	const char *journal;
	struct sw_step_timer timers[16];
	const char *needs[16];         /* keys below {sw}: wanted before this can be decided; then nothing else is set */
	struct sw_step_keep keeps[12];
	struct sw_step_tell tells[SW_STEP_MAX];
	struct sw_step_ring rings[SW_STEP_MAX];
	struct sw_io ios[SW_STEP_MAX];
	struct sw_note notes[SW_STEP_MAX];
	struct sw_tallied tallies[SW_STEP_MAX];
};

/*
 * One step. Return: 0 and *ret (perhaps only needs); -EBADMSG when a message or the state cannot be understood, err says why
 * (the entry belongs to the dead letters; the state is as it was).
 */
SW_CHECKED int sw_engine_step(const struct sw_engine *e, const struct sw_step_in *in, struct sw_arena *a, struct sw_step *ret,
                              struct sw_err *err);

/* ---- routing: which aggregates an event concerns ---- */

struct sw_routed {
	struct sw_step_tell *facts;
	size_t n_facts;
	/* commits of a push, a run of a job: kept in a list below {sw}:, or NULL */
	const char *keep_key, *keep_value;
	/* a deployment nobody claims: its environment, for status */
	bool unclaimed;
};
void sw_engine_route(const struct sw_engine *e, const struct sw_event *ev, struct sw_arena *a, struct sw_routed *ret);

/* Stable short id from parts: 12 hex digits. NULL-ended. */
const char *sw_engine_id(struct sw_arena *a, const char *first, ...);
/* Where the random part of the link is kept by which people decide about an action; what its page shows is below "ask:<id>". */
#define SW_ASK_ID_DIGITS  12
#define SW_ASK_KEY_DIGITS 40
const char *sw_engine_ask_key(struct sw_arena *a, const char *act);

/*
 * Commits between two shas out of the values of "pushes:<repo>/<ref>" (JSON array, newest first); fills al's commits and files,
 * newest first. A gap leaves them empty and sets files_cut.
 */
void sw_engine_commits(const struct sw_jnode *pushes, const char *from_sha, const char *to_sha, struct sw_arena *a, struct sw_alert *al);
/* Key of that list for a repository and branch (or ref), below {sw}:. */
const char *sw_engine_pushes_key(struct sw_arena *a, const char *repo, const char *ref);

#endif
