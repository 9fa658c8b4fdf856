/*
 * A rig for the worker: the bus in memory, time that only moves when nothing is left to do, and a function in place of the
 * network. Any call to the bus can be made to fail before or after it was done, or to be the last thing the worker does.
 *
 * The linker redirects clocks, timers and sw_do_* to the __wrap_ functions here (tests/unit/meson.build); the bus is wrapped by
 * a table of its own operations.
 */
#ifndef TESTS_WORKER_RIG_H
#define TESTS_WORKER_RIG_H

#include <errno.h>
#include <string.h>

#include "bus/impl.h"
#include "worker/inner.h"

#define RIG_EPOCH 1700000000000

enum rig_how { RIG_NONE, RIG_FAIL_BEFORE, RIG_FAIL_AFTER, RIG_DIE_BEFORE, RIG_DIE_AFTER };

struct rig_timer { struct rig_timer *next; struct sw_timer *t; sw_ms due; };

struct rig {
	struct sw_bus base;        /* what the worker believes to be its bus */
	struct sw_bus *bus;        /* the one in memory */
	struct sw_loop *loop;
	struct worker *w, *dead[8];
	size_t n_dead;
	unsigned gen;              /* of the worker that lives */
	bool died, in_bus;         /* in_bus: timers made now are the bus's own */
	sw_ms now;
	struct rig_timer *timers;
	struct sw_timer *bus_timers[16];
	size_t n_bus_timers;
	int calls, fail_at;
	enum rig_how how;
	const char *failed_call;
	int appends;               /* calls of that name */
	bool careful;              /* workers behave as if another had died not long ago */
	/* the world: answers a job */
	void (*world)(const struct sw_job *job, struct sw_result *res);
};

static struct rig rig;

/* ---- clocks and timers ---- */

sw_ms __wrap_sw_clock_wall(void);
sw_dur __wrap_sw_clock_mono(void);
sw_dur __wrap_sw_clock_boot(void);
void __wrap_sw_timer_set(struct sw_timer *t, sw_dur after);
void __wrap_sw_timer_stop(struct sw_timer *t);
bool __wrap_sw_timer_armed(const struct sw_timer *t);
void __wrap_sw_timer_init(struct sw_timer *t, struct sw_loop *l, sw_loop_cb cb, void *arg);
sw_ms __wrap_sw_bus_now(const struct sw_bus *bus);

sw_ms __wrap_sw_clock_wall(void) { return rig.now; }
sw_dur __wrap_sw_clock_mono(void) { return rig.now - RIG_EPOCH + 1000000; }
sw_dur __wrap_sw_clock_boot(void) { return rig.now - RIG_EPOCH + 1000000; }
sw_ms __wrap_sw_bus_now(const struct sw_bus *bus) { return rig.now; }

static bool rig_is_bus_timer(const struct sw_timer *t)
{
	for (size_t i = 0; i < rig.n_bus_timers; i++)
		if (rig.bus_timers[i] == t)
			return true;
	return false;
}

void __wrap_sw_timer_init(struct sw_timer *t, struct sw_loop *l, sw_loop_cb cb, void *arg)
{
	t->cb = cb;
	t->arg = arg;
	t->ready = true;
	if (rig.in_bus && rig.n_bus_timers < SW_COUNT(rig.bus_timers))
		rig.bus_timers[rig.n_bus_timers++] = t;
}

void __wrap_sw_timer_stop(struct sw_timer *t)
{
	for (struct rig_timer **p = &rig.timers; *p; p = &(*p)->next) {
		if ((*p)->t == t) {
			struct rig_timer *x = *p;

			*p = x->next;
			free(x);
			return;
		}
	}
}

void __wrap_sw_timer_set(struct sw_timer *t, sw_dur after)
{
	struct rig_timer *x, **p;

	__wrap_sw_timer_stop(t);
	if (rig.died && !rig_is_bus_timer(t))
		return;
	x = sw_calloc(1, sizeof *x);
	x->t = t;
	x->due = rig.now + SW_MAX(after, (sw_dur)0);
	for (p = &rig.timers; *p && (*p)->due <= x->due; p = &(*p)->next)
		;
	x->next = *p;
	*p = x;
}

