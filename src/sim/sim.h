/*
 * Simulation: the engine in virtual time. Rule tests (`shipwatch test`) run here: hours in milliseconds, no Redis, no network.
 *
 * The world holds aggregates, messages and timers as the bus does and carries out what steps decide: probes answer from the
 * script, deliveries arrive, actions end as the script says. Everything that happened stands in its log.
 */
#ifndef SW_SIM_SIM_H
#define SW_SIM_SIM_H

#include "base/map.h"
#include "base/yaml.h"
#include "engine/engine.h"
#include "shipwatch/alert.h"
#include "shipwatch/buf.h"

/* ---- the world ---- */

enum sim_what { SIM_VERDICT, SIM_ALERT, SIM_ACTION, SIM_HOLD, SIM_NOTE };

/* Something that happened. */
struct sim_entry {
	enum sim_what what;
	sw_ms at;                    /* since the start of the test */
	const char *place;           /* "web/prod" or the line */
	const char *rule;
	const char *verdict, *reason; /* VERDICT */
	const char *news, *channel, *text; /* ALERT: "firing"; the whole message in plain text */
	const char *action;          /* ACTION */
};

/* How an action ends. */
enum sim_outcome { SIM_OK, SIM_FAIL, SIM_UNKNOWN, SIM_NEVER };

struct sim_world {
	const struct sw_engine *engine;
	struct sw_arena *a;          /* lives as long as the world */
	sw_ms start, now;
	struct sw_map aggregates;    /* name → struct sim_aggregate */
	struct sim_message { const char *aggregate, *msg; struct sim_message *next; } *head, *tail;
	struct sim_timer { const char *aggregate, *name; sw_ms due; } *timers;
	size_t n_timers, cap_timers;
	struct sim_later { sw_ms due; const char *aggregate, *msg; } *later; /* results of I/O */
	size_t n_later, cap_later;
	struct sw_map fails;         /* service → since */
	struct sw_map keeps;         /* key → JSON text */
	struct sim_entry *log;
	size_t n_log, cap_log;
	const char *hold;
	const char *refuse_starts;   /* the script's guard says so: "backlog" …; NULL: it lets pass */
	enum sim_outcome outcome;
	/* What a probe finds at a moment. Return: false when nothing answers in time (no sample). */
	bool (*probe)(void *arg, const char *service, sw_ms at, struct sw_sample *ret);
	void *arg;
	struct sw_map starts;        /* ids of actions ever started */
};

void sw_sim_world_init(struct sim_world *w, const struct sw_engine *e, struct sw_arena *a, sw_ms start);
void sw_sim_world_fini(struct sim_world *w);
/* An event as intake would hand it on. */
void sw_sim_event(struct sim_world *w, const struct sw_event *ev);
void sw_sim_append(struct sim_world *w, const char *aggregate, const char *msg);
/*
 * Lets time pass to `until`, doing all that is due in order. asleep: nothing is done before `until` (a stopped worker).
 * Return: 0, or -errno of a step with err.
 */
SW_CHECKED int sw_sim_run(struct sim_world *w, sw_ms until, bool asleep, struct sw_err *err);
/* State of an aggregate as JSON text, or NULL. */
const char *sw_sim_state(const struct sim_world *w, const char *aggregate);

/* ---- tests of rules ---- */

struct sim_report {
	unsigned passed, failed;
	struct sw_buf text;          /* a line per test, and what went wrong */
};

/*
 * Runs the tests of one file; only those whose name contains `only` (NULL: all). Each test runs three times: as written, with
 * every event doubled, and with events of one moment in reverse order; all must end as expected.
 * Return: 0 (see report), -EINVAL with the mistakes of file or rules in d.
 */
SW_CHECKED int sw_sim_test_file(const char *path, const char *only, struct sim_report *report, struct sw_diags *d);

#endif
