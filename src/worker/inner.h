/*
 * What the files of the worker share.
 *
 * One thread, one loop. Ownership: a lane (stepper.c), an intake, a delivery, an act and a probe each own their arena and hold
 * the configuration they began with; SIGHUP changes what begins later only.
 */
#ifndef SW_WORKER_INNER_H
#define SW_WORKER_INNER_H

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/map.h"
#include "bus/bus.h"
#include "config/config.h"
#include "engine/engine.h"
#include "io/loop.h"
#include "io/spawn.h"
#include "shipwatch/buf.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"
#include "shipwatch/plugin.h"
#include "worker/worker.h"

struct sw_lane;
struct sw_meters;
struct sw_http_client;

/* A configuration made ready for the engine: immutable, counted. */
struct setup {
	unsigned refs;
	struct sw_config *cfg;
	struct sw_rules *rules;
	struct sw_arena a;
	struct sw_engine engine;
};

#define SPARE_ARENAS 64

struct worker {
	struct sw_loop *loop;
	struct sw_bus *bus;
	struct sw_http_client *http;
	struct sw_mailer *mailer;
	struct sw_spawner *spawner;
	struct sw_meters *meters;
	struct setup *setup;           /* in force */
	const struct sw_worker_options *opt;
	char consumer[96];
	const char *state_dir;         /* NULL: nowhere */

	struct sw_map lanes;           /* aggregate → struct sw_lane */
	struct sw_lane *ready;
	struct sw_arena spare[SPARE_ARENAS]; /* of lanes that ended */
	size_t n_spare;
	struct sw_map pinned;          /* hash → struct sw_rules */
	struct sw_map kept;            /* what is written once: key → text */
	size_t kept_bytes;
	struct sw_map states;          /* aggregate → struct sw_kept_state */
	struct sw_kept_state *states_first, **states_last;
	size_t n_states, states_bytes;
	size_t in_flight;              /* entries in hand */
	size_t ios;                    /* I/O and results under way */
	bool reading, owed;            /* owed: a read callback came, sw_bus_read_more has not been called */
	bool stopping;

	struct sw_timer tick, beat, deadline, minute, alive;
	struct sw_defer more;
	sw_dur tick_at;                /* when the next tick is due, by sw_clock_mono; 0: one is under way */
	sw_dur careful_until;          /* a worker died not long ago: what may have killed it goes by way of the stream */
	bool ticking, held, rewound, ready_told, beating;
	int64_t masters;               /* of the bus, as it was counted last */
	sw_dur ticked;                 /* last good tick, by sw_clock_mono */
	int tick_r;                    /* why Redis refused the last one; 0: it did not */
	const char *weak;              /* why Redis may lose what it took, as last told */
	sw_dur started;
	sw_ms woke_at;                 /* earliest due time noted while a tick was under way; 0: none */
	struct sw_compared { char *url, *body; size_t n; sw_dur at; } compared[16]; /* compare.c; body NULL: was refused */
	struct intake *intakes;
	struct outbox_item *outbox;
	struct quiet *quiets;
	struct side *side;             /* HTTP listener of a worker, if any */
};

/* setup.c */
/* Loads the rules too; mistakes are logged. Takes a reference of cfg of its own. Return: 0, or -EINVAL. */
SW_CHECKED int sw_setup_new(struct worker *w, struct sw_config *cfg, struct setup **ret);
struct setup *sw_setup_get(struct setup *s);
struct setup *sw_setup_put(struct setup *s); /* NULL in, NULL out; returns NULL */
/* Text of pinned rules as read from Redis into the cache. Return: 0, or -ENOENT (source NULL), -EINVAL (a newer language). */
SW_CHECKED int sw_pinned_add(struct worker *w, const char *hash, const char *source);
void sw_pinned_fini(struct worker *w);
/* A baseline that was read or written ("past:…"; other keys and NULL texts are passed over): it never changes, so it is asked once. */
void sw_kept_add(struct worker *w, const char *key, const char *text);
void sw_kept_fini(struct worker *w);

/* stepper.c */
void sw_stepper_add(struct worker *w, const struct sw_entry *entry);
void sw_stepper_go(struct worker *w);       /* after a batch of adds */
/* A message of our own that is in no stream: it may be lost with us. Entries that are reclaimed, marked and buried are not such. */
void sw_stepper_local(struct worker *w, const char *aggregate, const char *msg);
void sw_stepper_fini(struct worker *w);     /* after the bus is gone */

/* effects.c: what a step decided */
/* All but aggregate, v and acks; borrowed of the step, and in the arena. */
void sw_effects_change(const struct sw_step *s, struct sw_arena *a, struct sw_change *ret);
/* After the commit. ev: of the first fact, for the log, or NULL. */
void sw_effects_begin(struct worker *w, struct setup *setup, const char *aggregate, const struct sw_jnode *ev, const struct sw_step *s,
                      struct sw_arena *a);

/* states.c: states just committed, for the samples that come next */
struct sw_kept_state {
	struct sw_kept_state *next, **link;
	char *aggregate, *state, *fails, *hold;
	size_t n;
	int64_t v;
	sw_dur at;                     /* by sw_clock_mono */
};
void sw_states_keep(struct worker *w, const char *aggregate, const struct sw_loaded *ld); /* v, state, fails, hold of it */
struct sw_kept_state *sw_states_take(struct worker *w, const char *aggregate); /* the caller's; NULL: none, or too old */
void sw_kept_state_free(struct sw_kept_state *k); /* NULL is fine */
void sw_states_fini(struct worker *w);

