/*
 * Simulation: the engine in virtual time. Rule tests (`shipwatch test`) and replays of recordings (`shipwatch replay`) run here:
 * hours in milliseconds, no Redis, no network.
 *
 * The world holds aggregates, messages and timers as the bus does and carries out what steps decide: sources answer as the
 * script or the recording says, deliveries arrive, actions end as they are told to. What happened stands in its log.
 */
#ifndef SW_SIM_SIM_H
#define SW_SIM_SIM_H

#include "base/map.h"
#include "base/yaml.h"
#include "engine/engine.h"
#include "shipwatch/alert.h"
#include "shipwatch/buf.h"

/* ---- the world ---- */

enum sim_what { SIM_OPEN, SIM_VERDICT, SIM_ALERT, SIM_ACTION, SIM_HOLD };

/* Something that happened. */
struct sim_entry {
	enum sim_what what;
	sw_ms at;                    /* since the start of the world */
	const char *place;           /* "web/prod" or the line */
	const char *rule;            /* HOLD: why */
	const char *deployment, *sha; /* OPEN, VERDICT, ACTION: whose */
	sw_ms deployed;              /* OPEN, VERDICT: when that deployment ended well, since the start; 0 and less: before */
	bool is_rollback;            /* OPEN: the deployment brought back what ran here before */
	const char *verdict, *reason; /* VERDICT */
	const char *news, *channel, *text; /* ALERT: "firing"; the whole message in plain text */
	enum sw_severity severity;   /* ALERT */
	const char *action;          /* ACTION */
};

/* How an action ends. */
enum sim_outcome { SIM_OK, SIM_FAIL, SIM_UNKNOWN, SIM_NEVER };

/* What the world outside answers. place is "web/prod". */
struct sim_outside {
	void *arg;
	/* A source is asked: its samples into out. Return: how long the answer takes; -1: nothing ever comes back. */
	sw_dur (*probe)(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_samples *out);
	/*
	 * What was before, by io->past: its from..to. Asked once more for each earlier day, with from..to of that day. Return: 0 and *ret (arrays in a, may be changed); -EIO: the source does not answer now;
	 * -ENOENT: it does not know; *why for people. NULL: nothing knows of any past.
	 */
	int (*past)(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_arena *a, struct sw_past *ret, const char **why);
	/* What a channel answers: a class as `sent` has it, with *wait and *detail; "": nothing ever. NULL: every message arrives. */
	const char *(*deliver)(void *arg, const struct sw_io *io, sw_ms at, sw_dur *wait, const char **detail);
};

struct sim_world {
	const struct sw_engine *engine;
	struct sw_arena *a;          /* of the log; lives as long as the world */
	sw_ms start, now;
	struct sw_map names;         /* one copy of each name */
	struct sw_map aggregates;    /* name → struct sim_aggregate */
	struct sim_message { struct sim_message *next; const char *aggregate; char msg[]; } *head, *tail;
	struct sim_timer { const char *aggregate, *name; sw_ms due; } *timers;
	size_t n_timers, cap_timers;
	struct sim_later { sw_ms due; struct sim_message *m; } *later; /* results of I/O */
	size_t n_later, cap_later;
	struct sw_map fails;         /* service → since, as text */
	struct sw_map keeps;         /* key → struct sim_keep */
	struct sim_entry *log;
	size_t n_log, cap_log;
	const char *hold;
	const char *refuse_starts;   /* the script's guard says so: "backlog" …; NULL: it lets pass */
	enum sim_outcome outcome;
	struct sim_outside outside;
	struct sw_map starts;        /* ids of actions ever started */
	size_t dead;                 /* dead letters */
	void (*journal)(void *arg, const char *line); /* each step's line; NULL: no matter */
	void *journal_arg;
	int64_t calls;               /* of the robot, with what is sent now */
	struct sw_map robots;        /* credential → struct sim_robot */
	uint64_t steps;
};