bool __wrap_sw_timer_armed(const struct sw_timer *t)
{
	for (struct rig_timer *x = rig.timers; x; x = x->next)
		if (x->t == t)
			return true;
	return false;
}

/* ---- the bus ---- */

struct rig_call {
	unsigned gen;
	enum rig_how how;
	union { sw_done_cb done; sw_int_cb integer; sw_load_cb load; sw_commit_cb commit; sw_text_cb text; sw_tick_cb tick; } cb;
	void *arg;
	struct sw_defer later;
	void (*undone)(struct rig_call *c, int why);
};

/* What a dead worker was waiting for is kept, so that what hangs on it is not taken for a leak. */
static void **rig_lost;
static size_t rig_n_lost;
static void rig_lose(void *p)
{
	rig_lost = sw_realloc(rig_lost, (rig_n_lost + 1) * sizeof *rig_lost);
	rig_lost[rig_n_lost++] = p;
}

/* Counts the call. False: it is not to be made at all. */
static bool rig_enter(struct rig_call *c, const char *name)
{
	c->gen = rig.gen;
	if (rig.died)
		return false;
	rig.appends += strcmp(name, "append") == 0;
	if (++rig.calls != rig.fail_at)
		return true;
	rig.failed_call = name;
	c->how = rig.how;
	rig.died = c->how == RIG_DIE_BEFORE || c->how == RIG_DIE_AFTER;
	return c->how != RIG_FAIL_BEFORE && c->how != RIG_DIE_BEFORE;
}

/* Is there a worker to take the answer? */
static bool rig_live(const struct rig_call *c)
{
	return !rig.died && c->gen == rig.gen;
}

static void rig_not_made(void *arg)
{
	struct rig_call *c = arg;

	if (!rig_live(c)) {
		rig_lose(c);
		return;
	}
	c->undone(c, -ENOTCONN);
	free(c);
}

