/* What the tests of the bus share: a loop that waits for a condition with a bound, and calls written as text to compare. */
#ifndef TESTS_BUS_RIG_H
#define TESTS_BUS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus.h"
#include "io/loop.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

static struct sw_loop *rig_loop;
static struct sw_timer rig_wake;

static void rig_again(void *arg)
{
	(void)arg;
	sw_timer_set(&rig_wake, 5);
}

static inline int rig_setup(void **state)
{
	(void)state;
	if (sw_loop_new(&rig_loop) < 0)
		return -1;
	sw_timer_init(&rig_wake, rig_loop, rig_again, NULL);
	rig_again(NULL);
	return 0;
}

static inline int rig_teardown(void **state)
{
	(void)state;
	sw_timer_stop(&rig_wake);
	sw_loop_free(rig_loop);
	return 0;
}

/* Turns until the expression is true, for at most half a minute: then something hangs. */
#define RIG_UNTIL(expr)                                                                         \
	do {                                                                                        \
		sw_dur rig_end_ = sw_clock_mono() + 30 * SW_SECOND;                                     \
		while (!(expr)) {                                                                       \
			if (sw_clock_mono() > rig_end_)                                                     \
				fail_msg("waited in vain for: %s", #expr);                                      \
			assert_int_equal(sw_loop_turn(rig_loop, true), 0);                                  \
		}                                                                                       \
	} while (0)

/* One reply as text. Runs of ten digits and more (times, stream ids) are '#': they differ from Redis to memory. */
struct rig_reply { bool done; int r; int64_t number; sw_dur wait; struct sw_buf text; struct sw_tick tick; };

static inline void rig_text(struct sw_buf *out, const char *s)
{
	for (size_t n; s && *s;) {
		n = strspn(s, "0123456789");
		if (n >= 10) {
			sw_buf_putc(out, '#');
			s += n;
			s += *s == '-' ? 1 + strspn(s + 1, "0123456789") : 0;
		} else if (n) {
			sw_buf_catn(out, s, n);
			s += n;
		} else {
			sw_buf_putc(out, *s++);
		}
	}
}

static inline void rig_done(void *arg, int r)
{
	struct rig_reply *p = arg;

	assert_false(p->done); /* exactly once */
	p->done = true;
	p->r = r;
	sw_buf_printf(&p->text, "r=%d", r);
}

static inline void rig_int(void *arg, int r, int64_t value)
{
	((struct rig_reply *)arg)->number = value;
	rig_done(arg, r);
	sw_buf_printf(&((struct rig_reply *)arg)->text, " value=%lld", (long long)value);
}

static inline void rig_json(void *arg, int r, const char *json)
{
	rig_done(arg, r);
	sw_buf_cat(&((struct rig_reply *)arg)->text, json ? " " : " none");
	rig_text(&((struct rig_reply *)arg)->text, json);
}

static inline void rig_enqueued(void *arg, int r, const char *id)
{
	rig_done(arg, r);
	assert_true((r == SW_ENQ_QUEUED) == (id != NULL));
}

static inline void rig_loaded(void *arg, int r, const struct sw_loaded *l)
{
	struct sw_buf *b = &((struct rig_reply *)arg)->text;

	rig_done(arg, r);
	if (!l)
		return;
	sw_buf_printf(b, " v=%lld fmt=%d state=%.*s hold=%s fails=", (long long)l->v, l->fmt, (int)l->state_n, l->state ? l->state : "-",
	              l->hold ? l->hold : "-");
	rig_text(b, l->fails);
	for (int i = 0; i < 3; i++)
		sw_buf_printf(b, " ring=%zu:%.*s", l->rings[i].n, (int)SW_MIN(l->rings[i].n, (size_t)16), l->rings[i].p ? (const char *)l->rings[i].p : "");
	for (int i = 0; i < 4; i++)
		sw_buf_printf(b, " keep=%s", l->keeps[i] ? l->keeps[i] : "-");
}

static inline void rig_committed(void *arg, int r, const struct sw_committed *c)
{
	struct rig_reply *p = arg;

	rig_done(arg, r);
	if (!c)
		return;
	p->number = c->v;
	p->wait = c->wait;
	sw_buf_printf(&p->text, " v=%lld reason=%s gone=%d wait=%d calls=%lld", (long long)c->v, c->reason ? c->reason : "-", c->gone != NULL, c->wait > 0,
	              (long long)c->calls);
}

static inline void rig_ticked(void *arg, int r, const struct sw_tick *t)
{
	struct rig_reply *p = arg;

	rig_done(arg, r);
	if (!t)
		return;
	p->tick = *t;
	sw_buf_printf(&p->text, " moved=%lld in=%lld work=%lld dead=%lld held=%d rewound=%d due=", (long long)t->moved, (long long)t->in_n,
	              (long long)t->work_n, (long long)t->dead_n, t->held, t->rewound);
	sw_buf_printf(&p->text, "%lld", (long long)t->next_due);
}

static inline void rig_reset(struct rig_reply *p)
{
	sw_buf_fini(&p->text);
	*p = (struct rig_reply){ 0 };
}

/* What a reader was given: in order, per stream. */
struct rig_given { char id[48]; char *text; bool reclaimed, done; };
struct rig_reader { struct sw_bus *bus; struct rig_given *given[2]; size_t n[2]; unsigned ends; bool manual; };

static inline void rig_read(void *arg, const struct sw_entry *e, size_t n)
{
	struct rig_reader *rd = arg;

	rd->ends += n == 0;
	for (size_t i = 0; i < n; i++) {
		int s = e[i].stream;
		struct rig_given *g;
		struct sw_buf b = SW_BUF_INIT;

		rd->given[s] = realloc(rd->given[s], (rd->n[s] + 1) * sizeof *g);
		g = &rd->given[s][rd->n[s]++];
		*g = (struct rig_given){ .reclaimed = e[i].reclaimed };
		(void)snprintf(g->id, sizeof g->id, "%s", e[i].id);
		if (s == SW_STREAM_WORK)
			sw_buf_printf(&b, "%s %s", e[i].aggregate, e[i].msg);
		else
			sw_buf_printf(&b, "%s %s %s %s %lld %zu %.40s %s", e[i].own_id, e[i].source, e[i].kind, e[i].meta, (long long)e[i].arrived,
			              e[i].body_n, (const char *)e[i].body, e[i].broken ? e[i].broken : "");
		g->text = sw_buf_take(&b);
	}
	if (!rd->manual && n)
		sw_bus_read_more(rd->bus);
}

static inline void rig_reader_fini(struct rig_reader *rd)
{
	for (int s = 0; s < 2; s++) {
		for (size_t i = 0; i < rd->n[s]; i++)
			free(rd->given[s][i].text);
		free(rd->given[s]);
	}
	*rd = (struct rig_reader){ 0 };
}

#define RIG_CALL(reply, call)                                                                   \
	do {                                                                                        \
		rig_reset(reply);                                                                       \
		call;                                                                                   \
		assert_false((reply)->done); /* never from within */                                    \
		RIG_UNTIL((reply)->done);                                                               \
	} while (0)

#endif
