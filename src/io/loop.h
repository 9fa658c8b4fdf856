/*
 * The loop of a process: libevent with a clock that is read once a turn, timers, signals, and a sweep at the end of each turn.
 *
 * A turn is: wait, run the callbacks of what is ready, then the deferred ones. What a callback may not do to its caller (free
 * it, for instance) it defers to the end of the turn.
 */
#ifndef SW_IO_LOOP_H
#define SW_IO_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "shipwatch/base.h"

struct sw_loop;
typedef void (*sw_loop_cb)(void *arg);

/* Runs once at the end of this turn. Embedded in its owner; zeroed = not queued. */
struct sw_defer {
	sw_loop_cb cb;
	void *arg;
	struct sw_loop *loop;         /* NULL while not queued */
	struct sw_defer *prev, *next;
};

/* One shot. Embedded in its owner. */
struct sw_timer {
	struct event ev;
	sw_loop_cb cb;
	void *arg;
	bool ready;                   /* init was called */
};

struct sw_loop_signal { struct event *ev; sw_loop_cb cb; void *arg; struct sw_loop_signal *next; };

struct sw_loop {
	struct event_base *base;      /* for what libevent itself must be told */
	struct sw_defer *first, *last;
	struct sw_loop_signal *signals;
	sw_dur mono;                  /* of this turn; 0: not yet read */
	sw_ms wall;
	bool stop;
	uint64_t turns;
};

/* Also makes the process ignore SIGPIPE: every write to a gone peer would end it. Return: 0, or -errno. */
SW_CHECKED int sw_loop_new(struct sw_loop **ret);
/* Signals of the loop go too; timers and deferred work must have been stopped by their owners. */
void sw_loop_free(struct sw_loop *l);
/* Until sw_loop_stop. Return: 0, or -errno when waiting itself is impossible. */
SW_CHECKED int sw_loop_run(struct sw_loop *l);
/* One turn; wait: until something is ready. For tests and for draining. Return: 0; 1 when nothing is left to wait for; -errno. */
SW_CHECKED int sw_loop_turn(struct sw_loop *l, bool wait);
void sw_loop_stop(struct sw_loop *l);

/* Clocks of this turn: monotonic, and wall clock. */
sw_dur sw_loop_mono(struct sw_loop *l);
sw_ms sw_loop_wall(struct sw_loop *l);

/* Does nothing when it is queued already. */
void sw_loop_defer(struct sw_loop *l, struct sw_defer *d);
void sw_defer_cancel(struct sw_defer *d);

/* The loop owns it. Return: 0, or -errno. */
SW_CHECKED int sw_loop_signal(struct sw_loop *l, int signo, sw_loop_cb cb, void *arg);

void sw_timer_init(struct sw_timer *t, struct sw_loop *l, sw_loop_cb cb, void *arg);
/* Sets or moves it; after <= 0: in the next turn. */
void sw_timer_set(struct sw_timer *t, sw_dur after);
void sw_timer_stop(struct sw_timer *t); /* also of one that was never set, or zeroed */
bool sw_timer_armed(const struct sw_timer *t);

#endif