/* One operation: fn, its callback's member of the union, arguments before the callback, how the callback fails and passes. */
#define RIG_OP(fn, member, cbtype, PARAMS, ARGS, CBPARAMS, FAIL, PASS)                             \
	static void rig_##fn##_fail(struct rig_call *c, int why) { c->cb.member FAIL; }            \
	static void rig_##fn##_done CBPARAMS                                                       \
	{                                                                                          \
		struct rig_call *c = arg;                                                          \
		if (!rig_live(c)) {                                                                \
			rig_lose(c);                                                               \
			return;                                                                    \
		}                                                                                  \
		if (c->how == RIG_FAIL_AFTER && r != -ECANCELED)                                   \
			rig_##fn##_fail(c, -EIO);                                                  \
		else                                                                               \
			c->cb.member PASS;                                                         \
		free(c);                                                                           \
	}                                                                                          \
	static void rig_##fn PARAMS                                                                \
	{                                                                                          \
		struct rig_call *c = sw_calloc(1, sizeof *c);                                      \
		c->cb.member = cb;                                                                 \
		c->arg = arg;                                                                      \
		c->undone = rig_##fn##_fail;                                                         \
		if (rig_enter(c, #fn)) {                                                           \
			rig.in_bus = true;                                                         \
			sw_bus_##fn ARGS;                                                          \
			rig.in_bus = false;                                                        \
			return;                                                                    \
		}                                                                                  \
		c->later = (struct sw_defer){ .cb = rig_not_made, .arg = c };                      \
		sw_loop_defer(rig.loop, &c->later);                                                \
	}

RIG_OP(intake, done, sw_done_cb, (struct sw_bus *b, const struct sw_intake *in, sw_done_cb cb, void *arg),
       (rig.bus, in, rig_intake_done, c), (void *arg, int r), (c->arg, why), (c->arg, r))
RIG_OP(append, done, sw_done_cb, (struct sw_bus *b, const char *aggregate, const char *msg, sw_done_cb cb, void *arg),
       (rig.bus, aggregate, msg, rig_append_done, c), (void *arg, int r), (c->arg, why), (c->arg, r))
RIG_OP(load, load, sw_load_cb, (struct sw_bus *b, const struct sw_load *l, sw_load_cb cb, void *arg),
       (rig.bus, l, rig_load_done, c), (void *arg, int r, const struct sw_loaded *ld), (c->arg, why, NULL), (c->arg, r, ld))
RIG_OP(commit, commit, sw_commit_cb, (struct sw_bus *b, const struct sw_change *ch, sw_commit_cb cb, void *arg),
       (rig.bus, ch, rig_commit_done, c), (void *arg, int r, const struct sw_committed *x), (c->arg, why, NULL), (c->arg, r, x))
RIG_OP(tick, tick, sw_tick_cb, (struct sw_bus *b, sw_tick_cb cb, void *arg),
       (rig.bus, rig_tick_done, c), (void *arg, int r, const struct sw_tick *t), (c->arg, why, NULL), (c->arg, r, t))
RIG_OP(trying, integer, sw_int_cb, (struct sw_bus *b, enum sw_stream s, const char *id, sw_int_cb cb, void *arg),
       (rig.bus, s, id, rig_trying_done, c), (void *arg, int r, int64_t v), (c->arg, why, 0), (c->arg, r, v))
RIG_OP(bury, done, sw_done_cb, (struct sw_bus *b, enum sw_stream s, const char *id, const char *reason, sw_done_cb cb, void *arg),
       (rig.bus, s, id, reason, rig_bury_done, c), (void *arg, int r), (c->arg, why), (c->arg, r))
RIG_OP(give_back, done, sw_done_cb, (struct sw_bus *b, enum sw_stream s, const char *id, sw_done_cb cb, void *arg),
       (rig.bus, s, id, rig_give_back_done, c), (void *arg, int r), (c->arg, why), (c->arg, r))
RIG_OP(rules, text, sw_text_cb, (struct sw_bus *b, const char *hash, sw_text_cb cb, void *arg),
       (rig.bus, hash, rig_rules_done, c), (void *arg, int r, const char *text), (c->arg, why, NULL), (c->arg, r, text))

struct rig_reader { unsigned gen; sw_read_cb cb; void *arg; };
static struct rig_reader rig_readers[64];

static void rig_entries(void *arg, const struct sw_entry *entries, size_t n)
{
	struct rig_reader *rd = arg;

	if (!rig.died && rd->gen == rig.gen)
		rd->cb(rd->arg, entries, n);
}

static void rig_read(struct sw_bus *b, const char *consumer, unsigned count, sw_read_cb cb, void *arg)
{
	struct rig_reader *rd = &rig_readers[rig.gen % SW_COUNT(rig_readers)];

	*rd = (struct rig_reader){ rig.gen, cb, arg };
	rig.in_bus = true;
	sw_bus_read(rig.bus, consumer, count, rig_entries, rd);
	rig.in_bus = false;
}

static void rig_read_more(struct sw_bus *b)
{
	rig.in_bus = true;
	if (!rig.died)
		sw_bus_read_more(rig.bus);
	rig.in_bus = false;
}

static void rig_read_end(struct sw_bus *b) { sw_bus_read_end(rig.bus); }
static void rig_read_stop(struct sw_bus *b) { sw_bus_read_stop(rig.bus); }
static void rig_bus_free(struct sw_bus *b) { (void)b; }
static bool rig_up(const struct sw_bus *b) { return true; }
static sw_ms rig_now(const struct sw_bus *b) { return rig.now; }
static const struct sw_bus_info *rig_info(const struct sw_bus *b) { return sw_bus_info(rig.bus); }

static const struct bus_ops rig_ops = {
	.free = rig_bus_free, .up = rig_up, .now = rig_now, .info = rig_info, .read = rig_read, .read_more = rig_read_more,
	.read_end = rig_read_end, .read_stop = rig_read_stop, .intake = rig_intake, .load = rig_load, .commit = rig_commit, .append = rig_append,
	.tick = rig_tick, .trying = rig_trying, .bury = rig_bury, .give_back = rig_give_back, .rules = rig_rules,
};

/* ---- the world instead of the network ---- */

int __wrap_sw_do_init(struct worker *w, struct sw_err *err);
void __wrap_sw_do_fini(struct worker *w);
void __wrap_sw_do_job(struct worker *w, const struct sw_job *job, const struct sw_do_for *what, sw_do_cb cb, void *arg);

void __wrap_sw_do_settle(struct worker *w, const char *id);
void __wrap_sw_do_recover(struct worker *w, sw_spawn_found_cb cb, void *arg);

int __wrap_sw_do_init(struct worker *w, struct sw_err *err) { return 0; }
void __wrap_sw_do_settle(struct worker *w, const char *id) { (void)id; }
void __wrap_sw_do_recover(struct worker *w, sw_spawn_found_cb cb, void *arg) { (void)arg; }
void __wrap_sw_do_fini(struct worker *w) { (void)w; }

struct rig_job { unsigned gen; sw_do_cb cb; void *arg; struct sw_result res; char body[256]; struct sw_defer later; };

static void rig_job_done(void *arg)
{
	struct rig_job *j = arg;

	if (rig.died || j->gen != rig.gen) {
		rig_lose(j);
		return;
	}
	j->cb(j->arg, &j->res);
	free(j);
}

void __wrap_sw_do_job(struct worker *w, const struct sw_job *job, const struct sw_do_for *what, sw_do_cb cb, void *arg)
{
	struct rig_job *j = sw_calloc(1, sizeof *j);

	j->gen = rig.gen;
	j->cb = cb;
	j->arg = arg;
	j->res.body = "";
	j->res.at = rig.now;
	rig.world(job, &j->res);
	j->later = (struct sw_defer){ .cb = rig_job_done, .arg = j };
	sw_loop_defer(rig.loop, &j->later);
}

/* ---- driving ---- */

static const struct sw_worker_options rig_options = { .consumer = NULL, .notify_fd = -1 };

static void rig_begin(struct sw_config *cfg)
{
	struct worker *w = sw_calloc(1, sizeof *w);

	rig.gen++;
	rig.died = false;
	rig.w = w;
	w->loop = rig.loop;
	w->bus = &rig.base;
	sw_worker_init(w, &rig_options);
	w->careful_until = rig.careful ? INT64_MAX : 0;
	SW_ASSERT(sw_setup_new(w, cfg, &w->setup) == 0);
	sw_worker_begin(w);
}

/* The worker is gone as by kill -9: its timers and what it deferred go, its memory is kept to be freed at the end. */
static void rig_bury_worker(void)
{
	for (struct rig_timer **p = &rig.timers; *p;) {
		struct rig_timer *x = *p;

		if (rig_is_bus_timer(x->t)) {
			p = &x->next;
			continue;
		}
		*p = x->next;
		free(x);
	}
	sw_defer_cancel(&rig.w->more);
	sw_bus_read_stop(rig.bus);
	rig.dead[rig.n_dead++] = rig.w;
	rig.w = NULL;
}

/* Runs until virtual time `until`; a worker that dies is followed by another. */
static void rig_run(struct sw_config *cfg, sw_ms until)
{
	for (;;) {
		struct rig_timer *x;

		do
			SW_ASSERT(sw_loop_turn(rig.loop, false) >= 0);
		while (rig.loop->first);
		if (rig.died) {
			rig_bury_worker();
			rig_begin(cfg);
			continue;
		}
		x = rig.timers;
		if (!x || x->due > until)
			break;
		rig.now = SW_MAX(rig.now, x->due);
		rig.timers = x->next;
		x->t->cb(x->t->arg);
		free(x);
	}
	rig.now = until;
}

static void rig_open(void)
{
	struct sw_err err = SW_ERR_INIT;

	memset(&rig, 0, sizeof rig);
	rig.now = RIG_EPOCH;
	rig.base.ops = &rig_ops;
	SW_ASSERT(sw_loop_new(&rig.loop) == 0);
	rig.in_bus = true;
	SW_ASSERT(sw_bus_new(rig.loop, &(struct sw_bus_options){ .url = NULL }, &rig.bus, &err) == 0);
	rig.in_bus = false;
}

static void rig_close(void)
{
	rig.died = true;
	sw_bus_free(rig.bus);
	do
		SW_ASSERT(sw_loop_turn(rig.loop, false) >= 0);
	while (rig.loop->first);
	while (rig.timers) {
		struct rig_timer *x = rig.timers;

		rig.timers = x->next;
		free(x);
	}
	sw_loop_free(rig.loop);
}

#endif