/* intake.c */
void sw_intake_add(struct worker *w, const struct sw_entry *entry);
void sw_intake_fini(struct worker *w);      /* after the bus is gone */

/* quiet.c: sources that went silent */
void sw_quiet_setup(struct worker *w);      /* at start and after a reload */
/* A delivery of that source; true: its time is to be noted in Redis now. */
bool sw_quiet_heard(struct worker *w, const char *source, sw_ms at);
void sw_quiet_tick(struct worker *w);       /* once a minute */
void sw_quiet_fini(struct worker *w);

/* channels.c: how channels are, for /metrics */
void sw_channels_tick(struct worker *w);    /* once a minute */
void sw_channels_seen(struct worker *w, const char *channel, const char *state, size_t n); /* state NULL: it has none yet */

/* poller.c, courier.c, actor.c: begin the I/O that a committed step decided; io is copied. calls: goes back in `sent` */
void sw_poller_run(struct worker *w, struct setup *setup, const char *aggregate, const struct sw_io *io);
void sw_courier_run(struct worker *w, struct setup *setup, const char *aggregate, const struct sw_io *io, int64_t calls);
void sw_actor_run(struct worker *w, struct setup *setup, const char *aggregate, const struct sw_io *io);
/* Outcomes of programs that outlived their worker on this machine. */
void sw_actor_recover(struct worker *w);

/*
 * compare.c: al's commits from what the API of its host says happened between prev_sha and sha. Return: true when it is asked, then
 * cb runs later, once, whatever came of it; false: there is nothing to ask, or it is in al already. a and al live until cb.
 */
typedef void (*sw_compare_cb)(void *arg);
bool sw_compare_ask(struct worker *w, const struct setup *setup, struct sw_arena *a, struct sw_alert *al, sw_compare_cb cb, void *arg);
void sw_compare_fini(struct worker *w);

/* doer.c: one job done; res is borrowed during the callback, which runs exactly once, never from within sw_do_job */
typedef void (*sw_do_cb)(void *arg, const struct sw_result *res);
SW_CHECKED int sw_do_init(struct worker *w, struct sw_err *err);
void sw_do_fini(struct worker *w);
/* What a job is done for. id, note: of a program's record on disk, so that its outcome survives us; id NULL: none is kept */
struct sw_do_for { const char *id, *note, *ci_run_id; };
void sw_do_job(struct worker *w, const struct sw_job *job, const struct sw_do_for *what, sw_do_cb cb, void *arg);
void sw_do_settle(struct worker *w, const char *id); /* the outcome was told: the record goes */
/* Programs of a forerunner on this machine, each once its outcome is known. */
void sw_do_recover(struct worker *w, sw_spawn_found_cb cb, void *arg);

/*
 * outbox.c: a result to an aggregate, tried again until the bus takes it. keen false: one try (a sample may be missing).
 * settle: record of a program that goes when it was taken, or NULL
 */
void sw_outbox_append(struct worker *w, const char *aggregate, const char *msg, bool keen, const char *settle);
void sw_outbox_fini(struct worker *w);

/* meters.c */
struct sw_meters *sw_meters_new(const struct sw_worker_options *opt);
void sw_meters_free(struct sw_meters *m);
void sw_meters_event(struct worker *w, const char *source, const char *kind);
void sw_meters_masters(struct worker *w, int64_t more);
void sw_meters_dead(struct worker *w, const char *what);
void sw_meters_tally(struct worker *w, enum sw_tally what, const char *label);
void sw_meters_step(struct worker *w, sw_dur took, int outcome);
void sw_meters_attempt(struct worker *w, const char *channel, const char *cls, sw_dur took);
void sw_meters_channel(struct worker *w, const char *channel, bool down, int64_t waiting);
void sw_meters_action(struct worker *w, const char *action, const char *cls);
void sw_meters_probe(struct worker *w, const char *signal, const char *reading);
void sw_meters_tick(struct worker *w, const struct sw_tick *t);
void sw_meters_silent(struct worker *w, const char *source, bool silent);
void sw_meters_text(struct worker *w, struct sw_buf *out);

/* worker.c */
/* Parts of sw_worker_run, for tests: init (w->loop is set), then setup, bus and http, then begin; fini takes all of it down. */
void sw_worker_init(struct worker *w, const struct sw_worker_options *opt);
void sw_worker_begin(struct worker *w);
void sw_worker_fini(struct worker *w);
void sw_worker_wake_at(struct worker *w, sw_ms due);  /* a timer is due then: tick no later */
void sw_worker_more(struct worker *w);                /* an entry was settled: read on, or end */
void sw_worker_settled(struct worker *w);             /* an I/O ended */
/* Appends bytes to a file in state_dir; at 8 MiB it becomes FILE.1 and a new one begins. */
void sw_worker_note(struct worker *w, const char *file, const char *p, size_t n);
/* side.c: /metrics and /health at opt->listen. Return: 0, or -errno with err. */
SW_CHECKED int sw_side_new(struct worker *w, const char *listen, struct sw_err *err);
void sw_side_free(struct worker *w);
/* service, environment of "place:web/prod" into ids; texts in the arena. */
void sw_ids_of_aggregate(struct sw_arena *a, const char *aggregate, struct sw_log_ids *ids);
/* "place:web/prod" taken apart; false: it is none. */
bool sw_place_of_aggregate(struct sw_arena *a, const char *aggregate, const char **service, const char **environment);

#endif