/* robots.c: what one robot bears, as the script of the bus has it. */
struct sim_robot { sw_ms hold_until, sent[1000]; size_t n; int64_t calls; int month; };
/* Why this may not be sent now, and *wait until it may; NULL: it may. */
const char *sw_sim_robot_guard(struct sim_world *w, const struct sw_step *out, sw_dur *wait);
void sw_sim_robot_commit(struct sim_world *w, const struct sw_step *out);

void sw_sim_world_init(struct sim_world *w, const struct sw_engine *e, struct sw_arena *a, sw_ms start);
void sw_sim_world_fini(struct sim_world *w);
/* All places are known to be there, as workers do at their start. */
void sw_sim_wake(struct sim_world *w);
/* An event as intake would hand it on. */
void sw_sim_event(struct sim_world *w, const struct sw_event *ev);
void sw_sim_append(struct sim_world *w, const char *aggregate, const char *msg);
void sw_sim_ack(struct sim_world *w); /* somebody has every alert there is in hand */
/*
 * Lets time pass to `until`, doing all that is due in order. asleep: nothing is done before `until` (a stopped worker).
 * Return: 0, or -errno of a step with err.
 */
SW_CHECKED int sw_sim_run(struct sim_world *w, sw_ms until, bool asleep, struct sw_err *err);
/* What is kept below a key ("past:…"); NULL: nothing. */
const char *sw_sim_kept(const struct sim_world *w, const char *key);
/* State of an aggregate as JSON text, or NULL. */
const char *sw_sim_state(const struct sim_world *w, const char *aggregate);

/* An engine for these rules and places: each channel and action they name exists. In the arena. */
void sw_sim_engine(struct sw_engine *e, struct sw_rules *rules, const struct sw_places *places, const char *const *alerts,
                   struct sw_arena *a);

/* ---- tests of rules ---- */

struct sim_result {
	const char *file, *name;
	unsigned line;
	const char *why;             /* lines; NULL: passed */
};

/* What is tested of a rule (rules.md 2): in both directions, and for what rolls back, what must not set it off. */
enum sim_tested { SIM_FIRES, SIM_QUIET, SIM_OUTAGE, SIM_SUPERSEDED, SIM_TESTED };
extern const char *const sw_sim_tested_names[SIM_TESTED];
struct sim_cover {
	const char *rule, *file;
	unsigned line;
	bool wanted[SIM_TESTED], done[SIM_TESTED];
};

/* Of any number of files; zero it, sw_sim_report_fini at the end. */
struct sim_report {
	struct sw_arena a;
	struct sim_result *results;
	size_t n, cap;
	struct sim_cover *covers;
	size_t n_covers, cap_covers;
	unsigned passed, failed;
};
void sw_sim_report_fini(struct sim_report *r);
/* Rules that lack a test they should have. */
size_t sw_sim_uncovered(const struct sim_report *r);
/* As people read it: a row a rule. */
void sw_sim_coverage(const struct sim_report *r, struct sw_buf *out);
/* For CI: a <testsuite> a file. */
void sw_sim_junit(const struct sim_report *r, struct sw_buf *out);
/* {"passed":…,"failed":…,"tests":[…],"coverage":[…]} */
void sw_sim_report_json(const struct sim_report *r, struct sw_buf *out);

/*
 * Runs the tests of one file; only those whose name fits `run` (sw_regex_compile; NULL: all). Each test runs three times: as
 * written, with every event doubled, and with events of one moment in reverse order; all must end as expected.
 * Return: 0 (see report), -EINVAL with the mistakes of file or rules in d.
 */
SW_CHECKED int sw_sim_test_file(const char *path, const void *run, struct sim_report *report, struct sw_diags *d);
/* The same of a text; what it names lies beside `name`. */
SW_CHECKED int sw_sim_test_text(const char *name, const char *text, size_t n, const void *run, struct sim_report *report, struct sw_diags *d);

#endif
